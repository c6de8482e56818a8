import Replication
import TransparencyLog

/// What waits to be stored of one log, in order. Jobs that ask for the same are joined, so that what waits is bounded
/// by what Replication keeps: one range, a few older heads, and the signatures of its recent heads, one a member.
final class LogJobs: AsyncSequence, Sendable {
    typealias Element = LogWorker.Job

    private struct State {
        var waiting: [LogWorker.Job] = []
        var isEnded = false
        var reader: CheckedContinuation<LogWorker.Job?, Never>?
    }

    private let state = Mutexed(State())

    /// How many wait.
    var count: Int { state.withLock { $0.waiting.count } }

    func add(_ job: LogWorker.Job) {
        let reader: CheckedContinuation<LogWorker.Job?, Never>? = state.withLock { state in
            guard !state.isEnded else { return nil }
            guard let reader = state.reader else {
                Self.join(job, to: &state.waiting)
                return nil
            }
            state.reader = nil
            return reader
        }
        reader?.resume(returning: job)
    }

    private static func join(_ job: LogWorker.Job, to waiting: inout [LogWorker.Job]) {
        switch job {
        case .persistSignatures(let checkpoint, let lines):
            for (index, other) in waiting.enumerated() {
                guard case .persistSignatures(checkpoint, let before) = other else { continue }
                // A key's newer line takes the older one's place.
                let kept = before.filter { old in !lines.contains { $0.keyID == old.keyID && $0.name == old.name } }
                waiting[index] = .persistSignatures(checkpoint: checkpoint, kept + lines)
                return
            }
        case .cosign(let checkpoint):
            let isAsked = waiting.contains { other in
                if case .cosign(checkpoint) = other { true } else { false }
            }
            if isAsked { return }
        case .proveFork:
            // One of a log is proof enough; a log that goes on forking must not keep us busy.
            let isAsked = waiting.contains { if case .proveFork = $0 { true } else { false } }
            if isAsked { return }
        case .persistForkHeads:
            // They are all that are known.
            for (index, other) in waiting.enumerated() {
                guard case .persistForkHeads = other else { continue }
                waiting[index] = job
                return
            }
        case .persistFork:
            // Nobody who has the proof cosigns the log, also not what was to be cosigned before the proof came.
            waiting.removeAll { if case .cosign = $0 { true } else { false } }
        case .ingest, .checkOldHead, .persistHead, .recordContradiction, .settleFork, .recordIncarnation:
            break
        }
        waiting.append(job)
    }

    /// Ends it at once: what waits is dropped.
    func end() {
        let reader = state.withLock { state in
            state.isEnded = true
            state.waiting = []
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    private func next() async -> LogWorker.Job? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready: LogWorker.Job?? = state.withLock { state in
                    if state.isEnded { return .some(nil) }
                    if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
                    state.reader = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            end()
        }
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        let jobs: LogJobs

        mutating func next() async -> LogWorker.Job? { await jobs.next() }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(jobs: self) }
}

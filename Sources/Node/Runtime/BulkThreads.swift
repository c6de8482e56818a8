import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Threads of their own for work that may take long and that nobody waits for: the signatures of a long range, the bytes
/// of a document.
///
/// Swift's tasks share as many threads as there are cores; while these verify thousands of another member's signatures,
/// nothing else of the node moves. On Linux the system prefers all other threads to these.
final class BulkThreads: Sendable {
    static let shared = BulkThreads(count: ProcessInfo.processInfo.activeProcessorCount)

    /// How much the system prefers others (`nice`).
    private static let niceness: Int32 = 10

    private let condition = NSCondition()
    // Only touched while the condition is locked.
    private nonisolated(unsafe) var waiting: [@Sendable () -> Void] = []

    /// Threads that live as long as the process.
    init(count: Int) {
        for _ in 0..<count {
            let thread = Thread { [self] in work() }
            thread.name = "bulk"
            thread.start()
        }
    }

    private func work() {
        #if os(Linux)
        // There, of the calling thread alone.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
        #endif
        while true {
            condition.lock()
            while waiting.isEmpty { condition.wait() }
            let job = waiting.removeFirst()
            condition.unlock()
            job()
        }
    }

    private func add(_ jobs: [@Sendable () -> Void]) {
        condition.lock()
        waiting += jobs
        condition.broadcast()
        condition.unlock()
    }

    /// Does one piece of work there.
    func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            add([{ continuation.resume(with: Swift.Result(catching: body)) }])
        }
    }

    /// Does many there, several at once, and gives what comes of each in their order. What has not begun when the task is
    /// cancelled is left out.
    func map<Result: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Result) async -> [Result] {
        guard count > 0 else { return [] }
        let isCancelled = Mutexed(false)
        let results = Mutexed<(found: [Int: Result], left: Int)>(([:], count))
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                add(
                    (0..<count).map { position in
                        {
                            let result = isCancelled.withLock { $0 } ? nil : body(position)
                            let all: [Int: Result]? = results.withLock { results in
                                results.found[position] = result
                                results.left -= 1
                                return results.left == 0 ? results.found : nil
                            }
                            if let all { continuation.resume(returning: (0..<count).compactMap { all[$0] }) }
                        }
                    })
            }
        } onCancel: {
            isCancelled.withLock { $0 = true }
        }
    }
}

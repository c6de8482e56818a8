public import Alliance
import Foundation
import GRDB
public import TransparencyLog

/// What an append of another member's entries led to.
public struct AppendResult: Sendable {
    public let size: UInt64
    public let root: HashValue
    /// Set once nothing of the log counts from some index on: its newest checkpoints are not to be cosigned.
    public let end: CountingEnd?
    /// Documents that counted statements name.
    public let documents: [PolicyDocument]
}

/// What became of one submission of this member's officers.
public enum SubmissionResult: Sendable {
    /// Published from `first` to `last`, both included; durable.
    case published(first: UInt64, last: UInt64)
    /// Nothing of it was published; each refused statement's position and reason.
    case refused([(position: Int, reason: Verdict.Reason)])
    /// Too large for one transaction.
    case tooLarge
}

extension Store {
    /// Appends a verified range of another member's log: whole batches, whose hashes lead to `root`.
    ///
    /// One transaction covers entries, tree, rows, maps and, where the range reaches it, the head.
    ///
    /// - Parameters:
    ///   - start: the log's size as the caller knows it; another size is an error with code `moved`.
    ///   - head: the note of the checkpoint that the range reaches exactly, with the log's signature alone.
    public func append(
        _ batches: [[NewEntry]], to origin: String, at start: UInt64, root: HashValue, head: [UInt8]?
    ) async throws -> AppendResult {
        try await write { db, writer in
            var log = try Self.take(origin, at: start, from: writer)
            var documents: [PolicyDocument] = []
            for batch in batches {
                let reader = TransactionReader(db: db, log: log)
                let first = log.size
                let outcome = try log.state.process(batch.map(\.checked), reader: reader)
                var appender = Appender(db: db, log: log)
                try appender.store(batch)
                try appender.store(outcome, from: first)
                try appender.finish()
                log = appender.log
                documents += outcome.documents
            }
            guard log.frontier.root == root else { throw StoreError(.damaged, "the range does not give its root") }
            if let head {
                var appender = Appender(db: db, log: log)
                try appender.storeHead(head, root: root)
                log = appender.log
            }
            writer.logs[origin] = log
            return AppendResult(size: log.size, root: root, end: log.state.end, documents: documents)
        }
    }

    /// Publishes submissions in this member's own log: all that can be accepted, in one transaction that ends with a
    /// signed checkpoint. A submission is published whole or not at all.
    ///
    /// - Parameter sign: signs a checkpoint's text with the log's key and gives the note. Called inside the
    ///   transaction; the signature leaves this process only once the transaction is durable.
    /// - Returns: one result for each submission, and the new checkpoint's note, if anything was published.
    public func publish(
        _ submissions: [[NewEntry]], in origin: String,
        sign: @Sendable @escaping (_ checkpoint: Checkpoint) throws -> [UInt8]
    ) async throws -> (results: [SubmissionResult], note: [UInt8]?) {
        try await write { db, writer in
            guard var log = writer.logs[origin] else { throw StoreError(.unknown, "no log \(origin) here") }
            var results: [SubmissionResult] = []
            var together: [(number: Int, entries: [NewEntry])] = []
            for (number, entries) in submissions.enumerated() {
                results.append(.tooLarge)
                let fits = Self.fitsOneBatch(together.flatMap(\.entries) + entries)
                if !fits, !together.isEmpty {
                    try Self.publish(&together, db, &log, &results)
                }
                if Self.fitsOneBatch(entries) {
                    together.append((number, entries))
                } else {
                    try Self.publishLarge(entries, number, db, &log, &results)
                }
            }
            try Self.publish(&together, db, &log, &results)
            guard log.size > log.headSize else { return (results, nil) }
            let root = log.frontier.root
            let note = try sign(Checkpoint(origin: origin, size: log.size, root: root))
            var appender = Appender(db: db, log: log)
            try appender.storeHead(note, root: root)
            writer.logs[origin] = appender.log
            return (results, note)
        }
    }

    private static func take(_ origin: String, at start: UInt64, from writer: WriterState) throws -> OpenLog {
        guard let log = writer.logs[origin] else { throw StoreError(.unknown, "no log \(origin) here") }
        guard log.size == start else {
            throw StoreError(.moved, "\(origin) has \(log.size) entries here, not \(start)")
        }
        return log
    }

    static func fitsOneBatch(_ entries: [NewEntry]) -> Bool {
        entries.count < LogState.batchLimit && entries.reduce(0) { $0 + $1.bytes.count } <= LogState.batchByteLimit
    }

    /// Publishes several submissions as one batch; those that would not count are refused, and the rest tried again.
    private static func publish(
        _ together: inout [(number: Int, entries: [NewEntry])], _ db: Database, _ log: inout OpenLog,
        _ results: inout [SubmissionResult]
    ) throws {
        while !together.isEmpty {
            let entries = together.flatMap(\.entries)
            var state = log.state
            let outcome = try state.seal(entries.map(\.checked), reader: TransactionReader(db: db, log: log))
            var position = 0
            var accepted: [(number: Int, entries: [NewEntry])] = []
            for submission in together {
                let verdicts = outcome.verdicts[position..<position + submission.entries.count]
                position += submission.entries.count
                let refused = refusals(verdicts)
                if refused.isEmpty {
                    accepted.append(submission)
                } else {
                    results[submission.number] = .refused(refused)
                }
            }
            guard accepted.count == together.count else {
                together = accepted
                continue
            }
            var next = log.size
            for submission in together {
                results[submission.number] = .published(
                    first: next, last: next + UInt64(submission.entries.count) - 1)
                next += UInt64(submission.entries.count)
            }
            try store(entries, outcome, state, db, &log)
            together = []
        }
    }

    /// Publishes one submission as several batches.
    private static func publishLarge(
        _ entries: [NewEntry], _ number: Int, _ db: Database, _ log: inout OpenLog,
        _ results: inout [SubmissionResult]
    ) throws {
        var work = log
        var refused: [(position: Int, reason: Verdict.Reason)] = []
        var position = 0
        let first = log.size
        // Batches go to the database one by one; a refusal takes all of them back.
        var last = first
        try db.inSavepoint {
            for batch in split(entries) {
                var state = work.state
                let outcome = try state.seal(batch.map(\.checked), reader: TransactionReader(db: db, log: work))
                refused += refusals(outcome.verdicts.dropLast()).map { (position + $0.position, $0.reason) }
                position += batch.count
                if refused.isEmpty {
                    last = work.size + UInt64(batch.count) - 1
                    try store(batch, outcome, state, db, &work)
                }
            }
            return refused.isEmpty ? .commit : .rollback
        }
        guard refused.isEmpty else {
            results[number] = .refused(refused)
            return
        }
        results[number] = .published(first: first, last: last)
        log = work
    }

    private static func refusals(
        _ verdicts: some Sequence<Verdict>
    ) -> [(position: Int, reason: Verdict.Reason)] {
        verdicts.enumerated().compactMap { position, verdict in
            if case .ignored(let reason) = verdict { (position, reason) } else { nil }
        }
    }

    private static func store(
        _ entries: [NewEntry], _ outcome: BatchOutcome, _ state: LogState, _ db: Database, _ log: inout OpenLog
    ) throws {
        let leafBytes = outcome.leaf.bytes
        let leaf = NewEntry(
            bytes: leafBytes,
            checked: CheckedEntry(
                entry: .stateLeaf(outcome.leaf), leaf: MerkleTree.leafHash(leafBytes), size: leafBytes.count,
                keys: KeyCandidates([])))
        let start = log.size
        log.state = state
        var appender = Appender(db: db, log: log)
        try appender.store(entries + [leaf])
        try appender.store(outcome, from: start)
        try appender.finish()
        log = appender.log
    }

    /// Cuts a large submission into batches. Approvals stand after what they approve, so where there are any, a batch
    /// ends only behind one.
    static func split(_ entries: [NewEntry]) -> [[NewEntry]] {
        func isApproval(_ entry: NewEntry) -> Bool {
            if case .statement(let statement) = entry.checked.entry { statement.kind == .approval } else { false }
        }
        let hasApprovals = entries.contains(where: isApproval)
        var batches: [[NewEntry]] = [[]]
        var bytes = 0
        var pending: [NewEntry] = []
        for entry in entries {
            pending.append(entry)
            guard !hasApprovals || isApproval(entry) else { continue }
            let more = pending.reduce(0) { $0 + $1.bytes.count }
            let count = batches[batches.count - 1].count
            let isFull = count + pending.count >= LogState.batchLimit || bytes + more > LogState.batchByteLimit
            if count > 0, isFull {
                batches.append([])
                bytes = 0
            }
            batches[batches.count - 1] += pending
            bytes += more
            pending = []
        }
        if !pending.isEmpty { batches[batches.count - 1] += pending }
        return batches
    }
}

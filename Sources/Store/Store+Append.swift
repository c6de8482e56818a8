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

/// What a transaction of publications led to.
public struct PublishResult: Sendable {
    /// One for each submission.
    public let results: [SubmissionResult]
    /// The new checkpoint's note, if anything was published.
    public let note: [UInt8]?
    /// The log's size before.
    public let start: UInt64
    /// The right edge of the log's tree after.
    public let frontier: TreeFrontier
    /// The entries from ``start`` on, state leaves included; empty where they are many.
    public let appended: [[UInt8]]
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
    ///   - givesWay: whether smaller writes that wait go first, for some time.
    public func append(
        _ batches: [[NewEntry]], to origin: String, at start: UInt64, root: HashValue, head: [UInt8]?,
        givesWay: Bool = false
    ) async throws -> AppendResult {
        try makeSureOfRoom(for: batches.reduce(0) { $0 + $1.reduce(0) { $0 + $1.bytes.count } })
        // Who is interrupted again and again goes through at last, but seldom enough to cost the others little.
        let end = ContinuousClock.now + Self.patience * batches.reduce(0) { $0 + $1.count }
        while true {
            do {
                return try await appendOnce(
                    batches, to: origin, at: start, root: root, head: head,
                    givesWay: givesWay && ContinuousClock.now < end)
            } catch let error as StoreError where error.code == .interrupted {
                // What follows a publication, cosignatures most of all, comes soon after it.
                try await Task.sleep(for: Self.pause)
            }
        }
    }

    /// How long a write that gives way does so, for each of its entries: some hundred times as long as it takes.
    private static let patience = Duration.milliseconds(5)
    /// How long it waits after it was interrupted.
    private static let pause = Duration.milliseconds(10)

    private func appendOnce(
        _ batches: [[NewEntry]], to origin: String, at start: UInt64, root: HashValue, head: [UInt8]?, givesWay: Bool
    ) async throws -> AppendResult {
        let (result, view) = try await write(givesWay: givesWay) { [folder = documents] db, writer in
            var log = try writer.log(origin, db)
            guard log.size == start else {
                throw StoreError(.moved, "\(origin) has \(log.size) entries here, not \(start)")
            }
            let statements = try writer.statements(db)
            var documents: [PolicyDocument] = []
            for batch in batches {
                let reader = TransactionReader(db: db, log: log, statements: statements)
                let first = log.size
                let outcome = try log.state.process(batch.map(\.checked), reader: reader)
                var appender = Appender(db: db, log: log, statements: statements)
                try appender.store(batch)
                try appender.store(outcome, from: first, reader: reader, documents: folder)
                try appender.finish()
                log = appender.log
                documents += outcome.documents
            }
            guard log.frontier.root == root else { throw StoreError(.damaged, "the range does not give its root") }
            if let head {
                var appender = Appender(db: db, log: log, statements: statements)
                try appender.storeHead(head, root: root)
                log = appender.log
            }
            writer.logs[origin] = log
            let result = AppendResult(size: log.size, root: root, end: log.state.end, documents: documents)
            return (result, LogView(log))
        }
        show([origin: view])
        return result
    }

    /// Publishes submissions in this member's own log: all that can be accepted, in one transaction that ends with a
    /// signed checkpoint. A submission is published whole or not at all.
    ///
    /// - Parameters:
    ///   - submissions: the entries of each, in order; none at all for a state leaf alone, which names the charter in
    ///     force.
    ///   - check: reads entries and checks their signatures, given the log's state before them.
    ///   - sign: signs a checkpoint's text with the log's key and gives the note. Called inside the transaction; the
    ///     signature leaves this process only once the transaction is durable.
    public func publish(
        _ submissions: [[[UInt8]]], in origin: String,
        check: @Sendable @escaping (_ entries: [[UInt8]], _ state: LogState) -> [NewEntry],
        sign: @Sendable @escaping (_ checkpoint: Checkpoint) throws -> [UInt8]
    ) async throws -> PublishResult {
        try makeSureOfRoom(for: submissions.reduce(0) { $0 + $1.reduce(0) { $0 + $1.count } })
        let (result, view) = try await write { [documents] db, writer in
            let statements = try writer.statements(db)
            let log = try writer.log(origin, db)
            guard try !Self.isSettled(db, log.id) else {
                throw StoreError(.rollback, "\(origin) is forked: nothing more is published in it")
            }
            var press = Press(db: db, log: log, statements: statements, documents: documents, check: check)
            let results = try press.publish(submissions)
            if submissions.isEmpty { try press.publishLeaf() }
            var note: [UInt8]?
            if press.log.size > log.size {
                let root = press.log.frontier.root
                let signed = try sign(Checkpoint(origin: origin, size: press.log.size, root: root))
                var appender = Appender(db: db, log: press.log, statements: statements)
                try appender.storeHead(signed, root: root)
                writer.logs[origin] = appender.log
                note = signed
            }
            let result = PublishResult(
                results: results, note: note, start: log.size, frontier: press.log.frontier, appended: press.appended)
            return (result, LogView(press.log))
        }
        show([origin: view])
        return result
    }
}

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
        let (result, view) = try await write { [folder = documents] db, writer in
            var log = try writer.log(origin, db)
            guard log.size == start else {
                throw StoreError(.moved, "\(origin) has \(log.size) entries here, not \(start)")
            }
            var documents: [PolicyDocument] = []
            for batch in batches {
                let reader = TransactionReader(db: db, log: log)
                let first = log.size
                let outcome = try log.state.process(batch.map(\.checked), reader: reader)
                var appender = Appender(db: db, log: log)
                try appender.store(batch)
                try appender.store(outcome, from: first, documents: folder)
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
    ///   - submissions: the entries of each, in order.
    ///   - check: reads entries and checks their signatures, given the log's state before them.
    ///   - sign: signs a checkpoint's text with the log's key and gives the note. Called inside the transaction; the
    ///     signature leaves this process only once the transaction is durable.
    /// - Returns: one result for each submission, and the new checkpoint's note, if anything was published.
    public func publish(
        _ submissions: [[[UInt8]]], in origin: String,
        check: @Sendable @escaping (_ entries: [[UInt8]], _ state: LogState) -> [NewEntry],
        sign: @Sendable @escaping (_ checkpoint: Checkpoint) throws -> [UInt8]
    ) async throws -> (results: [SubmissionResult], note: [UInt8]?) {
        let (results, note, view) = try await write { [documents] db, writer in
            var press = Press(db: db, log: try writer.log(origin, db), documents: documents, check: check)
            let results = try press.publish(submissions)
            guard press.log.size > press.log.headSize else { return (results, [UInt8]?.none, LogView(press.log)) }
            let root = press.log.frontier.root
            let note = try sign(Checkpoint(origin: origin, size: press.log.size, root: root))
            var appender = Appender(db: db, log: press.log)
            try appender.storeHead(note, root: root)
            writer.logs[origin] = appender.log
            return (results, note, LogView(appender.log))
        }
        show([origin: view])
        return (results, note)
    }
}

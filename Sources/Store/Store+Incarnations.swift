public import Alliance
internal import Foundation
internal import GRDB
public import TransparencyLog

/// What is stored of the starts of a log's node.
public struct StoredIncarnations: Hashable, Sendable {
    /// The newest start of another member's node: its note, and this node's receipt, empty without a replica key.
    public var note: [UInt8] = []
    public var receipt: [UInt8] = []
    /// The starts of this member's own node.
    public var own: [Incarnation] = []

    public init() {}
}

extension Store {
    /// Stores that this member's node starts, under a number above all that are known.
    ///
    /// - Parameters:
    ///   - origin: the own log.
    ///   - known: the largest number that is known from others.
    ///   - value: 16 random bytes.
    public func beginIncarnation(of origin: String, above known: UInt64, value: [UInt8]) async throws -> Incarnation {
        let file = try Self.fileNumber(folder)
        return try await write { db, _ in
            let last = try Int64.fetchOne(
                db, sql: "SELECT max(number) FROM own_incarnation WHERE origin = ?", arguments: [origin])
            let start = try Incarnation(number: max(known, UInt64(last ?? 0)) + 1, value: value)
            try db.execute(
                sql: "INSERT INTO own_incarnation(origin, number, value, file) VALUES (?, ?, ?, ?)",
                arguments: [origin, Int64(start.number), Data(start.value), file])
            return start
        }
    }

    /// Stores the start of another member's node as the newest, with this node's receipt for it.
    ///
    /// - Parameter sign: signs a receipt's text, inside the transaction; nil without a replica key.
    /// - Returns: the receipt, empty without a key; nil where a start with as large a number is stored.
    public func recordIncarnation(
        _ note: IncarnationNote, sign: @Sendable @escaping ([UInt8]) throws -> NoteSignature?
    ) async throws -> [UInt8]? {
        try await write { db, writer in
            let log = try writer.log(note.origin, db)
            let held = try Data.fetchOne(db, sql: "SELECT note FROM incarnation WHERE log = ?", arguments: [log.id])
            let before = held.flatMap { try? IncarnationNote(parsing: [UInt8]($0)) }?.incarnation
            guard before.map({ $0.number < note.incarnation.number }) ?? true else { return nil }
            let text = IncarnationReceipt.text(note, size: log.size, root: log.frontier.root, before: before)
            let receipt = try sign(text).map { try SignedNote(text: text, signatures: [$0]).bytes } ?? []
            try db.execute(
                sql: """
                    INSERT INTO incarnation(log, note, receipt) VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET note = excluded.note, receipt = excluded.receipt
                    """, arguments: [log.id, Data(note.bytes), Data(receipt)])
            return receipt
        }
    }

    /// Whether the database's file is another than at the last start: the folder was copied, moved to another disk, or put
    /// back from somewhere.
    public func isCopied() async throws -> Bool {
        let file = try Self.fileNumber(folder)
        let last = try await read { db in
            try Int64.fetchOne(db, sql: "SELECT file FROM own_incarnation ORDER BY number DESC LIMIT 1")
        }
        return last.map { $0 != file } ?? false
    }

    private static func fileNumber(_ folder: String) throws -> Int64 {
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/entente.sqlite")
        return Int64(truncatingIfNeeded: (attributes[.systemFileNumber] as? NSNumber)?.uint64Value ?? 0)
    }

    /// What is stored of the starts of each log's node, by origin.
    public func incarnations() async throws -> [String: StoredIncarnations] {
        try await read { db in
            var result: [String: StoredIncarnations] = [:]
            let others = try GRDB.Row.fetchAll(
                db, sql: "SELECT origin, note, receipt FROM incarnation JOIN log ON log.id = incarnation.log")
            for row in others {
                result[row[0], default: StoredIncarnations()].note = [UInt8](row[1] as Data)
                result[row[0], default: StoredIncarnations()].receipt = [UInt8](row[2] as Data)
            }
            for row in try GRDB.Row.fetchAll(db, sql: "SELECT origin, number, value FROM own_incarnation") {
                // One that is damaged is as if it were not there: then others have to be asked.
                let start = try? Incarnation(
                    number: UInt64(clamping: row[1] as Int64), value: [UInt8](row[2] as Data))
                if let start { result[row[0], default: StoredIncarnations()].own.append(start) }
            }
            return result
        }
    }
}

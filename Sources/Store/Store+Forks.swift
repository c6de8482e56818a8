public import Alliance
import Foundation
import GRDB
public import TransparencyLog

/// What is held of a forked log.
public struct SettledLog: Sendable {
    public let size: UInt64
    public let root: HashValue
    /// The head at that size with its cosignatures, as a note; empty where none is held.
    public let head: [UInt8]
    /// Notes of larger heads that replicas cosigned, the largest first.
    public let waiting: [[UInt8]]
    /// How many entries were set aside now.
    public let setAside: UInt64
    /// Whether anything is otherwise than before.
    public let hasChanged: Bool
    /// Whether all state leaves that are left are true.
    public let isTrustworthy: Bool
}

extension Store {
    /// A checkpoint that a quorum holds, whose signatures the caller has verified.
    public struct ForkEnd: Sendable {
        public let size: UInt64
        public let root: HashValue
        /// The note with the log's signature alone.
        public let note: [UInt8]
        /// The note with the signatures that make the quorum.
        public let full: [UInt8]
        /// Those of them that count under the charter in force.
        public let cosignatures: [StoredCosignature]

        public init(
            size: UInt64, root: HashValue, note: [UInt8], full: [UInt8], cosignatures: [StoredCosignature]
        ) {
            self.full = full
            self.size = size
            self.root = root
            self.note = note
            self.cosignatures = cosignatures
        }
    }

    /// Heads of a forked log beyond its end that only others cosigned and that are remembered when it is set back.
    static let waitingForkHeads = 64

    /// Makes a forked log the tree of the checkpoint where counting ends (formats, section 11), as far as that is held: of
    /// what is told and the newest quorum that is stored here, the larger.
    ///
    /// The one place where a log shrinks: entries beyond are set aside with the branch that they are on, and come back where a
    /// later call finds the end among them. All that is derived of the log is derived again. Once a log was settled it
    /// only grows, since what is appended to it then lies within a quorum. One transaction.
    ///
    /// - Parameters:
    ///   - end: nil while no quorum is known.
    ///   - own: the id of this node's member: what it cosigned is remembered whole.
    ///   - check: reads entries and checks their signatures, given the log's state before them.
    /// - Throws: ``StoreError``: `full` where less than the reserve is left on the disk.
    public func settleFork(
        _ origin: String, end: ForkEnd?, own: String? = nil,
        check: @Sendable @escaping (_ entries: [[UInt8]], _ state: LogState) -> [NewEntry]
    ) async throws -> SettledLog {
        try makeSureOfRoom(for: 0)
        let (result, view) = try await write { [documents] db, writer in
            var settling = ForkSettling(
                db: db, documents: documents, check: check, writer: writer, own: own)
            return try settling.run(origin, end)
        }
        show([origin: view])
        return result
    }

    /// Whether a log was set back because it is forked.
    static func isSettled(_ db: Database, _ log: Int64) throws -> Bool {
        try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM settled_fork WHERE log = ?)", arguments: [log])
            ?? false
    }

    /// Keeps the heads of a forked log that are known, in the place of those that were.
    public func keepForkHeads(_ notes: [[UInt8]], of origin: String) async throws {
        try await write { db, _ in
            let log = try Self.logID(db, origin)
            var kept: [ForkHeadKey: Data] = [:]
            for row in try GRDB.Row.fetchAll(
                db, sql: "SELECT size, root, note FROM fork_head WHERE log = ?", arguments: [log])
            {
                kept[ForkHeadKey(size: row[0], root: row[1])] = row[2] as Data
            }
            for note in notes {
                let checkpoint = try Checkpoint(parsing: SignedNote(parsing: note).text)
                let key = ForkHeadKey(size: Int64(checkpoint.size), root: Data(checkpoint.root.bytes))
                guard kept.removeValue(forKey: key) != Data(note) else { continue }
                try Self.keepForkHead(note, key, log, db)
            }
            for key in kept.keys {
                try db.cachedStatement(sql: "DELETE FROM fork_head WHERE log = ? AND size = ? AND root = ?")
                    .execute(arguments: [log, key.size, key.root])
            }
        }
    }

    /// What tells heads of one forked log apart.
    struct ForkHeadKey: Hashable {
        let size: Int64
        let root: Data
    }

    static func keepForkHead(_ note: [UInt8], _ key: ForkHeadKey, _ log: Int64, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                INSERT INTO fork_head(log, size, root, note) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET note = excluded.note
                """
        ).execute(arguments: [log, key.size, key.root, Data(note)])
    }

    /// The heads of forked logs that are kept, by origin.
    public func forkHeads() async throws -> [String: [[UInt8]]] {
        try await read { db in
            var heads: [String: [[UInt8]]] = [:]
            for row in try GRDB.Row.fetchAll(
                db,
                sql:
                    "SELECT origin, note FROM fork_head JOIN log ON log.id = fork_head.log ORDER BY fork_head.log, fork_head.size, fork_head.root"
            ) {
                let note: Data = row[1]
                heads[row[0], default: []].append([UInt8](note))
            }
            return heads
        }
    }

    /// What was set aside of a log, the oldest first; empty for one that is not forked.
    public func setAside(of origin: String) async throws -> [SetAsideBranch] {
        try await read { db in try SetAsideBranch.all(db, try Self.logID(db, origin)) }
    }

    /// Entries of a branch that was set aside, from an index on, so many at the most.
    public func entries(
        of branch: SetAsideBranch, from index: UInt64, limit: Int
    ) async throws -> [(index: UInt64, bytes: [UInt8])] {
        try await read { db in
            let rows = try GRDB.Row.fetchAll(
                db,
                sql: """
                    SELECT position, packed FROM set_aside_entry WHERE branch = ? AND position >= ?
                    ORDER BY position LIMIT ?
                    """, arguments: [branch.id, Int64(clamping: index), limit])
            return try rows.map { row in
                let position: Int64 = row[0]
                let bytes = try row.withUnsafeData(atIndex: 1) { packed in
                    try (packed ?? Data()).withUnsafeBytes { try PackedEntry.bytes($0) }
                }
                return (UInt64(position), bytes)
            }
        }
    }
}

public import Alliance
import Foundation
import GRDB
public import TransparencyLog

/// A replica's signature under a checkpoint, as it is kept.
public struct StoredCosignature: Hashable, Sendable {
    /// The id of the member whose replica key made it.
    public let member: String
    /// Seconds since 1970, as the cosigner stated.
    public let time: UInt64
    public let line: NoteSignature

    /// A cosignature whose key and signature the caller has verified.
    public init(member: String, time: UInt64, line: NoteSignature) {
        self.member = member
        self.time = time
        self.line = line
    }
}

/// A checkpoint and the signatures that are kept under it.
public struct SignedCheckpoint: Sendable {
    public let size: UInt64
    public let root: HashValue
    /// The note with the log's signature alone.
    public let note: [UInt8]
    /// By member.
    public let cosignatures: [StoredCosignature]

    /// The note with all of its signatures, the log's first, at most 64 lines.
    public func fullNote() throws -> [UInt8] {
        let note = try SignedNote(parsing: note)
        let newest = cosignatures.sorted { ($1.time, $0.member) < ($0.time, $1.member) }.map(\.line)
        let room = SignedNote.maximumSignatureCount - note.signatures.count
        return try SignedNote(text: note.text, signatures: note.signatures + newest.prefix(room)).bytes
    }
}

extension Store {
    /// Signs a checkpoint that is held whole and stores the signature, in one transaction. The size that this node
    /// cosigned never goes back.
    ///
    /// - Parameter sign: called inside the transaction.
    /// - Throws: ``StoreError`` with code `rollback` below the largest size that was cosigned, or above what is held;
    ///   `moved` where the checkpoint is not kept any more, because a newer quorum has replaced it.
    public func cosign(
        _ origin: String, size: UInt64, root: HashValue,
        sign: @Sendable @escaping () throws -> StoredCosignature
    ) async throws -> StoredCosignature {
        try await write { db, writer in
            guard try Self.isJudged(try writer.log(origin, db), size, db) else {
                throw StoreError(
                    .rollback, "what \(origin) says at \(size) cannot be compared under the charter in force")
            }
            try db.cachedStatement(
                sql: """
                    UPDATE log SET cosigned = ?1
                    WHERE origin = ?2 AND cosigned <= ?1 AND size >= ?1 AND (end_index IS NULL OR end_index >= ?1)
                        AND NOT EXISTS (SELECT 1 FROM contradiction WHERE contradiction.log = log.id)
                        AND NOT EXISTS (SELECT 1 FROM fork WHERE fork.log = log.id)
                        AND NOT EXISTS (SELECT 1 FROM settled_fork WHERE settled_fork.log = log.id)
                    """
            ).execute(arguments: [Int64(size), origin])
            guard db.changesCount == 1 else {
                throw StoreError(.rollback, "\(origin) at \(size) is not to be cosigned any more")
            }
            let log =
                try Int64.fetchOne(db.cachedStatement(sql: "SELECT id FROM log WHERE origin = ?"), arguments: [origin])
                ?? 0
            let kept = try Data.fetchOne(
                db.cachedStatement(sql: "SELECT root FROM checkpoint WHERE log = ? AND size = ?"),
                arguments: [log, Int64(size)])
            guard let kept, HashValue(kept) == root else {
                throw StoreError(.moved, "the checkpoint of \(origin) at \(size) is not kept here")
            }
            let signature = try sign()
            // One of ours that is later was made when the clock was wrong.
            try db.cachedStatement(
                sql: "DELETE FROM cosignature WHERE log = ? AND size = ? AND member = ? AND time > ?"
            ).execute(arguments: [log, Int64(size), signature.member, Int64(signature.time)])
            try Self.keep([signature], db, log, size)
            try Self.judge(db, writer, log, origin, size)
            return signature
        }
    }

    /// Whether the state leaf before a size was compared with what the entries give.
    private static func isJudged(_ log: OpenLog, _ size: UInt64, _ db: Database) throws -> Bool {
        guard size > 0, size < log.size, let entry = try Tables.entry(db, log.id, size - 1),
            case .stateLeaf(let leaf) = LogEntry(entry)
        else { return log.state.isJudged }
        return log.state.isJudged(leaf)
    }

    /// Keeps signatures under a checkpoint that is held here: the newest of each member. Where they make a quorum, the
    /// first one is kept for ever, and older checkpoints' signatures are let go.
    ///
    /// - Parameter own: the id of this node's member. Where one of its own comes back, which a folder out of a backup has
    ///   forgotten, the size that this node cosigned is at least that one.
    /// - Returns: whether anything was new; false also where the checkpoint is not kept here.
    @discardableResult
    public func keep(
        _ signatures: [StoredCosignature], of origin: String, size: UInt64, root: HashValue,
        own: String? = nil
    ) async throws -> Bool {
        try await write { db, writer in
            let log =
                try Int64.fetchOne(db.cachedStatement(sql: "SELECT id FROM log WHERE origin = ?"), arguments: [origin])
                ?? 0
            let kept = try Data.fetchOne(
                db.cachedStatement(sql: "SELECT root FROM checkpoint WHERE log = ? AND size = ?"),
                arguments: [log, Int64(size)])
            guard let kept, HashValue(kept) == root else { return false }
            let before = db.totalChangesCount
            try Self.keep(signatures, db, log, size)
            guard db.totalChangesCount > before else { return false }
            if signatures.contains(where: { $0.member == own }) {
                try db.cachedStatement(sql: "UPDATE log SET cosigned = ?1 WHERE id = ?2 AND cosigned < ?1")
                    .execute(arguments: [Int64(size), log])
            }
            try Self.judge(db, writer, log, origin, size)
            return true
        }
    }

    /// Stores the note of a head at exactly the size that is held.
    ///
    /// - Returns: false where the log has moved on.
    @discardableResult
    public func keepHead(_ note: [UInt8], of origin: String, size: UInt64, root: HashValue) async throws -> Bool {
        try await write { db, writer in
            var log = try writer.log(origin, db)
            guard log.size == size, log.frontier.root == root else { return false }
            guard log.headSize < size else { return true }
            var appender = Appender(db: db, log: log, statements: try writer.statements(db))
            try appender.storeHead(note, root: root)
            log = appender.log
            writer.logs[origin] = log
            return true
        }
    }

    /// Keeps the first two heads of a log that cannot both be true.
    public func keepContradiction(_ origin: String, ours: [UInt8]?, other: [UInt8]) async throws {
        try await write { db, _ in
            try db.cachedStatement(sql: "INSERT OR IGNORE INTO contradiction(log, ours, other) VALUES (?, ?, ?)")
                .execute(arguments: [try Self.logID(db, origin), ours.map { Data($0) }, Data(other)])
        }
    }

    /// The origins of logs that are known to have signed contradictory heads.
    public func contradictedOrigins() async throws -> Set<String> {
        try await read { db in
            Set(
                try String.fetchAll(
                    db.cachedStatement(
                        sql: """
                            SELECT origin FROM log
                            WHERE id IN (SELECT log FROM contradiction UNION SELECT log FROM fork UNION SELECT log FROM settled_fork)
                            """)))
        }
    }

    /// Keeps the proof that a log is forked; in the place of the one that was kept where this one goes before it.
    public func keepFork(_ proof: ForkProof) async throws {
        try await write { db, _ in
            let log = try Self.logID(db, proof.origin)
            let kept = try Data.fetchOne(
                db.cachedStatement(sql: "SELECT proof FROM fork WHERE log = ?"), arguments: [log])
            if let kept, let kept = try? ForkProof(parsing: [UInt8](kept)), !proof.isKept(ratherThan: kept) { return }
            try db.cachedStatement(
                sql: "INSERT INTO fork(log, proof) VALUES (?, ?) ON CONFLICT DO UPDATE SET proof = excluded.proof"
            ).execute(arguments: [log, Data(proof.bytes)])
        }
    }

    /// The fork proofs that are kept, by origin. One that is damaged is passed over: peers bring it again, and fsck tells.
    public func forks() async throws -> [ForkProof] {
        try await read { db in
            try Data.fetchAll(
                db.cachedStatement(sql: "SELECT proof FROM fork JOIN log ON log.id = fork.log ORDER BY origin")
            ).compactMap { try? ForkProof(parsing: [UInt8]($0)) }
        }
    }

    static func keep(
        _ signatures: [StoredCosignature], _ db: Database, _ log: Int64, _ size: UInt64
    ) throws {
        for signature in signatures {
            try db.cachedStatement(
                sql: """
                    INSERT INTO cosignature(log, size, member, time, line) VALUES (?, ?, ?, ?, ?)
                    ON CONFLICT DO UPDATE SET time = excluded.time, line = excluded.line
                    WHERE excluded.time > cosignature.time
                    """
            ).execute(arguments: [log, Int64(size), signature.member, Int64(signature.time), signature.line.line])
        }
    }

    /// Notes a quorum once there is one under the charter in force. Lines of those who are no replicas any more, or by keys
    /// that were replaced, stay, and do not count.
    private static func judge(
        _ db: Database, _ writer: WriterState, _ log: Int64, _ origin: String, _ size: UInt64
    ) throws {
        guard let chain = writer.chain, let owner = LogGovernance(of: origin, under: chain)?.member else { return }
        let lines = try String.fetchAll(
            db.cachedStatement(sql: "SELECT line FROM cosignature WHERE log = ? AND size = ?"),
            arguments: [log, Int64(size)])
        let quorum = ReplicaQuorum(charter: chain.current.charter, owner: owner)
        guard lines.count >= quorum.needed,
            quorum.isReached(by: try lines.map { try NoteSignature(parsing: $0) })
        else { return }
        let isNoted = try Bool.fetchOne(
            db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM first_quorum WHERE log = ? AND size = ?)"),
            arguments: [log, Int64(size)])
        if isNoted != true {
            guard let checkpoint = try checkpoint(db, log, size) else { return }
            try db.cachedStatement(sql: "INSERT INTO first_quorum(log, size, note) VALUES (?, ?, ?)").execute(
                arguments: [log, Int64(size), Data(try checkpoint.fullNote())])
        }
        try db.cachedStatement(sql: "UPDATE log SET quorum = ?1 WHERE id = ?2 AND quorum < ?1").execute(
            arguments: [Int64(size), log])
        if db.changesCount == 1 { try Appender.prune(db, log) }
    }

    static func checkpoint(_ db: Database, _ log: Int64, _ size: UInt64) throws -> SignedCheckpoint? {
        guard
            let row = try GRDB.Row.fetchOne(
                db.cachedStatement(sql: "SELECT root, note FROM checkpoint WHERE log = ? AND size = ?"),
                arguments: [log, Int64(size)])
        else { return nil }
        let rootBytes: Data = row[0]
        let note: Data = row[1]
        guard let root = HashValue(rootBytes) else { throw StoreError(.damaged, "a stored checkpoint is damaged") }
        let rows = try GRDB.Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT member, time, line FROM cosignature WHERE log = ? AND size = ? ORDER BY member"),
            arguments: [log, Int64(size)])
        let cosignatures = try rows.map { row in
            let time: Int64 = row[1]
            let line: String = row[2]
            return StoredCosignature(member: row[0], time: UInt64(time), line: try NoteSignature(parsing: line))
        }
        return SignedCheckpoint(size: size, root: root, note: [UInt8](note), cosignatures: cosignatures)
    }

    /// The checkpoint of a size, with its signatures, if it is kept.
    public func checkpoint(_ origin: String, size: UInt64) async throws -> SignedCheckpoint? {
        try await read { db in
            let log =
                try Int64.fetchOne(db.cachedStatement(sql: "SELECT id FROM log WHERE origin = ?"), arguments: [origin])
                ?? 0
            return try Self.checkpoint(db, log, size)
        }
    }

    /// The newest checkpoint that is held whole, and the newest that a quorum holds.
    public func checkpoints(
        of origin: String
    ) async throws -> (head: SignedCheckpoint?, quorum: SignedCheckpoint?) {
        try await read { db in
            let record = try Self.record(db, origin)
            let log =
                try Int64.fetchOne(db.cachedStatement(sql: "SELECT id FROM log WHERE origin = ?"), arguments: [origin])
                ?? 0
            let head = record.headSize > 0 ? try Self.checkpoint(db, log, record.headSize) : nil
            let quorum = record.quorum > 0 ? try Self.checkpoint(db, log, record.quorum) : nil
            return (head, quorum)
        }
    }

    /// The signatures that are kept under checkpoints that cover an entry, and the note of the first quorum over it.
    public func cosignatures(
        of origin: String, over index: UInt64
    ) async throws -> (kept: [StoredCosignature], firstQuorum: [UInt8]?) {
        try await read { db in
            let log = try Self.logID(db, origin)
            let rows = try GRDB.Row.fetchAll(
                db.cachedStatement(
                    sql: "SELECT member, time, line FROM cosignature WHERE log = ? AND size > ? ORDER BY size, member"),
                arguments: [log, Int64(index)])
            let kept = try rows.map { row in
                let time: Int64 = row[1]
                let line: String = row[2]
                return StoredCosignature(member: row[0], time: UInt64(time), line: try NoteSignature(parsing: line))
            }
            let note = try Data.fetchOne(
                db.cachedStatement(
                    sql: "SELECT note FROM first_quorum WHERE log = ? AND size > ? ORDER BY size LIMIT 1"),
                arguments: [log, Int64(index)])
            return (kept, note.map { [UInt8]($0) })
        }
    }
}

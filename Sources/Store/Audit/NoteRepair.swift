import Alliance
import Foundation
import GRDB
import TransparencyLog

/// Puts good copies in the place of signed notes that are damaged, and lets go what peers will bring again.
///
/// A head, its checkpoint and its first quorum hold the same line of the log's key, so each can be made from another.
/// Nothing is signed, and neither the head nor the size that this node cosigned goes back.
struct NoteRepair {
    let db: Database
    let log: AuditedLog
    let charters: AuditCharters
    let member: String
    private(set) var done: [String] = []

    init(db: Database, log: AuditedLog, charters: AuditCharters, member: String) {
        self.db = db
        self.log = log
        self.charters = charters
        self.member = member
    }

    mutating func run() throws {
        let good = try goodNotes()
        try repairHead(good)
        try repairCheckpoints(good)
        try repairCosignatures()
        try repairFirstQuorums()
        try repairFork()
        try repairForkHeads()
        try repairIncarnation()
    }

    /// A fork proof that proves nothing is let go: whoever holds a good one tells again.
    private mutating func repairFork() throws {
        guard let kept = try Data.fetchOne(db, sql: "SELECT proof FROM main.fork WHERE log = ?", arguments: [log.id]),
            (try? ForkProof(parsing: [UInt8](kept)).verify(by: log.member.log)) == nil
        else { return }
        try db.execute(sql: "DELETE FROM main.fork WHERE log = ?", arguments: [log.id])
        count("let go of a damaged fork proof")
    }

    /// Likewise a head of a forked log that its key did not sign, or with a false line.
    private mutating func repairForkHeads() throws {
        let replicas = charters.replicas(of: log.member.id).compactMap(\.replica)
        for row in try GRDB.Row.fetchAll(
            db, sql: "SELECT size, root, note FROM main.fork_head WHERE log = ?", arguments: [log.id])
        {
            let head = NoteCheck.quorum([UInt8](row.blob(2)), log: log.member.log, replicas: replicas, needed: 0)
                .checkpoint
            guard head?.size != UInt64(bitPattern: row.int(0)) || head?.root.bytes != [UInt8](row.blob(1)) else {
                continue
            }
            try db.execute(
                sql: "DELETE FROM main.fork_head WHERE log = ? AND size = ? AND root = ?",
                arguments: [log.id, row.int(0), row.blob(1)])
            count("let go of a damaged head of a forked log")
        }
    }

    /// A start that the log's key did not sign is let go: the node tells again when it starts.
    private mutating func repairIncarnation() throws {
        guard try !NoteCheck.isIncarnationGood(db, log, charters) else { return }
        // A start that is good stays, whatever its receipt is: an older one must not be taken.
        let isSigned = try Data.fetchOne(
            db, sql: "SELECT note FROM main.incarnation WHERE log = ?", arguments: [log.id]
        )
        .flatMap { try? IncarnationNote(parsing: [UInt8]($0)) }
        .map { (try? $0.verify(by: log.member.log)) != nil }
        if isSigned ?? false {
            try db.execute(sql: "UPDATE main.incarnation SET receipt = x'' WHERE log = ?", arguments: [log.id])
            return count("let go of a damaged receipt for its node's start")
        }
        try db.execute(sql: "DELETE FROM main.incarnation WHERE log = ?", arguments: [log.id])
        count("let go of a damaged record of its node's start")
    }

    private mutating func count(_ what: String) {
        if db.changesCount > 0 { done.append("\(log.origin): \(what) (\(db.changesCount))") }
    }

    /// The notes with the log's line alone that can be made from any good copy, by size.
    private func goodNotes() throws -> [UInt64: [UInt8]] {
        var candidates = [log.head ?? []]
        for sql in [
            "SELECT note FROM main.checkpoint WHERE log = ?",
            "SELECT note FROM main.first_quorum WHERE log = ? ORDER BY size DESC LIMIT 1",
        ] {
            candidates += try Data.fetchAll(db, sql: sql, arguments: [log.id]).map { [UInt8]($0) }
        }
        var good: [UInt64: [UInt8]] = [:]
        for bytes in candidates {
            guard let checkpoint = NoteCheck.signed(bytes, by: log.member.log, alone: false),
                let note = try? SignedNote(parsing: bytes),
                let line = note.signatures.first(where: { $0.isAttributed(to: log.member.log) })
            else { continue }
            good[checkpoint.size] = try SignedNote(text: note.text, signatures: [line]).bytes
        }
        return good
    }

    private mutating func repairHead(_ good: [UInt64: [UInt8]]) throws {
        let stored = log.head.flatMap { NoteCheck.signed($0, by: log.member.log) }
        guard stored == nil || stored?.size != log.headSize, let newest = good.keys.max() else { return }
        // A head that is lost, and of which no copy is here, is not replaced by an older one.
        guard newest >= log.headSize || stored != nil else { return }
        let size = max(newest, stored?.size ?? 0)
        guard let note = good[size] else { return }
        try db.execute(
            sql: "UPDATE main.log SET head = ?, head_size = ?2, size = max(size, ?2) WHERE id = ?",
            arguments: [Data(note), Int64(size), log.id])
        count("put a good copy in the place of the head")
    }

    private mutating func repairCheckpoints(_ good: [UInt64: [UInt8]]) throws {
        for row in try GRDB.Row.fetchAll(
            db, sql: "SELECT size, root, note FROM main.checkpoint WHERE log = ?", arguments: [log.id])
        {
            let size = row.int(0)
            let root = row.blob(1)
            let note = row.blob(2)
            let stored = NoteCheck.signed([UInt8](note), by: log.member.log)
            if let stored, stored.size == UInt64(size), stored.root.bytes == [UInt8](root) { continue }
            if let copy = good[UInt64(size)], let checkpoint = NoteCheck.signed(copy, by: log.member.log) {
                try db.execute(
                    sql: "UPDATE main.checkpoint SET root = ?, note = ? WHERE log = ? AND size = ?",
                    arguments: [Data(checkpoint.root.bytes), Data(copy), log.id, size])
                count("put a good copy in the place of the checkpoint at \(size)")
            } else {
                try db.execute(
                    sql: "DELETE FROM main.checkpoint WHERE log = ? AND size = ?", arguments: [log.id, size])
                count("let go the checkpoint at \(size)")
            }
        }
        let head = try Int64.fetchOne(db, sql: "SELECT head_size FROM main.log WHERE id = ?", arguments: [log.id]) ?? 0
        guard head > 0, let note = good[UInt64(head)], let checkpoint = NoteCheck.signed(note, by: log.member.log)
        else { return }
        try db.execute(
            sql: "INSERT OR IGNORE INTO main.checkpoint(log, size, root, note) VALUES (?, ?, ?, ?)",
            arguments: [log.id, head, Data(checkpoint.root.bytes), Data(note)])
        count("kept the head's checkpoint again")
    }

    private mutating func repairCosignatures() throws {
        var own: Int64 = 0
        for row in try GRDB.Row.fetchAll(
            db,
            sql: """
                SELECT s.size, s.member, s.time, s.line, c.note FROM main.cosignature s
                LEFT JOIN main.checkpoint c ON c.log = s.log AND c.size = s.size WHERE s.log = ?
                """, arguments: [log.id])
        {
            let size = row.int(0)
            let name = row.text(1)
            let time = row.int(2)
            let line = row.text(3)
            let note = row.blobOrNil(4)
            let text = note.flatMap { NoteCheck.signed([UInt8]($0), by: log.member.log)?.text }
            if let text, let parsed = try? NoteSignature(parsing: line),
                let key = charters.replica(name, of: parsed, in: log),
                let signed = try? CosignatureSigner.verify(parsed, key: key, text: text)
            {
                if name == member { own = max(own, size) }
                guard Int64(clamping: signed) != time else { continue }
                try db.execute(
                    sql: "UPDATE main.cosignature SET time = ? WHERE log = ? AND size = ? AND member = ?",
                    arguments: [Int64(clamping: signed), log.id, size, name])
                count("took the time of \(name)'s cosignature at \(size) from its line")
            } else {
                try db.execute(
                    sql: "DELETE FROM main.cosignature WHERE log = ? AND size = ? AND member = ?",
                    arguments: [log.id, size, name])
                count("let go \(name)'s cosignature at \(size)")
            }
        }
        try db.execute(
            sql: "UPDATE main.log SET cosigned = ?1 WHERE id = ?2 AND cosigned < ?1", arguments: [own, log.id])
        count("raised the size that this node cosigned to \(own)")
    }

    private mutating func repairFirstQuorums() throws {
        let replicas = charters.replicas(of: log.member.id).compactMap(\.replica)
        let cursor = try GRDB.Row.fetchCursor(
            db, sql: "SELECT size, note FROM main.first_quorum WHERE log = ?", arguments: [log.id])
        var bad: [Int64] = []
        while let row = try cursor.next() {
            let note = row.blob(1)
            let found = NoteCheck.quorum(
                [UInt8](note), log: log.member.log, replicas: replicas, needed: charters.leastQuorum)
            if found.checkpoint?.size != UInt64(bitPattern: row.int(0)) { bad.append(row.int(0)) }
        }
        for size in bad {
            try db.execute(sql: "DELETE FROM main.first_quorum WHERE log = ? AND size = ?", arguments: [log.id, size])
            count("let go the first quorum at \(size)")
        }
        for size in try Int64.fetchAll(
            db,
            sql: """
                SELECT DISTINCT size FROM main.cosignature WHERE log = ?1 AND size NOT IN
                (SELECT size FROM main.first_quorum WHERE log = ?1)
                """, arguments: [log.id])
        {
            guard let kept = try Store.checkpoint(db, log.id, UInt64(size)),
                charters.quorums(of: log.member.id).contains(where: { $0.isReached(by: kept.cosignatures.map(\.line)) })
            else { continue }
            try db.execute(
                sql: "INSERT INTO main.first_quorum(log, size, note) VALUES (?, ?, ?)",
                arguments: [log.id, size, Data(try kept.fullNote())])
            count("made the first quorum at \(size) from the cosignatures that are kept")
        }
        try db.execute(
            sql: """
                UPDATE main.log SET quorum = (SELECT coalesce(max(size), 0) FROM main.first_quorum WHERE log = ?1)
                WHERE id = ?1 AND quorum <> (SELECT coalesce(max(size), 0) FROM main.first_quorum WHERE log = ?1)
                """, arguments: [log.id])
        count("took the newest quorum from the first quorums")
    }
}

/// Makes the row of a log anew, from what is stored under its number.
struct LogRowRepair {
    let db: Database
    let charters: AuditCharters

    func run() throws -> [String] {
        let known = Set(try Int64.fetchAll(db, sql: "SELECT id FROM main.log"))
        var done: [String] = []
        let logs = charters.logs
        let origins = Set(logs.map(\.log.name))
        let rows = try GRDB.Row.fetchAll(db, sql: "SELECT origin, member FROM main.log")
        for member in logs {
            let isThere = rows.contains { row in
                row.text(0) == member.log.name || row.text(1) == member.id && !origins.contains(row.text(0))
            }
            guard !isThere else { continue }
            let number = try (1...Int64(logs.count + known.count)).first {
                try !known.contains($0) && isLog($0, of: member)
            }
            // Nothing of that log is here, or this is its number. The size that this node cosigned is lost with the row;
            // it was never above what is held, so that is what it becomes.
            let top = try number.flatMap { number in
                try Int64.fetchOne(
                    db, sql: "SELECT max(id) FROM main.entry WHERE id >= ? AND id < ?",
                    arguments: [number << Schema.indexBits, (number + 1) << Schema.indexBits])
            }.map { $0 & ((1 << Schema.indexBits) - 1) + 1 }
            try db.execute(
                sql:
                    """
                    INSERT INTO main.log(id, origin, member, size, edge, cosigned, settled)
                    VALUES (?, ?, ?, ?4, zeroblob(?), ?4, ?4)
                    """,
                arguments: [number, member.log.name, member.id, top ?? 0, top == nil ? 0 : 32])
            done.append("\(member.log.name): made the log's row again")
        }
        return done
    }

    /// Whether the first entry under this number is the member's.
    private func isLog(_ number: Int64, of member: CharterMember) throws -> Bool {
        guard
            let packed = try Data.fetchOne(
                db, sql: "SELECT packed FROM main.entry WHERE id = ?", arguments: [Schema.entryID(number, 0)]),
            case .statement(let statement) = LogEntry(PackedEntry.audited(packed))
        else { return false }
        return statement.issuer.utf8.elementsEqual(member.id.utf8)
    }
}

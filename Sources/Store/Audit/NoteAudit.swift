import Alliance
import Foundation
import GRDB
import TransparencyLog

/// Verifies every signed note that is kept of one log: its head, its checkpoints with their cosignatures, the first
/// quorums, and evidence of contradictions. What the log's key signed goes into the scratch table `signed`.
struct NoteAudit {
    let db: Database
    let log: AuditedLog
    let charters: AuditCharters
    let member: String
    private(set) var findings: [AuditFinding] = []
    private(set) var signatureCount: UInt64 = 0
    let progress: (UInt64) -> Void

    init(
        db: Database, log: AuditedLog, charters: AuditCharters, member: String, progress: @escaping (UInt64) -> Void
    ) {
        self.db = db
        self.log = log
        self.charters = charters
        self.member = member
        self.progress = progress
    }

    mutating func run() throws {
        try checkHead()
        try checkCheckpoints()
        try checkFirstQuorums()
        try checkContradiction()
        try checkFork()
        try checkForkHeads()
        try checkSetAside()
        try checkIncarnation()
    }

    private mutating func add(
        _ code: AuditFinding.Code, _ table: String, _ key: String?, column: String? = nil, expected: String? = nil,
        found: String? = nil
    ) {
        findings.append(
            AuditFinding(
                code, AuditFinding.Place(log: log.origin, table: table, key: key, column: column), expected: expected,
                found: found))
    }

    private func sign(_ checkpoint: Checkpoint) throws {
        try db.cachedStatement(sql: "INSERT OR IGNORE INTO temp.signed(log, size, root) VALUES (?, ?, ?)")
            .execute(arguments: [log.id, Int64(checkpoint.size), Data(checkpoint.root.bytes)])
    }

    // MARK: The head

    private mutating func checkHead() throws {
        guard let head = log.head else {
            if log.headSize != 0 {
                add(.headInvalid, "log", String(log.id), column: "head", expected: "a note", found: "nothing")
            }
            return
        }
        signatureCount += 1
        guard let checkpoint = NoteCheck.signed(head, by: log.member.log) else {
            return add(.headInvalid, "log", String(log.id), column: "head", found: AuditText.hex(head))
        }
        try sign(checkpoint)
        if checkpoint.size != log.headSize {
            add(
                .logDifferent, "log", String(log.id), column: "head_size", expected: String(checkpoint.size),
                found: String(log.headSize))
        }
    }

    // MARK: Checkpoints

    private mutating func checkCheckpoints() throws {
        let rows = try GRDB.Row.fetchAll(
            db, sql: "SELECT size, root, note FROM main.checkpoint WHERE log = ? ORDER BY size", arguments: [log.id])
        var texts: [Int64: [UInt8]] = [:]
        for row in rows {
            let size = row.int(0)
            let root = row.blob(1)
            let note = row.blob(2)
            let key = "\(log.id),\(size)"
            signatureCount += 1
            guard let checkpoint = NoteCheck.signed([UInt8](note), by: log.member.log), checkpoint.size == UInt64(size)
            else {
                add(.checkpointInvalid, "checkpoint", key, column: "note", found: AuditText.hex(note))
                continue
            }
            try sign(checkpoint)
            texts[size] = checkpoint.text
            if checkpoint.root.bytes != [UInt8](root) {
                add(
                    .checkpointInvalid, "checkpoint", key, column: "root", expected: checkpoint.root.hex,
                    found: AuditText.hex(root))
            }
        }
        // Checkpoints are stored with the head that they are of.
        let newest: Int64 = rows.last.map { $0.int(0) } ?? 0
        if newest > Int64(clamping: log.headSize) {
            add(
                .logDifferent, "log", String(log.id), column: "head_size", expected: String(newest),
                found: String(log.headSize))
        }
        if log.headSize > 0, texts[Int64(log.headSize)] == nil,
            !rows.contains(where: { $0.int(0) == Int64(log.headSize) })
        {
            add(.checkpointInvalid, "checkpoint", "\(log.id),\(log.headSize)", expected: "a row", found: "nothing")
        }
        try checkCosignatures(texts)
    }

    private mutating func checkCosignatures(_ texts: [Int64: [UInt8]]) throws {
        let cursor = try GRDB.Row.fetchCursor(
            db, sql: "SELECT size, member, time, line FROM main.cosignature WHERE log = ?", arguments: [log.id])
        var own: UInt64 = 0
        while let row = try cursor.next() {
            let size = row.int(0)
            let name = row.text(1)
            let time = row.int(2)
            let line = row.text(3)
            let key = "\(log.id),\(size),\(name)"
            signatureCount += 1
            guard let text = texts[size] else {
                add(.cosignatureInvalid, "cosignature", key, expected: "a checkpoint of that size", found: "nothing")
                continue
            }
            guard let parsed = try? NoteSignature(parsing: line),
                let replica = charters.replica(name, of: parsed, in: log),
                let signed = try? CosignatureSigner.verify(parsed, key: replica, text: text)
            else {
                add(.cosignatureInvalid, "cosignature", key, column: "line", found: AuditText.cut(line))
                continue
            }
            if Int64(clamping: signed) != time {
                add(
                    .cosignatureInvalid, "cosignature", key, column: "time", expected: String(signed),
                    found: String(time))
            }
            if name == member { own = max(own, UInt64(size)) }
        }
        // A forked log that was set back may have been cosigned further.
        if try !Store.isSettled(db, log.id) { checkCosigned(own, texts) }
    }

    /// The largest size that this node cosigned has its cosignature, unless a newer quorum has replaced it.
    private mutating func checkCosigned(_ own: UInt64, _ texts: [Int64: [UInt8]]) {
        let key = String(log.id)
        if log.cosigned < own {
            add(
                .logDifferent, "log", key, column: "cosigned", expected: String(own), found: String(log.cosigned))
        } else if log.cosigned > own, log.cosigned >= log.quorum, texts.count < Appender.waitingCheckpoints {
            add(
                .logDifferent, "log", key, column: "cosigned",
                expected: own == 0 ? "a cosignature of this node at that size" : String(own),
                found: String(log.cosigned))
        }
    }

    // MARK: First quorums

    /// Notes that are verified at once, on all cores.
    private static let notesAtOnce = 512

    private mutating func checkFirstQuorums() throws {
        let cursor = try GRDB.Row.fetchCursor(
            db, sql: "SELECT size, note FROM main.first_quorum WHERE log = ? ORDER BY size", arguments: [log.id])
        var newest: Int64 = 0
        var waiting: [(size: Int64, note: [UInt8])] = []
        var done: UInt64 = 0
        while let row = try cursor.next() {
            let note = row.blob(1)
            waiting.append((row.int(0), [UInt8](note)))
            newest = max(newest, row.int(0))
            done += 1
            guard waiting.count == Self.notesAtOnce else { continue }
            try checkFirstQuorums(waiting)
            waiting = []
            progress(done)
        }
        try checkFirstQuorums(waiting)
        if UInt64(max(0, newest)) != log.quorum {
            add(
                .logDifferent, "log", String(log.id), column: "quorum", expected: String(newest),
                found: String(log.quorum))
        }
    }

    private mutating func checkFirstQuorums(_ notes: [(size: Int64, note: [UInt8])]) throws {
        guard !notes.isEmpty else { return }
        let key = log.member.log
        let replicas = charters.replicas(of: log.member.id).compactMap(\.replica)
        let needed = charters.leastQuorum
        let results = concurrentMap(notes.count) { position in
            NoteCheck.quorum(notes[position].note, log: key, replicas: replicas, needed: needed)
        }
        for (item, result) in zip(notes, results) {
            signatureCount += result.signatures
            if let checkpoint = result.checkpoint, checkpoint.size == UInt64(bitPattern: item.size) {
                try sign(checkpoint)
            } else {
                add(.firstQuorumInvalid, "first_quorum", "\(log.id),\(item.size)", found: AuditText.hex(item.note))
            }
        }
    }

    // MARK: Contradictions

    private mutating func checkContradiction() throws {
        guard
            let row = try GRDB.Row.fetchOne(
                db, sql: "SELECT ours, other FROM main.contradiction WHERE log = ?", arguments: [log.id])
        else { return }
        let ours = row.blobOrNil(0)
        let other = row.blob(1)
        signatureCount += ours == nil ? 1 : 2
        let first = ours.flatMap { NoteCheck.signed([UInt8]($0), by: log.member.log, alone: false) }
        guard let second = NoteCheck.signed([UInt8](other), by: log.member.log, alone: false),
            ours == nil || first != nil, first != second
        else {
            return add(.contradictionInvalid, "contradiction", String(log.id), found: AuditText.hex(other))
        }
    }
}

extension NoteAudit {
    private mutating func checkFork() throws {
        guard
            let row = try GRDB.Row.fetchOne(db, sql: "SELECT proof FROM main.fork WHERE log = ?", arguments: [log.id])
        else { return }
        signatureCount += 2
        let bytes = [UInt8](row.blob(0))
        guard let proof = try? ForkProof(parsing: bytes), (try? proof.verify(by: log.member.log)) != nil else {
            return add(.forkInvalid, "fork", String(log.id), found: AuditText.hex(row.blob(0)))
        }
    }

    /// Heads of a forked log: the log's key signed them, and no line of a replica is false.
    private mutating func checkForkHeads() throws {
        let replicas = charters.replicas(of: log.member.id).compactMap(\.replica)
        let rows = try GRDB.Row.fetchAll(
            db, sql: "SELECT size, root, note FROM main.fork_head WHERE log = ? ORDER BY size, root",
            arguments: [log.id])
        for row in rows {
            let result = NoteCheck.quorum([UInt8](row.blob(2)), log: log.member.log, replicas: replicas, needed: 0)
            signatureCount += result.signatures
            let head = result.checkpoint
            guard head?.size != UInt64(bitPattern: row.int(0)) || head?.root.bytes != [UInt8](row.blob(1)) else {
                continue
            }
            add(.forkInvalid, "fork_head", "\(log.id),\(row.int(0))", found: AuditText.hex(row.blob(2)))
        }
    }

    /// What was set aside has the root that it had, on top of the log that is held.
    private mutating func checkSetAside() throws {
        let rows = try GRDB.Row.fetchAll(
            db, sql: "SELECT id, base, size, root FROM main.set_aside WHERE log = ? ORDER BY id", arguments: [log.id])
        for row in rows {
            let key = row.shown(0)
            guard let root = HashValue([UInt8](row.blob(3))), row.int(1) >= 0, row.int(2) > row.int(1),
                UInt64(row.int(1)) <= log.size
            else {
                add(.setAsideInvalid, "set_aside", key)
                continue
            }
            let branch = SetAsideBranch(
                id: row.int(0), base: UInt64(row.int(1)), size: UInt64(row.int(2)), root: root)
            let (db, id) = (db, log.id)
            let reader = TileHashReader(size: log.size) { path in
                guard case .hashes(let level) = path.content,
                    let tile = try Tables.storedTile(db, id, level, path.index)
                else { throw StoreError(.damaged, "tile \(path) is missing") }
                return tile
            }
            // A log that is damaged itself is told of elsewhere.
            guard var tree = try? MerkleTree.frontier(size: branch.base, reader: reader) else { continue }
            let isWhole =
                (try? branch.forEachEntry(db, upTo: branch.size) { tree.append(MerkleTree.leafHash($0)) }) != nil
            if !isWhole || tree.root != root {
                add(.setAsideInvalid, "set_aside", key, expected: root.hex, found: isWhole ? tree.root.hex : "gaps")
            }
        }
    }
}

extension NoteAudit {
    private mutating func checkIncarnation() throws {
        signatureCount += 2
        guard try !NoteCheck.isIncarnationGood(db, log, charters) else { return }
        add(
            .incarnationInvalid, "incarnation", String(log.id),
            found: "a note or receipt that is not signed as it should be")
    }
}

/// Verifies single notes.
enum NoteCheck {
    /// Whether the log's key signed what is recorded of its node's start, and a replica key the receipt; also where there
    /// is nothing.
    static func isIncarnationGood(_ db: Database, _ log: AuditedLog, _ charters: AuditCharters) throws -> Bool {
        guard
            let row = try GRDB.Row.fetchOne(
                db, sql: "SELECT note, receipt FROM main.incarnation WHERE log = ?", arguments: [log.id])
        else { return true }
        let receipt = [UInt8](row.blob(1))
        guard let note = try? IncarnationNote(parsing: [UInt8](row.blob(0))),
            (try? note.verify(by: log.member.log)) != nil
        else { return false }
        if receipt.isEmpty { return true }
        guard let receipt = try? IncarnationReceipt(parsing: receipt), receipt.incarnation == note.incarnation,
            receipt.origin.utf8.elementsEqual(note.origin.utf8)
        else { return false }
        let keys = charters.replicas(of: log.member.id).compactMap(\.replica)
        return keys.contains { (try? receipt.verify(by: $0)) != nil }
    }

    /// The checkpoint of a note that the log's key signed; nil for anything else.
    ///
    /// - Parameter alone: whether the log's line must be the only one, as the store keeps notes.
    static func signed(_ bytes: [UInt8], by key: VerifierKey, alone: Bool = true) -> Checkpoint? {
        guard let note = try? SignedNote(parsing: bytes), !alone || note.signatures.count == 1,
            (try? note.verify([key])) != nil, let checkpoint = try? Checkpoint(parsing: note.text),
            checkpoint.origin.utf8.elementsEqual(key.name.utf8)
        else { return nil }
        return checkpoint
    }

    struct Quorum: Sendable {
        var checkpoint: Checkpoint?
        var signatures: UInt64 = 0
    }

    /// The checkpoint of a note that the log's key and enough replicas signed.
    static func quorum(_ bytes: [UInt8], log: VerifierKey, replicas: [VerifierKey], needed: Int) -> Quorum {
        guard let note = try? SignedNote(parsing: bytes) else { return Quorum() }
        var result = Quorum(signatures: UInt64(note.signatures.count))
        guard let verified = try? note.verify([log] + replicas), verified.signature(by: log) != nil,
            replicas.count(where: { verified.signature(by: $0) != nil }) >= needed,
            let checkpoint = try? Checkpoint(parsing: note.text),
            checkpoint.origin.utf8.elementsEqual(log.name.utf8)
        else { return result }
        result.checkpoint = checkpoint
        return result
    }
}

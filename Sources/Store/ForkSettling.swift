import Alliance
import Foundation
import GRDB
public import TransparencyLog

/// Makes a forked log what counts of it, inside the writer's transaction (see ``Store/settleFork(_:end:check:)``).
///
/// The order: where the log is to end; entries beyond go to `set_aside_entry`; checkpoints with replicas' cosignatures beyond
/// go to `fork_head`; the tree is cut; all that is derived is derived again; then, where a branch that was set aside has the
/// end, its entries are appended as a range from a peer would be. All or nothing of it is durable.
struct ForkSettling {
    let db: Database
    let documents: DocumentFolder
    let check: @Sendable ([[UInt8]], LogState) -> [NewEntry]
    let writer: WriterState
    /// The id of this node's member.
    let own: String?

    /// What becomes of a log.
    private struct Goal {
        /// The size to which the log that is held goes back.
        let back: UInt64
        /// The branch whose entries follow, and up to which size.
        let branch: (id: Int64, base: UInt64, upTo: UInt64)?
    }

    mutating func run(_ origin: String, _ told: Store.ForkEnd?) throws -> (SettledLog, LogView) {
        guard let chain = writer.chain else { throw StoreError(.unknown, "no charter is installed here yet") }
        let record = try Store.record(db, origin)
        var log = try writer.log(origin, db)
        let isSettled = try Store.isSettled(db, log.id)
        var end = told
        let own = try record.quorum > 0 ? Store.checkpoint(db, log.id, record.quorum) : nil
        if let own, own.size > end?.size ?? 0 {
            end = Store.ForkEnd(
                size: own.size, root: own.root, note: own.note, full: try withFirstQuorum(own, log.id),
                cosignatures: own.cosignatures)
        }
        // What was settled, and what was fetched since, lies within a quorum: it never goes back.
        let floor = isSettled ? record.size : own?.size ?? 0
        let goal = try goal(end, floor, log)
        if goal.back < record.size {
            try setAside(log, from: goal.back)
            log = try cut(log, at: goal.back, own, chain)
        }
        if let branch = goal.branch { try append(branch, to: &log) }
        if let end, log.size == end.size, log.frontier.root == end.root { try keep(end, &log) }
        try db.execute(
            sql: "INSERT OR IGNORE INTO settled_fork(log, cosigned) VALUES (?, ?)",
            arguments: [log.id, Int64(record.cosigned)])
        try db.execute(
            sql: "DELETE FROM fork_head WHERE log = ? AND size < ?", arguments: [log.id, Int64(log.size)])
        let kept = log.headSize == log.size ? try Store.checkpoint(db, log.id, log.size) : nil
        let head = try kept.map { try withFirstQuorum($0, log.id) }
        let waiting = try Data.fetchAll(
            db, sql: "SELECT note FROM fork_head WHERE log = ? AND size > ? ORDER BY size DESC",
            arguments: [log.id, Int64(log.size)])
        let result = SettledLog(
            size: log.size, root: log.frontier.root, head: head ?? [], waiting: waiting.map { [UInt8]($0) },
            setAside: record.size > goal.back ? record.size - goal.back : 0,
            hasChanged: !isSettled || log.size != record.size, isTrustworthy: log.state.end == nil)
        // Last: what throws before it leaves the writer as it was.
        writer.logs[origin] = log
        return (result, LogView(log))
    }

    // MARK: Where it ends

    private func goal(_ end: Store.ForkEnd?, _ floor: UInt64, _ log: OpenLog) throws -> Goal {
        guard let end, end.size >= floor else { return Goal(back: floor, branch: nil) }
        let tiles = StoredTiles(db: db, log: log.id, size: log.size)
        if end.size <= log.size, try isBatchEnd(Tables.entry(db, log.id, end.size - 1)),
            try MerkleTree.root(size: end.size, reader: tiles.reader) == end.root
        {
            return Goal(back: end.size, branch: nil)
        }
        for branch in try SetAsideBranch.all(db, log.id)
        where branch.base >= floor && branch.base <= log.size && branch.base < end.size && branch.size >= end.size {
            var tree = try MerkleTree.frontier(size: branch.base, reader: tiles.reader)
            var last: [UInt8]?
            try branch.forEachEntry(db, upTo: end.size) { entry in
                tree.append(MerkleTree.leafHash(entry))
                last = entry
            }
            if tree.root == end.root, isBatchEnd(last) {
                return Goal(back: branch.base, branch: (branch.id, branch.base, end.size))
            }
        }
        return Goal(back: floor, branch: nil)
    }

    /// Whether an entry ends a batch: no honest replica cosigned anything else, and nothing can be counted up to there.
    private func isBatchEnd(_ entry: [UInt8]?) -> Bool { entry?.starts(with: StateLeaf.familyPrefix) ?? false }

    // MARK: Setting aside

    /// Moves the entries from a size on, and the checkpoints beyond that replicas cosigned.
    private func setAside(_ log: OpenLog, from base: UInt64) throws {
        try db.execute(
            sql: "INSERT INTO set_aside(log, base, size, root) VALUES (?, ?, ?, ?)",
            arguments: [log.id, Int64(base), Int64(log.size), Data(log.frontier.root.bytes)])
        let range: StatementArguments = [Schema.entryID(log.id, base), Schema.entryID(log.id, log.size)]
        try db.execute(
            sql: """
                INSERT INTO set_aside_entry(branch, position, packed)
                SELECT \(db.lastInsertedRowID), id & \(Int64(1) << Schema.indexBits - 1), packed FROM entry
                WHERE id >= ? AND id < ? ORDER BY id
                """, arguments: range)
        guard db.changesCount == Int(log.size - base) else {
            throw StoreError(.damaged, "entries of \(log.state.governance.origin) are missing; run entente fsck")
        }
        try db.execute(sql: "DELETE FROM entry WHERE id >= ? AND id < ?", arguments: range)
        let sizes = try Int64.fetchAll(
            db,
            sql: """
                SELECT size FROM cosignature WHERE log = ?1 AND size > ?2 AND member = ?3
                UNION SELECT * FROM (
                    SELECT DISTINCT size FROM cosignature WHERE log = ?1 AND size > ?2 ORDER BY size DESC LIMIT ?4)
                """, arguments: [log.id, Int64(base), own, Store.waitingForkHeads])
        for size in sizes {
            guard let checkpoint = try Store.checkpoint(db, log.id, UInt64(size)) else { continue }
            let key = Store.ForkHeadKey(size: size, root: Data(checkpoint.root.bytes))
            try Store.keepForkHead(try withKept(try checkpoint.fullNote(), key, log.id), key, log.id, db)
        }
    }

    /// A head's note with the lines besides under which it is kept already.
    private func withKept(_ note: [UInt8], _ key: Store.ForkHeadKey, _ log: Int64) throws -> [UInt8] {
        let kept = try Data.fetchOne(
            db.cachedStatement(sql: "SELECT note FROM fork_head WHERE log = ? AND size = ? AND root = ?"),
            arguments: [log, key.size, key.root])
        guard let kept else { return note }
        return try union([UInt8](kept), note)
    }

    /// A checkpoint's note with the lines that once made its quorum: those by keys that a charter has replaced since are kept
    /// nowhere else, and without them others would count to another end.
    private func withFirstQuorum(_ checkpoint: SignedCheckpoint, _ log: Int64) throws -> [UInt8] {
        let note = try checkpoint.fullNote()
        let first = try Data.fetchOne(
            db.cachedStatement(sql: "SELECT note FROM first_quorum WHERE log = ? AND size = ?"),
            arguments: [log, Int64(checkpoint.size)])
        guard let first else { return note }
        return try union([UInt8](first), note)
    }

    /// Two notes of one text: the first's lines, then the other's by other keys.
    private func union(_ first: [UInt8], _ second: [UInt8]) throws -> [UInt8] {
        guard let ours = try? SignedNote(parsing: first) else { return second }
        let other = try SignedNote(parsing: second)
        guard ours.text == other.text else { return second }
        let missing = other.signatures.filter { line in
            !ours.signatures.contains { $0.name == line.name && $0.keyID == line.keyID }
        }
        let lines = (ours.signatures + missing).prefix(SignedNote.maximumSignatureCount)
        return try SignedNote(text: ours.text, signatures: Array(lines)).bytes
    }

    // MARK: Going back

    private func cut(
        _ log: OpenLog, at size: UInt64, _ quorum: SignedCheckpoint?, _ chain: CharterChain
    ) throws -> OpenLog {
        let tiles = StoredTiles(db: db, log: log.id, size: log.size)
        let frontier = try MerkleTree.frontier(size: size, reader: tiles.reader)
        try cutTiles(log.id, from: log.size, to: size)
        for table in ["checkpoint", "cosignature", "first_quorum"] {
            try db.execute(sql: "DELETE FROM \(table) WHERE log = ? AND size > ?", arguments: [log.id, Int64(size)])
        }
        let head = try Store.checkpoint(db, log.id, size)
        try db.execute(
            sql: """
                UPDATE log SET size = ?1, edge = ?2, head_size = ?3, head = ?4, cosigned = min(cosigned, ?1),
                    quorum = min(quorum, ?1), settled = 0 WHERE id = ?5
                """,
            arguments: [
                Int64(size), Tables.bytes(frontier.hashes), head.map { Int64($0.size) } ?? 0,
                head.map { Data($0.note) },
                log.id,
            ])
        var held = log
        held.frontier = frontier
        held.headSize = head?.size ?? 0
        held.maps = [:]
        let update = ChartersUpdate(db: db, documents: documents, check: check, writer: writer)
        var derived = try update.derive(held, chain)
        try db.execute(
            sql: "DELETE FROM identity WHERE entry >= ? AND entry < ?",
            arguments: [Schema.entryID(log.id, size), Schema.entryID(log.id + 1, 0)])
        writer.setBacks[log.state.governance.origin, default: 0] += 1
        derived.setBacks = writer.setBacks[log.state.governance.origin, default: 0]
        return derived
    }

    /// Cuts each level's tiles to the hashes of a tree of that size.
    private func cutTiles(_ log: Int64, from size: UInt64, to smaller: UInt64) throws {
        for level in 0..<8 {
            let kept = smaller >> UInt64(8 * level)
            let (number, width) = (kept >> 8, Int(kept & 255))
            guard size >> UInt64(8 * level) > kept else { continue }
            let edge = width > 0 ? try Tables.tile(db, log, level, number) : nil
            try db.execute(
                sql: "DELETE FROM tile WHERE id >= ? AND id < ?",
                arguments: [Schema.tileID(log, level, number), Schema.tileID(log, level + 1, 0)])
            guard width > 0 else { continue }
            guard let edge, edge.count >= width * HashValue.byteCount else {
                throw StoreError(.damaged, "a tile of log \(log) is damaged; run entente fsck")
            }
            try db.execute(
                sql: "INSERT INTO tile(id, hashes) VALUES (?, ?)",
                arguments: [Schema.tileID(log, level, number), Data(edge.prefix(width * HashValue.byteCount))])
        }
    }

    // MARK: Going on

    /// Entries that are counted at once, or a batch that has more.
    private static let entriesAtOnce = 2_048

    private func append(_ branch: (id: Int64, base: UInt64, upTo: UInt64), to log: inout OpenLog) throws {
        let statements = try writer.statements(db)
        var waiting: [[[UInt8]]] = [[]]
        var count = 0
        func flush(_ log: inout OpenLog) throws {
            let batches = waiting.filter { !$0.isEmpty }
            var checked = check(batches.flatMap(\.self), log.state)[...]
            for batch in batches {
                let reader = TransactionReader(db: db, log: log, statements: statements)
                let (first, entries) = (log.size, Array(checked.prefix(batch.count)))
                checked = checked.dropFirst(batch.count)
                let outcome = try log.state.process(entries.map(\.checked), reader: reader)
                var appender = Appender(db: db, log: log, statements: statements)
                try appender.store(entries)
                try appender.store(outcome, from: first, reader: reader, documents: documents)
                try appender.finish()
                log = appender.log
            }
            (waiting, count) = ([[]], 0)
        }
        guard let found = try SetAsideBranch.all(db, log.id).first(where: { $0.id == branch.id }) else { return }
        try found.forEachEntry(db, upTo: branch.upTo) { entry in
            waiting[waiting.count - 1].append(entry)
            count += 1
            guard entry.starts(with: StateLeaf.familyPrefix) else { return }
            waiting.append([])
            if count >= Self.entriesAtOnce { try flush(&log) }
        }
        try flush(&log)
        guard log.size == branch.upTo else {
            throw StoreError(.damaged, "a branch that was set aside does not end with a state leaf; run entente fsck")
        }
        try db.execute(
            sql: "DELETE FROM set_aside_entry WHERE branch = ? AND position < ?",
            arguments: [branch.id, Int64(branch.upTo)])
        try db.execute(sql: "UPDATE set_aside SET base = ? WHERE id = ?", arguments: [Int64(branch.upTo), branch.id])
        try db.execute(sql: "DELETE FROM set_aside WHERE id = ? AND base = size", arguments: [branch.id])
    }

    /// Keeps the head where counting ends, with its quorum.
    private func keep(_ end: Store.ForkEnd, _ log: inout OpenLog) throws {
        var appender = Appender(db: db, log: log, statements: try writer.statements(db))
        try appender.storeHead(end.note, root: end.root)
        log = appender.log
        try Store.keep(end.cosignatures, db, log.id, end.size)
        try db.execute(
            sql: "UPDATE log SET quorum = ?1 WHERE id = ?2 AND quorum < ?1", arguments: [Int64(end.size), log.id])
        try db.execute(
            sql: "INSERT OR IGNORE INTO first_quorum(log, size, note) VALUES (?, ?, ?)",
            arguments: [log.id, Int64(end.size), Data(end.full)])
        try Appender.prune(db, log.id)
    }
}

/// Entries of a forked log that do not count, for inspection.
public struct SetAsideBranch: Hashable, Sendable {
    let id: Int64
    /// Where they begin: up to there the branch is as the log that is held.
    public let base: UInt64
    /// The branch's size.
    public let size: UInt64
    /// The root of its tree of that size.
    public let root: HashValue

    static func all(_ db: Database, _ log: Int64) throws -> [SetAsideBranch] {
        try GRDB.Row.fetchAll(
            db, sql: "SELECT id, base, size, root FROM set_aside WHERE log = ? ORDER BY id", arguments: [log]
        ).map { row in
            let (base, size, root): (Int64, Int64, Data) = (row[1], row[2], row[3])
            guard let root = HashValue(root), base >= 0, size > base else {
                throw StoreError(.damaged, "a branch that was set aside is damaged; run entente fsck")
            }
            return SetAsideBranch(id: row[0], base: UInt64(base), size: UInt64(size), root: root)
        }
    }

    func forEachEntry(_ db: Database, upTo end: UInt64, _ body: ([UInt8]) throws -> Void) throws {
        let rows = try GRDB.Row.fetchCursor(
            db, sql: "SELECT position, packed FROM set_aside_entry WHERE branch = ? AND position < ? ORDER BY position",
            arguments: [id, Int64(end)])
        var next = base
        while let row = try rows.next() {
            let position: Int64 = row[0]
            guard UInt64(position) == next else { break }
            try row.withUnsafeData(atIndex: 1) { packed in
                try body((packed ?? Data()).withUnsafeBytes { try PackedEntry.bytes($0) })
            }
            next += 1
        }
        guard next == min(end, size) else {
            throw StoreError(.damaged, "entries that were set aside are missing; run entente fsck")
        }
    }
}

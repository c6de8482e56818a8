public import Alliance
import Foundation
import GRDB
import TransparencyLog

typealias LogRow = Alliance.Row

/// An entry with what was checked of it.
public struct NewEntry: Sendable {
    public let bytes: [UInt8]
    public let checked: CheckedEntry

    /// Pairs an entry's bytes with their check.
    public init(bytes: [UInt8], checked: CheckedEntry) {
        self.bytes = bytes
        self.checked = checked
    }

    /// Reads and checks an entry.
    public init(_ bytes: [UInt8], keys: KeyCandidates) {
        self.init(bytes: bytes, checked: CheckedEntry(bytes, keys: keys))
    }
}

/// Writes the parts of one append inside the writer's transaction.
struct Appender {
    let db: Database
    var log: OpenLog
    private let statements: HotStatements
    private let isInSavepoint: Bool
    private var tiles: [TileKey: TileBuffer] = [:]
    private var identities: [RecentTables.Identity] = []

    private struct TileKey: Hashable {
        let level: Int
        let number: UInt64
    }

    private struct TileBuffer {
        let firstSlot: Int
        var hashes: [HashValue] = []
    }

    /// - Parameter isInSavepoint: whether what is stored may be taken back without its transaction.
    init(db: Database, log: OpenLog, statements: HotStatements, isInSavepoint: Bool = false) {
        self.db = db
        self.log = log
        self.statements = statements
        self.isInSavepoint = isInSavepoint
    }

    /// Stores entries as they are, with their identities and tree hashes.
    mutating func store(_ entries: [NewEntry]) throws {
        var frontier = log.frontier
        var tiles = tiles
        self.tiles = [:]
        for entry in entries {
            let id = Schema.entryID(log.id, frontier.size)
            try statements.insertEntry.run(id, PackedEntry.pack(entry.bytes))
            if case .statement(let statement) = entry.checked.entry { note(statement.identity, of: id) }
            frontier.append(entry.checked.leaf) { level, index, hash in
                guard level % 8 == 0 else { return }
                let key = TileKey(level: level / 8, number: index >> 8)
                tiles[key, default: TileBuffer(firstSlot: Int(index & 255))].hashes.append(hash)
            }
        }
        self.tiles = tiles
        log.frontier = frontier
    }

    /// Notes a statement's identity, which is stored with what its batch changes.
    mutating func note(_ identity: HashValue, of entry: Int64) {
        identities.append((Tables.prefix(identity), entry))
    }

    /// Stores what a batch changes.
    ///
    /// - Parameters:
    ///   - reader: what the batch was counted with; it knows the last step of the rows that it read.
    ///   - documents: tells which documents that the batch names are here already.
    mutating func store(
        _ outcome: BatchOutcome, from start: UInt64, reader: TransactionReader, documents: DocumentFolder
    ) throws {
        try storeVerdicts(outcome.verdicts, from: start)
        for (name, map, _) in outcome.maps { try store(map: map, named: name) }
        let changes = outcome.maps.compactMap { name, _, changes in
            log.mapIDs[name].map { (map: $0, changes: changes) }
        }
        try log.recent.store(
            changes, identities, of: log.id, rows: log.rows, size: log.state.size, maps: log.mapIDs.values.sorted(),
            isInSavepoint: isInSavepoint, db, statements)
        identities = []
        try storeRows(outcome, reader)
        for document in outcome.documents {
            try db.cachedStatement(
                sql: "INSERT INTO document(digest, size, held) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            ).execute(arguments: [Data(document.digest.bytes), document.size, documents.holds(document.digest)])
        }
    }

    private func storeVerdicts(_ verdicts: [Verdict], from start: UInt64) throws {
        for (offset, verdict) in verdicts.enumerated() {
            guard case .ignored(let reason) = verdict, reason != .afterEnd else { continue }
            try statements.insertIgnored.run(
                Schema.entryID(log.id, start + UInt64(offset)), Array(reason.rawValue.utf8))
        }
    }

    private mutating func store(map: RegisterMap, named name: String) throws {
        let count = Int64(map.count)
        let root = Data(map.root.bytes)
        if let id = log.mapIDs[name] {
            try db.cachedStatement(sql: "UPDATE map SET count = ?, root = ? WHERE id = ?").execute(arguments: [
                count, root, id,
            ])
        } else {
            try db.cachedStatement(sql: "INSERT INTO map(log, name, count, root) VALUES (?, ?, ?, ?)").execute(
                arguments: [log.id, name, count, root])
            log.mapIDs[name] = db.lastInsertedRowID
        }
        log.maps[name] = map
    }

    private func storeRows(_ outcome: BatchOutcome, _ reader: TransactionReader) throws {
        let newest = try storeHistory(outcome, reader)
        for (key, row) in outcome.rows {
            guard let map = log.mapIDs[key.map], let last = newest[key] else {
                throw StoreError(.damaged, "a row without a map or a history")
            }
            try statements.writeRow.run(map, key.key, row.bytes, row.isEmptied ? 1 : 0, last)
        }
    }

    /// Links every touched row's steps into its chain, and gives each row's newest step.
    private func storeHistory(_ outcome: BatchOutcome, _ reader: TransactionReader) throws -> [RowKey: Int64] {
        var newest: [RowKey: Int64] = [:]
        newest.reserveCapacity(outcome.rows.count)
        var position = 0
        var lastIndex: UInt64?
        for (index, key) in outcome.history {
            position = index == lastIndex ? position + 1 : 0
            lastIndex = index
            let step = Schema.stepID(log.id, index, position)
            // A row that changes was read before, so a key that the reader does not know is new.
            if let before = newest.updateValue(step, forKey: key) ?? reader.lastSteps[key] {
                try statements.writeStep.run(step, before)
            }
        }
        return newest
    }

    /// Stores tree hashes, the new edge and the size; the last step of every append.
    mutating func finish() throws {
        for (key, buffer) in tiles.sorted(by: { ($0.key.level, $0.key.number) < ($1.key.level, $1.key.number) }) {
            var bytes = try buffer.firstSlot == 0 ? [] : Tables.tile(db, log.id, key.level, key.number) ?? []
            guard bytes.count == buffer.firstSlot * 32 else {
                throw StoreError(.damaged, "a tile of \(log.state.member.log.name) is damaged; run entente fsck")
            }
            for hash in buffer.hashes { hash.withUnsafeBytes { bytes.append(contentsOf: $0) } }
            try statements.writeTile.run(Schema.tileID(log.id, key.level, key.number), bytes)
        }
        tiles = [:]
        try db.cachedStatement(
            sql: """
                UPDATE log SET size = ?1, edge = ?2, end_index = ?3, end_reason = ?4, settled = ?6
                WHERE id = ?5 AND size < ?1 AND settled <= ?6
                """
        ).execute(arguments: [
            Int64(log.size), Tables.bytes(log.frontier.hashes), log.state.end.map { Int64($0.index) },
            log.state.end?.reason.rawValue, log.id, Int64(log.recent.settled),
        ])
        guard db.changesCount == 1 else { throw StoreError(.rollback, "a log would shrink") }
    }

    /// Settles the log where that is due, after what was stored within a savepoint.
    mutating func settle() throws {
        try log.recent.settleIfDue(
            log.id, rows: log.rows, size: log.size, maps: log.mapIDs.values.sorted(), db, statements)
    }

    /// Stores a signed checkpoint of exactly the size held.
    mutating func storeHead(_ note: [UInt8], root: HashValue) throws {
        log.headSize = log.size
        try db.cachedStatement(sql: "UPDATE log SET head_size = ?1, head = ?2 WHERE id = ?3 AND head_size <= ?1")
            .execute(arguments: [Int64(log.size), Data(note), log.id])
        guard db.changesCount == 1 else { throw StoreError(.rollback, "a log's head would go back") }
        try db.cachedStatement(sql: "INSERT OR IGNORE INTO checkpoint(log, size, root, note) VALUES (?, ?, ?, ?)")
            .execute(arguments: [log.id, Int64(log.size), Data(root.bytes), Data(note)])
        try Self.prune(db, log.id)
    }

    /// Checkpoints that wait for signatures at the most, beside the newest quorum's.
    static let waitingCheckpoints = 1_024

    static func prune(_ db: Database, _ log: Int64) throws {
        try db.cachedStatement(
            sql: """
                DELETE FROM checkpoint WHERE log = ?1 AND size <> (SELECT quorum FROM log WHERE id = ?1) AND (
                    size < (SELECT quorum FROM log WHERE id = ?1) OR size <= coalesce(
                        (SELECT size FROM checkpoint WHERE log = ?1 ORDER BY size DESC LIMIT 1 OFFSET ?2), -1))
                """
        ).execute(arguments: [log, waitingCheckpoints])
        try db.cachedStatement(
            sql: """
                DELETE FROM cosignature WHERE log = ?1
                    AND NOT EXISTS (SELECT 1 FROM checkpoint c WHERE c.log = ?1 AND c.size = cosignature.size)
                """
        ).execute(arguments: [log])
    }
}

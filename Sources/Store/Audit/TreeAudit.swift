import Alliance
import Foundation
import GRDB
import TransparencyLog

/// What a log's row says, read without trusting it.
struct AuditedLog {
    let id: Int64
    let member: CharterMember
    var size: UInt64
    var edge: [UInt8]
    var headSize: UInt64
    var head: [UInt8]?
    var cosigned: UInt64
    var quorum: UInt64
    var settled: Int64
    var endIndex: Int64?
    var endReason: String?

    var origin: String { member.log.name }

    /// The largest size that any log can have here: an index has 44 bits.
    static let sizeLimit: UInt64 = 1 << 44
}

/// What the entries of one log give: its tree, and where it does not fit.
struct TreeFacts {
    /// The tree over all entries, with stored hashes in the place of entries that are missing.
    var frontier = TreeFrontier()
    /// Indexes that have no entry.
    var missing: [Range<UInt64>] = []
    /// Indexes whose entry's hash is not the one in the stored tile, as ranges.
    var suspects: [Range<UInt64>] = []
    /// Whether every size that the log's key signed has the root that it signed.
    var isSigned = true
    /// The largest size whose signed root the entries give; 0 for none.
    var signedUpTo: UInt64 = 0
    /// The smallest larger size whose signed root they do not give.
    var unfit: UInt64?
    /// The largest signed size and root.
    var newest: (size: UInt64, root: HashValue)?
    /// The tree's edge at the size that the log's row states.
    var atStatedSize: TreeFrontier?
}

/// Hashes every entry of one log into the scratch tiles, apart from the code that stores a log.
struct TreeAudit {
    let db: Database
    let log: AuditedLog
    /// One past the last index that has to be there.
    let size: UInt64
    let progress: (UInt64) -> Void
    private var frontier = TreeFrontier()
    private var missing: [Range<UInt64>] = []
    /// Hashes of the tile that is being filled, by level.
    private var levels: [(number: UInt64, hashes: [UInt8])] = []
    private var atStatedSize: TreeFrontier?
    private var signedSizes: [UInt64] = []
    private var nextSigned = 0
    private(set) var bytes: UInt64 = 0

    init(db: Database, log: AuditedLog, size: UInt64, progress: @escaping (UInt64) -> Void) {
        self.db = db
        self.log = log
        self.size = size
        self.progress = progress
    }

    /// Reads all entries once.
    mutating func run() throws -> TreeFacts {
        signedSizes = try Int64.fetchAll(
            db, sql: "SELECT DISTINCT size FROM temp.signed WHERE log = ? ORDER BY size", arguments: [log.id]
        ).map { UInt64(bitPattern: $0) }
        let write = try HotStatement(db, "INSERT OR REPLACE INTO temp.tile(id, hashes) VALUES (?, ?)")
        let cursor = try GRDB.Row.fetchCursor(
            db, sql: "SELECT id, packed FROM main.entry WHERE id >= ? AND id < ? ORDER BY id",
            arguments: [Schema.entryID(log.id, 0), Schema.entryID(log.id, size)])
        while let row = try cursor.next() {
            let id = row.int(0)
            let index = UInt64(id & ((1 << Schema.indexBits) - 1))
            try fill(upTo: index, write)
            let leaf = try row.withUnsafeData(atIndex: 1) { data in
                let entry = PackedEntry.audited(data)
                bytes += UInt64(entry.count)
                return MerkleTree.leafHash(entry)
            }
            try append(leaf, write)
            if index & 0xFFF == 0 { progress(index) }
        }
        try fill(upTo: size, write)
        for (level, tile) in levels.enumerated() where !tile.hashes.isEmpty {
            try write.run(Schema.tileID(log.id, level, tile.number), tile.hashes)
        }
        return try facts()
    }

    /// Puts stored hashes in the place of entries that are missing. Where those are missing too, the tree ends.
    private mutating func fill(upTo index: UInt64, _ write: borrowing HotStatement) throws {
        guard frontier.size < index else { return }
        missing.append(frontier.size..<index)
        var tile: (number: UInt64, hashes: [HashValue])?
        // A size that is far off is not to be filled up hash by hash.
        while frontier.size < index, frontier.size - (missing.last?.lowerBound ?? 0) < 1 << 24 {
            let number = frontier.size >> 8
            if tile?.number != number {
                let stored = try? Tables.storedTile(db, log.id, 0, number)
                tile = (number, Tables.hashes(Data(stored ?? [])))
            }
            let slot = Int(frontier.size & 255)
            let stored = tile.flatMap { $0.hashes.indices.contains(slot) ? $0.hashes[slot] : nil }
            try append(stored ?? .zero, write)
        }
    }

    private mutating func append(_ leaf: HashValue, _ write: borrowing HotStatement) throws {
        var levels = levels
        self.levels = []
        try frontier.append(leaf) { level, index, hash in
            guard level % 8 == 0 else { return }
            let level = level / 8
            while levels.count <= level { levels.append((0, [])) }
            levels[level].number = index >> 8
            hash.withUnsafeBytes { levels[level].hashes.append(contentsOf: $0) }
            guard levels[level].hashes.count == TilePath.fullWidth * HashValue.byteCount else { return }
            try write.run(Schema.tileID(log.id, level, index >> 8), levels[level].hashes)
            levels[level].hashes.removeAll(keepingCapacity: true)
        }
        self.levels = levels
        if frontier.size == log.size { atStatedSize = frontier }
        while nextSigned < signedSizes.count, signedSizes[nextSigned] <= frontier.size {
            if signedSizes[nextSigned] == frontier.size { try note(frontier.root) }
            nextSigned += 1
        }
    }

    private func note(_ root: HashValue) throws {
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO temp.computed(log, size, root) VALUES (?, ?, ?)")
            .execute(arguments: [log.id, Int64(frontier.size), Data(root.bytes)])
    }

    private func facts() throws -> TreeFacts {
        var facts = TreeFacts(frontier: frontier, missing: missing)
        facts.atStatedSize = log.size == 0 ? TreeFrontier() : atStatedSize
        let rows = try GRDB.Row.fetchCursor(
            db,
            sql: """
                SELECT s.size, s.root, c.root FROM temp.signed s
                LEFT JOIN temp.computed c ON c.log = s.log AND c.size = s.size
                WHERE s.log = ? ORDER BY s.size
                """, arguments: [log.id])
        var unfit: [UInt64] = []
        while let row = try rows.next() {
            let size = row.int(0)
            let signed = row.blob(1)
            let computed = row.blobOrNil(2)
            if let root = HashValue(signed) { facts.newest = (UInt64(size), root) }
            if signed == computed {
                facts.signedUpTo = UInt64(size)
                unfit = []
            } else {
                facts.isSigned = false
                if unfit.isEmpty { unfit.append(UInt64(size)) }
            }
        }
        facts.unfit = unfit.first
        facts.suspects = try suspects()
        return facts
    }

    /// Compares the tiles of the lowest level, hash by hash.
    private func suspects() throws -> [Range<UInt64>] {
        let cursor = try GRDB.Row.fetchCursor(
            db,
            sql: """
                SELECT t.id, t.hashes, m.hashes FROM temp.tile t LEFT JOIN main.tile m ON m.id = t.id
                WHERE t.id >= ? AND t.id < ? AND m.hashes IS NOT t.hashes
                """, arguments: [Schema.tileID(log.id, 0, 0), Schema.tileID(log.id, 1, 0)])
        var ranges: [Range<UInt64>] = []
        while let row = try cursor.next() {
            let id = row.int(0)
            let first = UInt64(id & ((1 << 44) - 1)) << 8
            let ours = Tables.hashes(row.blob(1))
            let stored = row.blobOrNil(2)
            let theirs = Tables.hashes(stored ?? Data())
            for slot in ours.indices where !theirs.indices.contains(slot) || theirs[slot] != ours[slot] {
                let index = first + UInt64(slot)
                if let last = ranges.last, last.upperBound == index {
                    ranges[ranges.count - 1] = last.lowerBound..<index + 1
                } else {
                    ranges.append(index..<index + 1)
                }
            }
        }
        return ranges
    }
}

extension Tables {
    /// A tile of the stored table, whatever scratch tables stand before it.
    static func storedTile(_ db: Database, _ log: Int64, _ level: Int, _ number: UInt64) throws -> [UInt8]? {
        let statement = try db.cachedStatement(sql: "SELECT hashes FROM main.tile WHERE id = ?")
        return try Data.fetchOne(statement, arguments: [Schema.tileID(log, level, number)]).map { [UInt8]($0) }
    }
}

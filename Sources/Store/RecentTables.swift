import Foundation
import GRDB
import TransparencyLog

/// The tables that take what a log's newest batches write at random keys, and its way from there to where it stays.
///
/// Identities, pages of maps and pages' hashes are keyed by hashes. Once such a table is large, every row of a batch
/// falls on another page of the database, and 8 kB are written for 100 bytes. So a batch writes into small tables of
/// its own log, in the order of writing where that can be (`recent_page`), and all that came together there moves at
/// once, in the order of the large tables' keys, so that each of their pages is written once for many rows. That is
/// called settling; it happens inside the transaction of a batch. The row of a log states up to which size it is
/// settled. All of this is as durable as the batch itself, and nothing is to be replayed.
struct RecentTables {
    /// How much waits until it is settled.
    struct Limits {
        /// Pages written, and entries, at the least and at the most.
        var least: UInt64
        var most: UInt64
        /// Between these, one for so many rows of the log's maps: a waiting page costs disk, like one that is settled.
        var rowsEach: UInt64
        /// Rows of a log whose large tables are small.
        var small: UInt64 = 1 << 15

        /// More would write less, and take more of the disk: eight rows each takes 10 % of the entries' size.
        static let usual = Limits(least: 1_024, most: 65_536, rowsEach: 16)

        func limit(rows: UInt64) -> UInt64 { min(max(rows / rowsEach, least), most) }
    }

    /// The first 8 bytes of a statement's identity, and the entry's id.
    typealias Identity = (prefix: Int64, entry: Int64)

    /// In `recent_place`: there is no such page any more.
    static let removed: Int64 = -1

    /// The size of the log up to which its tables are settled.
    private(set) var settled: UInt64
    /// Rows in `recent_page`, counting those that were written again later.
    private var pages: UInt64
    private let limits: Limits
    /// The size to settle at, and not beyond it, whatever the limits are; nil where they decide.
    private let target: UInt64?

    /// As the database has it.
    ///
    /// - Parameter size: the log's.
    init(_ db: Database, log: Int64, size: UInt64, _ limits: Limits) throws {
        let settled = try Int64.fetchOne(db, sql: "SELECT settled FROM log WHERE id = ?", arguments: [log]) ?? 0
        guard settled >= 0, settled <= size else {
            throw StoreError(.damaged, "the row of log \(log) is damaged; run entente fsck")
        }
        let first = Schema.entryID(log, 0)
        let last = try Int64.fetchOne(
            db, sql: "SELECT max(id) FROM recent_page WHERE id >= ? AND id < ?",
            arguments: [first, Schema.entryID(log + 1, 0)])
        self.settled = UInt64(settled)
        pages = last.map { UInt64($0 - first) + 1 } ?? 0
        self.limits = limits
        target = nil
    }

    /// An empty log that is to become the same as one that was settled up to a size.
    init(upTo target: UInt64) {
        settled = 0
        pages = 0
        limits = .usual
        self.target = target
    }

    /// Whether so much waits that it is to be moved.
    private func isDue(_ written: Int, rows: UInt64, size: UInt64) -> Bool {
        if let target, size >= target { return size == target }
        let limit = limits.limit(rows: rows)
        return pages + UInt64(written) > limit || size - settled > limit
    }

    /// Stores a batch's pages and identities.
    ///
    /// - Parameters:
    ///   - rows: rows of all the log's maps after it.
    ///   - size: the log's size after it.
    ///   - maps: the ids of all maps of the log.
    ///   - isInSavepoint: whether this may be taken back without its transaction. SQLite then keeps what large tables
    ///     had before, so they are left alone, and ``settleIfDue(_:rows:maps:_:_:)`` is called afterwards.
    mutating func store(
        _ changes: [(map: Int64, changes: RegisterMapChanges)], _ identities: [Identity], of log: Int64, rows: UInt64,
        size: UInt64, maps: [Int64], isInSavepoint: Bool, _ db: Database, _ statements: HotStatements
    ) throws {
        let written = changes.reduce(0) { $0 + $1.changes.written.count }
        let isTooMuch = pages > Self.heldLimits * limits.limit(rows: rows)
        guard isDue(written, rows: rows, size: size), !isInSavepoint || rows <= limits.small || isTooMuch else {
            return try add(changes, identities, of: log, statements)
        }
        try settle(log, size, maps, db, statements)
        for (map, changes) in changes {
            for removed in changes.removed {
                try statements.deletePage.run(map, removed.number)
                try statements.deletePageHash.run(map, removed.number)
            }
            for page in changes.written {
                try statements.writePage.run(map, page.id.number, page.blob)
                try statements.writePageHash.run(map, page.id.number, page.hash.bytes)
            }
        }
        for identity in identities.sorted(by: { $0 < $1 }) {
            try statements.insertIdentity.run(identity.prefix, identity.entry)
        }
    }

    /// So many times the limit waits at the most, in a savepoint too.
    private static let heldLimits: UInt64 = 4

    /// Settles a log up to its size, outside a savepoint, where much waits.
    mutating func settleIfDue(
        _ log: Int64, rows: UInt64, size: UInt64, maps: [Int64], _ db: Database, _ statements: HotStatements
    ) throws {
        guard isDue(0, rows: rows, size: size) else { return }
        try settle(log, size, maps, db, statements)
        try db.execute(
            sql: "UPDATE log SET settled = ?1 WHERE id = ?2 AND settled <= ?1", arguments: [Int64(size), log])
        guard db.changesCount == 1 else { throw StoreError(.rollback, "a log would be settled no more") }
    }

    private mutating func add(
        _ changes: [(map: Int64, changes: RegisterMapChanges)], _ identities: [Identity], of log: Int64,
        _ statements: HotStatements
    ) throws {
        for (map, changes) in changes {
            for removed in changes.removed { try statements.writeRecentPlace.run(map, removed.number, Self.removed) }
            for page in changes.written {
                let place = Schema.entryID(log, pages)
                try statements.insertRecentPage.run(place, page.hash.bytes, page.blob)
                try statements.writeRecentPlace.run(map, page.id.number, place)
                pages += 1
            }
        }
        for identity in identities { try statements.insertRecentIdentity.run(log, identity.prefix, identity.entry) }
    }

    /// Moves all that is recent of a log, row by row: for a statement that changes many rows SQLite keeps, in memory, what
    /// they were before.
    mutating func settle(
        _ log: Int64, _ size: UInt64, _ maps: [Int64], _ db: Database, _ statements: HotStatements
    ) throws {
        for map in maps {
            try statements.recentPages.forEach(map) { row in
                let page = row.integer(0)
                guard row.integer(1) != Self.removed else {
                    try statements.deletePage.run(map, page)
                    return try statements.deletePageHash.run(map, page)
                }
                let hash = row.bytes(2)
                guard hash.count == HashValue.byteCount else {
                    throw StoreError(.damaged, "a page of a map is missing; run entente fsck")
                }
                try statements.writePage.run(map, page, row.bytes(3))
                try statements.writePageHash.run(map, page, hash)
            }
            try db.execute(sql: "DELETE FROM recent_place WHERE map = ?", arguments: [map])
        }
        try db.execute(
            sql: "DELETE FROM recent_page WHERE id >= ? AND id < ?",
            arguments: [Schema.entryID(log, 0), Schema.entryID(log + 1, 0)])
        try statements.recentIdentities.forEach(log) { row in
            try statements.insertIdentity.run(row.integer(0), row.integer(1))
        }
        try db.execute(sql: "DELETE FROM recent_identity WHERE log = ?", arguments: [log])
        pages = 0
        settled = size
    }

    /// The pages of a map that were written or removed since it was settled, in order, with their hashes; without one
    /// where there is no such page any more.
    static func pageHashes(_ db: Database, map: Int64) throws -> [(page: Int64, hash: Data?)] {
        let rows = try GRDB.Row.fetchCursor(
            db,
            sql: """
                SELECT p.page, b.hash, p.place FROM recent_place p LEFT JOIN recent_page b ON b.id = p.place
                WHERE p.map = ? ORDER BY p.page
                """, arguments: [map])
        var pages: [(page: Int64, hash: Data?)] = []
        while let row = try rows.next() {
            let place: Int64 = row[2]
            let hash: Data? = row[1]
            guard hash != nil || place == removed else {
                throw StoreError(.damaged, "a page of a map is missing; run entente fsck")
            }
            pages.append((row[0], hash))
        }
        return pages
    }
}

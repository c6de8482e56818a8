import Alliance
import Foundation
import GRDB
import TransparencyLog

/// Single-row reads that the writer and readers share.
enum Tables {
    static func entry(_ db: Database, _ log: Int64, _ index: UInt64) throws -> [UInt8]? {
        let statement = try db.cachedStatement(sql: "SELECT packed FROM entry WHERE id = ?")
        return try Data.fetchOne(statement, arguments: [Schema.entryID(log, index)]).map { packed in
            try packed.withUnsafeBytes { try PackedEntry.bytes($0) }
        }
    }

    static func prefix(_ identity: HashValue) -> Int64 {
        identity.withUnsafeBytes { Int64(bitPattern: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self))) }
    }

    static func index(_ db: Database, _ log: Int64, of identity: HashValue) throws -> UInt64? {
        let statement = try db.cachedStatement(
            sql: "SELECT entry FROM identity WHERE prefix = ? AND entry BETWEEN ? AND ? ORDER BY entry")
        let settled = try Int64.fetchAll(
            statement, arguments: [prefix(identity), Schema.entryID(log, 0), Schema.entryID(log + 1, 0) - 1])
        let recent = try db.cachedStatement(
            sql: "SELECT entry FROM recent_identity WHERE log = ? AND prefix = ? ORDER BY entry")
        for id in settled + (try Int64.fetchAll(recent, arguments: [log, prefix(identity)])) {
            let index = UInt64(id & ((1 << Schema.indexBits) - 1))
            if let bytes = try entry(db, log, index), HashValue.sha256(bytes) == identity { return index }
        }
        return nil
    }

    static func row(_ db: Database, _ map: Int64, _ key: [UInt8]) throws -> (row: LogRow, last: Int64)? {
        let statement = try db.cachedStatement(sql: "SELECT bytes, emptied, last FROM row WHERE map = ? AND key = ?")
        guard let found = try GRDB.Row.fetchOne(statement, arguments: [map, Data(key)]) else { return nil }
        let bytes: Data = found[0]
        guard let row = LogRow(bytes: [UInt8](bytes), isEmptied: found[1]) else {
            throw StoreError(.damaged, "a stored row is damaged; run entente fsck")
        }
        return (row, found[2])
    }

    static func map(_ db: Database, _ id: Int64) throws -> RegisterMap {
        let count =
            try Int64.fetchOne(db.cachedStatement(sql: "SELECT count FROM map WHERE id = ?"), arguments: [id]) ?? 0
        guard count >= 0 else { throw StoreError(.damaged, "a stored map is damaged; run entente fsck") }
        let recent = try RecentTables.pageHashes(db, map: id)
        var next = recent.startIndex
        var pages: [(RegisterMapPageID, HashValue)] = []
        func add(_ number: Int64, _ hash: Data) throws {
            guard let page = RegisterMapPageID(number), let value = HashValue(hash) else {
                throw StoreError(.damaged, "a stored map page is damaged; run entente fsck")
            }
            pages.append((page, value))
        }
        func addRecent(before number: Int64) throws {
            while next < recent.endIndex, recent[next].page < number {
                if let hash = recent[next].hash { try add(recent[next].page, hash) }
                next += 1
            }
        }
        let cursor = try GRDB.Row.fetchCursor(
            db.cachedStatement(sql: "SELECT page, hash FROM page_hash WHERE map = ? ORDER BY page"), arguments: [id])
        while let row = try cursor.next() {
            let number: Int64 = row[0]
            try addRecent(before: number)
            // Written again, or removed, since.
            if next < recent.endIndex, recent[next].page == number { continue }
            try add(number, row[1])
        }
        try addRecent(before: .max)
        return try RegisterMap(pages: pages, count: UInt64(count))
    }

    static func page(_ db: Database, _ map: Int64, _ id: RegisterMapPageID) throws -> [UInt8]? {
        let recent = try db.cachedStatement(
            sql: """
                SELECT b.leaves FROM recent_place p LEFT JOIN recent_page b ON b.id = p.place
                WHERE p.map = ? AND p.page = ?
                """)
        if let row = try GRDB.Row.fetchOne(recent, arguments: [map, id.number]) {
            let leaves: Data? = row[0]
            return leaves.map { [UInt8]($0) }
        }
        let statement = try db.cachedStatement(sql: "SELECT leaves FROM page WHERE map = ? AND page = ?")
        return try Data.fetchOne(statement, arguments: [map, id.number]).map { [UInt8]($0) }
    }

    static func tile(_ db: Database, _ log: Int64, _ level: Int, _ number: UInt64) throws -> [UInt8]? {
        let statement = try db.cachedStatement(sql: "SELECT hashes FROM tile WHERE id = ?")
        return try Data.fetchOne(statement, arguments: [Schema.tileID(log, level, number)]).map { [UInt8]($0) }
    }

    static func hashes(_ bytes: Data) -> [HashValue] { hashes(of: [UInt8](bytes)) }

    static func hashes(of raw: [UInt8]) -> [HashValue] {
        stride(from: 0, to: raw.count - raw.count % 32, by: 32).compactMap { HashValue(raw[$0..<$0 + 32]) }
    }

    static func bytes(_ hashes: [HashValue]) -> Data {
        var data = Data(capacity: hashes.count * 32)
        for hash in hashes { hash.withUnsafeBytes { data.append(contentsOf: $0) } }
        return data
    }
}

/// Reads stored tiles as tree hashes.
struct StoredTiles {
    let db: Database
    let log: Int64
    let size: UInt64

    /// A reader for proofs over the tree of ``size`` leaves.
    var reader: TileHashReader {
        TileHashReader(size: size) { [db, log] path in
            guard case .hashes(let level) = path.content, let tile = try Tables.tile(db, log, level, path.index) else {
                throw StoreError(.damaged, "tile \(path) is missing; run entente fsck")
            }
            return tile
        }
    }
}

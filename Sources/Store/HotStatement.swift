import GRDB
import GRDBSQLite

/// A prepared statement for what happens once or more for every entry: GRDB's argument binding, rows and cursors cost
/// more than the work itself there. Belongs to one connection, and is used in its queue alone.
final class HotStatement {
    private let statement: OpaquePointer
    private let connection: OpaquePointer
    private let givingWay: GivingWay?

    init(_ db: Database, _ sql: String, _ givingWay: GivingWay? = nil) throws {
        self.givingWay = givingWay
        guard let connection = db.sqliteConnection else { throw StoreError(.file, "the database is closed") }
        var prepared: OpaquePointer?
        let result = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil)
        guard result == SQLITE_OK, let prepared else {
            throw StoreError(
                .damaged, "the database refused a statement: \(String(cString: sqlite3_errmsg(connection)))")
        }
        statement = prepared
        self.connection = connection
    }

    deinit { sqlite3_finalize(statement) }

    // MARK: Writing

    /// Runs with an integer and a blob.
    func run(_ first: Int64, _ blob: [UInt8]) throws {
        sqlite3_bind_int64(statement, 1, first)
        try blob.withUnsafeBytes { buffer in
            bind(buffer, at: 2)
            try finish()
        }
    }

    /// Runs with two integers.
    func run(_ first: Int64, _ second: Int64) throws {
        sqlite3_bind_int64(statement, 1, first)
        sqlite3_bind_int64(statement, 2, second)
        try finish()
    }

    /// Runs with three integers.
    func run(_ first: Int64, _ second: Int64, _ third: Int64) throws {
        sqlite3_bind_int64(statement, 1, first)
        sqlite3_bind_int64(statement, 2, second)
        sqlite3_bind_int64(statement, 3, third)
        try finish()
    }

    /// Runs with an integer and two blobs.
    func run(_ first: Int64, _ second: [UInt8], _ third: [UInt8]) throws {
        sqlite3_bind_int64(statement, 1, first)
        try second.withUnsafeBytes { secondBuffer in
            try third.withUnsafeBytes { thirdBuffer in
                bind(secondBuffer, at: 2)
                bind(thirdBuffer, at: 3)
                try finish()
            }
        }
    }

    /// Runs with two integers and a blob.
    func run(_ first: Int64, _ second: Int64, _ blob: [UInt8]) throws {
        sqlite3_bind_int64(statement, 1, first)
        sqlite3_bind_int64(statement, 2, second)
        try blob.withUnsafeBytes { buffer in
            bind(buffer, at: 3)
            try finish()
        }
    }

    /// Runs with an integer, two blobs and two integers.
    func run(_ first: Int64, _ key: [UInt8], _ value: [UInt8], _ fourth: Int64, _ fifth: Int64) throws {
        sqlite3_bind_int64(statement, 1, first)
        sqlite3_bind_int64(statement, 4, fourth)
        sqlite3_bind_int64(statement, 5, fifth)
        try key.withUnsafeBytes { keyBuffer in
            try value.withUnsafeBytes { valueBuffer in
                bind(keyBuffer, at: 2)
                bind(valueBuffer, at: 3)
                try finish()
            }
        }
    }

    // MARK: Reading

    /// The first row for an integer.
    func first<Value>(_ first: Int64, _ read: (HotRow) throws -> Value) throws -> Value? {
        sqlite3_bind_int64(statement, 1, first)
        return try row(read)
    }

    /// The first row for two integers.
    func first<Value>(_ first: Int64, _ second: Int64, _ read: (HotRow) throws -> Value) throws -> Value? {
        sqlite3_bind_int64(statement, 1, first)
        sqlite3_bind_int64(statement, 2, second)
        return try row(read)
    }

    /// The first row for an integer and a blob.
    func first<Value>(_ first: Int64, _ blob: [UInt8], _ read: (HotRow) throws -> Value) throws -> Value? {
        sqlite3_bind_int64(statement, 1, first)
        return try blob.withUnsafeBytes { buffer in
            bind(buffer, at: 2)
            return try row(read)
        }
    }

    /// The integers of all rows for some integers.
    func integers(_ arguments: Int64...) throws -> [Int64] {
        for (position, argument) in arguments.enumerated() {
            sqlite3_bind_int64(statement, Int32(position + 1), argument)
        }
        defer { sqlite3_reset(statement) }
        var found: [Int64] = []
        while try step() { found.append(HotRow(statement: statement).integer(0)) }
        return found
    }

    /// All rows for an integer, one after the other.
    func forEach(_ first: Int64, _ body: (HotRow) throws -> Void) throws {
        sqlite3_bind_int64(statement, 1, first)
        defer { sqlite3_reset(statement) }
        while try step() { try body(HotRow(statement: statement)) }
    }

    private func row<Value>(_ read: (HotRow) throws -> Value) throws -> Value? {
        // Reset at once: a statement that stands on a row keeps its transaction open.
        defer { sqlite3_reset(statement) }
        return try step() ? try read(HotRow(statement: statement)) : nil
    }

    // MARK: SQLite

    /// The bytes stay where they are until the statement was stepped and reset, so SQLite need not copy them.
    private func bind(_ buffer: UnsafeRawBufferPointer, at position: Int32) {
        if let base = buffer.baseAddress, !buffer.isEmpty {
            sqlite3_bind_blob64(statement, position, base, UInt64(buffer.count), nil)
        } else {
            sqlite3_bind_zeroblob(statement, position, 0)
        }
    }

    private func finish() throws {
        defer { sqlite3_reset(statement) }
        while try step() {}
    }

    private func step() throws -> Bool {
        try givingWay?.check()
        return try next()
    }

    private func next() throws -> Bool {
        switch sqlite3_step(statement) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let result:
            let reason = String(cString: sqlite3_errmsg(connection))
            let code: StoreError.Code = result & 0xFF == SQLITE_FULL ? .full : .file
            throw StoreError(code, "the database refused a statement: \(reason) (SQLite \(result))")
        }
    }
}

/// The row that a ``HotStatement`` stands on; valid only while it is read.
struct HotRow {
    fileprivate let statement: OpaquePointer

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(statement, column) }

    func bytes(_ column: Int32) -> [UInt8] {
        guard let base = sqlite3_column_blob(statement, column) else { return [] }
        return Array(UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(statement, column))))
    }
}

/// The writer's statements, prepared once.
final class HotStatements {
    let insertEntry: HotStatement
    let insertIdentity: HotStatement
    let insertIgnored: HotStatement
    let writeTile: HotStatement
    let writePage: HotStatement
    let writePageHash: HotStatement
    let deletePage: HotStatement
    let deletePageHash: HotStatement
    let writeRow: HotStatement
    let writeStep: HotStatement
    let row: HotStatement
    let page: HotStatement
    let identity: HotStatement
    let insertRecentIdentity: HotStatement
    let insertRecentPage: HotStatement
    let writeRecentPlace: HotStatement
    let recentIdentity: HotStatement
    let recentPlace: HotStatement
    let recentPage: HotStatement
    let recentPages: HotStatement
    let recentIdentities: HotStatement

    /// - Parameter givingWay: asked before each step; nil where nothing is ever to give way.
    init(_ db: Database, _ givingWay: GivingWay? = nil) throws {
        func prepared(_ db: Database, _ sql: String) throws -> HotStatement { try HotStatement(db, sql, givingWay) }
        insertEntry = try prepared(db, "INSERT INTO entry(id, packed) VALUES (?, ?)")
        insertIdentity = try prepared(db, "INSERT INTO identity(prefix, entry) VALUES (?, ?)")
        insertIgnored = try prepared(db, "INSERT INTO ignored(entry, reason) VALUES (?, CAST(? AS TEXT))")
        writeTile = try prepared(db, "INSERT OR REPLACE INTO tile(id, hashes) VALUES (?, ?)")
        writePage = try prepared(db, "INSERT OR REPLACE INTO page(map, page, leaves) VALUES (?, ?, ?)")
        writePageHash = try prepared(db, "INSERT OR REPLACE INTO page_hash(map, page, hash) VALUES (?, ?, ?)")
        deletePage = try prepared(db, "DELETE FROM page WHERE map = ? AND page = ?")
        deletePageHash = try prepared(db, "DELETE FROM page_hash WHERE map = ? AND page = ?")
        writeRow = try prepared(
            db, "INSERT OR REPLACE INTO row(map, key, bytes, emptied, last) VALUES (?, ?, ?, ?, ?)")
        writeStep = try prepared(db, "INSERT OR REPLACE INTO step(id, previous) VALUES (?, ?)")
        row = try prepared(db, "SELECT bytes, emptied, last FROM row WHERE map = ? AND key = ?")
        page = try prepared(db, "SELECT leaves FROM page WHERE map = ? AND page = ?")
        identity = try prepared(
            db, "SELECT entry FROM identity WHERE prefix = ? AND entry BETWEEN ? AND ? ORDER BY entry")
        insertRecentIdentity = try prepared(db, "INSERT INTO recent_identity(log, prefix, entry) VALUES (?, ?, ?)")
        insertRecentPage = try prepared(db, "INSERT INTO recent_page(id, hash, leaves) VALUES (?, ?, ?)")
        writeRecentPlace = try prepared(
            db, "INSERT OR REPLACE INTO recent_place(map, page, place) VALUES (?, ?, ?)")
        recentIdentity = try prepared(
            db, "SELECT entry FROM recent_identity WHERE log = ? AND prefix = ? ORDER BY entry")
        recentPlace = try prepared(db, "SELECT place FROM recent_place WHERE map = ? AND page = ?")
        recentPage = try prepared(db, "SELECT leaves FROM recent_page WHERE id = ?")
        recentPages = try prepared(
            db,
            """
            SELECT p.page, p.place, b.hash, b.leaves FROM recent_place p LEFT JOIN recent_page b ON b.id = p.place
            WHERE p.map = ? ORDER BY p.page
            """)
        recentIdentities = try prepared(
            db, "SELECT prefix, entry FROM recent_identity WHERE log = ? ORDER BY prefix, entry")
    }
}

import GRDB
import GRDBSQLite

/// A prepared statement for the inserts that happen once or more for every entry: GRDB's argument binding costs more
/// than the insert itself there. Lives within one transaction.
struct HotStatement: ~Copyable {
    private let statement: OpaquePointer
    private let connection: OpaquePointer

    init(_ db: Database, _ sql: String) throws {
        guard let connection = db.sqliteConnection else { throw StoreError(.file, "the database is closed") }
        var prepared: OpaquePointer?
        guard sqlite3_prepare_v2(connection, sql, -1, &prepared, nil) == SQLITE_OK, let prepared else {
            throw StoreError(
                .damaged, "the database refused a statement: \(String(cString: sqlite3_errmsg(connection)))")
        }
        statement = prepared
        self.connection = connection
    }

    deinit { sqlite3_finalize(statement) }

    /// Runs with an integer and a blob.
    func run(_ first: Int64, _ blob: [UInt8]) throws {
        sqlite3_bind_int64(statement, 1, first)
        try blob.withUnsafeBytes { buffer in
            bind(buffer, at: 2)
            try step()
        }
    }

    /// Runs with two integers.
    func run(_ first: Int64, _ second: Int64) throws {
        sqlite3_bind_int64(statement, 1, first)
        sqlite3_bind_int64(statement, 2, second)
        try step()
    }

    /// Runs with two integers and a blob.
    func run(_ first: Int64, _ second: Int64, _ blob: [UInt8]) throws {
        sqlite3_bind_int64(statement, 1, first)
        sqlite3_bind_int64(statement, 2, second)
        try blob.withUnsafeBytes { buffer in
            bind(buffer, at: 3)
            try step()
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
                try step()
            }
        }
    }

    /// The bytes stay where they are until the statement was stepped and reset, so SQLite need not copy them.
    private func bind(_ buffer: UnsafeRawBufferPointer, at position: Int32) {
        if let base = buffer.baseAddress, !buffer.isEmpty {
            sqlite3_bind_blob64(statement, position, base, UInt64(buffer.count), nil)
        } else {
            sqlite3_bind_zeroblob(statement, position, 0)
        }
    }

    private func step() throws {
        let result = sqlite3_step(statement)
        guard result == SQLITE_DONE else {
            let reason = String(cString: sqlite3_errmsg(connection))
            sqlite3_reset(statement)
            throw StoreError(.file, "the database refused a write: \(reason) (SQLite \(result))")
        }
        sqlite3_reset(statement)
    }
}

import Foundation
import GRDB
import GRDBSQLite

/// The database of a data folder, opened beside a scratch copy of its tables that an audit derives anew.
///
/// The scratch tables are SQLite's temporary ones: they have the real tables' names, live in a file that the system
/// removes with the process, and stand before the real tables where a name is not qualified. `main.entry` is the
/// stored table; entries are never copied, so `entry` is that one too.
struct AuditDatabase {
    let queue: DatabaseQueue

    /// The tables that are derived anew.
    static let derivedTables = [
        "tile", "identity", "ignored", "map", "row", "step", "page", "page_hash", "document", "recent_page",
        "recent_place", "recent_identity",
    ]

    /// Opens a database.
    ///
    /// For checking it is opened so that not a byte of it changes. Where a node was killed there is a WAL, which is read
    /// as the node's next start would; else nothing beside the database is needed or made.
    ///
    /// - Throws: ``StoreError`` with code `file` where a rollback journal stands beside it, which only a first start leaves
    ///   that was interrupted: to read what it means SQLite would have to change the file. Code `damaged` where it cannot be
    ///   opened.
    init(path: String, isWritable: Bool) throws {
        guard isWritable || Self.size("\(path)-journal") == 0 else {
            throw StoreError(
                .file,
                "\(path) was being made when the node stopped: start the node, which brings it up to date; then it can be read"
            )
        }
        var configuration = Configuration()
        configuration.readonly = !isWritable
        configuration.busyMode = .timeout(5)
        configuration.foreignKeysEnabled = false
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA temp_store = FILE")
            try db.execute(sql: "PRAGMA cache_size = -32768")
            try db.execute(sql: "PRAGMA temp.cache_size = -32768")
            if isWritable { try db.execute(sql: "PRAGMA synchronous = FULL") }
        }
        do {
            queue = try DatabaseQueue(path: Self.name(path, isWritable), configuration: configuration)
        } catch let error as DatabaseError {
            throw StoreError(.damaged, "\(path): \(error.message ?? "cannot be opened") (SQLite \(error.resultCode))")
        }
    }

    /// Bytes of a file; 0 where there is none.
    private static func size(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber)?.intValue ?? 0
    }

    private static func name(_ path: String, _ isWritable: Bool) -> String {
        guard !isWritable, sqlite3_compileoption_used("USE_URI") == 1 else { return path }
        guard size("\(path)-wal") == 0 else { return path }
        var allowed = CharacterSet.urlPathAllowed
        allowed.remove(charactersIn: "?#%")
        let escaped = path.addingPercentEncoding(withAllowedCharacters: allowed) ?? path
        return "file:\(escaped)?immutable=1"
    }

    /// Makes the scratch tables, empty.
    static func makeScratch(_ db: Database) throws {
        for (name, sql, _) in try freshSchema() where derivedTables.contains(name) || name == "log" {
            try db.execute(sql: "DROP TABLE IF EXISTS temp.\"\(name)\"")
            try db.execute(sql: sql.replacingOccurrences(of: "CREATE TABLE ", with: "CREATE TEMP TABLE "))
        }
        for table in ["signed", "computed", "skipped", "named"] {
            try db.execute(sql: "DROP TABLE IF EXISTS temp.\(table)")
        }
        try db.execute(
            sql: """
                -- What the log's key signed, and what its entries give at those sizes.
                CREATE TEMP TABLE signed(log INTEGER, size INTEGER, root BLOB, PRIMARY KEY(log, size, root))
                    WITHOUT ROWID;
                CREATE TEMP TABLE computed(log INTEGER, size INTEGER, root BLOB, PRIMARY KEY(log, size)) WITHOUT ROWID;
                -- Logs that cannot be derived.
                CREATE TEMP TABLE skipped(log INTEGER PRIMARY KEY);
                -- Documents as counted statements name them.
                CREATE TEMP TABLE named(digest BLOB, size INTEGER, PRIMARY KEY(digest, size)) WITHOUT ROWID;
                """)
    }

    /// What SQLite keeps of a table or an index, but for its name and where it stands.
    static let schemaText = "type || ' of ' || tbl_name || ': ' || sql"

    /// Name and statement of every table of a new database, or of one that has the migrations up to that one, and what
    /// SQLite keeps of it.
    static func freshSchema(upTo migration: String? = nil) throws -> [(name: String, sql: String, text: String)] {
        let fresh = try DatabaseQueue()
        if let migration {
            try Schema.migrator.migrate(fresh, upTo: migration)
        } else {
            try Schema.migrator.migrate(fresh)
        }
        return try fresh.read { db in
            try GRDB.Row.fetchAll(
                db, sql: "SELECT name, sql, \(Self.schemaText) FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"
            ).map { (name: $0[0], sql: $0[1], text: $0[2]) }
        }
    }
}

/// Values of columns whose type a damaged file may have changed: what has another type reads as 0 or as empty, and so is
/// found to differ. GRDB's own subscripts would end the process.
extension GRDB.Row {
    func int(_ position: Int) -> Int64 { intOrNil(position) ?? 0 }
    func blob(_ position: Int) -> Data { blobOrNil(position) ?? Data() }
    func text(_ position: Int) -> String { Self.text(self[position]) }
    func text(_ column: String) -> String { Self.text(self[column]) }

    func intOrNil(_ position: Int) -> Int64? { Self.int(self[position]) }
    func intOrNil(_ column: String) -> Int64? { Self.int(self[column]) }
    func blobOrNil(_ position: Int) -> Data? { Self.blob(self[position]) }
    func blobOrNil(_ column: String) -> Data? { Self.blob(self[column]) }

    private static func int(_ value: DatabaseValue) -> Int64? {
        if case .int64(let number) = value.storage { number } else { nil }
    }

    private static func blob(_ value: DatabaseValue) -> Data? {
        if case .blob(let data) = value.storage { data } else { nil }
    }

    private static func text(_ value: DatabaseValue) -> String {
        if case .string(let text) = value.storage { text } else { "" }
    }

    /// A column's value as people read it: blobs in hexadecimal, cut.
    func shown(_ position: Int) -> String {
        let value: DatabaseValue = self[position]
        switch value.storage {
        case .null: return "nothing"
        case .int64(let number): return String(number)
        case .double(let number): return String(number)
        case .string(let text): return AuditText.cut(text)
        case .blob(let data): return AuditText.hex(data)
        }
    }
}

/// Values as findings show them.
enum AuditText {
    /// Bytes of a blob that are shown.
    private static let blobLimit = 32
    private static let textLimit = 120

    static func hex(_ data: some Collection<UInt8>) -> String {
        let digits = data.prefix(blobLimit).map { byte in
            let text = String(byte, radix: 16)
            return byte < 16 ? "0\(text)" : text
        }.joined()
        return data.count > blobLimit ? "\(digits)… (\(data.count) bytes)" : digits
    }

    static func cut(_ text: String) -> String {
        text.utf8.count > textLimit ? String(text.prefix(textLimit)) + "…" : text
    }
}

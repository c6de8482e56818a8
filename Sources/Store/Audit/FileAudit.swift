import Crypto
import Foundation
import GRDB
import TransparencyLog

/// Looks at the files of a data folder: documents against their names and the database, and what does not belong there.
struct FileAudit {
    let db: Database
    let folder: String
    let isQuick: Bool
    /// Whether every log was derived, so that it is known which documents are named.
    let knowsNames: Bool
    let progress: (UInt64) -> Void
    private(set) var findings: [AuditFinding] = []
    private(set) var documents: UInt64 = 0
    private(set) var bytes: UInt64 = 0

    init(db: Database, folder: String, isQuick: Bool, knowsNames: Bool, progress: @escaping (UInt64) -> Void) {
        self.db = db
        self.folder = folder
        self.isQuick = isQuick
        self.knowsNames = knowsNames
        self.progress = progress
    }

    mutating func run() throws {
        if knowsNames { try checkRows() }
        try checkDocuments()
        try checkIncoming()
        for name in Self.names(in: folder) where !Self.isKnown(name) {
            add(name.contains("new-") ? .fileTemporary : .fileUnknown, file: name)
        }
    }

    private mutating func add(
        _ code: AuditFinding.Code, file: String, expected: String? = nil, found: String? = nil
    ) {
        findings.append(AuditFinding(code, AuditFinding.Place(file: file), expected: expected, found: found))
    }

    static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    /// What the table of operations.md lists.
    private static let known: Set<String> = [
        "config.json", "charter", "charters", "roster.jws", "audit.jsonl", "keys", "tls", "documents", "control.sock",
        "control.sock.lock", "lock", "entente.sqlite", "entente.sqlite-wal", "entente.sqlite-shm", "restored",
        // Of a backup that was unpacked by tar.
        "manifest.json",
    ]

    private static func isKnown(_ name: String) -> Bool { known.contains(name) }

    // MARK: The table

    /// Compares the table's rows with what counted statements name. Where two logs name one document with two sizes,
    /// the table has the one that came first.
    private mutating func checkRows() throws {
        let missing = try GRDB.Row.fetchAll(
            db,
            sql: """
                SELECT n.digest, n.size FROM temp.named n
                WHERE NOT EXISTS (SELECT 1 FROM main.document m WHERE m.digest = n.digest)
                """)
        for row in missing {
            addRow(.derivedMissing, row, expected: "\(row.int(1)) bytes", found: "nothing")
        }
        let rows = try GRDB.Row.fetchCursor(
            db,
            sql: """
                SELECT m.digest, m.size,
                    (SELECT n.size FROM temp.named n WHERE n.digest = m.digest ORDER BY 1 LIMIT 1), m.held
                FROM main.document m WHERE m.held NOT IN (0, 1)
                OR NOT EXISTS (SELECT 1 FROM temp.named n WHERE n.digest = m.digest AND n.size = m.size)
                """)
        while let row = try rows.next() {
            let expected = row.intOrNil(2)
            let size = row.int(1)
            guard let expected else {
                addRow(.derivedUnexpected, row, expected: "nothing", found: "\(size) bytes")
                continue
            }
            if size != expected {
                addRow(.derivedDifferent, row, "size", expected: String(expected), found: String(size))
            } else {
                addRow(.derivedDifferent, row, "held", expected: "0 or 1", found: row.shown(3))
            }
        }
    }

    private mutating func addRow(
        _ code: AuditFinding.Code, _ row: GRDB.Row, _ column: String? = nil, expected: String, found: String
    ) {
        let place = AuditFinding.Place(table: "document", key: row.shown(0), column: column)
        findings.append(AuditFinding(code, place, expected: expected, found: found))
    }

    // MARK: The files

    private mutating func checkDocuments() throws {
        let rows = try GRDB.Row.fetchCursor(db, sql: "SELECT digest, size, held FROM main.document ORDER BY digest")
        while let row = try rows.next() {
            let digest = row.blob(0)
            let size = row.int(1)
            let held = row.int(2)
            guard let hash = HashValue(digest) else { continue }
            let path = "documents/\(hash.hex.prefix(2))/\(hash.hex)"
            guard let found = Self.size("\(folder)/\(path)") else {
                add(
                    held == 0 ? .documentWanted : .documentMissing, file: path, expected: "\(size) bytes",
                    found: "nothing")
                continue
            }
            documents += 1
            bytes += UInt64(found)
            progress(documents)
            guard !isQuick else {
                if found != size {
                    add(.documentDamaged, file: path, expected: "\(size) bytes", found: "\(found) bytes")
                }
                continue
            }
            let actual = try Self.digest("\(folder)/\(path)")
            if actual != hash { add(.documentDamaged, file: path, expected: hash.hex, found: actual?.hex) }
        }
        try checkUnnamed()
    }

    private mutating func checkUnnamed() throws {
        for group in Self.names(in: "\(folder)/documents") where group != "incoming" {
            for name in Self.names(in: "\(folder)/documents/\(group)") {
                let path = "documents/\(group)/\(name)"
                guard let hash = HashValue(hex: name), hash.hex == name, name.hasPrefix(group) else {
                    add(.fileUnknown, file: path)
                    continue
                }
                guard knowsNames, try !isNamed(hash) else { continue }
                if try !isQuick && Self.digest("\(folder)/\(path)") != hash {
                    add(.fileUnknown, file: path)
                } else {
                    add(.documentUnnamed, file: path)
                }
            }
        }
    }

    private func isNamed(_ digest: HashValue) throws -> Bool {
        try Bool.fetchOne(
            db.cachedStatement(
                sql: "SELECT 1 FROM temp.named WHERE digest = ?1 UNION SELECT 1 FROM main.document WHERE digest = ?1"),
            arguments: [Data(digest.bytes)]) ?? false
    }

    /// Parts of documents that are wanted stay: a fetch goes on there.
    private mutating func checkIncoming() throws {
        for name in Self.names(in: "\(folder)/documents/incoming") {
            let path = "documents/incoming/\(name)"
            if let hash = HashValue(hex: name), try !knowsNames || isNamed(hash),
                Self.size("\(folder)/documents/\(hash.hex.prefix(2))/\(hash.hex)") == nil
            {
                continue
            }
            add(.fileTemporary, file: path)
        }
    }

    static func size(_ path: String) -> Int64? {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int64(status.st_size)
    }

    /// SHA-256 of a file's bytes, read a piece at a time.
    static func digest(_ path: String) throws -> HashValue? {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw StoreError(.file, "\(path) cannot be read")
        }
        defer { try? handle.close() }
        var hash = SHA256()
        while let part = try handle.read(upToCount: 1 << 20), !part.isEmpty { hash.update(data: part) }
        return HashValue(hash.finalize())
    }
}

import Foundation
import GRDB

/// Compares the derived tables, row by row, with what is stored, and puts the one in the place of the other.
struct Comparison {
    /// A table, and which log its rows belong to.
    struct Table {
        let name: String
        let keys: [String]
        let values: [String]
        /// Whether a row of `x` belongs to a log that was not derived, in SQL.
        let skipped: String
        /// A row's log, in SQL; nil where its map says it.
        let log: String?
    }

    static let tables = [
        Table(
            name: "tile", keys: ["id"], values: ["hashes"], skipped: "(x.id >> 48) IN temp.skipped", log: "x.id >> 48"),
        Table(
            name: "identity", keys: ["prefix", "entry"], values: [], skipped: "(x.entry >> 44) IN temp.skipped",
            log: "x.entry >> 44"),
        Table(
            name: "ignored", keys: ["entry"], values: ["reason"], skipped: "(x.entry >> 44) IN temp.skipped",
            log: "x.entry >> 44"),
        Table(
            name: "map", keys: ["id"], values: ["log", "name", "count", "root"], skipped: "x.log IN temp.skipped",
            log: "x.log"),
        Table(
            name: "row", keys: ["map", "key"], values: ["bytes", "emptied", "last"], skipped: ofSkippedMap, log: nil),
        Table(
            name: "step", keys: ["id"], values: ["previous"], skipped: "(x.id >> 51) IN temp.skipped", log: "x.id >> 51"
        ),
        Table(name: "page", keys: ["map", "page"], values: ["leaves"], skipped: ofSkippedMap, log: nil),
        Table(name: "page_hash", keys: ["map", "page"], values: ["hash"], skipped: ofSkippedMap, log: nil),
        Table(
            name: "recent_page", keys: ["id"], values: ["hash", "leaves"], skipped: "(x.id >> 44) IN temp.skipped",
            log: "x.id >> 44"),
        Table(name: "recent_place", keys: ["map", "page"], values: ["place"], skipped: ofSkippedMap, log: nil),
        Table(
            name: "recent_identity", keys: ["log", "prefix", "entry"], values: [], skipped: "x.log IN temp.skipped",
            log: "x.log"),
    ]

    private static let ofSkippedMap = "x.map IN (SELECT id FROM main.map WHERE log IN temp.skipped)"

    let db: Database
    /// Origins by the logs' numbers.
    let origins: [Int64: String]

    /// Finds what differs in one table.
    func compare(_ table: Table, _ report: (AuditFinding) -> Void) throws {
        try compareDerived(table, report)
        try findUnexpected(table, report)
    }

    private func compareDerived(_ table: Table, _ report: (AuditFinding) -> Void) throws {
        let columns = table.keys + table.values
        let log =
            table.log.map { $0.replacingOccurrences(of: "x.", with: "t.") }
            ?? "(SELECT log FROM temp.map WHERE id = t.map)"
        let cursor = try GRDB.Row.fetchCursor(
            db,
            sql: """
                SELECT \(log), m.\(table.keys[0]) IS NULL, \(columns.map { "t.\($0)" }.joined(separator: ", ")), \
                \((table.values.isEmpty ? table.keys : table.values).map { "m.\($0)" }.joined(separator: ", "))
                FROM temp.\(table.name) t LEFT JOIN main.\(table.name) m ON \(join(table)) WHERE \(differs(table))
                """)
        while let row = try cursor.next() {
            let origin = row.intOrNil(0).flatMap { origins[$0] }
            let key = self.key(row, table, from: 2)
            guard row.int(1) == 0 else {
                report(
                    AuditFinding(
                        .derivedMissing, AuditFinding.Place(log: origin, table: table.name, key: key),
                        expected: table.values.isEmpty ? "a row" : row.shown(2 + table.keys.count), found: "nothing"))
                continue
            }
            for (offset, column) in table.values.enumerated() {
                let ours: DatabaseValue = row[2 + table.keys.count + offset]
                let theirs: DatabaseValue = row[2 + columns.count + offset]
                guard ours != theirs else { continue }
                report(
                    AuditFinding(
                        .derivedDifferent, AuditFinding.Place(log: origin, table: table.name, key: key, column: column),
                        expected: row.shown(2 + table.keys.count + offset), found: row.shown(2 + columns.count + offset)
                    ))
            }
        }
    }

    private func findUnexpected(_ table: Table, _ report: (AuditFinding) -> Void) throws {
        let log = table.log ?? "(SELECT log FROM main.map WHERE id = x.map)"
        let cursor = try GRDB.Row.fetchCursor(
            db,
            sql: """
                SELECT \(log), \((table.keys + table.values).map { "x.\($0)" }.joined(separator: ", "))
                FROM main.\(table.name) x WHERE \(unexpected(table))
                """)
        while let row = try cursor.next() {
            let origin = row.intOrNil(0).flatMap { origins[$0] }
            report(
                AuditFinding(
                    .derivedUnexpected,
                    AuditFinding.Place(log: origin, table: table.name, key: key(row, table, from: 1)),
                    expected: "nothing",
                    found: table.values.isEmpty ? "a row" : row.shown(1 + table.keys.count)))
        }
    }

    /// Makes the stored table equal to the derived one, but for logs that were not derived. Inside a transaction.
    ///
    /// - Returns: how many rows were changed.
    func replace(_ table: Table) throws -> Int {
        let before = db.totalChangesCount
        try db.execute(sql: "DELETE FROM main.\(table.name) AS x WHERE \(unexpected(table))")
        let columns = (table.keys + table.values).joined(separator: ", ")
        let derived = (table.keys + table.values).map { "t.\($0)" }.joined(separator: ", ")
        try db.execute(
            sql: """
                INSERT OR REPLACE INTO main.\(table.name)(\(columns)) SELECT \(derived) FROM temp.\(table.name) t
                LEFT JOIN main.\(table.name) m ON \(join(table)) WHERE \(differs(table))
                """)
        return db.totalChangesCount - before
    }

    private func join(_ table: Table) -> String { table.keys.map { "m.\($0) = t.\($0)" }.joined(separator: " AND ") }

    private func differs(_ table: Table) -> String {
        let skipped = table.name == "map" ? "t.log NOT IN temp.skipped AND " : ""
        let values = table.values.map { " OR m.\($0) IS NOT t.\($0)" }.joined()
        let tiles = table.name == "tile" ? " AND (t.id >> 48) NOT IN temp.skipped" : ""
        return "\(skipped)(m.\(table.keys[0]) IS NULL\(values))\(tiles)"
    }

    private func unexpected(_ table: Table) -> String {
        let same = table.keys.map { "t.\($0) = x.\($0)" }.joined(separator: " AND ")
        return "NOT (\(table.skipped)) AND NOT EXISTS (SELECT 1 FROM temp.\(table.name) t WHERE \(same))"
    }

    private func key(_ row: GRDB.Row, _ table: Table, from position: Int) -> String {
        table.keys.indices.map { offset in
            let value: DatabaseValue = row[position + offset]
            if case .blob(let data) = value.storage, let text = String(data: data, encoding: .utf8) {
                return AuditText.cut(text)
            }
            return row.shown(position + offset)
        }.joined(separator: ",")
    }
}

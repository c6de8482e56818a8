import Alliance
import Foundation
import GRDB
import TransparencyLog

extension FolderAudit {
    // MARK: The database as such

    func checkSchema(_ db: Database) throws {
        try checkVersion(db)
        let (applied, known) = (try Schema.migrator.appliedIdentifiers(db), Schema.migrator.migrations)
        if applied != Set(known) {
            report.findings.add(
                .schemaDifferent, AuditFinding.Place(table: "grdb_migrations"),
                expected: known.joined(separator: "; "), found: applied.sorted().joined(separator: "; "))
        }
        let expected = try AuditDatabase.freshSchema()
        let found = try GRDB.Row.fetchAll(
            db, sql: "SELECT name, \(AuditDatabase.schemaText) FROM main.sqlite_master WHERE sql IS NOT NULL")
        var texts = Dictionary(
            found.map { ($0.text(0), $0.text(1)) }, uniquingKeysWith: { first, _ in first })
        for (name, _, due) in expected {
            let text = texts.removeValue(forKey: name)
            guard text != due else { continue }
            report.findings.add(
                .schemaDifferent, AuditFinding.Place(table: name), expected: AuditText.cut(due),
                found: AuditText.cut(text ?? "nothing"))
        }
        for (name, sql) in texts.sorted(by: { $0.key < $1.key }) where !name.hasPrefix("sqlite_") {
            report.findings.add(
                .schemaDifferent, AuditFinding.Place(table: name), expected: "nothing", found: AuditText.cut(sql))
        }
    }

    /// A database that an older version made, or whose making was interrupted, is not damaged: a start brings it up to
    /// date. It is one only if it has exactly the tables of an older version.
    private func checkVersion(_ db: Database) throws {
        let known = Schema.migrator.migrations
        let applied = try Schema.migrator.appliedIdentifiers(db)
        let older = known.prefix { applied.contains($0) }
        guard older.count == applied.count else { return }
        guard older.count < known.count else {
            if try isEmpty(db) {
                throw StoreError(.file, "\(folder)/entente.sqlite is empty; nothing was stored here yet")
            }
            return
        }
        let found = try GRDB.Row.fetchAll(
            db,
            sql: "SELECT name, \(AuditDatabase.schemaText) FROM main.sqlite_master WHERE sql IS NOT NULL ORDER BY name"
        ).map { (name: $0.text(0), text: $0.text(1)) }
        // The migrator's own table is there before the first migration.
        guard found.contains(where: { $0.name != "grdb_migrations" }) else {
            throw StoreError(.file, "\(folder)/entente.sqlite has no tables; nothing was stored here yet")
        }
        guard let newest = older.last else { return }
        let due = try AuditDatabase.freshSchema(upTo: newest).map { (name: $0.name, text: $0.text) }
        guard found.elementsEqual(due, by: ==) else { return }
        throw StoreError(
            .file,
            "\(folder)/entente.sqlite has the form of an older version of Entente, or its making was interrupted: "
                + "start the node, which brings it up to date; then it can be checked")
    }

    /// Whether no table has a row, as before a node's very first start has stored the charter.
    private func isEmpty(_ db: Database) throws -> Bool {
        let tables = try String.fetchAll(
            db, sql: "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name <> 'grdb_migrations'")
        return try tables.allSatisfy { table in
            try Bool.fetchOne(db, sql: "SELECT NOT EXISTS (SELECT 1 FROM main.\(table.quotedDatabaseIdentifier))")
                ?? false
        }
    }

    func checkDatabase(_ db: Database) throws {
        let pragma = options.isQuick ? "quick_check" : "integrity_check"
        for line in try String.fetchAll(db, sql: "PRAGMA main.\(pragma)(\(AuditFindings.keptOfEachKind))")
        where line != "ok" {
            // A value that a table does not allow is a matter of its row; all else is one of the file.
            let isValue = line.hasPrefix("CHECK constraint failed") || line.contains(" value in ")
            report.findings.add(
                isValue ? .constraintFailed : .databaseBroken, AuditFinding.Place(file: "entente.sqlite"),
                found: AuditText.cut(line))
        }
        for row in try GRDB.Row.fetchAll(db, sql: "PRAGMA main.foreign_key_check") {
            report.findings.add(
                .derivedUnexpected, AuditFinding.Place(table: row.text(0), key: row.shown(1)),
                expected: "a row of \(row.shown(2))", found: "nothing")
        }
    }

    func checkCharter(_ db: Database) throws {
        var missing = chain.all
        for row in try GRDB.Row.fetchAll(db, sql: "SELECT version, digest, file FROM main.charter ORDER BY version") {
            let place = AuditFinding.Place(table: "charter", key: row.shown(0))
            let digest = [UInt8](row.blob(1))
            let file = [UInt8](row.blob(2))
            let found =
                missing.firstIndex { $0.digest.bytes == digest }
                ?? missing.firstIndex { Int64($0.charter.version) == row.int(0) }
            guard let found, Int64(missing[found].charter.version) == row.int(0) else {
                report.findings.add(.charterDifferent, place, expected: "nothing", found: row.shown(1))
                continue
            }
            let expected = missing.remove(at: found)
            if digest != expected.digest.bytes || file != expected.file {
                report.findings.add(.charterDifferent, place, expected: expected.digest.hex, found: row.shown(1))
            }
        }
        for one in missing {
            report.findings.add(
                .charterDifferent, AuditFinding.Place(table: "charter", key: String(one.charter.version)),
                expected: one.digest.hex, found: "nothing")
        }
    }

    // MARK: Logs

    /// Reads every log's row; a row is a member's by its origin or, where that is damaged, by its member.
    func readLogs(_ db: Database) throws -> [AuditedLog] {
        var rows = try GRDB.Row.fetchAll(db, sql: "SELECT * FROM main.log ORDER BY id")
        var logs: [AuditedLog] = []
        let expected = AuditCharters(chain).logs
        let origins = Set(expected.map(\.log.name))
        for member in expected {
            let position =
                rows.firstIndex { $0.text("origin") == member.log.name }
                ?? rows.firstIndex { $0.text("member") == member.id && !origins.contains($0.text("origin")) }
            guard let position else {
                report.findings.add(
                    .logMissing, AuditFinding.Place(log: member.log.name, table: "log"), expected: "a row",
                    found: "nothing")
                continue
            }
            let row = rows.remove(at: position)
            let log = AuditedLog(row, member)
            for (column, expected) in [("origin", member.log.name), ("member", member.id)]
            where row.text(column) != expected {
                report.findings.add(
                    .logDifferent,
                    AuditFinding.Place(log: log.origin, table: "log", key: String(log.id), column: column),
                    expected: expected, found: AuditText.cut(row.text(column)))
            }
            logs.append(log)
        }
        for row in rows {
            report.findings.add(
                .logUnexpected, AuditFinding.Place(table: "log", key: row.shown(0)), expected: "nothing",
                found: row.shown(1))
        }
        try checkStrangers(db, logs)
        return logs.sorted { $0.id < $1.id }
    }

    /// Finds rows that belong to no log.
    private func checkStrangers(_ db: Database, _ logs: [AuditedLog]) throws {
        let known = logs.map { String($0.id) }.joined(separator: ",")
        let tables: [(String, AuditFinding.Code)] = [
            ("checkpoint", .checkpointInvalid), ("cosignature", .cosignatureInvalid),
            ("first_quorum", .firstQuorumInvalid), ("contradiction", .contradictionInvalid),
            ("fork", .forkInvalid), ("fork_head", .forkInvalid), ("settled_fork", .setAsideInvalid),
            ("set_aside", .setAsideInvalid),
            ("incarnation", .incarnationInvalid),
        ]
        for (table, code) in tables {
            let rows = try GRDB.Row.fetchAll(
                db, sql: "SELECT log, count(*) FROM main.\(table) WHERE log NOT IN (\(known)) GROUP BY log")
            for row in rows {
                report.findings.add(
                    code, AuditFinding.Place(table: table, key: row.shown(0)), expected: "a log of that number",
                    found: "nothing", count: UInt64(row.int(1)))
            }
        }
        var lower = Int64.min
        for (start, end) in logs.map({ ($0.id << Schema.indexBits, ($0.id + 1) << Schema.indexBits) }).sorted(by: {
            $0.0 < $1.0
        })
            + [(Int64.max, Int64.max)]
        {
            let count = try Int64.fetchOne(
                db, sql: "SELECT count(*) FROM main.entry WHERE id >= ? AND id < ?", arguments: [lower, start])
            if let count, count > 0 {
                report.findings.add(
                    .entryUnexpected, AuditFinding.Place(table: "entry", key: "\(lower)"), expected: "nothing",
                    found: "\(count) entries of no log", count: UInt64(count))
            }
            lower = end
        }
    }

    /// Checks one log's notes, then its tree, and says whether it can be derived.
    func checkLog(_ log: AuditedLog, _ db: Database) throws {
        report.work.logs += 1
        let charters = AuditCharters(chain)
        var notes = NoteAudit(db: db, log: log, charters: charters, member: options.member) { [progress] done in
            progress(AuditProgress(stage: .signatures, done: done, total: 0))
        }
        try notes.run()
        notes.findings.forEach { report.findings.add($0) }
        report.work.noteSignatures += notes.signatureCount
        let newest = try Int64.fetchOne(
            db, sql: "SELECT max(id) FROM main.entry WHERE id >= ? AND id < ?",
            arguments: [Schema.entryID(log.id, 0), (log.id + 1) << Schema.indexBits])
        let top = newest.map { UInt64($0 & ((1 << Schema.indexBits) - 1)) + 1 } ?? 0
        var tree = TreeAudit(db: db, log: log, size: top) { [progress] done in
            progress(AuditProgress(stage: .trees, done: done, total: top))
        }
        let facts = try tree.run()
        report.work.entries += top
        report.work.bytes += tree.bytes
        let verdict = TreeVerdict(log: log, facts: facts, top: top)
        verdicts.append((log, verdict))
        verdict.findings.forEach { report.findings.add($0.finding, count: $0.count) }
        if verdict.isWhole {
            derivable.append((log, verdict.size))
        } else {
            try db.execute(sql: "INSERT OR IGNORE INTO temp.skipped(log) VALUES (?)", arguments: [log.id])
            report.findings.add(.notDerived, AuditFinding.Place(log: log.origin))
        }
    }

    // MARK: Counting

    /// Derives all logs in one transaction, of the scratch tables alone: else SQLite would end one after each row.
    func derive(_ db: Database) throws {
        try db.inTransaction(.deferred) {
            try deriveAll(db)
            return .commit
        }
    }

    private func deriveAll(_ db: Database) throws {
        try Derivation.plantMaps(db)
        let documents = DocumentFolder(reading: "\(folder)/documents")
        for (log, size) in derivable {
            var derivation = try Derivation(
                db: db, log: log, chain: chain, documents: documents, check: check
            ) { [progress] done in progress(AuditProgress(stage: .counting, done: done, total: size)) }
            try derivation.run(size)
            report.work.statements += derivation.statements
            checkEnd(log, derivation.end)
            ends[log.id] = derivation.end
            settled[log.id] = derivation.settled
            if log.settled != Int64(derivation.settled) {
                report.findings.add(
                    .logDifferent,
                    AuditFinding.Place(log: log.origin, table: "log", key: String(log.id), column: "settled"),
                    expected: String(derivation.settled), found: String(log.settled))
            }
            if derivation.loose > 0 {
                report.findings.add(
                    .entryUnexpected, AuditFinding.Place(log: log.origin, index: size - derivation.loose),
                    expected: "a state leaf at the log's end", found: "\(derivation.loose) entries behind the last one",
                    count: derivation.loose)
            }
        }
        try Derivation.removeUnusedMaps(db)
    }

    private func checkEnd(_ log: AuditedLog, _ end: CountingEnd?) {
        let key = String(log.id)
        let index = end.map { Int64($0.index) }
        if log.endIndex != index {
            report.findings.add(
                .logDifferent, AuditFinding.Place(log: log.origin, table: "log", key: key, column: "end_index"),
                expected: index.map { String($0) } ?? "nothing", found: log.endIndex.map { String($0) } ?? "nothing")
        }
        if log.endReason != end?.reason.rawValue {
            report.findings.add(
                .logDifferent, AuditFinding.Place(log: log.origin, table: "log", key: key, column: "end_reason"),
                expected: end?.reason.rawValue ?? "nothing", found: log.endReason ?? "nothing")
        }
    }

    // MARK: Files

    func checkFiles(_ db: Database, isComplete: Bool) throws {
        let knowsNames = isComplete && !options.isQuick && derivable.count == Int(report.work.logs)
        var files = FileAudit(
            db: db, folder: folder, isQuick: options.isQuick, knowsNames: knowsNames
        ) { [progress] done in progress(AuditProgress(stage: .documents, done: done, total: 0)) }
        try files.run()
        files.findings.forEach { report.findings.add($0) }
        report.work.documents += files.documents
        report.work.documentBytes += files.bytes
    }
}

extension AuditedLog {
    init(_ row: GRDB.Row, _ member: CharterMember) {
        func unsigned(_ column: String) -> UInt64 { UInt64(max(0, row.intOrNil(column) ?? 0)) }
        let end = row["end_reason"] as DatabaseValue
        self.init(
            id: row.intOrNil("id") ?? 0, member: member, size: unsigned("size"),
            edge: [UInt8](row.blobOrNil("edge") ?? Data()), headSize: unsigned("head_size"),
            head: row.blobOrNil("head").map { [UInt8]($0) }, cosigned: unsigned("cosigned"),
            quorum: unsigned("quorum"), settled: row.intOrNil("settled") ?? -1, endIndex: row.intOrNil("end_index"),
            endReason: end.isNull ? nil : row.text("end_reason"))
    }
}

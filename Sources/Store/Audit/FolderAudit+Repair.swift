import Alliance
import Foundation
import GRDB
import TransparencyLog

extension FolderAudit {
    /// Repairs what can be repaired, and checks again.
    ///
    /// The order: signed notes, from the copies that are here; entries, from peers, each range tied to a root that the
    /// log's key signed before a byte of it is stored; then everything that is derived, of all logs, in one transaction;
    /// documents; leftovers. Each step is one transaction or one rename, so that a kill at any moment leaves the old or
    /// the new. Nothing is signed, no log becomes shorter than what was acknowledged, and the sizes that were signed and
    /// cosigned never go back.
    ///
    /// - Parameter source: the peers; nil where none may be asked.
    public func repair(from source: (any RepairSource)?) async throws -> RepairReport {
        let database = try AuditDatabase(path: "\(folder)/entente.sqlite", isWritable: true)
        let queue = database.queue
        try inDatabase(queue) { try run($0) }
        var result = RepairReport(before: report, after: report)
        if report.findings.counts[.databaseBroken] == nil, report.findings.counts[.schemaDifferent] == nil {
            try await repair(queue, source, &result)
            removeLeftovers(&result)
            try inDatabase(queue) { try run($0) }
            result.after = report
        } else {
            result.failed("the database itself is damaged, so that nothing in it can be changed safely")
        }
        try inDatabase(queue) { _ = try $0.checkpoint(.truncate) }
        try queue.close()
        return result
    }

    private func inDatabase(_ queue: DatabaseQueue, _ body: (Database) throws -> Void) throws {
        do { try queue.inDatabase { try body($0) } } catch let error as DatabaseError {
            throw StoreError(
                .file, "the database refused the repair: \(error.message ?? "") (SQLite \(error.resultCode))")
        }
    }

    private func inTransaction(_ queue: DatabaseQueue, _ body: (Database) throws -> Void) throws {
        try inDatabase(queue) { db in
            try db.inTransaction(.immediate) {
                try body(db)
                return .commit
            }
        }
    }

    private func repair(
        _ queue: DatabaseQueue, _ source: (any RepairSource)?, _ result: inout RepairReport
    ) async throws {
        guard report.findings.damage > 0 else { return }
        var done: [String] = []
        if report.findings.counts[.logMissing] != nil {
            try inTransaction(queue) { done += try LogRowRepair(db: $0, charters: AuditCharters(chain)).run() }
            try inDatabase(queue) { try run($0) }
        }
        try inTransaction(queue) { done += try repairRows($0) }
        done.forEach { result.did($0) }
        let damaged = verdicts.filter { !$0.verdict.damaged.isEmpty }
        for (log, verdict) in damaged { try await fetch(log, verdict, queue, source, &result) }
        if !done.isEmpty || !damaged.isEmpty { try inDatabase(queue) { try run($0) } }
        var changed: [String] = []
        try inTransaction(queue) { changed = try replaceDerived($0) }
        changed.forEach { result.did($0) }
        try await fetchDocuments(queue, source, &result)
    }

    // MARK: Rows that are signed, or that are copies

    private func repairRows(_ db: Database) throws -> [String] {
        var done: [String] = []
        if report.findings.counts[.charterDifferent] != nil {
            try db.execute(sql: "DELETE FROM main.charter")
            for one in chain.all {
                try db.execute(
                    sql: "INSERT INTO main.charter(version, digest, file) VALUES (?, ?, ?)",
                    arguments: [one.charter.version, Data(one.digest.bytes), Data(one.file)])
            }
            done.append("charter: put the verified one in its place")
        }
        for (log, verdict) in verdicts {
            var notes = NoteRepair(db: db, log: log, charters: AuditCharters(chain), member: options.member)
            try notes.run()
            done += notes.done
            if verdict.hasEntriesBehind {
                try db.execute(
                    sql: "DELETE FROM main.entry WHERE id >= ? AND id < ?",
                    arguments: [Schema.entryID(log.id, log.size), (log.id + 1) << Schema.indexBits])
                done.append("\(log.origin): removed \(db.changesCount) entries behind the log's end")
            }
            try db.execute(
                sql: "UPDATE main.log SET origin = ?1, member = ?2 WHERE id = ?3 AND (origin <> ?1 OR member <> ?2)",
                arguments: [log.origin, log.member.id, log.id])
        }
        return done
    }

    // MARK: Derived rows

    private func replaceDerived(_ db: Database) throws -> [String] {
        var done: [String] = []
        for (log, size) in derivable {
            guard let verdict = verdicts.first(where: { $0.log.id == log.id })?.verdict else { continue }
            let end = ends[log.id]
            let edge =
                verdict.facts.frontier.size == size ? Tables.bytes(verdict.facts.frontier.hashes) : Data(log.edge)
            try db.execute(
                sql: """
                    UPDATE main.log SET size = ?1, edge = ?2, end_index = ?3, end_reason = ?4, settled = ?6 WHERE id = ?5
                    AND (size <> ?1 OR edge <> ?2 OR end_index IS NOT ?3 OR end_reason IS NOT ?4 OR settled <> ?6)
                    """,
                arguments: [
                    Int64(size), edge, end.map { Int64($0.index) }, end?.reason.rawValue, log.id,
                    Int64(settled[log.id] ?? 0),
                ])
            if db.changesCount > 0 { done.append("\(log.origin): derived the log's row again") }
        }
        let comparison = Comparison(db: db, origins: [:])
        for table in Comparison.tables {
            let changed = try comparison.replace(table)
            if changed > 0 { done.append("table \(table.name): derived \(changed) rows again") }
        }
        if derivable.count == verdicts.count { done += try replaceDocuments(db) }
        return done
    }

    /// The rows of documents, by what counted statements name; whether they are held shows the folder.
    private func replaceDocuments(_ db: Database) throws -> [String] {
        let before = db.totalChangesCount
        try db.execute(
            sql: "DELETE FROM main.document WHERE digest NOT IN (SELECT digest FROM temp.named)")
        try db.execute(
            sql: """
                UPDATE main.document SET size = (SELECT n.size FROM temp.named n WHERE n.digest = document.digest)
                WHERE NOT EXISTS
                    (SELECT 1 FROM temp.named n WHERE n.digest = document.digest AND n.size = document.size)
                """)
        try db.execute(sql: "UPDATE main.document SET held = 1 WHERE held NOT IN (0, 1)")
        try db.execute(
            sql: """
                INSERT INTO main.document(digest, size, held)
                SELECT d.digest, d.size, d.held FROM temp.document d
                WHERE d.digest NOT IN (SELECT digest FROM main.document)
                """)
        let changed = db.totalChangesCount - before
        return changed > 0 ? ["table document: derived \(changed) rows again"] : []
    }

    // MARK: Files

    private func removeLeftovers(_ result: inout RepairReport) {
        for finding in report.findings.kept where finding.code == .fileTemporary {
            guard let file = finding.place.file else { continue }
            if unlink("\(folder)/\(file)") == 0 {
                result.did("removed \(file)")
            } else {
                result.failed("\(file) cannot be removed: \(String(cString: strerror(errno)))")
            }
        }
    }

    private func fetchDocuments(
        _ queue: DatabaseQueue, _ source: (any RepairSource)?, _ result: inout RepairReport
    ) async throws {
        let wanted = report.findings.kept.filter { $0.code == .documentMissing || $0.code == .documentDamaged }
        guard !wanted.isEmpty else { return }
        let documents = try DocumentFolder(folder: "\(folder)/documents")
        for finding in wanted {
            guard let file = finding.place.file, let digest = HashValue(hex: String(file.suffix(64))) else { continue }
            var size: Int64?
            try inDatabase(queue) { db in
                size = try Int64.fetchOne(
                    db, sql: "SELECT size FROM main.document WHERE digest = ?", arguments: [Data(digest.bytes)])
            }
            guard let size else { continue }
            var reasons: [String] = []
            var isHere = false
            for member in source?.members ?? [] where !isHere {
                // What a fetch that failed left is of that peer.
                documents.discard(digest)
                switch await source?.document(digest, size: size, into: documents, from: member) {
                case .success:
                    isHere = true
                    result.did("\(file): fetched from \(member)")
                case .failure(let failure): reasons.append("\(member): \(failure.reason)")
                case nil: break
                }
            }
            if !isHere { result.failed("\(file): \(Self.nobody(reasons))") }
        }
    }

    static func nobody(_ reasons: [String]) -> String {
        reasons.isEmpty ? "no peer was asked" : "no peer gave it (\(reasons.joined(separator: "; ")))"
    }
}

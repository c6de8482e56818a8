import Alliance
import Foundation
import GRDB
import TransparencyLog

/// Puts charters in force inside the writer's transaction.
struct ChartersUpdate {
    let db: Database
    let documents: DocumentFolder
    let check: @Sendable ([[UInt8]], LogState) -> [NewEntry]
    let writer: WriterState

    /// Entries that are counted again at once; the batch that reaches it is read whole.
    private static let entriesAtOnce = 2_048

    /// - Returns: the views of all logs.
    func run(_ chain: CharterChain) throws -> [String: LogView] {
        try store(chain)
        for member in chain.versions.flatMap(\.charter.members) {
            try db.execute(
                sql: "INSERT OR IGNORE INTO log(origin, member) VALUES (?, ?)",
                arguments: [member.log.name, member.id])
        }
        var logs: [String: OpenLog] = [:]
        for origin in try String.fetchAll(db, sql: "SELECT origin FROM log ORDER BY origin") {
            // A log of a version that is contested now has no place until that is decided.
            guard let governance = LogGovernance(of: origin, under: chain),
                chain.current.charter.member(id: governance.member) != nil
            else { continue }
            var log = try Store.open(db, origin, chain, writer.recentLimits)
            log.setBacks = writer.setBacks[origin, default: 0]
            guard !isOutdated(log) else {
                logs[origin] = try derive(log, chain)
                continue
            }
            try Store.compareMaps(log, db)
            logs[origin] = log
        }
        writer.chain = chain
        writer.logs = logs
        return logs.mapValues { LogView($0) }
    }

    private func store(_ chain: CharterChain) throws {
        let digests = Set(chain.all.map(\.digest.bytes))
        for row in try GRDB.Row.fetchAll(db, sql: "SELECT version, digest FROM charter") {
            let (version, digest): (Int, Data) = (row[0], row[1])
            guard digests.contains([UInt8](digest)) else {
                throw StoreError(.rollback, "another charter of version \(version) is installed here already")
            }
        }
        for charter in chain.all {
            try db.execute(
                sql: """
                    INSERT INTO charter(version, digest, file) VALUES (?, ?, ?)
                    ON CONFLICT DO UPDATE SET file = excluded.file WHERE excluded.file <> charter.file
                    """,
                arguments: [charter.charter.version, Data(charter.digest.bytes), Data(charter.file)])
        }
    }

    /// Whether what was derived of a log would come out otherwise under this chain.
    private func isOutdated(_ log: OpenLog) -> Bool {
        guard log.size > 0, let before = writer.chain else { return false }
        return log.state.isOutdated(since: before)
    }

    /// Counts a log from its first entry on. Its entries, tree and heads stay as they are.
    func derive(_ held: OpenLog, _ chain: CharterChain) throws -> OpenLog {
        let origin = held.state.governance.origin
        let statements = try writer.statements(db)
        // What is recent moves first: identities stay, whatever counts.
        var recent = held.recent
        try recent.settle(held.id, held.size, held.mapIDs.values.sorted(), db, statements)
        try forget(held)
        var log = OpenLog(
            id: held.id, state: try LogState(origin: origin, chain: chain), frontier: held.frontier,
            headSize: held.headSize, setBacks: held.setBacks, recent: RecentTables(upTo: held.size))
        var batch: [[UInt8]] = []
        var waiting: [[[UInt8]]] = []
        var entries = 0
        for index in 0..<held.size {
            guard let entry = try Tables.entry(db, held.id, index) else {
                throw StoreError(.damaged, "entry \(index) of \(origin) is missing; run entente fsck")
            }
            batch.append(entry)
            guard entry.starts(with: StateLeaf.familyPrefix) else { continue }
            waiting.append(batch)
            entries += batch.count
            batch = []
            guard entries >= Self.entriesAtOnce || index + 1 == held.size else { continue }
            try count(waiting, &log, statements)
            (waiting, entries) = ([], 0)
        }
        try db.execute(
            sql: "UPDATE log SET end_index = ?, end_reason = ?, settled = ? WHERE id = ?",
            arguments: [
                log.state.end.map { Int64($0.index) }, log.state.end?.reason.rawValue, Int64(log.recent.settled),
                log.id,
            ])
        log.recent = try RecentTables(db, log: log.id, size: held.size, writer.recentLimits)
        return log
    }

    private func count(_ batches: [[[UInt8]]], _ log: inout OpenLog, _ statements: HotStatements) throws {
        var checked = check(batches.flatMap(\.self), log.state)[...]
        for batch in batches {
            let reader = TransactionReader(db: db, log: log, statements: statements)
            let start = log.state.size
            let outcome = try log.state.process(checked.prefix(batch.count).map(\.checked), reader: reader)
            checked = checked.dropFirst(batch.count)
            var appender = Appender(db: db, log: log, statements: statements)
            try appender.store(outcome, from: start, reader: reader, documents: documents)
            log = appender.log
        }
    }

    private func forget(_ log: OpenLog) throws {
        let entries = (Schema.entryID(log.id, 0), Schema.entryID(log.id + 1, 0))
        try db.execute(sql: "DELETE FROM ignored WHERE entry >= ? AND entry < ?", arguments: [entries.0, entries.1])
        try db.execute(
            sql: "DELETE FROM step WHERE id >= ? AND id < ?",
            arguments: [Schema.stepID(log.id, 0, 0), Schema.stepID(log.id + 1, 0, 0)])
        for table in ["row", "page", "page_hash"] {
            try db.execute(
                sql: "DELETE FROM \(table) WHERE map IN (SELECT id FROM map WHERE log = ?)", arguments: [log.id])
        }
        try db.execute(sql: "DELETE FROM map WHERE log = ?", arguments: [log.id])
    }
}

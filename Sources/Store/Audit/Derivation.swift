import Alliance
import Foundation
import GRDB
import TransparencyLog

/// Counts one log from its first entry on, into the scratch tables: what the store does as entries arrive, with every
/// signature tried again.
struct Derivation {
    /// Reads entries and checks their signatures, given the log's state before them.
    typealias Check = @Sendable ([[UInt8]], LogState) -> [NewEntry]

    let db: Database
    let documents: DocumentFolder
    let check: Check
    let progress: (UInt64) -> Void
    private var log: OpenLog
    private let writes: HotStatements
    private(set) var statements: UInt64 = 0
    /// Entries behind the last state leaf, which no log has.
    private(set) var loose: UInt64 = 0

    init(
        db: Database, log: AuditedLog, chain: CharterChain, documents: DocumentFolder, check: @escaping Check,
        progress: @escaping (UInt64) -> Void
    ) throws {
        self.db = db
        self.documents = documents
        self.check = check
        self.progress = progress
        // Names without a schema are the scratch tables: SQLite looks there first.
        self.writes = try HotStatements(db)
        self.log = OpenLog(
            id: log.id, state: try LogState(origin: log.origin, chain: chain), frontier: TreeFrontier(), headSize: 0,
            recent: RecentTables(upTo: UInt64(max(0, log.settled))))
        for row in try GRDB.Row.fetchAll(db, sql: "SELECT name, id FROM temp.map WHERE log = ?", arguments: [log.id]) {
            self.log.mapIDs[row[0]] = row[1]
        }
    }

    /// Why and where counting ended.
    var end: CountingEnd? { log.state.end }

    /// Up to where the tables are settled: as in the log's row, where that can be.
    var settled: UInt64 { log.recent.settled }

    /// Counts entries up to `size`.
    mutating func run(_ size: UInt64) throws {
        var source = BatchSource(db: db, log: log.id, size: size)
        var batches = try source.next()
        var ahead = CheckedAhead(batches.flatMap(\.self), log.state, check)
        while !batches.isEmpty {
            let entries = batches.flatMap(\.self)
            let isCurrent = ahead.rosterIndex == log.state.roster?.index
            let checked = isCurrent ? ahead.wait() : check(entries, log.state)
            let following = try source.next()
            if !following.isEmpty { ahead = CheckedAhead(following.flatMap(\.self), log.state, check) }
            var rest = checked[...]
            for batch in batches {
                try count(Array(rest.prefix(batch.count)))
                rest = rest.dropFirst(batch.count)
            }
            progress(log.state.size)
            batches = following
        }
        loose = source.loose
    }

    private mutating func count(_ batch: [NewEntry]) throws {
        let start = log.state.size
        let reader = TransactionReader(db: db, log: log, statements: writes)
        let outcome = try log.state.process(batch.map(\.checked), reader: reader)
        var appender = Appender(db: db, log: log, statements: writes)
        for (offset, entry) in batch.enumerated() {
            guard case .statement = entry.checked.entry else { continue }
            statements += 1
            appender.note(HashValue.sha256(entry.bytes), of: Schema.entryID(log.id, start + UInt64(offset)))
        }
        try appender.store(outcome, from: start, reader: reader, documents: documents)
        log = appender.log
        for document in outcome.documents {
            try db.execute(
                sql: "INSERT OR IGNORE INTO temp.named(digest, size) VALUES (?, ?)",
                arguments: [Data(document.digest.bytes), document.size])
        }
    }

    /// Gives maps the numbers that they have in the stored table, so that rows can be compared. A number says nothing; a
    /// map that is not there gets one that is free.
    static func plantMaps(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO temp.map(id, log, name, count, root)
                    SELECT id, log, name, 0, zeroblob(32) FROM main.map WHERE id > 0 ORDER BY id
                """)
    }

    /// Takes away maps that no log opened; one that was opened has a row for ever.
    static func removeUnusedMaps(_ db: Database) throws { try db.execute(sql: "DELETE FROM temp.map WHERE count = 0") }
}

/// Reads a log's whole batches, some thousand entries at a time.
private struct BatchSource {
    private let cursor: RowCursor?
    private var batch: [[UInt8]] = []
    /// Entries and bytes that are read at once; the batch that reaches either is read whole.
    private static let aim = (entries: 2_048, bytes: 2 << 20)

    init(db: Database, log: Int64, size: UInt64) {
        cursor = try? GRDB.Row.fetchCursor(
            db, sql: "SELECT packed FROM main.entry WHERE id >= ? AND id < ? ORDER BY id",
            arguments: [Schema.entryID(log, 0), Schema.entryID(log, size)])
    }

    var loose: UInt64 { UInt64(batch.count) }

    mutating func next() throws -> [[[UInt8]]] {
        var batches: [[[UInt8]]] = []
        var entries = 0
        var bytes = 0
        while batches.isEmpty || entries < Self.aim.entries && bytes < Self.aim.bytes, let row = try cursor?.next() {
            let entry = try row.withUnsafeData(atIndex: 0) { PackedEntry.audited($0) }
            batch.append(entry)
            bytes += entry.count
            guard entry.starts(with: StateLeaf.familyPrefix) else { continue }
            entries += batch.count
            batches.append(batch)
            batch = []
        }
        return batches
    }
}

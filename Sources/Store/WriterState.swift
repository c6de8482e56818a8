import Alliance
import GRDB
import TransparencyLog

/// What the writer keeps in memory between transactions, so that a batch need not read it again.
///
/// `@unchecked Sendable` because it is only ever touched inside GRDB's serial writer queue: ``Store/write(_:)`` hands
/// it to closures that run there.
final class WriterState: @unchecked Sendable {
    /// By origin.
    var logs: [String: OpenLog] = [:]
    /// The charters that are known; nil before the first is installed.
    var chain: CharterChain?
    /// How often each log was set back since the start, by origin.
    var setBacks: [String: Int] = [:]
    let recentLimits: RecentTables.Limits
    /// Whether the write under way gives way to others.
    let givingWay: GivingWay
    /// Prepared when the writer's connection is first written on; finalised before it is closed.
    private var prepared: HotStatements?

    init(recentLimits: RecentTables.Limits, turns: WriteTurns) {
        self.recentLimits = recentLimits
        givingWay = GivingWay(turns)
    }

    /// Forgets what was derived; the database is the truth.
    func forget() { logs = [:] }

    /// The statements of the writer's connection.
    func statements(_ db: Database) throws -> HotStatements {
        if let prepared { return prepared }
        let statements = try HotStatements(db, givingWay)
        prepared = statements
        return statements
    }

    /// Lets go of the connection, which is about to be closed.
    func finalize() { prepared = nil }

    /// A log, read from the database where it is not known.
    func log(_ origin: String, _ db: Database) throws -> OpenLog {
        if let log = logs[origin] { return log }
        guard let chain else { throw StoreError(.unknown, "no charter is installed here yet") }
        var log = try Store.open(db, origin, chain, recentLimits)
        log.setBacks = setBacks[origin, default: 0]
        try Store.compareMaps(log, db)
        logs[origin] = log
        return log
    }
}

/// One log as the writer knows it. A value, put back into ``WriterState`` only after its transaction's last statement.
struct OpenLog {
    let id: Int64
    var state: LogState
    var frontier: TreeFrontier
    /// Maps that were loaded.
    var maps: [String: RegisterMap] = [:]
    /// The table's ids of maps.
    var mapIDs: [String: Int64] = [:]
    var headSize: UInt64
    /// How often it was set back since the start.
    var setBacks = 0
    var recent: RecentTables

    var size: UInt64 { frontier.size }

    /// Rows of all maps.
    var rows: UInt64 { state.lines.values.reduce(0) { $0 + $1.count } }
}

/// Reads a log's derived state inside the writer's transaction, for ``LogState``; made anew for each batch.
final class TransactionReader: LogReader {
    private let db: Database
    private let log: OpenLog
    private let statements: HotStatements
    /// The newest step of each row that was there when it was read.
    private(set) var lastSteps: [RowKey: Int64] = [:]

    init(db: Database, log: OpenLog, statements: HotStatements) {
        self.db = db
        self.log = log
        self.statements = statements
    }

    func row(_ key: RowKey) throws -> LogRow? {
        guard let map = log.mapIDs[key.map] else { return nil }
        let found = try statements.row.first(map, key.key) { ($0.bytes(0), $0.integer(1), $0.integer(2)) }
        guard let (bytes, isEmptied, last) = found else { return nil }
        guard let row = LogRow(bytes: bytes, isEmptied: isEmptied != 0) else {
            throw StoreError(.damaged, "a stored row is damaged; run entente fsck")
        }
        guard isEmptied == 0 || isEmptied == 1 else {
            throw StoreError(.damaged, "a stored row is damaged; run entente fsck")
        }
        lastSteps[key] = last
        return row
    }

    func index(of identity: HashValue) throws -> UInt64? {
        // What is counted again has the identities of all that follows as well.
        let first = Schema.entryID(log.id, 0)
        let end = Schema.entryID(log.id, log.state.size)
        let prefix = Tables.prefix(identity)
        let settled = try statements.identity.integers(prefix, first, end - 1)
        let recent = try statements.recentIdentity.integers(log.id, prefix).filter { $0 < end }
        for id in settled + recent {
            let index = UInt64(id - first)
            if let bytes = try Tables.entry(db, log.id, index), HashValue.sha256(bytes) == identity { return index }
        }
        return nil
    }

    func entry(at index: UInt64) throws -> [UInt8] {
        guard let bytes = try Tables.entry(db, log.id, index) else {
            throw StoreError(.damaged, "entry \(index) of \(log.state.member.log.name) is missing; run entente fsck")
        }
        return bytes
    }

    func map(_ name: String) throws -> RegisterMap {
        if let map = log.maps[name] { return map }
        guard let id = log.mapIDs[name] else { return RegisterMap() }
        let map = try Tables.map(db, id)
        let line = log.state.lines[name] ?? StateLeaf.Line(name: name, count: 0, root: RegisterMap().root)
        guard map.root == line.root, map.count == line.count else {
            throw StoreError(.damaged, "the pages of map \(name) do not give its root; run entente fsck")
        }
        return map
    }

    func page(_ id: RegisterMapPageID, of map: String) throws -> [UInt8] {
        guard let mapID = log.mapIDs[map], let leaves = try leaves(mapID, id.number) else {
            throw StoreError(.damaged, "a page of map \(map) is missing; run entente fsck")
        }
        return leaves
    }

    private func leaves(_ map: Int64, _ page: Int64) throws -> [UInt8]? {
        if let place = try statements.recentPlace.first(map, page, { $0.integer(0) }) {
            return try statements.recentPage.first(place) { $0.bytes(0) }
        }
        return try statements.page.first(map, page) { $0.bytes(0) }
    }
}

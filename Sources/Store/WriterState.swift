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
    /// The charter in force; nil before the first is installed.
    var charter: VerifiedCharter?

    /// Forgets what was derived; the database is the truth.
    func forget() { logs = [:] }

    /// A log, read from the database where it is not known.
    func log(_ origin: String, _ db: Database) throws -> OpenLog {
        if let log = logs[origin] { return log }
        guard let charter, let member = charter.charter.member(origin: origin) else {
            throw StoreError(.unknown, "no log \(origin) here")
        }
        let log = try Store.open(db, member, charter)
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

    var size: UInt64 { frontier.size }
}

/// Reads a log's derived state inside the writer's transaction, for ``LogState``.
struct TransactionReader: LogReader {
    let db: Database
    let log: OpenLog

    func row(_ key: RowKey) throws -> LogRow? {
        guard let map = log.mapIDs[key.map] else { return nil }
        return try Tables.row(db, map, key.key)?.row
    }

    func index(of identity: HashValue) throws -> UInt64? { try Tables.index(db, log.id, of: identity) }

    func entry(at index: UInt64) throws -> [UInt8] {
        guard let bytes = try Tables.entry(db, log.id, index) else {
            throw StoreError(.damaged, "entry \(index) of \(log.state.member.log.name) is missing; run entente fsck")
        }
        return bytes
    }

    func map(_ name: String) throws -> RegisterMap {
        if let map = log.maps[name] { return map }
        guard let id = log.mapIDs[name] else { return RegisterMap() }
        return try Tables.map(db, id)
    }

    func page(_ id: RegisterMapPageID, of map: String) throws -> [UInt8] {
        guard let mapID = log.mapIDs[map], let leaves = try Tables.page(db, mapID, id) else {
            throw StoreError(.damaged, "a page of map \(map) is missing; run entente fsck")
        }
        return leaves
    }
}

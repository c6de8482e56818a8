public import Alliance
import Foundation
import GRDB
import Synchronization
public import TransparencyLog

/// What a node holds of one log.
public struct LogRecord: Sendable {
    public let origin: String
    public let member: String
    /// Entries held.
    public let size: UInt64
    public let frontier: TreeFrontier
    /// The newest checkpoint signed by the log's key that is held whole: its size, and the note with that signature.
    public let headSize: UInt64
    public let head: [UInt8]?
    /// The largest size that this node cosigned.
    public let cosigned: UInt64
    /// The newest size that a quorum holds; 0 if none yet.
    public let quorum: UInt64
    public let end: CountingEnd?
}

extension Store {
    /// The files of all charters that are installed, the oldest version first.
    public func charterFiles() async throws -> [[UInt8]] { try await read { try Self.charterFiles($0) } }

    static func charterFiles(_ db: Database) throws -> [[UInt8]] {
        try Data.fetchAll(db, sql: "SELECT file FROM main.charter ORDER BY version, digest").map { [UInt8]($0) }
    }

    /// Installs version 1 alone.
    public func install(_ charter: VerifiedCharter) async throws {
        try await install(CharterChain(charter)) { entries, state in
            let keys = state.candidates(with: entries.map { LogEntry($0) })
            return entries.map { NewEntry($0, keys: keys) }
        }
    }

    /// Installs the charters that are known, makes a place for each member's log, and counts again what a cut governs
    /// otherwise than before: all in one transaction.
    ///
    /// - Parameters:
    ///   - chain: with every charter that was installed before.
    ///   - check: reads entries and checks their signatures, given the log's state before them.
    /// - Throws: ``StoreError`` with code `rollback` where another charter was installed before.
    public func install(
        _ chain: CharterChain, check: @Sendable @escaping (_ entries: [[UInt8]], _ state: LogState) -> [NewEntry]
    ) async throws {
        let shown = try await write { [documents] db, writer in
            try ChartersUpdate(db: db, documents: documents, check: check, writer: writer).run(chain)
        }
        views.withLock { $0.merge(shown) { $1 } }
    }

    /// Reads a log's derived state again: a few rows, whatever the log's size.
    static func open(
        _ db: Database, _ origin: String, _ chain: CharterChain, _ limits: RecentTables.Limits
    ) throws -> OpenLog {
        let record = try record(db, origin)
        guard let id = try Int64.fetchOne(db, sql: "SELECT id FROM log WHERE origin = ?", arguments: [origin])
        else { throw StoreError(.unknown, "no log \(origin) here") }
        var ids: [String: Int64] = [:]
        var lines: [StateLeaf.Line] = []
        for row in try GRDB.Row.fetchAll(
            db, sql: "SELECT id, name, count, root FROM map WHERE log = ?", arguments: [id])
        {
            let name: String = row[1]
            let count: Int64 = row[2]
            let root: Data = row[3]
            guard count >= 0 else { throw StoreError(.damaged, "map \(name) is damaged; run entente fsck") }
            ids[name] = row[0]
            lines.append(StateLeaf.Line(name: name, count: UInt64(count), root: HashValue(root) ?? .zero))
        }
        // What a row of these maps names is an entry of the log with that leaf hash.
        func entry(_ item: LogRow.Item?) throws -> [UInt8] {
            guard let item, let entry = try Tables.entry(db, id, item.index), MerkleTree.leafHash(entry) == item.leaf
            else { throw StoreError(.damaged, "a roster or definition of \(origin) is damaged; run entente fsck") }
            return entry
        }
        var roster: (index: UInt64, entry: [UInt8])?
        if let line = lines.first(where: { $0.name == ReservedMap.rosters }), line.count > 0,
            let map = ids[ReservedMap.rosters]
        {
            let newest = try Tables.row(db, map, Array(String(line.count - 1).utf8))?.row.items.first
            roster = (newest?.index ?? 0, try entry(newest))
        }
        var definitions: [[UInt8]] = []
        if let map = ids[ReservedMap.registers] {
            for bytes in try Data.fetchAll(db, sql: "SELECT bytes FROM row WHERE map = ?", arguments: [map]) {
                definitions.append(try entry(LogRow(bytes: [UInt8](bytes), isEmptied: false)?.items.last))
            }
        }
        let last = record.size > 0 ? try Tables.entry(db, id, record.size - 1) : nil
        let state = try LogState(
            origin: origin, chain: chain, frontier: record.frontier, lines: lines, end: record.end, roster: roster,
            definitions: definitions, last: last)
        try compareTree(record)
        return OpenLog(
            id: id, state: state, frontier: record.frontier, mapIDs: ids, headSize: record.headSize,
            recent: try RecentTables(db, log: id, size: record.size, limits))
    }

    /// Compares a log's tree with the head that its key signed: the next one goes on from it.
    private static func compareTree(_ record: LogRecord) throws {
        guard let head = record.head, record.headSize == record.size else { return }
        let checkpoint = try? Checkpoint(parsing: SignedNote(parsing: head).text)
        guard checkpoint?.size == record.size, checkpoint?.root == record.frontier.root else {
            throw StoreError(.damaged, "the tree of \(record.origin) is not that of its head; run entente fsck")
        }
    }

    /// Compares a log's maps, derived under the charters that it was opened with, with its newest state leaf.
    static func compareMaps(_ log: OpenLog, _ db: Database) throws {
        guard log.state.end == nil, log.state.isJudged, log.size > 0,
            case .stateLeaf(let leaf)? = try Tables.entry(db, log.id, log.size - 1).map({ LogEntry($0) })
        else { return }
        guard Set(leaf.lines) == Set(log.state.lines.values) else {
            throw StoreError(
                .damaged, "the maps of \(log.state.governance.origin) are not those of its state; run entente fsck")
        }
    }

    static func record(_ db: Database, _ origin: String) throws -> LogRecord {
        guard
            let row = try GRDB.Row.fetchOne(
                db.cachedStatement(sql: "SELECT \(LogRecord.columns) FROM log WHERE origin = ?"), arguments: [origin])
        else {
            throw StoreError(.unknown, "no log \(origin) here")
        }
        return try LogRecord(row)
    }

    /// What is held of every log, by origin.
    public func logs() async throws -> [LogRecord] {
        try await read { db in
            try GRDB.Row.fetchAll(db.cachedStatement(sql: "SELECT \(LogRecord.columns) FROM log ORDER BY origin")).map {
                try LogRecord($0)
            }
        }
    }

    /// What is held of one log.
    public func log(_ origin: String) async throws -> LogRecord { try await read { try Self.record($0, origin) } }

    /// A log's derived state, as of its last durable append.
    public func state(of origin: String) async throws -> LogState {
        try view(of: origin).state
    }

    /// The right edge of a log's tree, as of its last durable append.
    public func frontier(of origin: String) throws -> TreeFrontier { try view(of: origin).frontier }

    /// Entries held of a log, as of its last durable append.
    public func size(of origin: String) throws -> UInt64 { try view(of: origin).frontier.size }

    /// The log that says what a member states: its own, or, while that does not hold yet what a log under a new key begins
    /// with, the one before.
    public func speaking(for origin: String) -> String {
        var origin = origin
        while let state = try? view(of: origin).state, !state.isBegun, let before = state.governance.predecessor {
            origin = before.origin
        }
        return origin
    }

    func view(of origin: String) throws -> LogView {
        guard let view = views.withLock({ $0[origin] }) else { throw StoreError(.unknown, "no log \(origin) here") }
        return view
    }
}

extension LogRecord {
    /// In the order in which a row is read: finding a column by its name takes longer than reading it.
    static let columns = "origin, member, size, edge, head_size, head, cosigned, quorum, end_index, end_reason"

    init(_ row: GRDB.Row) throws {
        origin = row[0]
        member = row[1]
        let size: Int64 = row[2]
        let edge: Data = row[3]
        let headSize: Int64 = row[4]
        let head: Data? = row[5]
        let cosigned: Int64 = row[6]
        let quorum: Int64 = row[7]
        let endIndex: Int64? = row[8]
        let endReason: String? = row[9]
        guard min(size, headSize, cosigned, quorum, endIndex ?? 0) >= 0 else {
            throw StoreError(.damaged, "the row of log \(origin) is damaged; run entente fsck")
        }
        self.size = UInt64(size)
        frontier = try TreeFrontier(size: UInt64(size), hashes: Tables.hashes(edge))
        self.headSize = UInt64(headSize)
        self.head = head.map { [UInt8]($0) }
        self.cosigned = UInt64(cosigned)
        self.quorum = UInt64(quorum)
        end = endIndex.flatMap { index in
            endReason.flatMap { CountingEnd.Reason(rawValue: $0) }.map { CountingEnd(index: UInt64(index), reason: $0) }
        }
    }
}

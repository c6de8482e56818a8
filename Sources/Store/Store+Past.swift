public import Alliance
import Foundation
import GRDB
public import TransparencyLog

/// The first quorum of a checkpoint that this node saw: who held it, and since when.
public struct FirstQuorum: Sendable {
    public let size: UInt64
    public let root: HashValue
    /// The lines of the note, the log's own among them. They were verified when they were kept.
    public let signatures: [NoteSignature]
    /// The version of the charter that the state leaf before this size names.
    public let charterVersion: Int
}

/// A key of a map that was changed below a size of the log, and what is needed to know its row there.
public struct PastRow: Sendable {
    public let key: String
    /// The row as it is now, where nothing at or above the size touched it; else nil, and ``history`` says what it was.
    public let present: Alliance.Row?
    /// The indexes below the size of the statements that touched it, ascending; empty where ``present`` is given.
    public let history: [UInt64]
}

extension Store {
    /// First quorums of a log's checkpoints, the largest size first.
    ///
    /// - Parameter below: only sizes below this one; nil for all.
    public func firstQuorums(of origin: String, below: UInt64?, limit: Int) async throws -> [FirstQuorum] {
        try await read { db in
            let record = try Self.record(db, origin)
            let log = try Self.logID(db, origin)
            let most = min(below.map { $0 > 0 ? $0 - 1 : 0 } ?? record.size, record.size)
            return try GRDB.Row.fetchAll(
                db.cachedStatement(
                    sql: "SELECT size, note FROM first_quorum WHERE log = ? AND size <= ? ORDER BY size DESC LIMIT ?"),
                arguments: [log, Int64(most), limit]
            ).map { row in
                let size: Int64 = row[0]
                let bytes: Data = row[1]
                let note = try SignedNote(parsing: [UInt8](bytes))
                guard let leaf = try Tables.entry(db, log, UInt64(size) - 1) else {
                    throw StoreError(.damaged, "entry \(size - 1) of \(origin) is missing; run entente fsck")
                }
                return FirstQuorum(
                    size: UInt64(size), root: try Checkpoint(parsing: note.text).root, signatures: note.signatures,
                    charterVersion: Int(clamping: try StateLeaf(parsing: leaf).charterVersion))
            }
        }
    }

    /// The indexes below a size of all counted statements that ever touched a key, ascending.
    ///
    /// - Throws: ``StoreError`` with code `limit` where there are more than ``historyLimit``.
    public func history(of key: RowKey, in origin: String, below size: UInt64) async throws -> [UInt64] {
        try await read { db in
            guard let map = try Self.mapID(db, origin, key.map), let last = try Tables.row(db, map, key.key)?.last
            else { return [] }
            return try Self.steps(db, from: last, below: size)
        }
    }

    /// The keys of a map that something below a size touched, in the order of their bytes.
    ///
    /// - Parameters:
    ///   - after: the last key of the page before.
    ///   - limit: keys of the map that are looked at; fewer may come back, since some are newer.
    /// - Returns: the rows, and the last key that was looked at; nil for that where the map has no more.
    public func pastRows(
        of origin: String, map: String, below size: UInt64, after: String?, limit: Int
    ) async throws -> (rows: [PastRow], last: String?) {
        try await read { db in
            guard let id = try Self.mapID(db, origin, map) else { return ([], nil) }
            let found = try GRDB.Row.fetchAll(
                db.cachedStatement(
                    sql: "SELECT key, bytes, emptied, last FROM row WHERE map = ? AND key > ? ORDER BY key LIMIT ?"),
                arguments: [id, Data((after ?? "").utf8), limit])
            var rows: [PastRow] = []
            var last: String?
            for row in found {
                let keyBytes: Data = row[0]
                let bytes: Data = row[1]
                let step: Int64 = row[3]
                let key = String(decoding: keyBytes, as: UTF8.self)
                last = key
                guard Self.index(ofStep: step) >= size else {
                    guard let value = LogRow(bytes: [UInt8](bytes), isEmptied: row[2]) else {
                        throw StoreError(.damaged, "a stored row is damaged; run entente fsck")
                    }
                    rows.append(PastRow(key: key, present: value, history: []))
                    continue
                }
                let history = try Self.steps(db, from: step, below: size)
                if !history.isEmpty { rows.append(PastRow(key: key, present: nil, history: history)) }
            }
            return (rows, found.count < limit ? nil : last)
        }
    }

    private static func index(ofStep id: Int64) -> UInt64 { UInt64(id >> 11 & ((1 << 40) - 1)) }

    private static func steps(_ db: Database, from last: Int64, below size: UInt64) throws -> [UInt64] {
        let next = try db.cachedStatement(sql: "SELECT previous FROM step WHERE id = ?")
        var indexes: [UInt64] = []
        var step: Int64? = last
        while let id = step {
            let index = index(ofStep: id)
            if index < size, indexes.last != index { indexes.append(index) }
            guard indexes.count <= historyLimit else {
                throw StoreError(.limit, "more than \(historyLimit) statements touched one key; no past row is given")
            }
            step = try Int64.fetchOne(next, arguments: [id])
        }
        return indexes.reversed()
    }
}

public import Alliance
import Foundation
import GRDB
public import TransparencyLog

/// One key of a map with its row.
public struct StoredRow: Sendable {
    public let key: String
    public let row: Alliance.Row
}

extension Store {
    static func mapID(_ db: Database, _ origin: String, _ name: String) throws -> Int64? {
        try Int64.fetchOne(
            db.cachedStatement(
                sql: "SELECT map.id FROM map JOIN log ON log.id = map.log WHERE log.origin = ? AND map.name = ?"),
            arguments: [origin, name])
    }

    /// The maps of a log: name, row count and root.
    public func maps(of origin: String) async throws -> [StateLeaf.Line] {
        try await read { db in
            try GRDB.Row.fetchAll(
                db.cachedStatement(
                    sql: """
                        SELECT map.name, map.count, map.root FROM map JOIN log ON log.id = map.log
                        WHERE log.origin = ? ORDER BY map.name
                        """), arguments: [origin]
            ).map { row in
                let count: Int64 = row[1]
                let root: Data = row[2]
                return StateLeaf.Line(name: row[0], count: UInt64(count), root: HashValue(root) ?? .zero)
            }
        }
    }

    /// The row of a key in a map of a log.
    public func row(_ key: RowKey, of origin: String) async throws -> Alliance.Row? {
        try await read { db in
            guard let map = try Self.mapID(db, origin, key.map) else { return nil }
            return try Tables.row(db, map, key.key)?.row
        }
    }

    /// Rows of a map in the order of their keys' bytes.
    ///
    /// - Parameter after: the last key of the page before.
    public func rows(of origin: String, map: String, after: String?, limit: Int) async throws -> [StoredRow] {
        try await read { db in
            guard let id = try Self.mapID(db, origin, map) else { return [] }
            let rows = try GRDB.Row.fetchAll(
                db.cachedStatement(
                    sql: "SELECT key, bytes, emptied FROM row WHERE map = ? AND key > ? ORDER BY key LIMIT ?"),
                arguments: [id, Data((after ?? "").utf8), limit])
            return try rows.map { row in
                let key: Data = row[0]
                let bytes: Data = row[1]
                guard let value = LogRow(bytes: [UInt8](bytes), isEmptied: row[2]) else {
                    throw StoreError(.damaged, "a stored row is damaged; run entente fsck")
                }
                return StoredRow(key: String(decoding: key, as: UTF8.self), row: value)
            }
        }
    }

    /// Steps of one key's history that are read at the most.
    public static let historyLimit = 10_000

    /// The indexes of all counted statements that ever touched a key, newest first.
    public func history(of key: RowKey, in origin: String) async throws -> [UInt64] {
        try await read { db in
            guard let map = try Self.mapID(db, origin, key.map), let last = try Tables.row(db, map, key.key)?.last
            else {
                return []
            }
            let next = try db.cachedStatement(sql: "SELECT previous FROM step WHERE id = ?")
            var indexes: [UInt64] = []
            var step: Int64? = last
            while let id = step, indexes.count < Self.historyLimit {
                let index = UInt64(id >> 11 & ((1 << 40) - 1))
                if indexes.last != index { indexes.append(index) }
                step = try Int64.fetchOne(next, arguments: [id])
            }
            return indexes
        }
    }

    /// Documents that counted statements name and whose bytes are not here: the oldest first.
    public func wantedDocuments(limit: Int) async throws -> [(digest: HashValue, size: Int64)] {
        try await read { db in
            try GRDB.Row.fetchAll(
                db.cachedStatement(sql: "SELECT digest, size FROM document WHERE held = 0 LIMIT ?"), arguments: [limit]
            )
            .compactMap { row in
                let digest: Data = row[0]
                return HashValue(digest).map { ($0, row[1]) }
            }
        }
    }

    /// Notes that a document's bytes are here, durably.
    public func markHeld(_ digest: HashValue) async throws {
        try await write { db, _ in
            try db.cachedStatement(sql: "UPDATE document SET held = 1 WHERE digest = ?").execute(arguments: [
                Data(digest.bytes)
            ])
        }
    }

    /// Whether some counted statement names this document, and its size.
    public func documentSize(_ digest: HashValue) async throws -> Int64? {
        try await read { db in
            try Int64.fetchOne(
                db.cachedStatement(sql: "SELECT size FROM document WHERE digest = ?"), arguments: [Data(digest.bytes)])
        }
    }
}

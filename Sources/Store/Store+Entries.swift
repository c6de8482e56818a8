import Alliance
import Foundation
import GRDB
public import TransparencyLog

/// A part of a log for a peer that is behind: whole batches, and the proof that leads from their end to the head.
public struct StoredRange: Sendable {
    public let from: UInt64
    public let entries: [[UInt8]]
    /// Where the range ends: a batch's end.
    public let to: UInt64
    /// The consistency proof from `to` to the head; empty where they are the same.
    public let proof: [HashValue]
}

extension Store {
    static func logID(_ db: Database, _ origin: String) throws -> Int64 {
        guard
            let id = try Int64.fetchOne(
                db.cachedStatement(sql: "SELECT id FROM log WHERE origin = ?"), arguments: [origin])
        else {
            throw StoreError(.unknown, "no log \(origin) here")
        }
        return id
    }

    static func entries(_ db: Database, _ log: Int64, _ range: Range<UInt64>) throws -> [[UInt8]] {
        let statement = try db.cachedStatement(sql: "SELECT packed FROM entry WHERE id >= ? AND id < ? ORDER BY id")
        let ids: StatementArguments = [Schema.entryID(log, range.lowerBound), Schema.entryID(log, range.upperBound)]
        var entries: [[UInt8]] = []
        entries.reserveCapacity(Int(range.upperBound - range.lowerBound))
        let cursor = try GRDB.Row.fetchCursor(statement, arguments: ids)
        while let row = try cursor.next() {
            entries.append(try entry(row))
        }
        guard entries.count == Int(range.upperBound - range.lowerBound) else {
            throw StoreError(.damaged, "entries of a log are missing; run entente fsck")
        }
        return entries
    }

    private static func entry(_ row: GRDB.Row) throws -> [UInt8] {
        try row.withUnsafeData(atIndex: 0) { packed in
            try (packed ?? Data()).withUnsafeBytes { try PackedEntry.bytes($0) }
        }
    }

    /// The entries of a range that is held.
    public func entries(of origin: String, in range: Range<UInt64>) async throws -> [[UInt8]] {
        try await read { db in
            let record = try Self.record(db, origin)
            guard range.upperBound <= record.size else {
                throw StoreError(.unknown, "\(origin) has \(record.size) entries here")
            }
            return try Self.entries(db, try Self.logID(db, origin), range)
        }
    }

    /// One entry, and why it does not count; nil for the latter where it does, or is a state leaf.
    ///
    /// - Throws: ``StoreError`` with code `unknown` where it is not held.
    public func entry(at index: UInt64, of origin: String) async throws -> (bytes: [UInt8], ignored: String?) {
        let view = try view(of: origin)
        guard index < view.frontier.size else {
            throw StoreError(.unknown, "\(origin) has \(view.frontier.size) entries here")
        }
        return try await read { db in
            let log = try Self.logID(db, origin)
            let bytes = try Self.entries(db, log, index..<index + 1)[0]
            let id = Schema.entryID(log, index)
            let reason = try String.fetchOne(
                db.cachedStatement(sql: "SELECT reason FROM ignored WHERE entry = ?"), arguments: [id])
            let isAfterEnd = view.state.end.map { index >= $0.index } ?? false
            return (bytes, reason ?? (isAfterEnd ? Verdict.Reason.afterEnd.rawValue : nil))
        }
    }

    /// Entries and bytes that a range goes for; it ends with the batch that reaches either.
    public static let rangeEntryAim = 512
    public static let rangeByteAim = 1 << 20

    /// Whole batches from `from` on, at least one, and the proof to the tree of `headSize`.
    ///
    /// - Throws: ``StoreError`` with code `unknown` where `from` or `headSize` is not held.
    public func range(of origin: String, from: UInt64, headSize: UInt64) async throws -> StoredRange {
        try await read { db in
            let record = try Self.record(db, origin)
            guard from < headSize, headSize <= record.size else {
                throw StoreError(.unknown, "\(origin) has \(record.size) entries here, not \(from) to \(headSize)")
            }
            let log = try Self.logID(db, origin)
            let statement = try db.cachedStatement(sql: "SELECT packed FROM entry WHERE id >= ? AND id < ? ORDER BY id")
            let cursor = try GRDB.Row.fetchCursor(
                statement, arguments: [Schema.entryID(log, from), Schema.entryID(log, headSize)])
            var entries: [[UInt8]] = []
            var whole = 0
            var bytes = 0
            while let row = try cursor.next() {
                let entry = try Self.entry(row)
                entries.append(entry)
                bytes += entry.count + 2
                let isLeaf = entry.starts(with: StateLeaf.familyPrefix)
                if isLeaf { whole = entries.count }
                if isLeaf, entries.count >= Self.rangeEntryAim || bytes >= Self.rangeByteAim { break }
                // A batch beside others that would make the range too long waits for the next one.
                if whole > 0, entries.count >= LogState.batchLimit || bytes > LogState.batchByteLimit { break }
            }
            entries.removeSubrange(whole...)
            let to = from + UInt64(entries.count)
            let tiles = StoredTiles(db: db, log: log, size: record.size)
            let proof = try MerkleTree.consistencyProof(from: to, to: headSize, reader: tiles.reader)
            return StoredRange(from: from, entries: entries, to: to, proof: to == headSize ? [] : proof)
        }
    }

    /// The root of a log's tree at an earlier or the present size.
    public func root(of origin: String, at size: UInt64) async throws -> HashValue {
        try await read { db in
            let record = try Self.record(db, origin)
            guard size <= record.size else { throw StoreError(.unknown, "\(origin) has \(record.size) entries here") }
            let log = try Self.logID(db, origin)
            return try MerkleTree.root(size: size, reader: StoredTiles(db: db, log: log, size: record.size).reader)
        }
    }

    /// The proof that one tree of a log begins with another.
    public func consistencyProof(of origin: String, from: UInt64, to: UInt64) async throws -> [HashValue] {
        try await read { db in
            let record = try Self.record(db, origin)
            guard from <= to, to <= record.size else {
                throw StoreError(.unknown, "\(origin) has \(record.size) entries here")
            }
            let log = try Self.logID(db, origin)
            return try MerkleTree.consistencyProof(
                from: from, to: to, reader: StoredTiles(db: db, log: log, size: record.size).reader)
        }
    }

    /// A tile or entry bundle, as C2SP tlog-tiles names it.
    ///
    /// - Returns: nil where the tree that is held does not have it (yet). A partial tile is cut from what is held.
    public func tile(_ path: TilePath, of origin: String) async throws -> [UInt8]? {
        try await read { db in
            let record = try Self.record(db, origin)
            let log = try Self.logID(db, origin)
            switch path.content {
            case .hashes(let level):
                // Beyond what a tree of this size has, numbers would run into those of other tiles.
                guard level < 8, path.index <= record.size >> UInt64(8 * (level + 1)),
                    let tile = try Tables.tile(db, log, level, path.index),
                    tile.count >= path.width * HashValue.byteCount
                else { return nil }
                return Array(tile.prefix(path.width * HashValue.byteCount))
            case .entries:
                let (start, overflow) = path.index.multipliedReportingOverflow(by: UInt64(TilePath.fullWidth))
                guard !overflow, start < record.size, UInt64(path.width) <= record.size - start else { return nil }
                return try EntryBundle.encode(try Self.entries(db, log, start..<start + UInt64(path.width)))
            }
        }
    }

    /// Why an entry does not count; nil where it does, or is a state leaf.
    public func ignored(of origin: String, in range: Range<UInt64>) async throws -> [UInt64: String] {
        try await read { db in
            let log = try Self.logID(db, origin)
            let rows = try GRDB.Row.fetchAll(
                db.cachedStatement(sql: "SELECT entry, reason FROM ignored WHERE entry >= ? AND entry < ?"),
                arguments: [Schema.entryID(log, range.lowerBound), Schema.entryID(log, range.upperBound)])
            var result: [UInt64: String] = [:]
            for row in rows {
                let id: Int64 = row[0]
                result[UInt64(id & ((1 << Schema.indexBits) - 1))] = row[1]
            }
            return result
        }
    }

    /// Where a statement stands in a log.
    public func index(of identity: HashValue, in origin: String) async throws -> UInt64? {
        try await read { db in try Tables.index(db, try Self.logID(db, origin), of: identity) }
    }
}

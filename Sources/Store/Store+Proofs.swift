public import Alliance
import Foundation
import GRDB
import Synchronization
public import TransparencyLog

/// All that a proof of one row needs, read as of one moment.
public struct StoredProof: Sendable {
    /// The newest quorum's checkpoint.
    public let checkpoint: SignedCheckpoint
    /// The first quorum's note of the first checkpoint that covers the row's newest statement.
    public let firstNote: [UInt8]?
    public let stateLeaf: [UInt8]
    public let stateIndex: UInt64
    public let inclusion: [HashValue]
    public let rowProof: RegisterMapProof?
    public let row: Alliance.Row?
    /// The row's statements, each with the approvals that stand behind it in its batch.
    public let statements: [(index: UInt64, bytes: [UInt8], approvals: [(index: UInt64, bytes: [UInt8])])]
    public let rosters: [StoredRoster]
    /// The newest counted definition of the register: its entry, and its row's proof in `@registers`.
    public let definition: (index: UInt64, bytes: [UInt8], proof: RegisterMapProof)?
}

/// A roster with its proofs in `@rosters`.
public struct StoredRoster: Sendable {
    public let ordinal: UInt64
    public let index: UInt64
    public let bytes: [UInt8]
    public let proof: RegisterMapProof
    public let next: Alliance.Row.Item?
    public let nextProof: RegisterMapProof
}

extension Store {
    /// Gathers a proof about one key of one log, from the newest checkpoint that a quorum holds.
    ///
    /// - Returns: nil while no quorum holds the newest state: maps are kept as of that state only.
    /// - Throws: ``StoreError`` with code `unknown` where the log is empty.
    public func proof(of key: RowKey, register: String, in origin: String) async throws -> StoredProof? {
        try await read { [self] db in
            let record = try Self.record(db, origin)
            let log = try Self.logID(db, origin)
            guard record.size > 0 else { throw StoreError(.unknown, "nothing is held of \(origin) yet") }
            guard record.quorum == record.size, let checkpoint = try Self.checkpoint(db, log, record.quorum) else {
                return nil
            }
            let gatherer = ProofGatherer(db: db, log: log, origin: origin, checkpoint: checkpoint, store: self)
            return try gatherer.gather(key, register)
        }
    }

    /// A map as the reader's snapshot has it: the one that the writer keeps, one that was loaded, or loaded now.
    fileprivate func map(_ name: String, of origin: String, _ id: Int64, _ db: Database) throws -> RegisterMap {
        guard
            let stored = try Data.fetchOne(
                db.cachedStatement(sql: "SELECT root FROM map WHERE id = ?"), arguments: [id]),
            let root = HashValue(stored)
        else { throw StoreError(.damaged, "the map \(name) of \(origin) is damaged; run entente fsck") }
        if let map = views.withLock({ $0[origin]?.maps[name] }), map.root == root { return map }
        if let map = loadedMaps.map(id, root: root) { return map }
        let map = try Tables.map(db, id)
        loadedMaps.keep(map, id)
        return map
    }
}

private struct ProofGatherer {
    let db: Database
    let log: Int64
    let origin: String
    let checkpoint: SignedCheckpoint
    let store: Store

    func gather(_ key: RowKey, _ register: String) throws -> StoredProof {
        let stateIndex = checkpoint.size - 1
        let (row, proof) = try look(up: key)
        let statements = try (row?.items ?? []).map { item in
            (index: item.index, bytes: try entry(item.index), approvals: try approvals(behind: item.index))
        }
        let definitionKey = RowKey(map: ReservedMap.registers, key: register)
        let (definitionRow, definitionProof) = try look(up: definitionKey)
        var definition: (index: UInt64, bytes: [UInt8], proof: RegisterMapProof)?
        if let item = definitionRow?.items.last, let definitionProof {
            definition = (item.index, try entry(item.index), definitionProof)
        }
        let governed = statements.map(\.index) + (definition.map { [$0.index] } ?? [])
        let tiles = StoredTiles(db: db, log: log, size: checkpoint.size)
        return StoredProof(
            checkpoint: checkpoint, firstNote: try statements.map(\.index).max().flatMap { try firstQuorum(over: $0) },
            stateLeaf: try entry(stateIndex), stateIndex: stateIndex,
            inclusion: try MerkleTree.inclusionProof(index: stateIndex, size: checkpoint.size, reader: tiles.reader),
            rowProof: proof, row: row, statements: statements, rosters: try rosters(before: governed),
            definition: definition)
    }

    private func entry(_ index: UInt64) throws -> [UInt8] {
        guard let bytes = try Tables.entry(db, log, index) else {
            throw StoreError(.damaged, "entry \(index) of \(origin) is missing; run entente fsck")
        }
        return bytes
    }

    private func look(up key: RowKey) throws -> (LogRow?, RegisterMapProof?) {
        guard let id = try Store.mapID(db, origin, key.map) else { return (nil, nil) }
        let map = try store.map(key.map, of: origin, id, db)
        let proof = try map.prove(key: key.key) { page in
            guard let leaves = try Tables.page(db, id, page) else {
                throw StoreError(.damaged, "a page of map \(key.map) is missing; run entente fsck")
            }
            return leaves
        }
        return (try Tables.row(db, id, key.key)?.row, proof)
    }

    /// Approvals of a statement stand behind it and before the state leaf of its batch.
    private func approvals(behind index: UInt64) throws -> [(index: UInt64, bytes: [UInt8])] {
        let identity = HashValue.sha256(try entry(index))
        var found: [(index: UInt64, bytes: [UInt8])] = []
        var next = index + 1
        while next < checkpoint.size, next < index + UInt64(LogState.batchLimit) {
            let bytes = try entry(next)
            if bytes.starts(with: StateLeaf.familyPrefix) { break }
            if Press.mayBeApproval(bytes), case .statement(let statement) = LogEntry(bytes),
                case .approval(let approved) = statement.body,
                approved.contains(identity)
            {
                found.append((next, bytes))
            }
            next += 1
        }
        return found
    }

    private func firstQuorum(over index: UInt64) throws -> [UInt8]? {
        try Data.fetchOne(
            db.cachedStatement(sql: "SELECT note FROM first_quorum WHERE log = ? AND size > ? ORDER BY size LIMIT 1"),
            arguments: [log, Int64(index)]
        ).map { [UInt8]($0) }
    }

    private func rosters(before indexes: [UInt64]) throws -> [StoredRoster] {
        guard let map = try Store.mapID(db, origin, ReservedMap.rosters) else { return [] }
        let count =
            try Int64.fetchOne(db.cachedStatement(sql: "SELECT count FROM map WHERE id = ?"), arguments: [map]) ?? 0
        var items: [LogRow.Item] = []
        for ordinal in 0..<count {
            guard let item = try Tables.row(db, map, Array(String(ordinal).utf8))?.row.items.first else { break }
            items.append(item)
        }
        let needed = Set(indexes.compactMap { index in items.lastIndex { $0.index < index } })
        return try needed.sorted().map { position in
            let (_, proof) = try look(up: RowKey(map: ReservedMap.rosters, key: String(position)))
            let (_, nextProof) = try look(up: RowKey(map: ReservedMap.rosters, key: String(position + 1)))
            guard let proof, let nextProof else { throw StoreError(.damaged, "the map of rosters is missing") }
            return StoredRoster(
                ordinal: UInt64(position), index: items[position].index, bytes: try entry(items[position].index),
                proof: proof, next: position + 1 < items.count ? items[position + 1] : nil, nextProof: nextProof)
        }
    }
}

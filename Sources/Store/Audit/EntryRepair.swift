import Alliance
import Foundation
import GRDB
import TransparencyLog

extension FolderAudit {
    /// Fetches a log's damaged and missing entries from peers.
    ///
    /// The tree is built up to the first such entry; the entries that a peer sends from there on are taken where the tree
    /// that they lead to is one that the log's key signed, or provably begins one. The signed root is one that is stored
    /// here; a peer's newer checkpoint counts only where ours does not reach as far, and only if it extends ours.
    func fetch(
        _ log: AuditedLog, _ verdict: TreeVerdict, _ queue: DatabaseQueue, _ source: (any RepairSource)?,
        _ result: inout RepairReport
    ) async throws {
        var walk = TreeWalk(queue: queue, log: log.id)
        for range in verdict.damaged.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            var next = max(range.lowerBound, walk.frontier.size)
            while next < range.upperBound {
                try walk.advance(to: next)
                guard let source, let head = await target(log, verdict, beyond: next, source) else {
                    return result.failed(
                        "\(log.origin), entries from \(next) on: no peer was asked, or none has a signed head so long"
                    )
                }
                var reasons: [String] = []
                var taken: [[UInt8]]?
                for member in source.members where taken == nil {
                    let answer = await source.range(
                        of: log.origin, from: next, headSize: head.size, headRoot: head.root, at: member)
                    switch answer {
                    case .failure(let failure): reasons.append("\(member): \(failure.reason)")
                    case .success(let fetched):
                        guard Self.isProven(fetched, walk.frontier, head) else {
                            reasons.append("\(member): what it sent is not under the signed root")
                            continue
                        }
                        taken = fetched.entries
                        result.did(
                            "\(log.origin): entries \(next) to \(next + UInt64(fetched.entries.count) - 1) from \(member)"
                        )
                    }
                }
                guard let taken else {
                    return result.failed("\(log.origin), entries from \(next) on: \(Self.nobody(reasons))")
                }
                try walk.put(Array(taken.prefix(Int(clamping: verdict.size - next))))
                next = walk.frontier.size
            }
        }
    }

    /// The signed head that entries are fetched under.
    private func target(
        _ log: AuditedLog, _ verdict: TreeVerdict, beyond index: UInt64, _ source: any RepairSource
    ) async -> (size: UInt64, root: HashValue)? {
        if let newest = verdict.facts.newest, newest.size > index { return newest }
        for member in source.members {
            guard case .success(let note) = await source.checkpoint(of: log.origin, at: member),
                let checkpoint = NoteCheck.signed(note, by: log.member.log, alone: false), checkpoint.size > index
            else { continue }
            return (checkpoint.size, checkpoint.root)
        }
        return nil
    }

    private static func isProven(
        _ fetched: FetchedRange, _ frontier: TreeFrontier, _ head: (size: UInt64, root: HashValue)
    ) -> Bool {
        guard fetched.from == frontier.size, !fetched.entries.isEmpty else { return false }
        var extended = frontier
        for entry in fetched.entries { extended.append(MerkleTree.leafHash(entry)) }
        return extended.size <= head.size
            && MerkleTree.verifyConsistency(
                from: extended.size, root: extended.root, to: head.size, root: head.root, proof: fetched.remainderProof)
    }
}

/// The tree over stored entries up to where a repair is.
private struct TreeWalk {
    let queue: DatabaseQueue
    let log: Int64
    private(set) var frontier = TreeFrontier()

    init(queue: DatabaseQueue, log: Int64) {
        self.queue = queue
        self.log = log
    }

    /// Takes in stored entries that need no repair.
    mutating func advance(to size: UInt64) throws {
        guard frontier.size < size else { return }
        var frontier = frontier
        try queue.inDatabase { db in
            let cursor = try GRDB.Row.fetchCursor(
                db, sql: "SELECT packed FROM main.entry WHERE id >= ? AND id < ? ORDER BY id",
                arguments: [Schema.entryID(log, frontier.size), Schema.entryID(log, size)])
            while let row = try cursor.next() {
                frontier.append(try row.withUnsafeData(atIndex: 0) { MerkleTree.leafHash(PackedEntry.audited($0)) })
            }
        }
        guard frontier.size == size else { throw StoreError(.damaged, "entries of a log are missing") }
        self.frontier = frontier
    }

    /// Stores entries that were proven, in one transaction.
    mutating func put(_ entries: [[UInt8]]) throws {
        let start = frontier.size
        try queue.inDatabase { db in
            try db.inTransaction(.immediate) {
                let write = try HotStatement(db, "INSERT OR REPLACE INTO main.entry(id, packed) VALUES (?, ?)")
                for (offset, entry) in entries.enumerated() {
                    try write.run(Schema.entryID(log, start + UInt64(offset)), PackedEntry.pack(entry))
                }
                return .commit
            }
        }
        for entry in entries { frontier.append(MerkleTree.leafHash(entry)) }
    }
}

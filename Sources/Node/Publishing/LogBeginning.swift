import Alliance
import Foundation
import Logging
import Replication
import Store
import TransparencyLog

/// Begins the member's log under a new key with the entries that the log before had up to its cut, as they are (formats,
/// section 9). Each step is durable, and a start after a crash goes on where it stood.
struct LogBeginning: Sendable {
    let identity: NodeIdentity
    let store: Store
    let logger: Logger

    /// - Returns: what the log before held beyond its cut, batch by batch; nil where the log had begun before.
    /// - Throws: ``NodeError`` where the log before is not held here as the charter's cut states it.
    func run() async throws -> [[[UInt8]]]? {
        let origin = identity.origin
        guard let cut = try await store.state(of: origin).governance.predecessor,
            try await store.log(origin).head == nil
        else { return nil }
        try await check(cut)
        var size = try store.size(of: origin)
        if size < cut.size {
            logger.notice(
                "beginning the log under a new key with the entries of the one before",
                metadata: ["log": "\(origin)", "entries": "\(cut.size - size)"])
        }
        while size < cut.size { size = try await append(from: size, cut) }
        return try await late(cut)
    }

    private func check(_ cut: CharterCut) async throws {
        let held = try store.size(of: cut.origin)
        guard held >= cut.size else {
            throw NodeError(
                "the charter cuts \(cut.origin) at \(cut.size) entries and \(held) are held here: restore it first")
        }
        guard try await store.root(of: cut.origin, at: cut.size) == cut.root else {
            throw NodeError("the charter cuts \(cut.origin) at \(cut.size) with another root than that of the log here")
        }
    }

    /// Appends the next whole batches, and gives the size after them.
    private func append(from size: UInt64, _ cut: CharterCut) async throws -> UInt64 {
        let origin = identity.origin
        let range = try await store.range(of: cut.origin, from: size, headSize: cut.size)
        guard range.to > size else {
            throw NodeError("the charter cuts \(cut.origin) within a batch, at \(cut.size): no log can begin with that")
        }
        let entries = await EntryChecking.check(range.entries, after: try await store.state(of: origin))
        var tree = try store.frontier(of: origin)
        for entry in entries { tree.append(entry.checked.leaf) }
        let result = try await store.append(
            Self.batches(entries), to: origin, at: size, root: tree.root, head: nil)
        guard result.end == nil else {
            throw NodeError(
                "the log cannot begin as the charter states it: counting ended at \(result.end?.index ?? 0)")
        }
        return result.size
    }

    private func late(_ cut: CharterCut) async throws -> [[[UInt8]]] {
        let held = try store.size(of: cut.origin)
        guard held > cut.size else { return [] }
        let entries = try await store.entries(of: cut.origin, in: cut.size..<held)
        return entries.split { $0.starts(with: StateLeaf.familyPrefix) }.map(Array.init)
    }

    /// The entries cut behind each state leaf.
    private static func batches(_ entries: [NewEntry]) -> [[NewEntry]] {
        var batches: [[NewEntry]] = [[]]
        for entry in entries {
            batches[batches.count - 1].append(entry)
            if entry.bytes.starts(with: StateLeaf.familyPrefix) { batches.append([]) }
        }
        return batches.filter { !$0.isEmpty }
    }
}

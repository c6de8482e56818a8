import Alliance
import Foundation
import Logging
import Replication
import Store
import TransparencyLog

/// Begins the member's log under a new key with the entries that the log before had up to its cut, as they are (formats,
/// section 9). Each step is durable, and a start after a crash goes on where it stood.
struct LogBeginning: Sendable {
    /// The log that begins.
    let origin: String
    let store: Store
    let logger: Logger

    /// Statements and bytes of what was said beyond the cut that are published again at once.
    private static let page = (statements: 511, bytes: 1 << 20)

    /// Carries over what is missing.
    ///
    /// - Returns: the log that it was taken from, and how much; nil for a member's first log.
    /// - Throws: ``NodeError`` where no log here holds what the charter's cut states.
    func run() async throws -> (source: String, size: UInt64)? {
        let state = try await store.state(of: origin)
        // Of a charter that is contested now: the next one settles that.
        if let end = state.end, end.reason != .otherCharter {
            throw NodeError(
                "counting in this member's own log \(origin) ended at entry \(end.index) (\(end.reason.rawValue)): a charter "
                    + "has to give it another log, with a key that no charter named before")
        }
        guard let cut = state.governance.predecessor else { return nil }
        guard !state.isBegun else { return ((try? await source(of: cut)) ?? cut.origin, cut.size) }
        let source = try await source(of: cut)
        var size = state.size
        logger.notice(
            "beginning the log under a new key with the entries of the one before",
            metadata: ["log": "\(origin)", "entries": "\(cut.size - size)"])
        while size < cut.size { size = try await append(from: size, source, cut) }
        return (source, cut.size)
    }

    /// The log here that has what the cut states: the one before, or one before that, whose entries it would begin with.
    private func source(of cut: CharterCut) async throws -> String {
        var source = cut.origin
        while true {
            let held = try store.size(of: source)
            if held >= cut.size, try await store.root(of: source, at: cut.size) == cut.root { return source }
            guard let before = try await store.state(of: source).governance.predecessor else { break }
            source = before.origin
        }
        throw NodeError(
            "the charter cuts \(cut.origin) at \(cut.size) entries, and no log here holds those with that root: restore it "
                + "first, or ask the regulators for a cut that is held")
    }

    /// Appends the next whole batches, and gives the size after them.
    private func append(from size: UInt64, _ source: String, _ cut: CharterCut) async throws -> UInt64 {
        let range = try await store.range(of: source, from: size, headSize: cut.size)
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

    /// The next part of what the log before held beyond its cut, and where the part after it begins; nil at the end.
    ///
    /// Batch by batch, as it was published: an approval stands behind what it approves. Where the log before is forked, what
    /// was set aside of it follows, as if it stood behind it.
    func late(
        from index: UInt64, of source: String
    ) async throws -> (batches: [[[UInt8]]], next: UInt64)? {
        let held = try store.size(of: source)
        guard index < held else { return try await setAside(from: index, behind: held, of: source) }
        var batches: [[[UInt8]]] = []
        var (next, statements, bytes) = (index, 0, 0)
        while next < held, statements < Self.page.statements, bytes < Self.page.bytes {
            let range = try await store.range(of: source, from: next, headSize: held)
            guard range.to > next else { break }
            for batch in range.entries.split(whereSeparator: { $0.starts(with: StateLeaf.familyPrefix) }) {
                batches.append(Array(batch))
                statements += batch.count
                bytes += batch.reduce(0) { $0 + $1.count }
            }
            next = range.to
        }
        return next > index ? (batches, next) : nil
    }

    /// The next part of what was set aside of the log before, branch by branch; positions go on behind what it holds.
    private func setAside(
        from position: UInt64, behind held: UInt64, of source: String
    ) async throws -> (batches: [[[UInt8]]], next: UInt64)? {
        var start = held
        for branch in try await store.setAside(of: source) {
            let end = start + branch.size - branch.base
            guard position < end else {
                start = end
                continue
            }
            var entries: [[UInt8]] = []
            var (whole, bytes) = (0, 0)
            var next = branch.base + position - start
            // A branch ends with a state leaf, and so does each part of it.
            while next < branch.size, whole == 0 || whole < Self.page.statements && bytes < Self.page.bytes {
                let found = try await store.entries(of: branch, from: next, limit: 256)
                guard !found.isEmpty else { break }
                for entry in found {
                    entries.append(entry.bytes)
                    bytes += entry.bytes.count
                    if entry.bytes.starts(with: StateLeaf.familyPrefix) { whole = entries.count }
                }
                next += UInt64(found.count)
            }
            guard whole > 0 else { return nil }
            let batches = entries[..<whole].split(whereSeparator: { $0.starts(with: StateLeaf.familyPrefix) })
            return (batches.map(Array.init), position + UInt64(whole))
        }
        return nil
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

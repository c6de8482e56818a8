import Alliance
import Foundation
import Replication
import Store
import TransparencyLog

/// Reads entries and checks their signatures on all cores.
enum EntryChecking {
    /// Fewer entries than this are not worth spreading over cores.
    private static let parallelFrom = 64
    /// More than this is bulk: what one person publishes is less, and goes first.
    static let bulkFrom = 64
    /// Entries that one thread checks without a look at what else is to be done: some milliseconds.
    private static let partSize = 64

    /// Takes a range's entries apart and checks them.
    ///
    /// - Throws: ``TransparencyLogError`` for bytes that are no entries, and `CancellationError`.
    @concurrent
    static func check(bundle: [UInt8], after state: LogState) async throws -> [NewEntry] {
        let entries = await check(try EntryBundle.decode(bundle, limit: WireLimits.rangeEntries), after: state)
        try Task.checkCancellation()
        return entries
    }

    /// Checks entries that follow one another in one log. In a task that was cancelled, gives less than all.
    ///
    /// - Parameter state: the log's state at the first entry, for the keys that may be in force.
    @concurrent
    static func check(_ entries: [[UInt8]], after state: LogState) async -> [NewEntry] {
        let keys = candidates(entries, after: state)
        guard entries.count >= parallelFrom else { return entries.map { NewEntry($0, keys: keys) } }
        let check = { @Sendable (part: Int) -> [NewEntry] in
            entries[part * partSize..<min((part + 1) * partSize, entries.count)].map { NewEntry($0, keys: keys) }
        }
        let parts = (entries.count + partSize - 1) / partSize
        guard entries.count <= bulkFrom else { return await BulkThreads.shared.map(parts, check).flatMap(\.self) }
        return await withTaskGroup(of: (Int, [NewEntry]).self) { group in
            for part in 0..<parts { _ = group.addTaskUnlessCancelled { (part, check(part)) } }
            var found: [(Int, [NewEntry])] = []
            for await part in group { found.append(part) }
            return found.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
    }

    /// The same for a caller that cannot suspend, inside the writer's transaction: blocks its thread meanwhile.
    static func checkNow(_ entries: [[UInt8]], after state: LogState) -> [NewEntry] {
        let keys = candidates(entries, after: state)
        guard entries.count >= parallelFrom else { return entries.map { NewEntry($0, keys: keys) } }
        let parts = ProcessInfo.processInfo.activeProcessorCount * 4
        let size = max(1, (entries.count + parts - 1) / parts)
        return concurrentMap(parts) { part in
            let range = min(part * size, entries.count)..<min((part + 1) * size, entries.count)
            return entries[range].map { NewEntry($0, keys: keys) }
        }.flatMap(\.self)
    }

    /// Rosters are few; an entry that may be one is found without reading the others.
    private static func candidates(_ entries: [[UInt8]], after state: LogState) -> KeyCandidates {
        state.candidates(with: entries.filter(mayBeRoster).map { LogEntry($0) })
    }

    /// A roster is in general JSON form, or its protected header names its type. Too many is harmless, too few is not:
    /// a header that is long, or that escapes characters, is read in full.
    private static func mayBeRoster(_ entry: [UInt8]) -> Bool {
        if entry.first == UInt8(ascii: "{") { return true }
        guard let end = entry.firstIndex(of: UInt8(ascii: ".")) else { return false }
        guard end < 1_024, let header = Base64.decodeURL(entry[..<end]) else { return true }
        return header.contains(UInt8(ascii: "\\")) || header.containsBytes("roster")
    }
}

extension [UInt8] {
    /// Whether these bytes stand somewhere inside.
    fileprivate func containsBytes(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard count >= wanted.count else { return false }
        return withUnsafeBufferPointer { bytes in
            (0...bytes.count - wanted.count).contains { start in
                (0..<wanted.count).allSatisfy { bytes[start + $0] == wanted[$0] }
            }
        }
    }
}

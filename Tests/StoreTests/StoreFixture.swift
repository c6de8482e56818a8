import Alliance
import Foundation
import TestSupport
import Testing
import TransparencyLog

@testable import Store

/// A fresh data folder, removed afterwards.
func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appending(path: "entente-store-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
}

/// A store of the test alliance in a fresh folder.
func withStore<Value>(
    _ alliance: TestAlliance? = nil, recentLimits: RecentTables.Limits = .usual,
    _ body: (Store, TestAlliance) async throws -> Value
) async throws -> Value {
    let alliance = try alliance ?? TestAlliance()
    return try await withFolder { folder in
        let store = try Store(folder: folder, recentLimits: recentLimits)
        try await store.install(alliance.charter)
        let value = try await body(store, alliance)
        try store.close()
        return value
    }
}

func origin(_ name: String = "pk") throws -> String { try TestAlliance.noteSigner(name).verifierKey.name }

/// As the node's publisher does: signs with the log's key.
@Sendable func signNote(_ checkpoint: Checkpoint) throws -> [UInt8] {
    let line = try TestAlliance.noteSigner("pk").sign(checkpoint.text)
    return try SignedNote(text: checkpoint.text, signatures: [line]).bytes
}

@Sendable func check(_ entries: [[UInt8]], _ state: LogState) -> [NewEntry] {
    let keys = state.candidates(with: entries.map { LogEntry($0) })
    return entries.map { NewEntry($0, keys: keys) }
}

struct Refused: Error {}

extension Store {
    /// Publishes as `pk`.
    @discardableResult
    func publish(_ submissions: [[[UInt8]]]) async throws -> (results: [SubmissionResult], note: [UInt8]?) {
        let published = try await publish(submissions, in: try origin(), check: check, sign: signNote)
        return (published.results, published.note)
    }

    /// Appends batches of another member's log, with the head that they reach.
    @discardableResult
    func follow(
        _ log: MemoryLog, _ batches: [[[UInt8]]], head: Bool = true, givesWay: Bool = false
    ) async throws -> AppendResult {
        let name = log.member.log.name
        var state = try await state(of: name)
        let start = state.size
        var size = start
        var entries: [[NewEntry]] = []
        for batch in batches {
            let keys = state.candidates(with: batch.map { LogEntry($0) })
            entries.append(batch.map { NewEntry($0, keys: keys) })
            size += UInt64(batch.count)
            // A roster in this batch may speak in the next one.
            state = try await scratch(state, log, upTo: Int(size))
        }
        let reached = try log.head(Int(size))
        return try await append(
            entries, to: name, at: start, root: reached.checkpoint.root, head: head ? reached.note : nil,
            givesWay: givesWay)
    }

    /// The state with the roster that stands in the log up to there; for keys only.
    private func scratch(_ state: LogState, _ log: MemoryLog, upTo size: Int) async throws -> LogState {
        var copy = MemoryLog(member: log.member, charter: log.charter)
        var batch: [[UInt8]] = []
        for entry in log.entries[..<size] {
            batch.append(entry)
            if entry.starts(with: StateLeaf.familyPrefix) {
                try copy.receive(batch)
                batch = []
            }
        }
        return copy.state
    }

    /// All that is derived from a log here, to be compared with a log in memory.
    func expectSame(as log: MemoryLog, history: [RowKey: [UInt64]]? = nil) async throws {
        let name = log.member.log.name
        let size = UInt64(log.entries.count)
        let record = try await self.log(name)
        #expect(record.size == size)
        #expect(record.frontier.root == (try log.head().checkpoint.root))
        #expect(try await entries(of: name, in: 0..<size) == log.entries)
        let maps = try await maps(of: name)
        #expect(maps == log.state.lines.values.sorted { $0.name < $1.name })
        var rows: [RowKey: Alliance.Row] = [:]
        for map in maps {
            for stored in try await self.rows(of: name, map: map.name, after: nil, limit: 10_000) {
                rows[RowKey(map: map.name, key: stored.key)] = stored.row
            }
        }
        #expect(rows == log.rows)
        var reasons: [UInt64: String] = [:]
        for (index, verdict) in log.verdicts.enumerated() {
            if case .ignored(let reason) = verdict, reason != .afterEnd { reasons[UInt64(index)] = reason.rawValue }
        }
        #expect(try await ignored(of: name, in: 0..<size) == reasons)
        let state = try await state(of: name)
        #expect(state.size == size && state.end == log.state.end && state.lines == log.state.lines)
        #expect(state.roster?.digest == log.state.roster?.digest && state.roster?.index == log.state.roster?.index)
        #expect(state.definitions.keys.sorted() == log.state.definitions.keys.sorted())
        for (key, indexes) in history ?? [:] {
            #expect(try await self.history(of: key, in: name) == indexes)
        }
    }
}

extension SubmissionResult {
    var published: ClosedRange<UInt64>? {
        if case .published(let first, let last) = self { first...last } else { nil }
    }

    var reasons: [Verdict.Reason]? {
        if case .refused(let refused) = self { refused.map(\.reason) } else { nil }
    }
}

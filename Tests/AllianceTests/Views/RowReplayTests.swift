import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// A row of the past, computed from its history alone, is the row that the log's map had then.
@Suite("Rows of the past")
struct RowReplayTests {
    /// A log's rows as of one of its sizes.
    private struct Past {
        let size: UInt64
        let rows: [RowKey: Row]
    }

    /// Grows a random log, and keeps all rows as of each batch, and the history of the batches behind the first.
    private func grown(seed: UInt64) throws -> (log: MemoryLog, past: [Past], history: [RowKey: [UInt64]]) {
        var history = History(log: try TestAlliance().log(), random: SplitMix(seed: seed))
        try history.log.begin(twoOfficers: seed % 3 == 0 ? ["vasp-licences"] : [])
        var past: [Past] = []
        var steps: [RowKey: [UInt64]] = [:]
        for _ in 0..<6 {
            let outcome = try history.log.publish(try history.batch())
            for (index, key) in outcome.history where steps[key]?.last != index {
                steps[key, default: []].append(index)
            }
            past.append(Past(size: UInt64(history.log.entries.count), rows: history.log.rows))
        }
        return (history.log, past, steps)
    }

    @Test("Every row of registers and lookups, as of every batch", arguments: UInt64(0)..<200)
    func everyRow(seed: UInt64) throws {
        let (log, past, history) = try grown(seed: seed)
        for moment in past {
            // Rosters and definitions of the beginning are not in the history that was kept.
            for (key, steps) in history where !key.map.hasPrefix("@") {
                let known = try steps.filter { $0 < moment.size }.map {
                    PlacedStatement(index: $0, statement: try Statement(parsing: log.entries[Int($0)]))
                }
                let replay = RowReplay(of: key, after: known)
                let row = moment.rows[key]
                #expect(
                    replay.row == row, "\(key.map) \(String(decoding: key.key, as: UTF8.self)) at \(moment.size)")
                #expect(replay.isEmptied == (row?.isEmptied ?? false))
            }
        }
        #expect(past.last?.rows.keys.allSatisfy { $0.map.hasPrefix("@") || history[$0] != nil } == true)
    }

    @Test("What was never said has no row, and a definition is replaced by the next one")
    func ends() throws {
        #expect(RowReplay(of: RowKey(map: "vasp-licences", key: "PK-1")).row == nil)
        var log = try TestAlliance().log()
        let two = try [log.definition("warnings"), log.definition("warnings")].enumerated().map {
            PlacedStatement(index: UInt64($0.offset), statement: try Statement(parsing: $0.element))
        }
        let replay = RowReplay(of: RowKey(map: ReservedMap.registers, key: "warnings"), after: two)
        #expect(replay.inForce.map(\.index) == [1])
    }
}

@Suite("What was known at a time")
struct KnownSizesTests {
    @Test("Sizes are read in any order and written in one")
    func text() throws {
        let sizes = try #require(KnownSizes(parsing: "sv:0,pk:1853"))
        #expect(sizes.text == "pk:1853,sv:0" && sizes.entries(of: "pk") == 1_853 && sizes.entries(of: "us") == 0)
        for bad in [
            "", "pk", "pk:", ":1", "pk:1,", "pk:1,pk:2", "pk:-1", "pk:01", "pk:1:2", "pk:18446744073709551616",
            "2026-11-24", String(repeating: "a", count: 30_000),
        ] {
            #expect(KnownSizes(parsing: bad) == nil, "\(bad.prefix(40))")
        }
        let many = (0...Charter.memberLimit).map { "m\($0):1" }.joined(separator: ",")
        #expect(KnownSizes(parsing: many) == nil)
        #expect(KnownAt(parsing: "1970-01-01T00:01:00Z") == .time(60))
        #expect(KnownAt(parsing: "pk:1853,sv:0") == .sizes(sizes))
        #expect(KnownAt(parsing: "yesterday") == nil)
    }

    @Test("A checkpoint is held since the q-th earliest of different replicas' times")
    func since() throws {
        let alliance = try TestAlliance()
        var log = try alliance.log()
        try log.begin()
        let judge = QuorumJudge(charter: alliance.charter.charter, owner: log.member.id)
        let start = TestAlliance.start
        func since(_ cosigned: [(String, Int64)], now: Int64 = start + 1_000) throws -> Int64? {
            let note = try log.note(cosigned: cosigned.map { (member: $0.0, time: $0.1) })
            let checked = judge.judge(note.text, signatures: note.signatures, now: now)
            let found = judge.heldSince(unchecked: note.signatures, now: now)
            // Lines that verify give the same as verifying them.
            #expect(found == checked.heldSince)
            return found
        }
        #expect(try since([("sv", start + 5), ("us", start + 20), ("imf", start + 10)]) == start + 10)
        #expect(try since([("sv", start + 5), ("sv", start + 6)]) == nil)
        #expect(try since([("pk", start), ("sv", start + 5)]) == nil)
        #expect(try since([("sv", start), ("us", start + 301)], now: start) == nil)
    }
}

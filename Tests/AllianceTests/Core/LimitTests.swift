import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Limits and the end of counting")
struct LimitTests {
    let alliance: TestAlliance
    var log: MemoryLog

    init() throws {
        alliance = try TestAlliance()
        log = try alliance.log()
        try log.begin()
    }

    @Test("A row has at most 1,024 statements, of the main map and of a lookup")
    mutating func fullRow() throws {
        let full = try (0..<Row.limit).map { _ in try log.licence("PK-1") }
        #expect(try log.publish(full).verdicts.filter { $0 == .counted }.count == Row.limit)
        let one = try log.licence("PK-1", lei: RowTests.lei)
        #expect(try log.publish([one]).verdicts[0] == .ignored(.rowFull))
        #expect(log.rows[RowKey(map: "vasp-licences/lei", key: RowTests.lei)] == nil)
        #expect(log.state.lines["vasp-licences/lei"] == nil)
        // One that replaces another has room.
        let next = try log.licence("PK-1", supersedes: [HashValue.sha256(full[0])])
        #expect(try log.publish([next]).verdicts[0] == .counted)
        #expect(log.rows[RowKey(map: "vasp-licences", key: "PK-1")]?.inForce.count == Row.limit)
        try log.expectMapsHoldRows()
        // A lookup value that too many entries share.
        let shared = try (0..<Row.limit).map { try log.licence("PK-2-\($0)", lei: RowTests.lei) }
        #expect(try log.publish(shared).verdicts.filter { $0 == .counted }.count == Row.limit)
        let more = try log.licence("PK-3", lei: RowTests.lei)
        #expect(try log.publish([more]).verdicts[0] == .ignored(.rowFull))
        #expect(log.rows[RowKey(map: "vasp-licences", key: "PK-3")] == nil)
    }

    @Test("A log has at most 256 maps")
    mutating func maps() throws {
        func entry(_ number: Int) throws -> [UInt8] {
            try log.context().attestation(
                register: "pk.r\(number)", key: "a", status: "signed", validFrom: Timestamp(seconds: 0), fields: [:]
            ).signed(by: TestAlliance.officer("ayesha"))
        }
        func definition(_ number: Int) throws -> [UInt8] {
            try log.context().definition(
                name: "pk.r\(number)", version: 1, descriptor: OwnRegister.descriptor("pk.r\(number)")
            ).signed(by: TestAlliance.officer("ayesha"))
        }
        // @rosters and @registers are open already: 254 registers fill the log.
        let definitions = try (0...254).map(definition)
        #expect(try log.publish(definitions).verdicts.filter { $0 == .counted }.count == 255)
        let entries = try (0..<253).map(entry)
        #expect(try log.publish(entries).verdicts.filter { $0 == .counted }.count == 253)
        #expect(log.state.lines.count == 255)
        // Two that would open one map each, in one batch: only the first has room.
        let outcome = try log.publish([try entry(253), try entry(254), try log.licence("PK-1"), try entry(0)])
        #expect(
            outcome.verdicts == [.counted, .ignored(.mapLimit), .ignored(.mapLimit), .counted, .stateLeaf])
        #expect(outcome.leaf.lines.count == StateLeaf.mapLimit)
        #expect(try StateLeaf(parsing: outcome.leaf.bytes) == outcome.leaf)
        try log.expectMapsHoldRows()
    }

    @Test("A false leaf ends counting before its batch, and changes nothing")
    mutating func falseLeaf() throws {
        let licence = try log.licence("PK-1")
        var honest = log
        let real = try honest.publish([licence]).leaf
        let lines = real.lines
        func leaf(
            _ count: UInt64 = real.entryCount, _ version: Int = 1, _ digest: HashValue = real.charterDigest,
            changed: [StateLeaf.Line] = lines
        ) -> [UInt8] {
            StateLeaf(entryCount: count, charterVersion: version, charterDigest: digest, lines: changed).bytes
        }
        var wrongRoot = lines
        wrongRoot[2] = .init(name: wrongRoot[2].name, count: wrongRoot[2].count, root: HashValue.sha256("x"))
        var wrongCount = lines
        wrongCount[2] = .init(name: wrongCount[2].name, count: 9, root: wrongCount[2].root)
        let extra = lines + [.init(name: "warnings", count: 0, root: RegisterMapHash.emptyRoot)]
        let cases: [([UInt8], CountingEnd.Reason)] = [
            (leaf(real.entryCount + 1), .falseLeaf), (leaf(changed: wrongRoot), .falseLeaf),
            (leaf(changed: wrongCount), .falseLeaf), (leaf(changed: Array(lines.dropLast())), .falseLeaf),
            (leaf(changed: extra), .falseLeaf), (leaf(real.entryCount, 2), .otherCharter),
            (leaf(real.entryCount, 1, HashValue.sha256("x")), .otherCharter),
            (Array("entente/state/v2\n".utf8), .unknownLeaf), (licence, .unknownLeaf),
        ]
        for (bytes, reason) in cases {
            var other = log
            let outcome = try other.receive([licence, bytes])
            #expect(outcome.end == CountingEnd(index: UInt64(log.entries.count), reason: reason))
            #expect(other.state.end == outcome.end)
            #expect(
                outcome.rows.isEmpty && outcome.maps.isEmpty && outcome.history.isEmpty && outcome.documents.isEmpty)
            #expect(other.rows == log.rows && other.state.lines == log.state.lines)
            #expect(other.state.size == UInt64(other.entries.count))
            #expect(other.state.roster?.digest == log.state.roster?.digest)
        }
        #expect(try log.receive([licence, leaf()]).end == nil)
    }

    @Test("A log whose first entry is no roster of the member never counts")
    mutating func noRoster() throws {
        var other = try alliance.log()
        let empty = StateLeaf(entryCount: 1, charterVersion: 1, charterDigest: log.charter.digest, lines: [])
        #expect(try other.receive([try log.licence("PK-1"), empty.bytes]).end?.reason == .noRoster)
        var third = try alliance.log()
        let none = StateLeaf(entryCount: 0, charterVersion: 1, charterDigest: log.charter.digest, lines: [])
        #expect(try third.receive([none.bytes]).end?.reason == .noRoster)
    }

    @Test("A batch has at most 16,384 entries, its leaf included")
    mutating func longBatch() throws {
        let filler = Array("x".utf8)
        let leaf = { (count: UInt64, log: MemoryLog) in
            StateLeaf(
                entryCount: count, charterVersion: 1, charterDigest: log.charter.digest,
                lines: Array(log.state.lines.values))
        }
        let start = log.state.size
        var exact = log
        let most = [[UInt8]](repeating: filler, count: LogState.batchLimit - 1)
        #expect(try exact.receive(most + [leaf(start + UInt64(most.count), log).bytes]).end == nil)
        var over = log
        let outcome = try over.receive(most + [filler, leaf(start + UInt64(most.count) + 1, log).bytes])
        #expect(outcome.end == CountingEnd(index: start, reason: .longBatch))
        var sealing = log
        #expect(try sealing.publish(most).end == nil)
        var tooMany = log
        #expect(try tooMany.state.seal(tooMany.checked(most + [filler]), reader: log).end?.reason == .longBatch)
    }

    @Test("An empty batch is a leaf alone")
    mutating func emptyBatch() throws {
        let outcome = try log.publish([])
        #expect(outcome.verdicts == [.stateLeaf])
        #expect(outcome.leaf.entryCount == log.state.size - 1)
    }
}

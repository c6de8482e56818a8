import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Which charter governs what")
struct GovernanceTests {
    let first: SignedCharter
    let origin: String

    init() throws {
        first = try TestCharters.first()
        origin = try TestCharters.cut("us", at: 0).origin
    }

    private func suspend(at size: UInt64, after parent: SignedCharter) throws -> SignedCharter {
        try TestCharters.next(parent) { charter in
            charter.members[2].standing = .suspended
            charter.cuts = [try TestCharters.cut("us", at: size)]
        }
    }

    @Test("The newest version whose cut is at or below an index; without a cut, from the leaf that names it")
    func versions() throws {
        let second = try suspend(at: 10, after: first)
        let third = try TestCharters.next(second) { $0.alliance = "Third" }
        let fourth = try TestCharters.next(third) { charter in
            charter.members[2].standing = .active
            charter.cuts = [try TestCharters.cut("us", at: 20)]
        }
        let chain = try TestCharters.chain(first, second, third, fourth)
        let governance = try #require(LogGovernance(of: origin, under: chain))
        #expect(governance.member == TestAlliance.id("us"))
        for (index, naming, version) in [(0, 1, 1), (9, 1, 1), (10, 1, 2), (10, 3, 3), (19, 2, 2), (20, 1, 4)] {
            let found = governance.charter(at: UInt64(index), naming: naming).charter.version
            #expect(found == version, "index \(index), naming \(naming)")
        }
        #expect([0, 9, 10, 19, 20].map { governance.isActive(at: $0) } == [true, true, false, false, true])
        // A log that is not changed follows its leaves alone.
        let other = try #require(LogGovernance(of: try TestCharters.cut("pk", at: 0).origin, under: chain))
        #expect(other.charter(at: 100, naming: 1).charter.version == 1)
        #expect(other.charter(at: 0, naming: 4).charter.version == 4)
        #expect(LogGovernance(of: "nobody.example/log", under: chain) == nil)
    }

    @Test("The version that admits a member governs its log from 0")
    func admission() throws {
        let second = try TestCharters.next(first, by: ["pk", "sv", "us"]) { charter in
            charter.members.append(try TestAlliance.member("jp", "Japan", "JP", "Asia/Tokyo"))
            charter.threshold = 3
            charter.quorum = 3
        }
        let chain = try TestCharters.chain(first, second)
        let governance = try #require(LogGovernance(of: try TestCharters.cut("jp", at: 0).origin, under: chain))
        #expect(governance.charter(at: 0, naming: 1).charter.version == 2)
        #expect(governance.cuts(below: 100).isEmpty)
    }

    @Test("A suspended member's earlier entries stand, later ones do not count, and after its return they count again")
    func suspension() throws {
        var log = try MemoryLog(origin: origin, chain: CharterChain(first.verifyFirst()))
        try log.begin()
        try log.publish([try log.licence("US-1")])
        let cut = UInt64(log.entries.count)
        try log.publish([try log.licence("US-2")])
        let late = log.entries

        let second = try suspend(at: cut, after: first)
        var chain = try TestCharters.chain(first, second)
        var after = try replay(late, chain)
        #expect(rows(after) == ["US-1"])
        #expect(after.state.end == nil && !after.state.isJudged)
        #expect(after.verdicts.suffix(2) == [.ignored(.notActive), .stateLeaf])
        // It can publish nothing either.
        var state = after.state
        let refused = try state.seal(after.checked([late[2]]), reader: after)
        #expect(refused.verdicts == [.ignored(.notActive)])

        let back = UInt64(late.count)
        let third = try TestCharters.next(second) { charter in
            charter.members[2].standing = .active
            charter.cuts = [try TestCharters.cut("us", at: back)]
        }
        try chain.add(third)
        after = try replay(late, chain)
        try after.publish([try after.licence("US-3")])
        #expect(rows(after) == ["US-1", "US-3"])
        #expect(after.state.isJudged && after.state.charterVersion == 3)
        // Whoever counts from the start comes to the same.
        let again = try replay(after.entries, chain)
        #expect(again.state.lines == after.state.lines && again.state.end == nil)
    }

    @Test("A roster by a root key that a cut took away does not count; the leaf below an older charter is not compared")
    func lateRoster() throws {
        var log = try MemoryLog(origin: origin, chain: CharterChain(first.verifyFirst()))
        try log.begin()
        let cut = UInt64(log.entries.count)
        let roster = try log.nextRoster { $0.officers.removeAll { $0.name == "ayesha" } }
        try log.publish([roster])
        let second = try TestCharters.next(first, by: ["pk", "sv"]) { charter in
            charter.members[2].rootKeys = [
                RootKey(name: "root-3", key: try TestKey.signingKey("us root-3"))
            ]
            charter.cuts = [try TestCharters.cut("us", at: cut)]
        }
        let chain = try TestCharters.chain(first, second)
        var after = try replay(log.entries, chain)
        #expect(after.state.roster?.roster.ordinal == 0)
        #expect(after.state.end == nil && !after.state.isJudged, "counted, though not comparable")
        // The member goes on: its next leaf names the new charter, and is compared again.
        try after.publish([try after.licence("US-9")])
        #expect(after.state.isJudged && rows(after) == ["US-9"])
        #expect(try replay(after.entries, chain).state.end == nil)
    }

    @Test("A log under a new key begins with the log before, counts as that did, and goes on")
    func newKey() throws {
        var log = try MemoryLog(origin: origin, chain: CharterChain(first.verifyFirst()))
        try log.begin()
        try log.publish([try log.licence("US-1")])
        let cut = log.entries.count
        let lost = try log.licence("US-2")
        try log.publish([lost])
        let chain = try TestCharters.chain(first, try moved(log, at: cut, after: first))
        let before = try replay(log.entries, chain)
        #expect(rows(before) == ["US-1"], "the old log ends at its cut")

        var after = try MemoryLog(origin: newOrigin, chain: chain)
        #expect(after.state.governance.predecessor?.size == UInt64(cut))
        for batch in batches(Array(log.entries[..<cut])) {
            let refused = try { (state: LogState) in
                var state = state
                return try state.seal(after.checked([lost]), reader: after).verdicts
            }(after.state)
            #expect(refused == [.ignored(.notBegun)])
            try after.receive(batch)
            #expect(after.state.isBegun == (after.entries.count == cut) && after.state.isJudged == after.state.isBegun)
        }
        let then = try replay(Array(log.entries[..<cut]), CharterChain(first.verifyFirst()))
        #expect(after.state.lines == then.state.lines && rows(after) == ["US-1"])
        let again = try after.publish([lost, try after.licence("US-3")])
        #expect(again.verdicts == [.counted, .counted, .stateLeaf])
        #expect(rows(after) == ["US-1", "US-2", "US-3"] && after.state.charterVersion == 2)
    }

    @Test("A log under a new key that begins otherwise ends there, and is never cosigned before")
    func otherBeginning() throws {
        var log = try MemoryLog(origin: origin, chain: CharterChain(first.verifyFirst()))
        try log.begin()
        try log.publish([try log.licence("US-1")])
        let chain = try TestCharters.chain(first, try moved(log, at: log.entries.count, after: first))
        // Its owner leaves out the licence and begins with something else.
        var other = try MemoryLog(origin: origin, chain: CharterChain(first.verifyFirst()))
        try other.begin()
        try other.publish([try other.licence("US-9")])
        var after = try MemoryLog(origin: newOrigin, chain: chain)
        let (start, rest) = (batches(other.entries)[0], batches(other.entries)[1])
        try after.receive(start)
        #expect(after.state.end == nil && !after.state.isJudged)
        try after.receive(rest)
        #expect(after.state.end?.reason == .otherBeginning && rows(after).isEmpty)
    }

    private var newOrigin: String { "\(origin)-2" }

    /// The next version, which gives the log's member a new log key from a size on.
    private func moved(_ log: MemoryLog, at size: Int, after parent: SignedCharter) throws -> SignedCharter {
        let root = try MerkleTree.root(size: UInt64(size), reader: log)
        return try TestCharters.next(parent) { charter in
            charter.members[2].log = try VerifierKey(
                name: newOrigin, type: .ed25519, publicKey: try TestKey.signingKey("us log-2").bytes)
            charter.cuts = [CharterCut(origin: origin, size: UInt64(size), root: root)]
        }
    }

    private func batches(_ entries: [[UInt8]]) -> [[[UInt8]]] {
        var batches: [[[UInt8]]] = [[]]
        for entry in entries {
            batches[batches.count - 1].append(entry)
            if entry.starts(with: StateLeaf.familyPrefix) { batches.append([]) }
        }
        return batches.dropLast()
    }

    @Test("A leaf that names an older charter than the one before it, or another of that version, ends counting")
    func wrongLeaves() throws {
        let second = try TestCharters.next(first) { $0.alliance = "Second" }
        let chain = try TestCharters.chain(first, second)
        var log = try MemoryLog(origin: origin, chain: chain)
        try log.begin()
        var old = try MemoryLog(origin: origin, chain: try TestCharters.chain(first))
        _ = try old.receive(log.entries)
        #expect(old.state.end?.reason == .otherCharter, "of a version that is not decided here")
        let leaf = StateLeaf(
            entryCount: UInt64(log.entries.count), charterVersion: 1, charterDigest: first.digest,
            lines: Array(log.state.lines.values))
        var back = log
        _ = try back.receive([leaf.bytes])
        #expect(back.state.end?.reason == .otherCharter)
    }

    private func replay(_ entries: [[UInt8]], _ chain: CharterChain) throws -> MemoryLog {
        var log = try MemoryLog(origin: origin, chain: chain)
        var batch: [[UInt8]] = []
        for entry in entries {
            batch.append(entry)
            guard entry.starts(with: StateLeaf.familyPrefix) else { continue }
            try log.receive(batch)
            batch = []
        }
        return log
    }

    private func rows(_ log: MemoryLog) -> [String] {
        log.rows.filter { $0.key.map == "vasp-licences" && !$0.value.isEmptied }
            .map { String(decoding: $0.key.key, as: UTF8.self) }.sorted()
    }
}

import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Proofs under several charters")
struct VerifierChainTests {
    /// Pakistan's log under three charters; the third gives it another root key from a cut on.
    private struct Fixture {
        var files: [SignedCharter]
        /// Made while version 1, and then version 3, was in force.
        let early: ProofFile
        let late: ProofFile
        var log: MemoryLog

        init() throws {
            let first = try TestCharters.first()
            let origin = try TestCharters.cut("pk", at: 0).origin
            let second = try TestCharters.next(first) { $0.alliance = "Second" }
            var log = try MemoryLog(origin: origin, chain: CharterChain(first.verifyFirst()))
            try log.begin()
            try log.publish([try log.licence("PK-1")])
            early = try log.proof("PK-1")
            let cut = UInt64(log.entries.count)
            let third = try TestCharters.next(second) { charter in
                charter.members[0].rootKeys = [RootKey(name: "root-3", key: try TestKey.signingKey("pk root-3"))]
                charter.cuts = [try TestCharters.cut("pk", at: cut)]
            }
            // The new root key has to sign for the new version.
            let signed = try TestCharters.sign(
                third.unverified, with: [TestAlliance.root("pk"), TestAlliance.root("sv"), TestAlliance.root("us")])
            files = [first, second, signed]
            var after = try MemoryLog(origin: origin, chain: try CharterChain(assembling: files))
            for batch in Self.batches(log.entries) { try after.receive(batch) }
            var roster = try #require(after.state.roster)
            roster.roster.ordinal += 1
            roster.roster.previous = roster.digest
            let next = try after.context().roster(roster.roster).signed(by: TestAlliance.root("pk", 3))
            let outcome = try after.publish([next])
            #expect(outcome.verdicts == [.counted, .stateLeaf])
            try after.publish([try after.licence("PK-3")])
            late = try after.proof("PK-3")
            self.log = after
        }

        static func batches(_ entries: [[UInt8]]) -> [[[UInt8]]] {
            var batches: [[[UInt8]]] = [[]]
            for entry in entries {
                batches[batches.count - 1].append(entry)
                if entry.starts(with: StateLeaf.familyPrefix) { batches.append([]) }
            }
            return Array(batches.dropLast())
        }
    }

    private func report(_ proof: ProofFile, _ chain: CharterChain) -> VerificationReport {
        Verifier().verify(proof, charters: chain, at: Timestamp(seconds: TestAlliance.start + 80_400))
    }

    @Test("Whoever pins any version can tell of proofs made under any other")
    func anyVersion() throws {
        let fixture = try Fixture()
        for pinned in fixture.files {
            let chain = try CharterChain(assembling: fixture.files, pinned: pinned.digest)
            for proof in [fixture.early, fixture.late] {
                #expect(report(proof, chain).troubles == [], "pinned \(pinned.unverified.version)")
            }
        }
        let chain = try CharterChain(assembling: fixture.files)
        #expect(report(fixture.late, chain).conclusion.exitStatus == 0)
        // With version 1 alone the later one cannot be told, and is not taken for false.
        let alone = CharterChain(try fixture.files[0].verifyFirst())
        #expect(report(fixture.early, alone).conclusion.exitStatus == 0)
        #expect(report(fixture.late, alone).checks.first { $0.name == .charter }?.result == .cannotTell)
    }

    @Test("Of a suspended member what it said before the cut can be proven, nothing after it")
    func suspended() throws {
        var fixture = try Fixture()
        let cut = UInt64(fixture.log.entries.count)
        let fourth = try TestCharters.next(fixture.files[2], by: ["sv", "us"]) { charter in
            charter.members[0].standing = .suspended
            charter.members[3].role = .observer
            charter.cuts = [try TestCharters.cut("pk", at: cut)]
        }
        let chain = try CharterChain(assembling: fixture.files + [fourth])
        #expect(report(fixture.late, chain).troubles == [])
        // It goes on by itself, under the charter that it knows.
        try fixture.log.publish([try fixture.log.licence("PK-4")])
        let later = report(try fixture.log.proof("PK-4"), chain)
        #expect(later.conclusion.exitStatus != 0)
        #expect(later.troubles.contains(.member))
    }
}

import Alliance
import Replication
import Testing
import TransparencyLog

@Suite struct ForkTests {
    let alliance: TestAlliance
    let pk: TestLog
    let other: TestLog

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us"])
        pk = TestLog(alliance.member("pk"), 10)
        var other = TestLog(alliance.member("pk"), 4)
        other.append(2, salt: "another story")
        self.other = other
    }

    private func node(_ settings: ReplicationSettings = .init()) throws -> Replication {
        var node = alliance.node("sv", settings: settings, logs: [try pk.snapshot()])
        _ = node.handle(.started, now: .t0)
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        return node
    }

    /// That the log signed a head of another tree, or of one size with another root.
    private func proof(_ size: Int = 6, root: HashValue? = nil) throws -> ForkProof {
        let small = try SignedNote(parsing: size == 6 && root == nil ? other.head() : pk.head(size, root: root))
        let branch = ForkProof.Branch(
            root: pk.roots[size], proof: try MerkleTree.consistencyProof(from: UInt64(size), to: 10, reader: pk))
        return try ForkProof(
            of: small, SignedNote(parsing: pk.head()), branch: branch, key: pk.owner.signer.verifierKey)
    }

    @Test func whoHoldsTheLargerHeadProvesTheForkAndTellsEverybody() throws {
        var node = try node()
        let check = try #require(node.take(.head(Announcement(note: try other.head())), from: 2).checks.first)
        let found = node.handle(.oldHeadChecked(check.0, isConsistent: false), now: .t0)
        #expect(found.contains(.proveFork(origin: pk.owner.origin, ours: try pk.head(), other: try other.head())))
        let proof = try proof()
        let told = node.handle(.forkProven(origin: pk.owner.origin, proof: proof.bytes), now: .t0)
        #expect(told.contains(.persistFork(origin: pk.owner.origin, proof: proof.bytes)))
        for id: UInt64 in [1, 2] { #expect(told.messages(to: id) == [.forkProof(proof.bytes)]) }
        // Once is enough; another of the same heads is not asked for.
        #expect(node.take(.forkProof(proof.bytes), from: 2).isEmpty)
        #expect(
            node.take(.head(Announcement(note: try other.head())), from: 1).allSatisfy {
                if case .proveFork = $0 { false } else { true }
            })
    }

    @Test func whoHearsOfAForkStopsCosigningAndPassesItOn() throws {
        var node = try node()
        let proof = try proof()
        let heard = node.take(.forkProof(proof.bytes), from: 1)
        #expect(heard.contains(.persistFork(origin: pk.owner.origin, proof: proof.bytes)))
        #expect(heard.messages(to: 1).isEmpty && heard.messages(to: 2) == [.forkProof(proof.bytes)])
        #expect(node.status(ofLog: pk.owner.origin)?.isContradicted == true)
        #expect(node.handle(.freshnessWanted(origin: pk.owner.origin), now: .t0).cosigns.isEmpty)
        // Whoever comes later is told as well, as the summaries differ.
        let joined = node.meet(3, "us", alliance)
        #expect(joined.messages(to: 3).contains { if case .digest = $0 { true } else { false } })
        let answer = node.take(.digest(.zero), from: 3)
        #expect(answer.messages(to: 3).contains(.forkProof(proof.bytes)))
        // And so after a restart.
        var snapshot = try pk.snapshot()
        snapshot.fork = proof.bytes
        var again = alliance.node("sv", logs: [snapshot])
        _ = again.handle(.started, now: .t0)
        again.meet(1, "pk", alliance)
        #expect(again.take(.digest(.zero), from: 1).messages(to: 1).contains(.forkProof(proof.bytes)))
        #expect(again.status(ofLog: pk.owner.origin)?.isContradicted == true)
    }

    @Test func whatProvesNothingIsThePeersFault() throws {
        var node = try node()
        #expect(node.take(.forkProof([1, 2, 3]), from: 1).rejections.map(\.reason) == [.invalidForkProof])
        // Signed by somebody else.
        let us = TestLog(alliance.member("us"), 3)
        let text = try pk.checkpoint(3).text
        let forged = try SignedNote(text: text, signatures: [try us.owner.signer.sign(text)])
        #expect(throws: AllianceError.self) {
            try ForkProof(of: forged, SignedNote(parsing: pk.head()), branch: nil, key: pk.owner.signer.verifierKey)
        }
        let proof = try proof()
        let broken = String(decoding: proof.bytes, as: UTF8.self)
            .replacing(pk.roots[6].base64url, with: pk.roots[5].base64url)
        let refused = node.take(.forkProof(Array(broken.utf8)), from: 1)
        #expect(refused.rejections.map(\.reason) == [.invalidForkProof])
        #expect(node.status(ofLog: pk.owner.origin)?.isContradicted == false)
        #expect(node.peerStatuses[0].rejections == 2)
    }

    @Test func theSmallestIsKeptAndAFloodEnds() throws {
        var settings = ReplicationSettings()
        settings.forkReplacements = 3
        var node = try node(settings)
        var kept = 0
        for size in (1...9).reversed() {
            let effects = node.take(.forkProof(try proof(size, root: HashValue.sha256("false")).bytes), from: 1)
            if effects.contains(where: { if case .persistFork = $0 { true } else { false } }) { kept += 1 }
        }
        #expect(kept == 4)
        // A larger one never takes its place.
        var fresh = try self.node()
        _ = fresh.take(.forkProof(try proof(2, root: HashValue.sha256("false")).bytes), from: 1)
        let later = fresh.take(.forkProof(try proof(5, root: HashValue.sha256("false")).bytes), from: 2)
        #expect(!later.contains { if case .persistFork = $0 { true } else { false } })
        #expect(later.messages(to: 2).isEmpty, "it was told before")
    }
}

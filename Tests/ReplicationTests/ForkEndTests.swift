import Alliance
import Replication
import Testing
import TransparencyLog

/// Where counting in a forked log ends, at one node: what it asks for, and what it tells.
@Suite struct ForkEndTests {
    let alliance: TestAlliance
    /// What the node holds.
    let pk: TestLog
    /// The other branch: the same 4 entries, then others.
    let other: TestLog
    let proof: [UInt8]

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us", "jp"], quorum: 2)
        pk = TestLog(alliance.member("pk"), 10)
        var other = TestLog(alliance.member("pk"), 4)
        other.append(4, salt: "another story")
        self.other = other
        let branch = ForkProof.Branch(
            root: pk.roots[8], proof: try MerkleTree.consistencyProof(from: 8, to: 10, reader: pk))
        proof = try ForkProof(
            of: SignedNote(parsing: other.head()), SignedNote(parsing: pk.head()), branch: branch,
            key: pk.owner.signer.verifierKey
        ).bytes
    }

    private func members(_ names: String...) -> [TestAlliance.Member] { names.map { alliance.member($0) } }

    /// Holds `pk`'s 10 entries; "us" is session 1, "jp" session 2.
    private func node(cosigners: [TestAlliance.Member] = []) throws -> Replication {
        var node = alliance.node("sv", logs: [try pk.snapshot(cosigners: cosigners)])
        _ = node.handle(.started, now: .t0)
        node.meet(1, "us", alliance)
        node.meet(2, "jp", alliance)
        return node
    }

    private func settled(_ log: TestLog, _ size: Int, _ head: [UInt8] = [], waiting: [[UInt8]] = []) -> Event {
        .forkSettled(
            origin: pk.owner.origin,
            .held(size: UInt64(size), root: log.roots[size], head: head, waiting: waiting))
    }

    private func ends(_ effects: [Effect]) -> [[UInt8]] {
        effects.compactMap { if case .settleFork(_, let end) = $0 { end } else { nil } }
    }

    private func forkHeads(_ effects: [Effect], to id: UInt64) -> [[UInt8]] {
        effects.messages(to: id).flatMap { message in
            if case .forkHeads(let notes) = message { notes } else { [] as [[UInt8]] }
        }
    }

    private func text(_ note: [UInt8]) throws -> [UInt8] { try SignedNote(parsing: note).text }

    @Test func withoutAQuorumNothingCountsAndWhatReplicasCosignedIsTold() throws {
        var node = try node(cosigners: members("us"))
        let heard = node.take(.forkProof(proof), from: 1)
        #expect(ends(heard) == [[]])
        // What is known of our branch goes behind the proof, to whoever told it as well.
        for id: UInt64 in [1, 2] { #expect(try forkHeads(heard, to: id).map(text) == [text(pk.head())]) }
        let told = node.handle(settled(pk, 0, waiting: [try pk.head(10, cosigners: members("us", "sv"))]), now: .t0)
        // The store knew more: with our own cosignature that is a quorum, and it is held, set aside.
        #expect(try ends(told).map(text) == [text(pk.head())])
        let back = node.handle(settled(pk, 10, try pk.head(10, cosigners: members("us", "sv"))), now: .t0)
        #expect(ends(back).isEmpty && node.status(ofLog: pk.owner.origin)?.end == 10)
        #expect(node.status(ofLog: pk.owner.origin)?.size == 10)
    }

    @Test func theOtherBranchWinsAndIsFetchedFromWhoHoldsItAlone() throws {
        var node = try node()
        _ = node.take(.forkProof(proof), from: 1)
        _ = node.handle(settled(pk, 2), now: .t0)
        // One cosignature by each of two peers: each alone is no quorum.
        let first = node.take(.forkHeads([try other.head(cosigners: members("us"))]), from: 1)
        #expect(ends(first).isEmpty)
        let second = node.take(.forkHeads([try other.head(cosigners: members("jp"))]), from: 2)
        let end = try #require(ends(second).first)
        #expect(try text(end) == text(other.head()) && SignedNote(parsing: end).signatures.count == 3)
        #expect(try forkHeads(second, to: 1).map(text) == [text(other.head())], "a new end is told at once")
        // Not held anywhere here: it is asked for once a peer says that it holds it.
        #expect(node.handle(settled(pk, 2), now: .t0).fetches.isEmpty)
        let asked = node.take(.head(Announcement(note: try other.head())), from: 2)
        let fetch = try #require(asked.fetches.first)
        #expect(fetch.from == 2 && fetch.size == 8 && fetch.peer == PeerID(2))
        let ingest = try #require(
            node.handle(.rangeFetched(fetch.request, try other.answer(from: 2, to: 8, head: 8)), now: .t0).ingests.first
        )
        let done = node.handle(ingest.stored(other), now: .t0)
        #expect(done.cosigns.isEmpty)
        // The shell is to record it as what counts at once, not after the next start; and once.
        #expect(try ends(done).map(text) == [text(other.head())])
        #expect(ends(node.handle(settled(other, 8, try other.head()), now: .t0)).isEmpty)
        let status = try #require(node.status(ofLog: pk.owner.origin))
        #expect(status.size == 8 && status.root == other.roots[8] && status.end == 8 && status.isForked)
    }

    @Test func nothingElseOfAForkedLogIsAskedFor() throws {
        var node = try node()
        _ = node.take(.forkProof(proof), from: 1)
        _ = node.handle(settled(pk, 4, try pk.head(4, cosigners: members("us", "jp"))), now: .t0)
        var longer = pk
        longer.append(5)
        let effects = node.take(try longer.announcement(from: 10), from: 2)
        #expect(effects.fetches.isEmpty && effects.ingests.isEmpty && effects.rejections.isEmpty)
        // Nor taken from our own publisher, where the log is ours and was written to just then.
        var owner = alliance.node("pk", logs: [try pk.snapshot()])
        _ = owner.handle(.started, now: .t0)
        owner.meet(1, "us", alliance)
        _ = owner.take(.forkProof(proof), from: 1)
        _ = owner.handle(settled(pk, 4, try pk.head(4, cosigners: members("us", "jp"))), now: .t0)
        _ = owner.handle(.published(note: try longer.head(), from: 10, entries: try longer.bundle(10, 15)), now: .t0)
        #expect(owner.status(ofLog: pk.owner.origin)?.size == 4)
    }

    @Test func whatFailsIsTriedAgainAndARestartGoesOn() throws {
        var node = try node()
        #expect(ends(node.take(.forkProof(proof), from: 1)).count == 1)
        let failed = node.handle(.forkSettled(origin: pk.owner.origin, .failed), now: .t0)
        let timer = try #require(
            failed.compactMap { effect -> (TimerID, Instant)? in
                if case .setTimer(.retry(let origin), let at) = effect { (.retry(origin: origin), at) } else { nil }
            }.first)
        #expect(ends(node.handle(.timer(timer.0), now: timer.1)).count == 1)
        // The heads that were stored count again after a restart.
        var snapshot = try pk.snapshot(4)
        snapshot.fork = proof
        snapshot.forkHeads = [try other.head(cosigners: members("us"))]
        var again = alliance.node("sv", logs: [snapshot])
        #expect(ends(again.handle(.started, now: .t0)) == [[]])
        again.meet(1, "us", alliance)
        _ = again.handle(settled(pk, 4), now: .t0)
        #expect(ends(again.take(.forkHeads([try other.head(cosigners: members("jp"))]), from: 1)).count == 1)
    }

    @Test func whatWeCosignedIsKeptThroughTheSettingBackAndTellsItselfWithTheHeadThatNeedsIt() throws {
        var settings = ReplicationSettings()
        settings.forkHeadsPerMember = 2
        var node = alliance.node("sv", settings: settings, logs: [try pk.snapshot()])
        _ = node.handle(.started, now: .t0)
        node.meet(1, "us", alliance)
        node.meet(2, "jp", alliance)
        _ = node.take(.forkProof(proof), from: 1)
        // The store had more of ours than are told.
        let ours = try (5...10).map { try pk.head($0, cosigners: members("sv")) }
        let effects = node.handle(settled(pk, 4, waiting: ours.reversed()), now: .t0)
        let kept = effects.compactMap { if case .persistForkHeads(_, let notes) = $0 { notes } else { nil } }.last
        #expect(try Set((kept ?? []).map(text)) == Set(ours.map(text)))
        // Another remembers one that we would not tell by ourselves: with our line it is a quorum, and the teller hears so.
        let told = node.take(.forkHeads([try pk.head(6, cosigners: members("us"))]), from: 1)
        for peer in [1, 2] as [UInt64] {
            let note = try #require(forkHeads(told, to: peer).first)
            #expect(try SignedNote(parsing: note).signatures.count == 3, "the log's line, theirs and ours")
        }
    }

    @Test func falseHeadsAreThePeersFaultAndAFloodIsNotPassedOn() throws {
        var settings = ReplicationSettings()
        settings.forkPushes = 3
        var node = alliance.node("sv", settings: settings, logs: [try pk.snapshot()])
        _ = node.handle(.started, now: .t0)
        node.meet(1, "us", alliance)
        node.meet(2, "jp", alliance)
        // Before the fork is known, it is nothing to us.
        #expect(node.take(.forkHeads([try other.head(cosigners: members("us"))]), from: 1).isEmpty)
        _ = node.take(.forkProof(proof), from: 1)
        _ = node.handle(settled(pk, 4, try pk.head(4, cosigners: members("us", "jp"))), now: .t0)
        let note = try SignedNote(parsing: other.head(cosigners: members("us")))
        let wrong = try SignedNote(
            text: try other.checkpoint(8).text,
            signatures: [note.signatures[0], SignedNote(parsing: pk.head(10, cosigners: members("us"))).signatures[1]])
        #expect(node.take(.forkHeads([wrong.bytes]), from: 1).rejections.map(\.reason) == [.badSignature])
        #expect(node.take(.forkHeads([[1, 2]]), from: 1).rejections.map(\.reason) == [.malformedNote])
        var passed = 0
        for size in 20..<60 {
            let root = HashValue.sha256("story \(size)")
            let text = try Checkpoint(origin: pk.owner.origin, size: UInt64(size), root: root).text
            let lines = [try pk.owner.signer.sign(text), try alliance.member("us").cosigner.sign(text, at: 1_000)]
            let effects = node.take(.forkHeads([try SignedNote(text: text, signatures: lines).bytes]), from: 1)
            passed += forkHeads(effects, to: 2).count
        }
        #expect(passed == 3)
        #expect(node.occupancy.forkHeads <= settings.forkHeadsPerMember + 1)
        #expect(node.occupancy.excess(over: settings) == nil)
    }
}

import Replication
import Testing
import TransparencyLog

/// Charters reach everybody, whatever is lost on the way. The simulator found each of these cases.
@Suite struct CharterSpreadTests {
    private let alliance: TestAlliance
    private let pk: TestLog

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us"])
        pk = TestLog(alliance.member("pk"), 10)
    }

    private func next(active: Bool = true) throws -> Membership {
        let base = try TestAlliance(["pk", "sv", "us"], version: 2).membership
        let members = base.members.map { member in
            var member = member
            member.isActive = active || member.id != "did:web:sv.example"
            return member
        }
        return Membership(
            alliance: base.alliance, version: 2, digest: base.digest, quorum: 1, members: members,
            known: [1: [alliance.membership.digest]])
    }

    private func offer(_ membership: Membership) -> Message {
        .charterOffer(version: membership.version, digest: membership.digest)
    }

    @Test func aCharterIsOfferedToWhoHasNotSaidHelloYet() throws {
        var node = alliance.node("sv")
        let up = Event.peerConnected(PeerID(1), member: "did:web:pk.example", canFetch: true, restricted: false)
        _ = node.handle(up, now: .t0)
        // Our hello, which named the charter before, is on its way, and so is theirs.
        let changed = node.handle(.membershipChanged(try next()), now: .t0)
        #expect(changed.messages(to: 1).contains(offer(try next())))
    }

    @Test func anOfferThatWasLostIsMadeAgain() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        _ = node.handle(.membershipChanged(try next()), now: .t0)
        let effects = node.handle(.message(PeerID(1), .digest(.zero)), now: .t0 + 20_000)
        #expect(effects.messages(to: 1).contains(offer(try next())))
    }

    @Test func theSecondOfTwoChartersMayComeAfterTheNextWasAskedFor() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        _ = node.take(.charterOffer(version: 3, digest: .zero), from: 1)
        _ = node.take(.charter(version: 2, bytes: [1]), from: 1)
        let asked = node.handle(.charterConsidered(PeerID(1), version: 2, .held), now: .t0)
        #expect(asked.messages(to: 1) == [.wantCharter(version: 3)])
        let late = node.take(.charter(version: 2, bytes: [2]), from: 1)
        #expect(late == [.considerCharter(PeerID(1), version: 2, bytes: [2])])
    }

    @Test func aCharterThatWeCouldNotStoreIsNobodysFaultAndAskedForAgain() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        _ = node.take(.charterOffer(version: 3, digest: .zero), from: 1)
        _ = node.take(.charter(version: 2, bytes: [1]), from: 1)
        _ = node.take(.charter(version: 2, bytes: [2]), from: 1)
        _ = node.handle(.charterConsidered(PeerID(1), version: 2, .held), now: .t0)
        #expect(node.handle(.charterConsidered(PeerID(1), version: 2, .failed), now: .t0).rejections.isEmpty)
        // What follows the one that is missing cannot be taken.
        let three = node.handle(.charterConsidered(PeerID(1), version: 3, .unconnected), now: .t0)
        #expect(three.messages(to: 1).isEmpty)
        let later = node.handle(.timer(.charter), now: .t0 + 61_000)
        #expect(later.messages(to: 1) == [.wantCharter(version: 2)])
    }

    @Test func whoDecidesOtherwiseWithWhatIsKnownIsAskedForAll() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let base = try next()
        // Both of version 3 are known here and contradict each other; the peer knows why one of them holds.
        let contested = Membership(
            alliance: base.alliance, version: 2, digest: base.digest, quorum: 1, members: base.members,
            known: [1: [alliance.membership.digest], 3: [.sha256("a"), .sha256("b")]])
        _ = node.handle(.membershipChanged(contested), now: .t0)
        let effects = node.take(.charterOffer(version: 3, digest: .sha256("a")), from: 1)
        #expect(effects.messages(to: 1) == [.wantCharter(version: 2)])
    }

    @Test func whoCountsAgainCosignsWhatIsHeld() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        _ = node.handle(.membershipChanged(try next(active: false)), now: .t0)
        let ingest = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        let stored = IngestOutcome.stored(size: 10, root: pk.frontier.root, isTrustworthy: true, documents: [])
        #expect(node.handle(.ingested(ingest.request, stored), now: .t0).cosigns.isEmpty)
        #expect(node.handle(.membershipChanged(try next()), now: .t0).cosigns == [pk.owner.origin])
    }

    @Test func whatWasCountedAgainIsCosignedOnceItIsTrue() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let ingest = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        let stored = IngestOutcome.stored(size: 10, root: pk.frontier.root, isTrustworthy: false, documents: [])
        #expect(node.handle(.ingested(ingest.request, stored), now: .t0).cosigns.isEmpty)
        _ = node.handle(.recounted(origin: pk.owner.origin, isTrustworthy: true), now: .t0)
        #expect(node.handle(.membershipChanged(try next()), now: .t0).cosigns == [pk.owner.origin])
    }
}

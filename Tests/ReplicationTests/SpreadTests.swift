import Replication
import Testing
import TransparencyLog

/// How heads and cosignatures get round.
@Suite struct SpreadTests {
    let alliance: TestAlliance
    var pk: TestLog

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us", "imf"], quorum: 2)
        pk = TestLog(alliance.member("pk"), 10)
    }

    @Test func aHeadIsRelayedWithItsEntriesToWhoDoesNotHearTheOwner() throws {
        // A-B-C: sv is between pk and us.
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        _ = node.take(.neighbours([]), from: 2)
        let ingest = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        // The owner is killed before anything is stored.
        _ = node.handle(.peerDisconnected(PeerID(1)), now: .t0)
        let heads = node.handle(ingest.stored(pk), now: .t0).messages(to: 2).heads
        #expect(heads.count == 1)
        let entries = try pk.bundle(0, 10)
        #expect(heads.first?.inlineEntries == entries)
    }

    @Test func aHeadIsRelayedLateToWhoProbablyHasIt() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        node.meet(3, "imf", alliance)
        for id in [2, 3] as [UInt64] {
            _ = node.take(.neighbours(["did:web:pk.example", "did:web:zz.example"]), from: id)
        }
        let ingest = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        let stored = node.handle(ingest.stored(pk), now: .t0)
        #expect(stored.sent.map(\.1).heads.isEmpty)
        #expect(stored.timers.contains { $0.0 == .relay(origin: pk.owner.origin) })
        // us cosigns, so it has the head; imf is told, without entries.
        _ = node.take(try pk.signatures(10, by: [alliance.member("us")]), from: 2)
        let relayed = node.handle(.timer(.relay(origin: pk.owner.origin)), now: .t0 + 250)
        #expect(relayed.messages(to: 2).heads.isEmpty && relayed.messages(to: 1).heads.isEmpty)
        #expect(relayed.messages(to: 3).heads.map(\.inlineEntries) == [[]])
    }

    @Test func othersCosignaturesGoOnlyToWhoDoesNotHearTheCosigner() throws {
        var node = alliance.node("sv", logs: [try pk.snapshot()])
        for (id, name) in [(1, "pk"), (2, "us"), (3, "imf")] as [(UInt64, String)] { node.meet(id, name, alliance) }
        _ = node.take(.neighbours(["did:web:us.example"]), from: 1)
        let effects = node.take(try pk.signatures(10, by: [alliance.member("us")]), from: 2)
        #expect(effects.persisted == 1 && effects.sent.isEmpty)
        let spread = node.handle(.timer(.relay(origin: pk.owner.origin)), now: .t0 + 20)
        #expect(spread.messages(to: 1).signatures.isEmpty && spread.messages(to: 2).signatures.isEmpty)
        #expect(spread.messages(to: 3).signatures.count == 1)
        // The same again is no news, and goes nowhere.
        let again = node.take(try pk.signatures(10, by: [alliance.member("us")]), from: 3)
        #expect(again.isEmpty)
        // Nor is a time that is hardly newer: a member cannot have one head verified, stored and passed on every second.
        let hardly = node.take(try pk.signatures(10, by: [alliance.member("us")], time: 1009), from: 3)
        #expect(hardly.isEmpty)
        // A newer time is.
        let newer = node.take(try pk.signatures(10, by: [alliance.member("us")], time: 1010), from: 3)
        #expect(newer.persisted == 1)
        #expect(node.status(ofLog: pk.owner.origin)?.cosignatures.map(\.time) == [1010])
        #expect(node.receipts(ofLog: pk.owner.origin).map(\.time) == [1010])
    }

    @Test func cosignaturesThatComeBeforeTheirHeadAreKept() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        #expect(node.take(try pk.signatures(10, by: [alliance.member("us")]), from: 2).persisted == 0)
        let ingest = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        _ = node.take(try pk.signatures(10, by: [alliance.member("imf")]), from: 2)
        let stored = node.handle(ingest.stored(pk), now: .t0)
        // One went with the head, the other is stored afterwards.
        let note = try pk.head(10, cosigners: [alliance.member("us")])
        #expect(ingest.head == note)
        #expect(stored.persisted == 1)
        let status = try #require(node.status(ofLog: pk.owner.origin))
        #expect(status.cosignatures.map(\.member) == ["did:web:imf.example", "did:web:us.example"])
        #expect(status.quorumSize == 10 && status.quorumTime == 1000)
    }

    @Test func anOwnerAnnouncesItsNextHeadOnceTheLastHasAQuorumOrItsTime() throws {
        var sv = TestLog(alliance.member("sv"), 0)
        var node = alliance.node("sv")
        _ = node.handle(.started, now: .t0)
        for (id, name) in [(1, "pk"), (2, "us"), (3, "imf")] as [(UInt64, String)] { node.meet(id, name, alliance) }
        func publish(_ node: inout Replication, at now: Instant) throws -> [Announcement] {
            let from = sv.entries.count
            sv.append(2)
            let event = Event.published(note: try sv.head(), from: UInt64(from), entries: try sv.bundle(from, from + 2))
            return node.handle(event, now: now).messages(to: 1).heads
        }
        #expect(try publish(&node, at: .t0).map(\.inlineFrom) == [0])
        #expect(try publish(&node, at: .t0 + 1).isEmpty)
        #expect(try publish(&node, at: .t0 + 2).isEmpty)
        // One cosignature is not enough, the second makes the quorum, and all that has gathered goes out in one.
        #expect(node.take(try sv.signatures(2, by: [alliance.member("pk")]), from: 1, at: .t0 + 3).sent.isEmpty)
        let quorum = node.take(try sv.signatures(2, by: [alliance.member("us")]), from: 2, at: .t0 + 4)
        let next = try #require(quorum.messages(to: 3).heads.first)
        let entries = try sv.bundle(2, 6)
        #expect(next.inlineFrom == 2 && next.inlineEntries == entries)
        // Without a quorum, after 100 ms.
        #expect(try publish(&node, at: .t0 + 5).isEmpty)
        let due = node.handle(.timer(.announce), now: .t0 + 104)
        #expect(due.messages(to: 1).heads.map(\.inlineFrom) == [6])
        #expect(node.status(ofLog: sv.owner.origin)?.quorumSize == 2)
    }

    @Test func aLargePublicationGoesOutWithoutEntries() throws {
        let sv = TestLog(alliance.member("sv"), 300)
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let heads = node.handle(
            .published(note: try sv.head(), from: 0, entries: try sv.bundle(0, 300)), now: .t0
        ).messages(to: 1).heads
        #expect(heads.map(\.inlineEntries) == [[]])
    }

    @Test func headsAreCosignedInOrder() throws {
        var longer = pk
        longer.append(3)
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let first = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        #expect(node.take(try longer.announcement(from: 10), from: 1).ingests.isEmpty)
        let effects = node.handle(first.stored(pk), now: .t0)
        let kinds = effects.compactMap { effect in
            switch effect {
            case .cosign: "cosign"
            case .ingest: "ingest"
            default: nil
            }
        }
        #expect(kinds == ["cosign", "ingest"])
        let second = node.handle(try #require(effects.ingests.first).stored(longer), now: .t0)
        #expect(second.cosigns.count == 1)
        // A cosignature of the earlier head still counts for it.
        let line = try alliance.member("sv").cosigner.sign(try pk.checkpoint(10).text, at: 1000)
        let event = Event.cosigned(origin: pk.owner.origin, size: 10, root: pk.roots[10], line)
        #expect(node.handle(event, now: .t0).messages(to: 1).signatures.first?.size == 10)
    }

    @Test func aHeadStoredBeforeACrashIsCosignedAfterIt() throws {
        var node = alliance.node("sv", logs: [try pk.snapshot()])
        #expect(node.handle(.started, now: .t0).cosigns == [pk.owner.origin])
        var other = alliance.node("sv", logs: [try pk.snapshot(cosigners: [alliance.member("sv")])])
        #expect(other.handle(.started, now: .t0).cosigns.isEmpty)
        // Nothing below what was accepted before.
        var snapshot = try pk.snapshot()
        snapshot.acceptedSize = 20
        var partial = alliance.node("sv", logs: [snapshot])
        #expect(partial.handle(.started, now: .t0).cosigns.isEmpty)
    }

    @Test func aCosigningThatFailedIsTriedAgain() throws {
        let origin = pk.owner.origin
        var node = alliance.node("sv", logs: [try pk.snapshot()])
        #expect(node.handle(.started, now: .t0).cosigns == [origin])
        let failure = Event.cosigningFailed(origin: origin, size: pk.frontier.size)
        let first = node.handle(failure, now: .t0)
        #expect(first == [.setTimer(.retry(origin: origin), at: .t0 + 500)])
        #expect(node.handle(.timer(.retry(origin: origin)), now: .t0 + 500).cosigns == [origin])
        // Each failure doubles the wait.
        #expect(node.handle(failure, now: .t0 + 500) == [.setTimer(.retry(origin: origin), at: .t0 + 1500)])
        let line = try alliance.member("sv").cosigner.sign(pk.checkpoint(pk.entries.count).text, at: 1000)
        _ = node.handle(
            .cosigned(origin: origin, size: pk.frontier.size, root: pk.frontier.root, line), now: .t0 + 600)
        #expect(node.handle(.timer(.retry(origin: origin)), now: .t0 + 1500).cosigns.isEmpty)
    }

    @Test func refreshesAreCoalescedAndDoNotCircle() throws {
        let origin = pk.owner.origin
        var node = alliance.node("sv", logs: [try pk.snapshot()])
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        let first = node.handle(.freshnessWanted(origin: origin), now: .t0)
        #expect(first.cosigns == [origin] && first.sent.count == 2)
        let again = node.handle(.freshnessWanted(origin: origin), now: .t0 + 5000)
        #expect(again == [.setTimer(.freshness(origin: origin), at: .t0 + 10_000)])
        #expect(node.take(.wantFresh(origin: origin), from: 1, at: .t0 + 9999).isEmpty)
        let due = node.handle(.timer(.freshness(origin: origin)), now: .t0 + 10_000)
        #expect(due.cosigns == [origin])
        let asked = node.take(.wantFresh(origin: origin), from: 1, at: .t0 + 20_000)
        #expect(asked.cosigns == [origin] && asked.messages(to: 1).isEmpty && asked.messages(to: 2).count == 1)
    }
}

/// The periodic exchange, documents and charters.
@Suite struct ExchangeTests {
    let alliance: TestAlliance
    let pk: TestLog

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us"])
        pk = TestLog(alliance.member("pk"), 10)
    }

    private func digest(_ effects: [Effect]) -> Message? {
        effects.sent.map(\.1).first { if case .digest = $0 { true } else { false } }
    }

    @Test func equalPeersNeedOneSmallMessage() throws {
        var sv = alliance.node("sv", logs: [try pk.snapshot()])
        var us = alliance.node("us", logs: [try pk.snapshot()])
        let question = try #require(digest(sv.meet(1, "us", alliance)))
        us.meet(1, "sv", alliance)
        #expect(question.frame.count < 64)
        #expect(us.take(question, from: 1).isEmpty)
        #expect(us.peerStatuses.first?.logs.map(\.known) == [10, 0, 0])
    }

    @Test func peersThatDifferLearnWhatTheyLack() throws {
        var sv = alliance.node("sv", logs: [try pk.snapshot(cosigners: [alliance.member("sv")])])
        var us = alliance.node("us", logs: [try pk.snapshot(cosigners: [alliance.member("us")])])
        sv.meet(1, "us", alliance)
        let question = try #require(digest(us.meet(1, "sv", alliance)))
        let pages = sv.take(question, from: 1).messages(to: 1)
        #expect(pages.pages.count == 1)
        // us learns sv's cosignature, and answers with its own.
        let effects = us.take(try #require(pages.first), from: 1)
        #expect(effects.persisted == 1)
        let answer = try #require(effects.messages(to: 1).signatures.first)
        #expect(sv.take(.signatures(answer), from: 1).persisted == 1)
        #expect(sv.status(ofLog: pk.owner.origin)?.cosignatures == us.status(ofLog: pk.owner.origin)?.cosignatures)
        // Asking again at once is not answered.
        #expect(sv.take(question, from: 1).isEmpty)
    }

    @Test func whoHasNothingIsToldOfEverything() throws {
        var sv = alliance.node("sv", logs: [try pk.snapshot()])
        sv.meet(1, "us", alliance)
        let effects = sv.take(.heads(HeadsPage(after: "", through: "", notes: [])), from: 1)
        #expect(effects.messages(to: 1).heads.count == 1)
        let page = HeadsPage(after: "", through: "b", notes: [])
        #expect(sv.take(.heads(page), from: 1).messages(to: 1).isEmpty)
    }

    @Test func aPageOutOfOrderIsRefused() throws {
        let us = TestLog(alliance.member("us"), 3)
        var sv = alliance.node("sv")
        sv.meet(1, "us", alliance)
        let page = HeadsPage(after: "", through: "", notes: [try us.head(), try pk.head()])
        #expect(sv.take(.heads(page), from: 1).rejections.map(\.reason) == [.unexpectedMessage])
    }

    @Test func pagesAreBounded() throws {
        let many = try TestAlliance((10..<40).map { "m\($0)" })
        var settings = ReplicationSettings()
        settings.headsPageBytes = WireLimits.noteBytes
        settings.headsLines = 10_000
        let cosigners = Array(many.members[1...])
        let logs = try many.members.prefix(20).map { member in
            try TestLog(member, 3).snapshot(cosigners: cosigners.filter { $0.id != member.id })
        }
        var node = many.node("m39", settings: settings, logs: logs)
        node.meet(1, "m38", many)
        let pages = node.take(.digest(.zero), from: 1).messages(to: 1).pages
        #expect(pages.count > 1 && pages.flatMap(\.notes).count == 20)
        #expect(pages.allSatisfy { $0.notes.map(\.count).reduce(0, +) <= WireLimits.noteBytes })
        #expect(pages.map(\.after).dropFirst().elementsEqual(pages.map(\.through).dropLast()))
        #expect(pages.first?.after == "" && pages.last?.through == "")
    }

    @Test func theExchangeComesAgainWithJitter() throws {
        var node = alliance.node("sv")
        let first = node.meet(1, "pk", alliance).timers
        let at = try #require(first.first { $0.0 == .exchange(PeerID(1)) }?.1)
        #expect((4_000...6_000).contains(at - .t0))
        let again = node.handle(.timer(.exchange(PeerID(1))), now: at)
        #expect(digest(again) != nil && again.timers.count == 1)
        _ = node.handle(.peerDisconnected(PeerID(1)), now: at)
        #expect(node.handle(.timer(.exchange(PeerID(1))), now: at).isEmpty)
    }

    @Test func documentsAreAskedForInTurnAndNeverForgotten() throws {
        let needs = (0..<3).map { DocumentNeed(digest: HashValue.sha256("document \($0)"), size: 10) }
        var snapshot = try pk.snapshot()
        snapshot.missingDocuments = needs
        var node = alliance.node("sv", logs: [snapshot])
        let asked = node.meet(1, "pk", alliance).documents
        #expect(asked.map(\.1) == [needs[0].digest, needs[1].digest])
        node.meet(2, "us", alliance)
        node.meet(3, "us", alliance, restricted: true)
        // The second peer is next; after a whole round there is a pause, while the third document has its turn.
        let failed = node.handle(.documentFailed(needs[0].digest, .notFound, from: PeerID(1)), now: .t0)
        #expect(failed.documents.map(\.1) == [needs[2].digest])
        let got = node.handle(.documentFetched(needs[1].digest), now: .t0)
        #expect(got.documents.map(\.0) == [PeerID(2)] && got.documents.map(\.1) == [needs[0].digest])
        // The first peer's answer comes after all: it was given up, and the second is not to be blamed for it.
        let bad = FetchFailure.rejected(Rejection(.wrongDocument, "digest"))
        #expect(node.handle(.documentFailed(needs[0].digest, bad, from: PeerID(1)), now: .t0).isEmpty)
        let wrong = node.handle(.documentFailed(needs[0].digest, bad, from: PeerID(2)), now: .t0)
        #expect(wrong.rejections.map(\.reason) == [.wrongDocument] && wrong.documents.isEmpty)
        #expect(wrong.timers.contains { $0.0 == .documents && $0.1 == .t0 + 500 })
        #expect(node.handle(.timer(.documents), now: .t0 + 500).documents.count == 1)
        #expect(node.missingDocuments.count == 2)
    }

    @Test func documentsBeyondTheLimitAreAskedForLater() throws {
        var settings = ReplicationSettings()
        settings.rememberedDocuments = 2
        var node = alliance.node("sv", settings: settings)
        node.meet(1, "pk", alliance)
        let needs = (0..<5).map { DocumentNeed(digest: HashValue.sha256("document \($0)"), size: 10) }
        _ = node.handle(.documentsMissing(needs), now: .t0)
        #expect(node.missingDocuments.count == 2)
        let effects = node.handle(.documentFetched(needs[0].digest), now: .t0)
        #expect(effects.contains(.listMissingDocuments(limit: 2)))
    }

    @Test func aNewerCharterIsAskedForAndItsLogsWait() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let offered = node.take(.charterOffer(version: 3, digest: .zero), from: 1)
        #expect(offered.messages(to: 1) == [.wantCharter(version: 2)])
        // Logs that only a newer charter can know are no offence.
        let next = try TestAlliance(["pk", "sv", "us", "xx"], version: 2)
        let xx = TestLog(next.member("xx"), 3)
        #expect(node.take(.head(Announcement(note: try xx.head())), from: 1).isEmpty)
        #expect(node.take(.charter(version: 3, bytes: [1]), from: 1).rejections.map(\.reason) == [.unexpectedMessage])
        let came = node.take(.charter(version: 2, bytes: [1]), from: 1)
        #expect(came == [.considerCharter(PeerID(1), version: 2, bytes: [1])])
        let changed = node.handle(.membershipChanged(next.membership), now: .t0)
        #expect(changed.messages(to: 1).contains(.charterOffer(version: 2, digest: next.membership.digest)))
        let considered = node.handle(.charterConsidered(PeerID(1), version: 2, .held), now: .t0)
        #expect(considered.messages(to: 1) == [.wantCharter(version: 3)])
        #expect(node.take(.head(Announcement(note: try xx.head())), from: 1).fetches.count == 1)
    }

    @Test func aBatchUnderAnUnknownCharterWaitsAndBlocksNothing() throws {
        let us = TestLog(alliance.member("us"), 4)
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let ingest = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        let waiting = node.handle(.ingested(ingest.request, .waitingForCharter(version: 2)), now: .t0)
        #expect(waiting.messages(to: 1) == [.wantCharter(version: 2)])
        #expect(node.status(ofLog: pk.owner.origin)?.state == .waitingForCharter(version: 2))
        #expect(node.take(try us.announcement(from: 0), from: 1).ingests.count == 1)
        let next = try TestAlliance(["pk", "sv", "us"], version: 2)
        let changed = node.handle(.membershipChanged(next.membership), now: .t0)
        #expect(changed.fetches.map(\.size) == [10])
    }

    @Test func aCharterThatDoesNotFollowIsNotAskedForAgainAtOnce() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        _ = node.take(.charterOffer(version: 2, digest: .zero), from: 1)
        _ = node.take(.charterOffer(version: 2, digest: .zero), from: 2)
        let no = CharterOutcome.rejected(Rejection(.invalidCharter, "no"))
        let effects = node.handle(.charterConsidered(PeerID(1), version: 2, no), now: .t0)
        #expect(effects.rejections.map(\.reason) == [.invalidCharter])
        #expect(effects.messages(to: 2) == [.wantCharter(version: 2)])
        let late = node.handle(.timer(.charter), now: .t0 + 10_000)
        #expect(late.messages(to: 1).isEmpty)
        let other = node.take(.charterOffer(version: 1, digest: .zero), from: 1)
        #expect(other.rejections.map(\.reason) == [.differentCharter])
    }

    /// What the shell says once a charter is held.
    private func held(_ version: UInt64, _ digests: [UInt64: [HashValue]]) throws -> Membership {
        let base = try TestAlliance(["pk", "sv", "us"], version: version).membership
        return Membership(
            alliance: base.alliance, version: version, digest: base.digest, quorum: 1, members: base.members,
            known: digests)
    }

    @Test func twoChartersOfOneVersionReachEverybody() throws {
        let (a, b) = (HashValue.sha256("A"), HashValue.sha256("B"))
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        _ = node.take(.charterOffer(version: 2, digest: a), from: 1)
        _ = node.take(.charterOffer(version: 2, digest: b), from: 2)
        _ = node.take(.charter(version: 2, bytes: [1]), from: 1)
        // The shell holds A; the other one is asked for, though its version is known.
        let one = Membership(
            alliance: alliance.membership.alliance, version: 2, digest: a, quorum: 1,
            members: alliance.membership.members, known: [1: [alliance.membership.digest], 2: [a]])
        _ = node.handle(.membershipChanged(one), now: .t0)
        let asked = node.handle(.charterConsidered(PeerID(1), version: 2, .held), now: .t0)
        #expect(asked.messages(to: 2) == [.wantCharter(version: 2)])
        #expect(asked.messages(to: 1).isEmpty)
        // A peer that holds both sends both; none is an offence.
        #expect(node.take(.charter(version: 2, bytes: [1]), from: 2).rejections.isEmpty)
        #expect(node.take(.charter(version: 2, bytes: [2]), from: 2).rejections.isEmpty)
        let contested = try held(1, [1: [alliance.membership.digest], 2: [a, b]])
        let told = node.handle(.membershipChanged(contested), now: .t0).messages(to: 1)
        for offer in [(1, alliance.membership.digest), (2, a), (2, b)] as [(UInt64, HashValue)] {
            #expect(told.contains(.charterOffer(version: offer.0, digest: offer.1)))
        }
        #expect(node.handle(.charterConsidered(PeerID(2), version: 2, .held), now: .t0).messages(to: 2).isEmpty)
        // Both are served.
        #expect(node.take(.wantCharter(version: 2), from: 1) == [.serveCharter(PeerID(1), version: 2)])
        // Whoever comes later is told as well.
        let met = node.meet(3, "pk", alliance)
        #expect(met.messages(to: 3).contains(.charterOffer(version: 2, digest: b)))
    }

    @Test func aBranchIsFollowedDownToWhereItParts() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let here = try held(4, [1: [HashValue.sha256("charter 1")], 2: [.sha256("2")], 3: [.sha256("3")]])
        _ = node.handle(.membershipChanged(here), now: .t0)
        var effects = node.take(.charterOffer(version: 3, digest: .sha256("other 3")), from: 1)
        #expect(effects.messages(to: 1) == [.wantCharter(version: 3)])
        effects = node.handle(.charterConsidered(PeerID(1), version: 3, .unconnected), now: .t0)
        #expect(effects.messages(to: 1) == [.wantCharter(version: 2)])
        effects = node.handle(.charterConsidered(PeerID(1), version: 2, .held), now: .t0)
        #expect(effects.messages(to: 1) == [.wantCharter(version: 3)])
        // It does not come to anything: not again at once.
        effects = node.handle(.charterConsidered(PeerID(1), version: 3, .unconnected), now: .t0)
        #expect(effects.messages(to: 1).isEmpty)
    }
}

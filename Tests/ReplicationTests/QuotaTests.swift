import Testing
import TransparencyLog

@testable import Replication

/// What is beyond a member's quota waits, and others do not wait for it.
@Suite struct QuotaTests {
    let alliance: TestAlliance
    var spam: TestLog
    var pk: TestLog

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us", "imf"], quorum: 2)
        spam = TestLog(alliance.member("us"), 60, salt: "spam")
        pk = TestLog(alliance.member("pk"), 10)
    }

    /// A share of 10 units that comes back in a second; no caps.
    private func settings(_ change: (inout QuotaSettings) -> Void = { _ in }) -> ReplicationSettings {
        var settings = ReplicationSettings()
        settings.quota.share = 10
        settings.quota.shareWindow = 1_000
        settings.quota.rangeUnits = 0
        settings.quota.entriesPerMinute = 0
        settings.quota.bytesPerMinute = 0
        settings.quota.entriesPerDay = 0
        settings.quota.bytesPerDay = 0
        change(&settings.quota)
        return settings
    }

    @Test func withoutOthersNothingWaits() throws {
        var node = alliance.node("sv", settings: settings())
        node.meet(2, "us", alliance)
        var fetch = try #require(node.take(.head(Announcement(note: try spam.head(60))), from: 2).fetches.first)
        for start in stride(from: 0, to: 60, by: 20) {
            let answer = try spam.answer(from: start, to: start + 20, head: 60)
            let effects = node.handle(.rangeFetched(fetch.request, answer), now: .t0)
            let stored = node.handle(try #require(effects.ingests.first).stored(spam), now: .t0)
            if let next = (effects + stored).fetches.first { fetch = next }
        }
        #expect(node.status(ofLog: spam.owner.origin)?.size == 60)
    }

    @Test func aLogBeyondItsShareWaitsWhileOthersPublish() throws {
        var node = alliance.node("sv", settings: settings())
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        let first = try #require(node.take(try spam.announcement(from: 0, to: 40), from: 2).ingests.first)
        _ = node.handle(first.stored(spam), now: .t0)
        // pk publishes: its entries are stored at once.
        let now = Instant.t0 + 10
        let honest = node.take(try pk.announcement(from: 0), from: 1, at: now)
        #expect(honest.ingests.map(\.origin) == [pk.owner.origin])
        // The spammer's next are neither taken as they come nor asked for.
        let more = node.take(try spam.announcement(from: 40), from: 2, at: now + 10)
        #expect(more.ingests.isEmpty && more.fetches.isEmpty)
        let retry = try #require(more.timers.first { $0.0 == .retry(origin: spam.owner.origin) })
        // pk goes on meanwhile.
        let ingest = try #require(honest.ingests.first)
        #expect(!node.handle(ingest.stored(pk), now: now + 20).cosigns.isEmpty)
        // Its time comes, and nothing was lost: it is asked for where it is.
        var time = retry.1
        for _ in 0..<10 {
            let effects = node.handle(.timer(.retry(origin: spam.owner.origin)), now: time)
            if let fetch = effects.fetches.first {
                #expect(fetch.from == 40 && fetch.size == 60 && time - now <= 4_000)
                return
            }
            time = try #require(effects.timers.first { $0.0 == .retry(origin: spam.owner.origin) }).1
        }
        Issue.record("the spammer's entries are never asked for")
    }

    @Test func aMemberThatPublishesALittleIsNotHeldUpByItself() throws {
        var node = alliance.node("sv", settings: settings())
        node.meet(1, "pk", alliance)
        var log = TestLog(alliance.member("pk"), 0)
        for number in 0..<20 {
            log.append(2)
            let now = Instant.t0 + Int64(number) * 300
            let effects = node.take(try log.announcement(from: number * 2), from: 1, at: now)
            let ingest = try #require(effects.ingests.first, "publication \(number) waits")
            _ = node.handle(ingest.stored(log), now: now)
        }
    }

    @Test func aCapDelaysUntilAQuorumHoldsIt() throws {
        let settings = settings { $0.entriesPerDay = 30 }
        var node = alliance.node("sv", settings: settings)
        node.meet(2, "us", alliance)
        let first = try #require(node.take(try spam.announcement(from: 0, to: 40), from: 2).ingests.first)
        _ = node.handle(first.stored(spam), now: .t0)
        let more = node.take(try spam.announcement(from: 40), from: 2)
        #expect(more.ingests.isEmpty && more.fetches.isEmpty)
        #expect(more.contains(.quotaReached(origin: spam.owner.origin, .entriesPerDay)))
        guard case .delayed(.entriesPerDay, let until)? = node.status(ofLog: spam.owner.origin)?.state else {
            Issue.record("the status does not say why")
            return
        }
        #expect(until > .t0 && until <= .t0 + 86_400_000)
        // Told once, and not with every head.
        #expect(
            !node.take(try spam.announcement(from: 40), from: 2, at: .t0 + 1_000).contains {
                if case .quotaReached = $0 { true } else { false }
            })
        // Two others hold it, under their own quotas.
        let held = node.take(
            try spam.signatures(60, by: [alliance.member("pk"), alliance.member("imf")]), from: 2, at: .t0 + 2_000)
        #expect(held.fetches.map(\.from) == [40])
    }

    @Test func aCapOfADayEnds() throws {
        var node = alliance.node("sv", settings: settings { $0.entriesPerDay = 30 })
        node.meet(2, "us", alliance)
        let first = try #require(node.take(try spam.announcement(from: 0, to: 40), from: 2).ingests.first)
        _ = node.handle(first.stored(spam), now: .t0)
        _ = node.take(try spam.announcement(from: 40), from: 2)
        // Ten too many: a third of a day.
        let early = node.handle(.timer(.retry(origin: spam.owner.origin)), now: .t0 + (86_400_000 / 3 - 1))
        #expect(early.fetches.isEmpty)
        let later = node.handle(.timer(.retry(origin: spam.owner.origin)), now: .t0 + 86_400_000 / 3 + 2)
        #expect(later.fetches.map(\.from) == [40])
    }

    @Test func whoKeptUsWaitingIsAskedLastInItsNextSessionToo() throws {
        var node = alliance.node("sv")
        node.meet(1, "us", alliance)
        node.meet(2, "imf", alliance)
        let fetch = try #require(node.take(.head(Announcement(note: try pk.head(10))), from: 1).fetches.first)
        _ = node.take(.head(Announcement(note: try pk.head(10))), from: 2)
        // It is slow, and the other has the same: the other is asked after two seconds and not after thirty.
        let slow = node.handle(.timer(.request(fetch.request)), now: .t0 + 2_000)
        #expect(slow.contains(.cancelFetch(fetch.request)))
        let second = try #require(slow.fetches.first)
        #expect(second.peer == PeerID(2))
        _ = node.handle(.rangeFetched(second.request, try pk.answer(from: 0, to: 10, head: 10)), now: .t0 + 2_001)
        // It comes back, with nothing to do.
        _ = node.handle(.peerDisconnected(PeerID(1)), now: .t0 + 3_000)
        node.meet(3, "us", alliance, at: .t0 + 3_000)
        let (back, other) = (try #require(node.peerIndex(PeerID(3))), try #require(node.peerIndex(PeerID(2))))
        #expect(node.rank(back, 0) > node.rank(other, 0))
    }

    /// It may have been repaired, and be the only one that has something: it is asked, but last.
    @Test func whoServedSomethingFalseIsAskedLastInItsNextSession() throws {
        var node = alliance.node("sv")
        node.meet(1, "us", alliance)
        let offer = Message.head(Announcement(note: try pk.head(10)))
        let fetch = try #require(node.take(offer, from: 1).fetches.first)
        _ = node.handle(.rangeFailed(fetch.request, .rejected(Rejection(.wrongRoot, "false"))), now: .t0)
        #expect(node.take(offer, from: 1, at: .t0 + 1).fetches.isEmpty)
        _ = node.handle(.peerDisconnected(PeerID(1)), now: .t0 + 1)
        node.meet(2, "us", alliance, at: .t0 + 2)
        node.meet(3, "imf", alliance, at: .t0 + 2)
        let (back, other) = (try #require(node.peerIndex(PeerID(2))), try #require(node.peerIndex(PeerID(3))))
        #expect(node.rank(back, 0) > node.rank(other, 0))
        #expect(node.take(offer, from: 2, at: .t0 + 3).fetches.map(\.peer) == [PeerID(2)])
    }
}

@Suite struct AllowanceTests {
    @Test func whatIsTakenComesBackWithTime() {
        var allowance = Allowance(10, each: 1_000)
        #expect(allowance.due(.t0) == nil)
        allowance.take(10, .t0)
        #expect(allowance.due(.t0) == .t0 + 1)
        allowance.take(20, .t0)
        #expect(allowance.due(.t0) == .t0 + 2_001)
        #expect(allowance.due(.t0 + 2_000) != nil && allowance.due(.t0 + 2_001) == nil)
        #expect(allowance.due(.t0 + 100_000) == nil)
        // It does not grow beyond what it is.
        allowance.take(11, .t0 + 100_000)
        #expect(allowance.due(.t0 + 100_000) != nil)
    }

    @Test func debtIsBounded() {
        var allowance = Allowance(10, each: 1_000, mostOwed: 5)
        allowance.take(.max, .t0)
        #expect(allowance.due(.t0) == .t0 + 501)
    }

    @Test(arguments: [1, 1 << 36] as [Int64]) func extremesDoNotTrap(amount: Int64) {
        for window in [1, 86_400_000] as [Int64] {
            var allowance = Allowance(amount, each: window)
            for (count, at) in [(Int64.max, Int64.min), (.max, .max), (0, .min), (.min, 0), (.max, .max)] {
                allowance.take(count, Instant(milliseconds: at))
                _ = allowance.due(Instant(milliseconds: at))
            }
        }
    }

    @Test func aClockThatGoesBackBringsNothing() {
        var allowance = Allowance(10, each: 1_000)
        allowance.take(20, .t0)
        #expect(allowance.due(.t0 + -500_000) != nil)
        #expect(allowance.due(.t0 + -500_000 + 1_001) == nil)
    }
}

@Suite struct DocumentTurnTests {
    private func need(_ number: Int) -> DocumentNeed {
        DocumentNeed(digest: HashValue.sha256("document \(number)"), size: 1 << 20)
    }

    @Test func logsTakeTurns() {
        var documents = Documents(limit: 100)
        documents.add((0..<50).map(need), of: "spam")
        documents.add([need(50)], of: "honest")
        var retry: Instant?
        var asked: [String?] = []
        for number in 0..<3 {
            guard let index = documents.next(perLog: 2, .t0, heldUp: [:], &retry) else { continue }
            asked.append(documents.works[index].origin)
            documents.ask(index, PeerID(1), RequestID(UInt64(number)), .t0)
        }
        #expect(asked == ["spam", "honest", "spam"])
        // A third of one log is not asked for at once.
        #expect(documents.next(perLog: 2, .t0, heldUp: [:], &retry) == nil)
    }

    @Test func aLogThatNamesThousandsLeavesRoomForOthers() {
        var documents = Documents(limit: 10)
        documents.add((0..<20).map(need), of: "spam")
        documents.add((20..<23).map(need), of: "honest")
        #expect(documents.works.count == 10 && documents.isTruncated)
        #expect(documents.works.count { $0.origin == "honest" } == 3)
    }

    @Test func aDocumentThatDripsKeepsNoOtherWaiting() throws {
        let alliance = try TestAlliance(["pk", "sv", "us"])
        var settings = ReplicationSettings()
        settings.concurrentDocuments = 1
        var node = alliance.node("sv", settings: settings)
        node.meet(1, "us", alliance)
        node.meet(2, "pk", alliance)
        let first = node.handle(.documentsMissing([need(1), need(2)]), now: .t0)
        let timer = try #require(
            first.timers.first { if case .request = $0.0 { $0.1 == .t0 + settings.slowDocument } else { false } })
        let second = node.handle(.timer(timer.0), now: timer.1)
        let asked = second.compactMap { effect -> HashValue? in
            if case .fetchDocument(_, let digest, _) = effect { digest } else { nil }
        }
        #expect(asked == [need(2).digest])
        #expect(node.missingDocuments.count == 2)
    }

    @Test func capsHoldDocumentsUpButForThoseThatAQuorumHolds() {
        var documents = Documents(limit: 10)
        documents.add([need(1)], of: "spam")
        var retry: Instant?
        #expect(documents.next(perLog: 2, .t0, heldUp: ["spam": .t0 + 70], &retry) == nil)
        #expect(retry == .t0 + 70)
        documents.add([need(2)], of: "spam", isExempt: true)
        #expect(documents.next(perLog: 2, .t0, heldUp: ["spam": .t0 + 70], &retry) == 1)
    }
}

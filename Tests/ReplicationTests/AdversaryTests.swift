import Replication
import Testing
import TransparencyLog

/// Peers that serve what is false: a typed reason, nothing false cosigned, and the node goes on with the others.
@Suite struct AdversaryTests {
    let alliance: TestAlliance
    let pk: TestLog

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us", "imf"], quorum: 2)
        pk = TestLog(alliance.member("pk"), 10)
    }

    /// sv's node: us (2) and imf (3) both offer pk's head; the first fetch is on its way.
    private func fetching() throws -> (Replication, RequestID, PeerID) {
        var node = alliance.node("sv")
        node.meet(2, "us", alliance)
        node.meet(3, "imf", alliance)
        var effects = node.take(.head(Announcement(note: try pk.head())), from: 2)
        effects += node.take(.head(Announcement(note: try pk.head())), from: 3)
        let fetch = try #require(effects.fetches.first)
        #expect(effects.fetches.count == 1)
        return (node, fetch.request, fetch.peer)
    }

    /// What a real shell does with an answer.
    private func judged(_ answer: RangeAnswer, head: Int, root: HashValue? = nil) throws -> IngestOutcome {
        do {
            let edge = try MerkleTree.frontier(size: answer.from, reader: pk)
            let hashes = try EntryBundle.leafHashes(of: answer.entries)
            let after = try verifyRange(
                frontier: edge, answer: answer, leafHashes: hashes, head: try pk.checkpoint(head, root: root))
            return .stored(size: after.size, root: after.root, isTrustworthy: true, documents: [])
        } catch {
            return .rejected(try #require(error as? Rejection))
        }
    }

    /// The node must turn to the other peer, and end with pk's log cosigned once.
    private func expectRecovery(_ node: inout Replication, _ effects: [Effect], blaming bad: PeerID) throws {
        #expect(effects.cosigns.isEmpty)
        let next = try #require(effects.fetches.first)
        #expect(next.peer != bad)
        let fetched = node.handle(.rangeFetched(next.request, try pk.answer(from: 0, to: 10, head: 10)), now: .t0)
        let done = node.handle(try #require(fetched.ingests.first).stored(pk), now: .t0)
        #expect(done.cosigns == [pk.owner.origin])
        // The bad peer is not asked for this log again, even for more.
        var longer = pk
        longer.append(5)
        let more = node.take(.head(Announcement(note: try longer.head())), from: bad.number)
        #expect(more.fetches.isEmpty)
    }

    @Test func aTamperedEntry() throws {
        var (node, request, bad) = try fetching()
        let good = try pk.answer(from: 0, to: 10, head: 10)
        var entries = good.entries
        entries[7] ^= 1
        let answer = try RangeAnswer(from: 0, to: 10, entries: entries)
        let ingest = try #require(node.handle(.rangeFetched(request, answer), now: .t0).ingests.first)
        let effects = node.handle(.ingested(ingest.request, try judged(answer, head: 10)), now: .t0)
        #expect(effects.rejections.map(\.reason) == [.wrongRoot])
        #expect(effects.rejections.first?.origin == pk.owner.origin)
        try expectRecovery(&node, effects, blaming: bad)
    }

    @Test func anOversizedEntryOrAnswer() throws {
        var (node, request, bad) = try fetching()
        // The shell's decoder refuses it, before anything is handed on.
        let effects = node.handle(
            .rangeFailed(request, .rejected(Rejection(.malformedEntry, "an entry is longer than it may be"))), now: .t0)
        #expect(effects.rejections.map(\.reason) == [.malformedEntry])
        try expectRecovery(&node, effects, blaming: bad)
    }

    @Test func anotherRangeThanAskedFor() throws {
        var (node, request, bad) = try fetching()
        let effects = node.handle(.rangeFetched(request, try pk.answer(from: 2, to: 10, head: 10)), now: .t0)
        #expect(effects.rejections.map(\.reason) == [.malformedRange])
        try expectRecovery(&node, effects, blaming: bad)
    }

    @Test func silence() throws {
        var (node, request, bad) = try fetching()
        let effects = node.handle(.timer(.request(request)), now: .t0 + 30_000)
        #expect(effects.contains(.cancelFetch(request)))
        let next = try #require(effects.fetches.first)
        #expect(next.peer != bad)
        // What comes too late is ignored.
        #expect(node.handle(.rangeFetched(request, try pk.answer(from: 0, to: 10, head: 10)), now: .t0).ingests.isEmpty)
    }

    @Test func aBrokenConnection() throws {
        var (node, _, bad) = try fetching()
        let effects = node.handle(.peerDisconnected(bad), now: .t0)
        #expect(effects.fetches.first.map { $0.peer != bad } == true)
    }

    @Test func aWrongRootOrAHeadThatCannotExtendOurs() throws {
        // The log's owner tells us a head that is not of our tree; what is honestly in other hands goes on.
        var node = alliance.node("sv", logs: [try pk.snapshot(6)])
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        let forked = TestLog(pk.owner, 12, salt: "other")
        let effects = node.take(.head(Announcement(note: try forked.head())), from: 1)
        let fetch = try #require(effects.fetches.first)
        let answer = try forked.answer(from: 6, to: 12, head: 12)
        let ingest = try #require(node.handle(.rangeFetched(fetch.request, answer), now: .t0).ingests.first)
        let outcome = try judged(answer, head: 12, root: forked.roots[12])
        let refused = node.handle(.ingested(ingest.request, outcome), now: .t0)
        #expect(refused.rejections.map(\.reason) == [.cannotExtend])
        #expect(refused.cosigns.isEmpty && node.status(ofLog: pk.owner.origin)?.size == 6)
        #expect(node.status(ofLog: pk.owner.origin)?.state == .stalled)
        let other = node.take(.head(Announcement(note: try pk.head())), from: 2)
        let next = try #require(other.fetches.first)
        #expect(next.peer == PeerID(2) && next.size == 10)
        let fetched = node.handle(.rangeFetched(next.request, try pk.answer(from: 6, to: 10, head: 10)), now: .t0)
        #expect(node.handle(try #require(fetched.ingests.first).stored(pk), now: .t0).cosigns == [pk.owner.origin])
    }

    @Test func aFalseStateLeafIsStoredAndNeverCosigned() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let ingest = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        let effects = node.handle(ingest.stored(pk, isTrustworthy: false), now: .t0)
        #expect(effects.rejections.map(\.reason) == [.falseStateLeaf])
        #expect(effects.cosigns.isEmpty)
        var longer = pk
        longer.append(2)
        let more = try #require(node.take(try longer.announcement(from: 10), from: 1).ingests.first)
        #expect(node.handle(more.stored(longer), now: .t0).cosigns.isEmpty)
        #expect(node.handle(.freshnessWanted(origin: pk.owner.origin), now: .t0).cosigns.isEmpty)
        let status = try #require(node.status(ofLog: pk.owner.origin))
        #expect(status.size == 12 && !status.isTrustworthy && !status.isContradicted)
    }

    @Test func aHeadThatNobodyServesDoesNotHideTheOthers() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        let text = try Checkpoint(origin: pk.owner.origin, size: 1 << 50, root: .zero).text
        let boast = try SignedNote(text: text, signatures: [try pk.owner.signer.sign(text)]).bytes
        let first = try #require(node.take(.head(Announcement(note: boast)), from: 1).fetches.first)
        _ = node.take(.head(Announcement(note: try pk.head())), from: 2)
        let effects = node.handle(.rangeFailed(first.request, .notFound), now: .t0)
        #expect(effects.fetches.map(\.size) == [10])
        #expect(effects.fetches.map(\.peer) == [PeerID(2)])
    }

    @Test func ourOwnFailureBlamesNobody() throws {
        var (node, request, _) = try fetching()
        let ingest = try #require(
            node.handle(.rangeFetched(request, try pk.answer(from: 0, to: 10, head: 10)), now: .t0).ingests.first)
        let effects = node.handle(.ingested(ingest.request, .failed), now: .t0)
        #expect(effects.rejections.isEmpty && effects.fetches.isEmpty)
        #expect(effects.timers.contains { $0.0 == .retry(origin: pk.owner.origin) })
        #expect(node.handle(.timer(.retry(origin: pk.owner.origin)), now: .t0 + 500).fetches.count == 1)
    }

    @Test func forgedAndFutureCosignatures() throws {
        var node = alliance.node("sv", logs: [try pk.snapshot()])
        node.meet(2, "us", alliance)
        let future = try pk.signatures(10, by: [alliance.member("us")], time: 1000 + 301)
        let ignored = node.take(future, from: 2)
        #expect(ignored.rejections.isEmpty && ignored.persisted == 0)
        #expect(node.take(try pk.signatures(10, by: [alliance.member("us")], time: 1300), from: 2).persisted == 1)
        let text = try pk.checkpoint(10).text
        let own = try alliance.member("us").cosigner.sign(text, at: 1000)
        let key = alliance.member("imf").cosigner.verifierKey
        let forged = try NoteSignature(name: key.name, keyID: key.keyID, signature: own.signature)
        let set = SignatureSet(
            origin: pk.owner.origin, size: 10, root: pk.roots[10], lines: [Array("\(forged.line)\n".utf8)])
        #expect(node.take(.signatures(set), from: 2).rejections.map(\.reason) == [.badSignature])
        let short = try NoteSignature(name: key.name, keyID: key.keyID, signature: [1, 2])
        let odd = SignatureSet(
            origin: pk.owner.origin, size: 10, root: pk.roots[10], lines: [Array("\(short.line)\n".utf8)])
        #expect(node.take(.signatures(odd), from: 2).rejections.map(\.reason) == [.malformedSignature])
        // The owner's own replica key says nothing about its own log.
        #expect(node.take(try pk.signatures(10, by: [pk.owner]), from: 2).persisted == 0)
    }

    @Test func offersAreBounded() throws {
        var settings = ReplicationSettings()
        settings.offeredHeadsPerLog = 4
        let many = try TestAlliance((0..<30).map { "m\($0)" })
        let owner = many.member("m0")
        var node = many.node("m1", settings: settings)
        for index in 2..<30 {
            node.meet(UInt64(index), "m\(index)", many)
            let text = try Checkpoint(origin: owner.origin, size: UInt64(1000 + index), root: .zero).text
            let note = try SignedNote(text: text, signatures: [try owner.signer.sign(text)]).bytes
            _ = node.take(.head(Announcement(note: note)), from: UInt64(index))
        }
        #expect(node.occupancy.excess(over: settings) == nil)
        for index in 2..<30 { _ = node.handle(.peerDisconnected(PeerID(UInt64(index))), now: .t0) }
        #expect(node.occupancy.offers == 0)
    }
}

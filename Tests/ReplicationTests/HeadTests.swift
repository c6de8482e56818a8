import Replication
import Testing
import TransparencyLog

@Suite struct HeadTests {
    let alliance: TestAlliance
    var pk: TestLog

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us", "imf"], quorum: 2)
        pk = TestLog(alliance.member("pk"), 10)
    }

    /// sv's node, with pk (1) and us (2) connected.
    private func node(holding size: Int = 0, settings: ReplicationSettings = .init()) throws -> Replication {
        var node = alliance.node("sv", settings: settings, logs: size > 0 ? [try pk.snapshot(size)] : [])
        _ = node.handle(.started, now: .t0)
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance)
        return node
    }

    @Test func inlineEntriesAreStoredCosignedAndSpread() throws {
        var node = try node()
        let ingest = try #require(node.take(try pk.announcement(from: 0), from: 1).ingests.first)
        #expect(ingest.answer.to == 10)
        let effects = node.handle(ingest.stored(pk), now: .t0)
        #expect(effects.cosigns == [pk.owner.origin])
        let line = try alliance.member("sv").cosigner.sign(try pk.checkpoint(10).text, at: 1000)
        let spread = node.handle(
            .cosigned(origin: pk.owner.origin, size: 10, root: pk.roots[10], line), now: .t0)
        #expect(spread.messages(to: 1).signatures.count == 1)
        #expect(spread.messages(to: 2).signatures.count == 1)
        #expect(node.receipts(ofLog: pk.owner.origin).map(\.member) == ["did:web:sv.example"])
        #expect(node.status(ofLog: pk.owner.origin)?.size == 10)
    }

    @Test func aHeadAloneIsFetchedInRangesOneAhead() throws {
        var node = try node()
        var effects = node.take(.head(Announcement(note: try pk.head())), from: 1)
        let first = try #require(effects.fetches.first)
        #expect(first.from == 0 && first.size == 10)
        effects = node.handle(.rangeFetched(first.request, try pk.answer(from: 0, to: 4, head: 10)), now: .t0)
        let stored = try #require(effects.ingests.first)
        let second = try #require(effects.fetches.first)
        #expect(second.from == 4)
        effects = node.handle(.rangeFetched(second.request, try pk.answer(from: 4, to: 8, head: 10)), now: .t0)
        #expect(effects.ingests.isEmpty && effects.fetches.isEmpty)
        effects = node.handle(stored.stored(pk), now: .t0)
        #expect(effects.ingests.first?.answer.from == 4)
        #expect(effects.fetches.first?.from == 8)
        #expect(effects.cosigns.isEmpty)
    }

    @Test func unknownAndForgedHeadsAreRefused() throws {
        var node = try node()
        let stranger = try TestAlliance(["xx"])
        let theirs = TestLog(stranger.member("xx"), 3)
        #expect(
            node.take(.head(Announcement(note: try theirs.head())), from: 1).rejections.map(\.reason) == [.unknownLog])
        #expect(node.take(.head(Announcement(note: [1, 2])), from: 1).rejections.map(\.reason) == [.malformedNote])
        let text = try pk.checkpoint(10).text
        let foreign = try SignedNote(text: text, signatures: [try alliance.member("us").signer.sign(text)]).bytes
        #expect(node.take(.head(Announcement(note: foreign)), from: 1).rejections.map(\.reason) == [.badSignature])
        var line = try alliance.member("pk").signer.sign(text).signature
        line[3] ^= 1
        let key = alliance.member("pk").signer.verifierKey
        let broken = try NoteSignature(name: key.name, keyID: key.keyID, signature: line)
        let note = try SignedNote(text: text, signatures: [broken]).bytes
        #expect(node.take(.head(Announcement(note: note)), from: 1).rejections.map(\.reason) == [.badSignature])
        let extended = try Checkpoint(origin: pk.owner.origin, size: 10, root: pk.roots[10], extensions: ["x"]).text
        let odd = try SignedNote(text: extended, signatures: [try pk.owner.signer.sign(extended)]).bytes
        #expect(node.take(.head(Announcement(note: odd)), from: 1).rejections.map(\.reason) == [.malformedNote])
        #expect(node.status(ofLog: pk.owner.origin)?.target == 0)
    }

    @Test func anEmptyTreeHasOneRoot() throws {
        var node = try node()
        #expect(node.take(.head(Announcement(note: try pk.head(0))), from: 1).rejections.isEmpty)
        let wrong = try pk.head(0, root: pk.roots[3])
        #expect(node.take(.head(Announcement(note: wrong)), from: 1).rejections.map(\.reason) == [.wrongEmptyRoot])
    }

    @Test func anOlderHeadIsCheckedOnceAndAnsweredWithOurs() throws {
        var node = try node(holding: 10)
        let effects = node.take(.head(Announcement(note: try pk.head(4))), from: 2)
        let check = try #require(effects.checks.first)
        #expect(check.1 == 4)
        let answer = node.handle(.oldHeadChecked(check.0, isConsistent: true), now: .t0)
        let ours = try pk.head(10)
        #expect(answer.messages(to: 2).heads.map(\.note) == [ours])
        // The verdict is remembered, and the peer has been told.
        let again = node.take(.head(Announcement(note: try pk.head(4))), from: 2)
        #expect(again.checks.isEmpty && again.messages(to: 2).isEmpty && again.rejections.isEmpty)
    }

    @Test func aHeadThatShrinksToAnotherTreeIsAContradiction() throws {
        var node = try node(holding: 10)
        let shrunk = try pk.head(4, root: pk.roots[3])
        let check = try #require(node.take(.head(Announcement(note: shrunk)), from: 2).checks.first)
        let effects = node.handle(.oldHeadChecked(check.0, isConsistent: false), now: .t0)
        #expect(effects.rejections.map(\.reason) == [.inconsistentHead])
        #expect(effects.hasContradiction)
        #expect(node.status(ofLog: pk.owner.origin)?.isContradicted == true)
        // It is refused again without another look, and nothing of the log is cosigned any more.
        let again = node.take(.head(Announcement(note: shrunk)), from: 1)
        #expect(again.rejections.map(\.reason) == [.inconsistentHead] && again.checks.isEmpty)
        var longer = pk
        longer.append(2)
        let ingest = try #require(node.take(try longer.announcement(from: 10), from: 1).ingests.first)
        #expect(node.handle(ingest.stored(longer), now: .t0).cosigns.isEmpty)
        // The session is not to blame for what the owner signed.
        #expect(node.peerStatuses[1].rejections == 0)
    }

    @Test func twoRootsOfOneSizeAreAContradiction() throws {
        var node = try node(holding: 10)
        let other = try pk.head(10, root: pk.roots[9])
        let effects = node.take(.head(Announcement(note: other)), from: 1)
        #expect(effects.rejections.map(\.reason) == [.contradictoryHead])
        #expect(effects.hasContradiction)
        #expect(node.handle(.freshnessWanted(origin: pk.owner.origin), now: .t0).cosigns.isEmpty)
    }

    @Test func checksOfOlderHeadsAreBounded() throws {
        var settings = ReplicationSettings()
        (settings.oldHeadChecksPerLog, settings.oldHeadsPerLog) = (2, 3)
        var node = try node(holding: 10, settings: settings)
        var checks: [(RequestID, UInt64)] = []
        for size in 1...6 { checks += node.take(.head(Announcement(note: try pk.head(size))), from: 2).checks }
        #expect(checks.count == 2)
        for check in checks { _ = node.handle(.oldHeadChecked(check.0, isConsistent: true), now: .t0) }
        for size in 1...9 {
            for check in node.take(.head(Announcement(note: try pk.head(size))), from: 2).checks {
                _ = node.handle(.oldHeadChecked(check.0, isConsistent: true), now: .t0)
            }
        }
        #expect(node.occupancy.oldHeads <= 3)
    }

    @Test func aHeadAtTheSizeThatIsHeldNeedsNoEntries() throws {
        var node = try node()
        let fetch = try #require(node.take(.head(Announcement(note: try pk.head())), from: 1).fetches.first)
        let effects = node.handle(.rangeFetched(fetch.request, try pk.answer(from: 0, to: 6, head: 10)), now: .t0)
        _ = node.handle(try #require(effects.ingests.first).stored(pk), now: .t0)
        let adopted = node.take(.head(Announcement(note: try pk.head(6))), from: 2)
        let note = try pk.head(6)
        #expect(adopted.contains(.persistHead(origin: pk.owner.origin, note: note)))
        // Part of a larger head is stored: nothing below that is cosigned.
        #expect(adopted.cosigns.isEmpty)
    }

    @Test func ownHeadsThatAreLongerThanOursAreTold() throws {
        let own = TestLog(alliance.member("sv"), 5)
        var node = try node()
        let note = try own.head()
        let effects = node.take(.head(Announcement(note: note)), from: 1)
        #expect(effects.contains(.ownLogIsLonger(origin: own.owner.origin, note: note)))
        #expect(effects.fetches.count == 1)
    }

    @Test func whatIsTakenBackOfOurOwnLogIsNotAnnouncedAgain() throws {
        var own = TestLog(alliance.member("sv"), 5)
        var node = try node()
        let ingest = try #require(node.take(try own.announcement(from: 0), from: 1).ingests.first)
        _ = node.handle(ingest.stored(own), now: .t0)
        own.append(2)
        let published = node.handle(
            .published(note: try own.head(), from: 5, entries: try own.bundle(5, 7)), now: .t0 + 10_000)
        let told = try #require(published.messages(to: 2).heads.first)
        let entries = try own.bundle(5, 7)
        #expect(told.inlineFrom == 5 && told.inlineEntries == entries)
    }
}

@Suite struct SessionTests {
    let alliance: TestAlliance

    init() throws {
        alliance = try TestAlliance(["pk", "sv", "us"])
    }

    @Test func aSessionStartsWithHello() throws {
        var node = alliance.node("sv")
        let effects = node.handle(
            .peerConnected(PeerID(1), member: alliance.member("pk").id, canFetch: true, restricted: false), now: .t0)
        #expect(effects.messages(to: 1).first == alliance.hello("sv"))
        let early = node.take(.digest(HashValue.sha256("x")), from: 1)
        #expect(early.rejections.map(\.reason) == [.unexpectedMessage] && early.disconnects == [PeerID(1)])
        // After that, nothing more is heard from it.
        #expect(node.take(alliance.hello("pk"), from: 1).isEmpty)
    }

    @Test func strangersAndImpostorsAreDisconnected() throws {
        let cases: [(Message, Rejection.Reason)] = [
            (alliance.hello("us"), .wrongMember),
            (
                .hello(
                    Hello(
                        alliance: HashValue.sha256("other"), charterVersion: 1, charterDigest: .zero,
                        member: alliance.member("pk").id, node: "")), .foreignAlliance
            ),
            (
                .hello(
                    Hello(
                        protocolVersion: 0, alliance: alliance.membership.alliance, charterVersion: 1,
                        charterDigest: .zero,
                        member: alliance.member("pk").id, node: "")), .unsupportedVersion
            ),
        ]
        for (message, reason) in cases {
            var node = alliance.node("sv")
            _ = node.handle(
                .peerConnected(PeerID(1), member: alliance.member("pk").id, canFetch: true, restricted: false), now: .t0
            )
            let effects = node.take(message, from: 1)
            #expect(effects.rejections.map(\.reason) == [reason] && effects.disconnects == [PeerID(1)])
        }
    }

    @Test func aViolationEndsTheSession() throws {
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance)
        let effects = node.handle(.violation(PeerID(1), Rejection(.oversizedFrame, "too long")), now: .t0)
        #expect(effects.rejections.map(\.reason) == [.oversizedFrame] && effects.disconnects == [PeerID(1)])
        #expect(node.rejectionCounts.map(\.reason) == [.oversizedFrame])
    }

    @Test func tooManyRejectionsEndTheSession() throws {
        var settings = ReplicationSettings()
        settings.rejectionsPerPeer = 3
        var node = alliance.node("sv", settings: settings)
        node.meet(1, "pk", alliance)
        var ended = 0
        for _ in 0..<5 { ended += node.take(.head(Announcement(note: [1])), from: 1).disconnects.count }
        #expect(ended == 1)
    }

    @Test func servingIsBoundedAndRestrictedPeersGetNoDocuments() throws {
        let log = TestLog(alliance.member("sv"), 8)
        var node = alliance.node("sv", logs: [try log.snapshot()])
        node.meet(1, "pk", alliance)
        node.meet(2, "us", alliance, restricted: true)
        func range(_ number: UInt64, _ size: UInt64 = 8) -> RangeRequest {
            RangeRequest(
                request: RequestID(number), origin: log.owner.origin, from: 0, headSize: size,
                headRoot: log.frontier.root)
        }
        func want(_ number: UInt64) -> Message {
            .wantRange(range(number))
        }
        var served = 0
        for number in 1...6 {
            served += node.take(want(UInt64(number)), from: 1).count {
                if case .serveRange = $0 { true } else { false }
            }
        }
        #expect(served == 4)
        _ = node.handle(.served(PeerID(1)), now: .t0)
        #expect(node.take(want(9), from: 1) == [.serveRange(PeerID(1), range(9))])
        let digest = HashValue.sha256("document")
        let refused = node.take(.wantDocument(digest: digest, offset: 0), from: 2).messages(to: 2)
        #expect(
            refused == [
                .refused(Refusal(reason: .notPermitted, text: "documents are for members whose roster is held"))
            ])
        #expect(node.take(.wantRange(range(1, 9)), from: 2).sent.count == 1)
        #expect(node.take(.wantHead(origin: log.owner.origin), from: 2).messages(to: 2).heads.count == 1)
    }

    @Test func peersThatCannotBeDialledAreAskedByMessage() throws {
        let log = TestLog(alliance.member("pk"), 8)
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance, canFetch: false)
        let effects = node.take(.head(Announcement(note: try log.head())), from: 1)
        let wanted = try #require(effects.messages(to: 1).wanted.first)
        #expect(effects.fetches.isEmpty && wanted.headSize == 8)
        // A refusal frees the log for others, and this peer for later.
        let refused = node.take(.refused(Refusal(request: wanted.request, reason: .busy, text: "")), from: 1)
        #expect(refused.timers.contains { $0.0 == .retry(origin: log.owner.origin) })
        let retried = node.handle(.timer(.retry(origin: log.owner.origin)), now: .t0 + 500)
        #expect(retried.messages(to: 1).wanted.count == 1)
    }
}

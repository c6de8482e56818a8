import Replication
import Testing
import TransparencyLog

/// Whatever a peer sends, nothing traps, and nothing grows beyond its limit.
@Suite struct HostileInputTests {
    @Test(arguments: 1...4) func randomMessagesNeverTrap(_ seed: UInt64) throws {
        let alliance = try TestAlliance(["pk", "sv", "us", "imf"])
        let logs = alliance.members.map { TestLog($0, 12) }
        var settings = ReplicationSettings()
        settings.rejectionsPerPeer = 1 << 40
        var node = alliance.node("sv", settings: settings, logs: [try logs[0].snapshot(6), try logs[2].snapshot()])
        _ = node.handle(.started, now: .t0)
        var random = SplitMix64(seed: seed)
        for id in 1...3 as ClosedRange<UInt64> { node.meet(id, ["pk", "us", "imf"][Int(id) - 1], alliance) }
        for round in 0..<1_500 {
            let now = Instant.t0 + Int64(round) * 37
            let log = logs[Int.random(in: 0..<4, using: &random)]
            let message = try Self.message(log, alliance, &random)
            var effects = node.take(message, from: UInt64.random(in: 1...3, using: &random), at: now)
            for ingest in effects.ingests {
                let outcomes: [IngestOutcome] = [
                    .failed, .rejected(Rejection(.wrongRoot, "no")), .waitingForCharter(version: 2),
                    .rejected(Rejection(.cannotExtend, "no")),
                ]
                let outcome = outcomes[Int.random(in: 0..<4, using: &random)]
                effects += node.handle(.ingested(ingest.request, outcome), now: now)
            }
            for fetch in effects.fetches { _ = node.handle(.rangeFailed(fetch.request, .timedOut), now: now) }
            for timer in effects.timers { _ = node.handle(.timer(timer.0), now: now) }
            #expect(node.occupancy.excess(over: settings) == nil)
        }
        #expect(node.status(ofLog: logs[0].owner.origin)?.size == 6)
    }

    private static func message(_ log: TestLog, _ alliance: TestAlliance, _ random: inout SplitMix64) throws -> Message
    {
        let size = Int.random(in: 0...12, using: &random)
        let root = Bool.random(using: &random) ? log.roots[size] : HashValue.sha256([UInt8(size)])
        let origin = log.owner.origin
        let other = alliance.members[Int.random(in: 0..<4, using: &random)]
        switch Int.random(in: 0..<14, using: &random) {
        case 0: return .head(Announcement(note: try log.head(size, root: root)))
        case 1: return .head(Announcement(note: try log.head(size, root: root, cosigners: [other])))
        case 2:
            let from = Int.random(in: 0...size, using: &random)
            let entries = try log.bundle(from, size)
            return .head(Announcement(note: try log.head(size), inlineFrom: UInt64(from), inlineEntries: entries))
        case 3: return try log.signatures(size, by: [other], time: UInt64.random(in: 0...2000, using: &random))
        case 4: return .digest(root)
        case 5: return .heads(HeadsPage(after: "", through: "", notes: [try log.head(size, root: root)]))
        case 6: return .heads(HeadsPage(after: origin, through: "", notes: []))
        case 7:
            return .wantRange(
                RangeRequest(
                    request: RequestID(random.next() >> 60), origin: origin, from: random.next() >> 61,
                    headSize: random.next(), headRoot: root))
        case 8: return .wantDocument(digest: root, offset: random.next())
        case 9: return .charterOffer(version: random.next() >> 62, digest: root)
        case 10: return .charter(version: random.next() >> 62, bytes: [1])
        case 11: return .refused(Refusal(request: RequestID(random.next() >> 57), reason: .busy, text: ""))
        case 12: return .neighbours([other.id, "did:web:nobody.example"])
        default: return .wantFresh(origin: origin)
        }
    }

    @Test func aPeerWhoseRosterComesIsAskedForDocuments() throws {
        let alliance = try TestAlliance(["pk", "sv"])
        var node = alliance.node("sv")
        node.meet(1, "pk", alliance, restricted: true)
        let need = DocumentNeed(digest: HashValue.sha256("document"), size: 3)
        #expect(node.handle(.documentsMissing([need]), now: .t0).documents.isEmpty)
        #expect(node.handle(.peerRestricted(PeerID(1), false), now: .t0).documents.count == 1)
    }
}

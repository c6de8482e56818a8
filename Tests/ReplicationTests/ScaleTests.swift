import Replication
import Synchronization
import Testing
import TransparencyLog

/// Two hundred logs at one node: what is said, asked and verified grows with what differs.
@Suite struct ScaleTests {
    /// Remembers nothing, and notes what it is asked for.
    private final class Recorder: SignatureMemory {
        private let asked = Mutex<[SignatureClaim]>([])
        var all: [SignatureClaim] { asked.withLock { $0 } }
        func isTrue(_ claim: SignatureClaim) -> Bool {
            asked.withLock { $0.append(claim) }
            return false
        }
        func remember(_ claim: SignatureClaim) {}
    }

    private static let names = (100..<300).map { "m\($0)" }
    private let alliance: TestAlliance
    private let logs: [TestLog]
    private let cosigners: [TestAlliance.Member]

    init() throws {
        alliance = try TestAlliance(Self.names)
        logs = alliance.members.map { TestLog($0, 4) }
        cosigners = Array(alliance.members[180..<184])
    }

    private func snapshots(without: Set<Int> = [], shorter: Set<Int> = [], more: Set<Int> = []) throws -> [LogSnapshot]
    {
        try logs.indices.filter { !without.contains($0) }.map { index in
            let signed = cosigners + (more.contains(index) ? [alliance.members[190]] : [])
            return try logs[index].snapshot(shorter.contains(index) ? 2 : nil, cosigners: signed)
        }
    }

    /// Passes on what two nodes say to each other until neither says anything; nothing that they want is fetched.
    private func talk(
        _ left: inout Replication, _ right: inout Replication, _ first: [Message]
    ) -> (bytes: Int, messages: [Message], left: [Effect], right: [Effect]) {
        var (toRight, toLeft) = (first, [Message]())
        var said: [Message] = []
        var effects: (left: [Effect], right: [Effect]) = ([], [])
        while !toRight.isEmpty || !toLeft.isEmpty {
            said += toRight + toLeft
            let atRight = Self.take(toRight, &right)
            let atLeft = Self.take(toLeft, &left)
            effects.left += atLeft
            effects.right += atRight
            (toRight, toLeft) = (atLeft.messages(to: 1), atRight.messages(to: 1))
        }
        return (said.reduce(0) { $0 + $1.frame.count }, said, effects.left, effects.right)
    }

    /// Takes messages; an older head is found to be of the tree that is held.
    private static func take(_ messages: [Message], _ node: inout Replication) -> [Effect] {
        var effects: [Effect] = []
        for message in messages { effects += node.take(message, from: 1) }
        for check in effects.checks { effects += node.handle(.oldHeadChecked(check.0, isConsistent: true), now: .t0) }
        return effects
    }

    private func digest(_ effects: [Effect]) throws -> Message {
        try #require(effects.sent.map(\.1).first { if case .digest = $0 { true } else { false } })
    }

    @Test func whatDiffersTravelsAlone() throws {
        var left = alliance.node("m298", logs: try snapshots(without: [7], shorter: [0, 50], more: [120]))
        var right = alliance.node("m299", logs: try snapshots(without: [150], shorter: [60], more: [121]))
        let question = try digest(left.meet(1, "m299", alliance))
        right.meet(1, "m298", alliance)
        let (bytes, messages, atLeft, atRight) = talk(&left, &right, [question])
        // One summary of 200 heads, and the heads of seven.
        #expect(messages.summaries.map(\.count) == [199])
        #expect(bytes < 20_000)
        let all = try logs.reduce(0) { try $0 + $1.head(cosigners: cosigners).count }
        #expect(bytes < all / 5)
        // Each asks for what it lacks, four at a time.
        let places = Set(atLeft.fetches.map(\.size) + atRight.fetches.map(\.size))
        #expect(atLeft.fetches.count == 3 && atRight.fetches.count == 2 && places == [4])
        // Each has the other's cosignature.
        for index in [120, 121] {
            let origin = logs[index].owner.origin
            #expect(left.status(ofLog: origin)?.cosignatures.count == 5)
            #expect(left.status(ofLog: origin)?.cosignatures == right.status(ofLog: origin)?.cosignatures)
        }
        #expect(atLeft.rejections.isEmpty && atRight.rejections.isEmpty)
    }

    @Test func equalNodesSayOneSmallMessageAtAnyNumberOfLogs() throws {
        var left = alliance.node("m298", logs: try snapshots())
        var right = alliance.node("m299", logs: try snapshots())
        let question = try digest(left.meet(1, "m299", alliance))
        right.meet(1, "m298", alliance)
        let (bytes, messages, _, _) = talk(&left, &right, [question])
        #expect(messages.count == 1 && bytes == 37)
        #expect(right.peerStatuses.first?.logs.allSatisfy { $0.known == 4 } == true)
    }

    @Test func aSummaryIsAnsweredOnceInAWhile() throws {
        var node = alliance.node("m298", logs: try snapshots())
        node.meet(1, "m299", alliance)
        let nothing = Message.summary([])
        let first = node.take(nothing, from: 1).messages(to: 1).pages
        #expect(first.flatMap(\.notes).count == 200 && first.first?.after == "" && first.last?.through == "")
        #expect(node.take(nothing, from: 1).isEmpty)
        #expect(node.take(.digest(.zero), from: 1).isEmpty)
        #expect(node.take(nothing, from: 1, at: .t0 + 500).messages(to: 1).pages.count == first.count)
        // Logs that no member has are nobody's.
        let foreign = HeadSummary(origin: "zz.example/log", digest: .zero)
        #expect(node.take(.summary([foreign]), from: 1, at: .t0 + 1_000).messages(to: 1).pages.count == first.count)
    }

    @Test func aPeerThatHangsKeepsFewLogsWaiting() throws {
        var node = alliance.node("m298")
        node.meet(1, "m299", alliance)
        node.meet(2, "m297", alliance)
        var asked: [Effect] = []
        for log in logs[..<20] { asked += node.take(.head(Announcement(note: try log.head())), from: 1) }
        for log in logs[20..<24] { asked += node.take(.head(Announcement(note: try log.head())), from: 2) }
        #expect(asked.fetches.count == 4)
        #expect(asked.fetches.allSatisfy { $0.peer == PeerID(1) })
        // None of them comes.
        let late = ReplicationSettings().slowRange
        var after: [Effect] = []
        for fetch in asked.fetches { after += node.handle(.timer(.request(fetch.request)), now: .t0 + late) }
        #expect(after.fetches.count == 4 && after.fetches.count { $0.peer == PeerID(2) } >= 3)
        #expect(node.occupancy.fetching == 4)
        // What hangs is given up in its time.
        let end = ReplicationSettings().rangeTimeout
        let timeout = asked.fetches.flatMap { node.handle(.timer(.request($0.request)), now: .t0 + end) }
        #expect(timeout.contains { if case .cancelFetch = $0 { true } else { false } })
    }

    @Test func whatWillBeVerifiedIsToldBefore() throws {
        let recorder = Recorder()
        var node = Replication(
            settings: .init(), me: alliance.member("m298").id, membership: alliance.membership,
            logs: try snapshots(without: [3]), seed: 1, memory: recorder)
        node.meet(1, "m299", alliance)
        let known = try logs[5].head(cosigners: cosigners)
        let more = try logs[6].head(cosigners: cosigners + [alliance.members[191]])
        let new = try logs[3].head(cosigners: cosigners)
        for message: Message in [
            .heads(HeadsPage(after: "", through: "", notes: [new, known, more])),
            .head(Announcement(note: try logs[9].head(2, cosigners: cosigners))),
            try logs[5].signatures(4, by: [alliance.members[192]]),
        ] {
            let told = node.claims(of: message, now: .t0)
            let before = recorder.all.count
            _ = node.take(message, from: 1)
            #expect(!told.isEmpty && Array(recorder.all[before...]) == told)
        }
        // The log's new signature and four cosignatures, then only the one that is news.
        #expect(recorder.all.prefix(6).map { $0.key.type == .ed25519 } == [true, false, false, false, false, false])
        let again = Message.heads(HeadsPage(after: "", through: "", notes: [new, known, more]))
        #expect(node.claims(of: again, now: .t0).isEmpty)
        #expect(node.claims(of: .head(Announcement(note: [1, 2, 3])), now: .t0).isEmpty)
    }

    @Test func aFalseSignatureIsRefusedWhateverIsRemembered() throws {
        let recorder = Recorder()
        var node = Replication(
            settings: .init(), me: alliance.member("m298").id, membership: alliance.membership, logs: [], seed: 1,
            memory: recorder)
        node.meet(1, "m299", alliance)
        var note = try logs[3].head(cosigners: cosigners)
        // The last cosignature's base64 is changed within.
        note[note.count - 20] = note[note.count - 20] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
        let effects = node.take(.head(Announcement(note: note)), from: 1)
        #expect(effects.rejections.map(\.reason) == [.badSignature])
        #expect(node.claims(of: .head(Announcement(note: note)), now: .t0).filter { !$0.isTrue }.count == 1)
    }
}

import Alliance
import Replication
import Testing
import TransparencyLog

/// One member's node, with what its store would hold.
private struct Node {
    let member: TestAlliance.Member
    var replication: Replication
    var starts: [Incarnation] = []
    var recorded: [String: (note: IncarnationNote, receipt: [UInt8])] = [:]
    /// What the shell was told at last.
    var told: [Effect] = []
    /// How often a start was to be made.
    var begun = 0

    init(_ name: String, _ alliance: TestAlliance, isRestored: Bool = false, logs: [LogSnapshot] = []) {
        member = alliance.member(name)
        replication = Replication(
            settings: .init(), me: member.id, node: name, membership: alliance.membership, logs: logs, seed: 7,
            isRestored: isRestored)
    }

    /// A copy that starts from what this one holds.
    func copy(_ alliance: TestAlliance, logs: [LogSnapshot] = []) -> Node {
        var snapshots = logs.filter { $0.origin != member.origin }
        var own = logs.first { $0.origin == member.origin } ?? TestLog(member).empty
        own.incarnations.own = starts
        snapshots.append(own)
        for (origin, held) in recorded {
            guard let at = snapshots.firstIndex(where: { $0.origin == origin }) else { continue }
            snapshots[at].incarnations = IncarnationRecord(note: held.note.bytes, receipt: held.receipt)
        }
        var node = Node(String(member.id.split(separator: ":")[2].split(separator: ".")[0]), alliance, logs: snapshots)
        node.starts = starts
        node.recorded = recorded
        return node
    }
}

extension TestLog {
    fileprivate var empty: LogSnapshot {
        LogSnapshot(origin: owner.origin, size: 0, root: MerkleTree.emptyRoot, head: [])
    }
}

/// Nodes that are connected as a test says, and carry out each other's messages at once.
private struct Network {
    let alliance: TestAlliance
    var nodes: [Node]
    var now = Instant.t0
    /// By pair: the session's number at both ends.
    var links: [(a: Int, b: Int, id: UInt64)] = []
    var lastLink: UInt64 = 0
    private var queue: [(node: Int, event: Event)] = []
    private var values: UInt8 = 0

    init(_ alliance: TestAlliance, _ nodes: [Node]) {
        (self.alliance, self.nodes) = (alliance, nodes)
    }

    mutating func start(_ node: Int) {
        now = now + 1_000
        run(node, .started)
    }

    mutating func connect(_ a: Int, _ b: Int) {
        lastLink += 1
        links.append((a, b, lastLink))
        for (one, other) in [(a, b), (b, a)] {
            enqueue(
                one,
                .peerConnected(PeerID(lastLink), member: nodes[other].member.id, canFetch: true, restricted: false))
        }
        drain()
    }

    mutating func cut(_ a: Int, _ b: Int) {
        for link in links where (link.a, link.b) == (a, b) || (link.b, link.a) == (a, b) {
            enqueue(a, .peerDisconnected(PeerID(link.id)))
            enqueue(b, .peerDisconnected(PeerID(link.id)))
        }
        links.removeAll { ($0.a, $0.b) == (a, b) || ($0.b, $0.a) == (a, b) }
        drain()
    }

    mutating func run(_ node: Int, _ event: Event) {
        enqueue(node, event)
        drain()
    }

    private mutating func enqueue(_ node: Int, _ event: Event) { queue.append((node, event)) }

    private mutating func drain() {
        var steps = 0
        while !queue.isEmpty {
            let (node, event) = queue.removeFirst()
            for effect in nodes[node].replication.handle(event, now: now) { perform(effect, node) }
            steps += 1
            precondition(steps < 100_000, "the nodes never come to rest")
        }
    }

    private mutating func perform(_ effect: Effect, _ node: Int) {
        switch effect {
        case .send(let id, let message):
            guard let link = links.first(where: { $0.id == id.number }) else { return }
            enqueue(link.a == node ? link.b : link.a, .message(id, message))
        case .beginIncarnation(let origin, let known):
            values += 1
            nodes[node].begun += 1
            let number = max(known, nodes[node].starts.map(\.number).max() ?? 0) + 1
            guard let start = try? Incarnation(number: number, value: Array(repeating: values, count: 16)),
                let note = try? IncarnationNote(start, signer: nodes[node].member.signer)
            else { return }
            nodes[node].starts.append(start)
            enqueue(node, .incarnationBegun(origin: origin, note: note.bytes))
        case .recordIncarnation(let origin, let bytes):
            guard let note = try? IncarnationNote(parsing: bytes) else { return }
            let before = nodes[node].recorded[origin]?.note.incarnation
            let status = nodes[node].replication.status(ofLog: origin)
            let text = IncarnationReceipt.text(
                note, size: status?.size ?? 0, root: status?.root ?? MerkleTree.emptyRoot, before: before)
            guard before.map({ $0.number < note.incarnation.number }) ?? true,
                let line = try? nodes[node].member.cosigner.sign(text, at: 1_000),
                let receipt = try? SignedNote(text: text, signatures: [line])
            else { return enqueue(node, .incarnationRecorded(origin: origin, note: nil, receipt: [])) }
            nodes[node].recorded[origin] = (note, receipt.bytes)
            enqueue(node, .incarnationRecorded(origin: origin, note: bytes, receipt: receipt.bytes))
        case .disconnect(let id, _):
            guard let link = links.first(where: { $0.id == id.number }) else { return }
            links.removeAll { $0.id == id.number }
            enqueue(link.a, .peerDisconnected(id))
            enqueue(link.b, .peerDisconnected(id))
        default: nodes[node].told.append(effect)
        }
    }

    func standing(_ node: Int) -> IncarnationStanding { nodes[node].replication.incarnationStanding }
}

@Suite("Incarnations") struct IncarnationTests {
    let alliance: TestAlliance

    init() throws { alliance = try TestAlliance(["pk", "sv", "us", "imf"], quorum: 2) }

    private func network(_ names: [String] = ["pk", "sv", "us", "imf"]) -> Network {
        Network(alliance, names.map { Node($0, alliance) })
    }

    @Test("A start waits for a quorum of receipts, and says who is missing")
    func quorum() {
        var net = network()
        for node in net.nodes.indices { net.start(node) }
        let others = ["sv", "us", "imf"].map { alliance.member($0).id }
        #expect(net.standing(0) == .waiting(needed: 2, missing: others.sorted(), isRestored: false))
        net.connect(0, 1)
        let missing = ["us", "imf"].map { alliance.member($0).id }
        #expect(net.standing(0) == .waiting(needed: 1, missing: missing.sorted(), isRestored: false))
        net.connect(0, 2)
        #expect(net.standing(0) == .established)
        #expect(net.nodes[0].told.contains(.established(origin: alliance.member("pk").origin)))
    }

    @Test("Receipts come through others")
    func relayed() {
        var net = network()
        net.connect(0, 1)
        net.connect(1, 2)
        net.connect(2, 3)
        for node in net.nodes.indices { net.start(node) }
        for node in net.nodes.indices { #expect(net.standing(node) == .established, "node \(node)") }
        // All of a line of four have recorded the first one's start, and the first one has its neighbours' word.
        #expect(net.nodes[3].recorded[alliance.member("pk").origin] != nil)
    }

    @Test("A start that nobody can be asked about goes on without members by name")
    func waived() {
        var net = network()
        net.start(0)
        net.run(0, .waived(member: alliance.member("sv").id))
        #expect(net.standing(0) != .established)
        net.run(0, .waived(member: alliance.member("imf").id))
        #expect(net.standing(0) == .established)
    }

    @Test("A later start replaces the earlier one, which stands down; replicas refuse the earlier one")
    func twin() throws {
        var net = network()
        for node in net.nodes.indices { net.start(node) }
        for other in 1...3 { net.connect(0, other) }
        #expect(net.standing(0) == .established)
        // A copy of the folder is started while the first one runs.
        net.nodes.append(net.nodes[0].copy(alliance))
        net.start(4)
        net.connect(4, 1)
        #expect(net.standing(4) != .established)
        // The first one is told at once, over whatever connects it.
        guard case .superseded(let by) = net.standing(0) else {
            Issue.record("the first copy goes on")
            return
        }
        #expect(by.number == 2)
        #expect(!net.links.contains { $0.a == 0 || $0.b == 0 }, "it keeps no session")
        net.connect(4, 2)
        #expect(net.standing(4) == .established)
        // Nothing connects the first one again.
        net.connect(0, 3)
        #expect(!net.links.contains { $0.a == 0 || $0.b == 0 })
    }

    @Test("Of two copies that were parted, the one that started later goes on; the other is told when they meet")
    func partedTwins() {
        var net = network()
        for node in net.nodes.indices { net.start(node) }
        for other in 1...3 { net.connect(0, other) }
        net.nodes.append(net.nodes[0].copy(alliance))
        net.cut(0, 1)
        net.cut(0, 2)
        net.start(4)
        net.connect(4, 1)
        net.connect(4, 2)
        #expect(net.standing(4) == .established)
        #expect(net.standing(0) == .established, "it cannot know yet")
        net.connect(3, 1)
        #expect(net.standing(0) == .superseded(by: net.nodes[4].starts[1]))
        #expect(net.standing(4) == .established)
    }

    @Test("A folder that is older than what replicas know has to hear everybody, and takes a larger number")
    func restored() {
        var net = network()
        for node in net.nodes.indices { net.start(node) }
        for other in 1...3 { net.connect(0, other) }
        let old = net.nodes[0].copy(alliance)
        // It goes on, and starts twice more.
        for _ in 0..<2 {
            for other in 1...3 { net.cut(0, other) }
            net.nodes[0] = net.nodes[0].copy(alliance)
            net.start(0)
            for other in 1...3 { net.connect(0, other) }
            #expect(net.standing(0) == .established)
        }
        for other in 1...3 { net.cut(0, other) }
        net.nodes[0] = old
        net.start(0)
        net.connect(0, 1)
        // Refused: number 2 was taken; it is told so, and begins anew above 3 when its wait is over.
        #expect(net.nodes[0].told.contains { if case .twinSeen = $0 { true } else { false } })
        net.now = net.now + 5_000
        net.run(0, .timer(.incarnation))
        net.connect(0, 2)
        #expect(net.nodes[0].starts.last?.number == 4)
        let imf = alliance.member("imf").id
        #expect(net.standing(0) == .waiting(needed: 1, missing: [imf], isRestored: true))
        net.connect(0, 3)
        #expect(net.standing(0) == .established)
    }

    @Test("Nothing is signed before what a replica holds of our log is here again")
    func takesBack() throws {
        let log = TestLog(alliance.member("pk"), 5)
        var net = network()
        net.nodes[1] = Node("sv", alliance, logs: [try log.snapshot()])
        for node in net.nodes.indices { net.start(node) }
        net.connect(0, 1)
        net.connect(0, 2)
        #expect(net.standing(0) == .takingBack(size: 5, from: [alliance.member("sv").id]))
        let fetch = try #require(net.nodes[0].told.fetches.first)
        net.run(0, .rangeFetched(fetch.request, try log.answer(from: 0, to: 5, head: 5)))
        let ingest = try #require(net.nodes[0].told.ingests.first)
        net.run(0, ingest.stored(log))
        #expect(net.standing(0) == .established)
    }

    @Test("A folder from a backup hears every active member, also those without a replica key")
    func fromBackup() {
        var net = network()
        net.nodes[0] = Node("pk", alliance, isRestored: true)
        for node in net.nodes.indices { net.start(node) }
        net.connect(0, 1)
        net.connect(0, 2)
        let imf = alliance.member("imf").id
        #expect(net.standing(0) == .waiting(needed: 1, missing: [imf], isRestored: true))
        net.connect(0, 3)
        #expect(net.standing(0) == .established)
    }

    @Test("What nobody signed, or signed for something else, is refused, and blamed on who sent it")
    func refused() throws {
        let pk = alliance.member("pk")
        var sv = alliance.node("sv")
        _ = sv.handle(.started, now: .t0)
        sv.meet(1, "us", alliance)
        let start = try Incarnation(number: 3, value: Array(repeating: 9, count: 16))
        let good = try IncarnationNote(start, signer: pk.signer)
        let forged = try IncarnationNote(
            start, signer: NoteSigner(name: pk.origin, seed: alliance.member("us").signer.verifierKey.publicKey))
        #expect(
            sv.take(.incarnation(IncarnationNews(note: forged.bytes)), from: 1).rejections.map(\.reason) == [
                .badSignature
            ])
        #expect(
            sv.take(.incarnation(IncarnationNews(note: [1, 2])), from: 1).rejections.map(\.reason) == [.malformedNote])
        // A receipt for another start.
        let other = try IncarnationNote(
            Incarnation(number: 4, value: Array(repeating: 9, count: 16)), signer: pk.signer)
        let text = IncarnationReceipt.text(other, size: 0, root: MerkleTree.emptyRoot, before: nil)
        let line = try alliance.member("us").cosigner.sign(text, at: 5)
        let receipt = try SignedNote(text: text, signatures: [line]).bytes
        let effects = sv.take(.incarnation(IncarnationNews(note: good.bytes, receipts: [receipt])), from: 1)
        #expect(effects.rejections.map(\.reason) == [.malformedNote])
        // The good one is recorded.
        let recorded = sv.take(.incarnation(IncarnationNews(note: good.bytes)), from: 1)
        #expect(recorded == [.recordIncarnation(origin: pk.origin, note: good.bytes)])
    }

    @Test(
        "Once a later start is being recorded, nothing further of the log is taken from the earlier one, nor behind the receipt's back"
    )
    func headsOfTheEarlier() throws {
        let pk = alliance.member("pk")
        let log = TestLog(pk, 3)
        var sv = alliance.node("sv")
        _ = sv.handle(.started, now: .t0)
        sv.meet(1, "pk", alliance)
        sv.meet(2, "us", alliance)
        func start(_ number: UInt64) throws -> Message {
            let start = try Incarnation(number: number, value: Array(repeating: UInt8(number), count: 16))
            return .incarnation(IncarnationNews(note: try IncarnationNote(start, signer: pk.signer).bytes))
        }
        func note(_ message: Message) -> [UInt8] { if case .incarnation(let news) = message { news.note } else { [] } }
        let (first, second) = (try start(1), try start(2))
        _ = sv.take(first, from: 1)
        _ = sv.handle(.incarnationRecorded(origin: pk.origin, note: note(first), receipt: []), now: .t0)
        let head = Message.head(Announcement(note: try log.head()))
        let early = sv.take(head, from: 1, at: .t0 + 500)
        #expect(early.fetches.count == 1, "it is the newest yet")
        // Another copy starts, as us has heard. What was offered before is let go, what comes meanwhile is not taken.
        let later = sv.take(second, from: 2, at: .t0 + 1_000)
        #expect(later.contains { if case .cancelFetch = $0 { true } else { false } })
        #expect(sv.take(head, from: 1, at: .t0 + 1_001).fetches.isEmpty)
        #expect(sv.take(head, from: 2, at: .t0 + 1_002).fetches.isEmpty)
        let recorded = sv.handle(
            .incarnationRecorded(origin: pk.origin, note: note(second), receipt: []), now: .t0 + 1_010)
        // Who offered something is asked for it again; from the earlier copy it is not taken.
        #expect(recorded.messages(to: 2).contains(.wantHead(origin: pk.origin)))
        #expect(sv.take(head, from: 1, at: .t0 + 1_020).fetches.isEmpty)
        #expect(sv.take(head, from: 2, at: .t0 + 1_030).fetches.count == 1, "others may hold it rightly")
    }

    @Test("What a member says of our log's length can be done without")
    func inventedSize() throws {
        let pk = alliance.member("pk")
        var node = Node("pk", alliance).replication
        _ = node.handle(.started, now: .t0)
        let start = try IncarnationNote(
            Incarnation(number: 1, value: Array(repeating: 1, count: 16)), signer: pk.signer)
        _ = node.handle(.incarnationBegun(origin: pk.origin, note: start.bytes), now: .t0)
        node.meet(1, "sv", alliance)
        func receipt(_ name: String, _ size: UInt64) throws -> [UInt8] {
            let text = IncarnationReceipt.text(start, size: size, root: MerkleTree.emptyRoot, before: nil)
            let line = try alliance.member(name).cosigner.sign(text, at: 1)
            return try SignedNote(text: text, signatures: [line]).bytes
        }
        let receipts = [try receipt("sv", 1 << 60), try receipt("us", 0)]
        _ = node.take(.incarnation(IncarnationNews(note: start.bytes, receipts: receipts)), from: 1)
        let sv = alliance.member("sv").id
        #expect(node.incarnationStanding == .takingBack(size: 1 << 60, from: [sv]))
        _ = node.handle(.waived(member: sv), now: .t0)
        #expect(node.incarnationStanding == .established)
    }

    /// The owner's node, which holds this log, with a receipt of its start from a replica.
    private func owner(
        of log: TestLog, _ snapshot: LogSnapshot? = nil
    ) throws -> (node: Replication, answer: (String, TestLog, Int) throws -> Message) {
        var node = Node("pk", alliance, logs: [try snapshot ?? log.snapshot()]).replication
        _ = node.handle(.started, now: .t0)
        let start = try IncarnationNote(
            Incarnation(number: 1, value: Array(repeating: 1, count: 16)), signer: log.owner.signer)
        _ = node.handle(.incarnationBegun(origin: log.owner.origin, note: start.bytes), now: .t0)
        node.meet(1, "sv", alliance)
        node.meet(2, "us", alliance)
        return (
            node,
            { name, held, size in
                let text = IncarnationReceipt.text(start, size: UInt64(size), root: held.roots[size], before: nil)
                let line = try alliance.member(name).cosigner.sign(text, at: 1)
                let receipt = try SignedNote(text: text, signatures: [line]).bytes
                return .incarnation(IncarnationNews(note: start.bytes, receipts: [receipt]))
            }
        )
    }

    private func checks(_ effects: [Effect]) -> [(request: RequestID, size: UInt64, root: HashValue)] {
        effects.compactMap {
            if case .checkOldHead(let request, _, let size, let root) = $0 { (request, size, root) } else { nil }
        }
    }

    /// Five entries, and another story from the third on.
    private func tellings() -> (ours: TestLog, other: TestLog) {
        var other = TestLog(alliance.member("pk"), 2)
        other.append(3, salt: "another story")
        return (TestLog(alliance.member("pk"), 5), other)
    }

    @Test("A replica that holds as many entries, but others, is no answer to go on with; its head is asked for")
    func otherEntries() throws {
        let (ours, other) = tellings()
        var (node, answer) = try owner(of: ours)
        _ = node.take(try answer("us", ours, 5), from: 2)
        let effects = node.take(try answer("sv", other, 5), from: 1)
        let sv = alliance.member("sv").id
        #expect(node.incarnationStanding == .contradicted(size: 5, by: [sv]))
        #expect(effects.messages(to: 1).contains(.wantHead(origin: ours.owner.origin)))
        // The operator may know better than what one member signed; the member's head would still prove a fork.
        #expect(!effects.contains(.established(origin: ours.owner.origin)))
        #expect(
            node.handle(.waived(member: sv), now: .t0).contains(.established(origin: ours.owner.origin)))
    }

    @Test("What a replica holds that has fewer entries is compared with our tree before its answer counts")
    func fewerEntries() throws {
        let (ours, other) = tellings()
        for held in [ours, other] {
            var (node, answer) = try owner(of: ours)
            _ = node.take(try answer("us", ours, 5), from: 2)
            let sv = alliance.member("sv").id
            let check = try #require(checks(node.take(try answer("sv", held, 4), from: 1)).first)
            #expect(check.size == 4 && check.root == held.roots[4])
            guard case .waiting(1, let missing, false) = node.incarnationStanding, missing.contains(sv) else {
                Issue.record("an answer counts that was not compared: \(node.incarnationStanding)")
                continue
            }
            // A shell that could not read is asked again.
            _ = node.handle(.oldHeadChecked(check.request, isConsistent: nil), now: .t0)
            let again = try #require(checks(node.handle(.timer(.incarnation), now: .t0 + 1_000)).first)
            let isOurs = again.root == ours.roots[4]
            _ = node.handle(.oldHeadChecked(again.request, isConsistent: isOurs), now: .t0 + 1_000)
            #expect(node.incarnationStanding == (isOurs ? .established : .contradicted(size: 4, by: [sv])))
        }
    }

    @Test("What was taken back is compared as well: a replica's longer log may be another than the one that came")
    func takenBackFromAnother() throws {
        let (ours, other) = tellings()
        var (node, answer) = try owner(of: ours, ours.snapshot(2))
        _ = node.take(try answer("sv", other, 5), from: 1)
        _ = node.take(try answer("us", ours, 5), from: 2)
        let both = ["sv", "us"].map { alliance.member($0).id }
        #expect(node.incarnationStanding == .takingBack(size: 5, from: both))
        let fetch = try #require(node.take(.head(Announcement(note: try ours.head())), from: 2).fetches.first)
        let range = try ours.answer(from: 2, to: 5, head: 5)
        let ingest = try #require(node.handle(.rangeFetched(fetch.request, range), now: .t0).ingests.first)
        _ = node.handle(ingest.stored(ours), now: .t0)
        #expect(node.incarnationStanding == .contradicted(size: 5, by: [both[0]]))
    }

    @Test("The owner of a forked log says so, and does not wait for what lies beyond its end")
    func forkedLog() throws {
        let (ours, other) = tellings()
        var snapshot = try ours.snapshot(2)
        snapshot.fork = try ForkProof(
            of: SignedNote(parsing: other.head()), SignedNote(parsing: ours.head()), branch: nil,
            key: ours.owner.signer.verifierKey
        ).bytes
        var (node, answer) = try owner(of: ours, snapshot)
        #expect(node.incarnationStanding == .forked)
        // The start is recorded all the same, with what two replicas hold beyond; so a copy is told by whom it is replaced.
        _ = node.take(try answer("sv", ours, 5), from: 1)
        let recorded = node.take(try answer("us", other, 5), from: 2)
        #expect(recorded.contains(.established(origin: ours.owner.origin)) && checks(recorded).isEmpty)
        #expect(node.incarnationStanding == .forked)
        let later = try IncarnationNote(
            Incarnation(number: 2, value: Array(repeating: 2, count: 16)), signer: ours.owner.signer)
        _ = node.take(.incarnation(IncarnationNews(note: later.bytes)), from: 1)
        #expect(node.incarnationStanding == .superseded(by: later.incarnation))
        // One that was established is told of the fork later.
        (node, answer) = try owner(of: ours)
        for (session, name) in [(1, "sv"), (2, "us")] as [(UInt64, String)] {
            _ = node.take(try answer(name, ours, 5), from: session)
        }
        #expect(node.incarnationStanding == .established)
        _ = node.take(.forkProof(snapshot.fork), from: 1)
        #expect(node.incarnationStanding == .forked)
    }

    @Test("Starts are recorded at a bounded rate, and one at a time")
    func rate() throws {
        let pk = alliance.member("pk")
        var sv = alliance.node("sv")
        _ = sv.handle(.started, now: .t0)
        sv.meet(1, "pk", alliance)
        func note(_ number: UInt64) throws -> IncarnationNote {
            try IncarnationNote(Incarnation(number: number, value: Array(repeating: 1, count: 16)), signer: pk.signer)
        }
        func offer(_ number: UInt64, at now: Instant) throws -> Int {
            let bytes = try note(number).bytes
            return sv.take(.incarnation(IncarnationNews(note: bytes)), from: 1, at: now).count {
                if case .recordIncarnation = $0 { true } else { false }
            }
        }
        #expect(try offer(1, at: .t0) == 1)
        #expect(try offer(2, at: .t0 + 1_000) == 0, "the first is still being stored")
        _ = sv.handle(
            .incarnationRecorded(origin: pk.origin, note: try note(1).bytes, receipt: []), now: .t0 + 1_000)
        #expect(try offer(2, at: .t0 + 1_000) == 1)
        _ = sv.handle(
            .incarnationRecorded(origin: pk.origin, note: try note(2).bytes, receipt: []), now: .t0 + 1_010)
        #expect(try offer(3, at: .t0 + 1_050) == 0, "too soon after the last")
        #expect(try offer(3, at: .t0 + 1_200) == 1)
    }
}

import Replication
import Testing
import TransparencyLog

/// A small alliance for tests: members with keys, and logs that can be signed and served.
struct TestAlliance {
    struct Member {
        let id: String
        let signer: NoteSigner
        let cosigner: CosignatureSigner
        var origin: String { signer.name }
    }

    let members: [Member]
    let membership: Membership

    init(_ names: [String], quorum: Int = 1, version: UInt64 = 1) throws {
        members = try names.enumerated().map { index, name in
            Member(
                id: "did:web:\(name).example",
                signer: try NoteSigner(
                    name: "\(name).example/log", seed: HashValue.sha256("log \(index)").bytes),
                cosigner: try CosignatureSigner(
                    name: "\(name).example/replica", seed: HashValue.sha256("replica \(index)").bytes))
        }
        membership = Membership(
            alliance: HashValue.sha256("alliance"), version: version, digest: HashValue.sha256("charter \(version)"),
            quorum: quorum,
            members: members.map {
                Membership.Member(
                    id: $0.id, role: .regulator, isActive: true, origin: $0.origin, logKey: $0.signer.verifierKey,
                    replicaKey: $0.cosigner.verifierKey)
            })
    }

    func member(_ name: String) -> Member {
        guard let member = members.first(where: { $0.id == "did:web:\(name).example" }) else {
            preconditionFailure(name)
        }
        return member
    }

    func hello(_ name: String, version: UInt64 = 1) -> Message {
        .hello(
            Hello(
                alliance: membership.alliance, charterVersion: version,
                charterDigest: HashValue.sha256("charter \(version)"), member: member(name).id, node: name))
    }

    func node(_ name: String, settings: ReplicationSettings = .init(), logs: [LogSnapshot] = []) -> Replication {
        Replication(settings: settings, me: member(name).id, node: name, membership: membership, logs: logs, seed: 1)
    }
}

/// The entries of a log, and what can be signed and served of them.
struct TestLog: TreeHashReader {
    let owner: TestAlliance.Member
    private(set) var entries: [[UInt8]] = []
    private(set) var frontier = TreeFrontier()
    private var levels: [[HashValue]] = []
    private(set) var roots = [MerkleTree.emptyRoot]

    init(_ owner: TestAlliance.Member, _ count: Int = 0, salt: String = "") {
        self.owner = owner
        append(count, salt: salt)
    }

    mutating func append(_ count: Int, salt: String = "") {
        for _ in 0..<count {
            let entry = Array("entry \(entries.count) \(salt)".utf8)
            entries.append(entry)
            var completed: [(Int, HashValue)] = []
            frontier.append(MerkleTree.leafHash(entry)) { level, _, hash in completed.append((level, hash)) }
            for (level, hash) in completed {
                if level == levels.count { levels.append([]) }
                levels[level].append(hash)
            }
            roots.append(frontier.root)
        }
    }

    func hashes(at nodes: [TreeNode]) throws -> [HashValue] {
        nodes.map { levels[$0.level][Int($0.index)] }
    }

    func checkpoint(_ size: Int, root: HashValue? = nil) throws -> Checkpoint {
        try Checkpoint(origin: owner.origin, size: UInt64(size), root: root ?? roots[size])
    }

    /// A signed head, with cosignatures by these members at this time.
    func head(
        _ size: Int? = nil, root: HashValue? = nil, cosigners: [TestAlliance.Member] = [], time: UInt64 = 1000
    ) throws -> [UInt8] {
        let text = try checkpoint(size ?? entries.count, root: root).text
        let lines = [try owner.signer.sign(text)] + (try cosigners.map { try $0.cosigner.sign(text, at: time) })
        return try SignedNote(text: text, signatures: lines).bytes
    }

    func bundle(_ from: Int, _ to: Int) throws -> [UInt8] {
        try EntryBundle.encode(entries[from..<to])
    }

    func announcement(from: Int, to: Int? = nil) throws -> Message {
        let to = to ?? entries.count
        return .head(
            Announcement(note: try head(to), inlineFrom: UInt64(from), inlineEntries: try bundle(from, to)))
    }

    func answer(from: Int, to: Int, head: Int) throws -> RangeAnswer {
        try RangeAnswer(
            from: UInt64(from), to: UInt64(to),
            extensionProof: try MerkleTree.consistencyProof(from: UInt64(from), to: UInt64(head), reader: self),
            remainderProof: try MerkleTree.consistencyProof(from: UInt64(to), to: UInt64(head), reader: self),
            entries: try bundle(from, to))
    }

    func snapshot(_ size: Int? = nil, cosigners: [TestAlliance.Member] = []) throws -> LogSnapshot {
        let size = size ?? entries.count
        return LogSnapshot(
            origin: owner.origin, size: UInt64(size), root: roots[size], head: try head(size, cosigners: cosigners))
    }

    func signatures(_ size: Int, by cosigners: [TestAlliance.Member], time: UInt64 = 1000) throws -> Message {
        let text = try checkpoint(size).text
        let lines = try cosigners.map { Array("\(try $0.cosigner.sign(text, at: time).line)\n".utf8) }
        return .signatures(SignatureSet(origin: owner.origin, size: UInt64(size), root: roots[size], lines: lines))
    }
}

extension Replication {
    /// Connects a peer and takes its hello; returns what was said to it.
    @discardableResult
    mutating func meet(
        _ id: UInt64, _ name: String, _ alliance: TestAlliance, canFetch: Bool = true, restricted: Bool = false,
        at now: Instant = .t0
    ) -> [Effect] {
        let peer = PeerID(id)
        let member = alliance.member(name).id
        let first = handle(.peerConnected(peer, member: member, canFetch: canFetch, restricted: restricted), now: now)
        return first + handle(.message(peer, alliance.hello(name)), now: now)
    }

    mutating func take(_ message: Message, from id: UInt64, at now: Instant = .t0) -> [Effect] {
        handle(.message(PeerID(id), message), now: now)
    }
}

extension Instant {
    static let t0 = Instant(milliseconds: 1_000_000)
}

// MARK: - Looking at effects

struct Ingest {
    let request: RequestID
    let origin: String
    let answer: RangeAnswer
    let head: [UInt8]

    /// What an honest store reports.
    func stored(_ log: TestLog, isTrustworthy: Bool = true, documents: [DocumentNeed] = []) -> Event {
        .ingested(
            request,
            .stored(
                size: answer.to, root: log.roots[Int(answer.to)], isTrustworthy: isTrustworthy, documents: documents))
    }
}

extension [Effect] {
    var sent: [(PeerID, Message)] {
        compactMap { if case .send(let id, let message) = $0 { (id, message) } else { nil } }
    }

    func messages(to id: UInt64) -> [Message] {
        sent.filter { $0.0 == PeerID(id) }.map(\.1)
    }

    var fetches: [(request: RequestID, peer: PeerID, from: UInt64, size: UInt64)] {
        compactMap {
            guard case .fetchRange(let request, let id, let wanted, _) = $0 else { return nil }
            return (request, id, wanted.from, wanted.headSize)
        }
    }

    var ingests: [Ingest] {
        compactMap {
            if case .ingest(let request, let origin, _, let answer, let head) = $0 {
                Ingest(request: request, origin: origin, answer: answer, head: head)
            } else {
                nil
            }
        }
    }

    var cosigns: [String] {
        compactMap { if case .cosign(let origin, _) = $0 { origin } else { nil } }
    }

    var rejections: [Rejection] {
        compactMap { if case .reject(_, let rejection) = $0 { rejection } else { nil } }
    }

    var disconnects: [PeerID] {
        compactMap { if case .disconnect(let id, _) = $0 { id } else { nil } }
    }

    var checks: [(RequestID, UInt64)] {
        compactMap { if case .checkOldHead(let request, _, let size, _) = $0 { (request, size) } else { nil } }
    }

    var timers: [(TimerID, Instant)] {
        compactMap { if case .setTimer(let timer, let at) = $0 { (timer, at) } else { nil } }
    }

    var documents: [(PeerID, HashValue)] {
        compactMap { if case .fetchDocument(let id, let digest, _) = $0 { (id, digest) } else { nil } }
    }

    var persisted: Int {
        reduce(0) { if case .persistSignatures(_, _, let lines) = $1 { $0 + lines.count } else { $0 } }
    }

    var hasContradiction: Bool {
        contains { if case .recordContradiction = $0 { true } else { false } }
    }
}

extension [Message] {
    var heads: [Announcement] {
        compactMap { if case .head(let head) = $0 { head } else { nil } }
    }

    var signatures: [SignatureSet] {
        compactMap { if case .signatures(let set) = $0 { set } else { nil } }
    }

    var pages: [HeadsPage] {
        compactMap { if case .heads(let page) = $0 { page } else { nil } }
    }

    var summaries: [[HeadSummary]] {
        compactMap { if case .summary(let heads) = $0 { heads } else { nil } }
    }

    var wanted: [RangeRequest] {
        compactMap { if case .wantRange(let request) = $0 { request } else { nil } }
    }
}

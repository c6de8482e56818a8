import Replication
import TransparencyLog

/// What a run is made of; everything else comes from the seed.
struct SimulationOptions {
    /// The number of nodes, one a member.
    var nodes = 5
    /// How many of them misbehave, at most; which, and how, is drawn.
    var byzantine = 0
    /// How long things go wrong; milliseconds.
    var chaos: Int64 = 10_000
    /// Within how long everything must agree once nothing goes wrong any more; milliseconds.
    var bound: Int64 = 60_000
    /// nil: drawn.
    var faults: Faults?
    /// nil: drawn.
    var topology: Topology?
    /// How the misbehaving nodes misbehave; nil: drawn.
    var misbehaviours: [Misbehaviour]?
    /// Whether every line of the trace is kept, besides its digest.
    var keepsTrace = false
}

/// Which nodes connect to which.
enum Topology: String, CaseIterable, Sendable {
    /// Everyone to everyone.
    case mesh
    /// Each to the next.
    case line
    /// All to the first.
    case star
    /// Each to the next two, round.
    case ring
}

/// A virtual alliance: one thread, one seed, virtual time, real Replication, real trees, notes and signatures.
///
/// Connections are ordered streams of bytes, as TCP's are: messages on one are neither lost, doubled nor overtaken;
/// what goes wrong is that they stall, break at different moments for the two ends, and lose what was under way.
/// Answers to requests come on connections of their own, so they do overtake each other, fail, and stay away. A crash
/// takes everything but what the disk has acknowledged.
final class Simulation {
    let seed: UInt64
    let options: SimulationOptions
    let settings: ReplicationSettings
    var faults: Faults
    let topology: Topology
    let judge: any StateJudge = DigestJudge()
    var random: Randomness
    var now: Int64 = 1_700_000_000_000
    let start: Int64 = 1_700_000_000_000
    var queue = EventQueue<Action>()
    var nodes: [SimulatedNode] = []
    var origins: [String] = []
    var membership: Membership
    var sessions: [Session] = []
    /// Until when a link carries nothing: from, to.
    var blockedUntil: [[Int64]]
    var isHealed = false
    /// Most entries of one answer; small, so that many are needed.
    let rangeLimit = 12

    var ledger = Ledger()
    private(set) var violations: [String] = []
    private(set) var traceDigest: UInt64 = 0xcbf2_9ce4_8422_2325
    private(set) var trace: [String] = []
    var statistics = Statistics()

    init(seed: UInt64, options: SimulationOptions) {
        var random = Randomness(seed: seed)
        self.seed = seed
        self.options = options
        faults = options.faults ?? Faults.drawn(&random)
        // What nodes that misbehave keep from others must not be what connects the honest ones.
        let drawn = Topology.allCases[random.index(Topology.allCases.count)]
        topology = options.byzantine > 0 ? .mesh : options.topology ?? drawn
        var settings = ReplicationSettings()
        settings.inlineEntries = 6
        settings.maximumBackoff = 8_000
        settings.rangeTimeout = 3_000
        settings.documentTimeout = 3_000
        settings.concurrentLogs = 2
        settings.recentHeadsPerLog = 6
        settings.offeredHeadsPerLog = 6
        settings.oldHeadsPerLog = 6
        self.settings = settings
        blockedUntil = Array(repeating: Array(repeating: 0, count: options.nodes), count: options.nodes)
        membership = Membership(
            alliance: HashValue.sha256("alliance"), version: 1, digest: HashValue.sha256("charter"), quorum: 1,
            members: [])
        self.random = random
        makeNodes()
    }

    /// Runs until all agree, or something is wrong.
    func run() -> SimulationReport {
        for node in nodes.indices { queue.plan(.start(node), at: now + Int64(node)) }
        queue.plan(.tick, at: now + 100)
        queue.plan(.heal, at: now + options.chaos)
        let end = start + options.chaos + options.bound
        while violations.isEmpty, let (time, action) = queue.next(), time <= end {
            now = time
            statistics.steps += 1
            perform(action)
            if isHealed, case .tick = action, hasConverged() { return report(convergedAt: now) }
        }
        if violations.isEmpty { violate("not converged \(options.bound) ms after healing: \(difference())") }
        return report(convergedAt: nil)
    }

    private func report(convergedAt: Int64?) -> SimulationReport {
        statistics.milliseconds = now - start
        statistics.entries = nodes.map { Int($0.logs[$0.index].size) }.reduce(0, +)
        return SimulationReport(
            seed: seed, nodes: nodes.count, topology: topology.rawValue,
            misbehaviours: nodes.compactMap { $0.misbehaviour?.rawValue }, faults: initialFaults,
            violations: violations,
            convergedAfter: convergedAt.map { $0 - start - options.chaos }, traceDigest: traceDigest,
            statistics: statistics)
    }

    private var initialFaults: String { faultsText }
    private lazy var faultsText = faults.description

    // MARK: Trace and findings

    func note(_ line: @autoclosure () -> String) {
        let text = "\(now - start) \(line())"
        for byte in text.utf8 { traceDigest = (traceDigest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        traceDigest = (traceDigest ^ 10) &* 0x100_0000_01b3
        if options.keepsTrace { trace.append(text) }
    }

    func violate(_ text: String) {
        note("VIOLATION \(text)")
        violations.append("\(now - start) ms: \(text)")
    }

    // MARK: Making the alliance

    private func makeNodes() {
        _ = faultsText
        let count = options.nodes
        var members: [Membership.Member] = []
        var misbehaving: [Int: Misbehaviour] = [:]
        for number in 0..<min(options.byzantine, max(0, count - 2)) {
            let kinds = options.misbehaviours ?? Misbehaviour.allCases
            let kind = options.misbehaviours == nil ? kinds[random.index(kinds.count)] : kinds[number % kinds.count]
            misbehaving[count - 1 - number] = kind
        }
        for index in 0..<count {
            let name = "m\(index / 10)\(index % 10).example"
            guard let signer = try? NoteSigner(name: "\(name)/log", seed: random.bytes(32)),
                let cosigner = try? CosignatureSigner(name: "\(name)/replica", seed: random.bytes(32))
            else { preconditionFailure("names of the simulator make keys") }
            let skew = random.number(-faults.clockSkew...faults.clockSkew) * 1000
            let isDialOutOnly = random.happens(200_000)
            nodes.append(
                SimulatedNode(
                    index: index, member: "did:web:\(name)", origin: signer.name, signer: signer, cosigner: cosigner,
                    skew: skew, isDialOutOnly: isDialOutOnly, misbehaviour: misbehaving[index],
                    logs: Array(repeating: SimulatedLog(), count: count)))
            origins.append(signer.name)
            members.append(
                Membership.Member(
                    id: "did:web:\(name)", role: .regulator, isActive: true, origin: signer.name,
                    logKey: signer.verifierKey, replicaKey: cosigner.verifierKey))
        }
        let quorum = max(1, (count - 1) / 2 + 1)
        membership = Membership(
            alliance: membership.alliance, version: 1, digest: membership.digest, quorum: min(quorum, count - 1),
            members: members)
    }

    func connects(_ a: Int, _ b: Int) -> Bool {
        let count = nodes.count
        switch topology {
        case .mesh: return true
        case .line: return abs(a - b) == 1
        case .star: return min(a, b) == 0
        case .ring: return [1, 2, count - 1, count - 2].contains(abs(a - b))
        }
    }
}

/// What can be planned.
enum Action {
    case start(Int)
    case crash(Int)
    case tick
    case heal
    case dial(Int, Int)
    case deliver(session: Int, toFirst: Bool)
    case end(session: Int, first: Bool)
    case timer(node: Int, life: Int, number: UInt64)
    case disk(node: Int, life: Int, DiskOperation)
    case request(Request)
    case answer(Request, Result<RangeAnswer, FetchFailure>)
    case document(node: Int, life: Int, from: Int, HashValue)
    case documentAnswer(node: Int, life: Int, HashValue, Bool)
}

/// A request for a range on its way.
struct Request {
    let asker: Int
    /// The asker's, when it asked.
    let life: Int
    let server: Int
    let wanted: RangeRequest
}

/// What a disk does, one after the other.
enum DiskOperation {
    case ingest(RequestID, origin: Int, RangeAnswer, head: [UInt8])
    case cosign(origin: Int, checkpoint: [UInt8])
    case persistHead(origin: Int, [UInt8])
    case persistSignatures(origin: Int, checkpoint: [UInt8], [NoteSignature])
    case contradiction(origin: Int)
    case publish([[UInt8]])
    case document(HashValue)
}

/// Counts of a run.
struct Statistics {
    var steps = 0
    var milliseconds: Int64 = 0
    var entries = 0
    var crashes = 0
    var partitions = 0
    var connections = 0
    var messages = 0
    var bytes = 0
    var cosignatures = 0
    var rejections: [(String, Int)] = []

    mutating func count(_ reason: String) {
        if let index = rejections.firstIndex(where: { $0.0 == reason }) {
            rejections[index].1 += 1
        } else {
            rejections.append((reason, 1))
        }
    }
}

/// What a run came to.
struct SimulationReport {
    let seed: UInt64
    let nodes: Int
    let topology: String
    let misbehaviours: [String]
    let faults: String
    let violations: [String]
    /// Milliseconds from healing until all agreed.
    let convergedAfter: Int64?
    let traceDigest: UInt64
    let statistics: Statistics
}

import Alliance
import Replication
import TransparencyLog

/// A virtual alliance: one thread, one seed, virtual time, real Replication, real counting of real statements, real
/// trees, notes and signatures.
///
/// Connections are ordered streams of bytes, as TCP's are; what goes wrong is that they stall, break at different
/// moments for the two ends, and lose what was under way. Beyond what TCP does, whole messages may be lost, doubled or
/// swapped. Answers to requests come on connections of their own, so they do overtake each other, fail, and stay away.
/// A crash takes everything but what the disk has acknowledged.
final class Simulation {
    let seed: UInt64
    let options: SimulationOptions
    let settings: ReplicationSettings
    let alliance: SimulatedAlliance
    var faults: Faults
    let drawnFaults: Faults
    let topology: Topology
    let bounds: Bounds
    var workload: Workload
    let checks = EntryChecks()
    let charterChecks = CharterChecks()
    let plan: CharterPlan
    var restores: RestorePlan
    var twins: TwinPlan
    var collusion: CollusionPlan
    var partners: Partners
    var assembly: Assembly
    let signatures = RememberedSignatures()
    var random: Randomness
    var now: Int64 = SimulatedAlliance.start * 1_000
    let start: Int64 = SimulatedAlliance.start * 1_000
    var queue = EventQueue<Action>()
    var nodes: [SimulatedNode] = []
    let origins: [String]
    var sessions: [Session] = []
    /// The session between two nodes that is not over for both, by the pair's place: first × nodes + second.
    var currentSessions: [Int?]
    /// Places for the members' nodes, and copies of them.
    let places: Int
    /// Logs with two quorums that contradict each other, in words: expected where more collude than the charter allows for.
    var splits: [Int: String] = [:]
    /// Until when a link carries nothing: from, to.
    var blockedUntil: [[Int64]]
    var phase = Phase.chaos
    /// Most entries of one answer; small, so that many are needed.
    let rangeLimit = 12

    var ledger: Ledger
    private(set) var violations: [String] = []
    private(set) var traceDigest: UInt64 = 0xcbf2_9ce4_8422_2325
    private(set) var trace: [String] = []
    var statistics = Statistics()

    init(seed: UInt64, options asked: SimulationOptions) {
        var random = Randomness(seed: seed)
        let options = asked.completed
        self.seed = seed
        self.options = options
        let count = options.nodes ?? Self.drawnCount(&random)
        let drawn = Faults.drawn(&random, nodes: count)
        faults = options.faults ?? drawn
        drawnFaults = faults
        let shape = Topology.allCases[random.index(Topology.allCases.count)]
        let half = random.happens(500_000) ? 0 : 1 + random.index(max(1, count / 3))
        let single = min(options.byzantine ?? half, count - 2)
        let usual = options.topology ?? shape
        let plan = CharterPlan.drawn(seed: seed, options, usual, nodes: count, honest: count - single)
        self.plan = plan
        let collusion = CollusionPlan(seed: seed, options, charters: plan, nodes: count, misbehaving: single)
        self.collusion = collusion
        let misbehaving = collusion.helpers.map { $0 + 1 } ?? single
        // Those that collude are connected with everybody.
        let topology = options.topology ?? (collusion.helpers == nil ? shape : .mesh)
        self.topology = topology
        partners = Partners(seed: seed)
        let spammer = Self.spammer(seed: seed, options, honest: count - misbehaving)
        restores = RestorePlan(seed: seed, options, charters: plan)
        if collusion.helpers != nil { restores.left = 0 }
        alliance = SimulatedAlliance.of(count, newcomers: plan.newcomers, quorum: collusion.quorum)
        assembly = Assembly(alliance, leaver: plan.leaver)
        origins = alliance.members.map(\.origin)
        workload = Workload(alliance)
        settings = Self.settings
        twins = TwinPlan(seed: seed, options, charters: plan, restores: restores, misbehaving: misbehaving)
        bounds = Bounds(
            faults, diameter: plan.diameter(of: count - misbehaving, topology, of: count), nodes: count,
            charters: plan.meetings, hasSpammer: spammer != nil, copies: twins.most)
        places = count + twins.most
        blockedUntil = Array(repeating: Array(repeating: 0, count: places), count: places)
        currentSessions = Array(repeating: nil, count: places * places)
        ledger = Ledger(nodes: count)
        self.random = random
        makeNodes(count, misbehaving: misbehaving)
        if let spammer { nodes[spammer].isSpamming = true }
    }

    /// An honest member that publishes without end, in a quarter of the small alliances: drawn apart, so that other seeds
    /// stay what they are.
    private static func spammer(seed: UInt64, _ options: SimulationOptions, honest: Int) -> Int? {
        var random = Randomness(seed: seed ^ 0x5370_616d)
        let isThere = options.spams ?? (honest <= 6 && random.happens(250_000))
        return isThere ? random.index(honest) : nil
    }

    /// Small limits and short waits, so that a short run meets them.
    private static var settings: ReplicationSettings {
        var settings = ReplicationSettings()
        settings.inlineEntries = 6
        settings.maximumBackoff = 8_000
        settings.rangeTimeout = 3_000
        settings.documentTimeout = 3_000
        settings.concurrentLogs = 2
        settings.recentHeadsPerLog = 6
        settings.offeredHeadsPerLog = 6
        settings.oldHeadsPerLog = 6
        settings.earlyHeadsPerLog = 6
        // Beyond what officers publish, but for those who spam.
        settings.quota.share = 60
        settings.quota.shareWindow = 1_000
        settings.quota.rangeUnits = 4
        settings.quota.entriesPerMinute = 1_200
        settings.quota.minuteWindow = 5_000
        settings.quota.recheck = 1_000
        return settings
    }

    /// Mostly small alliances; a few as large as 40.
    private static func drawnCount(_ random: inout Randomness) -> Int {
        switch random.index(100) {
        case ..<50: 3 + random.index(3)
        case ..<80: 6 + random.index(3)
        case ..<93: 9 + random.index(5)
        case ..<98: 14 + random.index(7)
        default: 21 + random.index(20)
        }
    }

    private func makeNodes(_ count: Int, misbehaving: Int) {
        for (index, member) in alliance.members.enumerated() {
            var misbehaviour: Misbehaviour?
            // The last ones, so that the others are connected without them, whatever the topology.
            if index >= count - misbehaving {
                let kinds = options.misbehaviours ?? Misbehaviour.single
                let number =
                    options.misbehaviours == nil ? random.index(kinds.count) : (count - 1 - index) % kinds.count
                misbehaviour = kinds[number]
                if collusion.helpers != nil { misbehaviour = index == count - 1 ? .forksWithOthers : .colludes }
            }
            nodes.append(
                SimulatedNode(
                    index: index, number: index, member: member,
                    skew: random.number(-faults.clockSkew...faults.clockSkew) * 1_000,
                    isDialOutOnly: random.happens(200_000), isCareless: random.happens(300_000),
                    misbehaviour: misbehaviour,
                    charters: HeldCharters(CharterChain(alliance.charter), alliance.emptyLogs),
                    hasJoined: !plan.newcomers.contains(index)))
        }
    }

    /// Runs until all agree, or something is wrong.
    func run() -> SimulationReport {
        for node in nodes.indices { queue.plan(.start(node), at: now + Int64(node)) }
        queue.plan(.tick, at: now + 100)
        planMeetings()
        queue.plan(.heal, at: now + options.chaos)
        while violations.isEmpty, phase != .finished, let (time, action) = queue.next() {
            now = time
            statistics.steps += 1
            perform(action)
        }
        return report()
    }

    private func report() -> SimulationReport {
        statistics.milliseconds = now - start
        statistics.entries = nodes.prefix(origins.count).map { Int($0.ownLog.size) }.reduce(0, +)
        return SimulationReport(
            seed: seed, nodes: origins.count, topology: topology.rawValue,
            misbehaviours: nodes.compactMap { $0.misbehaviour?.rawValue }, faults: "\(drawnFaults)",
            violations: violations, splits: splits.keys.sorted().compactMap { splits[$0] },
            convergedAfter: convergedAt.map { $0 - start - options.chaos },
            bound: options.bound ?? bounds.convergence, traceDigest: traceDigest, statistics: statistics)
    }

    /// When all agreed for the first time after healing.
    var convergedAt: Int64?

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
}

/// Many seeds, several at a time. Each runs on one thread, so how many run at a time changes nothing in any.
struct Campaign: Sendable {
    let seeds: Range<UInt64>
    let options: SimulationOptions
    let bug: Mistake?
    let jobs: Int

    /// Runs all seeds, and hands each report over as it comes, in any order.
    ///
    /// - Parameter isEnough: whether to begin no further seed.
    func run(
        _ report: @Sendable @escaping (SimulationReport) -> Void,
        until isEnough: @Sendable @escaping () -> Bool = { false }
    ) async {
        let next = Shared(seeds.lowerBound)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<jobs {
                group.addTask {
                    while let seed = Self.take(next, below: seeds.upperBound), !isEnough() {
                        report(Simulation.run(seed: seed, options, with: bug).0)
                    }
                }
            }
        }
    }

    private static func take(_ next: Shared<UInt64>, below end: UInt64) -> UInt64? {
        next.withLock { next in
            guard next < end else { return nil }
            defer { next += 1 }
            return next
        }
    }
}

/// What many seeds came to.
struct CampaignSummary: Sendable {
    private(set) var seeds = 0
    private(set) var failures: [UInt64] = []
    /// How many alliances had so many nodes at most.
    private(set) var sizes: [Int]
    private(set) var entries = 0
    private(set) var messages = 0
    private(set) var crashes = 0
    private(set) var restores = 0
    private(set) var twins = 0
    private(set) var colluding = 0
    private(set) var splits = 0
    private(set) var proofs = 0
    private(set) var contradictoryProofs = 0
    private(set) var partitions = 0
    private(set) var contradictions = 0
    private(set) var forks = 0
    /// Runs in which charters changed, how many were made, and how many of these contradict another.
    private(set) var changing = 0
    private(set) var charters = 0
    private(set) var contests = 0
    private(set) var misbehaving = 0
    private(set) var virtualSeconds: Int64 = 0
    /// The longest way from healing to agreement; milliseconds.
    private(set) var slowest: Int64 = 0

    static let sizeLimits = [5, 8, 13, 20, 40]

    init() { sizes = Self.sizeLimits.map { _ in 0 } }

    mutating func add(_ report: SimulationReport) {
        seeds += 1
        if !report.violations.isEmpty { failures.append(report.seed) }
        if let place = Self.sizeLimits.firstIndex(where: { report.nodes <= $0 }) { sizes[place] += 1 }
        entries += report.statistics.entries
        messages += report.statistics.messages
        crashes += report.statistics.crashes
        restores += report.statistics.restores
        twins += report.statistics.twins
        colluding += report.misbehaviours.contains(Misbehaviour.forksWithOthers.rawValue) ? 1 : 0
        splits += report.splits.isEmpty ? 0 : 1
        proofs += report.statistics.acceptedProofs
        contradictoryProofs += report.statistics.contradictoryProofs
        partitions += report.statistics.partitions
        contradictions += report.statistics.contradictions
        forks += report.statistics.forks
        changing += report.statistics.charters > 0 ? 1 : 0
        charters += report.statistics.charters
        contests += report.statistics.contests
        misbehaving += report.misbehaviours.isEmpty ? 0 : 1
        virtualSeconds += report.statistics.milliseconds / 1_000
        slowest = max(slowest, report.convergedAfter ?? 0)
    }

    /// For people; the time that it took in seconds.
    func text(seconds: Double) -> String {
        let rate = seconds > 0 ? Double(seeds) / seconds : 0
        let spread = zip(Self.sizeLimits, sizes).map { "\($1) up to \($0)" }.joined(separator: ", ")
        return """
            \(seeds) seeds in \(Int(seconds)) s (\(Int(rate)).\(Int(rate * 10) % 10) a second), \(failures.count) with a violation
              nodes: \(spread); \(misbehaving) with members that misbehave
              \(virtualSeconds) virtual seconds, \(entries) entries, \(messages) messages
              \(crashes) crashes, \(restores) disks put back, \(partitions) partitions, \(contradictions) contradictions found, \(forks) fork proofs kept
              \(twins) copies of nodes, \(colluding) seeds with members that collude, \(splits) with two quorums of one log as documented
              \(proofs) proofs accepted by partners, \(contradictoryProofs) against another
              \(charters) later charters in \(changing) seeds, \(contests) of them contradict another
              the slowest agreed \(slowest) ms after healing
            """
    }
}

import ArgumentParser

/// `entente-simulator`: runs virtual alliances, each from one seed that replays it.
@main
struct EntenteSimulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entente-simulator",
        abstract: "Run virtual alliances with faults, each from one seed.",
        discussion: """
            Whatever is not given is drawn from the seed, and printed; the same seed and options give the same run in every
            process (see Docs/simulator.md).
              entente-simulator --seed 7
              entente-simulator --seed 7 --trace > 7.trace
              entente-simulator --seed 1 --count 1000 --jobs 2
              entente-simulator --planted-bug list
              entente-simulator --planted-bug announces-early --count 100
            With --colluders N beyond the bound of the charter, two quorums of one log are what is to be expected: the run says
            so, and that every honest node can prove it.
            It exits with 1 where something that must hold did not; with a planted bug, where nothing found it.
            """)

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds to run.")
    var count: UInt64 = 1

    @Option(help: "How many seeds to run at a time.")
    var jobs = 1

    @Option(help: "The number of nodes, 2 to 40; drawn if not given.")
    var nodes: Int?

    @Option(help: "How many nodes misbehave, at most; drawn if not given.")
    var byzantine: Int?

    @Option(help: "How many members collude with one that forks its log, also more than the charter allows for.")
    var colluders: Int?

    @Option(help: "How many copies of one member's node are started, where nobody misbehaves and charters stay.")
    var twins: Int?

    @Option(help: "How often the charter is to change; drawn if not given, not at all in half of the runs.")
    var charters: Int?

    @Option(help: "How long things go wrong, in virtual milliseconds.")
    var chaos: Int64 = 10_000

    @Option(help: "Within how long all must agree afterwards, in virtual milliseconds; if not given, by the topology.")
    var bound: Int64?

    @Option(help: "Plant a bug and stop at the first seed that finds it; list lists them, each measures one by one.")
    var plantedBug: String?

    @Flag(help: "Print every event and effect.")
    var trace = false

    @Flag(help: "Print one JSON object at the end.")
    var json = false

    func validate() throws {
        guard nodes.map({ (2...40).contains($0) }) ?? true else { throw ValidationError("--nodes is 2 to 40") }
        guard count > 0, seed <= UInt64.max - count else { throw ValidationError("--count is at least 1") }
        guard (0...100).contains(charters ?? 0) else { throw ValidationError("--charters is 0 to 100") }
        guard (0...37).contains(colluders ?? 0), (0...3).contains(twins ?? 0) else {
            throw ValidationError("--colluders is 0 to 37, --twins 0 to 3")
        }
        guard (1...256).contains(jobs) else { throw ValidationError("--jobs is 1 to 256") }
        guard chaos >= 0, bound ?? 1 > 0, chaos < 1 << 40, bound ?? 1 < 1 << 40, byzantine ?? 0 >= 0 else {
            throw ValidationError("times and counts are not negative")
        }
        if trace && count > 1 { throw ValidationError("--trace is for one seed") }
        if let plantedBug, !["list", "each"].contains(plantedBug), Mistake(plantedBug) == nil {
            throw ValidationError(Mistake.refusal(of: plantedBug))
        }
    }

    func run() async throws {
        switch plantedBug {
        case "list": for bug in Mistake.all { print("\(bug.name): \(bug.text)") }
        case "each": for bug in Mistake.all { print(await BugHunt(campaign(bug)).measure()) }
        case let name? where count > 1: try await hunt(campaign(Mistake(name)))
        default: count == 1 ? try runOne() : try await runAll(campaign(nil))
        }
    }

    private var options: SimulationOptions {
        var options = SimulationOptions()
        options.nodes = nodes
        options.byzantine = byzantine
        options.chaos = chaos
        options.charters = charters
        options.colluders = colluders
        options.twins = twins
        options.bound = bound
        options.keepsTrace = trace
        return options
    }

    private func campaign(_ bug: Mistake?) -> Campaign {
        Campaign(seeds: seed..<seed + count, options: options, bug: bug, jobs: jobs)
    }

    private func runOne() throws {
        let (report, trace) = Simulation.run(seed: seed, options, with: plantedBug.flatMap { Mistake($0) })
        for line in trace { print(line) }
        print(json ? report.json : report.text)
        if report.violations.isEmpty != (plantedBug == nil) { throw ExitCode(1) }
    }

    private func hunt(_ campaign: Campaign) async throws {
        guard let found = await BugHunt(campaign).first() else {
            print("\(campaign.bug?.name ?? ""): not found in \(count) seeds")
            throw ExitCode(1)
        }
        print(found.text)
    }

    private func runAll(_ campaign: Campaign) async throws {
        let progress = Progress(of: count, isQuiet: json, replay: replayOptions)
        await campaign.run { progress.add($0) }
        print(progress.summary(asJSON: json))
        if progress.hasFailed { throw ExitCode(1) }
    }

    /// What has to be said again, besides the seed, to replay one run.
    private var replayOptions: String {
        var words: [String] = []
        if let nodes { words.append("--nodes \(nodes)") }
        if let byzantine { words.append("--byzantine \(byzantine)") }
        if let colluders { words.append("--colluders \(colluders)") }
        if let twins { words.append("--twins \(twins)") }
        if let charters { words.append("--charters \(charters)") }
        if chaos != 10_000 { words.append("--chaos \(chaos)") }
        if let bound { words.append("--bound \(bound)") }
        return words.map { " \($0)" }.joined()
    }
}

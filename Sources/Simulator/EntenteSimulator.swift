import ArgumentParser

/// `entente-simulator`: runs virtual alliances, each from one seed that replays it.
@main
struct EntenteSimulator: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entente-simulator",
        abstract: "Run virtual alliances with faults, each from one seed.",
        discussion: """
            A run prints its seed, its faults and what became of it; the same seed gives the same run in every process.
              entente-simulator --seed 7 --nodes 5
              entente-simulator --seed 7 --nodes 5 --trace > 7.trace
              entente-simulator --seed 1 --count 1000 --nodes 7 --byzantine 2
            """)

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds to run, one after the other.")
    var count: UInt64 = 1

    @Option(help: "The number of nodes, 2 to 40.")
    var nodes = 5

    @Option(help: "How many nodes misbehave, at most.")
    var byzantine = 0

    @Option(help: "How long things go wrong, in virtual milliseconds.")
    var chaos: Int64 = 10_000

    @Option(help: "Within how long all must agree afterwards, in virtual milliseconds.")
    var bound: Int64 = 60_000

    @Flag(help: "Print every event and effect.")
    var trace = false

    func validate() throws {
        guard (2...40).contains(nodes) else { throw ValidationError("--nodes is 2 to 40") }
        guard count > 0, seed <= UInt64.max - count else { throw ValidationError("--count is at least 1") }
        guard chaos >= 0, bound > 0, chaos < 1 << 40, bound < 1 << 40, byzantine >= 0 else {
            throw ValidationError("times and counts are not negative")
        }
    }

    func run() throws {
        var failures = 0
        for offset in 0..<count {
            var options = SimulationOptions()
            options.nodes = nodes
            options.byzantine = byzantine
            options.chaos = chaos
            options.bound = bound
            options.keepsTrace = trace
            let simulation = Simulation(seed: seed + offset, options: options)
            let report = simulation.run()
            if trace { for line in simulation.trace { print(line) } }
            print(report.text)
            if !report.violations.isEmpty { failures += 1 }
        }
        if count > 1 { print("\(count) seeds, \(failures) with a violation") }
        if failures > 0 { throw ExitCode(1) }
    }
}

extension SimulationReport {
    /// The report for people, the seed first.
    var text: String {
        let outcome = violations.isEmpty ? "agreed \(convergedAfter ?? 0) ms after healing" : "VIOLATION"
        let misbehaving = misbehaviours.isEmpty ? "" : ", misbehaving: \(misbehaviours.joined(separator: " "))"
        let counts = statistics
        let rejections = counts.rejections.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        var lines = ["seed \(seed): \(outcome); \(nodes) nodes, \(topology)\(misbehaving)", "  \(faults)"]
        lines.append("  \(counts.steps) steps, \(counts.milliseconds) ms, \(counts.messages) messages")
        lines.append("  \(counts.entries) entries, \(counts.cosignatures) cosignatures")
        lines.append(
            "  \(counts.connections) connections, \(counts.crashes) crashes, \(counts.partitions) partitions")
        lines.append("  rejections: \(rejections.isEmpty ? "none" : rejections)")
        lines.append("  trace \(String(traceDigest, radix: 16))")
        for violation in violations { lines.append("  \(violation)") }
        return lines.joined(separator: "\n")
    }
}

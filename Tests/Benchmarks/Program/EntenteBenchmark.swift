import ArgumentParser
import Foundation

/// `entente-benchmark`: measures the machine, functions and real nodes, and prints Docs/benchmarks.md's table.
@main
struct EntenteBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entente-benchmark",
        abstract: "Measure this machine's limits and what Entente makes of them.",
        discussion: """
            Tests/Benchmarks/run builds and starts this. Parts: \(Part.allCases.map(\.rawValue).joined(separator: ", ")).
            """)

    @Flag(help: "20,000 entries (short) or 100,000 (full).")
    var size = Size.short

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    @Option(help: ArgumentHelp("Measure only this part; may be repeated.", valueName: "part"))
    var only: [Part] = []

    @Option(help: "How many entries are published in bulk and synchronised, instead of the size's.")
    var entries: Int?

    @Option(help: ArgumentHelp("The entente program.", valueName: "path"))
    var program: String

    @Option(help: ArgumentHelp("An empty folder for nodes and files; its file system is measured.", valueName: "path"))
    var folder: String

    @Option(help: ArgumentHelp("What the report calls the measured source.", valueName: "commit"))
    var commit = "unknown"

    func validate() throws {
        guard entries.map({ (1_000...1_000_000).contains($0) }) ?? true else {
            throw ValidationError("--entries is 1,000 to 1,000,000")
        }
    }

    func run() throws {
        let parts = Set(only.isEmpty ? Part.allCases : only)
        let work = Workplace(
            folder: folder, program: program, parts: parts, size: size, entries: entries ?? size.entries)
        let begun = Stopwatch()
        let report = Report(
            machine: MachineFacts(commit: commit), size: size.rawValue, entries: work.entries)
        report.progress("the machine's limits")
        let limits = try MachineLimits.measure(work, into: report)
        if parts.contains(.functions) {
            report.progress("functions")
            try FunctionBenchmarks.measure(limits, into: report)
        }
        if !parts.isDisjoint(with: Part.ofTwoNodes) { try TwoNodes(work, limits, report).measure() }
        if parts.contains(.eight) { try EightNodes.measure(work, limits, report) }
        report.finish(seconds: begun.seconds)
        print(json ? try report.json() : report.table())
    }
}

/// How much is measured.
enum Size: String, EnumerableFlag {
    case short
    case full

    /// Entries published in bulk.
    var entries: Int { self == .short ? 20_000 : 100_000 }
    /// Single publications by clients at once.
    var clientPublications: Int { self == .short ? 4_000 : 16_000 }
    /// Single publications watched at another node.
    var watchedPublications: Int { self == .short ? 300 : 1_000 }
    /// Repetitions of a difference.
    var repetitions: Int { self == .short ? 3 : 5 }
    /// Seconds for each limit of the machine.
    var limitSeconds: Double { self == .short ? 0.7 : 2 }
}

/// What can be measured by itself.
enum Part: String, CaseIterable, ExpressibleByArgument {
    case limits, functions, bulk, clients, query, sync, disk, difference, equal, visible, eight

    static let ofTwoNodes: Set<Part> = [.bulk, .clients, .query, .sync, .disk, .difference, .equal, .visible]
}

/// Where and how much is measured.
struct Workplace: Sendable {
    let folder: String
    let program: String
    let parts: Set<Part>
    let size: Size
    let entries: Int
}

import Foundation
import Testing

@testable import Simulator

/// Virtual alliances, short ones; `entente-simulator` runs the long ones.
@Suite struct SimulatorTests {
    private func run(_ seed: UInt64, _ change: (inout SimulationOptions) -> Void = { _ in }) -> SimulationReport {
        var options = SimulationOptions()
        options.nodes = 3
        options.byzantine = 0
        options.chaos = 2_000
        change(&options)
        return Simulation(seed: seed, options: options).run()
    }

    @Test(arguments: 0..<10) func shortSeedsHold(_ tens: Int) {
        for seed in UInt64(tens * 10)..<UInt64(tens * 10 + 10) {
            let report = run(seed)
            #expect(report.violations.isEmpty, "seed \(seed): \(report.text)")
        }
    }

    @Test(arguments: Misbehaviour.single) func oneThatMisbehavesHarmsNobody(_ misbehaviour: Misbehaviour) {
        for seed in 1...3 as ClosedRange<UInt64> {
            let report = run(seed) { options in
                options.nodes = 4
                options.byzantine = 1
                options.misbehaviours = [misbehaviour]
            }
            #expect(report.violations.isEmpty, "seed \(seed): \(report.text)")
        }
    }

    @Test func aLineRelays() {
        for seed in 1...3 as ClosedRange<UInt64> {
            let report = run(seed) { options in
                options.nodes = 4
                options.topology = .line
                options.faults = Faults.none
            }
            #expect(report.violations.isEmpty, "seed \(seed): \(report.text)")
            #expect(report.statistics.entries > 0 && report.statistics.cosignatures > 0)
        }
    }

    @Test func whatIsNotGivenIsDrawn() {
        var sizes: Set<Int> = []
        var faults: Set<String> = []
        for seed in 1...40 as ClosedRange<UInt64> {
            let simulation = Simulation(seed: seed, options: SimulationOptions())
            sizes.insert(simulation.nodes.count)
            faults.insert("\(simulation.drawnFaults)")
            #expect((3...40).contains(simulation.nodes.count))
            #expect(simulation.nodes.count(where: \.isHonest) >= 2)
        }
        #expect(sizes.count > 5 && faults.count == 40)
    }
}

/// The same seed is the same run.
@Suite struct ReplayTests {
    @Test func inOneProcess() {
        var options = SimulationOptions()
        options.nodes = 4
        options.chaos = 2_000
        let digests = (1...4 as ClosedRange<UInt64>).map { Simulation(seed: $0, options: options).run().traceDigest }
        let again = (1...4 as ClosedRange<UInt64>).map { Simulation(seed: $0, options: options).run().traceDigest }
        #expect(digests == again)
        #expect(Set(digests).count == 4)
    }

    /// The order of hash tables differs from process to process.
    @Test(arguments: [5, 11] as [UInt64]) func inTwoFreshProcesses(_ seed: UInt64) throws {
        let arguments = ["--seed", "\(seed)", "--nodes", "5", "--byzantine", "1", "--chaos", "2000", "--trace"]
        let first = try output(arguments)
        #expect(first.count > 10_000)
        #expect(try output(arguments) == first)
    }

    /// What the program beside this test's bundle prints.
    private func output(_ arguments: [String]) throws -> Data {
        let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let process = Process()
        process.executableURL = folder.appendingPathComponent("entente-simulator")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return data
    }
}

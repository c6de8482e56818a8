import Testing

@testable import Simulator

/// Virtual alliances, short ones; `entente-simulator` runs the long ones.
@Suite struct SimulatorTests {
    private func run(_ seed: UInt64, _ change: (inout SimulationOptions) -> Void = { _ in }) -> SimulationReport {
        var options = SimulationOptions()
        options.nodes = 3
        options.chaos = 2_000
        change(&options)
        return Simulation(seed: seed, options: options).run()
    }

    @Test(arguments: 0..<10) func shortSeedsHold(_ tens: Int) {
        for seed in UInt64(tens * 20)..<UInt64(tens * 20 + 20) {
            let report = run(seed)
            #expect(report.violations.isEmpty, "seed \(seed): \(report.text)")
        }
    }

    @Test(arguments: Misbehaviour.allCases) func oneThatMisbehavesHarmsNobody(_ misbehaviour: Misbehaviour) {
        for seed in 1...3 as ClosedRange<UInt64> {
            let report = run(seed) { options in
                options.nodes = 4
                options.byzantine = 1
                options.misbehaviours = [misbehaviour]
            }
            #expect(report.violations.isEmpty, "seed \(seed): \(report.text)")
        }
    }

    @Test func theSameSeedGivesTheSameTrace() {
        for seed in 1...5 as ClosedRange<UInt64> {
            #expect(run(seed).traceDigest == run(seed).traceDigest)
        }
        #expect(run(1).traceDigest != run(2).traceDigest)
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
}

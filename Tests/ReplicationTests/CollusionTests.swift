import Testing

@testable import Simulator

/// Copies of a node that run at the same time, and members that fork a log together.
@Suite struct CollusionTests {
    private func run(_ seed: UInt64, _ change: (inout SimulationOptions) -> Void) -> SimulationReport {
        var options = SimulationOptions()
        options.chaos = 4_000
        var faults = Faults.none
        faults.publishing = 200_000
        options.faults = faults
        change(&options)
        return Simulation(seed: seed, options: options).run()
    }

    /// Of several copies of one node one goes on, and what a quorum held is nowhere lost.
    @Test func copiesOfANodeHarmNobody() {
        var (copies, stoodDown) = (0, 0)
        for seed in 1...12 as ClosedRange<UInt64> {
            let report = run(seed) { options in
                options.nodes = 4
                options.byzantine = 0
                options.charters = 0
                options.restores = 0
                options.twins = 2
            }
            #expect(report.violations.isEmpty && report.splits.isEmpty, "seed \(seed): \(report.text)")
            copies += report.statistics.twins
            stoodDown += report.statistics.standDowns
        }
        #expect(copies > 6 && stoodDown > 3)
    }

    /// Where 4 of 4 others, or 5 of 6, make a quorum, 4 would have to collude; with fewer nobody is ever made to believe two stories.
    @Test(arguments: [(nodes: 5, quorum: 4, colluders: 1), (7, 5, 3)])
    func belowTheBoundNothingContradicts(_ one: (nodes: Int, quorum: Int, colluders: Int)) {
        var (accepted, forks) = (0, 0)
        for seed in 1...12 as ClosedRange<UInt64> {
            let report = run(seed) { options in
                options.nodes = one.nodes
                options.quorum = one.quorum
                options.colluders = one.colluders
            }
            #expect(report.violations.isEmpty && report.splits.isEmpty, "seed \(seed): \(report.text)")
            #expect(report.statistics.contradictoryProofs == 0)
            accepted += report.statistics.acceptedProofs
            forks += report.statistics.forks
        }
        #expect(accepted > 0 && forks > 0)
    }

    /// Beyond the bound two quorums come about, as the threat model says, and all can prove it in the end: a run would not
    /// end well where one honest node could not.
    @Test func beyondTheBoundTheForkIsProven() {
        var (split, proofs) = (0, 0)
        for seed in 1...20 as ClosedRange<UInt64> {
            let report = run(seed) { options in
                options.nodes = 6
                options.colluders = 2
            }
            #expect(report.violations.isEmpty, "seed \(seed): \(report.text)")
            guard !report.splits.isEmpty else { continue }
            split += 1
            proofs += report.statistics.contradictoryProofs
            #expect(report.statistics.forks >= 3)
        }
        #expect(split > 0 && proofs > 0)
    }
}

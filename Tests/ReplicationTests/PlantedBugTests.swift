import Testing

@testable import Simulator

/// Every bug that can be planted is found, and the same runs without it find nothing. Docs/simulator.md has the list, and in
/// how many seeds each shows when everything is drawn; here the ground is chosen so that a few short runs are enough.
@Suite struct PlantedBugTests {
    /// Where to look for a bug, and within how many seeds it must be found.
    struct Hunt: Sendable, CustomTestStringConvertible {
        let bug: Bug
        let options: SimulationOptions
        let seeds: UInt64

        var testDescription: String { bug.name }
    }

    static let hunts: [Hunt] = Bug.all.map { bug in
        var options = SimulationOptions()
        options.nodes = 4
        options.byzantine = 0
        options.chaos = 4_000
        func withOne(_ misbehaviour: Misbehaviour) {
            options.byzantine = 1
            options.misbehaviours = [misbehaviour]
        }
        switch bug.name {
        case "takes-any-document": withOne(.servesOtherDocuments)
        case "forgets-evidence", "unchecked-old-heads", "forgets-contradictions": withOne(.equivocates)
        case "unbounded-old-heads": withOne(.shrinks)
        case "unverified-cosignatures": withOne(.forgesCosignatures)
        case "unchecked-ranges": withOne(.tampersEntries)
        case "no-signature-relay":
            options.topology = .line
            options.faults = Faults.none
        default: break
        }
        return Hunt(bug: bug, options: options, seeds: 40)
    }

    @Test func thereAreEnough() {
        #expect(Bug.all.count >= 20)
        #expect(Set(Bug.all.map(\.name)).count == Bug.all.count)
    }

    @Test(arguments: hunts) func isFound(_ hunt: Hunt) throws {
        for seed in 1...hunt.seeds {
            let (found, _) = Simulation.run(seed: seed, hunt.options, with: hunt.bug)
            guard !found.violations.isEmpty else { continue }
            let (control, _) = Simulation.run(seed: seed, hunt.options, with: nil)
            #expect(control.violations.isEmpty, "without \(hunt.bug.name): \(control.text)")
            return
        }
        Issue.record("\(hunt.bug.name) is not found in \(hunt.seeds) seeds")
    }
}

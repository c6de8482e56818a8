import Testing

@testable import Simulator

/// Every bug that can be planted is found, and the same runs without it find nothing. Docs/simulator.md has the list, and in
/// how many seeds each shows when everything is drawn; here the ground is chosen so that a few short runs are enough.
@Suite struct PlantedBugTests {
    /// Where to look for a bug, and within how many seeds it must be found.
    struct Hunt: Sendable, CustomTestStringConvertible {
        let bug: Mistake
        let options: SimulationOptions
        let seeds: UInt64

        var testDescription: String { bug.name }
    }

    static let hunts: [Hunt] = Mistake.all.map { bug in
        var options = SimulationOptions()
        options.nodes = 4
        options.byzantine = 0
        options.chaos = 4_000
        options.spams = false
        options.twins = 0
        var faults = Faults.none
        faults.publishing = 200_000
        switch bug.name {
        case "announces-early", "stores-late", "restores-backup", "no-cosigning-at-start":
            faults.crashes = 20_000
            faults.crashesWithin = 10_000
            faults.disk = 1...80
        case "takes-any-document": options.misbehave(.servesOtherDocuments)
        case "forgets-evidence":
            // A fork that is settled leaves little to cosign: most of what shows it comes before the proof is made.
            options.byzantine = 2
            options.misbehaviours = [.withholdsBranch, .shrinks]
            options.nodes = 6
            options.charters = 0
            faults.crashes = 20_000
            faults.crashesWithin = 10_000
            faults.latency = 1...400
        case "forgets-contradictions": options.misbehave(.shrinks)
        case "unverified-cosignatures": options.misbehave(.forgesCosignatures)
        case "unchecked-ranges": options.misbehave(.tampersEntries)
        case "loses-request-timers": faults.silentRequests = 300_000
        case "forgets-served": options.topology = .line
        case "no-exchange": faults.losses = 30_000
        case "no-signature-relay": options.topology = .line
        case "gives-up-cosigning": faults.failedWrites = 100_000
        case "gives-up-documents": faults.failedRequests = 300_000
        case "acts-on-charter-early":
            options.charters = 10
            faults.crashes = 20_000
            faults.crashesWithin = 10_000
        case "keeps-old-counts", "ignores-cuts", "decides-by-arrival":
            options.charters = 10
            options.nodes = 5
        case "ends-at-first-quorum", "drops-set-aside", "keeps-forked-counts", "keeps-fork-heads":
            options.misbehave(.equivocates)
            options.nodes = 6
            options.charters = 0
            faults.latency = 1...400
            guard bug.name == "keeps-fork-heads" else { break }
            // Mostly what replicas cosigned was known to all before the fork was.
            options.chaos = 10_000
            faults.publishing = 100_000
            faults.breaks = 30_000
        case "drops-by-quota", "starves-by-quota": options.spams = true
        case "keeps-removed":
            options.charters = 20
            options.nodes = 6
        case "signs-at-once", "no-taking-back":
            options.restores = 3
        case "goes-on-when-told", "signs-when-replaced":
            options.twins = 3
            options.charters = 0
            // The copies must replace one another while officers still publish.
            if bug.name == "signs-when-replaced" { options.chaos = 12_000 }
            faults.publishing = 300_000
            faults.disk = 1...80
        case "counts-old-receipts":
            // Copies that start together are refused, and begin anew.
            options.twins = 6
            options.charters = 0
            faults.crashes = 40_000
            faults.latency = 1...400
        case "keeps-fork-proofs":
            options.misbehave(.equivocates)
            options.nodes = 6
            options.charters = 0
            options.topology = .line
        case "cosigns-both-branches":
            options.misbehave(.equivocates)
            options.charters = 0
            faults.latency = 1...400
        case "counts-lines-twice", "counts-the-owner", "ignores-fork-proof":
            // As many as the charter allows for: of 6 others 5 make a quorum.
            options.nodes = 7
            options.quorum = 5
            options.colluders = 3
        case "no-charter-relay":
            options.charters = 2
            faults.publishing = 20_000
        default: break
        }
        options.faults = faults
        return Hunt(bug: bug, options: options, seeds: 40)
    }

    @Test func thereAreEnough() {
        #expect(Mistake.all.count >= 42)
        #expect(Set(Mistake.all.map(\.name)).count == Mistake.all.count)
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

extension SimulationOptions {
    fileprivate mutating func misbehave(_ misbehaviour: Misbehaviour) {
        byzantine = 1
        misbehaviours = [misbehaviour]
    }
}

import Alliance
import Foundation

/// What a long run prints as it goes on: failures at once, with the command that replays them, and now and then how far
/// it is.
final class Progress: Sendable {
    private let total: UInt64
    private let isQuiet: Bool
    private let replay: String
    private let began = ContinuousClock.now
    private let state = Shared(CampaignSummary())

    init(of total: UInt64, isQuiet: Bool, replay: String) {
        self.total = total
        self.isQuiet = isQuiet
        self.replay = replay
    }

    var hasFailed: Bool { state.withLock { !$0.failures.isEmpty } }

    private var seconds: Double {
        let spent = ContinuousClock.now - began
        return Double(spent.components.seconds) + Double(spent.components.attoseconds) / 1e18
    }

    func add(_ report: SimulationReport) {
        state.withLock { state in
            state.add(report)
            if !report.violations.isEmpty { say("\(report.text)\n  replay: \(command(report.seed))\n") }
            if !isQuiet && state.seeds % 100 == 0 && UInt64(state.seeds) < total {
                say("\(state.seeds) of \(total) seeds, \(Int(seconds)) s, \(state.failures.count) with a violation\n")
            }
        }
    }

    private func command(_ seed: UInt64) -> String { "entente-simulator --seed \(seed)\(replay) --trace" }

    private func say(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

    func summary(asJSON: Bool) -> String {
        let (state, seconds) = (state.withLock { $0 }, seconds)
        return asJSON ? state.json(seconds: seconds, command) : state.text(seconds: seconds)
    }
}

// MARK: - JSON

extension CampaignSummary {
    /// One object on one line.
    func json(seconds: Double, _ command: (UInt64) -> String) -> String {
        let spread = zip(Self.sizeLimits, sizes).map { limit, count -> JSONValue in
            ["upTo": .integer(Int64(limit)), "seeds": .integer(Int64(count))]
        }
        let object: JSONValue = [
            "seeds": .integer(Int64(seeds)), "milliseconds": .integer(Int64(seconds * 1_000)),
            "failures": .array(
                failures.sorted().map { ["seed": .integer(Int64(clamping: $0)), "replay": .string(command($0))] }),
            "nodes": .array(spread), "misbehaving": .integer(Int64(misbehaving)),
            "virtualSeconds": .integer(virtualSeconds), "entries": .integer(Int64(entries)),
            "messages": .integer(Int64(messages)), "crashes": .integer(Int64(crashes)),
            "restores": .integer(Int64(restores)), "twins": .integer(Int64(twins)),
            "colluding": .integer(Int64(colluding)), "splits": .integer(Int64(splits)),
            "acceptedProofs": .integer(Int64(proofs)),
            "contradictoryProofs": .integer(Int64(contradictoryProofs)),
            "partitions": .integer(Int64(partitions)), "contradictions": .integer(Int64(contradictions)),
            "forks": .integer(Int64(forks)), "charters": .integer(Int64(charters)),
            "changing": .integer(Int64(changing)),
            "contests": .integer(Int64(contests)), "slowestAgreement": .integer(slowest),
        ]
        return String(decoding: object.encoded(), as: UTF8.self)
    }
}

extension SimulationReport {
    /// One object on one line.
    var json: String {
        let object: JSONValue = [
            "seed": .integer(Int64(clamping: seed)), "nodes": .integer(Int64(nodes)), "topology": .string(topology),
            "misbehaving": .array(misbehaviours.map { .string($0) }), "faults": .string(faults),
            "violations": .array(violations.map { .string($0) }),
            "splits": .array(splits.map { .string($0) }),
            "agreedAfter": convergedAfter.map { .integer($0) } ?? .null, "bound": .integer(bound),
            "trace": .string(String(traceDigest, radix: 16)),
        ]
        return String(decoding: object.encoded(), as: UTF8.self)
    }
}

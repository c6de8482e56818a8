import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// What a node holds: for each member a log, up to some batch. Docs/convergence.md names the laws.
private struct Holding: Equatable {
    var logs: [String: MemoryLog]

    /// Log by log, the longer consistent prefix: what is missing is taken only if our tree begins the other's.
    func joined(with other: Holding) throws -> Holding {
        var result = self
        for name in logs.keys.sorted() {
            guard let ours = logs[name], let theirs = other.logs[name] else { continue }
            result.logs[name] = try Self.join(ours, theirs)
        }
        return result
    }

    private static func join(_ ours: MemoryLog, _ theirs: MemoryLog) throws -> MemoryLog {
        let (from, to) = (UInt64(ours.entries.count), UInt64(theirs.entries.count))
        guard from < to else { return ours }
        let isConsistent = MerkleTree.verifyConsistency(
            from: from, root: try MerkleTree.root(size: from, reader: ours), to: to,
            root: try MerkleTree.root(size: to, reader: theirs),
            proof: try MerkleTree.consistencyProof(from: from, to: to, reader: theirs))
        guard isConsistent else { return ours }
        var longer = ours
        var batch: [[UInt8]] = []
        for entry in theirs.entries[Int(from)...] {
            batch.append(entry)
            if case .stateLeaf = LogEntry(entry) {
                try longer.receive(batch)
                batch = []
            }
        }
        return longer
    }

    /// Whether everything held here is held there too, and unchanged.
    func isPrefix(of other: Holding) -> Bool {
        logs.allSatisfy { name, log in other.logs[name]?.entries.starts(with: log.entries) ?? false }
    }

    /// Entries, and all that is derived from them: rows, maps, verdicts.
    static func == (one: Holding, other: Holding) -> Bool {
        one.logs.keys == other.logs.keys
            && one.logs.allSatisfy { name, log in
                guard let same = other.logs[name] else { return false }
                return log.entries == same.entries && log.rows == same.rows && log.verdicts == same.verdicts
                    && log.state.lines == same.state.lines
            }
    }
}

@Suite("Convergence: holdings are a join-semilattice, and registers a function of them")
struct ConvergenceTests {
    private let members = ["pk", "sv", "us"]
    /// For each member, its log after each batch: the first of them is empty.
    private let stages: [String: [MemoryLog]]

    init() throws {
        let alliance = try TestAlliance()
        var stages: [String: [MemoryLog]] = [:]
        for name in members {
            var log = try alliance.log(of: name)
            stages[name] = [log]
            try log.begin()
            stages[name]?.append(log)
            let first = try log.licence("\(name)-1", domains: ["\(name).example"])
            try log.publish([first, try log.licence("\(name)-2")])
            stages[name]?.append(log)
            let second = try log.licence("\(name)-1", "suspended", supersedes: [HashValue.sha256(first)])
            try log.publish([second, try log.retraction(of: [(first, "\(name)-1")])])
            stages[name]?.append(log)
        }
        self.stages = stages
    }

    /// Every combination of how far a node has come in two of the logs, the third as far as the first.
    private var holdings: [Holding] {
        (0..<4).flatMap { pk in
            (0..<4).compactMap { sv in
                guard let one = stages["pk"]?[pk], let two = stages["sv"]?[sv], let three = stages["us"]?[pk] else {
                    return nil
                }
                return Holding(logs: ["pk": one, "sv": two, "us": three])
            }
        }
    }

    @Test("The join is commutative, idempotent and monotone")
    func pairs() throws {
        for one in holdings {
            #expect(try one.joined(with: one) == one)
            for other in holdings {
                let joined = try one.joined(with: other)
                #expect(try other.joined(with: one) == joined)
                #expect(one.isPrefix(of: joined) && other.isPrefix(of: joined))
                #expect(try joined.joined(with: one) == joined)
            }
        }
    }

    @Test("The join is associative")
    func triples() throws {
        // Four of which none is in another.
        let all = holdings
        let some = [3, 6, 9, 12].map { all[$0] }
        for one in some {
            for two in some {
                let left = try one.joined(with: two)
                for three in some {
                    let right = try two.joined(with: three)
                    #expect(try left.joined(with: three) == one.joined(with: right))
                }
            }
        }
    }

    @Test("In whatever order news comes, registers end the same, and the same as recomputed from nothing")
    func order() throws {
        var final = Holding(logs: stages.compactMapValues(\.first))
        for holding in holdings { final = try final.joined(with: holding) }
        var generator = SplitMix(seed: 20_261_121)
        for _ in 0..<20 {
            var node = Holding(logs: stages.compactMapValues(\.first))
            for holding in holdings.shuffled(using: &generator) { node = try node.joined(with: holding) }
            #expect(node == final)
        }
        for name in members { #expect(final.logs[name]?.rows == stages[name]?.last?.rows) }
    }

    @Test("A log that tells two stories: what is held stays, whoever comes, and the other logs go on")
    func twoStories() throws {
        let honest = try #require(stages["pk"])
        var other = honest[2]
        try other.publish([try other.licence("pk-9", "revoked")])
        let full = Holding(logs: stages.compactMapValues(\.last))
        var branch = Holding(logs: stages.compactMapValues { $0[2] })
        branch.logs["pk"] = other
        let joined = try branch.joined(with: full)
        #expect(joined.logs["pk"]?.entries == other.entries)
        #expect(joined.logs["sv"]?.entries == full.logs["sv"]?.entries)
        #expect(try full.joined(with: branch) == full)
    }
}

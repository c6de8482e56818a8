import Alliance
import Replication
import TransparencyLog

// What must hold of charters, at every step and at the end.

extension Simulation {
    /// A node has taken up a charter: nothing that it knew is gone, what is in force goes back only where versions
    /// contradict each other, equal charters decide the same, and what stood before a cut stands.
    func checkCharters(since old: HeldCharters, _ recounted: [Int], on node: Int) {
        guard nodes[node].isHonest else { return }
        let (held, before) = (nodes[node].charters, old.chain)
        let known = Set(held.chain.all.map(\.digest))
        if !before.all.allSatisfy({ known.contains($0.digest) }) { violate("node \(node) forgets a charter") }
        if held.chain.version(before.current.charter.version)?.digest != before.current.digest,
            !Self.hasContradiction(held.chain, upTo: before.current.charter.version)
        {
            violate("node \(node) goes back from charter \(before.current.charter.version) for no reason")
        }
        if !ledger.agrees(on: held) { violate("node \(node) decides otherwise with the same charters") }
        for origin in held.logs.indices {
            let (log, was) = (held.logs[origin], old.logs[origin])
            checkRecounted(log, since: was, origin, on: node)
            checkVerdicts(of: log, from: recounted.contains(origin) ? 0 : log.size, origin, on: node)
        }
    }

    /// What an honest node comes back with after a crash: every charter that it acted upon.
    func checkCharterRestart(_ node: Int) {
        if ledger.hasLost(nodes[node].chain, node) { violate("node \(node) lost a charter that it acted upon") }
    }

    private static func hasContradiction(_ chain: CharterChain, upTo version: Int) -> Bool {
        var seen: Set<HashValue> = []
        return chain.all.contains { charter in
            guard charter.charter.version <= version, let previous = charter.charter.previous else { return false }
            return !seen.insert(previous).inserted
        }
    }

    /// Only what a cut governs, or what a decision was missing for, comes out otherwise than before.
    private func checkRecounted(_ log: SimulatedLog, since was: SimulatedLog, _ origin: Int, on node: Int) {
        let cut = Self.cuts(of: origins[origin], in: log.state.chain, butNot: was.state.chain).min()
        guard log.state.end?.reason != .otherCharter, was.state.end?.reason != .otherCharter else { return }
        var leaf = Int(log.size)
        for index in was.verdicts.indices.reversed() {
            if was.verdicts[index] == .stateLeaf { leaf = index }
            guard was.verdicts[index] != log.verdicts[index], cut.map({ leaf < $0 }) ?? true else { continue }
            return violate("node \(node) counts \(index) of log \(origin) otherwise, before any cut")
        }
    }

    /// The cuts of a log that only one of two chains has.
    private static func cuts(of origin: String, in one: CharterChain, butNot other: CharterChain) -> [UInt64] {
        let (mine, theirs) = (one.versions, other.versions)
        let shared = Set(mine.map(\.digest)).intersection(theirs.map(\.digest))
        return (mine + theirs).filter { !shared.contains($0.digest) }.compactMap { $0.charter.cut(of: origin)?.size }
    }

    /// Nothing counts beyond a cut at which its member stopped taking part: by the charters alone, whatever governance says.
    func checkStanding(_ log: SimulatedLog, at index: Int, leaf: Int, _ origin: Int, on node: Int) {
        let name = origins[origin]
        let governing = log.state.chain.versions.last { charter in
            charter.charter.cut(of: name).map { $0.size <= leaf } ?? false
        }
        guard let member = governing?.charter.member(origin: name), member.standing != .active else { return }
        violate("node \(node) counts \(index) of log \(origin), whose member is \(member.standing.rawValue) there")
    }

    /// Nobody keeps a session with a member that the charter in force has removed, or does not list.
    func checkSessions() {
        guard plan.meetings > 0 else { return }
        for node in nodes.indices where nodes[node].isHonest && nodes[node].isUp {
            for index in nodes[node].sessions where sessions[index].isOpen(at: node) {
                let peer = other(index, isFirst: sessions[index].first == node)
                if !nodes[node].admits(nodes[peer].member) {
                    violate("node \(node) has a session with \(peer), which its charter does not admit")
                }
            }
        }
    }
}

// MARK: - After healing

extension Simulation {
    /// Whether a node's member belongs to the alliance in the end: the others are not heard any more.
    func belongs(_ node: Int) -> Bool {
        nodes[node].hasJoined
            && assembly.chain.current.charter.member(id: nodes[node].member.id).map { $0.standing != .removed } ?? false
    }

    func isActive(_ node: Int) -> Bool {
        assembly.chain.current.charter.member(id: nodes[node].member.id)?.standing == .active
    }

    /// The first thing about charters on which honest nodes do not agree yet.
    func differenceOfCharters(_ honest: [Int]) -> String? {
        let newest = assembly.chain.current
        for node in honest where nodes[node].chain.current.digest != newest.digest {
            return "node \(node) is under charter \(nodes[node].charter.version), not \(newest.charter.version)"
        }
        return nil
    }
}

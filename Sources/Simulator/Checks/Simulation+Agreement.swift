import Alliance
import Replication
import TransparencyLog

// What must hold once nothing goes wrong any more.

extension Simulation {
    /// The first thing on which honest nodes do not agree yet; nil if they agree: all hold every honest log, its
    /// documents and every honest cosignature durably, and know who told two stories.
    func difference() -> String? {
        let honest = nodes.indices.filter { nodes[$0].isHonest && belongs($0) && !nodes[$0].isRetired }
        if let text = differenceOfCopies() { return text }
        if let down = honest.first(where: { !nodes[$0].isUp }) { return "node \(down) is down" }
        if let waiting = honest.first(where: { !nodes[$0].maySign && canBeRecorded($0) }) {
            let standing = nodes[waiting].replication?.incarnationStanding
            return "node \(waiting) has started and may not sign yet: \(standing.map { "\($0)" } ?? "")"
        }
        if let text = differenceOfCharters(honest) { return text }
        for origin in origins.indices where nodes[origin].isHonest && belongs(origin) && isWhole(origin, honest) {
            for node in honest {
                if let text = difference(on: origin, at: node, honest) { return text }
            }
        }
        for origin in origins.indices where nodes[origin].isHonest && !belongs(origin) {
            if let text = differenceWithoutOwner(of: origin, honest) { return text }
        }
        for origin in origins.indices where !isSound(origin) {
            if let text = missingEvidence(of: origin, honest) { return text }
        }
        return differenceOfForks(honest)
    }

    /// Whether somebody has taken in a part of a head of this member's log, of which the rest is with nobody any more: what it has
    /// cannot be handed on without the head, and a log that went on without it would be forked.
    private func isPartlyTaken(_ member: Int) -> Bool {
        nodes.contains { $0.logs[member].acceptedSize > $0.logs[member].size }
    }

    /// Whether enough honest members are there to record a node's start: others may withhold their word.
    private func canBeRecorded(_ node: Int) -> Bool {
        let others = nodes.indices.filter {
            nodes[$0].number != nodes[node].number && nodes[$0].isHonest && belongs($0) && isActive($0)
                && !nodes[$0].isRetired
        }
        // A restored one asks everybody: it may wait for what a member withholds, or what somebody took in a part of before it
        // was lost.
        // In a forked log nothing is published any more, and what lies beyond its end comes back to nobody.
        if !nodes[node].ownLog.fork.isEmpty { return false }
        // So may a copy of another node, and the one that it is a copy of.
        if isPartlyTaken(nodes[node].number) { return false }
        if nodes[node].isRestored { return nodes.allSatisfy(\.isHonest) }
        return others.count >= nodes[node].charter.quorum
    }

    /// Whether a log began under a charter that is not in force after all, with a roster that its keys signed: only another log
    /// key would help, and those are not simulated.
    private func isLost(_ log: SimulatedLog, on node: Int) -> Bool {
        guard log.state.end?.index == 0, log.state.end?.reason == .noRoster, let first = log.stateLeaves.first?.leaf
        else { return false }
        return !nodes[node].chain.versions.contains { $0.digest == first.charterDigest }
    }

    /// Whether a neighbour gives a node documents: not where a member was suspended before it had a roster that counts.
    private func isGivenDocuments(_ node: Int) -> Bool {
        nodes.indices.contains { other in
            other != node && nodes[other].isHonest && belongs(other) && !nodes[other].isRetired
                && isNeighbour(node, other)
                && nodes[node].knowsRoster(of: nodes[other].number) && nodes[other].knowsRoster(of: nodes[node].number)
        }
    }

    /// Of two copies of a node one goes on, once they can be told.
    private func differenceOfCopies() -> String? {
        // Those that wait for what nobody can give them outbid one another.
        guard let member = twins.member, isTwinned(member), !isPartlyTaken(member) else { return nil }
        let living = copies(of: member).filter { !nodes[$0].isRetired }
        return living.count == 1 ? nil : "\(living.count) copies of node \(member) go on: \(living)"
    }

    /// Whether a log must go on: not where two copies forked it, nor where somebody took in a part of what only the copy holds
    /// that has stood down.
    private func isWhole(_ origin: Int, _ honest: [Int]) -> Bool {
        guard isTwinned(origin) else { return true }
        return honest.allSatisfy { node in
            let log = nodes[node].logs[origin]
            return log.fork.isEmpty && log.acceptedSize <= nodes[living(origin)].ownLog.size
        }
    }

    private func difference(on origin: Int, at node: Int, _ honest: [Int]) -> String? {
        let owner = living(origin)
        let size = nodes[owner].ownLog.size
        let log = nodes[node].logs[origin]
        if !nodes[owner].maySign, size == 0 || nodes[owner].isRestored && !canBeRecorded(owner) { return nil }
        if size == 0 { return "log \(origin) has not begun" }
        if log.size != size { return "node \(node) holds \(log.size) of \(size) of log \(origin)" }
        guard let note = try? SignedNote(parsing: log.head), let head = try? Checkpoint(parsing: note.text),
            head.size == size
        else { return "node \(node) has no head of log \(origin) at \(size)" }
        if let end = log.state.end {
            if isLost(log, on: node) { return nil }
            return "counting in log \(origin) has ended at node \(node), at \(end.index): \(end.reason.rawValue)"
        }
        if log.needsLeaf, nodes[owner].maySign { return "log \(origin) does not name the charter in force" }
        let cosigners = log.isJudged(at: size) ? honest.filter { nodes[$0].number != origin && isActive($0) } : []
        for other in cosigners {
            let key = nodes[other].member.replica.verifierKey
            if !note.signatures.contains(where: { $0.isAttributed(to: key) }) {
                return "node \(node) lacks node \(other)'s cosignature of log \(origin) at \(size)"
            }
        }
        if cosigners.count >= alliance.membership.quorum && log.firstQuorum == nil && plan.meetings == 0 {
            return "node \(node) has stored no quorum of log \(origin)"
        }
        let missing = nodes[node].missing(log.documents).first { need in
            // What only the copy holds that stood down comes from nobody.
            !isTwinned(origin) || honest.contains { nodes[$0].documents[need.digest] != nil }
        }
        if isGivenDocuments(node), let missing {
            return "node \(node) lacks document \(missing.digest.hex.prefix(8)) of log \(origin)"
        }
        return nil
    }

    /// A removed member's log goes only as far as one of the others holds it.
    private func differenceWithoutOwner(of origin: Int, _ honest: [Int]) -> String? {
        let heads = honest.compactMap { Self.checkpoint(of: nodes[$0].logs[origin].head)?.size }
        let largest = heads.max() ?? 0
        let behind = honest.first { nodes[$0].logs[origin].size < largest }
        return behind.map { "node \($0) holds \(nodes[$0].logs[origin].size) of \(largest) of log \(origin)" }
    }

    /// Of two connected nodes that hold two tellings of one log, the one that holds more can prove it: the other one's head
    /// is not of its tree. Then everyone has a proof.
    private func missingEvidence(of origin: Int, _ honest: [Int]) -> String? {
        if let knowing = honest.first(where: { !nodes[$0].logs[origin].fork.isEmpty }),
            let other = honest.first(where: { nodes[$0].logs[origin].fork.isEmpty })
        {
            return "node \(other) has not learnt of the fork of log \(origin), which node \(knowing) can prove"
        }
        for node in honest where nodes[node].logs[origin].fork.isEmpty {
            let log = nodes[node].logs[origin]
            for other in honest where isNeighbour(node, other) {
                guard let head = Self.checkpoint(of: nodes[other].logs[origin].head), head.size <= log.size,
                    !log.has(head.size, head.root)
                else { continue }
                return
                    "node \(node) has no proof against log \(origin), of which node \(other) holds another telling"
            }
        }
        return nil
    }

    /// What a quorum held of a log that two copies of a node signed is there in the end.
    private func checkFinal(_ log: SimulatedLog, _ origin: Int, on node: Int) {
        guard isTwinned(origin), log.isSettled || log.size >= nodes[living(origin)].ownLog.size else { return }
        for head in ledger.finals(of: origin) where !log.has(head.size, head.root) {
            violate("node \(node) lost \(head.size) entries of log \(origin), which a quorum held")
        }
    }

    /// Equal logs give equal views, whole ones too, however their rows came; and what was acknowledged is there.
    func checkViews() {
        var views: [Ledger.State: HashValue] = [:]
        for node in nodes.indices where nodes[node].isHonest && belongs(node) && !nodes[node].isRetired {
            if !nodes[node].isRestored, !isTwinned(nodes[node].number),
                nodes[node].ownLog.size < ledger.published(by: node)
            {
                violate("node \(node) lost acknowledged entries")
            }
            for origin in origins.indices {
                let log = nodes[node].logs[origin]
                checkFinal(log, origin, on: node)
                let state = Ledger.State(
                    origin: origin, size: log.size, root: log.root, charters: nodes[node].charters.decided)
                let view = ViewDigest.whole(log, checks, turn: node)
                if views.updateValue(view, forKey: state) ?? view != view {
                    violate("node \(node) shows something else of log \(origin)")
                }
            }
        }
    }
}

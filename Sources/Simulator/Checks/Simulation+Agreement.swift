import Alliance
import Replication
import TransparencyLog

// What must hold once nothing goes wrong any more.

extension Simulation {
    /// The first thing on which honest nodes do not agree yet; nil if they agree: all hold every honest log, its
    /// documents and every honest cosignature durably, and know who told two stories.
    func difference() -> String? {
        let honest = nodes.indices.filter { nodes[$0].isHonest && belongs($0) }
        if let down = honest.first(where: { !nodes[$0].isUp }) { return "node \(down) is down" }
        if let text = differenceOfCharters(honest) { return text }
        for origin in honest {
            for node in honest {
                if let text = difference(on: origin, at: node, honest) { return text }
            }
        }
        for origin in nodes.indices where nodes[origin].isHonest && !belongs(origin) {
            if let text = differenceWithoutOwner(of: origin, honest) { return text }
        }
        for origin in nodes.indices where !nodes[origin].isHonest {
            if let text = missingEvidence(of: origin, honest) { return text }
        }
        return differenceOfForks(honest)
    }

    private func difference(on origin: Int, at node: Int, _ honest: [Int]) -> String? {
        let size = nodes[origin].logs[origin].size
        let log = nodes[node].logs[origin]
        if size == 0 { return "log \(origin) has not begun" }
        if log.size != size { return "node \(node) holds \(log.size) of \(size) of log \(origin)" }
        guard let note = try? SignedNote(parsing: log.head), let head = try? Checkpoint(parsing: note.text),
            head.size == size
        else { return "node \(node) has no head of log \(origin) at \(size)" }
        if log.state.end != nil { return "counting in log \(origin) has ended at node \(node)" }
        if log.needsLeaf { return "log \(origin) does not name the charter in force" }
        let cosigners = log.isJudged(at: size) ? honest.filter { $0 != origin && isActive($0) } : []
        for other in cosigners {
            let key = nodes[other].member.replica.verifierKey
            if !note.signatures.contains(where: { $0.isAttributed(to: key) }) {
                return "node \(node) lacks node \(other)'s cosignature of log \(origin) at \(size)"
            }
        }
        if cosigners.count >= alliance.membership.quorum && log.firstQuorum == nil && plan.meetings == 0 {
            return "node \(node) has stored no quorum of log \(origin)"
        }
        if let missing = nodes[node].missing(log.documents).first {
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
            for other in honest where other != node && topology.connects(node, other, of: nodes.count) {
                guard let head = Self.checkpoint(of: nodes[other].logs[origin].head), head.size <= log.size,
                    !log.has(head.size, head.root)
                else { continue }
                return
                    "node \(node) has no proof against log \(origin), of which node \(other) holds another telling"
            }
        }
        return nil
    }

    /// Equal logs give equal views, whole ones too, however their rows came; and what was acknowledged is there.
    func checkViews() {
        var views: [Ledger.State: HashValue] = [:]
        for node in nodes.indices where nodes[node].isHonest && belongs(node) {
            if nodes[node].logs[node].size < ledger.published(by: node) {
                violate("node \(node) lost acknowledged entries")
            }
            for origin in nodes.indices {
                let log = nodes[node].logs[origin]
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

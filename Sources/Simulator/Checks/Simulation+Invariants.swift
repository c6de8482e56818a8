import Replication
import TransparencyLog

// What must hold at every step. A finding ends the run; the seed replays it.

extension Simulation {
    /// No honest log ever has two heads of one size.
    func checkSigned(_ head: Checkpoint, by node: Int) {
        guard nodes[node].isHonest else { return }
        if !ledger.signed(node, head) { violate("node \(node) signed two heads of size \(head.size)") }
    }

    /// What was published stays: an honest log only ever grows.
    func checkPublished(on node: Int) {
        guard nodes[node].isHonest else { return }
        if !ledger.extend(node, with: nodes[node].logs[node]) { violate("node \(node)'s log changed its past") }
    }

    /// What is stored of an honest log is what its owner published; of another it was under a signed head.
    func checkStored(_ origin: Int, on node: Int) {
        guard nodes[node].isHonest else { return }
        let log = nodes[node].logs[origin]
        if nodes[origin].isHonest && ledger.root(origin, at: log.size) != log.root {
            violate("node \(node) stored something else than node \(origin) published")
        }
    }

    /// An honest replica cosigns only what it holds, never less than before, and nothing of a log that lies.
    func checkCosigned(_ head: Checkpoint, _ origin: Int, on node: Int) {
        guard nodes[node].isHonest else { return }
        let log = nodes[node].logs[origin]
        if origin == node { violate("node \(node) cosigned its own log") }
        if head.size > log.size || log.roots[Int(head.size)] != head.root {
            violate("node \(node) cosigned a head that it does not hold")
        }
        if let last = log.cosigned.last, last.size > head.size { violate("node \(node) cosigned less than before") }
        if judge.judge(log.entries, from: 0) == .isFalse { violate("node \(node) cosigned a false state leaf") }
    }

    /// Honest nodes never refuse anything for which an honest peer would be to blame.
    func checkRejection(_ rejection: Rejection, of peer: PeerID, by node: Int) {
        statistics.count(rejection.reason.rawValue)
        guard nodes[node].isHonest, let (index, isFirst) = session(of: node, peer) else { return }
        let blamed = other(index, isFirst: isFirst)
        let isOwnersFault: [Rejection.Reason] = [
            .inconsistentHead, .contradictoryHead, .cannotExtend, .falseStateLeaf, .differentCharter, .unknownLog,
        ]
        if nodes[blamed].isHonest && !isOwnersFault.contains(rejection.reason) {
            violate("node \(node) blames honest node \(blamed): \(rejection)")
        }
        guard let origin = rejection.origin.flatMap({ origins.firstIndex(of: $0) }) else { return }
        if nodes[blamed].isHonest && nodes[origin].isHonest {
            violate("node \(node) finds fault with honest log \(origin): \(rejection)")
        }
    }

    /// Nothing that peers feed exceeds its limit.
    func checkMemory() {
        for node in nodes.indices {
            if let excess = nodes[node].replication?.occupancy.excess(over: settings) {
                violate("node \(node) exceeds a limit: \(excess)")
            }
        }
    }

    /// Acknowledged entries are there, and all honest nodes hold all honest logs, documents and cosignatures.
    func hasConverged() -> Bool {
        difference() == "nothing"
    }

    /// The first thing on which honest nodes do not agree yet.
    func difference() -> String {
        let honest = nodes.indices.filter { nodes[$0].isHonest }
        for node in honest where nodes[node].logs[node].size < nodes[node].acknowledged {
            violate("node \(node) lost acknowledged entries")
        }
        for origin in honest {
            let size = nodes[origin].logs[origin].size
            guard size > 0 else { continue }
            for node in honest {
                guard let status = nodes[node].replication?.status(ofLog: origins[origin]) else {
                    return "node \(node) is down"
                }
                if status.size != size { return "node \(node) holds \(status.size) of \(size) of log \(origin)" }
                let cosigners = Set(status.cosignatures.map(\.member))
                for other in honest where other != origin && !cosigners.contains(nodes[other].member) {
                    return "node \(node) lacks node \(other)'s cosignature of log \(origin)"
                }
                if nodes[node].logs[origin].isContradicted {
                    violate("node \(node) calls honest log \(origin) contradicted")
                }
                for digest in nodes[origin].logs[origin].entries.compactMap(DocumentEntry.digest)
                where !nodes[node].documents.contains(digest) {
                    return "node \(node) lacks a document of log \(origin)"
                }
            }
        }
        return "nothing"
    }
}

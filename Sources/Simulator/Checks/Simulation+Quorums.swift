import Alliance
import Replication
import TransparencyLog

// No two quorums of one log contradict each other, unless more replicas collude than the charter allows for.

/// A head that a quorum of replicas cosigned.
struct FinalHead {
    let size: UInt64
    let root: HashValue
    /// The roots at all smaller sizes, and at its own.
    let roots: [HashValue]
    /// When the last cosignature that made the quorum was made.
    let began: Int64

    /// Whether one is the beginning of the other.
    func agrees(with other: FinalHead) -> Bool {
        size <= other.size ? other.roots[Int(size)] == root : roots[Int(other.size)] == other.root
    }
}

extension Simulation {
    /// How many replicas of a log may sign whatever they are asked, besides its owner, or have forgotten what they signed:
    /// members that collude, disks that were put back, and nodes of which there are two.
    func unreliable(besides origin: Int) -> Int {
        origins.indices.count { member in
            guard member != origin else { return false }
            return isTwinned(member) || nodes[member].wasRestored || nodes[member].misbehaviour == .colludes
        }
    }

    /// Whether two quorums of a log share a replica that signs no two stories.
    func isWithinBound(_ origin: Int) -> Bool {
        let charter = nodes[origin].charter
        return unreliable(besides: origin) < charter.collusionBound(of: alliance.members[origin].id)
    }

    /// A replica cosigned a head: where that makes a quorum, it must not contradict another.
    func countCosigner(_ head: Checkpoint, _ log: SimulatedLog, _ origin: Int, by node: Int) {
        guard plan.meetings == 0 else { return }
        let signers = ledger.cosigners(of: origin, head).map { nodes[$0].number }
        guard Set(signers).count >= nodes[node].charter.quorum, log.has(head.size, head.root) else { return }
        let found = FinalHead(
            size: head.size, root: head.root, roots: Array(log.roots[...Int(head.size)]), began: now)
        guard let other = ledger.add(found, of: origin) else { return }
        let text = "log \(origin) has two quorums, of \(other.size) and \(found.size) entries"
        guard !isWithinBound(origin) else { return violate(text) }
        note(text)
        if splits[origin] == nil { splits[origin] = text }
    }

    /// What is still missing where a log has two quorums: every honest node can prove the fork, and all name one end.
    func differenceOfSplit(_ origin: Int, _ honest: [Int]) -> String? {
        for node in honest {
            let proof = nodes[node].logs[origin].fork
            guard (try? ForkProof(parsing: proof).verify(by: alliance.members[origin].log.verifierKey)) != nil else {
                return "node \(node) has no proof that log \(origin) is forked, which has two quorums"
            }
        }
        let ends = honest.map { nodes[$0].replication?.status(ofLog: origins[origin])?.end ?? 0 }
        if let end = ends.first, let place = ends.firstIndex(where: { $0 != end }) {
            return "log \(origin) with two quorums ends at \(end) for node \(honest[0]), "
                + "at \(ends[place]) for node \(honest[place])"
        }
        return nil
    }
}

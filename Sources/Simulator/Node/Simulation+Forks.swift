import Alliance
import Replication
import TransparencyLog

extension Simulation {
    /// A log is forked: what is held of it becomes what counts, in one write.
    func settleFork(_ origin: Int, _ end: [UInt8], on node: Int) {
        var log = nodes[node].logs[origin]
        // Who tells two stories goes on to hold its own.
        if origin != nodes[node].number || nodes[node].isHonest {
            if !end.isEmpty { checkGenuine(end, on: node) }
            log.settle(
                at: end, checks, keepsAside: options.shellBug != .dropsSetAside,
                keepsCounts: options.shellBug == .keepsForkedCounts)
            guard write(.log(origin, log), on: node) else {
                return report(node, .forkSettled(origin: origins[origin], .failed))
            }
            checkSettled(origin, on: node)
            statistics.settled += 1
        }
        report(
            node,
            .forkSettled(
                origin: origins[origin],
                .held(size: log.size, root: log.root, head: log.head, waiting: log.waitingNotes)))
    }

    /// What a node cosigned it still holds, somewhere; and what it derives of a forked log follows from what is left.
    private func checkSettled(_ origin: Int, on node: Int) {
        guard nodes[node].isHonest else { return }
        let log = nodes[node].logs[origin]
        if isSound(origin) { violate("node \(node) sets back honest log \(origin)") }
        if let receipt = ledger.receipt(of: origin, by: node), !log.holds(receipt.size, receipt.root) {
            violate("node \(node) lost entries of forked log \(origin) that it cosigned")
        }
        if log.verdicts.count != Int(log.size) { violate("node \(node) counts what it has set aside of log \(origin)") }
        checkVerdicts(of: log, from: 0, origin, on: node)
    }

    /// Honest nodes that know of a fork count the log to one place: the same for all, no less than what honest replicas had
    /// made final, and on its branch.
    func differenceOfForks(_ honest: [Int]) -> String? {
        for origin in origins.indices where !isSound(origin) {
            let knowing = honest.filter {
                !nodes[$0].logs[origin].fork.isEmpty && nodes[$0].lists(nodes[$0].logs[origin])
            }
            if splits[origin] != nil {
                if let text = differenceOfSplit(origin, honest) { return text }
                continue
            }
            guard let first = knowing.first else { continue }
            let log = nodes[first].logs[origin]
            for node in knowing {
                let other = nodes[node].logs[origin]
                if !other.isSettled { return "node \(node) has not set back forked log \(origin)" }
                if other.size != log.size || other.root != log.root {
                    return "forked log \(origin) ends at \(other.size) at node \(node), at \(log.size) at node \(first)"
                }
                let status = nodes[node].replication?.status(ofLog: origins[origin])
                if let end = status?.end, end > other.size, plan.meetings == 0, isHeld(origin, end, honest) {
                    return "node \(node) holds \(other.size) of forked log \(origin), which counts to \(end)"
                }
            }
            guard plan.meetings == 0 else { continue }
            let needed = alliance.membership.quorum
            for head in ledger.heads(of: origin, cosignedBy: Set(honest), needed)
            where !log.has(head.size, head.root) {
                return "forked log \(origin) ends at \(log.size), though a quorum of honest nodes cosigned \(head.size)"
            }
        }
        return nil
    }

    /// Whether some honest node holds so much of a forked log, set aside or not.
    private func isHeld(_ origin: Int, _ size: UInt64, _ honest: [Int]) -> Bool {
        honest.contains { node in
            let log = nodes[node].logs[origin]
            return log.size >= size || log.setAside.contains { $0.end >= size }
        }
    }
}

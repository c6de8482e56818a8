import Alliance
import Replication
import TransparencyLog

// A node's disk is put back to what it held some time ago, as a backup does.

/// When disks are saved and put back; drawn apart from everything else.
struct RestorePlan {
    /// How many disks are put back yet.
    var left: Int
    var random: Randomness

    /// In a quarter of the runs in which charters stay as they are: who is suspended is not asked, and may hold more.
    init(seed: UInt64, _ options: SimulationOptions, charters: CharterPlan) {
        random = Randomness(seed: seed ^ 0x7265_7374_6f72_6573)
        let isRestoring = random.happens(250_000)
        let drawn = 1 + random.index(3)
        left = charters.meetings > 0 ? 0 : options.restores ?? (isRestoring ? drawn : 0)
    }
}

extension Simulation {
    /// Saves a disk now and then; and in a crash, puts one back.
    func saveDisks() {
        guard restores.left > 0, !isHealed else { return }
        for node in nodes.indices where nodes[node].isHonest && nodes[node].isUp {
            let chance: Int64 = nodes[node].saved == nil ? 300_000 : 30_000
            guard restores.random.happens(chance), !nodes[node].isRestored else { continue }
            nodes[node].saved = DiskCopy(
                charters: nodes[node].charters, documents: nodes[node].documents, starts: nodes[node].starts,
                recorded: nodes[node].recorded)
        }
        guard restores.random.happens(20_000) else { return }
        let node = restores.random.index(origins.count)
        guard mayLose(node), let saved = nodes[node].saved else { return }
        note("the disk of \(node) is put back")
        restores.left -= 1
        statistics.restores += 1
        crash(node)
        nodes[node].charters = saved.charters
        // Bytes that are nowhere else would be gone for good.
        let only = nodes[node].documents.filter { digest, _ in
            !nodes.contains { $0.index != node && $0.isHonest && $0.documents[digest] != nil }
        }
        nodes[node].documents = saved.documents.merging(only) { saved, _ in saved }
        nodes[node].starts = saved.starts
        nodes[node].recorded = saved.recorded
        nodes[node].doubtful = nil
        (nodes[node].isRestored, nodes[node].wasRestored) = (true, true)
        ledger.forget(node)
    }

    /// Whether what a node holds of others is held elsewhere too. Two disks that are lost at once lose what a quorum of two
    /// held, which no protocol can mend.
    private func mayLose(_ node: Int) -> Bool {
        guard nodes[node].isHonest, nodes[node].isUp, !nodes.contains(where: \.isRestored) else { return false }
        let others = nodes.indices.filter { $0 != node && nodes[$0].isHonest }
        // Nor can a log go on of which somebody has taken in a part of a head that is whole nowhere any more.
        guard others.allSatisfy({ nodes[$0].logs[node].acceptedSize <= nodes[$0].logs[node].size }) else {
            return false
        }
        return origins.indices.allSatisfy { origin in
            guard origin != node else { return true }
            let log = nodes[node].logs[origin]
            return others.contains { other in
                let held = nodes[other].logs[origin]
                return held.has(log.size, log.root) && (log.fork.isEmpty || !held.fork.isEmpty)
                    && (!log.isContradicted || held.isContradicted)
            }
        }
    }

    /// A node may sign again: it holds everything that anybody holds of its log.
    func checkTakenBack(_ node: Int) {
        guard nodes[node].isRestored else { return }
        nodes[node].isRestored = false
        // Of two copies one may sign what the other, and whoever hears it, does not know: see checkEstablished.
        guard !isTwinned(nodes[node].number) else { return }
        let log = nodes[node].ownLog
        for other in nodes.indices where other != node && nodes[other].isHonest {
            let held = nodes[other].logs[node]
            if !log.has(held.size, held.root) {
                violate("node \(node) signs though node \(other) holds \(held.size) of its log, and it \(log.size)")
            }
        }
        if !isTwinned(nodes[node].number) { ledger.goesOn(node, with: log) }
    }
}

import Alliance
import Replication
import TransparencyLog

// Charters are made, and operators hand them to nodes.

extension Simulation {
    /// Plans when the regulators meet.
    func planMeetings() {
        for _ in 0..<plan.meetings {
            queue.plan(.meeting, at: now + 300 + random.number(0...max(1, options.chaos - 400)))
        }
    }

    /// The regulators make a charter, if they can agree on one, and hand it to a few nodes.
    func meet() {
        guard !isHealed, let place = assembly.convene(ownLogs, &random) else { return }
        announce(place)
    }

    /// Nothing stays undecided for ever.
    func settleCharters() {
        if let place = assembly.settle(ownLogs, &random) { announce(place) }
    }

    /// A log that named a charter which was not decided in the end counts again only behind a cut.
    func mendLogs() {
        guard plan.meetings > 0, !assembly.chain.isContested else { return }
        let newest = assembly.chain.current.digest
        let ended = nodes.indices.filter { node in
            nodes[node].isHonest && belongs(node) && !assembly.mended.contains(node)
                && nodes[node].chain.current.digest == newest
                && nodes[node].ownLog.state.end?.reason == .otherCharter
        }
        if !ended.isEmpty, let place = assembly.mend(ended, ownLogs, &random) { announce(place) }
    }

    private var ownLogs: [SimulatedLog] { origins.indices.map { nodes[$0].ownLog } }

    private func announce(_ place: Int) {
        let made = assembly.made[place]
        if let text = assembly.unsettled {
            violate("a contradiction is not settled, though enough signed that did not sign both: \(text)")
        }
        note("charter \(made.version) \(made.digest.hex.prefix(8)) \(assembly.changes), signed by \(made.signers)")
        statistics.charters += 1
        if assembly.chain.isContested { statistics.contests += 1 }
        // To several, at different times, so that it comes late, twice, and in any order.
        for _ in 0...random.index(3) {
            queue.plan(.hand(charter: place, node: recipient, tries: 0), at: now + random.number(0...2_500))
        }
    }

    /// A node whose operator is handed a charter.
    private var recipient: Int {
        let able = nodes.indices.filter { nodes[$0].isHonest && nodes[$0].hasJoined && $0 != plan.leaver }
        return able[random.index(able.count)]
    }

    /// An operator adopts a charter, and tries again until the node holds it: it may be down, crash, fail to write, or
    /// refuse because others are due before.
    func hand(_ charter: Int, to node: Int, tries: Int) {
        let made = assembly.made[charter]
        if tries > 0, nodes[node].chain.charter(made.digest) != nil { return }
        if nodes[node].isUp { plan(.charter(made.file, from: .operator(charter: charter)), on: node) }
        queue.plan(.hand(charter: charter, node: node, tries: tries + 1), at: now + random.number(500...2_500))
    }

    /// The operator is told what became of a charter.
    func answer(_ operation: CharterSource, _ outcome: CharterOutcome, on node: Int) {
        switch operation {
        case .peer(let peer, let version): feed(node, .charterConsidered(peer, version: version, outcome))
        case .operator(let charter):
            note("\(node) is handed charter \(charter): \(outcome)")
            if case .rejected(let rejection) = outcome {
                violate("node \(node) refuses a charter that the regulators made: \(rejection)")
            }
        }
    }

    // MARK: Newcomers

    /// A member that was just admitted starts its node with the charters of whoever told it.
    func invite(as chain: CharterChain) {
        for newcomer in alliance.newcomers where !nodes[newcomer].hasJoined {
            guard chain.current.charter.member(id: nodes[newcomer].member.id) != nil else { continue }
            note("\(newcomer) joins under charter \(chain.current.charter.version)")
            nodes[newcomer].hasJoined = true
            nodes[newcomer].take(chain)
            for log in origins.indices { _ = nodes[newcomer].logs[log].follow(chain, checks) }
            queue.plan(.start(newcomer), at: now + random.number(200...2_000))
        }
    }
}

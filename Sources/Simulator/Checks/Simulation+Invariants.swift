import Alliance
import Replication
import TransparencyLog

// What must hold at every step. A finding ends the run; the seed replays it.

extension Simulation {
    // MARK: Publications

    /// What was published stays, and no size is ever given a second root: an honest log only ever grows.
    func checkPublished(since before: SimulatedLog, on node: Int) {
        guard nodes[node].isHonest else { return }
        let (log, number) = (nodes[node].ownLog, nodes[node].number)
        if !isTwinned(number), !ledger.extend(node, with: log) {
            violate("node \(node) has published two heads of one size")
        }
        checkVerdicts(of: log, from: before.size, number, on: node)
    }

    /// What a node comes back with: all that it published, cosigned and proved.
    func checkRestart(_ node: Int) {
        guard nodes[node].isHonest else { return }
        checkCharterRestart(node)
        if !nodes[node].isRestored, !isTwinned(nodes[node].number), !ledger.extend(node, with: nodes[node].ownLog) {
            violate(
                "node \(node) lost acknowledged entries: \(nodes[node].ownLog.size) of \(ledger.published(by: node))"
            )
        }
        for origin in origins.indices {
            if let receipt = ledger.receipt(of: origin, by: node),
                !nodes[node].logs[origin].holds(receipt.size, receipt.root)
            {
                violate("node \(node) lost entries of log \(origin) that it cosigned")
            }
            if ledger.evidence[node].contains(origin) && !nodes[node].logs[origin].isContradicted {
                violate("node \(node) lost the evidence against log \(origin)")
            }
        }
    }

    // MARK: Others' logs

    /// What is stored of an honest log is what its owner published; and whoever holds the same derives the same.
    func checkStored(_ origin: Int, since before: SimulatedLog, on node: Int) {
        guard nodes[node].isHonest else { return }
        let log = nodes[node].logs[origin]
        if isSound(origin) && ledger.root(origin, at: log.size) != log.root {
            violate("node \(node) stored something else than node \(origin) published")
        }
        if log.roots[Int(before.size)] != before.root { violate("node \(node) changed the past of log \(origin)") }
        checkVerdicts(of: log, from: before.size, origin, on: node)
    }

    /// Statements count as they must, whoever holds them, and once.
    func checkVerdicts(of log: SimulatedLog, from start: UInt64, _ origin: Int, on node: Int) {
        let state = Ledger.State(
            origin: origin, size: log.size, root: log.root, charters: nodes[node].charters.decided)
        if !ledger.agrees(on: log.viewDigest, of: state) {
            violate("node \(node) derives something else of log \(origin) at \(log.size)")
        }
        var (leaf, isJudged) = (Int(log.size), true)
        for index in (Int(start)..<Int(log.size)).reversed() {
            let checked = checks.entry(log.entries[index], leaf: log.leaves[index])
            if case .stateLeaf(let found) = checked { (leaf, isJudged) = (index, log.state.isJudged(found)) }
            guard case .statement(let statement) = checked else {
                if log.verdicts[index] == .counted { violate("no statement counts at \(index) of log \(origin)") }
                continue
            }
            if log.verdicts[index] == .counted { checkStanding(log, at: index, leaf: leaf, origin, on: node) }
            check(statement, in: log, at: index, isJudged: isJudged, origin, on: node)
        }
    }

    /// - Parameter isJudged: whether whoever published it knew the charter that governs it. Who did not may have had
    ///   other rosters in mind.
    private func check(
        _ statement: Statement, in log: SimulatedLog, at index: Int, isJudged: Bool, _ origin: Int, on node: Int
    ) {
        let isFirst = log.identities[statement.identity] == UInt64(index)
        let isOwn = statement.issuer == nodes[origin].member.id
        if log.verdicts[index] == .counted {
            if !isFirst { violate("a statement counts twice, at \(index) of log \(origin)") }
            if !isOwn { violate("another member's statement counts at \(index) of log \(origin)") }
            if isJudged && workload.mustNotCount.contains(statement.identity) {
                let text = "\(statement.kind) by \(statement.signer.keyName)"
                violate("node \(node) counts what must not count at \(index) of log \(origin): \(text)")
            }
        } else if isFirst, isOwn, isJudged, log.verdicts[index] != .ignored(.afterEnd),
            workload.mustCount.contains(statement.identity)
        {
            violate("node \(node) does not count \(index) of log \(origin): \(log.verdicts[index])")
        }
    }

    /// An honest replica cosigns only what it holds, never less than before, and nothing of a log that lies.
    func checkCosigned(_ head: Checkpoint, _ origin: Int, _ before: SimulatedLog, on node: Int) {
        guard nodes[node].isHonest else { return }
        let log = nodes[node].logs[origin]
        if origin == nodes[node].number { violate("node \(node) cosigned its own log") }
        if !log.has(head.size, head.root) { violate("node \(node) cosigned a head that it does not hold") }
        if let last = ledger.receipt(of: origin, by: node), last.size <= log.size, !log.has(last.size, last.root) {
            violate("node \(node) cosigned two heads of log \(origin) that contradict each other")
        }
        if head.size < before.cosigned { violate("node \(node) cosigned less than before") }
        if log.state.end != nil { violate("node \(node) cosigned a false state leaf") }
        if !log.isJudged(at: head.size) { violate("node \(node) cosigned what it could not compare") }
        if ledger.evidence[node].contains(origin) {
            violate("node \(node) cosigned log \(origin), against which it has evidence")
        }
    }

    /// A cosignature that is kept was made by the member in whose name it is.
    func checkGenuine(_ lines: [NoteSignature], on node: Int) {
        guard nodes[node].isHonest else { return }
        for line in lines where !ledger.isGenuine(line) {
            let isHonest = nodes.contains { $0.isHonest && line.isAttributed(to: $0.member.replica.verifierKey) }
            if isHonest { violate("node \(node) keeps a forged cosignature by \(line.name)") }
        }
    }

    func checkGenuine(_ note: [UInt8], on node: Int) {
        if let parsed = try? SignedNote(parsing: note) { checkGenuine(parsed.signatures, on: node) }
    }

    func checkEvidence(of origin: Int, on node: Int) {
        guard nodes[node].isHonest else { return }
        statistics.contradictions += 1
        ledger.convicted(origin, by: node)
        if isSound(origin) { violate("node \(node) calls honest log \(origin) contradicted") }
    }

    func checkFork(_ proof: [UInt8], of origin: Int, on node: Int) {
        guard nodes[node].isHonest else { return }
        statistics.forks += 1
        ledger.convicted(origin, by: node)
        if isSound(origin) { violate("node \(node) holds a fork proof against honest log \(origin)") }
        if (try? ForkProof(parsing: proof).verify(by: nodes[origin].member.log.verifierKey)) == nil {
            violate("node \(node) holds a fork proof against log \(origin) that proves nothing")
        }
    }

    func checkDocument(_ digest: HashValue, on node: Int) {
        guard nodes[node].isHonest, let bytes = nodes[node].documents[digest] else { return }
        if HashValue.sha256(bytes) != digest { violate("node \(node) holds a wrong document") }
    }

    // MARK: Peers

    /// Honest nodes never refuse anything for which an honest peer would be to blame.
    func checkRejection(_ rejection: Rejection, of peer: PeerID, by node: Int) {
        statistics.count(rejection.reason.rawValue)
        guard nodes[node].isHonest, let (index, isFirst) = session(of: node, peer) else { return }
        let blamed = other(index, isFirst: isFirst)
        var isNobodysFault: [Rejection.Reason] = [
            .inconsistentHead, .contradictoryHead, .cannotExtend, .falseStateLeaf, .differentCharter, .unknownLog,
        ]
        if drawnFaults.garblesOrder { isNobodysFault.append(.unexpectedMessage) }
        if nodes[blamed].isHonest && !isNobodysFault.contains(rejection.reason) {
            violate("node \(node) blames honest node \(blamed): \(rejection)")
        }
        guard let origin = rejection.origin.flatMap({ origins.firstIndex(of: $0) }) else { return }
        let contradicts: [Rejection.Reason] = [.contradictoryHead, .inconsistentHead]
        let status = nodes[node].replication?.status(ofLog: origins[origin])
        if contradicts.contains(rejection.reason), let status, !status.isContradicted {
            violate("node \(node) refuses a contradictory head of log \(origin) and keeps no evidence")
        }
        // Under one of two charters that contradict each other, a leaf that names the other is false.
        if rejection.reason == .falseStateLeaf && assembly.hasContradicted { return }
        if nodes[blamed].isHonest && isSound(origin) {
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
}

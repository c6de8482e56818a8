import Alliance
import Replication
import TransparencyLog

// What a node does with a charter: it is durable, with everything that is counted anew under it, before anything acts on it.

/// Where a charter came from.
enum CharterSource {
    case peer(PeerID, version: UInt64)
    /// Its operator, who tries again.
    case `operator`(charter: Int)
}

extension Simulation {
    /// A node looks at a charter, and takes it up.
    func consider(_ file: [UInt8], from source: CharterSource, on node: Int) {
        guard nodes[node].misbehaviour != .ignoresCharters else { return answer(source, .held, on: node) }
        let before = nodes[node].chain
        switch charterChecks.add(file, to: before, digest: nodes[node].charterDigest) {
        case .refused(let refusal) where [.skipped, .otherPrevious, .rolledBack].contains(refusal.code):
            answer(source, .unconnected, on: node)
        case .refused(let refusal):
            let rejection = Rejection(.invalidCharter, "\(refusal.code.rawValue): \(refusal.reason)")
            answer(source, .rejected(rejection), on: node)
        case .known(let chain) where chain == before: answer(source, .held, on: node)
        case .known(let chain):
            let life = nodes[node].life
            guard install(chain, on: node) else { return answer(source, .failed, on: node) }
            if random.happens(faults.crashesWithin) { crash(node) }
            if nodes[node].life == life { actOnCharters(since: before, on: node) }
            if nodes[node].life == life { answer(source, .held, on: node) }
        }
    }

    /// Makes charters durable, and counts anew what they govern otherwise; all or nothing.
    private func install(_ chain: CharterChain, on node: Int) -> Bool {
        let old = nodes[node].charters
        var new = old
        new.take(chain)
        var recounted: [Int] = []
        for origin in new.logs.indices
        where new.logs[origin].follow(chain, checks, mayRecount: options.shellBug != .keepsOldCounts) {
            recounted.append(origin)
        }
        if options.shellBug == .actsOnCharterEarly {
            nodes[node].doubtful = .charters(old)
            nodes[node].charters = new
        } else if !write(.charters(new), on: node) {
            return false
        }
        note(
            "\(node) holds charter \(chain.current.charter.version) \(chain.current.digest.hex.prefix(8))"
                + "\(chain.isContested ? ", the next is contested" : ""), counts anew \(recounted)")
        statistics.adoptions += 1
        statistics.recounts += recounted.count
        checkCharters(since: old, recounted, on: node)
        return true
    }

    /// Puts what is durable in force: sessions, the protocol, and the leaf that names it.
    private func actOnCharters(since before: CharterChain, on node: Int) {
        let (life, chain) = (nodes[node].life, nodes[node].chain)
        ledger.actsOn(chain, node)
        _ = nodes[node].fork?.log.follow(chain, checks)
        invite(as: chain)
        for index in nodes[node].sessions where sessions[index].isOpen(at: node) {
            let isFirst = sessions[index].first == node
            let peer = other(index, isFirst: isFirst)
            if !nodes[node].admits(nodes[peer].member), options.shellBug != .keepsRemoved {
                sessions[index].isBroken = true
                queue.plan(.end(session: index, first: !isFirst), at: now + delay())
                endSession(index, first: isFirst)
            } else {
                let id = isFirst ? sessions[index].idAtFirst : sessions[index].idAtSecond
                feed(node, .peerRestricted(id, !nodes[node].knowsRoster(of: nodes[peer].number)))
            }
            guard nodes[node].life == life else { return }
        }
        for log in nodes[node].logs where nodes[node].life == life && nodes[node].lists(log) {
            feed(node, .recounted(origin: log.state.governance.origin, isTrustworthy: log.isTrustworthy))
        }
        let missing = nodes[node].logs.flatMap { nodes[node].missing($0.documents) }
        if nodes[node].life == life, !missing.isEmpty { feed(node, .documentsMissing(missing)) }
        if nodes[node].life == life { feed(node, .membershipChanged(Membership(chain), logs: nodes[node].snapshots())) }
        if nodes[node].life == life { nameCharter(node) }
    }

    /// Ends a log with a leaf that names the charter in force, where nobody can compare its maps until then.
    func nameCharter(_ node: Int) {
        if nodes[node].ownLog.size == 0 { publish(node) }
        guard nodes[node].maySign, !nodes[node].isPublishing, nodes[node].ownLog.needsLeaf else { return }
        nodes[node].isPublishing = true
        plan(.publish([], under: nodes[node].charterDigest), on: node)
    }

    /// Sends a peer every charter of a version that is held.
    func serveCharters(_ version: UInt64, to peer: PeerID, from node: Int) {
        if nodes[node].misbehaviour == .withholds && random.happens(500_000) { return }
        guard let (index, isFirst) = session(of: node, peer) else { return }
        let asker = other(index, isFirst: isFirst)
        for charter in nodes[node].chain.all where UInt64(charter.charter.version) == version {
            for bytes in outgoing(.charter(version: version, bytes: charter.file), from: node, to: asker) {
                send(bytes, from: node, to: peer)
            }
        }
    }
}

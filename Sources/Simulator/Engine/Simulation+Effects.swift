import Alliance
import Replication
import TransparencyLog

extension Simulation {
    func carryOut(_ effect: Effect, on node: Int) {
        switch effect {
        case .send(let peer, let message):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            for bytes in outgoing(message, from: node, to: other(index, isFirst: isFirst)) {
                send(bytes, from: node, to: peer)
            }
        case .fetchRange(_, let peer, let wanted, _):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            let request = Request(
                asker: node, life: nodes[node].life, server: other(index, isFirst: isFirst), wanted: wanted)
            queue.plan(.request(request), at: now + delay())
        case .serveRange(let peer, let wanted):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            let asker = other(index, isFirst: isFirst)
            let request = Request(asker: asker, life: nodes[asker].life, server: node, wanted: wanted)
            queue.plan(.request(request), at: now)
            if options.shellBug != .forgetsServed { feed(node, .served(peer)) }
        case .fetchDocument(let peer, let digest, _):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            let server = other(index, isFirst: isFirst)
            if random.happens(faults.silentRequests) { return }
            queue.plan(.document(node: node, life: nodes[node].life, from: server, peer, digest), at: now + delay())
        case .ingest(let request, let origin, _, let answer, let head):
            plan(.ingest(request, origin: originIndex(origin), answer, head: head), on: node)
        case .checkOldHead(let request, let origin, let size, let root):
            let log = nodes[node].logs[originIndex(origin)]
            feed(node, .oldHeadChecked(request, isConsistent: size <= log.size ? log.roots[Int(size)] == root : nil))
        case .cosign(let origin, let checkpoint):
            plan(.cosign(origin: originIndex(origin), checkpoint: checkpoint), on: node)
        case .persistHead(let origin, let note): plan(.persistHead(origin: originIndex(origin), note), on: node)
        case .persistSignatures(let origin, let checkpoint, let lines):
            checkGenuine(lines, on: node)
            plan(lines, of: originIndex(origin), checkpoint, on: node)
        case .recordContradiction(let origin, _, let other):
            if options.shellBug == .cosignsBothBranches { cosignAsWell(other, originIndex(origin), on: node) }
            plan(.contradiction(origin: originIndex(origin)), on: node)
        case .proveFork(let origin, let ours, let other): proveFork(originIndex(origin), ours, other, on: node)
        case .persistFork(let origin, let proof): plan(.fork(origin: originIndex(origin), proof), on: node)
        case .persistForkHeads(let origin, let notes):
            plan(.forkHeads(origin: originIndex(origin), notes), on: node)
        case .settleFork(let origin, let end): plan(.settleFork(origin: originIndex(origin), end: end), on: node)
        case .setTimer(let timer, let moment): setTimer(timer, moment, on: node)
        case .cancelTimer(let timer): nodes[node].timers.removeAll { $0.id == timer }
        case .reject(let peer, let rejection): checkRejection(rejection, of: peer, by: node)
        case .disconnect(let peer, _):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            sessions[index].isBroken = true
            queue.plan(.end(session: index, first: isFirst), at: now)
            queue.plan(.end(session: index, first: !isFirst), at: now + delay())
        case .ownLogIsLonger(let origin, _):
            let mayLack = nodes[node].isRestored || isTwinned(nodes[node].number)
            if nodes[node].isHonest && !mayLack { violate("node \(node) is told of a longer \(origin)") }
        case .listMissingDocuments(let limit):
            let missing = nodes[node].logs.flatMap { nodes[node].missing($0.documents) }
            feed(node, .documentsMissing(Array(missing.prefix(limit))))
        case .serveCharter(let peer, let version): serveCharters(version, to: peer, from: node)
        case .considerCharter(let peer, let version, let file):
            plan(.charter(file, from: .peer(peer, version: version)), on: node)
        case .quotaReached: statistics.delays += 1
        case .beginIncarnation(_, let known): plan(.begin(above: known), on: node)
        case .recordIncarnation(let origin, let note): plan(.record(origin: originIndex(origin), note), on: node)
        case .folderIsOlder:
            if nodes[node].isHonest && !nodes[node].wasRestored && !isTwinned(nodes[node].number) {
                violate("node \(node) takes its disk for an older one")
            }
            nodes[node].isRestored = true
        case .established:
            checkEstablished(node)
            checkTakenBack(node)
            nameCharter(node)
        case .superseded(_, let later): standDown(node, for: later)
        case .twinSeen(let origin, let other):
            if nodes[node].isHonest && !nodes[node].wasRestored && !isTwinned(nodes[node].number) {
                violate("node \(node) is told of start \(other) of \(origin)")
            }
        case .cancelFetch, .serveDocument: break
        }
    }

    /// For the bug that cosigns whatever is offered: a head of the branch that is not held.
    private func cosignAsWell(_ note: [UInt8], _ origin: Int, on node: Int) {
        guard let head = Self.checkpoint(of: note), origin != nodes[node].number else { return }
        let line = cosignature(head, by: node, at: nodes[node].clock(now).milliseconds / 1_000)
        ledger.made(line)
        let set = SignatureSet(
            origin: origins[origin], size: head.size, root: head.root, lines: [Array("\(line.line)\n".utf8)])
        tell(.signatures(set), to: nil, by: node)
        // Whoever holds that branch has it counted.
        let logs = nodes.map { $0.logs[origin] } + [nodes[origin].fork?.log].compactMap(\.self)
        guard let log = logs.first(where: { $0.has(head.size, head.root) }) else { return }
        ledger.cosigned(head, origin, by: node)
        countCosigner(head, log, origin, by: node)
    }

    /// Makes the proof of what a node's own tree says.
    private func proveFork(_ origin: Int, _ ours: [UInt8], _ other: [UInt8], on node: Int) {
        let log = nodes[node].logs[origin]
        guard let large = try? SignedNote(parsing: ours), let small = try? SignedNote(parsing: other),
            let from = Self.checkpoint(of: other)?.size, let to = Self.checkpoint(of: ours)?.size
        else { preconditionFailure("Replication hands over verified notes") }
        let branch = (try? MerkleTree.consistencyProof(from: from, to: to, reader: log)).map {
            ForkProof.Branch(root: log.roots[Int(from)], proof: $0)
        }
        let key = nodes[origin].member.log.verifierKey
        guard let proof = try? ForkProof(of: small, large, branch: from < to ? branch : nil, key: key) else {
            return violate("node \(node) has two heads of log \(origin) that prove no fork")
        }
        feed(node, .forkProven(origin: origins[origin], proof: proof.bytes))
    }

    func originIndex(_ origin: String) -> Int {
        guard let index = origins.firstIndex(of: origin) else { preconditionFailure("an effect names an unknown log") }
        return index
    }

    private func setTimer(_ timer: TimerID, _ moment: Instant, on node: Int) {
        nodes[node].timers.removeAll { $0.id == timer }
        if options.shellBug == .losesRequestTimers, case .request = timer { return }
        nodes[node].timerNumber += 1
        let number = nodes[node].timerNumber
        let at = max(now, moment.milliseconds - nodes[node].skew)
        nodes[node].timers.append((timer, at, number))
        queue.plan(.timer(node: node, life: nodes[node].life, number: number), at: at)
    }
}

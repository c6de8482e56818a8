import Replication
import TransparencyLog

extension Simulation {
    func perform(_ action: Action) {
        switch action {
        case .start(let node): startNode(node)
        case .crash(let node): crash(node)
        case .tick: tick()
        case .heal: heal()
        case .meeting: meet()
        case .hand(let charter, let node, let tries): hand(charter, to: node, tries: tries)
        case .dial(let a, let b): dial(a, b)
        case .deliver(let session, let toFirst): deliver(session, toFirst: toFirst)
        case .end(let session, let first): endSession(session, first: first)
        case .timer(let node, let life, let number):
            guard nodes[node].life == life, let index = nodes[node].timers.firstIndex(where: { $0.number == number })
            else { return }
            let timer = nodes[node].timers.remove(at: index)
            feed(node, .timer(timer.id))
        case .disk(let node, let life, let operation):
            if nodes[node].life == life { complete(operation, on: node) }
        case .request(let request): serve(request)
        case .answer(let request, let result):
            guard nodes[request.asker].life == request.life else { return }
            switch result {
            case .success(let answer): feed(request.asker, .rangeFetched(request.wanted.request, answer))
            case .failure(let failure): feed(request.asker, .rangeFailed(request.wanted.request, failure))
            }
        case .document(let node, let life, let server, let peer, let digest):
            let bytes = serveDocument(digest, to: node, from: server)
            queue.plan(.documentAnswer(node: node, life: life, peer, digest, bytes), at: now + delay())
        case .documentAnswer(let node, let life, let peer, let digest, let bytes):
            if nodes[node].life == life { documentCame(digest, bytes, from: peer, to: node) }
        }
    }

    private func tick() {
        queue.plan(.tick, at: now + 100)
        if sessions.count > 100_000 { violate("more than 100,000 connections: sessions do not last") }
        for node in nodes.indices {
            if random.happens(faults.crashes) { crash(node) }
            if random.happens(faults.publishing) { publish(node) }
            if nodes[node].isSpamming, !isHealed, random.happens(300_000) { spam(node) }
            if random.happens(20_000 / Int64(nodes.count)) && !isHealed {
                feed(node, .freshnessWanted(origin: origins[random.index(origins.count)]))
            }
            misbehave(node)
        }
        if random.happens(faults.partitions) { partition() }
        saveDisks()
        tickTwins()
        askForProof()
        checkMemory()
        checkSessions()
        advancePhase()
    }

    // MARK: Starting and crashing

    private func startNode(_ node: Int) {
        guard !nodes[node].isUp, nodes[node].hasJoined, !nodes[node].isRetired else { return }
        nodes[node].life += 1
        nodes[node].signatures = []
        nodes[node].diskFree = now
        nodes[node].isPublishing = false
        nodes[node].sessions = []
        checkRestart(node)
        var snapshots = nodes[node].snapshots()
        if options.shellBug == .forgetsEvidence {
            for index in snapshots.indices { (snapshots[index].isContradicted, snapshots[index].fork) = (false, []) }
        }
        nodes[node].replication = Replication(
            settings: settings, me: nodes[node].member.id, node: "n\(node)", membership: Membership(nodes[node].chain),
            logs: snapshots, seed: random.bits(), memory: signatures, isRestored: nodes[node].isRestored)
        let isFirst = nodes[node].life == 1
        feed(node, .started)
        if isFirst {
            let others = node < origins.count ? (node + 1)..<max(node + 1, origins.count) : 0..<origins.count
            for other in others where isNeighbour(node, other) {
                dial(node, other)
            }
        }
    }

    func crash(_ node: Int) {
        guard nodes[node].isUp else { return }
        note("crash \(node)")
        statistics.crashes += 1
        nodes[node].replication = nil
        nodes[node].life += 1
        nodes[node].signatures = []
        nodes[node].timers = []
        for index in nodes[node].sessions where sessions[index].isOpen(at: node) {
            let isFirst = sessions[index].first == node
            if isFirst { sessions[index].firstOpen = false } else { sessions[index].secondOpen = false }
            sessions[index].isBroken = true
            queue.plan(.end(session: index, first: !isFirst), at: now + random.number(1...1_000))
        }
        if let write = nodes[node].doubtful {
            nodes[node].doubtful = nil
            if random.happens(500_000) {
                note("\(node) finds that a failed write was made")
                make(write, on: node)
            }
        }
        if options.shellBug == .restoresBackup, let old = nodes[node].backup {
            nodes[node].logs[nodes[node].number] = old
        }
        queue.plan(.start(node), at: now + random.number(50...4_000))
    }

    // MARK: Publishing

    /// An officer submits some statements.
    func publish(_ node: Int) {
        guard nodes[node].maySign, !nodes[node].isPublishing, nodes[node].ownLog.isOpen else { return }
        let log = nodes[node].ownLog
        let statements =
            log.size == 0
            ? workload.beginning(of: nodes[node].number, log, &random)
            : workload.batch(
                for: nodes[node].number, log, others: nodes[node].logs, isCareless: nodes[node].isCareless, &random)
        submit(statements, on: node)
    }

    /// A publication of a member that knows no end.
    private func spam(_ node: Int) {
        let log = nodes[node].ownLog
        guard nodes[node].isUp, !nodes[node].isRetired, !nodes[node].isPublishing, log.isOpen, log.size > 0,
            log.size < spamLimit
        else {
            return
        }
        submit(workload.flood(of: node, log, &random), on: node)
    }

    /// Entries of a log to which nothing is added for its own sake: a run is to end.
    private var spamLimit: UInt64 { 400 }

    /// A publication that is small enough to go with its head.
    func submitProbe(_ node: Int) {
        submit(workload.probe(of: nodes[node].number, nodes[node].ownLog, &random), on: node)
    }

    private func submit(_ statements: [[UInt8]], on node: Int) {
        guard !statements.isEmpty else { return }
        nodes[node].isPublishing = true
        plan(.publish(statements, under: nodes[node].charterDigest), on: node)
    }

    /// Puts something into the disk's queue.
    func plan(_ operation: DiskOperation, on node: Int) {
        let done = max(now, nodes[node].diskFree) + random.number(faults.disk)
        nodes[node].diskFree = done
        queue.plan(.disk(node: node, life: nodes[node].life, operation), at: done)
    }

    // MARK: Requests

    private func serve(_ request: Request) {
        let server = request.server
        guard nodes[server].isUp, nodes[server].admits(nodes[request.asker].member),
            !isBlocked(request.asker, server), !isBlocked(server, request.asker), !random.happens(faults.failedRequests)
        else {
            queue.plan(.answer(request, .failure(.unreachable)), at: now + delay())
            return
        }
        if random.happens(faults.silentRequests) { return }
        guard let result = answer(request) else { return }
        queue.plan(.answer(request, result), at: now + delay())
    }

    /// What a node answers when it is asked for a document; nil for nothing.
    private func serveDocument(_ digest: HashValue, to asker: Int, from server: Int) -> [UInt8]? {
        guard nodes[server].isUp, nodes[server].admits(nodes[asker].member), !isBlocked(server, asker),
            nodes[server].knowsRoster(of: nodes[asker].number), let bytes = nodes[server].documents[digest]
        else { return nil }
        if nodes[server].misbehaviour == .withholds && random.happens(500_000) { return nil }
        return nodes[server].misbehaviour == .servesOtherDocuments ? bytes + [0] : bytes
    }

    private func documentCame(_ digest: HashValue, _ bytes: [UInt8]?, from peer: PeerID, to node: Int) {
        guard let bytes else { return feed(node, .documentFailed(digest, .notFound, from: peer)) }
        guard HashValue.sha256(bytes) == digest || options.shellBug == .takesAnyDocument else {
            let rejection = Rejection(.wrongDocument, "a document's bytes do not have its digest")
            return feed(node, .documentFailed(digest, .rejected(rejection), from: peer))
        }
        plan(.document(digest, bytes), on: node)
    }

    // MARK: Events

    /// Tells a node what happened, and does what it wants done; a crash may come between any two effects.
    func feed(_ node: Int, _ event: Event) {
        // After a finding nothing goes on: what is wrong could trap the next step.
        guard nodes[node].isUp, violations.isEmpty else { return }
        note("\(node) < \(event.summary)")
        let clock = nodes[node].clock(now)
        let life = nodes[node].life
        guard let effects = nodes[node].replication?.handle(event, now: clock) else { return }
        for effect in effects {
            note("\(node) > \(effect.summary)")
            carryOut(effect, on: node)
            if random.happens(faults.crashesWithin) { crash(node) }
            guard nodes[node].life == life else { return }
        }
    }

    /// Tells a node that a write is durable, unless it crashes just then.
    func report(_ node: Int, _ event: Event) {
        if random.happens(faults.crashesWithin) { crash(node) }
        feed(node, event)
    }
}

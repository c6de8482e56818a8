import Replication
import TransparencyLog

extension Simulation {
    func perform(_ action: Action) {
        switch action {
        case .start(let node): startNode(node)
        case .crash(let node): crash(node)
        case .tick: tick()
        case .heal: heal()
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
        case .document(let node, let life, let server, let digest):
            let has = nodes[server].isUp && nodes[server].documents.contains(digest) && !isBlocked(server, node)
            queue.plan(.documentAnswer(node: node, life: life, digest, has), at: now + delay())
        case .documentAnswer(let node, let life, let digest, let has):
            guard nodes[node].life == life else { return }
            if has { plan(.document(digest), on: node) } else { feed(node, .documentFailed(digest, .notFound)) }
        }
    }

    private func startNode(_ node: Int) {
        guard !nodes[node].isUp else { return }
        nodes[node].life += 1
        nodes[node].diskFree = now
        nodes[node].isPublishing = false
        nodes[node].replication = Replication(
            settings: settings, me: nodes[node].member, node: "n\(node)", membership: membership,
            logs: nodes[node].snapshots(origins: origins), seed: random.bits())
        feed(node, .started)
        if nodes[node].life == 1 {
            for other in (node + 1)..<max(node + 1, nodes.count) where connects(node, other) { dial(node, other) }
        }
    }

    private func crash(_ node: Int) {
        guard nodes[node].isUp else { return }
        note("crash \(node)")
        statistics.crashes += 1
        nodes[node].replication = nil
        nodes[node].life += 1
        nodes[node].timers = []
        for index in sessions.indices {
            if sessions[index].first == node && sessions[index].firstOpen {
                sessions[index].firstOpen = false
                sessions[index].isBroken = true
                queue.plan(.end(session: index, first: false), at: now + random.number(1...1_000))
            } else if sessions[index].second == node && sessions[index].secondOpen {
                sessions[index].secondOpen = false
                sessions[index].isBroken = true
                queue.plan(.end(session: index, first: true), at: now + random.number(1...1_000))
            }
        }
        queue.plan(.start(node), at: now + random.number(50...4_000))
    }

    private func tick() {
        queue.plan(.tick, at: now + 100)
        sessions.count > 4_000 ? forgetSessions() : ()
        for node in nodes.indices {
            if random.happens(faults.crashes) { crash(node) }
            if random.happens(faults.publishing) { publish(node) }
            if random.happens(20_000) && !isHealed {
                feed(node, .freshnessWanted(origin: origins[random.index(origins.count)]))
            }
            misbehave(node)
        }
        if random.happens(faults.partitions) { partition() }
        checkMemory()
    }

    /// Sessions are named by their place, so only a run that is far too long would end up here.
    private func forgetSessions() {
        violate("more than 4,000 connections: sessions do not last")
    }

    private func heal() {
        note("heal")
        faults = faults.healed
        isHealed = true
        for a in nodes.indices {
            for b in nodes.indices { blockedUntil[a][b] = min(blockedUntil[a][b], now) }
            queue.plan(.start(a), at: now + 1)
        }
    }

    /// An officer submits some statements.
    func publish(_ node: Int) {
        guard nodes[node].isUp, !nodes[node].isPublishing else { return }
        nodes[node].isPublishing = true
        var statements: [[UInt8]] = []
        for _ in 0...random.index(random.happens(200_000) ? 30 : 4) {
            if random.happens(50_000) {
                let digest = HashValue.sha256(random.bytes(8))
                nodes[node].documents.insert(digest)
                statements.append(DocumentEntry.make(digest))
            } else {
                statements.append(random.bytes(20))
            }
        }
        plan(.publish(statements), on: node)
    }

    /// Puts something into the disk's queue.
    func plan(_ operation: DiskOperation, on node: Int) {
        let done = max(now, nodes[node].diskFree) + random.number(faults.disk)
        nodes[node].diskFree = done
        queue.plan(.disk(node: node, life: nodes[node].life, operation), at: done)
    }

    private func serve(_ request: Request) {
        let server = request.server
        guard nodes[server].isUp, !isBlocked(request.asker, server), !isBlocked(server, request.asker),
            !random.happens(faults.failedRequests)
        else {
            queue.plan(.answer(request, .failure(.unreachable)), at: now + delay())
            return
        }
        if random.happens(faults.silentRequests) { return }
        guard let result = answer(request) else { return }
        queue.plan(.answer(request, result), at: now + delay())
    }

    /// Tells a node what happened, and does what it wants done.
    func feed(_ node: Int, _ event: Event) {
        guard nodes[node].isUp else { return }
        note("\(node) < \(event.summary)")
        let clock = nodes[node].clock(now)
        guard let effects = nodes[node].replication?.handle(event, now: clock) else { return }
        for effect in effects {
            note("\(node) > \(effect.summary)")
            carryOut(effect, on: node)
        }
    }
}

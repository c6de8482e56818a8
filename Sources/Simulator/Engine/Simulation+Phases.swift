import Replication

/// How far a run is.
enum Phase: Equatable {
    /// Things go wrong.
    case chaos
    /// Nothing goes wrong any more; all must come to agree.
    case healed
    /// All agree and are left alone for a moment, until then.
    case quiet(until: Int64)
    /// One node publishes one thing; it must be everywhere by then, once it is out.
    case probing(node: Int, size: UInt64, by: Int64?)
    case finished
}

extension Simulation {
    var isHealed: Bool { phase != .chaos }

    /// How many quiet publications a run ends with.
    private var probeLimit: Int { 3 }

    func heal() {
        note("heal")
        faults = faults.healed
        phase = .healed
        settleCharters()
        for a in nodes.indices {
            for b in nodes.indices { blockedUntil[a][b] = min(blockedUntil[a][b], now) }
            queue.plan(.start(a), at: now + 1)
        }
    }

    /// Looks every 100 ms whether the run has come further.
    func advancePhase() {
        switch phase {
        case .chaos, .finished: break
        case .healed:
            mendLogs()
            let difference = difference()
            if difference == nil {
                convergedAt = now
                note("converged")
                checkViews()
                phase = canProbe ? .quiet(until: now + 1_000 + random.number(0...1_000)) : .finished
            } else if now > start + options.chaos + (options.bound ?? bounds.convergence) {
                violate("not converged \(options.bound ?? bounds.convergence) ms after healing: \(difference ?? "")")
            }
        case .quiet(let moment):
            guard now >= moment else { return }
            guard statistics.probes < probeLimit else {
                phase = .finished
                return
            }
            probe()
        case .probing(let node, let size, let by): watch(node, size, by)
        }
    }

    /// Whether nothing but distance delays a publication: no member withholds, no word of who is connected to whom was lost,
    /// and no clock is so far ahead that its signatures have to wait.
    private var canProbe: Bool {
        nodes.allSatisfy(\.isHonest) && nodes.count == origins.count && !drawnFaults.garblesOrder
            && 2 * faults.clockSkew * 1_000 < settings.clockTolerance
    }

    private func probe() {
        // From the ends first: they are the furthest apart.
        let able = nodes.indices.filter {
            nodes[$0].hasJoined && nodes[$0].ownLog.isOpen && belongs($0) && nodes[$0].maySign
        }
        guard !able.isEmpty else {
            phase = .finished
            return
        }
        let node = [able[0], able[able.count - 1], able[random.index(able.count)]][statistics.probes]
        statistics.probes += 1
        phase = .probing(node: node, size: nodes[node].ownLog.size, by: nil)
        submitProbe(node)
    }

    private func watch(_ node: Int, _ size: UInt64, _ by: Int64?) {
        guard let by else {
            if nodes[node].ownLog.size > size {
                phase = .probing(node: node, size: size, by: now + bounds.publication)
            }
            return
        }
        let difference = difference()
        if difference == nil {
            checkViews()
            phase = .quiet(until: now + random.number(0...1_000))
        } else if now > by {
            violate("not everywhere \(bounds.publication) ms after a quiet publication: \(difference ?? "")")
        }
    }
}

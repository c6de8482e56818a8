// Which peer to ask: who keeps us waiting, or sends what is false, comes last, also when it comes back.

/// How members behaved in sessions that are over, so that a new session does not make it forgotten.
struct Conduct: Sendable {
    struct Record: Sendable {
        var lapses = 0
        /// By origin: until when it is set aside for that log.
        var setAside: [String: Instant] = [:]
    }

    /// By member: as many as the charters name, at the most.
    var records: [String: Record] = [:]
}

extension Replication {
    /// Lower is better.
    func rank(_ peer: Int, _ log: Int) -> (Int, Int, UInt64) {
        (peers[peer].lapses, peers[peer].outstanding, peers[peer].logs[log].lastAsked)
    }

    /// A peer kept us waiting, or sent something false.
    mutating func lapsed(_ id: PeerID) {
        if let peer = peerIndex(id) { peers[peer].lapses = min(peers[peer].lapses + 1, settings.rejectionsPerPeer) }
    }

    /// A peer is not asked for a log for a while, because it served something false of it.
    mutating func setAside(_ id: PeerID, _ log: Int, until moment: Instant) {
        guard let peer = peerIndex(id) else { return }
        peers[peer].logs[log].notBefore = moment
        peers[peer].logs[log].setAsideUntil = moment
    }

    /// Whether another peer offers the head that a slow range leads to, and has lapsed less often: of two that are
    /// equally slow the first is waited for.
    func hasBetterSource(_ log: Int, than fetch: Fetch, _ now: Instant) -> Bool {
        guard let slow = peerIndex(fetch.peer), let offer = logs[log].offer(fetch.head) else { return false }
        return offer.peers.contains { id in
            guard let peer = peerIndex(id), peer != slow, peers[peer].isUsable,
                peers[peer].slow < settings.slowRangesPerPeer
            else { return false }
            return peers[peer].lapses < peers[slow].lapses && (peers[peer].logs[log].notBefore ?? now) <= now
        }
    }

    /// A session is over: what its peer did is kept for the next one.
    mutating func remember(_ peer: Int, _ now: Instant) {
        var record = Conduct.Record(lapses: peers[peer].lapses)
        for (log, state) in zip(logs, peers[peer].logs) {
            if let moment = state.setAsideUntil, moment > now { record.setAside[log.origin] = moment }
        }
        let isKnown = membership.members.contains { $0.id.isExactly(peers[peer].member) }
        conduct.records[peers[peer].member] = isKnown && (record.lapses > 0 || !record.setAside.isEmpty) ? record : nil
    }

    /// A session begins: what its peer did before still counts.
    mutating func recall(_ peer: Int) {
        guard let record = conduct.records[peers[peer].member] else { return }
        peers[peer].lapses = record.lapses
        for log in logs.indices {
            guard let moment = record.setAside[logs[log].origin] else { continue }
            peers[peer].logs[log].notBefore = moment
            peers[peer].logs[log].setAsideUntil = moment
        }
    }
}

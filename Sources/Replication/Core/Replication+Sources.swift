// Which peer to ask: who keeps us waiting, or sends what is false, comes last, also when it comes back.

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
        if let peer = peerIndex(id) { peers[peer].logs[log].notBefore = moment }
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

    /// A session is over: how often its peer lapsed is kept for the next one, so that it is asked last then too. It is asked,
    /// though: it may have been repaired meanwhile, and be the only one that has something.
    mutating func remember(_ peer: Int) {
        let isKnown = membership.members.contains { $0.id.isExactly(peers[peer].member) }
        lapses[peers[peer].member] = isKnown && peers[peer].lapses > 0 ? peers[peer].lapses : nil
    }

    /// A session begins: what its peer did before still counts.
    mutating func recall(_ peer: Int) { peers[peer].lapses = lapses[peers[peer].member] ?? 0 }
}

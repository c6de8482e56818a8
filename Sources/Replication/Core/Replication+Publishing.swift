internal import TransparencyLog

/// The heads of our own log that are on their way to others.
struct Publishing: Sendable {
    /// The size of the head that was announced last.
    var announced: UInt64 = 0
    var announcedAt: Instant?
    /// The entries since the head that was announced last; nil once they are too many to go inline.
    var pending: [UInt8]? = []
    var pendingCount: UInt64 = 0
}

extension Replication {
    /// Our own log has advanced, durably: tell the others, unless the last head is still gathering its quorum.
    mutating func published(_ note: [UInt8], from: UInt64, entries: [UInt8], _ now: Instant) {
        // A charter may have given us another log while this was being published.
        guard let log = logs.firstIndex(where: \.isOwn), let head = storedHead(note, log), head.size > logs[log].size,
            logs[log].fork == nil
        else { return }
        // Under a new key our log begins with what the one before held, which nobody announces.
        let follows = from == logs[log].size
        logs[log].size = head.size
        logs[log].root = head.root
        logs[log].advance(to: head, limit: settings.recentHeadsPerLog)
        noteActivity(log, now)
        collect(follows ? entries : [], count: head.size - from)
        reviewOffers(log, now)
        announceIfDue(now)
    }

    private mutating func collect(_ entries: [UInt8], count: UInt64) {
        publishing.pendingCount += count
        guard let pending = publishing.pending, !entries.isEmpty,
            pending.count + entries.count <= settings.inlineBytes,
            publishing.pendingCount <= UInt64(settings.inlineEntries)
        else {
            publishing.pending = nil
            return
        }
        publishing.pending = pending + entries
    }

    /// Announces our newest head if the one before has its quorum, or has had its time (formats 4).
    mutating func announceIfDue(_ now: Instant) {
        guard let log = logs.firstIndex(where: \.isOwn), let head = logs[log].head,
            head.size > publishing.announced
        else { return }
        if let last = publishing.announcedAt, now - last < settings.announceInterval, now >= last,
            !hasQuorum(log, at: publishing.announced)
        {
            emit(.setTimer(.announce, at: last + settings.announceInterval))
            return
        }
        let inline = publishing.pending ?? []
        let announcement = Announcement(
            note: head.note, inlineFrom: inline.isEmpty ? 0 : publishing.announced, inlineEntries: inline)
        publishing = Publishing(announced: head.size, announcedAt: now)
        emit(.cancelTimer(.announce))
        for peer in peers.indices where !peers[peer].isEnded {
            peers[peer].logs[log].told = head.size
            send(peer, .head(announcement))
        }
    }

    /// Whether a head of this size has as many replica cosignatures as the charter asks for.
    func hasQuorum(_ log: Int, at size: UInt64) -> Bool {
        let state = logs[log]
        let head = state.head?.size == size ? state.head : state.recent.last { $0.size == size }
        return (head?.cosignatures.count ?? 0) >= membership.quorum
    }
}

internal import Alliance
internal import TransparencyLog

// Quotas of members (decision 0024): what is beyond them waits, where it is, and nothing of it is lost.

extension Replication {
    /// Whether more of a log may be asked for, or taken from what comes with a head.
    mutating func admission(_ log: Int, _ now: Instant) -> Admission {
        #if DEBUG
        if PlantedBug.starvesByQuota.isPlanted, starves(log) { return .later(now + settings.quota.recheck) }
        #endif
        guard !logs[log].isOwn else { return .open }
        if let due = logs[log].quota.share.due(now), isSomebodyWaiting(besides: log, now) {
            return .later(min(due, now + settings.quota.contention))
        }
        logs[log].quota.delay = logs[log].quota.caps.due(now)
        guard let delay = logs[log].quota.delay else { return .open }
        return .quorumOnly(until: min(delay.until, now + settings.quota.recheck))
    }

    /// Whether a log is beyond its share.
    mutating func isBeyondShare(_ log: Int, _ now: Instant) -> Bool {
        !logs[log].isOwn && logs[log].quota.share.due(now) != nil
    }

    /// Whether another log that keeps within its share has something new, or had just now.
    private func isSomebodyWaiting(besides log: Int, _ now: Instant) -> Bool {
        logs.indices.contains { other in
            guard other != log, let active = logs[other].quota.active else { return false }
            return active <= now && now - active < settings.quota.contention
        }
    }

    /// A publication has come, or was made here.
    mutating func noteActivity(_ log: Int, _ now: Instant) {
        guard !isBeyondShare(log, now) else { return }
        if !logs[log].isOwn {
            // Heads whose entries never come are no publications for which others have to wait.
            guard logs[log].quota.unserved < LogQuota.unservedLimit else { return }
            logs[log].quota.unserved += 1
        }
        logs[log].quota.active = now
    }

    /// Something of a log was stored.
    mutating func charge(_ log: Int, _ storing: Storing, _ now: Instant) {
        guard !logs[log].isOwn else { return }
        let (entries, bytes) = (Int64(storing.answer.to - storing.answer.from), Int64(storing.answer.entries.count))
        logs[log].quota.unserved = 0
        let units = max(entries, bytes / settings.quota.bytesPerUnit) + settings.quota.rangeUnits
        logs[log].quota.share.take(units, now)
        #if DEBUG
        if isBeyondShare(log, now) { logs[log].quota.wasBeyond = true }
        #endif
        guard !isHeldByQuorum(storing.head, of: log) else { return }
        logs[log].quota.caps.take(entries: entries, bytes: bytes, now)
    }

    /// Whether a quorum has cosigned a head that is offered: the others have taken it in, under their own quotas.
    func isHeldByQuorum(_ key: HeadKey, of log: Int) -> Bool {
        (logs[log].knownHead(key)?.cosignatures.count ?? 0) >= membership.quorum
    }

    /// Nothing may be asked for of a log although it is offered: says so, now and then, where a cap is the reason.
    mutating func reportDelay(_ log: Int, _ now: Instant) {
        guard let delay = logs[log].quota.delay else { return }
        if let last = logs[log].quota.reportedAt, last <= now, now - last < settings.quota.reportInterval { return }
        logs[log].quota.reportedAt = now
        emit(.quotaReached(origin: logs[log].origin, delay.cap))
    }
}

#if DEBUG
extension Replication {
    /// A mistake: once one log was beyond its share, those that never were wait.
    private func starves(_ log: Int) -> Bool {
        logs[log].size > 0 && !logs[log].isOwn && !logs[log].quota.wasBeyond && logs.contains { $0.quota.wasBeyond }
    }

    /// A mistake: whoever offers what is beyond a quota is taken for a liar.
    mutating func dropBeyondQuota(_ log: Int, _ now: Instant) {
        guard PlantedBug.dropsByQuota.isPlanted else { return }
        for peer in peers.indices { setAside(peers[peer].id, log, until: now + settings.rejectionBackoff) }
    }
}
#endif

extension Replication {
    /// Whether entries that come with a head may be taken at once; otherwise they wait at whoever has them.
    mutating func mayTakeInline(_ key: HeadKey, of log: Int, _ now: Instant) -> Bool {
        guard let head = logs[log].offer(key)?.head else { return false }
        return admission(log, now).admits(head, quorum: membership.quorum)
    }
}

// MARK: - Documents

extension Replication {
    /// The logs whose members' caps hold documents up, and until when.
    mutating func documentsHeldUp(_ now: Instant) -> [String: Instant] {
        var held: [String: Instant] = [:]
        for log in logs.indices {
            if let due = logs[log].quota.documentCaps.due(now) { held[logs[log].origin] = due.until }
        }
        return held
    }

    /// A document is asked for the first time: it counts against the caps of the member that names it.
    mutating func chargeDocument(_ work: Documents.Work, _ now: Instant) {
        guard !work.isExempt, work.failures == 0, let origin = work.origin, let log = logIndex(origin) else { return }
        logs[log].quota.documentCaps.take(entries: 0, bytes: Int64(clamping: work.need.size), now)
    }
}

internal import TransparencyLog

// Entries: asked for, lined up, stored.

extension Replication {
    /// Gives every log a chance, starting where the last round stopped, so that none starves behind the others; first those
    /// that keep within their share.
    mutating func scheduleAll(_ now: Instant) {
        guard !logs.isEmpty else { return }
        let start = nextLog % logs.count
        let turns = logs.indices.map { (start + $0) % logs.count }
        let beyond = turns.map { isBeyondShare($0, now) }
        for (log, isBeyond) in zip(turns, beyond) where !isBeyond { schedule(log, now) }
        for (log, isBeyond) in zip(turns, beyond) where isBeyond { schedule(log, now) }
        nextLog = (start + 1) % logs.count
    }

    /// Asks for the next range of a log, if one is due: while one is being stored, the next is on its way.
    mutating func schedule(_ log: Int, _ now: Instant) {
        let state = logs[log]
        guard state.fetch == nil, state.ready.isEmpty, state.waitingForCharter == nil, isDue(log) else { return }
        guard let largest = state.offers.last?.head.size, largest > state.tip else { return }
        if let moment = state.notBefore, moment > now { return setRetryTimer(log, at: moment) }
        let admission = admission(log, now)
        if case .later(let moment) = admission {
            #if DEBUG
            dropBeyondQuota(log, now)
            #endif
            return setRetryTimer(log, at: moment)
        }
        guard hasPlace(for: log, now) else { return }
        var retry: Instant?
        let order = state.offers.indices.sorted {
            let (left, right) = (state.offers[$0], state.offers[$1])
            return left.failures == right.failures ? $0 > $1 : left.failures < right.failures
        }
        for index in order where state.offers[index].head.size > state.tip {
            guard admission.admits(state.offers[index].head, quorum: membership.quorum) else { continue }
            if let peer = peerToAsk(log, state.offers[index], now, &retry) {
                return fetch(log, state.offers[index].head, from: peer, now)
            }
        }
        if case .quorumOnly(let moment) = admission {
            reportDelay(log, now)
            retry = min(retry ?? moment, moment)
        }
        if let retry { setRetryTimer(log, at: retry) }
    }

    /// Whether another log may fetch: those that wait for a slow peer keep no other waiting, and those beyond their share
    /// leave a place to the others.
    private mutating func hasPlace(for log: Int, _ now: Instant) -> Bool {
        let reserved = isBeyondShare(log, now) ? settings.quota.reservedPlaces : 0
        var (prompt, slow) = (0, 0)
        for log in logs.indices {
            guard let fetch = logs[log].fetch else { continue }
            if fetch.isSlow { slow += 1 } else { prompt += 1 }
        }
        return prompt < max(1, settings.concurrentLogs - reserved) && slow <= settings.slowLogs
    }

    mutating func setRetryTimer(_ log: Int, at moment: Instant) {
        // One timer serves ranges and cosignatures; a later moment never puts off an earlier one.
        if let earlier = logs[log].retryAt, earlier <= moment { return }
        logs[log].retryAt = moment
        emit(.setTimer(.retry(origin: logs[log].origin), at: moment))
    }

    /// The best peer whose newest head this is: the one that kept its word best, then the one with the least to do, then
    /// the one that has not been asked for the longest. The log's owner is not special. (Who offers a larger head need not have this one in its tree.)
    private func peerToAsk(_ log: Int, _ offer: Offer, _ now: Instant, _ retry: inout Instant?) -> Int? {
        var best: Int?
        for id in offer.peers {
            guard let peer = peerIndex(id), peers[peer].isUsable else { continue }
            // Once one of them has ended, in whatever way, all logs are looked at again.
            if peers[peer].slow >= settings.slowRangesPerPeer { continue }
            if let moment = peers[peer].logs[log].notBefore, moment > now {
                retry = min(retry ?? moment, moment)
                continue
            }
            guard let chosen = best else {
                best = peer
                continue
            }
            if rank(peer, log) < rank(chosen, log) { best = peer }
        }
        return best
    }

    private mutating func fetch(_ log: Int, _ head: Head, from peer: Int, _ now: Instant) {
        let request = newRequest()
        let id = peers[peer].id
        let wanted = RangeRequest(
            request: request, origin: logs[log].origin, from: logs[log].tip, headSize: head.size, headRoot: head.root)
        logs[log].fetch = Fetch(request: request, peer: id, from: wanted.from, head: head.key, since: now)
        peers[peer].outstanding += 1
        peers[peer].logs[log].lastAsked = request.number
        if peers[peer].canFetch {
            emit(.fetchRange(request, id, wanted, head: head.note))
        } else {
            send(peer, .wantRange(wanted))
        }
        emit(.setTimer(.request(request), at: now + min(settings.slowRange, settings.rangeTimeout)))
    }
}

// MARK: - Answers

extension Replication {
    /// Ends a fetch; nil if it is not awaited (any more).
    private mutating func endFetch(_ request: RequestID) -> (log: Int, fetch: Fetch)? {
        guard let log = logs.firstIndex(where: { $0.fetch?.request == request }), let fetch = logs[log].fetch else {
            return nil
        }
        logs[log].fetch = nil
        emit(.cancelTimer(.request(request)))
        if let peer = peerIndex(fetch.peer) {
            peers[peer].outstanding -= 1
            if fetch.isSlow { peers[peer].slow -= 1 }
        }
        return (log, fetch)
    }

    /// What was asked for is of no use any more.
    mutating func dropFetch(_ log: Int) {
        guard let request = logs[log].fetch?.request else { return }
        _ = endFetch(request)
        emit(.cancelFetch(request))
    }

    mutating func rangeFetched(_ request: RequestID, _ answer: RangeAnswer, _ now: Instant) {
        guard let (log, fetch) = endFetch(request) else { return }
        guard answer.from == fetch.from, answer.to <= fetch.head.size else {
            let detail = "a range from \(answer.from) to \(answer.to), not from \(fetch.from) to \(fetch.head.size)"
            return failed(log, fetch.peer, fetch.head, .rejected(Rejection(.malformedRange, detail)), now)
        }
        logs[log].ready.append(Ready(peer: fetch.peer, answer: answer, head: fetch.head))
        store(log, now)
        scheduleAll(now)
    }

    mutating func rangeFailed(_ request: RequestID, _ failure: FetchFailure, _ now: Instant) {
        guard let (log, fetch) = endFetch(request) else { return }
        failed(log, fetch.peer, fetch.head, failure, now)
    }

    mutating func requestTimedOut(_ request: RequestID, _ now: Instant) {
        if let log = logs.firstIndex(where: { $0.fetch?.request == request }), let fetch = logs[log].fetch,
            !fetch.isSlow, now - fetch.since < settings.rangeTimeout
        {
            return becameSlow(log, fetch, now)
        }
        guard let (log, fetch) = endFetch(request) else { return documentTimedOut(request, now) }
        emit(.cancelFetch(request))
        failed(log, fetch.peer, fetch.head, .timedOut, now)
    }

    /// A range takes long: its log gives its place to another, and the peer is asked for little more until it has come.
    private mutating func becameSlow(_ log: Int, _ fetch: Fetch, _ now: Instant) {
        logs[log].fetch?.isSlow = true
        if let peer = peerIndex(fetch.peer) { peers[peer].slow += 1 }
        lapsed(fetch.peer)
        if hasBetterSource(log, than: fetch, now) {
            _ = endFetch(fetch.request)
            emit(.cancelFetch(fetch.request))
            return failed(log, fetch.peer, fetch.head, .timedOut, now)
        }
        emit(.setTimer(.request(fetch.request), at: fetch.since + settings.rangeTimeout))
        scheduleAll(now)
    }

    /// An attempt at a head has failed: others go on, and this peer may try again later.
    private mutating func failed(
        _ log: Int, _ id: PeerID, _ key: HeadKey, _ failure: FetchFailure, _ now: Instant
    ) {
        if let index = logs[log].offers.firstIndex(where: { $0.head.key == key }) {
            logs[log].offers[index].failures += 1
        }
        switch failure {
        case .local:
            logs[log].localFailures += 1
            logs[log].notBefore = now + min(backoff(logs[log].localFailures), settings.maximumLocalBackoff)
        case .rejected(let rejection):
            let located = Rejection(rejection.reason, origin: logs[log].origin, rejection.detail)
            lapsed(id)
            setAside(id, log, until: now + settings.rejectionBackoff)
            reject(id, located)
        case .unreachable, .timedOut, .refused, .notFound:
            if failure == .timedOut { lapsed(id) }
            guard let peer = peerIndex(id) else { break }
            peers[peer].logs[log].failures += 1
            peers[peer].logs[log].notBefore = now + backoff(peers[peer].logs[log].failures)
        }
        logs[log].dropUnusedOffers()
        scheduleAll(now)
    }

    /// Entries came with a head. They are taken if they start where everything that has come ends; otherwise they are
    /// fetched like any others.
    mutating func takeInline(_ answer: RangeAnswer, _ key: HeadKey, of log: Int, from peer: Int, _ now: Instant) {
        guard answer.from == logs[log].tip, logs[log].waitingForCharter == nil,
            logs[log].ready.count < settings.readyRangesPerLog,
            logs[log].readyBytes + answer.entries.count <= settings.readyBytesPerLog,
            (peers[peer].logs[log].notBefore ?? now) <= now, (logs[log].notBefore ?? now) <= now,
            logs[log].offer(key) != nil, mayTakeInline(key, of: log, now)
        else { return }
        dropFetch(log)
        logs[log].ready.append(Ready(peer: peers[peer].id, answer: answer, head: key))
        store(log, now)
    }
}

// MARK: - Storing

extension Replication {
    /// Hands the next range to the shell, one of a log at a time.
    private mutating func store(_ log: Int, _ now: Instant) {
        guard logs[log].storing == nil, isDue(log), let next = logs[log].ready.first else { return }
        guard next.answer.from == logs[log].size, let offer = logs[log].offer(next.head) else {
            logs[log].ready = []
            return
        }
        logs[log].ready.removeFirst()
        let request = newRequest()
        logs[log].storing = Storing(
            request: request, peer: next.peer, answer: next.answer, head: next.head,
            cosignatures: offer.head.cosignatures)
        emit(
            .ingest(request, origin: logs[log].origin, peer: next.peer, answer: next.answer, head: offer.head.note))
    }

    mutating func ingested(_ request: RequestID, _ outcome: IngestOutcome, _ now: Instant) {
        guard let log = logs.firstIndex(where: { $0.storing?.request == request }), let storing = logs[log].storing
        else { return }
        switch outcome {
        case .stored(let size, let root, let isTrustworthy, let needs):
            precondition(size == storing.answer.to, "the shell stored something else than it was given")
            stored(storing, log, root, isTrustworthy, now)
            documents.add(needs, of: logs[log].origin, isExempt: isHeldByQuorum(storing.head, of: log))
            fetchDocuments(now)
        case .rejected(let rejection):
            abandon(log)
            failed(log, storing.peer, storing.head, .rejected(rejection), now)
        case .failed:
            abandon(log)
            failed(log, storing.peer, storing.head, .local, now)
        case .waitingForCharter(let version):
            abandon(log)
            logs[log].waitingForCharter = version
            if let peer = peerIndex(storing.peer) {
                peers[peer].charterVersion = max(peers[peer].charterVersion, version)
                lacks(version, nil, peer, now)
            }
            askForCharter(now)
        }
        settle(log)
        store(log, now)
        scheduleAll(now)
        reviewIncarnation(now)
    }

    /// Asks no further for what peers offered of a log; what is being stored is.
    mutating func forgetOffers(_ log: Int) {
        logs[log].ready = []
        dropFetch(log)
        let stored = logs[log].storing?.head
        logs[log].offers.removeAll { $0.head.key != stored }
    }

    /// What was lined up behind a range that is not stored goes as well.
    private mutating func abandon(_ log: Int) {
        logs[log].storing = nil
        logs[log].ready = []
        dropFetch(log)
    }

    private mutating func stored(
        _ storing: Storing, _ log: Int, _ root: HashValue, _ isTrustworthy: Bool, _ now: Instant
    ) {
        charge(log, storing, now)
        logs[log].storing = nil
        logs[log].size = storing.answer.to
        logs[log].root = root
        logs[log].acceptedSize = max(logs[log].acceptedSize, storing.head.size)
        logs[log].localFailures = 0
        // What is taken back of our own log is no news to anybody.
        if logs[log].isOwn { publishing = Publishing(announced: storing.answer.to) }
        if let peer = peerIndex(storing.peer) {
            peers[peer].logs[log].failures = 0
            peers[peer].logs[log].notBefore = nil
            peers[peer].lapses /= 2
        }
        if !isTrustworthy {
            logs[log].isTrustworthy = false
            let detail = "a state leaf below \(storing.answer.to) is false"
            reject(storing.peer, Rejection(.falseStateLeaf, origin: logs[log].origin, detail))
        }
        guard storing.answer.to == storing.head.size else { return reviewOffers(log, now) }
        // Of a forked log it was taken to its end: the shell records that as counted, and not only after a restart.
        if logs[log].ending != nil { logs[log].needsSettling = true }
        precondition(root == storing.head.root, "the shell stored what is not under the head")
        guard var head = logs[log].offer(storing.head)?.head else { preconditionFailure("a head in use is kept") }
        // Early ones have come while it was being stored.
        _ = head.merge(logs[log].takeEarly(head.key))
        let news = head.cosignatures.filter { !storing.cosignatures.contains($0) }
        if !news.isEmpty {
            emit(
                .persistSignatures(
                    origin: logs[log].origin, checkpoint: head.checkpoint.text, news.map(\.line)))
        }
        completed(head, of: log, inline: inlineable(storing.answer), from: storing.peer, now)
    }

    /// The answer, if it is small enough to be passed on inline.
    private func inlineable(_ answer: RangeAnswer) -> RangeAnswer? {
        let isSmall = answer.to - answer.from <= UInt64(settings.inlineEntries)
        return isSmall && answer.entries.count <= settings.inlineBytes ? answer : nil
    }
}

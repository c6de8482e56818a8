internal import Alliance
internal import TransparencyLog

/// The documents that are missing, and who is being asked for which.
struct Documents: Sendable {
    struct Work: Sendable {
        let need: DocumentNeed
        /// The log that names it; nil where that was before this node started.
        let origin: String?
        /// Whether a quorum holds the statement that names it: then it is not counted against its member's caps.
        let isExempt: Bool
        var failures = 0
        var notBefore: Instant?
        /// The peer that was asked last: the next one in order is asked next.
        var last: PeerID?
        /// The peer that is being asked, the number of the timer that bounds it, and since when.
        var asked: (peer: PeerID, timer: RequestID, since: Instant)?
        /// Whether it has taken so long that it keeps no other waiting.
        var isSlow = false
    }

    let limit: Int
    /// In the order in which they were learned.
    private(set) var works: [Work] = []
    private var known: Set<HashValue> = []
    /// Whether the store knows of more than we do.
    private(set) var isTruncated = false
    /// Counts requests, so that logs take turns.
    private var turn: UInt64 = 0
    /// By origin, "" for those of which it is not known: when a document of it was last asked for.
    private var turns: [String: UInt64] = [:]

    init(limit: Int) {
        self.limit = limit
    }

    /// Those that are being asked for, but for slow ones.
    var askedCount: Int {
        works.count { $0.asked != nil && !$0.isSlow }
    }

    var slowCount: Int {
        works.count { $0.asked != nil && $0.isSlow }
    }

    /// Slow documents that one peer is being asked for.
    func slowCount(of peer: PeerID) -> Int {
        works.count { $0.isSlow && $0.asked?.peer == peer }
    }

    mutating func add(_ needs: [DocumentNeed], of origin: String? = nil, isExempt: Bool = false) {
        for need in needs where !known.contains(need.digest) {
            if works.count >= limit {
                isTruncated = true
                guard makeRoom(for: origin) else { return }
            }
            known.insert(need.digest)
            works.append(Work(need: need, origin: origin, isExempt: isExempt))
        }
    }

    /// Forgets a document of the log that has the most, unless that is this one: the store tells of it again.
    private mutating func makeRoom(for origin: String?) -> Bool {
        var counts: [String: Int] = [:]
        for work in works { counts[work.origin ?? "", default: 0] += 1 }
        let most = counts.values.max() ?? 0
        guard counts[origin ?? "", default: 0] < most,
            let victim = works.lastIndex(where: { $0.asked == nil && counts[$0.origin ?? ""] == most })
        else { return false }
        known.remove(works[victim].need.digest)
        works.remove(at: victim)
        return true
    }

    /// The store has told what it misses.
    mutating func refilled() {
        isTruncated = false
    }

    mutating func remove(_ digest: HashValue) -> Work? {
        guard known.remove(digest) != nil, let index = works.firstIndex(where: { $0.need.digest == digest }) else {
            return nil
        }
        return works.remove(at: index)
    }

    /// Ends an attempt: the work goes to the end of the queue, so that a document that nobody has holds up no other.
    mutating func failed(_ digest: HashValue, from peer: PeerID, _ update: (inout Work) -> Void) -> Work? {
        guard let index = works.firstIndex(where: { $0.need.digest == digest }), works[index].asked?.peer == peer
        else { return nil }
        let before = works.remove(at: index)
        var work = before
        (work.asked, work.isSlow) = (nil, false)
        update(&work)
        works.append(work)
        return before
    }

    mutating func peerLost(_ peer: PeerID) {
        for index in works.indices where works[index].asked?.peer == peer {
            (works[index].asked, works[index].isSlow) = (nil, false)
        }
    }

    mutating func ask(_ index: Int, _ peer: PeerID, _ timer: RequestID, _ now: Instant) {
        works[index].asked = (peer, timer, now)
        works[index].last = peer
        turn += 1
        turns[works[index].origin ?? ""] = turn
    }

    mutating func becameSlow(_ timer: RequestID) {
        guard let index = works.firstIndex(where: { $0.asked?.timer == timer }) else { return }
        works[index].isSlow = true
    }

    func asked(by timer: RequestID) -> Work? {
        works.first { $0.asked?.timer == timer }
    }

    /// The next document to ask for: of the log that waits the longest, the first that may be asked for now.
    ///
    /// - Parameters:
    ///   - perLog: most of one log at once.
    ///   - heldUp: logs of which nothing may be asked for that is not exempt, and until when.
    ///   - retry: the earliest moment at which another may be.
    func next(perLog: Int, _ now: Instant, heldUp: [String: Instant], _ retry: inout Instant?) -> Int? {
        var underWay: [String: Int] = [:]
        for work in works where work.asked != nil { underWay[work.origin ?? "", default: 0] += 1 }
        var looked: Set<String> = []
        var best: (index: Int, turn: UInt64)?
        for (index, work) in works.enumerated() where work.asked == nil {
            let origin = work.origin ?? ""
            guard !looked.contains(origin), underWay[origin, default: 0] < perLog else { continue }
            let failed = work.notBefore.flatMap { $0 > now ? $0 : nil }
            if let moment = failed ?? (work.isExempt || work.failures > 0 ? nil : heldUp[origin]) {
                retry = min(retry ?? moment, moment)
                continue
            }
            looked.insert(origin)
            let turn = turns[origin] ?? 0
            if best.map({ turn < $0.turn }) ?? true { best = (index, turn) }
        }
        return best?.index
    }
}

extension Replication {
    /// Asks for what is missing, so many at once, each from the next peer in turn, logs in turn.
    mutating func fetchDocuments(_ now: Instant) {
        var usable = peers.indices.filter { peers[$0].isUsable && !peers[$0].isRestricted }
        guard !usable.isEmpty else { return }
        var retry: Instant?
        let mostSlow = max(1, settings.slowDocuments / 3)
        while documents.askedCount < settings.concurrentDocuments, documents.slowCount <= settings.slowDocuments {
            usable.removeAll { documents.slowCount(of: peers[$0].id) >= mostSlow }
            let held = documentsHeldUp(now)
            let index = documents.next(perLog: settings.documentsPerLog, now, heldUp: held, &retry)
            guard let index, !usable.isEmpty else { break }
            let work = documents.works[index]
            let turn = usable.first { peer in work.last.map { $0 < peers[peer].id } ?? true } ?? usable[0]
            let timer = newRequest()
            documents.ask(index, peers[turn].id, timer, now)
            chargeDocument(work, now)
            peers[turn].outstanding += 1
            emit(.fetchDocument(peers[turn].id, digest: work.need.digest, size: work.need.size))
            emit(.setTimer(.request(timer), at: now + min(settings.slowDocument, settings.documentTimeout)))
        }
        if let retry, documents.askedCount < settings.concurrentDocuments { emit(.setTimer(.documents, at: retry)) }
        if documents.isTruncated && documents.works.count <= documents.limit / 2 {
            documents.refilled()
            emit(.listMissingDocuments(limit: documents.limit))
        }
    }

    mutating func documentsMissing(_ needs: [DocumentNeed], _ now: Instant) {
        documents.add(needs)
        fetchDocuments(now)
    }

    mutating func documentFetched(_ digest: HashValue, _ now: Instant) {
        if let work = documents.remove(digest) { release(work) }
        fetchDocuments(now)
    }

    mutating func documentFailed(_ digest: HashValue, _ failure: FetchFailure, from peer: PeerID, _ now: Instant) {
        let round = max(1, peers.count { $0.isUsable && !$0.isRestricted })
        let settings = settings
        #if DEBUG
        if PlantedBug.givesUpDocuments.isPlanted { return }
        #endif
        let attempt = documents.failed(digest, from: peer) { work in
            work.failures += 1
            // Within a round the next peer is asked at once; after each round the wait grows.
            if work.failures % round == 0 { work.notBefore = now + settings.backoff(work.failures / round) }
        }
        guard let work = attempt else { return }
        release(work)
        if case .rejected(let rejection) = failure { reject(peer, rejection) }
        fetchDocuments(now)
    }

    mutating func documentTimedOut(_ timer: RequestID, _ now: Instant) {
        guard let work = documents.asked(by: timer), let asked = work.asked else { return }
        guard work.isSlow || now - asked.since >= settings.documentTimeout else {
            // It may be large: it goes on, and others begin beside it.
            documents.becameSlow(timer)
            emit(.setTimer(.request(timer), at: asked.since + settings.documentTimeout))
            return fetchDocuments(now)
        }
        documentFailed(work.need.digest, .timedOut, from: asked.peer, now)
    }

    private mutating func release(_ work: Documents.Work) {
        guard let asked = work.asked else { return }
        emit(.cancelTimer(.request(asked.timer)))
        if let peer = peerIndex(asked.peer) { peers[peer].outstanding -= 1 }
    }
}

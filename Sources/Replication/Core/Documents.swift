internal import Alliance
internal import TransparencyLog

/// The documents that are missing, and who is being asked for which.
struct Documents: Sendable {
    struct Work: Sendable {
        let need: DocumentNeed
        var failures = 0
        var notBefore: Instant?
        /// The peer that was asked last: the next one in order is asked next.
        var last: PeerID?
        /// The peer that is being asked, and the number of the timer that bounds it.
        var asked: (peer: PeerID, timer: RequestID)?
    }

    let limit: Int
    /// In the order in which they were learned.
    private(set) var works: [Work] = []
    private var known: Set<HashValue> = []
    /// Whether the store knows of more than we do.
    private(set) var isTruncated = false

    init(limit: Int) {
        self.limit = limit
    }

    var askedCount: Int {
        works.count { $0.asked != nil }
    }

    mutating func add(_ needs: [DocumentNeed]) {
        for need in needs where !known.contains(need.digest) {
            guard works.count < limit else {
                isTruncated = true
                return
            }
            known.insert(need.digest)
            works.append(Work(need: need))
        }
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
        work.asked = nil
        update(&work)
        works.append(work)
        return before
    }

    mutating func peerLost(_ peer: PeerID) {
        for index in works.indices where works[index].asked?.peer == peer { works[index].asked = nil }
    }

    mutating func ask(_ index: Int, _ peer: PeerID, _ timer: RequestID) {
        works[index].asked = (peer, timer)
        works[index].last = peer
    }

    func asked(by timer: RequestID) -> Work? {
        works.first { $0.asked?.timer == timer }
    }
}

extension Replication {
    /// Asks for what is missing, so many at once, each from the next peer in turn.
    mutating func fetchDocuments(_ now: Instant) {
        let usable = peers.indices.filter { peers[$0].isUsable && !peers[$0].isRestricted }
        guard !usable.isEmpty else { return }
        var retry: Instant?
        var asked = documents.askedCount
        for index in documents.works.indices where asked < settings.concurrentDocuments {
            let work = documents.works[index]
            guard work.asked == nil else { continue }
            if let moment = work.notBefore, moment > now {
                retry = min(retry ?? moment, moment)
                continue
            }
            let turn = usable.first { peer in work.last.map { $0 < peers[peer].id } ?? true } ?? usable[0]
            let timer = newRequest()
            documents.ask(index, peers[turn].id, timer)
            peers[turn].outstanding += 1
            asked += 1
            emit(.fetchDocument(peers[turn].id, digest: work.need.digest, size: work.need.size))
            emit(.setTimer(.request(timer), at: now + settings.documentTimeout))
        }
        if let retry, asked < settings.concurrentDocuments { emit(.setTimer(.documents, at: retry)) }
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
        documentFailed(work.need.digest, .timedOut, from: asked.peer, now)
    }

    private mutating func release(_ work: Documents.Work) {
        guard let asked = work.asked else { return }
        emit(.cancelTimer(.request(asked.timer)))
        if let peer = peerIndex(asked.peer) { peers[peer].outstanding -= 1 }
    }
}

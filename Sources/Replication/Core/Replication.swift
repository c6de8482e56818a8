internal import Alliance
internal import TransparencyLog

/// The peer protocol of one node, as a value: events in, effects out.
///
/// It decides what to ask of whom, what to pass on, and what to cosign; the shell carries the effects out, in their
/// order, and reports what came of them. Nothing here waits, reads a clock, does I/O or depends on the order of a hash
/// table: the same events give the same effects. Peers' input is bounded by ``ReplicationSettings`` and
/// ``WireLimits``, is never trusted before it is verified, and never traps; a shell that reports what cannot be, does.
///
/// The state that it converges on is the vector of logs: of each log the longer consistent prefix wins, and of a
/// forked one the largest that a quorum holds (formats 11).
public struct Replication: Sendable {
    let settings: ReplicationSettings
    /// Our member id.
    let me: String
    /// Our node's name, for people.
    let node: String
    var membership: Membership
    /// By origin.
    var logs: [LogState] = []
    /// By session.
    var peers: [PeerState] = []
    var documents: Documents
    var publishing = Publishing()
    var charter = CharterExchange()
    /// By member: how often it lapsed in sessions that are over; as many as the charters name, at the most.
    var lapses: [String: Int] = [:]
    var random: SplitMix64
    let memory: (any SignatureMemory)?
    var lastRequest: UInt64 = 0
    var nextLog = 0
    var counts: [Rejection.Reason: Int] = [:]
    /// Milliseconds by which the wall clock is ahead of the moments that are handed over.
    var clockAhead: Int64 = 0
    /// This start of the node; nil where the member has no log.
    var own: OwnIncarnation?
    /// Whether the folder is known to be older than what others may hold: then everybody has to answer.
    var isRestored: Bool
    /// Members whose word the operator does without.
    var waived: [String] = []
    /// Members that have said since the start what they hold of our own log.
    var heardOfOwnLog: [String] = []
    private var effects: [Effect] = []

    /// A node that holds what the snapshots say.
    ///
    /// - Parameters:
    ///   - settings: How to pace, and the limits; ``ReplicationSettings/problem`` must be nil.
    ///   - me: Our member id.
    ///   - node: Our node's name, for people.
    ///   - membership: The charter in force.
    ///   - logs: What is held; logs that are missing are empty, and logs that no member has are ignored.
    ///   - seed: For the jitter of the periodic exchange.
    ///   - memory: Remembers signatures that were verified.
    ///   - isRestored: Whether the folder came out of a backup: then every other active member has to answer before
    ///     our own log is signed.
    public init(
        settings: ReplicationSettings, me: String, node: String = "", membership: Membership, logs: [LogSnapshot],
        seed: UInt64, memory: (any SignatureMemory)? = nil, isRestored: Bool = false
    ) {
        if let problem = settings.problem { preconditionFailure("settings: \(problem)") }
        self.settings = settings
        self.me = me
        self.node = node
        self.membership = membership
        random = SplitMix64(seed: seed)
        self.memory = memory
        self.isRestored = isRestored
        documents = Documents(limit: settings.rememberedDocuments)
        addLogs(logs)
        // Which log names them is not known: they count against nobody's quota.
        for snapshot in logs { documents.add(snapshot.missingDocuments) }
    }

    /// Tells what has happened; what is to be done comes back.
    ///
    /// - Parameters:
    ///   - event: What has happened.
    ///   - now: The present moment. It may jump; nothing breaks, though waits may get longer or shorter.
    public mutating func handle(_ event: Event, now: Instant) -> [Effect] {
        dispatch(event, now)
        defer { effects = [] }
        return effects
    }

    private mutating func dispatch(_ event: Event, _ now: Instant) {
        switch event {
        case .started: started(now)
        case .peerConnected(let id, let member, let canFetch, let restricted):
            connected(
                PeerState(id: id, member: member, canFetch: canFetch, isRestricted: restricted, logs: logs.count), now)
        case .peerRestricted(let id, let isRestricted):
            if let peer = peerIndex(id) { peers[peer].isRestricted = isRestricted }
            // What nobody could be asked for may be had now.
            fetchDocuments(now)
        case .peerDisconnected(let id): disconnected(id, now)
        case .message(let id, let message): received(message, from: id, now)
        case .violation(let id, let rejection):
            if let peer = peerIndex(id) { end(peer, rejection) }
        case .published(let note, let from, let entries): published(note, from: from, entries: entries, now)
        case .rangeFetched(let request, let answer): rangeFetched(request, answer, now)
        case .rangeFailed(let request, let failure): rangeFailed(request, failure, now)
        case .ingested(let request, let outcome): ingested(request, outcome, now)
        case .oldHeadChecked(let request, let isConsistent): oldHeadChecked(request, isConsistent, now)
        case .cosigned(let origin, let size, let root, let signature):
            cosigned(origin, HeadKey(size: size, root: root), signature, now)
        case .cosigningFailed(let origin, _): cosigningFailed(origin, now)
        case .documentFetched(let digest): documentFetched(digest, now)
        case .documentFailed(let digest, let failure, let peer): documentFailed(digest, failure, from: peer, now)
        case .documentsMissing(let needs): documentsMissing(needs, now)
        case .served(let id):
            if let peer = peerIndex(id), peers[peer].served > 0 { peers[peer].served -= 1 }
        case .forkProven(let origin, let proof): forkProven(origin, proof)
        case .forkSettled(let origin, let outcome): forkSettled(origin, outcome, now)
        case .incarnationBegun(let origin, let note): incarnationBegun(origin, note, now)
        case .incarnationRecorded(let origin, let note, let receipt):
            incarnationRecorded(origin, note, receipt, now)
        case .waived(let member): waive(member, now)
        case .clockSet(let ahead):
            clockAhead = ahead
            for log in logs.indices { cosignAtStart(log, now) }
        case .freshnessWanted(let origin): freshnessWanted(origin, now)
        case .recounted(let origin, let isTrustworthy):
            if let log = logIndex(origin) { logs[log].isTrustworthy = isTrustworthy }
        case .membershipChanged(let membership, let logs): membershipChanged(membership, holding: logs, now)
        case .charterConsidered(let id, let version, let outcome): charterConsidered(id, version, outcome, now)
        case .timer(let timer): expired(timer, now)
        }
    }

    private mutating func expired(_ timer: TimerID, _ now: Instant) {
        switch timer {
        case .exchange(let id): exchange(id, now)
        case .request(let request): requestTimedOut(request, now)
        case .retry(let origin):
            guard let log = logIndex(origin) else { break }
            logs[log].retryAt = nil
            settle(log)
            if !hasCosigned(log) { cosign(log, now) }
            schedule(log, now)
        case .announce: announceIfDue(now)
        case .relay(let origin): relayDue(origin, now)
        case .documents: fetchDocuments(now)
        case .charter: charterTimedOut(now)
        case .freshness(let origin): freshnessWanted(origin, now)
        case .incarnation: incarnationDue(now)
        }
    }

    mutating func emit(_ effect: Effect) {
        effects.append(effect)
    }
}

// MARK: - Looking up

extension Replication {
    func logIndex(_ origin: String) -> Int? {
        var (low, high) = (0, logs.count)
        while low < high {
            let middle = (low + high) / 2
            if logs[middle].origin.precedes(origin) { low = middle + 1 } else { high = middle }
        }
        return low < logs.count && logs[low].origin.isExactly(origin) ? low : nil
    }

    func peerIndex(_ id: PeerID) -> Int? {
        var (low, high) = (0, peers.count)
        while low < high {
            let middle = (low + high) / 2
            if peers[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < peers.count && peers[low].id == id ? low : nil
    }

    mutating func newRequest() -> RequestID {
        lastRequest += 1
        return RequestID(lastRequest)
    }

    /// The wait after so many failures in a row.
    func backoff(_ failures: Int) -> Int64 {
        settings.backoff(failures)
    }

    func cosignatureCheck(_ now: Instant) -> CosignatureCheck {
        CosignatureCheck(
            membership: membership, now: now + clockAhead, tolerance: settings.clockTolerance, memory: memory)
    }
}

// MARK: - Rejections

extension Replication {
    /// Counts a refusal, tells of it, and ends a session that has had too many for which the peer itself is to blame.
    mutating func reject(_ id: PeerID, _ rejection: Rejection) {
        counts[rejection.reason, default: 0] += 1
        emit(.reject(id, rejection))
        guard let peer = peerIndex(id), rejection.reason.blamesPeer else { return }
        peers[peer].rejections += 1
        if peers[peer].rejections >= settings.rejectionsPerPeer && !peers[peer].isEnded {
            end(peer, Rejection(.tooMany, "\(peers[peer].rejections) rejections"))
        }
    }

    /// Refuses, and ends the session.
    mutating func end(_ peer: Int, _ rejection: Rejection) {
        guard !peers[peer].isEnded else { return }
        peers[peer].isEnded = true
        counts[rejection.reason, default: 0] += 1
        emit(.reject(peers[peer].id, rejection))
        emit(.disconnect(peers[peer].id, rejection))
    }

    mutating func send(_ peer: Int, _ message: Message) {
        if !peers[peer].isEnded { emit(.send(peers[peer].id, message)) }
    }
}

extension Rejection.Reason {
    /// Whether whoever sent it is to blame, and not the owner of a log that it honestly passed on.
    var blamesPeer: Bool {
        switch self {
        case .inconsistentHead, .contradictoryHead, .cannotExtend, .falseStateLeaf, .differentCharter, .unknownLog,
            .superseded:
            false
        default: true
        }
    }
}

// MARK: - Starting

extension Replication {
    /// Adds the logs of the members that are new, and refreshes the owners of those that are not.
    mutating func addLogs(_ snapshots: [LogSnapshot] = []) {
        for member in membership.members {
            if let log = logIndex(member.origin) {
                logs[log].owner = member.id
                logs[log].key = member.logKey
                continue
            }
            let index = logs.firstIndex { member.origin.precedes($0.origin) } ?? logs.count
            let isOwn = member.id.isExactly(me)
            let log = LogState(
                origin: member.origin, owner: member.id, key: member.logKey, isOwn: isOwn, quota: settings.quota)
            logs.insert(log, at: index)
            for peer in peers.indices { peers[peer].logs.insert(PeerLog(), at: index) }
            for snapshot in snapshots where snapshot.origin.isExactly(member.origin) { restore(snapshot) }
            if isOwn { publishing = Publishing(announced: logs[index].size) }
        }
    }

    /// Lets go of logs that are no member's any more: a member got a new log key, or a charter turned out contested. What
    /// is held of them stays in the store.
    mutating func retireLogs() {
        for log in logs.indices.reversed() where membership.owner(of: logs[log].origin) == nil {
            dropFetch(log)
            logs.remove(at: log)
            for peer in peers.indices { peers[peer].logs.remove(at: log) }
        }
    }

    /// Takes over what the store holds; it was verified before it was stored, so a note that cannot be read traps.
    private mutating func restore(_ snapshot: LogSnapshot) {
        guard let log = logIndex(snapshot.origin) else { return }
        logs[log].size = snapshot.size
        logs[log].root = snapshot.root
        logs[log].acceptedSize = snapshot.acceptedSize
        logs[log].publishedSize = snapshot.publishedSize
        logs[log].isTrustworthy = snapshot.isTrustworthy
        logs[log].isContradicted = snapshot.isContradicted
        // Of a key that another charter gave the log, or damaged: as if it were not there.
        if let fork = try? ForkProof(parsing: snapshot.fork), (try? fork.verify(by: logs[log].key)) != nil {
            logs[log].fork = fork
            logs[log].isContradicted = true
            restoreEnding(log, from: snapshot.forkHeads + [snapshot.head])
        }
        restore(snapshot.incarnations, log)
        if let head = storedHead(snapshot.head, log) {
            logs[log].advance(to: head, limit: settings.recentHeadsPerLog)
        }
    }

    private mutating func restore(_ record: IncarnationRecord, _ log: Int) {
        logs[log].ownStarts = record.own
        guard let note = try? IncarnationNote(parsing: record.note) else { return }
        let receipt = try? IncarnationReceipt(parsing: record.receipt)
        logs[log].incarnation = RecordedIncarnation(note: note, receipts: receipt.map { [(me, $0)] } ?? [])
    }

    /// Reads a note of our own store; nil where it is of another log, or of a key that another charter gave this one.
    func storedHead(_ bytes: [UInt8], _ log: Int) -> Head? {
        guard let offered = try? OfferedNote(bytes), offered.checkpoint.origin.isExactly(logs[log].origin),
            let line = offered.note.signatures.first(where: { $0.isAttributed(to: logs[log].key) })
        else { return nil }
        var head = Head(offered.checkpoint, logSignature: line)
        let check = cosignatureCheck(Instant(milliseconds: 0))
        _ = head.merge(check.uncheckedSignatures(in: offered.note.signatures, of: offered.checkpoint))
        return head
    }

    private mutating func started(_ now: Instant) {
        for log in logs.indices {
            cosignAtStart(log, now)
            settle(log)
        }
        beginIncarnation(now)
        fetchDocuments(now)
    }

    /// A crash may have come between storing a head and cosigning it; or our clock was ahead when we did, so that the
    /// signature counts nowhere: then another takes its place.
    private mutating func cosignAtStart(_ log: Int, _ now: Instant) {
        #if DEBUG
        if PlantedBug.noCosigningAtStart.isPlanted { return }
        #endif
        let latest = now + clockAhead
        let isEarly = { [me, settings] (signature: ReplicaSignature) in
            signature.member.isExactly(me) && Instant(seconds: signature.time) - latest > settings.clockTolerance
        }
        if logs[log].head?.cosignatures.contains(where: isEarly) ?? false { logs[log].head?.keep { !isEarly($0) } }
        if !hasCosigned(log) { cosign(log, now) }
    }
}

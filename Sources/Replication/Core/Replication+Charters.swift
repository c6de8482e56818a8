internal import Alliance
internal import TransparencyLog

// Charters: offered, asked for one version after the other from where a peer's may differ, and put in force by the shell,
// which alone judges them. Each peer is walked up from the first version that we lack; where what comes follows a charter
// that is not known here, down to the version where the two chains part, and up again.

/// A charter that is being asked for.
struct CharterExchange: Sendable {
    var asked: (peer: PeerID, version: UInt64)?
}

extension Replication {
    /// A peer says which charter it is under, in its hello or when that changes, or which others it holds.
    mutating func charterOffered(_ version: UInt64, _ digest: HashValue, by peer: Int, _ now: Instant) {
        peers[peer].charterVersion = max(peers[peer].charterVersion, version)
        if version == 1 && digest != membership.alliance && !membership.knows(version, digest) {
            reject(peers[peer].id, Rejection(.differentCharter, "another charter of version 1"))
            return
        }
        lacks(version, digest, peer)
        askForCharter(now)
    }

    /// Takes note that a peer holds a charter that may not be held here, or not with all its signatures: who signed what
    /// decides between charters that contradict each other.
    mutating func lacks(_ version: UInt64, _ digest: HashValue?, _ peer: Int) {
        guard version > 0 else { return }
        if let digest, membership.isSettled(version, digest) { return }
        if digest == nil && version <= membership.version { return }
        let offer = CharterOffer(version: version, digest: digest)
        if !peers[peer].charterOffers.contains(offer) {
            peers[peer].charterOffers.append(offer)
            if peers[peer].charterOffers.count > CharterChain.alternativeLimit {
                peers[peer].charterOffers.removeFirst()
            }
        }
        let start = min(version, membership.version + 1)
        if peers[peer].charterCursor.map({ start < $0 }) ?? true {
            peers[peer].charterCursor = start
            peers[peer].isDescending = true
        }
    }

    /// Asks for a charter that we lack, from one peer at a time.
    mutating func askForCharter(_ now: Instant) {
        guard charter.asked == nil else { return }
        var retry: Instant?
        for peer in peers.indices where peers[peer].isUsable {
            guard let version = peers[peer].charterCursor else { continue }
            if let moment = peers[peer].charterNotBefore, moment > now {
                retry = min(retry ?? moment, moment)
                continue
            }
            charter.asked = (peers[peer].id, version)
            peers[peer].charterAsked = (version, CharterChain.alternativeLimit)
            send(peer, .wantCharter(version: version))
            emit(.setTimer(.charter, at: now + settings.charterTimeout))
            return
        }
        if let retry { emit(.setTimer(.charter, at: retry)) }
    }

    mutating func charterTimedOut(_ now: Instant) {
        if let asked = charter.asked, let peer = peerIndex(asked.peer) {
            peers[peer].charterNotBefore = now + settings.maximumBackoff
        }
        charter.asked = nil
        askForCharter(now)
    }

    mutating func charterWanted(_ version: UInt64, by peer: Int) {
        guard version <= membership.newestKnown, version > 0 else {
            let text = "no charter of this version here"
            return send(peer, .refused(Refusal(reason: .unknown, text: text)))
        }
        emit(.serveCharter(peers[peer].id, version: version))
    }

    mutating func charterReceived(_ version: UInt64, _ bytes: [UInt8], from peer: Int) throws(Rejection) {
        guard let asked = peers[peer].charterAsked, asked.version == version, asked.left > 0 else {
            throw Rejection(.unexpectedMessage, "a charter that was not asked for")
        }
        peers[peer].charterAsked?.left -= 1
        emit(.considerCharter(peers[peer].id, version: version, bytes: bytes))
    }

    /// The shell has looked at a charter that came, and whatever changed by it was told before.
    mutating func charterConsidered(_ id: PeerID, _ version: UInt64, _ outcome: CharterOutcome, _ now: Instant) {
        if case .rejected(let rejection) = outcome { reject(id, rejection) }
        defer { askForCharter(now) }
        guard charter.asked?.peer == id, charter.asked?.version == version else { return }
        charter.asked = nil
        emit(.cancelTimer(.charter))
        guard let peer = peerIndex(id) else { return }
        switch outcome {
        case .held:
            peers[peer].isDescending = false
            moveOn(peer, from: version)
        case .unconnected where peers[peer].isDescending && version > 2: peers[peer].charterCursor = version - 1
        case .unconnected, .rejected:
            peers[peer].charterNotBefore = now + settings.rejectionBackoff
            peers[peer].isDescending = true
        }
    }

    /// Forgets what is held by now, and goes on to the version after this one where something is not.
    private mutating func moveOn(_ peer: Int, from version: UInt64?) {
        let newest = membership.newestKnown
        peers[peer].charterOffers.removeAll { offer in
            guard let digest = offer.digest else { return offer.version <= newest }
            let wasAsked = offer.version <= version ?? 0 && membership.knows(offer.version, digest)
            return wasAsked || membership.isSettled(offer.version, digest)
        }
        let last = peers[peer].charterOffers.map(\.version).max()
        guard let last else {
            peers[peer].charterCursor = nil
            return
        }
        guard let version else { return }
        peers[peer].charterCursor = version < last ? version + 1 : nil
        // It does not send what it offers: no need to remember that.
        if version >= last { peers[peer].charterOffers = [] }
    }

    /// A charter is in force: logs may be new, keys may have gone, and what waited for it may go on.
    mutating func membershipChanged(_ new: Membership, holding snapshots: [LogSnapshot], _ now: Instant) {
        precondition(new.alliance == membership.alliance, "an alliance does not change")
        membership = new
        retireLogs()
        addLogs(snapshots)
        for log in logs.indices {
            keepCosignatures(log)
            if let version = logs[log].waitingForCharter, version <= new.version { logs[log].waitingForCharter = nil }
        }
        for peer in peers.indices {
            moveOn(peer, from: charter.asked?.peer == peers[peer].id ? nil : peers[peer].charterCursor.map { $0 - 1 })
        }
        for peer in peers.indices where peers[peer].isUsable {
            offerCharters(to: peer)
            send(peer, .digest(digest()))
        }
        askForCharter(now)
        scheduleAll(now)
    }

    /// Tells a peer of the charter in force and of those that contradict each other.
    private mutating func offerCharters(to peer: Int) {
        for (version, digest) in membership.newest { send(peer, .charterOffer(version: version, digest: digest)) }
    }

    /// After a hello, which tells of the charter in force alone.
    mutating func offerContested(to peer: Int) {
        if membership.newestKnown > membership.version { offerCharters(to: peer) }
    }

    /// Cosignatures count while the charter names the key that made them.
    private mutating func keepCosignatures(_ log: Int) {
        let replicas = membership.replicas(of: logs[log].origin)
        let isKept = { (signature: ReplicaSignature) in
            replicas.contains { member in
                member.id.isExactly(signature.member)
                    && (member.replicaKey.map { signature.line.isAttributed(to: $0) } ?? false)
            }
        }
        logs[log].head?.keep(isKept)
        for index in logs[log].recent.indices { logs[log].recent[index].keep(isKept) }
        for index in logs[log].offers.indices { logs[log].offers[index].head.keep(isKept) }
        logs[log].early = []
    }
}

internal import Alliance
internal import TransparencyLog

// Charters: offered, asked for one version after the other from where a peer's may differ, and put in force by the shell,
// which alone judges them. Each peer is walked up from the first version that we lack; where what comes follows a charter
// that is not known here, down to the version where the two chains part, and up again.

/// A charter that is being asked for.
struct CharterExchange: Sendable {
    var asked: (peer: PeerID, version: UInt64)?
    /// Who was asked last: others come before it.
    var lastAsked: PeerID?
}

extension Replication {
    /// A peer says which charter it is under, in its hello or when that changes, or which others it holds.
    mutating func charterOffered(_ version: UInt64, _ digest: HashValue, by peer: Int, _ now: Instant) {
        peers[peer].charterVersion = max(peers[peer].charterVersion, version)
        if version == 1 && digest != membership.alliance && !membership.knows(version, digest) {
            reject(peers[peer].id, Rejection(.differentCharter, "another charter of version 1"))
            return
        }
        lacks(version, digest, peer, now)
        if isUndecided(version, digest) { walk(peer, upTo: version, now) }
        askForCharter(now)
    }

    /// Whether a charter is held that is not in force here, nor before the one that is, as far as can be told.
    private func isUndecided(_ version: UInt64, _ digest: HashValue) -> Bool {
        guard membership.knows(version, digest) else { return false }
        return version > membership.version || version == membership.version && digest != membership.digest
    }

    /// A peer may have decided what is open here, by a charter that we lack and that it has no reason to offer any more:
    /// one that lost. So it is asked for all that it holds.
    private mutating func walk(_ peer: Int, upTo version: UInt64, _ now: Instant) {
        let last = peers[peer].charterWalkedAt
        guard last.map({ now < $0 || now - $0 >= settings.maximumBackoff }) ?? true else { return }
        peers[peer].charterWalkedAt = now
        peers[peer].charterWalkEnd = version
        peers[peer].charterCursor = 2
        peers[peer].isDescending = false
    }

    /// Takes note that a peer holds a charter that may not be held here, or not with all its signatures: who signed what
    /// decides between charters that contradict each other.
    mutating func lacks(_ version: UInt64, _ digest: HashValue?, _ peer: Int, _ now: Instant) {
        guard version > 0 else { return }
        #if DEBUG
        if digest == nil && PlantedBug.noCharterRelay.isPlanted { return }
        #endif
        if let digest, membership.isSettled(version, digest) { return }
        if digest == nil && version <= membership.version { return }
        let offer = CharterOffer(version: version, digest: digest)
        let isHeld = digest.map { membership.knows(version, $0) } ?? false
        if isHeld, !mayAskAgain(for: offer, peer, now) { return }
        if !peers[peer].charterOffers.contains(offer) {
            peers[peer].charterOffers.append(offer)
            if peers[peer].charterOffers.count > CharterChain.alternativeLimit {
                peers[peer].charterOffers.removeFirst()
            }
        }
        // What follows a charter that is not known here is sought downwards from there.
        let start = isHeld ? version : min(version, membership.newestKnown + 1)
        if peers[peer].charterCursor.map({ start < $0 }) ?? true {
            peers[peer].charterCursor = start
            peers[peer].isDescending = true
        }
    }

    /// Whether a charter that is held is to be asked for again, since the peer may have more of its signatures: not at
    /// once after the last time, and not while there is anything new to ask for.
    private mutating func mayAskAgain(for offer: CharterOffer, _ peer: Int, _ now: Instant) -> Bool {
        if peers[peer].charterCursor != nil { return false }
        let wait = 4 * settings.headsInterval
        peers[peer].charterAskedAgain.removeAll { $0.at > now || now - $0.at >= wait }
        guard !peers[peer].charterAskedAgain.contains(where: { $0.offer == offer }),
            peers[peer].charterAskedAgain.count < CharterChain.alternativeLimit
        else { return false }
        peers[peer].charterAskedAgain.append((offer, now))
        return true
    }

    /// Asks for a charter that we lack, from one peer at a time.
    mutating func askForCharter(_ now: Instant) {
        guard charter.asked == nil else { return }
        var retry: Instant?
        // In turn: one that keeps us busy must not keep the others from being asked.
        let next = peers.firstIndex { $0.id > (charter.lastAsked ?? PeerID(0)) } ?? 0
        let order = peers.indices.map { ($0 + next) % peers.count }
        let news = order.filter { peer in
            peers[peer].charterOffers.contains { offer in
                !(offer.digest.map { membership.knows(offer.version, $0) } ?? false)
            }
        }
        for peer in news + order where peers[peer].isUsable {
            guard let version = peers[peer].charterCursor else { continue }
            if let moment = peers[peer].charterNotBefore, moment > now {
                retry = min(retry ?? moment, moment)
                continue
            }
            charter.asked = (peers[peer].id, version)
            charter.lastAsked = peers[peer].id
            expectCharters(version, peer)
            send(peer, .wantCharter(version: version))
            emit(.setTimer(.charter, at: now + settings.charterTimeout))
            return
        }
        if let retry { emit(.setTimer(.charter, at: retry)) }
    }

    /// Charters of this version may come from a peer, and late ones of the few that it was asked for before.
    private mutating func expectCharters(_ version: UInt64, _ peer: Int) {
        peers[peer].charterAsked.removeAll { $0.version == version }
        peers[peer].charterAsked.append((version, CharterChain.alternativeLimit))
        if peers[peer].charterAsked.count > Self.expectedVersions { peers[peer].charterAsked.removeFirst() }
    }

    /// Versions of which a peer may still send charters.
    private static let expectedVersions = 4

    /// A peer has not the charter that it was asked for.
    mutating func charterRefused(by peer: Int, _ now: Instant) {
        guard charter.asked?.peer == peers[peer].id else { return }
        charter.asked = nil
        emit(.cancelTimer(.charter))
        peers[peer].charterNotBefore = now + settings.maximumBackoff
        askForCharter(now)
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
        guard let asked = peers[peer].charterAsked.firstIndex(where: { $0.version == version && $0.left > 0 }) else {
            throw Rejection(.unexpectedMessage, "a charter that was not asked for")
        }
        peers[peer].charterAsked[asked].left -= 1
        emit(.considerCharter(peers[peer].id, version: version, bytes: bytes))
    }

    /// The shell has looked at a charter that came, and whatever changed by it was told before.
    mutating func charterConsidered(_ id: PeerID, _ version: UInt64, _ outcome: CharterOutcome, _ now: Instant) {
        if case .rejected(let rejection) = outcome { reject(id, rejection) }
        if outcome == .failed { notStored(id, version, now) }
        defer { askForCharter(now) }
        if outcome == .unconnected, let peer = peerIndex(id) {
            peers[peer].charterUnconnected = min(peers[peer].charterUnconnected ?? version, version)
        }
        guard charter.asked?.peer == id, charter.asked?.version == version else {
            if outcome == .unconnected { followsUnknown(id, version, now) }
            return
        }
        charter.asked = nil
        emit(.cancelTimer(.charter))
        guard let peer = peerIndex(id) else { return }
        switch outcome {
        case .held:
            peers[peer].isDescending = false
            moveOn(peer, from: version)
        case .unconnected where peers[peer].isDescending && version > 2: peers[peer].charterCursor = version - 1
        case .unconnected:
            // Perhaps one of several charters of a version did not come, or follows one of several that did not.
            peers[peer].charterNotBefore = now + settings.maximumBackoff
            peers[peer].isDescending = true
            if let lowest = peers[peer].charterUnconnected, lowest > 2 { peers[peer].charterCursor = lowest - 1 }
            peers[peer].charterUnconnected = nil
        case .rejected:
            peers[peer].charterNotBefore = now + settings.rejectionBackoff
            peers[peer].isDescending = true
        case .failed: break
        }
    }

    /// One of several charters of a version follows one that is not held, and the others were dealt with before it: those
    /// of the version before are asked for, where there is nothing else to ask that peer for.
    private mutating func followsUnknown(_ id: PeerID, _ version: UInt64, _ now: Instant) {
        guard let peer = peerIndex(id), version > 2, peers[peer].charterCursor == nil else { return }
        peers[peer].charterCursor = version - 1
        peers[peer].isDescending = true
        peers[peer].charterUnconnected = nil
        peers[peer].charterNotBefore = now + 4 * settings.headsInterval
    }

    /// A charter could not be stored here: it is asked for again, even if others of its version were held meanwhile.
    private mutating func notStored(_ id: PeerID, _ version: UInt64, _ now: Instant) {
        guard let peer = peerIndex(id) else { return }
        peers[peer].charterCursor = min(peers[peer].charterCursor ?? version, version)
        peers[peer].charterNotBefore = now + settings.maximumBackoff
    }

    /// Forgets what is held by now, and goes on to the version after this one where something is not.
    private mutating func moveOn(_ peer: Int, from version: UInt64?) {
        let newest = membership.newestKnown
        peers[peer].charterOffers.removeAll { offer in
            guard let digest = offer.digest else { return offer.version <= newest }
            let wasAsked = offer.version <= version ?? 0 && membership.knows(offer.version, digest)
            return wasAsked || membership.isSettled(offer.version, digest)
        }
        let last = (peers[peer].charterOffers.map(\.version) + [peers[peer].charterWalkEnd].compactMap(\.self)).max()
        guard let last else {
            peers[peer].charterCursor = nil
            return
        }
        guard let version else { return }
        peers[peer].charterCursor = version < last ? version + 1 : nil
        // It does not send what it offers: no need to remember that.
        if version >= last { (peers[peer].charterOffers, peers[peer].charterWalkEnd) = ([], nil) }
    }

    /// A charter is in force: logs may be new, keys may have gone, and what waited for it may go on.
    mutating func membershipChanged(_ new: Membership, holding snapshots: [LogSnapshot], _ now: Instant) {
        precondition(new.alliance == membership.alliance, "an alliance does not change")
        membership = new
        retireLogs()
        addLogs(snapshots)
        for log in logs.indices {
            keepCosignatures(log)
            // Ours may count again, or for the first time.
            if !hasCosigned(log) { cosign(log, now) }
            if let version = logs[log].waitingForCharter, version <= new.version { logs[log].waitingForCharter = nil }
        }
        rejudgeForks(now)
        // Also a forked log that came back, of which nothing else is to be judged anew.
        for log in logs.indices { settle(log) }
        for peer in peers.indices {
            moveOn(peer, from: charter.asked?.peer == peers[peer].id ? nil : peers[peer].charterCursor.map { $0 - 1 })
        }
        // Also to those that have not said hello yet: ours may be on its way, and named the charter before.
        for peer in peers.indices where !peers[peer].isEnded {
            offerCharters(to: peer)
            send(peer, .digest(digest()))
        }
        keepReceipts()
        beginIncarnation(now)
        askForCharter(now)
        scheduleAll(now)
    }

    /// Tells a peer of the charter in force and of those that contradict each other.
    private mutating func offerCharters(to peer: Int) {
        #if DEBUG
        if PlantedBug.noCharterRelay.isPlanted { return }
        #endif
        for (version, digest) in membership.newest { send(peer, .charterOffer(version: version, digest: digest)) }
    }

    /// In the exchange, since an offer may have been lost: where the peer's digest is another one, or where versions
    /// contradict each other, which the digest does not tell. Everybody has the first.
    mutating func offerAgain(to peer: Int) {
        if membership.newestKnown > 1 { offerCharters(to: peer) }
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

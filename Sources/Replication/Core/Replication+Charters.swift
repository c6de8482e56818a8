internal import TransparencyLog

/// A charter that is being asked for.
struct CharterExchange: Sendable {
    var asked: (peer: PeerID, version: UInt64)?
}

extension Replication {
    /// A peer says which charter it is under, in its hello or when that changes.
    mutating func charterOffered(_ version: UInt64, _ digest: HashValue, by peer: Int, _ now: Instant) {
        peers[peer].charterVersion = version
        if version == membership.version && digest != membership.digest {
            reject(peers[peer].id, Rejection(.differentCharter, "another charter of version \(version)"))
        }
        askForCharter(now)
    }

    /// Asks for the successor of our charter, from one peer at a time that is under a newer one.
    mutating func askForCharter(_ now: Instant) {
        guard charter.asked == nil else { return }
        let next = membership.version + 1
        var retry: Instant?
        for peer in peers.indices where peers[peer].isUsable && peers[peer].charterVersion >= next {
            if let moment = peers[peer].charterNotBefore, moment > now {
                retry = min(retry ?? moment, moment)
                continue
            }
            charter.asked = (peers[peer].id, next)
            send(peer, .wantCharter(version: next))
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
        guard version <= membership.version, version > 0 else {
            let text = "no charter of this version here"
            return send(peer, .refused(Refusal(reason: .unknown, text: text)))
        }
        emit(.serveCharter(peers[peer].id, version: version))
    }

    mutating func charterReceived(_ version: UInt64, _ bytes: [UInt8], from peer: Int) throws(Rejection) {
        guard let asked = charter.asked, asked.peer == peers[peer].id, asked.version == version else {
            throw Rejection(.unexpectedMessage, "a charter that was not asked for")
        }
        emit(.considerCharter(peers[peer].id, version: version, bytes: bytes))
    }

    mutating func charterRejected(_ id: PeerID, _ rejection: Rejection, _ now: Instant) {
        reject(id, rejection)
        if let peer = peerIndex(id) { peers[peer].charterNotBefore = now + settings.rejectionBackoff }
        if charter.asked?.peer == id {
            charter.asked = nil
            emit(.cancelTimer(.charter))
        }
        askForCharter(now)
    }

    /// A charter is in force: logs may be new, keys may have gone, and what waited for it may go on.
    mutating func membershipChanged(_ new: Membership, _ now: Instant) {
        precondition(new.alliance == membership.alliance, "an alliance does not change")
        membership = new
        addLogs()
        for log in logs.indices {
            keepCosignatures(log)
            if let version = logs[log].waitingForCharter, version <= new.version { logs[log].waitingForCharter = nil }
        }
        if charter.asked != nil {
            charter.asked = nil
            emit(.cancelTimer(.charter))
        }
        for peer in peers.indices where peers[peer].isUsable {
            send(peer, .charterOffer(version: new.version, digest: new.digest))
            send(peer, .digest(digest()))
        }
        askForCharter(now)
        scheduleAll(now)
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

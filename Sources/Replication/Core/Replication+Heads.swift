internal import Alliance
internal import TransparencyLog

// A head arrives: announced, or on a page of the periodic exchange.

extension Replication {
    /// A peer announces a head, perhaps with the entries that lead to it.
    mutating func announced(_ announcement: Announcement, by peer: Int, _ now: Instant) throws(Rejection) {
        guard let (log, head) = try verify(announcement.note, from: peer, now) else { return }
        var inline: RangeAnswer?
        if !announcement.inlineEntries.isEmpty {
            do throws(Rejection) {
                inline = try RangeAnswer(
                    from: announcement.inlineFrom, to: head.size, entries: announcement.inlineEntries)
            } catch {
                throw Rejection(error.reason, origin: logs[log].origin, error.detail)
            }
        }
        defer { if logs[log].isOwn { toldOwnHead(peer, now) } }
        try consider(head, of: log, from: peer, inline: inline, now)
    }

    /// Parses a note and verifies the log's signature and what is new among the cosignatures.
    /// - Returns: nil for a log that only a charter which we do not hold yet can know.
    func verify(_ note: [UInt8], from peer: Int, _ now: Instant) throws(Rejection) -> (log: Int, head: Head)? {
        let offered = try OfferedNote(note)
        let checkpoint = offered.checkpoint
        guard let log = logIndex(checkpoint.origin) else {
            if peers[peer].charterVersion > membership.version { return nil }
            throw Rejection(.unknownLog, "a head of a log that no member has")
        }
        let known = logs[log].knownHead(HeadKey(size: checkpoint.size, root: checkpoint.root))
        var head = Head(checkpoint, logSignature: try offered.logSignature(logs[log].key, known: known, memory: memory))
        let news = try cosignatureCheck(now).newSignatures(
            in: offered.note.signatures, of: checkpoint, known: known?.cosignatures ?? [])
        _ = head.merge(news)
        return (log, head)
    }

    /// Compares a verified head with what we hold, and acts on it.
    mutating func consider(
        _ head: Head, of log: Int, from peer: Int, inline: RangeAnswer? = nil, isExchange: Bool = false, _ now: Instant
    ) throws(Rejection) {
        // It is told; what it signed comes by others, if anybody took it.
        guard !isSuperseded(peer, as: log) else { return }
        let origin = logs[log].origin
        if head.size == 0 {
            guard head.root == MerkleTree.emptyRoot else {
                throw Rejection(.wrongEmptyRoot, origin: origin, "a head of size zero with another root")
            }
            return
        }
        guard logs[log].fork == nil else { return consideredForked(head, of: log, from: peer, now) }
        if head.size > logs[log].size {
            if holdsBack(log, from: peer) { return }
            peers[peer].logs[log].known = max(peers[peer].logs[log].known, head.size)
            offered(head, of: log, by: peer, inline: inline, now)
        } else if head.size == logs[log].size {
            guard head.root == logs[log].root else {
                throw contradicted(log, by: head, .contradictoryHead, "a head of our size with another root")
            }
            peers[peer].logs[log].known = max(peers[peer].logs[log].known, head.size)
            if logs[log].head?.key != head.key { adopt(head, of: log, from: peers[peer].id, now) }
            mergeSignatures(head.cosignatures, into: head.key, of: log, from: peers[peer].id, now)
        } else {
            try considerOld(head, of: log, from: peer, isExchange: isExchange, now)
        }
    }

    private mutating func offered(_ head: Head, of log: Int, by peer: Int, inline: RangeAnswer?, _ now: Instant) {
        var head = head
        if logs[log].isOwn, let known = own?.offered, known < head.size { own?.offered = head.size }
        if logs[log].isOwn, logs[log].offers.last.map({ $0.head.size < head.size }) ?? true {
            emit(.ownLogIsLonger(origin: head.origin, note: head.note))
        }
        _ = head.merge(logs[log].takeEarly(head.key))
        logs[log].addOffer(head, by: peers[peer].id, limit: settings.offeredHeadsPerLog)
        noteActivity(log, now)
        if let inline { takeInline(inline, head.key, of: log, from: peer, now) }
        schedule(log, now)
    }

    /// The size that we hold, within a larger head's tree, turns out to be a head itself: nothing need be fetched.
    private mutating func adopt(_ head: Head, of log: Int, from source: PeerID?, _ now: Instant) {
        var head = head
        _ = head.merge(logs[log].takeEarly(head.key))
        emit(.persistHead(origin: logs[log].origin, note: head.note))
        completed(head, of: log, inline: nil, from: source, now)
    }

    /// The log has signed what cannot be: remember it, and cosign nothing more of it.
    mutating func contradicted(
        _ log: Int, by head: Head, _ reason: Rejection.Reason, _ detail: String
    ) -> Rejection {
        #if DEBUG
        if PlantedBug.forgetsContradictions.isPlanted {
            return Rejection(reason, origin: logs[log].origin, detail)
        }
        #endif
        proveFork(log, by: head)
        if !logs[log].isContradicted {
            logs[log].isContradicted = true
            emit(.recordContradiction(origin: logs[log].origin, ours: logs[log].head?.note, other: head.note))
        }
        return Rejection(reason, origin: logs[log].origin, detail)
    }
}

// MARK: - Older heads

extension Replication {
    /// A head below ours: merely old, or not of our tree. Our own tree tells, once for each head.
    private mutating func considerOld(
        _ head: Head, of log: Int, from peer: Int, isExchange: Bool, _ now: Instant
    ) throws(Rejection) {
        if logs[log].recent.contains(where: { $0.key == head.key }) {
            mergeSignatures(head.cosignatures, into: head.key, of: log, from: peers[peer].id, now)
            isBehind(peer, log, head.size, isExchange: isExchange)
            return
        }
        if let old = logs[log].oldHeads.first(where: { $0.head.key == head.key }) {
            guard let isConsistent = old.isConsistent else { return }
            guard isConsistent else {
                proveFork(log, by: head)
                throw Rejection(.inconsistentHead, origin: head.origin, "a smaller head that is not of our tree")
            }
            isBehind(peer, log, head.size, isExchange: isExchange)
            return
        }
        let running = logs[log].oldHeads.filter { $0.isConsistent == nil }.count
        guard running < settings.oldHeadChecksPerLog else { return }
        let request = newRequest()
        logs[log].oldHeads.append(OldHead(head: head, peer: peers[peer].id, request: request))
        limitOldHeads(log)
        emit(.checkOldHead(request, origin: logs[log].origin, size: head.size, root: head.root))
    }

    private mutating func limitOldHeads(_ log: Int) {
        guard logs[log].oldHeads.count > settings.oldHeadsPerLog,
            let oldest = logs[log].oldHeads.firstIndex(where: { $0.isConsistent != nil })
        else { return }
        logs[log].oldHeads.remove(at: oldest)
    }

    mutating func oldHeadChecked(_ request: RequestID, _ isConsistent: Bool?, _ now: Instant) {
        if answerCompared(request, isConsistent, now) { return }
        for log in logs.indices {
            guard let index = logs[log].oldHeads.firstIndex(where: { $0.request == request }) else { continue }
            let old = logs[log].oldHeads[index]
            guard let isConsistent else {
                logs[log].oldHeads.remove(at: index)
                return
            }
            logs[log].oldHeads[index].isConsistent = isConsistent
            if isConsistent {
                if let peer = peerIndex(old.peer) { isBehind(peer, log, old.head.size, isExchange: false) }
            } else {
                let detail = "a smaller head that is not of our tree"
                reject(old.peer, contradicted(log, by: old.head, .inconsistentHead, detail))
            }
            return
        }
    }

    /// A peer's head is older than ours: tell it ours, unless it was told. In the exchange it is told again, as it
    /// may have lost it.
    private mutating func isBehind(_ peer: Int, _ log: Int, _ size: UInt64, isExchange: Bool) {
        peers[peer].logs[log].known = max(peers[peer].logs[log].known, size)
        guard let head = logs[log].head, peers[peer].logs[log].known < head.size else { return }
        if isExchange || peers[peer].logs[log].told < head.size { sendHead(head, of: log, to: peer) }
    }

    /// Sends a head without entries.
    mutating func sendHead(_ head: Head, of log: Int, to peer: Int) {
        peers[peer].logs[log].told = max(peers[peer].logs[log].told, head.size)
        send(peer, .head(Announcement(note: head.note)))
    }
}

// MARK: - A head is held

extension Replication {
    /// We hold a head whole: cosign it, pass it on, and look again at what we could not judge before.
    mutating func completed(
        _ head: Head, of log: Int, inline: RangeAnswer?, from source: PeerID?, _ now: Instant
    ) {
        logs[log].advance(to: head, limit: settings.recentHeadsPerLog)
        proveEarlierForks(log)
        cosign(log, now)
        relay(log, inline: inline, from: source, now)
        for signature in head.cosignatures {
            logs[log].spread.append(Spread(head: head.key, signature: signature, source: source))
        }
        if !head.cosignatures.isEmpty { setSpreadTimer(log, now) }
        reviewOffers(log, now)
    }

    /// Heads that were beyond us and are not any more.
    mutating func reviewOffers(_ log: Int, _ now: Instant) {
        let size = logs[log].size
        let behind = logs[log].takeOffers(upTo: size)
        for offer in behind where logs[log].head?.key != offer.head.key {
            for id in offer.peers {
                guard let peer = peerIndex(id) else { continue }
                do throws(Rejection) {
                    try consider(offer.head, of: log, from: peer, now)
                } catch {
                    reject(id, error)
                }
            }
        }
    }

    /// Passes our head on: at once to peers that do not hear the log's owner themselves, later to those that probably
    /// have it already.
    private mutating func relay(_ log: Int, inline: RangeAnswer?, from source: PeerID?, _ now: Instant) {
        guard let head = logs[log].head, !logs[log].isOwn else { return }
        var isLater = false
        for peer in peers.indices where lacks(peer, log) {
            guard !peers[peer].neighbours.containsExactly(logs[log].owner) else {
                isLater = true
                continue
            }
            let state = peers[peer].logs[log]
            guard let inline, max(state.known, state.told) == inline.from else {
                sendHead(head, of: log, to: peer)
                continue
            }
            peers[peer].logs[log].told = head.size
            let message = Announcement(note: head.note, inlineFrom: inline.from, inlineEntries: inline.entries)
            send(peer, .head(message))
        }
        guard isLater else { return }
        logs[log].relayAt = now + settings.relayDelay
        setRelayTimer(log, at: now + settings.relayDelay)
    }

    /// Whether a peer, other than the log's owner, is not known to have our head, and has not been told of it.
    private func lacks(_ peer: Int, _ log: Int) -> Bool {
        guard let head = logs[log].head, peers[peer].isUsable else { return false }
        guard !peers[peer].member.isExactly(logs[log].owner) else { return false }
        return peers[peer].logs[log].known < head.size && peers[peer].logs[log].told < head.size
    }

    mutating func setSpreadTimer(_ log: Int, _ now: Instant) {
        setRelayTimer(log, at: now + settings.spreadDelay)
    }

    private mutating func setRelayTimer(_ log: Int, at moment: Instant) {
        // One timer serves both delays; a later moment never puts off an earlier one.
        if logs[log].isRelayTimerSet { return }
        logs[log].isRelayTimerSet = true
        emit(.setTimer(.relay(origin: logs[log].origin), at: moment))
    }

    mutating func relayDue(_ origin: String, _ now: Instant) {
        guard let log = logIndex(origin) else { return }
        logs[log].isRelayTimerSet = false
        flushSpread(log)
        guard let moment = logs[log].relayAt else { return }
        guard moment <= now else { return setRelayTimer(log, at: moment) }
        logs[log].relayAt = nil
        guard let head = logs[log].head else { return }
        for peer in peers.indices where lacks(peer, log) { sendHead(head, of: log, to: peer) }
    }
}

internal import Alliance
internal import TransparencyLog

// Cosignatures: made, collected, passed on, refreshed.

extension Replication {
    mutating func signaturesReceived(_ set: SignatureSet, from peer: Int, _ now: Instant) throws(Rejection) {
        guard let log = logIndex(set.origin) else {
            if peers[peer].charterVersion > membership.version { return }
            throw Rejection(.unknownLog, "signatures of a log that no member has")
        }
        let origin = logs[log].origin
        guard let checkpoint = try? Checkpoint(origin: origin, size: set.size, root: set.root) else {
            throw Rejection(.malformedSignature, origin: origin, "signatures of a head that cannot be")
        }
        var lines: [NoteSignature] = []
        for line in set.lines {
            guard line.last == UInt8(ascii: "\n"), let parsed = try? NoteSignature(parsing: line.dropLast()) else {
                throw Rejection(.malformedSignature, origin: origin, "a signature line cannot be read")
            }
            lines.append(parsed)
        }
        let key = HeadKey(size: set.size, root: set.root)
        let known = logs[log].knownHead(key)
        let news = try cosignatureCheck(now).newSignatures(in: lines, of: checkpoint, known: known?.cosignatures ?? [])
        // Whoever passes cosignatures on holds the head; only its word, so it only spares it an announcement.
        if known != nil || set.size > logs[log].size {
            peers[peer].logs[log].known = max(peers[peer].logs[log].known, set.size)
        }
        guard !news.isEmpty else { return }
        if logs[log].fork != nil { learn(news.map(\.line), under: key, of: log, from: peers[peer].id) }
        if known != nil {
            mergeSignatures(news, into: key, of: log, from: peers[peer].id, now)
        } else if set.size > logs[log].size, logs[log].fork == nil {
            logs[log].keepEarly(news, of: key, limit: settings.earlyHeadsPerLog)
        }
    }

    /// Takes verified cosignatures of a known head; what is new is stored, if the head is, and passed on.
    mutating func mergeSignatures(
        _ signatures: [ReplicaSignature], into key: HeadKey, of log: Int, from source: PeerID?, _ now: Instant
    ) {
        guard !signatures.isEmpty, let news = logs[log].merge(signatures, into: key), !news.isEmpty else { return }
        // A head that is not held yet keeps them, and they go with it when it is. What a quorum holds may be due by that.
        guard key.size <= logs[log].size, let head = logs[log].knownHead(key) else {
            if logs[log].quota.delay != nil { schedule(log, now) }
            return
        }
        logs[log].noteReceipts(news, size: key.size)
        emit(
            .persistSignatures(
                origin: logs[log].origin, checkpoint: head.checkpoint.text, news.map(\.line)))
        for signature in news {
            if logs[log].spread.count >= WireLimits.signatureLines { flushSpread(log) }
            logs[log].spread.append(Spread(head: key, signature: signature, source: source))
        }
        setSpreadTimer(log, now)
        if logs[log].isOwn { announceIfDue(now) }
    }

    /// Passes on what others have cosigned, to peers that do not hear the cosigner themselves.
    mutating func flushSpread(_ log: Int) {
        let spread = logs[log].spread
        logs[log].spread = []
        guard !spread.isEmpty else { return }
        #if DEBUG
        if PlantedBug.noSignatureRelay.isPlanted { return }
        #endif
        var keys: [HeadKey] = []
        for item in spread where !keys.contains(item.head) { keys.append(item.head) }
        for peer in peers.indices where peers[peer].isUsable {
            let state = peers[peer]
            for key in keys {
                let lines = spread.filter { item in
                    item.head == key && item.source != state.id && !item.signature.member.isExactly(state.member)
                        && !item.signature.member.isExactly(me)
                        && !state.neighbours.containsExactly(item.signature.member)
                }
                if !lines.isEmpty { sendSignatures(lines.map(\.signature), of: log, key, to: peer) }
            }
        }
    }

    mutating func sendSignatures(_ signatures: [ReplicaSignature], of log: Int, _ key: HeadKey, to peer: Int) {
        let lines = signatures.map { Array($0.line.line.utf8) + [UInt8(ascii: "\n")] }
        for start in stride(from: 0, to: lines.count, by: 64) {
            let part = Array(lines[start..<min(start + 64, lines.count)])
            send(
                peer,
                .signatures(SignatureSet(origin: logs[log].origin, size: key.size, root: key.root, lines: part)))
        }
    }
}

// MARK: - Our own

extension Replication {
    /// Whether our cosignatures of this log count under the charter.
    func mayCosign(_ log: Int) -> Bool {
        membership.replicas(of: logs[log].origin).contains { $0.id.isExactly(me) }
    }

    /// Whether our cosignature of the head that is held is known.
    func hasCosigned(_ log: Int) -> Bool {
        logs[log].head?.cosignatures.contains { $0.member.isExactly(me) } ?? false
    }

    /// Cosigns the head that is held, if it may be: another member's log, all of it true, no contradiction known, and
    /// nothing larger accepted.
    mutating func cosign(_ log: Int, _ now: Instant) {
        guard let head = logs[log].head, head.size == logs[log].size, head.size >= logs[log].acceptedSize,
            !logs[log].isOwn, logs[log].isTrustworthy, !logs[log].isContradicted, mayCosign(log)
        else { return }
        emit(.cosign(origin: logs[log].origin, checkpoint: head.checkpoint.text))
    }

    mutating func cosigned(_ origin: String, _ key: HeadKey, _ line: NoteSignature, _ now: Instant) {
        guard let log = logIndex(origin), let claim = try? Cosignature(parsing: line) else { return }
        let signature = ReplicaSignature(member: me, time: claim.timestamp, line: line)
        logs[log].cosigningFailures = 0
        if logs[log].fork != nil { learn([line], under: key, of: log, from: nil) }
        guard let news = logs[log].merge([signature], into: key), !news.isEmpty else { return }
        logs[log].noteReceipts(news, size: key.size)
        for peer in peers.indices where peers[peer].isUsable {
            sendSignatures([signature], of: log, key, to: peer)
        }
    }

    /// The store would not, or could not: where nothing that we know of forbids it, it is tried again.
    mutating func cosigningFailed(_ origin: String, _ now: Instant) {
        #if DEBUG
        if PlantedBug.givesUpCosigning.isPlanted { return }
        #endif
        guard let log = logIndex(origin), !hasCosigned(log) else { return }
        logs[log].cosigningFailures += 1
        setRetryTimer(log, at: now + backoff(logs[log].cosigningFailures))
    }

    /// Someone here wants fresh cosignatures: at most one refresh a log in ``ReplicationSettings/freshnessInterval``.
    mutating func freshnessWanted(_ origin: String, _ now: Instant) {
        guard let log = logIndex(origin) else { return }
        if let last = logs[log].lastRefresh, now - last < settings.freshnessInterval, now >= last {
            emit(.setTimer(.freshness(origin: logs[log].origin), at: last + settings.freshnessInterval))
            return
        }
        refresh(log, except: nil, now)
    }

    /// A peer wants them. If we refreshed just now, it has, or will have, what came of that; so the wish cannot go
    /// round in circles.
    mutating func freshnessAsked(_ origin: String, by peer: Int, _ now: Instant) {
        guard let log = logIndex(origin) else { return }
        if let last = logs[log].lastRefresh, now - last < settings.freshnessInterval, now >= last { return }
        refresh(log, except: peer, now)
    }

    private mutating func refresh(_ log: Int, except source: Int?, _ now: Instant) {
        logs[log].lastRefresh = now
        cosign(log, now)
        for peer in peers.indices where peer != source && peers[peer].isUsable {
            send(peer, .wantFresh(origin: logs[log].origin))
        }
    }
}

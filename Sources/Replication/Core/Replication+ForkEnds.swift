internal import Alliance
internal import TransparencyLog

// Where counting in a forked log ends (formats 11): the heads that replicas cosigned go to everybody, so that all find the
// same largest quorum; what is held becomes that checkpoint's tree, and nothing beyond it is asked for.

extension Replication {
    /// What is known of where counting in a log ends: nothing.
    private func unknownEnding(of log: Int) -> ForkEnding {
        ForkEnding(
            key: logs[log].key, quorums: membership.quorums(of: logs[log].origin),
            cut: membership.cuts[logs[log].origin], limit: settings.forkHeadsPerMember,
            member: me)
    }

    /// A log is forked, as is known now: whatever was on its way is of no use any more, and the cosignatures that are known
    /// tell where counting ends.
    mutating func beginEnding(_ log: Int) {
        guard logs[log].ending == nil else { return }
        logs[log].ending = unknownEnding(of: log)
        logs[log].needsSettling = true
        logs[log].ready = []
        dropFetch(log)
        var heads = logs[log].recent + logs[log].offers.map(\.head)
        if let head = logs[log].head { heads.append(head) }
        for head in heads {
            if let known = forkHead(head.note, of: log) { logs[log].ending?.add(known) }
        }
        emitForkHeads(log)
    }

    /// What the store holds of a forked log. What was damaged there is let go: others tell it again, and nobody is told it.
    mutating func restoreEnding(_ log: Int, from notes: [[UInt8]]) {
        logs[log].ending = unknownEnding(of: log)
        logs[log].needsSettling = true
        for note in notes {
            if let known = forkHead(note, of: log) { logs[log].ending?.add(known) }
        }
    }

    /// Reads a note that is held here; nil where it is not what was stored.
    private func forkHead(_ note: [UInt8], of log: Int) -> ForkEnding.Head? {
        guard let parsed = try? SignedNote(parsing: note) else { return nil }
        let memory = memory
        return try? logs[log].ending?.head(parsed) { key, text, line in
            SignatureClaim(key: key, text: text, line: line).isTrue(rememberedBy: memory)
        }
    }

    /// Other charters may judge otherwise who holds what.
    mutating func rejudgeForks(_ now: Instant) {
        for log in logs.indices {
            guard let ending = logs[log].ending else { continue }
            let quorums = membership.quorums(of: logs[log].origin)
            let judged = ending.judged(by: quorums, cut: membership.cuts[logs[log].origin])
            guard judged != ending else { continue }
            logs[log].ending = judged
            emitForkHeads(log)
            logs[log].needsSettling = true
            settle(log)
        }
    }

    private mutating func emitForkHeads(_ log: Int) {
        guard let ending = logs[log].ending else { return }
        emit(.persistForkHeads(origin: logs[log].origin, ending.keptHeads.map(\.note)))
    }

    // MARK: Learning

    /// A peer tells of heads of forked logs.
    mutating func forkHeadsReceived(_ notes: [[UInt8]], from peer: Int, _ now: Instant) throws(Rejection) {
        var found: [Int: [ForkEnding.Head]] = [:]
        for bytes in notes {
            let offered = try OfferedNote(bytes)
            // Of a log that only another charter names, or of whose fork the proof was lost: it is told again.
            guard let log = logIndex(offered.checkpoint.origin), let ending = logs[log].ending else { continue }
            let memory = memory
            do throws(AllianceError) {
                let head = try ending.head(offered.note) { key, text, line in
                    SignatureClaim(key: key, text: text, line: line).isTrue(rememberedBy: memory)
                }
                found[log, default: []].append(head)
            } catch {
                throw Rejection(
                    .badSignature, origin: logs[log].origin, "a head of a forked log: \(error.code.rawValue)")
            }
        }
        for log in found.keys.sorted() { learn(found[log] ?? [], of: log, from: peers[peer].id) }
    }

    /// A peer holds a head of a forked log.
    mutating func consideredForked(_ head: Head, of log: Int, from peer: Int, _ now: Instant) {
        peers[peer].logs[log].forkHead = head.key
        if head.key == logs[log].head?.key {
            peers[peer].logs[log].known = head.size
            mergeSignatures(head.cosignatures, into: head.key, of: log, from: peers[peer].id, now)
        }
        if let known = forkHead(head.note, of: log) { learn([known], of: log, from: peers[peer].id) }
        // One that went on, or on the other branch, has not heard.
        tellFork(log, to: peer)
        offerEnd(log, now)
    }

    /// Cosignatures of a head of a forked log have come, or were made here.
    mutating func learn(_ lines: [NoteSignature], under key: HeadKey, of log: Int, from source: PeerID?) {
        guard let head = logs[log].ending?.heads.first(where: { $0.size == key.size && $0.root == key.root }),
            let note = try? SignedNote(text: head.checkpoint.text, signatures: [head.logSignature] + lines),
            let known = forkHead(note.bytes, of: log)
        else { return }
        learn([known], of: log, from: source)
    }

    private mutating func learn(_ heads: [ForkEnding.Head], of log: Int, from source: PeerID?) {
        let end = logs[log].ending?.known.end
        let own = logs[log].ending?.own.count
        let news = heads.filter { logs[log].ending?.add($0) ?? false }
        guard !news.isEmpty || logs[log].ending?.own.count != own else { return }
        emitForkHeads(log)
        guard !news.isEmpty else { return }
        // With what we knew of the same heads besides.
        let merged = (logs[log].ending?.heads ?? []).filter { known in
            news.contains { $0.size == known.size && $0.root == known.root }
        }
        let added = merged.filter { known in
            !news.contains {
                $0.size == known.size && $0.root == known.root && $0.cosignatures.count >= known.cosignatures.count
            }
        }
        let isOther = logs[log].ending?.known.end != end
        if isOther {
            logs[log].needsSettling = true
            settle(log)
        } else {
            guard logs[log].forkPushes < settings.forkPushes else { return }
            logs[log].forkPushes += 1
        }
        let told = isOther ? (logs[log].ending?.end.map { [$0] } ?? []) : merged
        for peer in peers.indices where peers[peer].logs[log].toldFork {
            tellForkHeads(peers[peer].id == source ? added : told, to: peer)
        }
    }

    // MARK: Telling

    private mutating func tellForkHeads(_ heads: [ForkEnding.Head], to peer: Int) {
        guard peers[peer].isUsable else { return }
        #if DEBUG
        if PlantedBug.keepsForkHeads.isPlanted { return }
        #endif
        for start in stride(from: 0, to: heads.count, by: WireLimits.forkHeads) {
            let part = heads[start..<min(start + WireLimits.forkHeads, heads.count)]
            send(peer, .forkHeads(part.map(\.note)))
        }
    }

    /// Tells a peer, which has the proof, all heads of a forked log that are known.
    mutating func tellForkHeads(of log: Int, to peer: Int) { tellForkHeads(logs[log].ending?.heads ?? [], to: peer) }

    /// What a forked log adds to the digest: all that two nodes tell each other of it.
    func writeFork(of log: Int, to writer: inout FieldWriter) {
        guard let ending = logs[log].ending else { return }
        writer.write(logs[log].origin)
        let known = ending.known
        for head in (known.end.map { [$0] } ?? []) + known.waiting {
            writer.write(head.size)
            writer.write(head.root)
            for key in head.keys { writer.write(key.publicKey) }
        }
    }

    // MARK: Settling

    /// Has the shell make what is held that which counts, unless it is busy with this log.
    mutating func settle(_ log: Int) {
        guard logs[log].needsSettling, !logs[log].isSettling, logs[log].storing == nil, let ending = logs[log].ending
        else { return }
        logs[log].needsSettling = false
        logs[log].isSettling = true
        emit(.settleFork(origin: logs[log].origin, end: ending.end?.note ?? []))
    }

    /// The shell has made a forked log what counts of it, as far as that is held.
    mutating func forkSettled(_ origin: String, _ outcome: ForkOutcome, _ now: Instant) {
        guard let log = logIndex(origin), logs[log].isSettling else { return }
        logs[log].isSettling = false
        guard case .held(let size, let root, let note, let waiting) = outcome else {
            logs[log].settlingFailures += 1
            // That may have failed as well, and comes first.
            if let fork = logs[log].fork { emit(.persistFork(origin: origin, proof: fork.bytes)) }
            logs[log].needsSettling = true
            // Counting a long log anew takes long: a disk that stays full must not keep the store's writer busy with it.
            return setRetryTimer(log, at: now + settings.backoff(logs[log].settlingFailures))
        }
        logs[log].settlingFailures = 0
        take(size, root, note, of: log)
        learn(([note] + waiting).compactMap { forkHead($0, of: log) }, of: log, from: nil)
        // Also what is remembered and told nobody: an earlier list of what is to be kept did not have it.
        emitForkHeads(log)
        settle(log)
        for peer in peers.indices {
            (peers[peer].logs[log].known, peers[peer].logs[log].told) = (0, 0)
            if let head = logs[log].head, peers[peer].isUsable { sendHead(head, of: log, to: peer) }
        }
        offerEnd(log, now)
    }

    private mutating func take(_ size: UInt64, _ root: HashValue, _ note: [UInt8], of log: Int) {
        logs[log].size = size
        logs[log].root = root
        logs[log].head = storedHead(note, log)
        logs[log].acceptedSize = size
        (logs[log].recent, logs[log].offers, logs[log].ready) = ([], [], [])
        (logs[log].oldHeads, logs[log].early, logs[log].spread) = ([], [], [])
        (logs[log].relayAt, logs[log].notBefore, logs[log].localFailures) = (nil, nil, 0)
        if logs[log].isOwn { publishing = Publishing(announced: size) }
    }

    /// Asks for what is missing up to the end, of peers that hold just that.
    func isDue(_ log: Int) -> Bool { !logs[log].needsSettling && !logs[log].isSettling }

    mutating func offerEnd(_ log: Int, _ now: Instant) {
        guard let end = logs[log].ending?.end, isDue(log), end.size > logs[log].size else { return }
        var head = Head(end.checkpoint, logSignature: end.logSignature)
        let check = cosignatureCheck(now)
        _ = head.merge(check.uncheckedSignatures(in: end.cosignatures.map(\.line), of: end.checkpoint))
        for peer in peers.indices where peers[peer].logs[log].forkHead == head.key {
            peers[peer].logs[log].known = head.size
            logs[log].addOffer(head, by: peers[peer].id, limit: settings.offeredHeadsPerLog)
        }
        schedule(log, now)
    }
}

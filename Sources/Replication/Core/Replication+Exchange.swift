internal import Alliance
internal import TransparencyLog

// The periodic exchange: one small digest when nothing differs; when something does, pages of heads: of all of them while
// they are few, else of those that a summary shows to differ. It alone guarantees that what one node holds reaches all
// that are connected with it; announcements only make it fast.

extension Replication {
    mutating func setExchangeTimer(_ peer: Int, _ now: Instant) {
        let jitter = Int64.random(in: -settings.exchangeJitter...settings.exchangeJitter, using: &random)
        emit(.setTimer(.exchange(peers[peer].id), at: now + settings.exchangeInterval + jitter))
    }

    mutating func exchange(_ id: PeerID, _ now: Instant) {
        guard let peer = peerIndex(id), !peers[peer].isEnded else { return }
        #if DEBUG
        if PlantedBug.noExchange.isPlanted { return setExchangeTimer(peer, now) }
        #endif
        send(peer, .digest(digest()))
        offerContested(to: peer)
        setExchangeTimer(peer, now)
    }

    /// SHA-256 over the charter, and by log the digest of its head, whether it is forked, and the newest start of its node: equal
    /// where there is nothing to tell each other.
    mutating func digest() -> HashValue {
        var writer = FieldWriter(reserving: 40 + 32 * logs.count)
        writer.write(membership.version)
        writer.write(membership.digest)
        for log in logs.indices {
            if let digest = headDigest(log) { writer.write(digest) }
            if logs[log].fork != nil { writer.write(logs[log].origin) }
            if let start = newestIncarnation(log) {
                writer.write(start.number)
                writer.write(start.value)
            }
        }
        return HashValue.sha256(writer.bytes)
    }

    /// SHA-256 over a log's origin and its head's size, root and cosigners with their times; nil without a head.
    private mutating func headDigest(_ log: Int) -> HashValue? {
        if let known = logs[log].headDigest { return known }
        guard let head = logs[log].head else { return nil }
        var writer = FieldWriter(reserving: 128 + 48 * head.cosignatures.count)
        writer.write(logs[log].origin)
        writer.write(head.size)
        writer.write(head.root)
        writer.write(UInt32(head.cosignatures.count))
        for signature in head.cosignatures {
            writer.write(signature.member)
            writer.write(signature.time)
        }
        let digest = HashValue.sha256(writer.bytes)
        logs[log].headDigest = digest
        return digest
    }

    mutating func digestReceived(_ theirs: HashValue, from peer: Int, _ now: Instant) {
        if theirs == digest() {
            for log in logs.indices { isEqual(log, peer) }
            toldOwnHead(peer, now)
            return
        }
        // A peer that asks too often waits for its next turn: an answer is much longer than a question.
        guard mayAnswer(peers[peer].headsSentAt, now), mayAnswer(peers[peer].summarySentAt, now) else { return }
        offerAgain(to: peer)
        tellIncarnations(to: peer, now)
        let lines = logs.reduce(0) { $0 + ($1.head.map { 1 + $0.cosignatures.count } ?? 0) }
        guard lines > settings.headsLines else {
            peers[peer].headsSentAt = now
            tellForks(to: peer)
            return sendHeads(logs.indices, to: peer)
        }
        peers[peer].summarySentAt = now
        tellForks(to: peer)
        var heads: [HeadSummary] = []
        for log in logs.indices {
            if let digest = headDigest(log) { heads.append(HeadSummary(origin: logs[log].origin, digest: digest)) }
        }
        send(peer, .summary(Array(heads.prefix(WireLimits.headsCount))))
    }

    private func mayAnswer(_ last: Instant?, _ now: Instant) -> Bool {
        last.map { now < $0 || now - $0 >= settings.headsInterval } ?? true
    }

    /// The peer has the same head of a log as we.
    private mutating func isEqual(_ log: Int, _ peer: Int) {
        guard let head = logs[log].head else { return }
        peers[peer].logs[log].known = max(peers[peer].logs[log].known, head.size)
    }

    /// What the peer has, log by log: it is sent ours where that is something else, and then tells us what we lack.
    mutating func summaryReceived(_ heads: [HeadSummary], from peer: Int, _ now: Instant) {
        guard mayAnswer(peers[peer].headsSentAt, now) else { return }
        peers[peer].headsSentAt = now
        var position = 0
        var run: Range<Int>?
        for log in logs.indices {
            while position < heads.count, heads[position].origin.precedes(logs[log].origin) { position += 1 }
            let isNamed = position < heads.count && heads[position].origin.isExactly(logs[log].origin)
            let isSame = headDigest(log) == (isNamed ? heads[position].digest : nil)
            if logs[log].isOwn, isSame || !isNamed { toldOwnHead(peer, now) }
            guard isSame else {
                run = (run?.lowerBound ?? log)..<(log + 1)
                continue
            }
            isEqual(log, peer)
            if let run { sendHeads(run, to: peer) }
            run = nil
        }
        if let run { sendHeads(run, to: peer) }
    }

    /// What a peer holds of our own log is known now: its head, or that it has none.
    mutating func toldOwnHead(_ peer: Int, _ now: Instant) {
        guard !heardOfOwnLog.containsExactly(peers[peer].member) else { return }
        heardOfOwnLog.append(peers[peer].member)
        reviewIncarnation(now)
    }

    /// Sends the heads of logs that follow one another, on as many pages as they need.
    private mutating func sendHeads(_ range: Range<Int>, to peer: Int) {
        var after = range.lowerBound > 0 ? logs[range.lowerBound - 1].origin : ""
        var notes: [[UInt8]] = []
        var bytes = 0
        for log in range {
            guard let head = logs[log].head else { continue }
            let note = head.note
            if bytes + note.count > settings.headsPageBytes || notes.count >= WireLimits.headsCount {
                // The page covers everything up to the log before this one.
                let through = logs[log - 1].origin
                send(peer, .heads(HeadsPage(after: after, through: through, notes: notes)))
                (after, notes, bytes) = (through, [], 0)
            }
            notes.append(note)
            bytes += note.count
            peers[peer].logs[log].told = max(peers[peer].logs[log].told, head.size)
        }
        let through = range.upperBound < logs.count ? logs[range.upperBound - 1].origin : ""
        send(peer, .heads(HeadsPage(after: after, through: through, notes: notes)))
    }

    /// A peer's page: learn from it, and tell the peer what it lacks.
    mutating func headsReceived(_ page: HeadsPage, from peer: Int, _ now: Instant) throws(Rejection) {
        // Having sent all our heads just now, we need not repeat any of them.
        let hasOurs = peers[peer].headsSentAt.map { now >= $0 && now - $0 < settings.headsInterval } ?? false
        var last = page.after
        var mentioned: [Bool] = Array(repeating: false, count: logs.count)
        for note in page.notes {
            guard let (log, head) = try verify(note, from: peer, now) else { continue }
            let origin = logs[log].origin
            guard last.precedes(origin), page.through.isEmpty || !page.through.precedes(origin) else {
                throw Rejection(.unexpectedMessage, origin: origin, "a page of heads is not in order")
            }
            last = origin
            mentioned[log] = true
            do throws(Rejection) {
                try consider(head, of: log, from: peer, isExchange: !hasOurs, now)
            } catch {
                // A log that is forked must not keep the others from being compared.
                reject(peers[peer].id, error)
            }
            if !hasOurs { answer(head, note, of: log, to: peer) }
        }
        if let own = logs.firstIndex(where: \.isOwn), page.after.precedes(logs[own].origin),
            page.through.isEmpty || !page.through.precedes(logs[own].origin)
        {
            toldOwnHead(peer, now)
        }
        for log in logs.indices where !mentioned[log] && !hasOurs {
            let origin = logs[log].origin
            guard page.after.precedes(origin), page.through.isEmpty || !page.through.precedes(origin),
                let head = logs[log].head
            else { continue }
            sendHead(head, of: log, to: peer)
        }
    }

    /// The peer has our head: tell it the cosignatures that it has not, or only older ones.
    private mutating func answer(_ theirs: Head, _ note: [UInt8], of log: Int, to peer: Int) {
        guard let ours = logs[log].head, ours.key == theirs.key, let parsed = try? SignedNote(parsing: note) else {
            return
        }
        let missing = ours.cosignatures.filter { signature in
            !parsed.signatures.contains { line in
                guard line.name.isExactly(signature.line.name), line.keyID == signature.line.keyID,
                    let claim = try? Cosignature(parsing: line)
                else { return false }
                return claim.timestamp >= signature.time
            }
        }
        if !missing.isEmpty { sendSignatures(missing, of: log, ours.key, to: peer) }
    }
}

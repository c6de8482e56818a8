internal import TransparencyLog

// The periodic exchange: one small digest when nothing differs, pages of heads when something does. It alone guarantees
// that what one node holds reaches all that are connected with it; announcements only make it fast.

extension Replication {
    mutating func setExchangeTimer(_ peer: Int, _ now: Instant) {
        let jitter = Int64.random(in: -settings.exchangeJitter...settings.exchangeJitter, using: &random)
        emit(.setTimer(.exchange(peers[peer].id), at: now + settings.exchangeInterval + jitter))
    }

    mutating func exchange(_ id: PeerID, _ now: Instant) {
        guard let peer = peerIndex(id), !peers[peer].isEnded else { return }
        send(peer, .digest(digest()))
        setExchangeTimer(peer, now)
    }

    /// SHA-256 over the charter, and of each log of which a head is held the origin, size, root and cosigners with
    /// their times: equal where there is nothing to tell each other.
    mutating func digest() -> HashValue {
        if let digestCache { return digestCache }
        var writer = FieldWriter(reserving: 256 * (logs.count + 1))
        writer.write(membership.version)
        writer.write(membership.digest)
        for log in logs {
            guard let head = log.head else { continue }
            writer.write(log.origin)
            writer.write(head.size)
            writer.write(head.root)
            writer.write(UInt32(head.cosignatures.count))
            for signature in head.cosignatures {
                writer.write(signature.member)
                writer.write(signature.time)
            }
        }
        let digest = HashValue.sha256(writer.bytes)
        digestCache = digest
        return digest
    }

    mutating func digestReceived(_ theirs: HashValue, from peer: Int, _ now: Instant) {
        if theirs == digest() {
            for log in logs.indices {
                if let head = logs[log].head {
                    peers[peer].logs[log].known = max(peers[peer].logs[log].known, head.size)
                }
            }
            return
        }
        // A peer that asks too often waits for its next turn: an answer is much longer than a question.
        if let last = peers[peer].headsSentAt, now - last < settings.headsInterval, now >= last { return }
        peers[peer].headsSentAt = now
        sendHeads(to: peer)
    }

    /// Sends all heads, on as many pages as they need.
    private mutating func sendHeads(to peer: Int) {
        var after = ""
        var notes: [[UInt8]] = []
        var bytes = 0
        for log in logs.indices {
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
        send(peer, .heads(HeadsPage(after: after, through: "", notes: notes)))
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

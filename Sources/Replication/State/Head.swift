public import TransparencyLog

/// A head whose log signature has been verified, with the replica cosignatures that we know of it.
struct Head: Hashable, Sendable {
    let checkpoint: Checkpoint
    let logSignature: NoteSignature
    /// At most one a member, the newest; sorted by member.
    private(set) var cosignatures: [ReplicaSignature] = []

    var origin: String { checkpoint.origin }
    var size: UInt64 { checkpoint.size }
    var root: HashValue { checkpoint.root }

    init(_ checkpoint: Checkpoint, logSignature: NoteSignature) {
        self.checkpoint = checkpoint
        self.logSignature = logSignature
    }

    func isSame(size: UInt64, root: HashValue) -> Bool {
        self.size == size && self.root == root
    }

    /// Takes over those that say something new: a member that was missing, or a newer time.
    /// - Returns: What was new.
    mutating func merge(_ signatures: [ReplicaSignature]) -> [ReplicaSignature] {
        cosignatures.merge(signatures)
    }

    /// Forgets the cosignatures of keys that a newer charter no longer names.
    mutating func keep(_ isKept: (ReplicaSignature) -> Bool) {
        cosignatures.removeAll { !isKept($0) }
    }

    /// The note as it is sent: the log's signature, then the newest cosignatures, as many as a note may have.
    var note: [UInt8] {
        let newest = cosignatures.sorted { $0.time == $1.time ? $0.member.precedes($1.member) : $0.time > $1.time }
        let lines = [logSignature] + newest.prefix(SignedNote.maximumSignatureCount - 1).map(\.line)
        guard let note = try? SignedNote(text: checkpoint.text, signatures: lines) else {
            preconditionFailure("a verified head makes a note")
        }
        return note.bytes
    }
}

/// A replica's cosignature of one head, verified.
public struct ReplicaSignature: Hashable, Sendable {
    /// The member whose replica key made it.
    public let member: String
    /// When, by the member's word; POSIX seconds.
    public let time: UInt64

    /// Seconds by which a newer time has to be newer (formats 4: at most one refresh every 10 s). Without that, a member
    /// could sign one head for every second of its clock and have all others verify, store and pass it on.
    static let spacing: UInt64 = 10

    /// Milliseconds that a refresh may be old when it comes: with ``spacing``, what bounds how many of one member and one
    /// head can ever be news at once.
    static let refreshAge: Int64 = 3_600_000

    /// Whether a signature of that time takes this one's place.
    func isRefreshed(by time: UInt64) -> Bool { time >= self.time && time - self.time >= Self.spacing }
    /// The signature line.
    public let line: NoteSignature
}

extension [ReplicaSignature] {
    /// Keeps one a member, the newest, sorted by member; returns what was new.
    mutating func merge(_ signatures: [ReplicaSignature]) -> [ReplicaSignature] {
        var news: [ReplicaSignature] = []
        for signature in signatures {
            let index = firstIndex { !$0.member.precedes(signature.member) } ?? count
            if index < count && self[index].member.isExactly(signature.member) {
                guard self[index].isRefreshed(by: signature.time) else { continue }
                self[index] = signature
            } else {
                insert(signature, at: index)
            }
            news.append(signature)
        }
        return news
    }
}

/// A note that a peer sent, parsed with its log found, and nothing verified yet.
struct OfferedNote {
    let note: SignedNote
    let checkpoint: Checkpoint

    /// Parses a note within its limits.
    init(_ bytes: [UInt8]) throws(Rejection) {
        guard bytes.count <= WireLimits.noteBytes else { throw Rejection(.oversizedFrame, "a note is too long") }
        guard let note = try? SignedNote(parsing: bytes), let checkpoint = try? Checkpoint(parsing: note.text) else {
            throw Rejection(.malformedNote, "a head is no signed checkpoint")
        }
        guard checkpoint.extensions.isEmpty else {
            throw Rejection(.malformedNote, "a head of a member's log has extension lines")
        }
        self.note = note
        self.checkpoint = checkpoint
    }

    /// Verifies the log's signature, unless exactly this one is known to be good.
    func logSignature(_ key: VerifierKey, known: Head?) throws(Rejection) -> NoteSignature {
        let origin = checkpoint.origin
        let lines = note.signatures.filter { $0.isAttributed(to: key) }
        guard let first = lines.first else { throw Rejection(.badSignature, origin: origin, "the log has not signed") }
        if lines.count == 1, let known, known.checkpoint == checkpoint, known.logSignature == first { return first }
        guard let single = try? SignedNote(text: note.text, signatures: lines), (try? single.verify([key])) != nil
        else {
            throw Rejection(.badSignature, origin: origin, "the log's signature does not verify")
        }
        return first
    }
}

/// Verifies replica cosignatures of a checkpoint, sparing those that say nothing new.
struct CosignatureCheck {
    let membership: Membership
    let now: Instant
    let tolerance: Int64

    /// The lines that are by a known replica key, verified, and newer than what is known.
    ///
    /// Lines by keys that nobody knows are ignored, as are those of a time too far ahead of our clock: they do not
    /// count yet, and are no offence. A known key's line that does not verify is one.
    func newSignatures(
        in lines: [NoteSignature], of checkpoint: Checkpoint, known: [ReplicaSignature]
    ) throws(Rejection) -> [ReplicaSignature] {
        var result: [ReplicaSignature] = []
        let replicas = membership.replicas(of: checkpoint.origin)
        let text = checkpoint.text
        for line in lines {
            guard let member = replicas.first(where: { $0.replicaKey.map(line.isAttributed(to:)) ?? false }),
                let key = member.replicaKey
            else { continue }
            guard let claim = try? Cosignature(parsing: line) else {
                throw Rejection(
                    .malformedSignature, origin: checkpoint.origin, "a cosignature has a wrong length or time")
            }
            if Instant(seconds: claim.timestamp) - now > tolerance { continue }
            if let old = known.first(where: { $0.member.isExactly(member.id) }) {
                let isRecent = now - Instant(seconds: claim.timestamp) <= ReplicaSignature.refreshAge
                guard old.isRefreshed(by: claim.timestamp), isRecent else { continue }
            }
            guard let time = try? CosignatureSigner.verify(line, key: key, text: text) else {
                throw Rejection(.badSignature, origin: checkpoint.origin, "a member's cosignature does not verify")
            }
            _ = result.merge([ReplicaSignature(member: member.id, time: time, line: line)])
        }
        return result
    }

    /// The lines by replica keys in a note of our own store, which verified them before it stored them.
    func uncheckedSignatures(in lines: [NoteSignature], of checkpoint: Checkpoint) -> [ReplicaSignature] {
        let replicas = membership.replicas(of: checkpoint.origin)
        var result: [ReplicaSignature] = []
        for line in lines {
            guard let member = replicas.first(where: { $0.replicaKey.map(line.isAttributed(to:)) ?? false }),
                let claim = try? Cosignature(parsing: line)
            else { continue }
            _ = result.merge([ReplicaSignature(member: member.id, time: claim.timestamp, line: line)])
        }
        return result
    }
}

internal import Alliance
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

    /// The note with the log's signature alone.
    var bareNote: [UInt8] {
        guard let note = try? SignedNote(text: checkpoint.text, signatures: [logSignature]) else {
            preconditionFailure("a verified head makes a note")
        }
        return note.bytes
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

    /// The lines by the log's key; nil where exactly this one is known to be good.
    private func unverifiedLines(_ key: VerifierKey, known: Head?) -> [NoteSignature]? {
        let lines = note.signatures.filter { $0.isAttributed(to: key) }
        if lines.count == 1, let known, known.checkpoint == checkpoint, known.logSignature == lines[0] { return nil }
        return lines
    }

    /// Verifies the log's signature, unless exactly this one is known to be good.
    func logSignature(
        _ key: VerifierKey, known: Head?, memory: (any SignatureMemory)? = nil
    ) throws(Rejection) -> NoteSignature {
        let origin = checkpoint.origin
        guard let lines = unverifiedLines(key, known: known) else {
            guard let known else { preconditionFailure("a known signature is that of a known head") }
            return known.logSignature
        }
        guard let first = lines.first else { throw Rejection(.badSignature, origin: origin, "the log has not signed") }
        for line in lines {
            let claim = SignatureClaim(key: key, text: note.text, line: line)
            guard claim.isTrue(rememberedBy: memory) else {
                throw Rejection(.badSignature, origin: origin, "the log's signature does not verify")
            }
        }
        return first
    }

    /// What ``logSignature(_:known:memory:)`` would verify.
    func logClaims(_ key: VerifierKey, known: Head?) -> [SignatureClaim] {
        (unverifiedLines(key, known: known) ?? []).map { SignatureClaim(key: key, text: note.text, line: $0) }
    }
}

/// Verifies replica cosignatures of a checkpoint, sparing those that say nothing new.
struct CosignatureCheck {
    let membership: Membership
    let now: Instant
    let tolerance: Int64
    var memory: (any SignatureMemory)?

    /// The lines that are by a known replica key, verified, and newer than what is known.
    ///
    /// Lines by keys that nobody knows are ignored, as are those of a time too far ahead of our clock: they do not
    /// count yet, and are no offence. A known key's line that does not verify is one.
    func newSignatures(
        in lines: [NoteSignature], of checkpoint: Checkpoint, known: [ReplicaSignature]
    ) throws(Rejection) -> [ReplicaSignature] {
        var result: [ReplicaSignature] = []
        let text = checkpoint.text
        for line in lines {
            guard let (member, key, time) = try claimed(line, of: checkpoint, known: known) else { continue }
            #if DEBUG
            if PlantedBug.unverifiedCosignatures.isPlanted {
                _ = result.merge([ReplicaSignature(member: member.id, time: time, line: line)])
                continue
            }
            #endif
            let claim = SignatureClaim(key: key, text: text, line: line)
            guard claim.isTrue(rememberedBy: memory) else {
                throw Rejection(.badSignature, origin: checkpoint.origin, "a member's cosignature does not verify")
            }
            _ = result.merge([ReplicaSignature(member: member.id, time: time, line: line)])
        }
        return result
    }

    /// What ``newSignatures(in:of:known:)`` would verify.
    func claims(in lines: [NoteSignature], of checkpoint: Checkpoint, known: [ReplicaSignature]) -> [SignatureClaim] {
        let text = checkpoint.text
        return lines.compactMap { line in
            guard let (_, key, _) = try? claimed(line, of: checkpoint, known: known) else { return nil }
            return SignatureClaim(key: key, text: text, line: line)
        }
    }

    /// Whose signature a line says it is, and of when; nil where it is nobody's who counts, or no news.
    private func claimed(
        _ line: NoteSignature, of checkpoint: Checkpoint, known: [ReplicaSignature]
    ) throws(Rejection) -> (member: Membership.Member, key: VerifierKey, time: UInt64)? {
        guard let (member, key) = membership.replica(line, of: checkpoint.origin) else { return nil }
        guard let claim = try? Cosignature(parsing: line) else {
            throw Rejection(
                .malformedSignature, origin: checkpoint.origin, "a cosignature has a wrong length or time")
        }
        if Instant(seconds: claim.timestamp) - now > tolerance { return nil }
        if let old = known.first(where: { $0.member.isExactly(member.id) }) {
            let isRecent = now - Instant(seconds: claim.timestamp) <= ReplicaSignature.refreshAge
            guard old.isRefreshed(by: claim.timestamp), isRecent else { return nil }
        }
        return (member, key, claim.timestamp)
    }

    /// The lines by replica keys in a note of our own store, which verified them before it stored them.
    func uncheckedSignatures(in lines: [NoteSignature], of checkpoint: Checkpoint) -> [ReplicaSignature] {
        var result: [ReplicaSignature] = []
        for line in lines {
            guard let (member, _) = membership.replica(line, of: checkpoint.origin),
                let claim = try? Cosignature(parsing: line)
            else { continue }
            _ = result.merge([ReplicaSignature(member: member.id, time: claim.timestamp, line: line)])
        }
        return result
    }
}

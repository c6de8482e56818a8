internal import Alliance
public import TransparencyLog

/// That a line is a key's signature over a note's text: what takes the time of handling a head.
public struct SignatureClaim: Hashable, Sendable {
    /// Whose signature it is said to be: a log's key, or a replica's.
    public let key: VerifierKey
    /// The note's text.
    public let text: [UInt8]
    /// The line.
    public let line: NoteSignature

    /// States that a line is a key's signature.
    public init(key: VerifierKey, text: [UInt8], line: NoteSignature) {
        self.key = key
        self.text = text
        self.line = line
    }

    /// Verifies it: about 55 µs.
    public var isTrue: Bool {
        if key.type == .cosignatureEd25519 {
            return (try? CosignatureSigner.verify(line, key: key, text: text)) != nil
        }
        guard let note = try? SignedNote(text: text, signatures: [line]) else { return false }
        return (try? note.verify([key])) != nil
    }

    /// Verifies it unless it is remembered, and has it remembered: whoever stores it looks at it again.
    func isTrue(rememberedBy memory: (any SignatureMemory)?) -> Bool {
        guard let memory else { return isTrue }
        if memory.isTrue(self) { return true }
        guard isTrue else { return false }
        memory.remember(self)
        return true
    }

    /// SHA-256 over the key, the text and the line: by what a claim is remembered.
    public var digest: HashValue {
        var writer = FieldWriter(reserving: 512)
        writer.write(key.name)
        writer.write(key.type.rawValue)
        writer.write(key.publicKey)
        writer.write(text)
        writer.write(line.name)
        writer.write(line.keyID)
        writer.write(line.signature)
        return HashValue.sha256(writer.bytes)
    }
}

/// Remembers claims that were found true, so that the shell can verify on all cores what ``Replication/Replication``
/// is about to ask for, and need not verify again what that has. Only a memory of work done: without it, or with any
/// part of it forgotten, all is decided alike.
public protocol SignatureMemory: Sendable {
    /// Whether this claim was verified, and is true.
    func isTrue(_ claim: SignatureClaim) -> Bool
    /// Takes note of a claim that was verified, and is true.
    func remember(_ claim: SignatureClaim)
}

extension Replication {
    /// The signatures that ``handle(_:now:)`` would verify for this message, in no more than it would look at.
    ///
    /// - Returns: none for a message that has none, or is refused before.
    public func claims(of message: Message, now: Instant) -> [SignatureClaim] {
        switch message {
        case .head(let head): claims(ofNote: head.note, now)
        case .heads(let page): page.notes.flatMap { claims(ofNote: $0, now) }
        case .signatures(let set): claims(of: set, now)
        case .forkHeads(let notes): notes.flatMap { claims(ofForkHead: $0) }
        default: []
        }
    }

    private func claims(ofNote note: [UInt8], _ now: Instant) -> [SignatureClaim] {
        guard let offered = try? OfferedNote(note), let log = logIndex(offered.checkpoint.origin) else { return [] }
        let checkpoint = offered.checkpoint
        let known = logs[log].knownHead(HeadKey(size: checkpoint.size, root: checkpoint.root))
        return offered.logClaims(logs[log].key, known: known)
            + cosignatureCheck(now).claims(
                in: offered.note.signatures, of: checkpoint, known: known?.cosignatures ?? [])
    }

    private func claims(ofForkHead note: [UInt8]) -> [SignatureClaim] {
        guard let offered = try? OfferedNote(note), let log = logIndex(offered.checkpoint.origin),
            let ending = logs[log].ending
        else { return [] }
        var claims: [SignatureClaim] = []
        _ = try? ending.head(offered.note) { key, text, line in
            claims.append(SignatureClaim(key: key, text: text, line: line))
            return true
        }
        return claims
    }

    private func claims(of set: SignatureSet, _ now: Instant) -> [SignatureClaim] {
        guard let log = logIndex(set.origin),
            let checkpoint = try? Checkpoint(origin: logs[log].origin, size: set.size, root: set.root)
        else { return [] }
        let lines = set.lines.compactMap { try? NoteSignature(parsing: $0.dropLast()) }
        let known = logs[log].knownHead(HeadKey(size: set.size, root: set.root))
        return cosignatureCheck(now).claims(in: lines, of: checkpoint, known: known?.cosignatures ?? [])
    }
}

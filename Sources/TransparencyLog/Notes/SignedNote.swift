/// A text and the signature lines beneath it, as parsed: nothing in it has been verified (section 1).
///
/// Layout: the text, which ends with a newline, then an empty line, then one or more signature lines. Example, with the
/// seed 00…1f (the last is one line):
///
///     log.example/test
///     8
///     XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=
///
///     — log.example/test b/3xwFbBzq6WxlhERAqWHtWNp41ryrJj3XdsjsM9ql7i1JVfR7xlWb0wYcN9
///     M1nVSJQWnpx/XB2Jg4iGplBK5rSJCQ8=
public struct SignedNote: Hashable, Sendable {
    /// The most bytes of a whole note.
    public static let maximumByteCount = 1 << 20
    /// The most signature lines of a note, read or made: a log's own and a quorum of at most 63.
    public static let maximumSignatureCount = 64

    /// The signed bytes, with the final newline and without the empty line that follows.
    public let text: [UInt8]
    /// The signature lines, in their order; never empty, duplicates kept.
    public let signatures: [NoteSignature]

    /// Parses a note.
    /// - Throws: ``TransparencyLogError/Code/invalidNote``, ``TransparencyLogError/Code/invalidSignatureLine``, or
    ///   ``TransparencyLogError/Code/limitExceeded`` above ``maximumByteCount`` or ``maximumSignatureCount``.
    public init(parsing bytes: [UInt8]) throws {
        try self.init(parsing: bytes[...])
    }

    /// Parses a note out of a slice, which it has to fill.
    /// - Throws: As ``init(parsing:)-([UInt8])``.
    public init(parsing bytes: ArraySlice<UInt8>) throws {
        guard bytes.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.limitExceeded, "a note has more than \(Self.maximumByteCount) bytes")
        }
        guard LineText.isNoteText(bytes) else {
            throw TransparencyLogError(.invalidNote, "a note is UTF-8 lines without control characters")
        }
        guard let textEnd = Self.endOfText(bytes) else {
            throw TransparencyLogError(.invalidNote, "a note has an empty line before its signatures")
        }
        var signatures: [NoteSignature] = []
        var lines = LineReader(bytes[(textEnd + 1)...])
        while let line = lines.next() {
            guard signatures.count < Self.maximumSignatureCount else {
                throw TransparencyLogError(.limitExceeded, "more than \(Self.maximumSignatureCount) signature lines")
            }
            signatures.append(try NoteSignature(parsing: line))
        }
        guard !signatures.isEmpty else {
            throw TransparencyLogError(.invalidNote, "a note has no signature")
        }
        text = Array(bytes[..<textEnd])
        self.signatures = signatures
    }

    /// Puts a note together.
    /// - Throws: ``TransparencyLogError/Code/invalidNote`` for a text that cannot be signed or no signature,
    ///   ``TransparencyLogError/Code/limitExceeded`` above ``maximumByteCount`` or ``maximumSignatureCount``.
    public init(text: [UInt8], signatures: [NoteSignature]) throws {
        guard LineText.isNoteText(text) else {
            throw TransparencyLogError(.invalidNote, "a note's text is UTF-8 lines without control characters")
        }
        guard !signatures.isEmpty else {
            throw TransparencyLogError(.invalidNote, "a note has no signature")
        }
        guard signatures.count <= Self.maximumSignatureCount else {
            throw TransparencyLogError(.limitExceeded, "more than \(Self.maximumSignatureCount) signature lines")
        }
        self.text = text
        self.signatures = signatures
        guard bytes.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.limitExceeded, "a note has more than \(Self.maximumByteCount) bytes")
        }
    }

    /// The note as it is sent and stored: exactly the bytes that it was parsed from.
    public var bytes: [UInt8] {
        var bytes = text
        bytes.append(UInt8(ascii: "\n"))
        for signature in signatures {
            bytes.append(contentsOf: signature.line.utf8)
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// Where the text ends, and the empty line is: after the first newline of the last two in a row.
    private static func endOfText(_ bytes: ArraySlice<UInt8>) -> Int? {
        var index = bytes.endIndex - 1
        while index > bytes.startIndex {
            if bytes[index] == UInt8(ascii: "\n"), bytes[index - 1] == UInt8(ascii: "\n") { return index }
            index -= 1
        }
        return nil
    }
}

// MARK: - Verification

/// A note of which at least one trusted key's signature was verified, and of which none failed.
public struct VerifiedNote: Hashable, Sendable {
    /// A signature line, the trusted key that it was verified against, and its time.
    public struct Signature: Hashable, Sendable {
        /// The key that made it.
        public let key: VerifierKey
        /// The line.
        public let line: NoteSignature
        /// A cosignature's time in POSIX seconds; nil for the types that carry none.
        public let timestamp: UInt64?
    }

    /// The note, with its unknown signature lines too.
    public let note: SignedNote
    /// The lines of trusted keys, in the note's order; a key can have several (of different times).
    public let signatures: [Signature]

    /// The text that is signed.
    public var text: [UInt8] {
        note.text
    }

    /// The newest signature by a key, or nil if it has not signed.
    public func signature(by key: VerifierKey) -> Signature? {
        signatures.filter { $0.key == key }.max { ($0.timestamp ?? 0) < ($1.timestamp ?? 0) }
    }
}

extension SignedNote {
    /// Verifies the lines of the keys given, as signed-note demands.
    ///
    /// Lines of other keys, by name or ID, are ignored, and so are those of keys whose algorithm is not supported
    /// here. Every line of a known key has to verify. Costs one Ed25519 verification per known line.
    /// - Throws: ``TransparencyLogError/Code/invalidSignature`` if a known key's line fails,
    ///   ``TransparencyLogError/Code/noTrustedSignature`` if there is none,
    ///   ``TransparencyLogError/Code/ambiguousKey`` if two different keys given have one name and ID.
    public func verify(_ keys: [VerifierKey]) throws -> VerifiedNote {
        var verified: [VerifiedNote.Signature] = []
        for line in signatures {
            var known: VerifierKey?
            for key in keys where key.type.isVerifiable && line.isAttributed(to: key) {
                guard known == nil || known == key else {
                    throw TransparencyLogError(.ambiguousKey, "two keys share a name and an ID", at: line.name)
                }
                known = key
            }
            guard let known else { continue }
            verified.append(try line.verify(known, text: text))
        }
        guard !verified.isEmpty else {
            throw TransparencyLogError(.noTrustedSignature, "no known key signed the note")
        }
        return VerifiedNote(note: self, signatures: verified)
    }
}

extension NoteSignature {
    /// Verifies this line alone against the key that it names.
    /// - Throws: ``TransparencyLogError/Code/invalidSignature``.
    func verify(_ key: VerifierKey, text: [UInt8]) throws -> VerifiedNote.Signature {
        switch key.type {
        case .ed25519:
            guard key.verifiesEd25519(signature, over: text) else {
                throw TransparencyLogError(.invalidSignature, "a known key's signature fails", at: name)
            }
            return VerifiedNote.Signature(key: key, line: self, timestamp: nil)
        case .cosignatureEd25519:
            let timestamp = try CosignatureSigner.verify(self, key: key, text: text)
            return VerifiedNote.Signature(key: key, line: self, timestamp: timestamp)
        default:
            throw TransparencyLogError(.unsupportedKey, "keys of type \(key.type) are not supported", at: name)
        }
    }
}

public import Crypto

/// A cosignature taken apart, not verified: a time and an Ed25519 signature (section 4, C2SP tlog-cosignature).
///
/// Layout of the signature bytes of the line: time (uint64 big-endian, POSIX seconds), then 64 bytes of Ed25519 over
/// `cosignature/v1\n` + `time <decimal>\n` + the whole text. Example, at 1700000000 over the text beside
/// ``Checkpoint``, with the seed 00…1f (one line):
///
///     — witness.example/w1 519lMgAAAABlU/EAA//EkmbxjRQ3hxhPp2jdu2s3BJWEkudpewmZqzHmzhkw
///     +SFYD08ER+sysUOKvHf3F1cKBNpvJS5WyaFvZwlnBQ==
public struct Cosignature: Hashable, Sendable {
    /// The number of signature bytes of a line, after the key ID.
    public static let byteCount = 72
    /// The greatest time that a cosignature may carry.
    public static let maximumTimestamp = UInt64(Int64.max)

    /// When the cosigner says that it signed, in POSIX seconds.
    public let timestamp: UInt64
    /// The line that it was taken from.
    public let line: NoteSignature

    /// Takes the time out of a signature line.
    /// - Throws: ``TransparencyLogError/Code/invalidCosignature`` if it has not 72 bytes or the time is above 2^63 - 1.
    public init(parsing line: NoteSignature) throws {
        guard line.signature.count == Self.byteCount, let time = UInt64(bigEndianBytes: line.signature[..<8]) else {
            throw TransparencyLogError(.invalidCosignature, "a cosignature has \(Self.byteCount) bytes", at: line.name)
        }
        guard time <= Self.maximumTimestamp else {
            throw TransparencyLogError(.invalidCosignature, "a cosignature's time is above 2^63 - 1", at: line.name)
        }
        timestamp = time
        self.line = line
    }

    /// The bytes that a cosigner signs.
    static func message(_ text: [UInt8], at timestamp: UInt64) -> [UInt8] {
        Array("cosignature/v1\ntime \(timestamp)\n".utf8) + text
    }
}

/// Cosigns the texts of notes: checkpoints, and incarnation notes in the same form (sections 4 and 12).
///
/// It signs what it is given. That the text is consistent with all that was cosigned before is the caller's to know.
public struct CosignatureSigner: Sendable {
    private let key: any PrivateSigningKey
    /// The key that others verify with; of type ``KeyType/cosignatureEd25519``.
    public let verifierKey: VerifierKey

    /// The cosigner's name.
    public var name: String {
        verifierKey.name
    }

    /// Makes a cosigner.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name.
    public init(name: String, key: any PrivateSigningKey) throws {
        self.key = key
        verifierKey = try VerifierKey(name: name, type: .cosignatureEd25519, publicKey: key.publicKey)
    }

    /// Makes a cosigner with a key in memory.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name.
    public init(name: String, privateKey: Curve25519.Signing.PrivateKey) throws {
        try self.init(name: name, key: SoftwareSigningKey(privateKey))
    }

    /// Makes a cosigner from the 32 bytes of an Ed25519 seed.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name or another number of bytes.
    public init(name: String, seed: [UInt8]) throws {
        try self.init(name: name, key: SoftwareSigningKey(seed: seed))
    }

    /// Cosigns a note's text at a time in POSIX seconds.
    /// - Throws: ``TransparencyLogError/Code/invalidNote`` for a text that no note can have,
    ///   ``TransparencyLogError/Code/invalidCosignature`` for a time above 2^63 - 1, and what the key throws.
    public func sign(_ text: [UInt8], at timestamp: UInt64) throws -> NoteSignature {
        guard LineText.isNoteText(text) else {
            throw TransparencyLogError(.invalidNote, "a note's text is UTF-8 lines without control characters")
        }
        guard timestamp <= Cosignature.maximumTimestamp else {
            throw TransparencyLogError(.invalidCosignature, "a cosignature's time is above 2^63 - 1")
        }
        let signature = try key.checkedSignature(for: Cosignature.message(text, at: timestamp))
        let bytes = timestamp.bigEndianBytes + signature
        return try NoteSignature(name: name, keyID: verifierKey.keyID, signature: bytes)
    }

    /// Verifies one cosignature line over a text.
    /// - Returns: Its time, in POSIX seconds.
    /// - Throws: ``TransparencyLogError/Code/noTrustedSignature`` if the line is another key's,
    ///   ``TransparencyLogError/Code/unsupportedKey`` if the key is no Ed25519 cosigner's, else
    ///   ``TransparencyLogError/Code/invalidSignature``.
    public static func verify(_ line: NoteSignature, key: VerifierKey, text: [UInt8]) throws -> UInt64 {
        guard key.type == .cosignatureEd25519 else {
            throw TransparencyLogError(.unsupportedKey, "the key is no Ed25519 cosigner's", at: key.name)
        }
        guard line.isAttributed(to: key) else {
            throw TransparencyLogError(.noTrustedSignature, "the cosignature is another key's", at: line.name)
        }
        guard let cosignature = try? Cosignature(parsing: line) else {
            throw TransparencyLogError(.invalidSignature, "a cosignature's length or time is wrong", at: line.name)
        }
        let message = Cosignature.message(text, at: cosignature.timestamp)
        guard key.verifiesEd25519(line.signature[8...], over: message) else {
            throw TransparencyLogError(.invalidSignature, "a known key's cosignature fails", at: line.name)
        }
        return cosignature.timestamp
    }
}

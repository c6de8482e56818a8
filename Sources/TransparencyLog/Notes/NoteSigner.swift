public import Crypto

/// Signs notes with Ed25519: a log's own signature (section 1).
public struct NoteSigner: Sendable {
    private let privateKey: Curve25519.Signing.PrivateKey
    /// The key that others verify with; of type ``KeyType/ed25519``.
    public let verifierKey: VerifierKey

    /// The key's name; of a log, its origin.
    public var name: String {
        verifierKey.name
    }

    /// Makes a signer.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name.
    public init(name: String, privateKey: Curve25519.Signing.PrivateKey) throws {
        self.privateKey = privateKey
        verifierKey = try VerifierKey(name: name, type: .ed25519, publicKey: privateKey.publicKey)
    }

    /// Makes a signer from the 32 bytes of an Ed25519 seed.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name or another number of bytes.
    public init(name: String, seed: [UInt8]) throws {
        try self.init(name: name, privateKey: Curve25519.Signing.PrivateKey(checkedSeed: seed))
    }

    /// Signs a text, which ends with a newline.
    /// - Throws: ``TransparencyLogError/Code/invalidNote`` for a text that no note can have.
    public func sign(_ text: [UInt8]) throws -> NoteSignature {
        guard LineText.isNoteText(text) else {
            throw TransparencyLogError(.invalidNote, "a note's text is UTF-8 lines without control characters")
        }
        let signature = try Array(privateKey.signature(for: text))
        return try NoteSignature(name: name, keyID: verifierKey.keyID, signature: signature)
    }

    /// Signs a text, which ends with a newline.
    /// - Throws: ``TransparencyLogError/Code/invalidNote`` for a text that no note can have.
    public func sign(_ text: String) throws -> NoteSignature {
        try sign(Array(text.utf8))
    }
}

extension Curve25519.Signing.PrivateKey {
    /// A key from a seed, with an error of ours.
    init(checkedSeed seed: [UInt8]) throws {
        guard seed.count == 32, let key = try? Self(rawRepresentation: seed) else {
            throw TransparencyLogError(.invalidKey, "an Ed25519 seed has 32 bytes")
        }
        self = key
    }
}

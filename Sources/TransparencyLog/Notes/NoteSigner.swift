public import Crypto

/// Signs notes with Ed25519: a log's own signature (section 1).
public struct NoteSigner: Sendable {
    private let key: any PrivateSigningKey
    /// The key that others verify with; of type ``KeyType/ed25519``.
    public let verifierKey: VerifierKey

    /// The key's name; of a log, its origin.
    public var name: String {
        verifierKey.name
    }

    /// Makes a signer.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name.
    public init(name: String, key: any PrivateSigningKey) throws {
        self.key = key
        verifierKey = try VerifierKey(name: name, type: .ed25519, publicKey: key.publicKey)
    }

    /// Makes a signer with a key in memory.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name.
    public init(name: String, privateKey: Curve25519.Signing.PrivateKey) throws {
        try self.init(name: name, key: SoftwareSigningKey(privateKey))
    }

    /// Makes a signer from the 32 bytes of an Ed25519 seed.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name or another number of bytes.
    public init(name: String, seed: [UInt8]) throws {
        try self.init(name: name, key: SoftwareSigningKey(seed: seed))
    }

    /// Signs a text, which ends with a newline.
    /// - Throws: ``TransparencyLogError/Code/invalidNote`` for a text that no note can have, and
    ///   what the key throws.
    public func sign(_ text: [UInt8]) throws -> NoteSignature {
        guard LineText.isNoteText(text) else {
            throw TransparencyLogError(.invalidNote, "a note's text is UTF-8 lines without control characters")
        }
        let signature = try key.checkedSignature(for: text)
        return try NoteSignature(name: name, keyID: verifierKey.keyID, signature: signature)
    }

    /// Signs a text, which ends with a newline.
    /// - Throws: ``TransparencyLogError/Code/invalidNote`` for a text that no note can have.
    public func sign(_ text: String) throws -> NoteSignature {
        try sign(Array(text.utf8))
    }
}

public import Crypto

/// One Ed25519 key that signs: a key of a file in this process's memory, or one that never leaves a device.
///
/// Everything that signs does so through this: a log's checkpoints (``NoteSigner``), a replica's cosignatures
/// (``CosignatureSigner``), and the statements, rosters and charters of officers and root keys. So a key in hardware is
/// one more implementation, and nothing else changes. What an implementation has to fulfil beyond these signatures:
///
/// - It signs exactly the bytes that it is given, as pure Ed25519 (RFC 8032, section 5.1.6; neither Ed25519ph nor
///   Ed25519ctx), which is deterministic: the same bytes give the same signature, now and after a restart.
/// - It is called on whichever thread publishes, and from several at once; waiting blocks what is published.
/// - It throws rather than return what it is not sure of. A device should be checked by verifying what it returns: a
///   fault during deterministic signing can give the key away.
public protocol PrivateSigningKey: Sendable {
    /// The 32 bytes of the public key (RFC 8032, section 5.1.5). The same for as long as the value lives.
    var publicKey: [UInt8] { get }

    /// Signs a message.
    ///
    /// - Returns: 64 bytes (RFC 8032, section 5.1.6).
    /// - Throws: why it cannot sign now, in words for the operator. What was to be signed is then not published.
    func signature(for message: [UInt8]) throws -> [UInt8]
}

extension PrivateSigningKey {
    /// As ``signature(for:)``, checked to be as long as a signature is: what is in a log stays there.
    ///
    /// - Throws: what ``signature(for:)`` throws, or ``TransparencyLogError/Code/invalidSignature``.
    public func checkedSignature(for message: [UInt8]) throws -> [UInt8] {
        let signature = try self.signature(for: message)
        guard signature.count == 64 else {
            throw TransparencyLogError(
                .invalidSignature, "the key returned \(signature.count) bytes, and an Ed25519 signature has 64")
        }
        return signature
    }
}

/// A key in this process's memory, from a file or a seed. Never printed.
public struct SoftwareSigningKey: PrivateSigningKey {
    private let key: Curve25519.Signing.PrivateKey

    public init(_ key: Curve25519.Signing.PrivateKey) { self.key = key }

    /// A key from the 32 bytes of an Ed25519 seed.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for another number of bytes.
    public init(seed: [UInt8]) throws {
        guard seed.count == 32, let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw TransparencyLogError(.invalidKey, "an Ed25519 seed has 32 bytes")
        }
        self.key = key
    }

    public var publicKey: [UInt8] { Array(key.publicKey.rawRepresentation) }

    public func signature(for message: [UInt8]) throws -> [UInt8] { Array(try key.signature(for: message)) }
}

extension SoftwareSigningKey: CustomStringConvertible, CustomReflectable {
    public var description: String { "SoftwareSigningKey(redacted)" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

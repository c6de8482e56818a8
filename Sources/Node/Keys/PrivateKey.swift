public import Crypto
import CryptoExtras
public import TransparencyLog

/// What a key is for. The file does not say it: the caller asks for a kind, and the algorithm must fit.
public enum KeyKind: String, Sendable, Hashable, CaseIterable {
    /// Signs statements (Ed25519).
    case officer
    /// Signs charters and rosters (Ed25519).
    case root
    /// Signs the log's checkpoints (Ed25519).
    case log
    /// Cosigns other members' logs (Ed25519).
    case replica
    /// Cosigns any log as a witness (Ed25519).
    case witness
    /// A node's TLS leaf (P-256).
    case node
    /// The member's certificate authority (P-256).
    case authority

    /// Whether a key of this kind is an Ed25519 key; else it is a P-256 key.
    public var isEd25519: Bool {
        switch self {
        case .officer, .root, .log, .replica, .witness: true
        case .node, .authority: false
        }
    }
}

/// A private key in memory, never printed.
public enum PrivateKey: Sendable {
    case ed25519(Curve25519.Signing.PrivateKey)
    case p256(P256.Signing.PrivateKey)

    /// A fresh key of the algorithm that the kind asks for.
    public static func generate(for kind: KeyKind) -> PrivateKey {
        kind.isEd25519 ? .ed25519(Curve25519.Signing.PrivateKey()) : .p256(P256.Signing.PrivateKey())
    }

    /// Ed25519: the 32 raw bytes (RFC 8032). P-256: the DER SubjectPublicKeyInfo (RFC 5480).
    public var publicKey: [UInt8] {
        switch self {
        case .ed25519(let key): Array(key.publicKey.rawRepresentation)
        case .p256(let key): Array(key.publicKey.derRepresentation)
        }
    }

    /// The key as everything that signs takes it; nil for a P-256 key, which only TLS uses.
    public var signing: (any PrivateSigningKey)? {
        guard case .ed25519(let key) = self else { return nil }
        return SoftwareSigningKey(key)
    }

    func fits(_ kind: KeyKind) -> Bool {
        switch self {
        case .ed25519: kind.isEd25519
        case .p256: !kind.isEd25519
        }
    }

    /// The DER PrivateKeyInfo (RFC 5958, RFC 8410, RFC 5915).
    var pkcs8: [UInt8] {
        switch self {
        case .ed25519(let key): Array(key.pkcs8DERRepresentation)
        case .p256(let key): Array(key.pkcs8DERRepresentation)
        }
    }

    init?(pkcs8: [UInt8]) {
        if let key = try? Curve25519.Signing.PrivateKey(derRepresentation: pkcs8) {
            self = .ed25519(key)
        } else if let key = try? P256.Signing.PrivateKey(derRepresentation: pkcs8) {
            self = .p256(key)
        } else {
            return nil
        }
    }
}

extension PrivateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        switch self {
        case .ed25519: "PrivateKey(Ed25519, redacted)"
        case .p256: "PrivateKey(P-256, redacted)"
        }
    }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The public half of a key on disk.
public struct StoredKey: Sendable, Hashable {
    public let kind: KeyKind
    /// The file's name without `.key`.
    public let name: String
    /// Of the private file.
    public let path: String
    /// As ``PrivateKey/publicKey``.
    public let publicKey: [UInt8]
}

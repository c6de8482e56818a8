public import Crypto
public import TransparencyLog

/// The rules for a member's id: a `did:web` identifier (W3C did:web method, section 3.1) in lower case.
public enum MemberID {
    /// Longest id in bytes.
    public static let byteLimit = 256

    /// Whether `text` is `did:web:` and a domain, perhaps with further parts after colons.
    public static func isValid(_ text: String) -> Bool {
        let utf8 = text.utf8
        guard utf8.count <= byteLimit, utf8.starts(with: "did:web:".utf8), utf8.count > 8 else { return false }
        return utf8.dropFirst(8).allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "%"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}

/// The rules for the name of a key: `[a-z0-9][a-z0-9._-]{0,63}`.
public enum KeyName {
    /// Whether `text` may name a key.
    public static func isValid(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 64, first != UInt8(ascii: "."),
            first != UInt8(ascii: "-"),
            first != UInt8(ascii: "_")
        else { return false }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}

/// An Ed25519 public key that may stand in a charter or roster: canonically encoded and not of small order.
public struct SigningKey: Hashable, Sendable {
    /// What was read; one reference, because every checked entry names its key.
    private final class Storage: Sendable {
        let bytes: [UInt8]
        let key: Curve25519.Signing.PublicKey

        init(_ bytes: [UInt8], _ key: Curve25519.Signing.PublicKey) {
            self.bytes = bytes
            self.key = key
        }
    }

    private let storage: Storage

    /// The 32 bytes of the key (RFC 8032 section 5.1.5).
    public var bytes: [UInt8] { storage.bytes }

    /// Checks a key.
    ///
    /// - Throws: ``AllianceError`` with code `badKey`.
    public init(_ bytes: [UInt8]) throws(AllianceError) {
        guard bytes.count == 32 else { throw AllianceError(.badKey, "an Ed25519 key has 32 bytes, not \(bytes.count)") }
        guard Self.isCanonical(bytes) else { throw AllianceError(.badKey, "the key is not canonically encoded") }
        guard !Self.isSmallOrder(bytes) else { throw AllianceError(.badKey, "the key is of small order") }
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes) else {
            throw AllianceError(.badKey, "the key is not an Ed25519 key")
        }
        storage = Storage(bytes, key)
    }

    /// Reads a JWK (RFC 8037): `{"kty":"OKP","crv":"Ed25519","x":…}`.
    init(jwk view: JSONView, at place: String) throws(AllianceError) {
        var reader = try JSONReader(view, at: place)
        guard try reader.required("kty").isString("OKP"), try reader.required("crv").isString("Ed25519") else {
            throw AllianceError(.badKey, "must be an OKP key on Ed25519 (RFC 8037)", at: place)
        }
        let x = try reader.string("x", most: 64)
        try reader.finish()
        guard let bytes = Base64.decodeURL(x) else {
            throw AllianceError(.badKey, "must be canonical base64url", at: "\(place).x")
        }
        do throws(AllianceError) { try self.init(bytes) } catch { throw error.within(place) }
    }

    /// The key as a JWK (RFC 8037).
    public var jwk: JSONValue { ["crv": "Ed25519", "kty": "OKP", "x": .string(Base64.encodeURL(bytes))] }

    /// Whether `signature` is this key's over `message` (RFC 8032 section 5.1.7).
    public func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool { verify(signature, of: message[...]) }

    /// Whether `signature` is this key's over `message`, which is part of something longer.
    public func verify(_ signature: [UInt8], of message: ArraySlice<UInt8>) -> Bool {
        storage.key.isValidSignature(signature, for: message)
    }

    public static func == (one: SigningKey, other: SigningKey) -> Bool {
        one.storage === other.storage || one.bytes == other.bytes
    }
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    /// y is below 2^255 - 19.
    private static func isCanonical(_ bytes: [UInt8]) -> Bool {
        if bytes[31] & 0x7F != 0x7F || bytes[0] < 0xED { return true }
        return !bytes[1..<31].allSatisfy { $0 == 0xFF }
    }

    /// The y coordinates of the points of order 1, 2, 4 and 8; anyone can make signatures that verify under them.
    private static func isSmallOrder(_ bytes: [UInt8]) -> Bool {
        var masked = bytes
        masked[31] &= 0x7F
        return smallOrder.contains(masked)
    }

    private static let smallOrder: Set<[UInt8]> = [
        [UInt8](repeating: 0, count: 32),
        [1] + [UInt8](repeating: 0, count: 31),
        [0xEC] + [UInt8](repeating: 0xFF, count: 30) + [0x7F],
        [
            0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0,
            0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
        ],
        [
            0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F,
            0x2A, 0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
        ],
    ]
}

/// A private key that signs statements for a member under a name. Its description never shows the key.
public struct Signer: Sendable, CustomStringConvertible {
    /// The member's id.
    public let member: String
    /// The key's name in the member's roster or charter entry.
    public let keyName: String
    private let key: any PrivateSigningKey

    /// A signer of `member` whose key has this name.
    public init(member: String, keyName: String, signing key: any PrivateSigningKey) {
        self.member = member
        self.keyName = keyName
        self.key = key
    }

    /// A signer of `member` with a key in memory.
    public init(member: String, keyName: String, key: Curve25519.Signing.PrivateKey) {
        self.init(member: member, keyName: keyName, signing: SoftwareSigningKey(key))
    }

    /// The 32 bytes of the public key.
    public var publicKey: [UInt8] { key.publicKey }

    /// Signs a message.
    ///
    /// - Throws: what the key throws.
    public func sign(_ message: [UInt8]) throws -> [UInt8] { try key.checkedSignature(for: message) }

    public var description: String { "\(member)#\(keyName)" }
}

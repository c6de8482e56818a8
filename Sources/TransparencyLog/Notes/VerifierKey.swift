public import Crypto

/// What a note's key signs with (C2SP signed-note, "Signature types").
public struct KeyType: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    /// The byte that stands before the public key.
    public let rawValue: UInt8

    /// Takes any type byte; only the named ones can be parsed in keys.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Ed25519 over the note's text.
    public static let ed25519 = KeyType(rawValue: 0x01)
    /// Ed25519 with a time, over the cosignature message (section 4).
    public static let cosignatureEd25519 = KeyType(rawValue: 0x04)
    /// ML-DSA-44 cosignatures. Recognised in keys and policies, never verified here: such a key counts as unknown.
    public static let mlDSA44 = KeyType(rawValue: 0x06)

    /// The number of bytes of such a public key, or nil for a type that is not supported.
    public var publicKeyByteCount: Int? {
        switch self {
        case .ed25519, .cosignatureEd25519: 32
        case .mlDSA44: 1312
        default: nil
        }
    }

    /// Whether signatures of this type can be verified here.
    public var isVerifiable: Bool {
        self == .ed25519 || self == .cosignatureEd25519
    }

    /// The type byte in hexadecimal, such as `0x01`.
    public var description: String {
        "0x" + Hexadecimal.encode([rawValue])
    }
}

/// A key by whose name and ID signature lines are found and against which they are verified (section 1).
///
/// Layout of a vkey: `name+<8 lower-case hex of the key ID>+base64(type byte + public key)`. Example:
/// `log.example/test+6ffdf1c0+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4`.
public struct VerifierKey: Hashable, Sendable, CustomStringConvertible {
    /// The most bytes that a vkey may have.
    public static let maximumByteCount = 4_096

    private let exactName: ExactText
    /// The first four bytes, big-endian, of SHA-256(name + "\n" + type byte + public key).
    public let keyID: UInt32
    /// What the key signs with.
    public let type: KeyType
    /// The public key's bytes, without the type byte.
    public let publicKey: [UInt8]

    /// The key's name; of a log's own key, its origin. Two keys are equal only if the bytes of their names are.
    public var name: String {
        exactName.string
    }

    /// Parses a vkey.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for anything but the one encoding of a key, also if the ID
    ///   is not the one that the key has; ``TransparencyLogError/Code/unsupportedKey`` for another algorithm.
    public init(parsing vkey: String) throws {
        try self.init(parsing: Array(vkey.utf8)[...])
    }

    init(parsing bytes: ArraySlice<UInt8>) throws {
        guard bytes.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.invalidKey, "a key has more than \(Self.maximumByteCount) bytes")
        }
        let plus = UInt8(ascii: "+")
        guard let nameEnd = bytes.firstIndex(of: plus),
            let hexEnd = bytes[(nameEnd + 1)...].firstIndex(of: plus)
        else { throw TransparencyLogError(.invalidKey, "a key has three parts with + between them") }
        guard let name = LineText.string(bytes[..<nameEnd]) else {
            throw TransparencyLogError(.invalidKey, "a key's name is not UTF-8")
        }
        let hex = bytes[(nameEnd + 1)..<hexEnd]
        guard hex.count == 8, let idBytes = Hexadecimal.decode(hex) else {
            throw TransparencyLogError(.invalidKey, "a key ID is 8 lower-case hexadecimal digits", at: name)
        }
        guard let material = Base64.decode(bytes[(hexEnd + 1)...]), let typeByte = material.first else {
            throw TransparencyLogError(.invalidKey, "a public key is not canonical base64", at: name)
        }
        try self.init(name: name, type: KeyType(rawValue: typeByte), publicKey: Array(material.dropFirst()))
        guard keyID == idBytes.reduce(0, { $0 << 8 | UInt32($1) }) else {
            throw TransparencyLogError(.invalidKey, "the key ID is not this key's", at: name)
        }
    }

    /// Makes a key of its parts.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for a name that is empty or has a Unicode space, a control
    ///   character or `+`, and for a public key of the wrong length; ``TransparencyLogError/Code/unsupportedKey``.
    public init(name: String, type: KeyType, publicKey: [UInt8]) throws {
        guard LineText.isKeyName(name) else {
            throw TransparencyLogError(.invalidKey, "a key's name is not empty and has neither space nor +")
        }
        guard let byteCount = type.publicKeyByteCount else {
            throw TransparencyLogError(.unsupportedKey, "keys of type \(type) are not supported", at: name)
        }
        guard publicKey.count == byteCount else {
            throw TransparencyLogError(.invalidKey, "a public key of type \(type) has \(byteCount) bytes", at: name)
        }
        exactName = ExactText(name)
        self.type = type
        self.publicKey = publicKey
        let hash = HashValue.sha256(Array(name.utf8) + [UInt8(ascii: "\n"), type.rawValue] + publicKey)
        keyID = UInt32(truncatingIfNeeded: hash.words.0 >> 32)
        guard description.utf8.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.invalidKey, "a key has more than \(Self.maximumByteCount) bytes")
        }
    }

    /// Makes a key of its parts, with a public key of swift-crypto.
    /// - Throws: ``TransparencyLogError/Code/invalidKey`` for an unacceptable name.
    public init(name: String, type: KeyType, publicKey: Curve25519.Signing.PublicKey) throws {
        try self.init(name: name, type: type, publicKey: Array(publicKey.rawRepresentation))
    }

    /// The vkey.
    public var description: String {
        "\(name)+\(Hexadecimal.encode(keyID.bigEndianBytes))+\(Base64.encode([type.rawValue] + publicKey))"
    }

    /// Whether an Ed25519 signature by this key stands over a message; the caller has looked at the type.
    func verifiesEd25519(_ signature: some Collection<UInt8>, over message: [UInt8]) -> Bool {
        guard signature.count == 64, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
            return false
        }
        return key.isValidSignature(Array(signature), for: message)
    }
}

extension FixedWidthInteger where Self: UnsignedInteger {
    /// The number's bytes, most significant first.
    var bigEndianBytes: [UInt8] {
        withUnsafeBytes(of: bigEndian) { Array($0) }
    }

    /// Reads a number from exactly as many bytes as it has, most significant first.
    init?(bigEndianBytes bytes: some Collection<UInt8>) {
        guard bytes.count == Self.bitWidth / 8 else { return nil }
        self = bytes.reduce(0) { $0 << 8 | Self($1) }
    }
}

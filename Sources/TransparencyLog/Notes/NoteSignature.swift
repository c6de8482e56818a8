/// One signature line of a note (section 1).
///
/// Layout: U+2014 (bytes E2 80 94), space, key name, space, base64(key ID, 4 bytes big-endian, + signature), newline.
public struct NoteSignature: Hashable, Sendable, CustomStringConvertible {
    /// The most bytes that a line may have, without its newline: room for post-quantum signatures of 5 kB.
    public static let maximumLineByteCount = 8_192

    private static let emDash: [UInt8] = [0xE2, 0x80, 0x94, 0x20]

    private let exactName: ExactText
    /// Which of the name's keys signed.
    public let keyID: UInt32
    /// The bytes after the key ID: what the algorithm made, with the time in front for cosignatures.
    public let signature: [UInt8]

    /// The name of the key that signed, by its own word.
    public var name: String {
        exactName.string
    }

    /// Makes a line of its parts.
    /// - Throws: ``TransparencyLogError/Code/invalidSignatureLine`` for a name that no key can have, for an empty
    ///   signature, and for a line above ``maximumLineByteCount``.
    public init(name: String, keyID: UInt32, signature: [UInt8]) throws {
        guard LineText.isKeyName(name) else {
            throw TransparencyLogError(.invalidSignatureLine, "a key's name is not empty and has neither space nor +")
        }
        guard !signature.isEmpty else {
            throw TransparencyLogError(.invalidSignatureLine, "a signature is empty", at: name)
        }
        let base64Count = (signature.count + 4 + 2) / 3 * 4
        guard Self.emDash.count + name.utf8.count + 1 + base64Count <= Self.maximumLineByteCount else {
            throw TransparencyLogError(.invalidSignatureLine, "more than \(Self.maximumLineByteCount) bytes")
        }
        exactName = ExactText(name)
        self.keyID = keyID
        self.signature = signature
    }

    /// Parses a line, without its newline.
    /// - Throws: ``TransparencyLogError/Code/invalidSignatureLine`` for anything but the one encoding of a line.
    public init(parsing line: String) throws {
        try self.init(parsing: Array(line.utf8)[...])
    }

    /// Parses the bytes of a line, without its newline.
    /// - Throws: ``TransparencyLogError/Code/invalidSignatureLine`` for anything but the one encoding of a line.
    public init(parsing line: ArraySlice<UInt8>) throws {
        guard line.count <= Self.maximumLineByteCount else {
            throw TransparencyLogError(.invalidSignatureLine, "more than \(Self.maximumLineByteCount) bytes")
        }
        guard line.starts(with: Self.emDash) else {
            throw TransparencyLogError(.invalidSignatureLine, "a signature line starts with an em dash and a space")
        }
        let rest = line[(line.startIndex + Self.emDash.count)...]
        guard let nameEnd = rest.firstIndex(of: UInt8(ascii: " ")), let name = LineText.string(rest[..<nameEnd]) else {
            throw TransparencyLogError(.invalidSignatureLine, "a signature line has no name")
        }
        guard let bytes = Base64.decode(rest[(nameEnd + 1)...]), bytes.count > 4 else {
            throw TransparencyLogError(.invalidSignatureLine, "a signature is not canonical base64", at: name)
        }
        let keyID = bytes[..<4].reduce(0) { $0 << 8 | UInt32($1) }
        try self.init(name: name, keyID: keyID, signature: Array(bytes[4...]))
    }

    /// The line, without its newline.
    public var line: String {
        "\u{2014} \(name) \(Base64.encode(keyID.bigEndianBytes + signature))"
    }

    /// The line, without its newline.
    public var description: String {
        line
    }

    /// Whether this line says that it is of that key: the same name, byte for byte, and the same key ID.
    public func isAttributed(to key: VerifierKey) -> Bool {
        keyID == key.keyID && ExactText(key.name) == exactName
    }
}

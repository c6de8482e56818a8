import Alliance
import TransparencyLog

/// `NAME.pub`: one line of JSON with the public half of a key, which people hand to each other.
///
///     {"entente-key":1,"name":"ayesha","kind":"officer","key":"<base64url>"}
///
/// `key` is the raw 32 bytes of an Ed25519 key, or the DER SubjectPublicKeyInfo of a P-256 key.
public struct PublicKeyFile: Sendable, Hashable {
    public let name: String
    public let kind: KeyKind
    public let key: [UInt8]

    /// Bytes of such a file.
    public static let limit = 4 << 10

    public init(name: String, kind: KeyKind, key: [UInt8]) {
        self.name = name
        self.kind = kind
        self.key = key
    }

    /// Reads a file's bytes.
    ///
    /// - Parameter file: its path, for errors.
    /// - Throws: ``SetupError`` with code `malformed`.
    public init(parsing bytes: [UInt8], file: String) throws(SetupError) {
        var reader = try StrictObject(parsing: bytes, file: file)
        _ = try reader.integer("entente-key", in: 1...1)
        name = try reader.string("name", most: 64)
        guard KeyFile.isValid(name: name) else { throw reader.error("name", "cannot name a key") }
        let word = try reader.string("kind", most: 16)
        guard let kind = KeyKind(rawValue: word) else {
            throw reader.error("kind", "must be one of \(KeyKind.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self.kind = kind
        key = try reader.bytes("key", most: 1_024)
        try reader.finish()
    }

    /// Reads the file at a path.
    public init(at path: String) throws(SetupError) {
        try self.init(parsing: try PlainFile.read(path, limit: Self.limit), file: path)
    }

    /// The file's content.
    public var text: String {
        let object: JSONValue = [
            "entente-key": 1, "name": .string(name), "kind": .string(kind.rawValue),
            "key": .string(Base64.encodeURL(key)),
        ]
        return String(decoding: object.encoded(), as: UTF8.self) + "\n"
    }

    /// What people compare: the first 12 hexadecimal digits of the key's SHA-256 in groups of four.
    public var fingerprint: String {
        HashValue.sha256(key).fingerprint
    }
}

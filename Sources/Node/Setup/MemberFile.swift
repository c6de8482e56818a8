public import Alliance
import TransparencyLog

/// `NAME.member`: what a member tells the others about itself so that they can write it into a charter. Public.
///
///     {
///       "entente-member": 1,
///       "id": "did:web:pk.alliance.example", "name": "pk", "title": "Pakistan", "country": "PK",
///       "zone": "Asia/Karachi", "role": "regulator",
///       "rootKeys": [ { "name": "root-1", "key": "<base64url of 32 bytes>" } ], "rootThreshold": 1,
///       "ca": "<base64url SHA-256 of the authority's SubjectPublicKeyInfo>",
///       "log": "<vkey>", "replica": "<vkey>",
///       "addresses": [ "https://host:port" ]
///     }
public struct MemberFile: Sendable, Hashable {
    /// The member as a charter states it.
    public let member: CharterMember

    /// Bytes of such a file.
    public static let limit = 64 << 10

    public init(_ member: CharterMember) { self.member = member }

    /// Reads a file's bytes.
    ///
    /// - Throws: ``SetupError`` with code `malformed`.
    public init(parsing bytes: [UInt8], file: String) throws(SetupError) {
        var reader = try StrictObject(parsing: bytes, file: file)
        _ = try reader.integer("entente-member", in: 1...1)
        let roleWord = try { (reader: inout StrictObject) throws(SetupError) in try reader.string("role", most: 16) }(
            &reader)
        guard let role = MemberRole(rawValue: roleWord) else {
            throw reader.error("role", "must be regulator or observer")
        }
        let rootKeys = try reader.objects("rootKeys", most: 16, least: 1) {
            (one: inout StrictObject) throws(SetupError) in
            let name = try one.string("name", most: 64)
            guard KeyName.isValid(name) else { throw one.error("name", "cannot name a key") }
            let bytes = try one.bytes("key", most: 64)
            do throws(AllianceError) {
                return RootKey(name: name, key: try SigningKey(bytes))
            } catch {
                throw one.error("key", error.reason)
            }
        }
        let id = try reader.string("id", most: MemberID.byteLimit)
        let name = try reader.string("name", most: 16)
        let title = try reader.string("title", most: 200)
        let country = try reader.string("country", most: 2)
        let zone = try reader.string("zone", most: 64)
        guard MemberZone(zone) != nil else { throw reader.error("zone", "\"\(zone)\" is no IANA time zone") }
        let rootThreshold = Int(try reader.integer("rootThreshold", in: 1...16))
        let authority = try reader.digest("ca")
        let log = try Self.key("log", &reader)
        let replica = try reader.optional("replica") == nil ? nil : Self.key("replica", &reader)
        let addresses = try reader.strings("addresses", most: 8, length: 300)
        try reader.finish()
        member = CharterMember(
            id: id, name: name, title: title, country: country, zone: zone, role: role, rootKeys: rootKeys,
            rootThreshold: rootThreshold, authority: authority, log: log, replica: replica, addresses: addresses)
    }

    private static func key(_ name: String, _ reader: inout StrictObject) throws(SetupError) -> VerifierKey {
        let text = try reader.string(name, most: VerifierKey.maximumByteCount)
        do { return try VerifierKey(parsing: text) } catch { throw reader.error(name, "\(error)") }
    }

    /// Reads the file at a path.
    public init(at path: String) throws(SetupError) {
        try self.init(parsing: try PlainFile.read(path, limit: Self.limit), file: path)
    }

    /// The file's content.
    public var bytes: [UInt8] {
        var object: JSONObject = [
            "entente-member": 1, "id": .string(member.id), "name": .string(member.name), "title": .string(member.title),
            "country": .string(member.country), "zone": .string(member.zone), "role": .string(member.role.rawValue),
            "rootKeys": .array(
                member.rootKeys.map { ["name": .string($0.name), "key": .string(Base64.encodeURL($0.key.bytes))] }),
            "rootThreshold": .integer(Int64(member.rootThreshold)), "ca": .string(member.authority.base64url),
            "log": .string(member.log.description),
        ]
        object["replica"] = member.replica.map { .string($0.description) }
        object["addresses"] = .array(member.addresses.map { .string($0) })
        return JSONValue.object(object).encodedForReading()
    }
}

/// The names that follow from a member's id.
public enum MemberNames {
    /// `did:web:pk.alliance.example` → `pk.alliance.example`; parts after colons become parts of a path.
    ///
    /// - Throws: ``SetupError`` with code `badValue`.
    public static func host(of id: String) throws(SetupError) -> String {
        guard MemberID.isValid(id) else {
            throw SetupError(.badValue, "--id \(id)", "must be did:web: and a domain in lower case")
        }
        let host = id.dropFirst(8).split(separator: ":", omittingEmptySubsequences: false).joined(separator: "/")
        guard Origin.isValid("\(host)/log1") else {
            throw SetupError(.badValue, "--id \(id)", "a log's name cannot be made of it: use letters, digits, - and .")
        }
        return host
    }

    /// The origin of the member's first log.
    public static func origin(of id: String) throws(SetupError) -> String { "\(try host(of: id))/log1" }

    /// The origin of a log under a new key, after another: `…/log1`, `…/log2`.
    public static func origin(after origin: String) -> String {
        let digits = origin.reversed().prefix { $0.isASCII && $0.isNumber }.count
        let number = UInt32(origin.suffix(digits)) ?? 1
        return "\(origin.dropLast(digits))\(digits == 0 ? "-" : "")\(number + 1)"
    }

    /// The name of the member's replica key.
    public static func replica(of id: String) throws(SetupError) -> String { "\(try host(of: id))/replica" }
}

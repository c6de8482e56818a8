public import Alliance
public import TransparencyLog

/// `manifest.json`, the first file of a backup: what the backup holds, and as of when.
///
///     {
///       "entente-backup": 1, "version": "0.1.0", "time": "2026-11-22T09:00:00Z",
///       "member": "pk", "id": "did:web:pk.alliance.example", "origin": "pk.alliance.example/log1",
///       "charter": { "version": 1, "digest": "<SHA-256, hexadecimal>" }, "keys": false,
///       "logs": [ { "origin": "pk.alliance.example/log1", "size": 12 } ],
///       "files": [ { "path": "config.json", "size": 310, "sha256": "<hexadecimal>" } ]
///     }
public struct BackupManifest: Sendable, Hashable {
    /// A file of a backup; they follow the manifest in its order.
    public struct File: Sendable, Hashable {
        public let path: String
        public let size: Int64
        public let digest: HashValue
    }

    /// A log as the database of the backup holds it.
    public struct Log: Sendable, Hashable {
        public let origin: String
        public let size: Int64
    }

    /// The software that made it.
    public var version = Entente.version
    /// When the copy of the database was made, in seconds since 1970.
    public var time: Int64
    /// The member's short name, and its id.
    public var member: String
    public var id: String
    /// The member's own log.
    public var origin: String
    public var charterVersion: Int
    public var charterDigest: HashValue
    /// Whether the node's private keys are in it.
    public var hasKeys: Bool
    public var logs: [Log]
    public var files: [File]

    /// The manifest's name in the archive.
    public static let path = "manifest.json"
    /// Bytes of a manifest: some 350,000 documents.
    static let limit = 64 << 20

    /// Entries of the member's own log.
    public var ownSize: Int64 { logs.first { $0.origin == origin }?.size ?? 0 }

    /// The manifest as a command prints it: without the files.
    public var summary: JSONObject {
        [
            "entente-backup": 1, "version": .string(version), "time": .string(Timestamp(seconds: time).text),
            "member": .string(member), "id": .string(id), "origin": .string(origin),
            "charter": ["version": .integer(Int64(charterVersion)), "digest": .string(charterDigest.hex)],
            "keys": .bool(hasKeys),
            "logs": .array(logs.map { ["origin": .string($0.origin), "size": .integer($0.size)] }),
        ]
    }

    var bytes: [UInt8] {
        var object = summary
        object["files"] = .array(
            files.map { ["path": .string($0.path), "size": .integer($0.size), "sha256": .string($0.digest.hex)] })
        return JSONValue.object(object).encodedForReading()
    }

    /// Reads a manifest.
    ///
    /// - Parameter file: the archive, for what is said where something is wrong.
    /// - Throws: ``SetupError`` with code `malformed`.
    init(parsing bytes: [UInt8], file: String) throws(SetupError) {
        let place = "\(file), \(Self.path)"
        let value: JSONValue
        do { value = try JSONTape(bytes, limit: Self.limit).root.value } catch {
            throw SetupError(.malformed, place, "\(error)")
        }
        guard value["entente-backup"]?.integer ?? 1 == 1 else {
            throw SetupError(
                .malformed, place,
                "a backup of another form, which this version of Entente cannot read; use a newer one")
        }
        var reader = try StrictObject(value, file: place)
        _ = try reader.integer("entente-backup", in: 1...1)
        version = try reader.string("version", most: 64)
        guard let time = Timestamp(parsing: try reader.string("time", most: 64)) else {
            throw reader.error("time", "must be an RFC 3339 time")
        }
        self.time = time.seconds
        member = try reader.string("member", most: 16)
        guard NodeSettings.isShortName(member) else { throw reader.error("member", "must be a member's short name") }
        id = try reader.string("id", most: MemberID.byteLimit)
        origin = try reader.string("origin", most: 255)
        var charter = try StrictObject(try reader.value("charter"), file: place, path: "charter")
        charterVersion = Int(try charter.integer("version", in: 1...1_000_000))
        charterDigest = try Self.digest("digest", &charter)
        try charter.finish()
        hasKeys = try reader.bool("keys")
        logs = try reader.objects("logs", most: 4_095) { (one: inout StrictObject) throws(SetupError) in
            Log(origin: try one.string("origin", most: 255), size: try one.integer("size", in: 0...1 << 44))
        }
        files = try reader.objects("files", most: 1_000_000, least: 1) { (one: inout StrictObject) throws(SetupError) in
            File(
                path: try one.string("path", most: 255), size: try one.integer("size", in: 0...1 << 50),
                digest: try Self.digest("sha256", &one))
        }
        try reader.finish()
        try checkPaths(place)
    }

    init(
        time: Int64, member: String, id: String, origin: String, charterVersion: Int, charterDigest: HashValue,
        hasKeys: Bool, logs: [Log], files: [File]
    ) {
        self.time = time
        self.member = member
        self.id = id
        self.origin = origin
        self.charterVersion = charterVersion
        self.charterDigest = charterDigest
        self.hasKeys = hasKeys
        self.logs = logs
        self.files = files
    }

    private static func digest(_ name: String, _ reader: inout StrictObject) throws(SetupError) -> HashValue {
        guard let digest = HashValue(hex: try reader.string(name, most: 64)) else {
            throw reader.error(name, "must be a SHA-256 in hexadecimal")
        }
        return digest
    }

    private func checkPaths(_ place: String) throws(SetupError) {
        var seen: Set<String> = []
        for file in files {
            guard Self.isAllowed(file.path) else {
                throw SetupError(.malformed, place, "'\(file.path)' is no file of a node's folder")
            }
            guard seen.insert(file.path).inserted else {
                throw SetupError(.malformed, place, "'\(file.path)' stands there twice")
            }
        }
        for needed in ["config.json", "charter", "entente.sqlite", RestoredMark.path] where !seen.contains(needed) {
            throw SetupError(.malformed, place, "\(needed) is not in it")
        }
        guard hasKeys || !seen.contains(where: { $0.hasPrefix("keys/") }) else {
            throw SetupError(.malformed, place, "there are keys in it, and it says that there are none")
        }
    }

    private static let single: Set<String> = [
        "config.json", "charter", "roster.jws", "audit.jsonl", "entente.sqlite", RestoredMark.path,
    ]

    /// Whether a path is one that a backup may have: nothing else is ever made from an archive.
    static func isAllowed(_ path: String) -> Bool {
        if single.contains(path) { return true }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        switch parts.count {
        case 2: return ["charters", "tls", "keys"].contains(parts[0]) && isPlain(parts[1])
        case 3:
            guard parts[0] == "documents", let digest = HashValue(hex: parts[2]) else { return false }
            return digest.hex == parts[2] && parts[1] == digest.hex.prefix(2)
        default: return false
        }
    }

    /// A file's name of letters, digits and `._-`, which begins with none of these, so that it is neither hidden nor a way
    /// out.
    static func isPlain(_ name: String) -> Bool {
        func isWord(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        guard let first = name.utf8.first, isWord(first), name.utf8.count <= 80 else { return false }
        return name.utf8.allSatisfy { isWord($0) || $0 == 0x2E || $0 == 0x5F || $0 == 0x2D }
    }
}

import Alliance

/// `restored` in a node's folder: says that the folder came out of a backup, and how long the member's own log was in it.
/// The node asks the other members for what is newer before it signs, and then removes the file.
///
///     { "entente-restored": 1, "member": "pk", "origin": "pk.alliance.example/log1", "size": 12,
///       "time": "2026-11-22T09:00:00Z" }
struct RestoredMark: Sendable, Hashable {
    static let path = "restored"

    /// The member's short name.
    var member: String
    /// The member's own log, and its entries in the backup.
    var origin: String
    var size: Int64
    /// When the backup was made, in seconds since 1970.
    var time: Int64
    /// Where entries were lost: how many there were, by the audit record. They have to come back, whoever is waived.
    var published: Int64?

    var bytes: [UInt8] {
        var object: JSONObject = [
            "entente-restored": 1, "member": .string(member), "origin": .string(origin), "size": .integer(size),
            "time": .string(Timestamp(seconds: time).text),
        ]
        object["published"] = published.map { .integer($0) }
        return JSONValue.object(object).encodedForReading()
    }

    init(member: String, origin: String, size: Int64, time: Int64, published: Int64? = nil) {
        (self.member, self.origin, self.size, self.time) = (member, origin, size, time)
        self.published = published
    }

    /// Reads a file's bytes.
    ///
    /// - Throws: ``SetupError`` with code `malformed`.
    init(parsing bytes: [UInt8], file: String) throws(SetupError) {
        var reader = try StrictObject(parsing: bytes, file: file)
        _ = try reader.integer("entente-restored", in: 1...1)
        member = try reader.string("member", most: 16)
        origin = try reader.string("origin", most: 255)
        size = try reader.integer("size", in: 0...1 << 44)
        guard let time = Timestamp(parsing: try reader.string("time", most: 64)) else {
            throw reader.error("time", "must be an RFC 3339 time")
        }
        self.time = time.seconds
        published = reader.optional("published") == nil ? nil : try reader.integer("published", in: 0...1 << 44)
        try reader.finish()
    }

    init(_ manifest: BackupManifest) {
        member = manifest.member
        origin = manifest.origin
        size = manifest.ownSize
        time = manifest.time
    }
}

public import TransparencyLog

/// What a proof answers: what does this member's register say of this key, on that date?
public struct ProofQuestion: Hashable, Sendable {
    /// SHA-256 of charter version 1's payload.
    public let alliance: HashValue
    /// The member's id.
    public let member: String
    /// The register's name, or `@documents`.
    public let register: String
    /// The lookup field, where the key is one of its values.
    public let field: String?
    /// The key, or the field's value, in canonical form.
    public let key: String
    /// The instant asked about; nil for now.
    public let on: Timestamp?

    /// Asks a question.
    public init(
        alliance: HashValue, member: String, register: String, field: String? = nil, key: String, on: Timestamp? = nil
    ) {
        self.alliance = alliance
        self.member = member
        self.register = register
        self.field = field
        self.key = key
        self.on = on
    }

    /// Asks a question of a map by its name.
    ///
    /// - Parameter map: `register`, `register/field` or `@documents`.
    /// - Throws: ``AllianceError`` where the name is not one of these.
    public init(
        alliance: HashValue, member: String, map: String, key: String, on: Timestamp? = nil
    ) throws(AllianceError) {
        guard MapName.isValid(map), !map.utf8.starts(with: "@".utf8) || map == ReservedMap.documents else {
            throw AllianceError(.invalidField, "a register, register/field or @documents is due", at: "register")
        }
        let parts = map.split(separator: "/", maxSplits: 1).map(String.init)
        self.init(
            alliance: alliance, member: member, register: parts[0], field: parts.count > 1 ? parts[1] : nil, key: key,
            on: on)
    }

    /// The name of the map that holds the answer.
    public var map: String { field.map { MapName.lookup(register, $0) } ?? register }

    /// Where the answer stands in the log's maps.
    public var row: RowKey { RowKey(map: map, key: key) }

    /// Whether it is about documents, which have no definition and no choice by time.
    public var isAboutDocuments: Bool { register == ReservedMap.documents }
}

extension ProofQuestion {
    var json: JSONValue {
        var object: JSONObject = [
            "alliance": .string(alliance.base64url), "member": .string(member), "register": .string(register),
        ]
        object["field"] = field.map { .string($0) }
        object["key"] = .string(key)
        object["on"] = on.map { .string($0.text) }
        return .object(object)
    }

    init(_ view: JSONView, at place: String) throws(AllianceError) {
        var reader = try JSONReader(view, at: place)
        let alliance = try reader.digest("alliance")
        let member = try reader.string("member", most: MemberID.byteLimit)
        guard MemberID.isValid(member) else {
            throw AllianceError(.invalidField, "must be a member's id", at: "\(place).member")
        }
        let register = try reader.string("register", most: 64)
        let field = try reader.optionalString("field", most: 64)
        let key = try reader.string("key", most: RegisterKey.byteLimit)
        let on = try reader.optionalTimestamp("on")
        try reader.finish()
        let map = field.map { MapName.lookup(register, $0) } ?? register
        do throws(AllianceError) {
            try self.init(alliance: alliance, member: member, map: map, key: key, on: on)
        } catch {
            throw error.within(place)
        }
    }
}

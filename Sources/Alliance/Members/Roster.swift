public import TransparencyLog

/// A kind of statement, by the `typ` of its JWS.
public enum StatementKind: String, Hashable, Sendable, CaseIterable {
    case roster, register, attestation, document, retraction, endorsement, approval, declaration

    /// The protected header's `typ`.
    public var type: String {
        switch self {
        case .roster: "entente-roster+jwt"
        case .register: "entente-register+jwt"
        case .attestation: "vc+jwt"
        case .document: "entente-document+jwt"
        case .retraction: "entente-retraction+jwt"
        case .endorsement: "entente-endorsement+jwt"
        case .approval: "entente-approval+jwt"
        case .declaration: "entente-declaration+jwt"
        }
    }

    /// The kind of that type, compared by bytes.
    public init?(type: String) {
        guard let kind = Self.allCases.first(where: { $0.type.hasSameBytes(as: type) }) else { return nil }
        self = kind
    }
}

/// An officer: a person whose key may publish for a member.
public struct Officer: Hashable, Sendable {
    public let name: String
    public let key: SigningKey
    /// What the officer may publish.
    public let kinds: Set<StatementKind>
    /// The registers about which; nil means all. Documents stand in `@documents`.
    public let registers: [String]?

    /// An officer with these permissions.
    public init(name: String, key: SigningKey, kinds: Set<StatementKind>, registers: [String]?) {
        self.name = name
        self.key = key
        self.kinds = kinds
        self.registers = registers
    }

    /// Whether the officer may publish a statement of this kind about this register (nil: about none).
    public func permits(_ kind: StatementKind, register: String?) -> Bool {
        guard kinds.contains(kind) else { return false }
        guard let registers, let register else { return true }
        return registers.contains { $0.hasSameBytes(as: register) }
    }
}

/// A node of a member: where it is dialled, and the keys of its certificates.
public struct RosterNode: Hashable, Sendable {
    public let name: String
    /// `https://host:port`; empty for a node that only dials out.
    public let addresses: [String]
    /// SHA-256 of each permitted leaf's SubjectPublicKeyInfo.
    public let tlsKeys: [HashValue]

    /// A node.
    public init(name: String, addresses: [String], tlsKeys: [HashValue]) {
        self.name = name
        self.addresses = addresses
        self.tlsKeys = tlsKeys
    }
}

/// Who may speak and connect for a member: its officers and nodes. Signed by the member's root keys.
public struct Roster: Hashable, Sendable {
    /// From 0.
    public var ordinal: UInt64
    /// SHA-256 of the payload of the roster before; nil for ordinal 0.
    public var previous: HashValue?
    public var officers: [Officer]
    /// The registers (or `@documents`) whose statements count only with a second officer's approval.
    public var twoOfficers: [String]
    public var nodes: [RosterNode]
    /// SHA-256 of the SubjectPublicKeyInfo of leaves that may not connect at all, though their certificates still run.
    public var revoked: [HashValue]

    /// Officers, nodes and revoked leaves of one roster.
    public static let entryLimit = 256

    /// A roster.
    public init(
        ordinal: UInt64 = 0, previous: HashValue? = nil, officers: [Officer], twoOfficers: [String] = [],
        nodes: [RosterNode], revoked: [HashValue] = []
    ) {
        self.ordinal = ordinal
        self.previous = previous
        self.officers = officers
        self.twoOfficers = twoOfficers
        self.nodes = nodes
        self.revoked = revoked
    }

    /// The officer whose key has that name.
    public func officer(named name: String) -> Officer? { officers.first { $0.name == name } }

    /// Whether statements about this register need a second officer.
    public func needsTwo(_ register: String?) -> Bool {
        guard let register else { return false }
        return twoOfficers.contains { $0.hasSameBytes(as: register) }
    }

    func writeMembers(to object: inout JSONObject) {
        object["ordinal"] = .integer(Int64(ordinal))
        object["previous"] = previous.map { .string($0.base64url) } ?? .null
        object["officers"] = .array(
            officers.map { officer in
                var one: JSONObject = [
                    "name": .string(officer.name), "key": officer.key.jwk,
                    "kinds": .array(officer.kinds.map(\.rawValue).sorted().map { .string($0) }),
                ]
                one["registers"] = officer.registers.map { .array($0.map { .string($0) }) }
                return .object(one)
            })
        object["twoOfficers"] = .array(twoOfficers.map { .string($0) })
        object["nodes"] = .array(
            nodes.map { node in
                [
                    "name": .string(node.name), "addresses": .array(node.addresses.map { .string($0) }),
                    "tls": .array(node.tlsKeys.map { .string($0.base64url) }),
                ]
            })
        if !revoked.isEmpty { object["revoked"] = .array(revoked.map { .string($0.base64url) }) }
    }

    init(_ reader: inout JSONReader) throws(AllianceError) {
        ordinal = UInt64(try reader.integer("ordinal", in: 0...1_000_000))
        previous = try reader.optionalDigest("previous")
        guard (ordinal == 0) == (previous == nil) else {
            throw AllianceError(.invalidField, "is due from ordinal 1 on, and only then", at: "previous")
        }
        officers = []
        for (position, view) in try reader.array("officers", most: Self.entryLimit).enumerated() {
            officers.append(try Self.officer(view, at: "officers[\(position)]"))
        }
        twoOfficers = try reader.strings("twoOfficers", most: Self.entryLimit, length: 64)
        nodes = []
        for (position, view) in try reader.array("nodes", most: Self.entryLimit).enumerated() {
            nodes.append(try Self.node(view, at: "nodes[\(position)]"))
        }
        revoked = []
        for (position, view) in try reader.optionalArray("revoked", most: Self.entryLimit).enumerated() {
            revoked.append(try JSONReader.digest(view, at: "revoked[\(position)]"))
        }
        guard Set(officers.map(\.name)).count == officers.count, Set(nodes.map(\.name)).count == nodes.count else {
            throw AllianceError(.badKey, "two officers, or two nodes, have one name")
        }
        guard Set(officers.map(\.key)).count == officers.count else {
            throw AllianceError(.badKey, "one key stands twice", at: "officers")
        }
    }

    private static func officer(_ view: JSONView, at place: String) throws(AllianceError) -> Officer {
        var reader = try JSONReader(view, at: place)
        let name = try reader.string("name", most: 64)
        guard KeyName.isValid(name) else { throw AllianceError(.badKey, "cannot name a key", at: "\(place).name") }
        let key = try SigningKey(jwk: try reader.required("key"), at: "\(place).key")
        // A kind that this version does not know permits nothing here, so a newer roster still reads.
        let kinds = try reader.strings("kinds", most: 32).compactMap { StatementKind(rawValue: $0) }
        let limited = view["registers"] != nil
        let registers = limited ? try reader.strings("registers", most: entryLimit, length: 64) : nil
        try reader.finish()
        return Officer(name: name, key: key, kinds: Set(kinds).subtracting([.roster]), registers: registers)
    }

    private static func node(_ view: JSONView, at place: String) throws(AllianceError) -> RosterNode {
        var reader = try JSONReader(view, at: place)
        let name = try reader.string("name", most: 64)
        guard KeyName.isValid(name) else { throw AllianceError(.badKey, "cannot name a node", at: "\(place).name") }
        let addresses = try reader.strings("addresses", most: 8, length: 300)
        guard addresses.allSatisfy({ $0.utf8.starts(with: "https://".utf8) }) else {
            throw AllianceError(.invalidField, "must start with https://", at: "\(place).addresses")
        }
        var keys: [HashValue] = []
        for (position, element) in try reader.array("tls", most: 8, least: 1).enumerated() {
            keys.append(try JSONReader.digest(element, at: "\(place).tls[\(position)]"))
        }
        try reader.finish()
        return RosterNode(name: name, addresses: addresses, tlsKeys: keys)
    }
}

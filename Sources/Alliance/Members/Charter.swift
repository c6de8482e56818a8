public import TransparencyLog

/// What a member may do in the alliance.
public enum MemberRole: String, Hashable, Sendable, CaseIterable {
    /// Keeps registers, and signs charters.
    case regulator
    /// Holds, checks and cosigns everything; signs no charter.
    case observer
}

/// Whether a member takes part now.
public enum MemberStanding: String, Hashable, Sendable, CaseIterable {
    case active, suspended, removed
}

/// How the statements of several members on one shared register become one view.
public enum MergeRule: Hashable, Sendable {
    /// Each authority's word stands beside the others'.
    case each
    /// Any of these members writes; several in force are a conflict.
    case joint(writers: [String])
    /// A proposal takes effect once `count` other members endorse it.
    case by(count: Int)
}

/// A register that the alliance shares, as its charter lists it.
public struct SharedRegister: Hashable, Sendable {
    /// The register's name.
    public let name: String
    /// SHA-256 of the definition's descriptor bytes.
    public let definition: HashValue
    /// How members' statements are joined.
    public let merge: MergeRule

    /// Lists a register.
    public init(name: String, definition: HashValue, merge: MergeRule) {
        self.name = name
        self.definition = definition
        self.merge = merge
    }
}

/// A root key of a member: signs charters and the member's rosters.
public struct RootKey: Hashable, Sendable {
    public let name: String
    public let key: SigningKey

    /// Names a key.
    public init(name: String, key: SigningKey) {
        self.name = name
        self.key = key
    }
}

/// One member, as the charter states it.
public struct CharterMember: Hashable, Sendable {
    /// `did:web:…`.
    public var id: String
    /// Short name, also the prefix of the member's own registers: `[a-z][a-z0-9-]{0,15}`.
    public var name: String
    /// The name that people read.
    public var title: String
    /// ISO 3166-1 alpha-2.
    public var country: String
    /// IANA time zone: bare dates are midnight there.
    public var zone: String
    public var role: MemberRole
    public var standing: MemberStanding
    public var rootKeys: [RootKey]
    /// How many root keys must sign for the member.
    public var rootThreshold: Int
    /// SHA-256 of the SubjectPublicKeyInfo of the member's certificate authority.
    public var authority: HashValue
    /// The log's origin is its key's name.
    public var log: VerifierKey
    /// Cosigns other members' logs.
    public var replica: VerifierKey?
    /// Cosigns logs from outside the alliance.
    public var witness: VerifierKey?
    /// Where the member's nodes can be dialled at first: `https://host:port`.
    public var addresses: [String]

    /// States a member; ``Charter`` checks it.
    public init(
        id: String, name: String, title: String, country: String, zone: String, role: MemberRole,
        standing: MemberStanding = .active, rootKeys: [RootKey], rootThreshold: Int = 1, authority: HashValue,
        log: VerifierKey, replica: VerifierKey?, witness: VerifierKey? = nil,
        addresses: [String]
    ) {
        self.id = id
        self.name = name
        self.title = title
        self.country = country
        self.zone = zone
        self.role = role
        self.standing = standing
        self.rootKeys = rootKeys
        self.rootThreshold = rootThreshold
        self.authority = authority
        self.log = log
        self.replica = replica
        self.witness = witness
        self.addresses = addresses
    }
}

/// Where the statements of one log begin to be governed by the charter that states this.
public struct CharterCut: Hashable, Sendable {
    /// The log, as the version before knows it.
    public let origin: String
    /// The first index that the new version governs: a checkpoint's size.
    public let size: UInt64
    /// The root of the log's tree of that size.
    public let root: HashValue

    /// States a cut.
    public init(origin: String, size: UInt64, root: HashValue) {
        self.origin = origin
        self.size = size
        self.root = root
    }
}

/// What a charter says: the alliance's membership and every input of trust.
public struct Charter: Hashable, Sendable {
    /// The alliance's name.
    public var alliance: String
    /// From 1, without gaps.
    public var version: Int
    /// SHA-256 of the payload of the version before; nil for version 1.
    public var previous: HashValue?
    public var issued: Timestamp
    /// After this, a verification of "now" answers "cannot tell"; counting and connections go on.
    public var expires: Timestamp
    /// How many regulators must sign the next version; more than half.
    public var threshold: Int
    /// How many other members must hold and check a log for it to be final.
    public var quorum: Int
    public var registers: [SharedRegister]
    public var members: [CharterMember]
    /// One for each log that this version changes; each log once.
    public var cuts: [CharterCut]

    /// The `typ` of a charter's JWS.
    public static let type = "entente-charter+json"
    /// Members of one alliance.
    public static let memberLimit = 200
    /// Shared registers.
    public static let registerLimit = 200

    /// States a charter; nothing is checked until ``payload()`` or ``init(payload:)``.
    public init(
        alliance: String, version: Int = 1, previous: HashValue? = nil, issued: Timestamp, expires: Timestamp,
        threshold: Int, quorum: Int, registers: [SharedRegister], members: [CharterMember], cuts: [CharterCut] = []
    ) {
        self.alliance = alliance
        self.version = version
        self.previous = previous
        self.issued = issued
        self.expires = expires
        self.threshold = threshold
        self.quorum = quorum
        self.registers = registers
        self.members = members
        self.cuts = cuts
    }

    /// The member of that id.
    public func member(id: String) -> CharterMember? { members.first { $0.id == id } }
    /// The member of that short name.
    public func member(named name: String) -> CharterMember? { members.first { $0.name == name } }
    /// The member whose log has this origin.
    public func member(origin: String) -> CharterMember? { members.first { $0.log.name == origin } }
    /// The cut of the log with this origin.
    public func cut(of origin: String) -> CharterCut? { cuts.first { $0.origin.hasSameBytes(as: origin) } }
    /// The shared register of that name.
    public func register(_ name: String) -> SharedRegister? { registers.first { $0.name == name } }
    /// Active regulators.
    public var regulators: [CharterMember] { members.filter { $0.role == .regulator && $0.standing == .active } }

    /// The members whose replica keys make quorums for the log of `owner`: all other active ones that have such a key.
    public func replicas(of owner: String) -> [CharterMember] {
        members.filter { $0.id != owner && $0.standing == .active && $0.replica != nil }
    }

    /// How many members must collude with a log's owner to tell two stories about that log.
    public func collusionBound(of owner: String) -> Int { max(0, 2 * quorum - replicas(of: owner).count) }
}

// MARK: - Rules

extension Charter {
    /// Checks every rule that a charter's content must keep by itself (formats, section 9).
    public func validate() throws(AllianceError) {
        try Self.require(!alliance.isEmpty && alliance.utf8.count <= 200, "must have 1 to 200 bytes", "alliance")
        try Self.require(version >= 1 && version <= 1_000_000, "must be from 1 to 1,000,000", "version")
        try Self.require((version == 1) == (previous == nil), "is due from version 2 on, and only then", "previous")
        try Self.require(issued.seconds < expires.seconds, "must be after the issue", "expires")
        try Self.require(members.count <= Self.memberLimit, "at most \(Self.memberLimit) members", "members")
        try Self.require(!regulators.isEmpty, "has no active regulator", "members")
        try Self.require(
            threshold * 2 > regulators.count && threshold <= regulators.count,
            "must be more than half of the \(regulators.count) regulators, and at most all", "threshold")
        for (position, member) in members.enumerated() {
            do throws(AllianceError) { try member.validate() } catch { throw error.within("members[\(position)]") }
        }
        try requireUnique(members.map(\.id), "member id")
        try requireUnique(members.map(\.name), "short name")
        try requireUnique(members.map(\.log.name), "log origin")
        try requireUnique(members.map { $0.authority.hex }, "member CA")
        try requireUniqueKeys()
        try validateCuts()
        try validateQuorum()
        try validateRegisters()
    }

    /// For every active log: more than half of its replicas, at most all of them or 63.
    private func validateQuorum() throws(AllianceError) {
        for member in members where member.standing == .active {
            let count = replicas(of: member.id).count
            try Self.require(
                quorum * 2 > count && quorum <= min(count, 63),
                "\(member.name)'s log has \(count) other members with a replica key, so the quorum must be from "
                    + "\(count / 2 + 1) to \(min(count, 63))", "quorum")
        }
    }

    private func validateCuts() throws(AllianceError) {
        try Self.require(version > 1 || cuts.isEmpty, "version 1 has no cuts", "cuts")
        try Self.require(cuts.count <= Self.memberLimit, "at most \(Self.memberLimit)", "cuts")
        for (position, cut) in cuts.enumerated() {
            try Self.require(Origin.isValid(cut.origin), "is no origin of a log", "cuts[\(position)].origin")
            try Self.require(cut.size < 1 << 44, "is larger than any log", "cuts[\(position)].size")
            let isEmpty = cut.size == 0
            try Self.require(
                isEmpty == (cut.root == MerkleTree.emptyRoot), "is not the root of that size", "cuts[\(position)].root")
        }
        try requireUnique(cuts.map(\.origin), "cut of", at: "cuts")
    }

    private func validateRegisters() throws(AllianceError) {
        try Self.require(registers.count <= Self.registerLimit, "at most \(Self.registerLimit)", "registers")
        try requireUnique(registers.map(\.name), "register")
        for register in registers {
            try Self.require(
                RegisterName.isShared(register.name), "\(register.name) cannot name a shared register", "registers")
            switch register.merge {
            case .each: break
            case .joint(let writers):
                try Self.require(!writers.isEmpty, "\(register.name) names no writer", "registers")
                for writer in writers where member(id: writer) == nil {
                    throw AllianceError(.unknown, "\(register.name): \(writer) is no member", at: "registers")
                }
                try requireUnique(writers, "writer")
            case .by(let count):
                try Self.require(
                    count >= 1 && count < max(2, members.count), "\(register.name): k is out of range", "registers")
            }
        }
    }

    /// No raw public key twice in any role.
    private func requireUniqueKeys() throws(AllianceError) {
        try requireUnique(members.flatMap(\.rawKeys).map { Base64.encodeURL($0) }, "key")
    }

    private func requireUnique(
        _ values: [String], _ what: String, at place: String = "members"
    ) throws(AllianceError) {
        var seen: Set<[UInt8]> = []
        for value in values where !seen.insert(Array(value.utf8)).inserted {
            throw AllianceError(.badKey, "the \(what) \(value) stands twice", at: place)
        }
    }

    static func require(_ condition: Bool, _ reason: String, _ place: String) throws(AllianceError) {
        guard condition else { throw AllianceError(.invalidField, reason, at: place) }
    }
}

extension CharterMember {
    /// Every raw public key that the charter states for this member.
    var rawKeys: [[UInt8]] {
        rootKeys.map(\.key.bytes) + [log.publicKey] + [replica, witness].compactMap { $0?.publicKey }
    }

    func validate() throws(AllianceError) {
        try Charter.require(MemberID.isValid(id), "must be did:web: and a domain in lower case", "id")
        try Charter.require(Self.isShortName(name), "must be [a-z][a-z0-9-]{0,15}", "name")
        try Charter.require(!title.isEmpty && title.utf8.count <= 200, "must have 1 to 200 bytes", "title")
        let isCountry = country.utf8.count == 2 && country.utf8.allSatisfy { (0x41...0x5A).contains($0) }
        try Charter.require(isCountry, "must be two capital letters (ISO 3166-1)", "country")
        try Charter.require(!zone.isEmpty && zone.utf8.count <= 64, "must be an IANA time zone", "zone")
        try Charter.require((1...16).contains(rootKeys.count), "1 to 16 root keys are due", "rootKeys")
        try Charter.require((1...rootKeys.count).contains(rootThreshold), "must be from 1 to all", "rootThreshold")
        try Charter.require(Set(rootKeys.map(\.name)).count == rootKeys.count, "two have one name", "rootKeys")
        try Charter.require(Origin.isValid(log.name), "the origin must be [a-z0-9.-]+(/[a-z0-9.-]+)*", "log")
        try Charter.require(log.type == .ed25519, "must be an Ed25519 key", "log")
        for (key, place) in [(replica, "replica"), (witness, "witness")] {
            guard let key else { continue }
            try Charter.require(key.type == .cosignatureEd25519, "must be an Ed25519 cosignature key", place)
        }
        for (key, place) in [(log, "log"), (replica, "replica"), (witness, "witness")] {
            guard let key else { continue }
            do throws(AllianceError) { _ = try SigningKey(key.publicKey) } catch { throw error.within(place) }
        }
        try Charter.require(
            addresses.count <= 8
                && addresses.allSatisfy { $0.utf8.starts(with: "https://".utf8) && $0.utf8.count <= 300 },
            "at most 8, each https://host:port", "addresses")
    }

    private static func isShortName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7A).contains(first), text.utf8.count <= 16 else { return false }
        return text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }
}

/// The rules for a log's origin: what is a path on every web server and needs no escape.
public enum Origin {
    /// Whether `text` is `[a-z0-9.-]+(/[a-z0-9.-]+)*`, at most 200 bytes, with no part of points alone.
    public static func isValid(_ text: String) -> Bool {
        guard text.utf8.count <= 200 else { return false }
        return text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && !part.allSatisfy { $0 == 0x2E }
                && part.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x2E
                }
        }
    }
}

/// The rules for a register's name: `[a-z][a-z0-9.-]{0,63}`; a member's own has that member's short name and a point.
public enum RegisterName {
    /// Whether `text` may name a register.
    public static func isValid(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7A).contains(first), text.utf8.count <= 64 else { return false }
        return text.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D || $0 == 0x2E
        }
    }

    /// Whether `text` may name a shared register: no point.
    public static func isShared(_ text: String) -> Bool { isValid(text) && !text.utf8.contains(0x2E) }

    /// Whether `text` names a register of the member's own.
    public static func isOwn(_ text: String, of shortName: String) -> Bool {
        isValid(text) && text.utf8.starts(with: "\(shortName).".utf8) && text.utf8.count > shortName.utf8.count + 1
    }
}

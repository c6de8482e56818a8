public import Alliance
public import TransparencyLog

/// What Replication needs to know of the charter in force: who speaks in which log, and whose cosignatures count.
///
/// A plain value, made by the shell from a verified charter and replaced as a whole by
/// ``Event/membershipChanged(_:)``.
public struct Membership: Hashable, Sendable {
    /// What a member may do.
    public enum Role: String, Hashable, Sendable {
        /// Speaks with authority, and signs charters.
        case regulator
        /// Replicates and cosigns.
        case observer
    }

    /// One member, with its log and its replica key.
    public struct Member: Hashable, Sendable {
        /// The member's id (`did:web:…`).
        public var id: String
        /// What it may do.
        public var role: Role
        /// Whether its standing is active: only then its cosignatures count towards a quorum.
        public var isActive: Bool
        /// Its log's origin.
        public var origin: String
        /// The key that signs its log's checkpoints; named like the origin.
        public var logKey: VerifierKey
        /// The key that cosigns other members' checkpoints, if the charter names one.
        public var replicaKey: VerifierKey?

        /// Describes a member.
        public init(
            id: String, role: Role, isActive: Bool, origin: String, logKey: VerifierKey, replicaKey: VerifierKey?
        ) {
            self.id = id
            self.role = role
            self.isActive = isActive
            self.origin = origin
            self.logKey = logKey
            self.replicaKey = replicaKey
        }
    }

    /// A charter that was in force.
    public struct Former: Hashable, Sendable {
        /// How many replica cosignatures a checkpoint needed.
        public var quorum: Int
        /// The members that it named.
        public var members: [Member]

        /// Describes a charter that was in force.
        public init(quorum: Int, members: [Member]) {
            self.quorum = quorum
            self.members = members
        }
    }

    /// The alliance: SHA-256 of charter version 1's payload.
    public let alliance: HashValue
    /// The version of the charter in force.
    public let version: UInt64
    /// SHA-256 of that charter's payload.
    public let digest: HashValue
    /// How many replica cosignatures a checkpoint needs (formats 4).
    public let quorum: Int
    /// The members, sorted by id.
    public let members: [Member]
    /// The digests of every charter that is held, by version; where two of one version contradict each other, neither
    /// of them is in force.
    public let known: [UInt64: [HashValue]]
    /// The decided charters before the one in force, of which a quorum that was reached once still counts (formats 11).
    public let former: [Former]
    /// Where the newest decided charter that cuts a log cuts it, by origin.
    public let cuts: [String: CharterCut]
    /// The positions of members by the ID of their replica key; few IDs, if any, are of two keys.
    private let positionsByReplicaKey: [UInt32: [Int]]

    /// Describes a charter. Members are kept sorted by id; the charter has been checked, so ids and origins differ.
    ///
    /// - Parameters:
    ///   - known: the charters held beside the one in force.
    ///   - former: the decided ones before it.
    ///   - cuts: the newest cut of each log.
    public init(
        alliance: HashValue, version: UInt64, digest: HashValue, quorum: Int, members: [Member],
        known: [UInt64: [HashValue]] = [:], former: [Former] = [], cuts: [String: CharterCut] = [:]
    ) {
        self.former = former
        self.cuts = cuts
        self.known = known.merging([version: [digest]]) { old, new in old.contains(digest) ? old : old + new }
        self.alliance = alliance
        self.version = version
        self.digest = digest
        self.quorum = quorum
        let sorted = members.sorted { $0.id.precedes($1.id) }
        self.members = sorted
        var positions: [UInt32: [Int]] = [:]
        for (position, member) in sorted.enumerated() {
            if let key = member.replicaKey { positions[key.keyID, default: []].append(position) }
        }
        positionsByReplicaKey = positions
    }

    /// The newest version of which any charter is held.
    var newestKnown: UInt64 { known.keys.max() ?? version }

    /// Whether this charter is held.
    func knows(_ version: UInt64, _ digest: HashValue) -> Bool { known[version]?.contains(digest) ?? false }

    /// Whether this charter is held, and no further signature of it can change what is in force: not where it is beyond
    /// that, or contradicts another.
    func isSettled(_ version: UInt64, _ digest: HashValue) -> Bool {
        version <= self.version && known[version] == [digest]
    }

    /// The charters held that no other charter held follows: what a peer must have been told of to hold all of them.
    var newest: [(version: UInt64, digest: HashValue)] {
        guard newestKnown > version else { return [(version, digest)] }
        return [(version, digest)]
            + known.keys.filter { $0 > version }.sorted().flatMap { number in
                (known[number] ?? []).map { (number, $0) }
            }
    }

    /// The member with this id.
    public func member(_ id: String) -> Member? {
        members.first { $0.id.isExactly(id) }
    }

    /// The member whose log has this origin.
    public func owner(of origin: String) -> Member? {
        members.first { $0.origin.isExactly(origin) }
    }

    /// The members whose cosignatures count for a log: active, with a replica key, never the owner (formats 4).
    public func replicas(of origin: String) -> [Member] {
        members.filter { $0.isActive && $0.replicaKey != nil && !$0.origin.isExactly(origin) }
    }

    /// How many replica keys the decided charters name.
    var replicaKeys: Int { Set((members + former.flatMap(\.members)).compactMap(\.replicaKey)).count }

    /// Whose cosignatures make a quorum of a log, under each decided charter.
    func quorums(of origin: String) -> [ReplicaQuorum] {
        let owner = owner(of: origin)?.id ?? ""
        return ([Former(quorum: quorum, members: members)] + former).map { charter in
            ReplicaQuorum(
                needed: charter.quorum,
                replicas: charter.members.compactMap { member in
                    guard member.isActive, !member.id.isExactly(owner), let key = member.replicaKey else { return nil }
                    return ReplicaQuorum.Replica(member: member.id, key: key)
                })
        }
    }

    /// Whose cosignature of this log a line says it is, if it would count.
    func replica(_ line: NoteSignature, of origin: String) -> (member: Member, key: VerifierKey)? {
        for position in positionsByReplicaKey[line.keyID] ?? [] {
            let member = members[position]
            guard member.isActive, let key = member.replicaKey, line.isAttributed(to: key) else { continue }
            return member.origin.isExactly(origin) ? nil : (member, key)
        }
        return nil
    }
}

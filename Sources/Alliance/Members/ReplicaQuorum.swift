public import TransparencyLog

/// Whose cosignatures make a quorum of one log under one charter, and how many of them (formats, section 4).
///
/// Members of different charters never make a quorum together: what each of them knew when it cosigned bounds what its
/// charter's others can contradict.
public struct ReplicaQuorum: Hashable, Sendable {
    /// A member with its replica key.
    public struct Replica: Hashable, Sendable {
        /// The member's id.
        public let member: String
        /// The key that cosigns.
        public let key: VerifierKey

        public init(member: String, key: VerifierKey) {
            self.member = member
            self.key = key
        }
    }

    /// How many members are needed; at least 1.
    public let needed: Int
    /// Those that count: active, with a replica key, without the log's owner.
    public let replicas: [Replica]

    public init(needed: Int, replicas: [Replica]) {
        self.needed = needed
        self.replicas = replicas
    }

    /// The quorum of the log of `owner` (a member's id) under a charter.
    public init(charter: Charter, owner: String) {
        self.init(
            needed: charter.quorum,
            replicas: charter.replicas(of: owner).compactMap { member in
                member.replica.map { Replica(member: member.id, key: $0) }
            })
    }

    /// Whether lines under one checkpoint make a quorum. A member counts once, however many lines it has.
    ///
    /// - Parameter lines: signatures that were verified; which key made one is told by its name and key ID alone.
    public func isReached(by lines: [NoteSignature]) -> Bool {
        isReached { replica in lines.contains { $0.isAttributed(to: replica.key) } }
    }

    func isReached(where hasCosigned: (Replica) -> Bool) -> Bool {
        needed > 0 && replicas.count(where: hasCosigned) >= needed
    }
}

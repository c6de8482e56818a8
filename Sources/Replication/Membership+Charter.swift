public import Alliance
internal import TransparencyLog

extension Membership {
    /// What replication needs of a verified charter.
    public init(_ verified: VerifiedCharter) {
        let charter = verified.charter
        self.init(
            alliance: verified.alliance, version: UInt64(charter.version), digest: verified.digest,
            quorum: charter.quorum,
            members: charter.members.map { member in
                Membership.Member(
                    id: member.id, role: member.role == .regulator ? .regulator : .observer,
                    isActive: member.standing == .active, origin: member.log.name, logKey: member.log,
                    replicaKey: member.replica)
            })
    }
}

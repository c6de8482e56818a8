public import Alliance
public import TransparencyLog

extension Membership {
    /// What replication needs of the charters that are known.
    public init(_ chain: CharterChain) {
        var known: [UInt64: [HashValue]] = [:]
        for one in chain.all { known[UInt64(one.charter.version), default: []].append(one.digest) }
        self.init(chain.current, known: known)
    }

    /// What replication needs of a verified charter.
    public init(_ verified: VerifiedCharter, known: [UInt64: [HashValue]] = [:]) {
        let charter = verified.charter
        self.init(
            alliance: verified.alliance, version: UInt64(charter.version), digest: verified.digest,
            quorum: charter.quorum,
            members: charter.members.map { member in
                Membership.Member(
                    id: member.id, role: member.role == .regulator ? .regulator : .observer,
                    isActive: member.standing == .active, origin: member.log.name, logKey: member.log,
                    replicaKey: member.replica)
            }, known: known)
    }
}

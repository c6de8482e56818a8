public import Alliance
public import TransparencyLog

extension Membership {
    /// What replication needs of the charters that are known.
    public init(_ chain: CharterChain) {
        var known: [UInt64: [HashValue]] = [:]
        for one in chain.all { known[UInt64(one.charter.version), default: []].append(one.digest) }
        var former: [Former] = []
        var cuts: [String: CharterCut] = [:]
        for one in chain.versions {
            for cut in one.charter.cuts { cuts[cut.origin] = cut }
            let charter = Former(quorum: one.charter.quorum, members: Self.members(of: one.charter))
            if one.digest != chain.current.digest, former.last != charter { former.append(charter) }
        }
        self.init(chain.current, known: known, former: former, cuts: cuts)
    }

    /// What replication needs of a verified charter.
    public init(
        _ verified: VerifiedCharter, known: [UInt64: [HashValue]] = [:], former: [Former] = [],
        cuts: [String: CharterCut] = [:]
    ) {
        let charter = verified.charter
        self.init(
            alliance: verified.alliance, version: UInt64(charter.version), digest: verified.digest,
            quorum: charter.quorum, members: Self.members(of: charter), known: known, former: former, cuts: cuts)
    }

    private static func members(of charter: Charter) -> [Member] {
        charter.members.map { member in
            Member(
                id: member.id, role: member.role == .regulator ? .regulator : .observer,
                isActive: member.standing == .active, origin: member.log.name, logKey: member.log,
                replicaKey: member.replica)
        }
    }
}

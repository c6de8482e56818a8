import Alliance
import TransparencyLog

/// Whose signatures may stand under stored notes: what was signed while one charter was in force stays when the next one
/// takes a key away.
struct AuditCharters {
    private let chain: CharterChain

    init(_ chain: CharterChain) { self.chain = chain }

    /// The quorum of the charter in force.
    var quorum: Int { chain.current.charter.quorum }

    /// Whose cosignatures made a quorum of a member's log, under each charter.
    func quorums(of owner: String) -> [ReplicaQuorum] {
        chain.versions.map { ReplicaQuorum(charter: $0.charter, owner: owner) }
    }

    /// The least quorum that any charter asked for.
    var leastQuorum: Int { chain.versions.map(\.charter.quorum).min() ?? quorum }

    /// Every log that any charter names, once, with the member as the newest charter has it that names it: a log whose
    /// member got another stays.
    var logs: [CharterMember] {
        var found: [CharterMember] = []
        for member in chain.versions.reversed().flatMap(\.charter.members)
        where !found.contains(where: { $0.log.name == member.log.name }) {
            found.append(member)
        }
        return found
    }

    /// The members that were replicas of a log under any charter, once with each of their keys.
    func replicas(of owner: String) -> [CharterMember] {
        var found: [CharterMember] = []
        for charter in chain.versions {
            for member in charter.charter.replicas(of: owner)
            where !found.contains(where: { $0.id == member.id && $0.replica == member.replica }) {
                found.append(member)
            }
        }
        return found
    }

    /// The replica key of a member that a line says it is by.
    func replica(_ name: String, of line: NoteSignature, in log: AuditedLog) -> VerifierKey? {
        replicas(of: log.member.id).first { member in
            member.id == name && (member.replica.map { line.isAttributed(to: $0) } ?? false)
        }?.replica
    }
}

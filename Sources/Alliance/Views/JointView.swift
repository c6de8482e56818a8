public import TransparencyLog

/// The join of what the writers of a joint register say of one key: a pure function of the set of statements, whatever the
/// order in which they came.
///
/// A statement is in force until one that is in force supersedes it. Superseding another member's statement by one of a less
/// restrictive status takes effect only with an endorsement, in force, of the superseding statement by that other
/// member. References to statements that are not here are kept and mean nothing until those come. Members retract only their
/// own, which their logs have done already.
public struct JointView: Sendable {
    /// Why a statement is not in force, or a reference has no effect.
    public struct Link: Sendable {
        /// What is superseded.
        public let old: MemberVoice
        /// What supersedes it.
        public let by: MemberVoice
    }

    /// By member, then index.
    public let inForce: [MemberVoice]
    /// Statements of members that the charter does not name as writers: without effect.
    public let notWriters: [MemberVoice]
    /// What is superseded across members.
    public let superseded: [Link]
    /// What would be superseded, were the superseding statement endorsed by the old one's author.
    public let unendorsed: [Link]
    /// Identities that statements in force refer to and that are no statement of this key here: replaced in their own
    /// logs since, or not yet seen.
    public let unresolved: [HashValue]

    /// Joins statements that are each in force in their own logs.
    ///
    /// - Parameters:
    ///   - writers: the ids of the members that the charter lets write.
    ///   - endorsements: those in force of any of the statements.
    public init(
        _ voices: [MemberVoice], writers: [String], endorsements: [PlacedEndorsement], definition: RegisterDefinition
    ) {
        let sorted = voices.sorted { ($0.member, $0.placed.index) < ($1.member, $1.placed.index) }
        let written = sorted.filter { writers.contains($0.member) }
        notWriters = sorted.filter { !writers.contains($0.member) }
        let places = Dictionary(written.enumerated().map { ($1.identity, $0) }, uniquingKeysWith: min)
        // A statement can only refer to one whose digest it knows, so that references have no cycles.
        let references = written.map { voice in voice.attestation.supersedes.compactMap { places[$0] } }
        var waiting = Array(repeating: 0, count: written.count)
        for targets in references { for target in targets { waiting[target] += 1 } }
        var isInForce = Array(repeating: true, count: written.count)
        var superseded: [Link] = []
        var unendorsed: [Link] = []
        var ready = written.indices.filter { waiting[$0] == 0 }
        while let next = ready.popLast() {
            for target in references[next] {
                waiting[target] -= 1
                if waiting[target] == 0 { ready.append(target) }
                guard isInForce[next], written[target].member != written[next].member else { continue }
                let link = Link(old: written[target], by: written[next])
                if Self.takesEffect(link, endorsements, definition) {
                    isInForce[target] = false
                    superseded.append(link)
                } else {
                    unendorsed.append(link)
                }
            }
        }
        func sort(_ links: [Link]) -> [Link] {
            links.sorted {
                ($0.old.member, $0.old.placed.index, $0.by.member, $0.by.placed.index)
                    < ($1.old.member, $1.old.placed.index, $1.by.member, $1.by.placed.index)
            }
        }
        inForce = written.indices.filter { isInForce[$0] }.map { written[$0] }
        self.superseded = sort(superseded)
        self.unendorsed = sort(unendorsed)
        let missing = inForce.flatMap(\.attestation.supersedes).filter { places[$0] == nil }
        unresolved = Set(missing).sorted()
    }

    private static func takesEffect(
        _ link: Link, _ endorsements: [PlacedEndorsement], _ definition: RegisterDefinition
    ) -> Bool {
        let (old, new) = (
            definition.restrictiveness(of: link.old.attestation.status),
            definition.restrictiveness(of: link.by.attestation.status)
        )
        return new >= old
            || endorsements.contains {
                $0.agrees && $0.member == link.old.member && $0.endorsement.identity == link.by.identity
            }
    }
}

/// What is adopted in a register by K: statements of which enough other members' endorsements are in force.
public struct AdoptedView: Sendable {
    /// A proposal and who agrees.
    public struct Proposal: Sendable {
        public let voice: MemberVoice
        /// The ids of the other members that endorse exactly this statement, sorted.
        public let endorsers: [String]
        public let isAdopted: Bool
    }

    /// By member, then index.
    public let proposals: [Proposal]
    /// How many others are needed.
    public let needed: Int

    /// What is adopted.
    public var adopted: [MemberVoice] { proposals.filter(\.isAdopted).map(\.voice) }

    /// Counts, for statements that are each in force in their own logs, the members other than the author that have an
    /// endorsement of exactly this identity in force. A member counts once; a note does not count. Endorsements of a
    /// member that was suspended since still count, later ones do not (statements.md, section 6).
    public init(_ voices: [MemberVoice], needed: Int, endorsements: [PlacedEndorsement]) {
        self.needed = needed
        proposals = voices.sorted { ($0.member, $0.placed.index) < ($1.member, $1.placed.index) }.map { voice in
            let members = endorsements.filter {
                $0.agrees && $0.member != voice.member && $0.endorsement.identity == voice.identity
            }.map(\.member)
            let endorsers = Set(members).sorted()
            return Proposal(voice: voice, endorsers: endorsers, isAdopted: endorsers.count >= needed)
        }
    }
}

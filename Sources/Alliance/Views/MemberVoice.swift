public import TransparencyLog

/// A statement on one key that is in force in its own member's log.
public struct MemberVoice: Sendable {
    /// The member's id.
    public let member: String
    public let placed: PlacedAttestation

    /// Names a statement and who says it.
    public init(member: String, placed: PlacedAttestation) {
        self.member = member
        self.placed = placed
    }

    public var identity: HashValue { placed.identity }
    public var attestation: Attestation { placed.attestation }
}

/// An endorsement that is in force in its member's log.
public struct PlacedEndorsement: Sendable {
    /// The id of the member that endorses.
    public let member: String
    /// Where it stands in that member's log.
    public let index: UInt64
    public let endorsement: Endorsement

    /// Places an endorsement.
    public init(member: String, index: UInt64, endorsement: Endorsement) {
        self.member = member
        self.index = index
        self.endorsement = endorsement
    }

    /// Whether it agrees with what it names: `notes` does not.
    public var agrees: Bool { endorsement.type != .notes }
}

/// What a register that several members speak in says of one key at a time.
public struct JointChoice: Sendable {
    /// What members say at that time, the most restrictive first. The first one is the effective answer; several are a
    /// conflict.
    public let speaking: [MemberVoice]

    /// The answer: the most restrictive status, of equals the one with the lowest identity.
    public var effective: MemberVoice? { speaking.first }
    /// Whether several statements speak at once: of several members, or of one.
    public let isConflict: Bool

    /// Chooses among statements that the merge rule has left in force: of each member what speaks at the time
    /// (``Choice``), of all members the most restrictive.
    ///
    /// A later start of one member does not silence another: only a statement that supersedes does.
    ///
    /// - Parameter time: seconds since 1970.
    public init(at time: Int64, of voices: [MemberVoice], definition: RegisterDefinition) {
        var speaking: [MemberVoice] = []
        for member in Set(voices.map(\.member)) {
            let own = voices.filter { $0.member == member }.map(\.placed)
            guard case .speaks(let first, let conflict) = Choice(at: time, of: own, definition: definition) else {
                continue
            }
            speaking += (conflict.isEmpty ? [first] : conflict).map { MemberVoice(member: member, placed: $0) }
        }
        func rank(_ voice: MemberVoice) -> Int { definition.restrictiveness(of: voice.attestation.status) }
        self.speaking = speaking.sorted { one, other in
            rank(one) != rank(other) ? rank(one) > rank(other) : one.identity < other.identity
        }
        isConflict = speaking.count > 1
    }
}

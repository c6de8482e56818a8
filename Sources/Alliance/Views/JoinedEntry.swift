import TransparencyLog

/// What a register says of one key at one time, joined across members as the charter says: a pure function of the set of
/// statements in force in all logs, and of the endorsements of them.
public struct JoinedEntry: Sendable {
    /// What the charter's rule made of the statements.
    public enum Join: Sendable {
        /// Nothing: every statement stands for itself.
        case each
        case joint(JointView)
        case adopted(AdoptedView)
    }

    /// How one statement takes part.
    public enum Standing: String, Hashable, Sendable, CaseIterable {
        /// It is in force and speaks at the time.
        case speaks
        /// It is in force, and another one of its author speaks at the time, or none.
        case silent
        /// Another member's statement supersedes it.
        case superseded
        /// Too few members have endorsed it.
        case proposed
        /// The charter does not let its author write.
        case notWriter = "not-writer"
    }

    /// By member, then index: each in force in its own log.
    public let voices: [MemberVoice]
    public let join: Join
    /// What the rule leaves in force, by member, then index.
    public let inForce: [MemberVoice]
    /// What of it speaks.
    public let choice: JointChoice

    /// Joins statements that are each in force in their own logs.
    ///
    /// - Parameters:
    ///   - rule: the charter's; for `each`, the statements of one member are expected.
    ///   - endorsements: those in force of any of the statements.
    ///   - time: seconds since 1970.
    public init(
        _ voices: [MemberVoice], rule: MergeRule, endorsements: [PlacedEndorsement], definition: RegisterDefinition,
        at time: Int64
    ) {
        self.voices = voices.sorted { ($0.member, $0.placed.index) < ($1.member, $1.placed.index) }
        switch rule {
        case .each:
            join = .each
            inForce = self.voices
        case .joint(let writers):
            let view = JointView(voices, writers: writers, endorsements: endorsements, definition: definition)
            join = .joint(view)
            inForce = view.inForce
        case .by(let count):
            let view = AdoptedView(voices, needed: count, endorsements: endorsements)
            join = .adopted(view)
            inForce = view.adopted
        }
        choice = JointChoice(at: time, of: inForce, definition: definition)
    }

    /// How a statement of ``voices`` takes part.
    public func standing(of voice: MemberVoice) -> Standing {
        func isIn(_ voices: [MemberVoice]) -> Bool { voices.contains { $0.identity == voice.identity } }
        if isIn(choice.speaking) { return .speaks }
        if isIn(inForce) { return .silent }
        switch join {
        case .each: return .silent
        case .joint(let view): return isIn(view.notWriters) ? .notWriter : .superseded
        case .adopted: return .proposed
        }
    }

    /// Since when a conflict is one: from when a second statement of those that speak now spoke beside a first. Nil where
    /// there is no conflict.
    public var conflictSince: Timestamp? {
        guard choice.isConflict else { return nil }
        return choice.speaking.map(\.attestation.validFrom).sorted { $0.seconds < $1.seconds }[1]
    }

    /// Why the effective statement prevails over the others; nil where there is no conflict.
    public func prevalence(_ definition: RegisterDefinition) -> String? {
        guard choice.isConflict, let first = choice.speaking.first else { return nil }
        let rank = definition.restrictiveness(of: first.attestation.status)
        let equals = choice.speaking.count { definition.restrictiveness(of: $0.attestation.status) == rank }
        let what =
            definition.status(first.attestation.status) == nil
            ? "a status outside the vocabulary counts as the most restrictive" : "it is the most restrictive status"
        return equals == 1 ? what : "\(what), and of \(equals) such statements it has the lowest identity"
    }
}

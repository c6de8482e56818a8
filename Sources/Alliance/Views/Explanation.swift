import TransparencyLog

/// Why a register's effective status of one key is what it is at a time, step by step, and what would change it.
///
/// The steps are those by which every view is computed: which statements each log has in force, how the charter's merge rule
/// joins them across members, and which of them speak at the time.
public struct Explanation: Sendable {
    /// What one member's log says of the key.
    public struct Testimony: Sendable {
        public let member: CharterMember
        /// The counted statements that touched the row, by ascending index; none where nothing was ever said.
        public let steps: [PlacedStatement]

        /// Names a log's part.
        public init(member: CharterMember, steps: [PlacedStatement]) {
            self.member = member
            self.steps = steps
        }
    }

    /// One step of the reasoning.
    public struct Step: Hashable, Sendable {
        /// What is decided here, as a sentence.
        public let rule: String
        /// What that gives, each a sentence about one statement or member.
        public let findings: [String]
    }

    /// From the merge rule to the answer.
    public private(set) var steps: [Step] = []
    /// What would give another answer, each a sentence; dated changes that are stated already come first, by their date.
    public private(set) var changes: [String] = []
    /// The statement that the answer is; nil where none speaks.
    public private(set) var effective: MemberVoice?
    /// Whether several speak at once.
    public private(set) var isConflict = false

    /// Statements of one log that are told of, the newest.
    static let statementLimit = 50

    /// Explains one key of one register.
    ///
    /// - Parameters:
    ///   - rule: how the charter joins the register; `each` for a member's own.
    ///   - testimonies: of every member that the rule may ask; for `each`, of the one whose word is asked for.
    ///   - endorsements: those in force of the statements in force.
    ///   - time: the instant that is asked about, in the zone in which it is shown.
    ///   - members: all of the charter's, for their titles.
    public init(
        register: String, key: String, rule: MergeRule, testimonies: [Testimony], endorsements: [PlacedEndorsement],
        definition: RegisterDefinition, at time: Timestamp, members: [CharterMember]
    ) {
        let row = RowKey(map: register, key: key)
        let words = ExplanationWords(
            register: register, key: key, definition: definition, time: time, members: members)
        steps.append(Step(rule: words.rule(register, rule), findings: []))
        var voices: [MemberVoice] = []
        for testimony in testimonies {
            let log = LogTelling(testimony, row, words)
            steps.append(log.step)
            voices += log.inForce
        }
        let joined = JoinedEntry(
            voices, rule: rule, endorsements: endorsements, definition: definition, at: time.seconds)
        let joinChanges = tell(joined.join, words)
        tell(joined, words)
        changes += joinChanges
        if joined.inForce.isEmpty, testimonies.allSatisfy(\.steps.isEmpty) {
            let who = testimonies.map(\.member.title).joined(separator: ", ")
            changes.append("a first statement on \(key) by \(who.isEmpty ? "a member that may write" : who)")
        }
    }

    /// The second step: what the merge rule leaves in force. Returns what would change that.
    private mutating func tell(_ join: JoinedEntry.Join, _ words: ExplanationWords) -> [String] {
        switch join {
        case .each: return []
        case .joint(let view):
            steps.append(Step(rule: words.jointRule, findings: words.findings(view)))
            return words.changes(view)
        case .adopted(let view):
            steps.append(Step(rule: words.adoptionRule(view.needed), findings: words.findings(view)))
            return words.changes(view)
        }
    }

    /// The third step: what speaks at the time, and the answer.
    private mutating func tell(_ joined: JoinedEntry, _ words: ExplanationWords) {
        let choice = joined.choice
        effective = choice.effective
        isConflict = choice.isConflict
        steps.append(Step(rule: words.choiceRule, findings: words.findings(joined.inForce)))
        steps.append(Step(rule: words.answer(choice, joined.inForce), findings: []))
        changes += words.dated(joined.inForce)
        if let effective { changes.append(words.whoCanChange(effective)) }
        if isConflict { changes.append(words.resolution(joined)) }
    }
}

/// What one log has in force, and what became of the rest.
private struct LogTelling {
    let step: Explanation.Step
    let inForce: [MemberVoice]

    init(_ testimony: Explanation.Testimony, _ row: RowKey, _ words: ExplanationWords) {
        let title = testimony.member.title
        guard !testimony.steps.isEmpty else {
            step = Explanation.Step(rule: "\(title)'s log says nothing of this key.", findings: [])
            inForce = []
            return
        }
        var replay = RowReplay(of: row)
        var fates: [UInt64: String] = [:]
        for one in testimony.steps {
            for removed in replay.apply(one) {
                if case .retraction(let retraction) = one.statement.body {
                    fates[removed.index] = "taken back by entry \(one.index) (\(retraction.reason.rawValue))"
                } else {
                    fates[removed.index] = "replaced by entry \(one.index)"
                }
            }
        }
        let told = testimony.steps.compactMap { one -> String? in
            guard let placed = PlacedAttestation(index: one.index, statement: one.statement) else { return nil }
            let fate = fates[one.index] ?? "in force"
            return "\(words.statement(placed)): \(fate)"
        }
        let cut = told.count - Explanation.statementLimit
        step = Explanation.Step(
            rule: "\(title)'s log has \(told.count == 1 ? "1 statement" : "\(told.count) statements") that count.",
            findings: (cut > 0 ? ["\(cut) earlier ones are left out"] : []) + told.suffix(Explanation.statementLimit))
        inForce = replay.inForce.compactMap { one in
            PlacedAttestation(index: one.index, statement: one.statement).map {
                MemberVoice(member: testimony.member.id, placed: $0)
            }
        }
    }
}

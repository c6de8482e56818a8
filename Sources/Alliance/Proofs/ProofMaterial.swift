public import TransparencyLog

/// All that a node gathers from its store to make a proof.
///
/// Everything is as of one checkpoint: the newest with a quorum. For the index of every statement and, in a member's own
/// register, of the definition, the newest roster before it is due (approvals are judged by their statement's roster).
public struct ProofMaterial: Sendable {
    /// The charter in force.
    public var charter: VerifiedCharter
    /// What is asked.
    public var question: ProofQuestion
    /// The newest quorum's note: the log's own signature and cosignatures.
    public var note: [UInt8]
    /// The first quorum's note of the first checkpoint whose tree holds the statement that speaks, if known.
    public var firstNote: [UInt8]?
    /// The state leaf's bytes; it is the last entry below the note's size.
    public var stateLeaf: [UInt8]
    /// The state leaf's index.
    public var stateIndex: UInt64
    /// Proves the state leaf under the note's root.
    public var inclusion: [HashValue]
    /// Proves the row or its absence; nil where the state leaf has no line for the map.
    public var rowProof: RegisterMapProof?
    /// The row; nil if there is none.
    public var row: Row?
    /// Every statement that the row names, in any order.
    public var statements: [ProofStatement]
    /// The rosters that govern, each once.
    public var rosters: [ProofRoster]
    /// The register's definition; nil for documents.
    public var definition: ProofDefinition?

    /// Gathers what a proof needs.
    public init(
        charter: VerifiedCharter, question: ProofQuestion, note: [UInt8], firstNote: [UInt8]? = nil,
        stateLeaf: [UInt8], stateIndex: UInt64, inclusion: [HashValue], rowProof: RegisterMapProof?, row: Row?,
        statements: [ProofStatement], rosters: [ProofRoster], definition: ProofDefinition?
    ) {
        self.charter = charter
        self.question = question
        self.note = note
        self.firstNote = firstNote
        self.stateLeaf = stateLeaf
        self.stateIndex = stateIndex
        self.inclusion = inclusion
        self.rowProof = rowProof
        self.row = row
        self.statements = statements
        self.rosters = rosters
        self.definition = definition
    }
}

extension ProofFile {
    /// Makes a proof file.
    ///
    /// - Throws: ``AllianceError`` where the material does not fit together, so that no proof goes out that would not
    ///   verify for such a reason, and with code `limit` where the file would be longer than ``byteLimit``.
    public static func make(from material: ProofMaterial) throws(AllianceError) -> ProofFile {
        func due(_ condition: Bool, _ reason: String) throws(AllianceError) {
            guard condition else { throw AllianceError(.invalidField, reason, at: "proof material") }
        }
        let question = material.question
        guard let member = material.charter.charter.member(id: question.member) else {
            throw AllianceError(.unknown, "\(question.member) is no member", at: "question.member")
        }
        try due(question.alliance == material.charter.alliance, "the question is of another alliance")
        let statements = material.statements.sorted { $0.entry.index > $1.entry.index }
        let named = statements.reversed().map(\.entry.item)
        try due(named == material.row?.items ?? [], "the statements are not those that the row names")
        let leaf = try StateLeaf(parsing: material.stateLeaf)
        try due((leaf.line(question.map) == nil) == (material.rowProof == nil), "the row's proof and the leaf disagree")
        try due(leaf.entryCount == material.stateIndex, "the leaf states another index than its own")
        var governed = statements.map(\.entry.index)
        if case .published(let statement, _)? = material.definition { governed.append(statement.entry.index) }
        for index in governed {
            try due(material.rosters.contains { $0.governs(index) }, "no roster governs index \(index)")
        }
        let log: TLogProof
        let first: SignedNote?
        do {
            log = try TLogProof(
                index: material.stateIndex, hashes: material.inclusion, note: try SignedNote(parsing: material.note))
            first = try material.firstNote.map { try SignedNote(parsing: $0) }
        } catch {
            throw AllianceError(.malformed, "\(error)", at: "proof material")
        }
        try due(log.checkpoint.size == material.stateIndex + 1, "the leaf is not the checkpoint's last entry")
        let file = ProofFile(
            claim: claim(of: material, statements: statements, member: member, note: log.note), question: question,
            charterVersion: leaf.charterVersion, charterDigest: leaf.charterDigest,
            rosters: material.rosters.sorted { $0.ordinal > $1.ordinal }, statements: statements,
            row: material.rowProof, definition: material.definition, state: leaf, log: log, first: first)
        let size = file.encoded().count
        guard size <= byteLimit else {
            throw AllianceError(.limit, "the proof would have \(size) bytes; at most \(byteLimit) are allowed")
        }
        return file
    }

    /// The answer in words, for people who open the file.
    private static func claim(
        of material: ProofMaterial, statements: [ProofStatement], member: CharterMember, note: SignedNote
    ) -> String {
        let question = material.question
        let times = note.signatures.compactMap { try? Cosignature(parsing: $0).timestamp }
        let time = question.on?.seconds ?? Int64(clamping: times.max() ?? 0)
        let parsed = statements.reversed().compactMap { one in
            (try? Statement(parsing: one.entry.bytes)).map { (index: one.entry.index, statement: $0) }
        }
        let definition = material.definition?.unverifiedDefinition
        let answer = ProofAnswer(to: question, of: parsed, definition: definition, at: time)
        let human = HumanTime(member: member)
        let date = question.on.map { ", on \(human.text($0.seconds))" } ?? ""
        let words = answer.map { $0.words(human) } ?? "see the statements"
        let text = "\(claimMark)\(member.title) says of \(question.key) in \(question.map)\(date): \(words)."
        return text.utf8.count <= claimLimit ? text : "\(claimMark)\(member.title): \(words)."
    }
}

extension ProofDefinition {
    private static let builtIn = Dictionary(
        uniqueKeysWithValues: BuiltInRegisters.all.map { (HashValue.sha256($0.descriptor), $0) })

    /// The definition that it brings or names, whoever signed it.
    var unverifiedDefinition: RegisterDefinition? {
        switch self {
        case .builtIn(let digest): return Self.builtIn[digest]
        case .descriptor(let bytes): return try? RegisterDefinition(descriptor: bytes)
        case .published(let statement, _):
            guard let parsed = try? Statement(parsing: statement.entry.bytes), case .register(let body) = parsed.body
            else { return nil }
            return try? RegisterDefinition(descriptor: body.descriptor)
        }
    }
}

public import Alliance
public import TransparencyLog

/// Turns what an officer wants into the statements that say it.
public struct PlanDrafts: Sendable {
    private var context: DraftContext
    public private(set) var drafts: [Draft] = []

    /// Bytes of a retraction's payload, so that its entry stays below 65,535 bytes.
    private static let retractionBytes = 40_000

    public init(member: String, alliance: HashValue, now: Int64) {
        context = DraftContext(member: member, alliance: alliance, issuedAt: now)
    }

    /// The definition, which stands before a member's first statement of a register.
    public mutating func add(definition: RegisterDefinition) {
        drafts.append(
            context.definition(name: definition.name, version: definition.version, descriptor: definition.descriptor))
    }

    /// The attestations and retractions of an import.
    ///
    /// - Throws: ``SetupError`` with code `limit` for a row that is too long for an entry.
    public mutating func add(_ changes: ChangeSet) throws(SetupError) {
        for change in changes.changes {
            let draft = context.attestation(
                register: changes.register, key: change.key, status: change.status, validFrom: change.validFrom,
                validUntil: change.validUntil, fields: change.fields,
                supersedes: change.supersedes.compactMap { HashValue(hex: $0) })
            drafts.append(try Self.bounded(draft, change.line.map { "line \($0)" } ?? change.key))
        }
        let targets = changes.retracted.flatMap { row in
            row.identities.compactMap { identity in
                HashValue(hex: identity).map {
                    Retraction.Target(identity: $0, register: changes.register, key: row.key)
                }
            }
        }
        add(retracting: targets, reason: .enteredInError, note: nil)
    }

    /// Bytes of an attestation's payload: base64url of it, header and signature have to fit an entry.
    private static let payloadLimit = 48_000

    private static func bounded(_ draft: Draft, _ place: String) throws(SetupError) -> Draft {
        guard draft.payload.count <= payloadLimit else {
            throw SetupError(
                .limit, place, "the row is too long for an entry (\(draft.payload.count) bytes of at most 48,000)")
        }
        return draft
    }

    /// Retractions of so many statements, in as many entries as needed.
    public mutating func add(retracting targets: [Retraction.Target], reason: Retraction.Reason, note: String?) {
        var group: [Retraction.Target] = []
        var size = 0
        func flush(_ drafts: inout [Draft]) {
            if !group.isEmpty {
                drafts.append(context.retraction(Retraction(targets: group, reason: reason, note: note)))
            }
            group = []
            size = 0
        }
        for target in targets {
            let bytes = 120 + target.register.utf8.count + 2 * target.key.utf8.count
            if group.count == Plan.approvalLimit || size + bytes > Self.retractionBytes { flush(&drafts) }
            group.append(target)
            size += bytes
        }
        flush(&drafts)
    }

    /// Lets what is drafted from here on be later than a statement that it says again: said in the same second, it
    /// would be the very same bytes, which count once only.
    public mutating func beLater(than statement: Statement) { beLater(than: statement.issuedAt) }

    /// The same, for a statement of which only the officer's clock is known, in seconds since 1970.
    public mutating func beLater(than issuedAt: Int64) {
        guard context.issuedAt <= issuedAt else { return }
        context = DraftContext(member: context.member, alliance: context.alliance, issuedAt: issuedAt + 1)
    }

    /// One row of a register, as it was once stated.
    public mutating func add(
        restating row: Attestation, superseding identities: [HashValue]
    ) {
        drafts.append(
            context.attestation(
                register: row.register, key: row.key, status: row.status, validFrom: row.validFrom,
                validUntil: row.validUntil, fields: row.fields, supersedes: identities))
    }

    /// One row of a register, in place of others.
    ///
    /// - Throws: ``SetupError`` with code `limit` for a row that is too long for an entry.
    public mutating func add(
        register: String, key: String, status: String, validFrom: Timestamp, validUntil: Timestamp?, fields: JSONObject,
        superseding identities: [HashValue]
    ) throws(SetupError) {
        let draft = context.attestation(
            register: register, key: key, status: status, validFrom: validFrom, validUntil: validUntil, fields: fields,
            supersedes: identities)
        drafts.append(try Self.bounded(draft, key))
    }

    /// That a register is complete.
    public mutating func add(_ declaration: Declaration) { drafts.append(context.declaration(declaration)) }

    /// That this member stands by another member's statement, or takes note of it.
    public mutating func add(_ endorsement: Endorsement) { drafts.append(context.endorsement(endorsement)) }

    /// A version of a document.
    public mutating func add(_ document: PolicyDocument) { drafts.append(context.document(document)) }
}

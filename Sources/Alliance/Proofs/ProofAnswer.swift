import TransparencyLog

/// What a member's register says of a key.
public enum ProofAnswer: Sendable {
    /// Entries that speak at the time asked: one for a key, perhaps several for the value of a lookup field.
    case present([Entry])
    /// Statements are in force, but none speaks at the time asked; the earliest later `validFrom`, if any.
    case presentNoneInForce(begins: Timestamp?)
    /// Versions of a document, by index.
    case documents([PolicyDocument])
    /// Taken back, and nothing is left.
    case retracted(reason: Retraction.Reason, note: String?)
    /// A lookup value that was dropped: an entry once had it, and what replaced the entry has not.
    case noLongerStated
    /// Never said.
    case notStated

    /// One entry of a register that speaks.
    public struct Entry: Sendable {
        /// The statement that speaks, with its place and its officer's key name.
        public let placed: PlacedAttestation
        /// Whether the status permits business; nil if the vocabulary does not have it.
        public let permitsBusiness: Bool?
        /// Other statements with the same `validFrom`: the most restrictive is shown.
        public let conflict: [PlacedAttestation]
        /// What will speak after it, if something in force begins later.
        public let next: PlacedAttestation?

        /// The entry's key.
        public var key: String { placed.attestation.key }
        /// The entry's status.
        public var status: String { placed.attestation.status }
        /// A name for people: the legal name or title where the entry has one, else the key.
        public var name: String {
            let fields = placed.attestation.fields
            for field in ["legalName", "commercialName", "name", "title"] {
                if let text = fields[field]?.string, !text.isEmpty { return text }
            }
            return key
        }
    }

    /// The answer's stable name.
    public var name: String {
        switch self {
        case .present: "present"
        case .presentNoneInForce: "none-in-force"
        case .documents: "documents"
        case .retracted: "retracted"
        case .noLongerStated: "no-longer-stated"
        case .notStated: "not-stated"
        }
    }

    /// Reads the statements of a row; nil where they are not what such a row can hold.
    ///
    /// - Parameter statements: by index.
    init?(
        to question: ProofQuestion, of statements: [(index: UInt64, statement: Statement)],
        definition: RegisterDefinition?, at time: Int64
    ) {
        guard let last = statements.last?.statement else {
            self = .notStated
            return
        }
        if case .retraction(let retraction) = last.body {
            guard statements.count == 1 else { return nil }
            self = .retracted(reason: retraction.reason, note: retraction.note)
            return
        }
        if question.isAboutDocuments {
            let documents = statements.compactMap { one in
                if case .document(let document) = one.statement.body { document } else { nil }
            }
            guard documents.count == statements.count else { return nil }
            self = .documents(documents)
            return
        }
        let placed = statements.compactMap { PlacedAttestation(index: $0.index, statement: $0.statement) }
        guard placed.count == statements.count, let definition else { return nil }
        if let field = question.field, placed.count == 1, !placed[0].attestation.has(question.key, in: field) {
            self = .noLongerStated
            return
        }
        self.init(placed, definition, at: time)
    }

    private init(_ placed: [PlacedAttestation], _ definition: RegisterDefinition, at time: Int64) {
        var keys: [[UInt8]] = []
        var byKey: [[UInt8]: [PlacedAttestation]] = [:]
        for one in placed {
            let key = Array(one.attestation.key.utf8)
            if byKey[key] == nil { keys.append(key) }
            byKey[key, default: []].append(one)
        }
        var entries: [Entry] = []
        for key in keys {
            let row = byKey[key] ?? []
            guard case .speaks(let speaker, let conflict) = Choice(at: time, of: row, definition: definition) else {
                continue
            }
            entries.append(
                Entry(
                    placed: speaker, permitsBusiness: definition.permitsBusiness(speaker.attestation.status),
                    conflict: conflict.filter { $0.index != speaker.index },
                    next: Self.next(row, definition, after: time)))
        }
        guard entries.isEmpty else {
            self = .present(entries)
            return
        }
        let later = placed.map(\.attestation.validFrom).filter { $0.seconds > time }
        self = .presentNoneInForce(begins: later.min { $0.seconds < $1.seconds })
    }

    private static func next(
        _ row: [PlacedAttestation], _ definition: RegisterDefinition, after time: Int64
    ) -> PlacedAttestation? {
        let starts = row.map(\.attestation.validFrom.seconds).filter { $0 > time }
        guard let start = starts.min(), case .speaks(let one, _) = Choice(at: start, of: row, definition: definition)
        else { return nil }
        return one
    }

    /// The answer in a few words, such as `revoked since 2026-11-24 00:00 UTC+5`.
    func words(_ human: HumanTime) -> String {
        switch self {
        case .present(let entries):
            return entries.map { entry in
                let subject = entries.count > 1 ? "\(entry.key) " : ""
                return subject + Self.words(entry, human)
            }.joined(separator: "; ")
        case .presentNoneInForce(let begins):
            let later = begins.map { "; the next begins \(human.text($0.seconds))" } ?? ""
            return "has entries, none in force then\(later)"
        case .documents(let documents):
            return documents.map { "\"\($0.title)\" of \($0.date) (\($0.language))" }.joined(separator: "; ")
        case .retracted(let reason, let note):
            let word: String =
                switch reason {
                case .enteredInError: "entered in error"
                case .supersededByCourt: "superseded by a court"
                case .other: "other reason"
                }
            return "taken back (\(word))" + (note.map { ": \($0)" } ?? "")
        case .noLongerStated: return "no longer stated"
        case .notStated: return "nothing; it was never stated"
        }
    }

    private static func words(_ entry: Entry, _ human: HumanTime) -> String {
        let attestation = entry.placed.attestation
        var text = "\(attestation.status) since \(human.text(attestation.validFrom.seconds))"
        if let until = attestation.validUntil { text += " until \(human.text(until.seconds))" }
        if let next = entry.next {
            text += "; then \(next.attestation.status) from \(human.text(next.attestation.validFrom.seconds))"
        }
        if !entry.conflict.isEmpty {
            let others = entry.conflict.map(\.attestation.status).joined(separator: ", ")
            text += "; in conflict with \(others) from the same time, the most restrictive is shown"
        }
        return text
    }
}

extension Attestation {
    /// Whether a field has this value, compared by bytes.
    func has(_ value: String, in field: String) -> Bool {
        values(of: field).contains { $0.utf8?.elementsEqual(value.utf8) ?? false }
    }
}

/// What a caller expects the answer to be.
public enum ProofExpectation: Hashable, Sendable {
    /// Every entry that speaks has this status.
    case status(String)
    /// Every entry that speaks has a status that permits business.
    case business
    /// Some entry speaks, or there is such a document.
    case present
    case noneInForce
    case retracted
    case noLongerStated
    case notStated
    /// Nothing speaks: never stated, no longer stated, taken back, or none in force.
    case absent

    /// Reads `business`, `present`, `none-in-force`, `retracted`, `no-longer-stated`, `not-stated`, `absent` or a status.
    public init(parsing text: String) throws(AllianceError) {
        switch text {
        case "business": self = .business
        case "present": self = .present
        case "none-in-force": self = .noneInForce
        case "retracted": self = .retracted
        case "no-longer-stated": self = .noLongerStated
        case "not-stated": self = .notStated
        case "absent": self = .absent
        default:
            guard RegisterName.isShared(text) else {
                throw AllianceError(
                    .invalidField,
                    "must be a status, or business, present, none-in-force, retracted, "
                        + "no-longer-stated, not-stated or absent", at: "expect")
            }
            self = .status(text)
        }
    }

    /// Whether the answer is the one expected.
    public func isMet(by answer: ProofAnswer) -> Bool {
        switch (self, answer) {
        case (.status(let status), .present(let entries)):
            entries.allSatisfy { $0.status.utf8.elementsEqual(status.utf8) }
        case (.business, .present(let entries)): entries.allSatisfy { $0.permitsBusiness == true }
        case (.present, .present), (.present, .documents), (.noneInForce, .presentNoneInForce),
            (.retracted, .retracted),
            (.noLongerStated, .noLongerStated), (.notStated, .notStated), (.absent, .presentNoneInForce),
            (.absent, .retracted), (.absent, .noLongerStated), (.absent, .notStated):
            true
        default: false
        }
    }

    /// The expectation as it is written.
    public var name: String {
        switch self {
        case .status(let status): status
        case .business: "business"
        case .present: "present"
        case .noneInForce: "none-in-force"
        case .retracted: "retracted"
        case .noLongerStated: "no-longer-stated"
        case .notStated: "not-stated"
        case .absent: "absent"
        }
    }
}

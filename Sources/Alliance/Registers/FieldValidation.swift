/// What is wrong with one field of a row; reads as a sentence: field, value, reason.
public struct FieldProblem: Hashable, Sendable, CustomStringConvertible {
    /// The field's name.
    public let field: String
    /// The reason, such as `is missing`.
    public let reason: String

    /// Creates a problem.
    public init(field: String, reason: String) {
        self.field = field
        self.reason = reason
    }

    public var description: String { "\(field) \(reason)" }
}

extension RegisterDefinition {
    /// Everything that is wrong with a row as a statement carries it: its key, its status, its fields; empty if it is
    /// valid.
    ///
    /// This does not decide whether the statement counts: one that a peer published is stored, proven, and shown with
    /// what is wrong.
    public func problems(in attestation: Attestation) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if !keyForm.isCanonical(attestation.key) {
            problems.append(FieldProblem(field: "key", reason: "is not in the register's canonical form"))
        }
        if status(attestation.status) == nil {
            let known = statuses.map(\.name).joined(separator: ", ")
            problems.append(FieldProblem(field: "status", reason: "\"\(attestation.status)\" is not one of \(known)"))
        }
        return problems + self.problems(in: attestation.fields)
    }

    /// Everything that is wrong with a row's fields, in the definition's order; empty if the row is valid.
    ///
    /// A row that breaks its definition is refused at publishing; one that arrives from a peer is stored, proven and
    /// shown as not valid. An erasable field may be an object, which stands for its salted digest. Uniqueness is a
    /// matter of the whole register and is checked by an import.
    public func problems(in values: JSONObject) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        for member in values.members where field(member.name) == nil {
            problems.append(FieldProblem(field: member.name, reason: "is not a field of \(name)"))
        }
        for field in fields {
            guard let value = values[field.name] else {
                if field.constraints.required { problems.append(FieldProblem(field: field.name, reason: "is missing")) }
                continue
            }
            if case .object = value, erasable.contains(field.name) { continue }
            let form = lookups.first { $0.field == field.name }?.form
            if let reason = field.problem(with: value, form: form) {
                problems.append(FieldProblem(field: field.name, reason: reason))
            }
        }
        if problems.isEmpty, JSONValue.object(values).encoded().count > RegisterLimits.rowBytes {
            let reason = "row is longer than \(RegisterLimits.rowBytes) bytes, too long for one entry"
            problems.append(FieldProblem(field: fields[0].name, reason: reason))
        }
        return problems
    }
}

extension RegisterField {
    /// Why a value is not one of this field, or nil. `form`, if the field can be looked up, is how its texts are
    /// written.
    func problem(with value: JSONValue, form: CanonicalForm? = nil) -> String? {
        switch (kind, value) {
        case (.string, .string(let text)): return textProblem(text, constraints, form)
        case (.uri, .string(let text)):
            return Self.isURI(text) ? textProblem(text, constraints, form) : "\"\(text)\" is not an absolute URI"
        case (.date, .string(let text)):
            return CanonicalForm.date.isCanonical(text) ? nil : "\"\(text)\" is not a date such as 2026-11-24"
        case (.datetime, .string(let text)):
            return Timestamp(parsing: text) != nil ? nil : "\"\(text)\" is not an instant such as 2026-11-24T00:00:00Z"
        case (.boolean, .bool): return nil
        case (.integer, .integer), (.number, .integer), (.number, .number):
            guard let number = value.double, number.isFinite else { return "is not a number that can be compared" }
            return constraints.problem(with: number).map { "\(number) \($0)" }
        case (.list, .array(let items)): return listProblem(items, form)
        default: return "must be \(kind == .integer ? "an integer" : "a \(kind.rawValue)")"
        }
    }

    private func textProblem(_ text: String, _ constraints: FieldConstraints, _ form: CanonicalForm?) -> String? {
        if text.isEmpty { return "is empty: leave it out" }
        if text.utf8.count > RegisterLimits.valueBytes { return "is longer than \(RegisterLimits.valueBytes) bytes" }
        if let form, !form.isCanonical(text) { return "\"\(text)\" is not a \(form.rawValue) in canonical form" }
        return constraints.problem(with: text).map { "\"\(text)\" \($0)" }
    }

    private func listProblem(_ items: [JSONValue], _ form: CanonicalForm?) -> String? {
        if items.isEmpty { return "is empty: leave it out" }
        if items.count > RegisterLimits.listItems { return "has more than \(RegisterLimits.listItems) elements" }
        if let least = constraints.minimumLength, items.count < least { return "has fewer than \(least) elements" }
        if let most = constraints.maximumLength, items.count > most { return "has more than \(most) elements" }
        for item in items {
            guard case .string(let text) = item else { return "must be a list of strings" }
            if text.contains("|") { return "\"\(text)\" holds a |, which separates elements" }
            if let reason = textProblem(text, itemConstraints, form) { return reason }
        }
        return nil
    }

    /// Whether the text is an absolute URI in ASCII: a scheme, a colon, something, and no space or quote (RFC 3986).
    static func isURI(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let colon = bytes.firstIndex(of: 0x3A), colon > 0, colon < bytes.count - 1 else { return false }
        let scheme = bytes[..<colon]
        guard let first = scheme.first, (0x61...0x7A).contains(first | 0x20) else { return false }
        guard scheme.allSatisfy({ PercentCoding.isUnreserved($0) && $0 != 0x5F && $0 != 0x7E || $0 == 0x2B }) else {
            return false
        }
        return bytes.allSatisfy { $0 > 0x20 && $0 < 0x7F && !Array("\"<>\\^`{|}".utf8).contains($0) }
    }
}

extension JSONValue {
    /// The value of a number, as near as a double comes.
    var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let text): Double(text)
        default: nil
        }
    }
}

/// A row of a register as its publisher's log has it in force. A key may have several, from different dates.
public struct PublishedRow: Hashable, Sendable {
    /// The key in canonical form.
    public let key: String
    /// Its status.
    public let status: String
    /// From when it speaks.
    public let validFrom: Timestamp
    /// Until when it speaks, if it ends.
    public let validUntil: Timestamp?
    /// Its fields.
    public let fields: JSONObject
    /// The statement's identity: SHA-256 of its bytes, in lower-case hexadecimal.
    public let identity: String
    /// The identities that the statement supersedes. What replaces it has to repeat those of other members' statements
    /// (statements.md, section 6.3).
    public let references: [String]

    /// Creates a published row.
    public init(
        key: String, status: String, validFrom: Timestamp, validUntil: Timestamp? = nil, fields: JSONObject,
        identity: String, references: [String] = []
    ) {
        self.key = key
        self.status = status
        self.validFrom = validFrom
        self.validUntil = validUntil
        self.fields = fields
        self.identity = identity
        self.references = references
    }

    /// What a statement that replaces these rows supersedes: them, and what they refer to, each once.
    static func superseded(by rows: [PublishedRow]) -> [String] {
        var found: [String] = []
        for identity in rows.map(\.identity) + rows.flatMap(\.references) where !found.contains(identity) {
            found.append(identity)
        }
        return found
    }
}

/// What becomes of published rows whose key does not stand in the file.
public enum MissingPolicy: Hashable, Sendable {
    /// They stay as they are.
    case keep
    /// They get a further entry from this instant on, of the status `revoked`, or of the most restrictive status where
    /// the vocabulary has no such word; it supersedes entries that would begin to speak later. Rows that have that
    /// status then already, and for good, stay as they are.
    case revoke(from: Timestamp)
    /// Every entry of them is taken back.
    case retract
}

/// One field that differs.
public struct FieldDifference: Hashable, Sendable {
    /// The field; or `status`, `validFrom` or `validUntil`.
    public let field: String
    /// What is published, if anything.
    public let old: JSONValue?
    /// What the file says, if anything.
    public let new: JSONValue?
}

/// One entry to be published.
public struct RegisterChange: Hashable, Sendable {
    /// What the change is.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The register has no row of that key.
        case new
        /// The published entry was wrong: this one supersedes it and keeps its `validFrom`.
        case corrected
        /// Other fields from a date on: stands beside what is published.
        case changedFromDate = "changed-from-date"
        /// Another status from a date on: stands beside what is published.
        case statusChanged = "status-changed"
    }

    /// What the change is.
    public let kind: Kind
    /// The key in canonical form.
    public let key: String
    /// A name for people; the key if the fields hold none.
    public let label: String
    /// The status to publish.
    public let status: String
    /// The status that the register states where the new entry begins; nil if there is none.
    public let previousStatus: String?
    /// From when the entry speaks.
    public let validFrom: Timestamp
    /// Until when, if it ends.
    public let validUntil: Timestamp?
    /// The fields to publish.
    public let fields: JSONObject
    /// The identities that the entry supersedes: those of a correction, and what a revocation forestalls; else none.
    public let supersedes: [String]
    /// What differs from what is published, in the definition's order.
    public let differences: [FieldDifference]
    /// The line of the file, or nil where the change comes from a row that is missing there.
    public let line: Int?
}

/// A published row that is not in the file.
public struct MissingRow: Hashable, Sendable {
    /// The key in canonical form.
    public let key: String
    /// A name for people; the key if the fields hold none.
    public let label: String
    /// The status of its latest entry.
    public let status: String
    /// The identities of all its entries in force.
    public let identities: [String]
}

/// What publishing a file would do to a register.
public struct ChangeSet: Hashable, Sendable {
    /// The register.
    public let register: String
    /// Entries to publish, in the order of the file, then those for missing rows in the order of their keys.
    public let changes: [RegisterChange]
    /// Rows to retract, in the order of their keys.
    public let retracted: [MissingRow]
    /// Published rows that are not in the file and stay as they are, in the order of their keys.
    public let missingKept: [MissingRow]
    /// Rows of the file that change nothing.
    public let unchanged: Int

    /// Entries whose key the register does not have.
    public var new: [RegisterChange] { changes.filter { $0.kind == .new } }
    /// Entries with other fields, whether corrections or from a date on.
    public var changed: [RegisterChange] { changes.filter { $0.kind == .corrected || $0.kind == .changedFromDate } }
    /// Entries with another status from a date on.
    public var statusChanged: [RegisterChange] { changes.filter { $0.kind == .statusChanged } }
    /// Whether nothing would be published.
    public var isEmpty: Bool { changes.isEmpty && retracted.isEmpty }
}

/// Compares what a file says with what is published.
public enum RegisterChanges {
    /// Finds what has to be published so that the register says what the file says.
    ///
    /// A row of the file is compared with the published entry of its key and `validFrom`. Where both say the same,
    /// nothing is published; where they differ, a correction supersedes. A `validFrom` that the register does not have
    /// is a change from a date and stands beside. A row without `validFrom` is compared with what speaks at `now`:
    /// other fields are a correction, another status is a change from `now` on. CR LF and LF are the same, and so are
    /// no value and an empty one. What the file has no column for stays as published.
    ///
    /// - Parameters:
    ///   - result: what the file says. Refused rows publish nothing, but those whose key is known are not missing.
    ///   - published: every entry of the register that is in force in the publisher's own log, in any order.
    ///   - missing: what becomes of keys that the file does not have.
    ///   - now: the instant of the plan.
    public static func compare(
        _ result: ImportResult, published: [PublishedRow], missing: MissingPolicy, definition: RegisterDefinition,
        now: Timestamp
    ) -> ChangeSet {
        var comparison = Comparison(
            published: published, columns: Set(result.columns), definition: definition, now: now)
        for row in result.rows { comparison.add(row) }
        comparison.addMissing(policy: missing, besides: result.rows.map(\.key) + result.refused.compactMap(\.key))
        return ChangeSet(
            register: definition.name, changes: comparison.changes, retracted: comparison.retracted,
            missingKept: comparison.missingKept, unchanged: comparison.unchanged)
    }

    /// A name for people: what the row calls its subject.
    public static func label(of fields: JSONObject, key: String) -> String {
        for name in ["legalName", "title", "name", "project", "pilot", "account", "commercialName", "issuer"] {
            if let text = fields[name]?.string { return RowReader.shortened(text) }
        }
        return key
    }
}

/// The working state of ``RegisterChanges/compare(_:published:missing:definition:now:)``.
struct Comparison {
    private let definition: RegisterDefinition
    private let now: Timestamp
    private var published: [[UInt8]: [PublishedRow]] = [:]
    private let columns: Set<String>
    private var rows: Set<Int> = []
    private var rowsWithChanges: Set<Int> = []
    private(set) var changes: [RegisterChange] = []
    private(set) var retracted: [MissingRow] = []
    private(set) var missingKept: [MissingRow] = []

    /// Rows of the file that change nothing. A row that makes two entries counts once.
    var unchanged: Int { rows.count - rowsWithChanges.count }

    init(published rows: [PublishedRow], columns: Set<String>, definition: RegisterDefinition, now: Timestamp) {
        self.definition = definition
        self.columns = columns
        self.now = now
        for row in rows { published[Array(row.key.utf8), default: []].append(row) }
        for key in published.keys {
            published[key]?.sort { ($0.validFrom.seconds, $0.identity) < ($1.validFrom.seconds, $1.identity) }
        }
    }

    mutating func add(_ row: ImportedRow) {
        let old = published[Array(row.key.utf8)] ?? []
        rows.insert(row.row)
        guard let change = change(row, old) else { return }
        rowsWithChanges.insert(row.row)
        changes.append(change)
    }

    private func change(_ row: ImportedRow, _ old: [PublishedRow]) -> RegisterChange? {
        guard !old.isEmpty else { return make(row, .new, from: row.validFrom ?? now, nil, differences: []) }
        guard let validFrom = row.validFrom else {
            let reference = old.last { $0.validFrom.seconds <= now.seconds } ?? old[0]
            let differences = differences(row, reference)
            if differences.isEmpty { return nil }
            if row.status != reference.status {
                return make(row, .statusChanged, from: now, reference, differences: differences)
            }
            let same = old.filter { $0.validFrom.seconds == reference.validFrom.seconds }
            return make(row, .corrected, from: reference.validFrom, reference, differences: differences, same)
        }
        let same = old.filter { $0.validFrom.seconds == validFrom.seconds }
        if let reference = same.first {
            if row.isHistory { return nil }
            let differences = same.map { self.differences(row, $0) }.first { !$0.isEmpty } ?? []
            if differences.isEmpty { return nil }
            return make(row, .corrected, from: reference.validFrom, reference, differences: differences, same)
        }
        let reference = old.last { $0.validFrom.seconds < validFrom.seconds } ?? old[0]
        var differences = differences(row, reference)
        if row.status != reference.status {
            return make(row, .statusChanged, from: validFrom, reference, differences: differences)
        }
        let dates = FieldDifference(
            field: "validFrom", old: .string(reference.validFrom.text), new: .string(validFrom.text))
        differences.insert(dates, at: 0)
        return make(row, .changedFromDate, from: validFrom, reference, differences: differences)
    }

    private func make(
        _ row: ImportedRow, _ kind: RegisterChange.Kind, from: Timestamp, _ reference: PublishedRow?,
        differences: [FieldDifference], _ superseded: [PublishedRow] = []
    ) -> RegisterChange {
        var fields = row.fields
        if let reference {
            let kept = definition.fields.compactMap { field in
                (columns.contains(field.name) ? row.fields : reference.fields)[field.name].map { (field.name, $0) }
            }
            fields = JSONObject(kept)
        }
        let keepsEnd = kind == .corrected && !columns.contains("validUntil")
        return RegisterChange(
            kind: kind, key: row.key, label: RegisterChanges.label(of: fields, key: row.key), status: row.status,
            previousStatus: reference?.status, validFrom: from,
            validUntil: keepsEnd ? reference?.validUntil : row.validUntil, fields: fields,
            supersedes: PublishedRow.superseded(by: superseded), differences: differences, line: row.line)
    }

    private func differences(_ row: ImportedRow, _ old: PublishedRow) -> [FieldDifference] {
        var found: [FieldDifference] = []
        func compare(_ name: String, _ old: JSONValue?, _ new: JSONValue?) {
            if Self.normal(old) != Self.normal(new) { found.append(FieldDifference(field: name, old: old, new: new)) }
        }
        compare("status", .string(old.status), .string(row.status))
        if columns.contains("validUntil"), old.validUntil?.seconds != row.validUntil?.seconds {
            let (before, after) = (old.validUntil, row.validUntil)
            compare("validUntil", before.map { .string($0.text) }, after.map { .string($0.text) })
        }
        for field in definition.fields where columns.contains(field.name) {
            compare(field.name, old.fields[field.name], row.fields[field.name])
        }
        return found
    }

    /// The bytes by which values are compared; empty for no value. Bytes, because `==` on strings folds normal forms.
    private static func normal(_ value: JSONValue?) -> [UInt8] {
        switch value {
        case nil, .null?, .string("")?: []
        case .array(let items)? where items.isEmpty: []
        case .string(let text)?: JSONValue.string(RowReader.withLineFeeds(text)).encoded()
        case .array(let items)?:
            JSONValue.array(items.map { $0.string.map { .string(RowReader.withLineFeeds($0)) } ?? $0 }).encoded()
        case let value?: value.encoded()
        }
    }

    mutating func addMissing(policy: MissingPolicy, besides present: [String]) {
        let present = Set(present.map { Array($0.utf8) })
        let keys = published.keys.filter { !present.contains($0) }.sorted { $0.lexicographicallyPrecedes($1) }
        for key in keys {
            guard let rows = published[key], let latest = rows.last else { continue }
            let label = RegisterChanges.label(of: latest.fields, key: latest.key)
            let row = MissingRow(key: latest.key, label: label, status: latest.status, identities: rows.map(\.identity))
            switch policy {
            case .keep: missingKept.append(row)
            case .retract: retracted.append(row)
            case .revoke(let from):
                let target = definition.status("revoked") ?? definition.statuses[definition.statuses.count - 1]
                let speaking = rows.last { $0.validFrom.seconds <= from.seconds } ?? rows[0]
                let later = rows.filter { $0.validFrom.seconds >= from.seconds }
                if speaking.status == target.name, later.allSatisfy({ $0.status == target.name }) {
                    missingKept.append(row)
                    continue
                }
                let difference = FieldDifference(
                    field: "status", old: .string(speaking.status), new: .string(target.name))
                changes.append(
                    RegisterChange(
                        kind: .statusChanged, key: row.key, label: label, status: target.name,
                        previousStatus: speaking.status, validFrom: from, validUntil: nil, fields: speaking.fields,
                        supersedes: PublishedRow.superseded(by: later), differences: [difference], line: nil))
            }
        }
    }
}

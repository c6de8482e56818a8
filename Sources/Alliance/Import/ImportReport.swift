/// What an officer reads before anything is signed: what the file was read as, and what would be published.
public struct ImportReport: Hashable, Sendable {
    /// What the file says.
    public let result: ImportResult
    /// What publishing it would do, once it was compared.
    public let changes: ChangeSet?
    /// Whose register it is, as people call it, such as `Pakistan`.
    public let memberName: String
    /// The register's definition.
    public let definition: RegisterDefinition

    /// Notes of one kind that are shown one by one; more of them are counted together.
    private static let shownOfKind = 3
    /// Names that are shown where a list is cut short.
    private static let shownNames = 6

    /// Creates a report.
    public init(_ result: ImportResult, changes: ChangeSet?, memberName: String, definition: RegisterDefinition) {
        self.result = result
        self.changes = changes
        self.memberName = memberName
        self.definition = definition
    }

    /// The report as lines of text, each with its line end.
    ///
    /// - Parameter all: whether every note and every change stands by itself, or long lists are cut short.
    public func text(all: Bool = false) -> String {
        var lines = [summary] + result.fileNotes.map { "  \($0)" } + refusals + notes(all: all)
        if let changes { lines += describe(changes, all: all) }
        return lines.map { "\($0)\n" }.joined()
    }

    private var summary: String {
        let counts = result.counts
        let blank = counts.blank == 0 ? "" : "; \(Self.count(counts.blank, "empty line")) passed over"
        return
            "\(Self.count(counts.read, "row")) read: \(counts.asWritten) as written, \(counts.withNotes) with a note, "
            + "\(counts.refused) refused\(blank)"
    }

    private var refusals: [String] {
        var lines: [String] = []
        for row in result.refused.prefix(ImportLimits.shownLines) {
            for (index, reason) in row.reasons.enumerated() {
                let column = reason.column.isEmpty ? "" : " (column \(reason.column))"
                lines.append("\(Self.place(index == 0 ? row.line : nil))refused: \(reason.text)\(column)")
            }
        }
        if result.refused.count > ImportLimits.shownLines {
            lines.append("  and \(result.refused.count - ImportLimits.shownLines) more refused")
        }
        return lines
    }

    private func notes(all: Bool) -> [String] {
        var byKind: [ImportNote.Kind: Int] = [:]
        var rowsByKind: [ImportNote.Kind: Int] = [:]
        let noted = result.noted
        for row in noted {
            for note in row.notes { byKind[note.kind, default: 0] += 1 }
            for kind in Set(row.notes.map(\.kind)) { rowsByKind[kind, default: 0] += 1 }
        }
        let alwaysShown: Set<ImportNote.Kind> = [.key, .status, .identifier, .repeated]
        func isShown(_ kind: ImportNote.Kind) -> Bool {
            let most = alwaysShown.contains(kind) ? ImportLimits.shownLines : Self.shownOfKind
            return all || (byKind[kind] ?? 0) <= most
        }
        var lines: [String] = []
        for row in noted {
            for (index, note) in row.notes.filter({ isShown($0.kind) }).enumerated() {
                let column = note.column.isEmpty ? "row" : note.column
                lines.append("\(Self.place(index == 0 ? row.line : nil))\(note.text) (\(column))")
            }
        }
        for kind in ImportNote.Kind.allCases where !isShown(kind) {
            let rows = Self.count(rowsByKind[kind] ?? 0, "row")
            lines.append("  \(Self.padded(rows, to: 9))  \(kind.summary) (--all shows them)")
        }
        return lines
    }

    private func describe(_ changes: ChangeSet, all: Bool) -> [String] {
        let count = changes.changes.count + changes.retracted.count
        let unchanged = Self.count(changes.unchanged, "row")
        let head = count == 0 ? "No change" : Self.count(count, "change")
        var groups: [(String, [String])] = []
        if !changes.new.isEmpty { groups.append(("\(changes.new.count) new", names(changes.new, all: all))) }
        if !changes.changed.isEmpty {
            groups.append(("\(changes.changed.count) changed", differences(changes.changed, all: all)))
        }
        for status in definition.statuses {
            let rows = changes.statusChanged.filter { $0.status == status.name }
            if !rows.isEmpty { groups.append(("\(rows.count) \(status.name)", dated(rows, all: all))) }
        }
        if !changes.retracted.isEmpty {
            let rows = changes.retracted.map { "\($0.label)  \($0.key)" }
            groups.append(("\(changes.retracted.count) retracted", cut(rows, all: all)))
        }
        let width = groups.map(\.0.count).max() ?? 0
        var lines = [
            "\(head) to \(memberName)'s register \(changes.register) (\(unchanged) unchanged)\(count == 0 ? "." : ":")"
        ]
        for (title, rows) in groups {
            for (index, row) in rows.enumerated() {
                lines.append("  \(Self.padded(index == 0 ? title : "", to: width))  \(row)")
            }
        }
        if !changes.missingKept.isEmpty {
            let missing = changes.missingKept.map { "\($0.key) \($0.label)" }
            let shown = all ? missing : Array(missing.prefix(Self.shownNames))
            let more = missing.count > shown.count ? " and \(missing.count - shown.count) more (--all)" : ""
            let rows = missing.count == 1 ? "1 published row is" : "\(missing.count) published rows are"
            lines.append("\(rows) not in this file: \(shown.joined(separator: ", "))\(more). Kept.")
        }
        return lines
    }

    /// `Indus Custody Ltd and 4 more (--all)`, or all of them, one a line.
    private func names(_ rows: [RegisterChange], all: Bool) -> [String] {
        if all { return rows.map { "\($0.label)  \($0.key)  \($0.status) from \(Self.day($0.validFrom))" } }
        return [
            rows.count == 1 ? "\(rows[0].label)  \(rows[0].key)" : "\(rows[0].label) and \(rows.count - 1) more (--all)"
        ]
    }

    private func differences(_ rows: [RegisterChange], all: Bool) -> [String] {
        if all || rows.count <= Self.shownOfKind {
            return rows.flatMap { row in
                let lines = row.differences.map { "  \($0.field): \(Self.shown($0.old)) → \(Self.shown($0.new))" }
                return ["\(row.label)  \(row.key)"] + lines
            }
        }
        let fields = RegisterDefinition.envelope + definition.fields.map(\.name)
        let counted = fields.compactMap { field in
            let count = rows.count { $0.differences.contains { $0.field == field } }
            return count == 0 ? nil : "\(field) in \(count)"
        }
        return ["\(counted.joined(separator: ", ")) (--all)"]
    }

    private func dated(_ rows: [RegisterChange], all: Bool) -> [String] {
        let width = rows.map(\.label.count).max() ?? 0
        let keyWidth = rows.map(\.key.count).max() ?? 0
        let lines = rows.map { row in
            let missing = row.line == nil ? "  (not in this file)" : ""
            let start = "\(Self.padded(row.label, to: width))  \(Self.padded(row.key, to: keyWidth))"
            return "\(start)  from \(Self.day(row.validFrom))\(missing)"
        }
        return cut(lines, all: all)
    }

    private func cut(_ lines: [String], all: Bool) -> [String] {
        if all || lines.count <= Self.shownNames { return lines }
        return lines.prefix(Self.shownNames - 1) + ["and \(lines.count - Self.shownNames + 1) more (--all)"]
    }

    /// The date alone where the instant is a midnight, else the whole instant.
    private static func day(_ instant: Timestamp) -> String {
        instant.timeText(seconds: true) == "00:00:00" ? instant.dateText : instant.text
    }

    private static func shown(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null?: "nothing"
        case .string(let text)?: "\"\(RowReader.shortened(text))\""
        case .array(let items)?: RowReader.shortened(items.map { $0.string ?? "…" }.joined(separator: ", "))
        case let value?: String(decoding: value.encoded(), as: UTF8.self)
        }
    }

    private static func place(_ line: Int?) -> String { "  \(padded(line.map { "line \($0)" } ?? "", to: 9))  " }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

extension ImportNote.Kind {
    /// What notes of this kind say where they are only counted.
    var summary: String {
        switch self {
        case .whiteSpace: "white space around cells removed"
        case .encoding: "bytes that are not UTF-8 read by Windows-1252"
        case .lostCharacter: "characters that the file had lost already (U+FFFD) kept"
        case .shape: "stray quotes, or cells missing at the end"
        case .date: "dates written in another way"
        case .number: "numbers written in another way"
        case .identifier: "identifiers written in another way, or left out"
        case .list: "lists with empty, repeated or otherwise separated items"
        case .service: "services not written as the regulation has them"
        case .website: "websites from which no domain, or more than one, was read"
        case .status: "statuses written in another way, or read from other columns"
        case .key: "keys made from other columns"
        case .noValue: "words such as n/a read as no value"
        case .repeated: "rows that say the same as another"
        }
    }
}

/// Reads a file of rows for one register: leniently, and saying of every row what it was read as or why it cannot be
/// taken.
///
/// Nothing is repaired in silence and nothing is published: the result is what ``RegisterChanges`` compares with the
/// register, and what the publisher then sees and signs.
public struct RegisterImport: Sendable {
    /// The register to read for.
    public let definition: RegisterDefinition
    /// The member's time zone: a date without a zone begins at midnight there.
    public let zone: MemberZone
    /// How the columns of a file of the publisher's own are read; nil for a layout that is known.
    public let map: ColumnMap?

    /// Prepares to read for a register.
    public init(into definition: RegisterDefinition, zone: MemberZone, map: ColumnMap? = nil) {
        self.definition = definition
        self.zone = zone
        self.map = map
    }

    /// Reads a file in one of the layouts of ``ImportLayout``, found by its header.
    ///
    /// - Parameter bytes: the whole file, at most ``ImportLimits/fileBytes``.
    /// - Throws: ``ImportError`` if the file as a whole cannot be read. Rows that cannot are ``ImportResult/refused``.
    public func read(_ bytes: [UInt8]) throws(ImportError) -> ImportResult {
        try read(DelimitedText(bytes))
    }

    /// Reads a table in one of the layouts of ``ImportLayout``, found by its header; with a ``map``, by that.
    ///
    /// - Throws: ``ImportError`` if the table as a whole cannot be read. Rows that cannot are ``ImportResult/refused``.
    public func read(_ file: DelimitedText) throws(ImportError) -> ImportResult {
        guard let position = file.rows.firstIndex(where: { !isBlank($0, in: file) }) else {
            throw ImportError(.empty, "the file holds no header")
        }
        let header = try Header(file, row: file.rows[position])
        let rows = file.rows[(position + 1)...]
        if map == nil, let result = try readList(file, rows, header) { return result }
        let layout = try OwnLayout(header, file: file, rows: rows, definition: definition, zone: zone, map: map)
        return assemble(
            file, rows, header: header, layout: map == nil ? .own : .mapped, columns: layout.fields,
            draft: layout.draft, settle: { _ in }, notes: map.map { [$0.note] } ?? [])
    }

    /// Reads one of the lists of ESMA's interim register; nil where the header is of none.
    private func readList(
        _ file: DelimitedText, _ rows: ArraySlice<DelimitedText.Row>, _ header: Header
    ) throws(ImportError) -> ImportResult? {
        if ESMACASPLayout.matches(header) {
            let layout = try ESMACASPLayout(header, definition: definition, zone: zone)
            return assemble(
                file, rows, header: header, layout: .esmaCASP, columns: layout.fields, draft: layout.draft,
                settle: layout.settle)
        }
        if ESMANCASPLayout.matches(header) {
            let layout = try ESMANCASPLayout(header, definition: definition, zone: zone)
            return assemble(
                file, rows, header: header, layout: .esmaNCASP, columns: layout.fields, draft: layout.draft,
                settle: layout.settle)
        }
        guard let list = ESMAPapersLayout.list(of: header) else { return nil }
        let layout = try ESMAPapersLayout(list, header, definition: definition, zone: zone)
        return assemble(
            file, rows, header: header, layout: list.layout, columns: layout.fields, draft: layout.draft,
            settle: layout.settle, notes: layout.notes)
    }

    private func isBlank(_ row: DelimitedText.Row, in file: DelimitedText) -> Bool {
        row.cells.allSatisfy { file.isBlank(file.cells[$0]) }
    }

    private func assemble(
        _ file: DelimitedText, _ rows: ArraySlice<DelimitedText.Row>, header: Header, layout: ImportLayout,
        columns: Set<String>, draft: (inout DraftRow) -> Void, settle: (inout [DraftRow]) -> Void,
        notes: [String] = []
    ) -> ImportResult {
        var counts = ImportResult.Counts()
        var drafts: [DraftRow] = []
        for row in rows {
            if isBlank(row, in: file) {
                counts.blank += 1
                continue
            }
            counts.read += 1
            var reader = RowReader(file, row: row)
            reader.checkShape(header: header.width, named: header.namedIndices)
            var next = DraftRow(row: counts.read, line: row.line, reader: reader)
            draft(&next)
            drafts.append(next)
        }
        settle(&drafts)
        var finished = FinishedRows(definition: definition)
        for draft in drafts { finished.add(draft) }
        counts.asWritten = finished.asWritten
        counts.withNotes = finished.withNotes
        counts.refused = finished.refused.count
        return ImportResult(
            register: definition.name, layout: layout, rows: finished.rows, refused: finished.refused,
            repeated: finished.repeated, columns: definition.columns.filter(columns.contains), counts: counts,
            fileNotes: self.notes(on: file, header) + notes)
    }

    private func notes(on file: DelimitedText, _ header: Header) -> [String] {
        var notes = header.notes + file.notes
        if file.delimiter != .comma { notes.append("The cells are separated by \(file.delimiter.plural).") }
        return notes
    }
}

/// A row on its way: what was read so far, and what is to be said of it.
struct DraftRow {
    struct Entry {
        var status: String
        var validFrom: Timestamp?
        var validUntil: Timestamp?
        var fields: JSONObject
        var isHistory = false
    }

    let row: Int
    let line: Int
    var reader: RowReader
    var key: String?
    var entries: [Entry] = []
    /// The line of the row that this one repeats, if it does.
    var repeats: Int?
}

/// Checks drafts against the definition and against each other, in the order of the file.
struct FinishedRows {
    let definition: RegisterDefinition
    private(set) var rows: [ImportedRow] = []
    private(set) var refused: [RefusedRow] = []
    private(set) var repeated: [RepeatedRow] = []
    private(set) var asWritten = 0
    private(set) var withNotes = 0
    private var seen: [Identity: (line: Int, entry: [UInt8])] = [:]
    private var uniqueValues: [Identity: Int] = [:]

    /// Bytes decide, because `String ==` folds NFC and NFD together.
    private struct Identity: Hashable {
        let text: [UInt8]
        let seconds: Int64?
    }

    init(definition: RegisterDefinition) { self.definition = definition }

    mutating func add(_ draft: DraftRow) {
        var draft = draft
        check(&draft)
        guard draft.reader.reasons.isEmpty, let key = draft.key else {
            refused.append(RefusedRow(row: draft.row, line: draft.line, key: draft.key, reasons: draft.reader.reasons))
            return
        }
        if draft.reader.notes.isEmpty { asWritten += 1 } else { withNotes += 1 }
        if draft.repeats != nil {
            repeated.append(RepeatedRow(row: draft.row, line: draft.line, key: key, notes: draft.reader.notes))
            return
        }
        for (index, entry) in draft.entries.enumerated() {
            seen[identity(key, entry)] = seen[identity(key, entry)] ?? (draft.line, Self.bytes(of: entry))
            let isLast = index == draft.entries.count - 1
            rows.append(
                ImportedRow(
                    row: draft.row, line: draft.line, key: key, status: entry.status, validFrom: entry.validFrom,
                    validUntil: entry.validUntil, fields: entry.fields, isHistory: entry.isHistory,
                    notes: isLast ? draft.reader.notes : []))
        }
    }

    private mutating func check(_ draft: inout DraftRow) {
        if draft.key == nil, draft.reader.reasons.isEmpty { draft.reader.refuse("key", "there is no key") }
        guard draft.reader.reasons.isEmpty, let key = draft.key else { return }
        for problem in draft.entries.last.map({ definition.problems(in: $0.fields) }) ?? [] {
            draft.reader.refuse(problem.field, problem.description)
        }
        let first = draft.entries.compactMap { seen[identity(key, $0)] }.first
        if let first {
            if draft.entries.contains(where: { Self.bytes(of: $0) == first.entry }) {
                draft.repeats = first.line
                draft.reader.note(.repeated, "", "the row says the same as line \(first.line); taken once")
            } else {
                let when = draft.entries.last?.validFrom == nil ? "" : " and date"
                draft.reader.refuse(
                    "key", "line \(first.line) has the same key\(when) (\(key)) and says something else")
            }
        }
        guard draft.repeats == nil, draft.reader.reasons.isEmpty, let fields = draft.entries.last?.fields else {
            return
        }
        for field in definition.fields where field.constraints.unique {
            guard let value = fields[field.name] else { continue }
            let identity = Identity(text: Array("\(field.name)=".utf8) + value.encoded(), seconds: nil)
            if let line = uniqueValues[identity] {
                draft.reader.refuse(field.name, "line \(line) has the same \(field.name)")
            } else {
                uniqueValues[identity] = draft.line
            }
        }
    }

    private func identity(_ key: String, _ entry: DraftRow.Entry) -> Identity {
        Identity(text: Array(key.utf8), seconds: entry.validFrom?.seconds)
    }

    private static func bytes(of entry: DraftRow.Entry) -> [UInt8] {
        let until = entry.validUntil.map { String($0.seconds) } ?? ""
        return Array("\(entry.status) \(until) ".utf8) + JSONValue.object(entry.fields).encoded()
    }
}

/// The first row of a file: the names of its columns.
struct Header {
    let line: Int
    /// Cells, named or not.
    let width: Int
    private(set) var columns: [RowReader.Column] = []
    private(set) var notes: [String] = []

    init(_ file: DelimitedText, row: DelimitedText.Row) throws(ImportError) {
        line = row.line
        width = row.cells.count
        var nameless: [Int] = []
        for (index, cell) in row.cells.enumerated() {
            let reading = file.reading(of: file.cells[cell])
            let name = UnicodeForm.collapsed(reading.text)
            if name.isEmpty {
                nameless.append(index + 1)
                continue
            }
            guard name.utf8.count <= 200, reading.unreadableByte == nil,
                !name.unicodeScalars.contains(where: { $0.value < 0x20 })
            else {
                throw ImportError(
                    .header, "the header is not one: these are no names of columns", line: line, column: index + 1)
            }
            if let twice = columns.first(where: { $0.name.utf8.elementsEqual(name.utf8) }) {
                let text = "the column \(name) stands twice, in cells \(twice.index + 1) and \(index + 1)"
                throw ImportError(.header, text, line: line, column: index + 1)
            }
            columns.append(RowReader.Column(name: name, index: index))
        }
        if !nameless.isEmpty {
            let list = nameless.map(String.init).joined(separator: ", ")
            notes.append("Cell \(list) of the header has no name; a row that holds anything there is refused.")
        }
    }

    func column(_ name: String) -> RowReader.Column? { columns.first { $0.name.utf8.elementsEqual(name.utf8) } }

    var namedIndices: Set<Int> { Set(columns.map(\.index)) }

    mutating func add(note: String) { notes.append(note) }
}

/// A register's own layout: the columns `key`, `status`, `validFrom`, `validUntil` and the fields of the definition.
///
/// Columns may stand in any order, and optional ones may be left out. Where the key's cell is empty, the fields make
/// the key. A row without `validFrom` speaks from when it is published. Dates are `YYYY-MM-DD`; others are noted, and
/// the order of day and month is what the unambiguous dates of the same column prove.
struct OwnLayout {
    private let columns: [String: RowReader.Column]
    private let orders: [String: DateOrder]
    private let map: ColumnMap?
    private let definition: RegisterDefinition
    private let zone: MemberZone

    /// The fields and envelope columns that the file has.
    var fields: Set<String> { Set(columns.keys) }

    init(
        _ header: Header, file: DelimitedText, rows: ArraySlice<DelimitedText.Row>, definition: RegisterDefinition,
        zone: MemberZone, map: ColumnMap? = nil
    ) throws(ImportError) {
        self.definition = definition
        self.zone = zone
        self.map = map
        var columns = try map?.constants(of: definition) ?? [:]
        try map?.check(header, definition)
        for column in header.columns where map?.ignores(column.name) != true {
            guard let name = map?.field(of: column.name) ?? Self.field(of: column.name, definition) else {
                let known = definition.columns.joined(separator: ",")
                let text = "the column \(column.name) is not one of \(definition.name); its columns are \(known)"
                throw ImportError(.header, text, line: header.line, column: column.index + 1)
            }
            if let other = columns[name] {
                let text = "the columns \(other.name) and \(column.name) are the same field, \(name)"
                throw ImportError(.header, text, line: header.line, column: column.index + 1)
            }
            columns[name] = column
        }
        var due = ["status"] + definition.fields.filter(\.constraints.required).map(\.name)
        if case .single(_, field: nil) = definition.keyForm { due.insert("key", at: 0) }
        if let missing = due.first(where: { columns[$0] == nil }) {
            throw ImportError(.header, "the column \(missing) of \(definition.name) is missing", line: header.line)
        }
        self.columns = columns
        var orders: [String: DateOrder] = [:]
        let kinds = definition.fields.filter { $0.kind == .date || $0.kind == .datetime }.map(\.name)
        for name in ["validFrom", "validUntil"] + kinds {
            if let column = columns[name] {
                orders[name] = map?.dates[name] ?? Self.order(of: column, file, rows)
            }
        }
        self.orders = orders
    }

    /// The field that a column's name means: its name, or name or title in another case.
    private static func field(of column: String, _ definition: RegisterDefinition) -> String? {
        if let exact = definition.columns.first(where: { $0.utf8.elementsEqual(column.utf8) }) { return exact }
        let lowered = ASCIICase.lowercased(column)
        if let name = definition.columns.first(where: { ASCIICase.lowercased($0) == lowered }) { return name }
        return definition.fields.first { ASCIICase.lowercased($0.title) == lowered }?.name
    }

    /// What the unambiguous dates of a column prove; nil if there are none or they contradict each other.
    private static func order(
        of column: RowReader.Column, _ file: DelimitedText, _ rows: ArraySlice<DelimitedText.Row>
    ) -> DateOrder? {
        var found: DateOrder?
        guard column.constant == nil else { return nil }
        for row in rows where column.index < row.cells.count {
            let text = UnicodeForm.trimmed(file.reading(of: file.cells[row.cells.lowerBound + column.index]).text)
            guard case .success(let date) = WrittenDate.read(text), let evidence = date.evidence else { continue }
            if let found, found != evidence { return nil }
            found = evidence
        }
        return found
    }

    func draft(_ draft: inout DraftRow) {
        var members: [(String, JSONValue)] = []
        for field in definition.fields {
            if let column = columns[field.name], let value = value(column, field, &draft.reader) {
                members.append((field.name, value))
            }
        }
        let fields = JSONObject(members)
        readKey(&draft, fields)
        let validFrom = instant("validFrom", &draft.reader)
        let validUntil = instant("validUntil", &draft.reader)
        if let validFrom, let validUntil, validUntil.seconds <= validFrom.seconds {
            draft.reader.refuse("validUntil", "\(validUntil) is not after validFrom, \(validFrom)")
        }
        guard let status = status(&draft.reader) else { return }
        draft.entries = [DraftRow.Entry(status: status, validFrom: validFrom, validUntil: validUntil, fields: fields)]
    }

    private func readKey(_ draft: inout DraftRow, _ fields: JSONObject) {
        guard let column = columns["key"], let text = draft.reader.text(column) else {
            switch definition.keyForm.key(of: fields) {
            case .success(let key):
                draft.key = key
                draft.reader.note(.key, "key", readAs: key, "key \(key) made from the fields")
            case .failure(let problem): draft.reader.refuse("key", "the key \(problem.reason)")
            }
            return
        }
        switch definition.keyForm.canonicalise(text) {
        case .success(let key):
            draft.key = key
            if !key.utf8.elementsEqual(text.utf8) {
                draft.reader.note(.key, column.name, found: text, readAs: key, "key \"\(text)\" read as \(key)")
            }
            let count = key.utf8.count { $0 == 0x2F }
            let made = definition.keyForm.keys(of: fields).filter { $0.utf8.count { $0 == 0x2F } == count }
            if !made.isEmpty, !made.contains(where: { $0.utf8.elementsEqual(key.utf8) }) {
                draft.reader.note(
                    .key, column.name, found: key, "the key is kept, though the fields would make \(made[0])")
            }
        case .failure(let problem):
            draft.reader.refuse(column.name, "\"\(RowReader.shortened(text))\" \(problem.reason)")
        }
    }

    private func status(_ reader: inout RowReader) -> String? {
        guard let column = columns["status"], let text = reader.text(column) else {
            reader.refuse("status", "the status is missing")
            return nil
        }
        if definition.status(text) != nil { return text }
        let lowered = ASCIICase.lowercased(text)
        let mapped = map?.status(text).flatMap { definition.status($0) }
        let near =
            mapped
            ?? definition.statuses.first { $0.name == lowered || ASCIICase.lowercased($0.title) == lowered }
        guard let near else {
            let known = definition.statuses.map(\.name).joined(separator: ", ")
            reader.refuse(column.name, "\"\(RowReader.shortened(text))\" is no status of \(definition.name): \(known)")
            return nil
        }
        reader.note(.status, column.name, found: text, readAs: near.name, "status \"\(text)\" read as \(near.name)")
        return near.name
    }

    private func value(
        _ column: RowReader.Column, _ field: RegisterField, _ reader: inout RowReader
    ) -> JSONValue? {
        let form = definition.lookups.first { $0.field == field.name }?.form
        switch field.kind {
        case .string where form == .lei: return FieldReading.lei(column, &reader).map { .string($0) }
        case .string, .uri:
            guard let text = reader.text(column) else { return nil }
            return .string(FieldReading.inForm(text, column, field, &reader))
        case .integer: return FieldReading.integer(column, &reader)
        case .number: return FieldReading.number(column, &reader)
        case .boolean: return FieldReading.boolean(column, &reader)
        case .list: return FieldReading.list(column, field, form: form, &reader)
        case .datetime: return instant(field.name, &reader).map { .string($0.text) }
        case .date:
            let date = reader.date(column, order: orders[field.name], isNative: Self.isNative)
            return date.map { .string($0.description) }
        }
    }

    private static func isNative(_ date: WrittenDate) -> Bool { if case .iso = date { true } else { false } }

    /// An instant: RFC 3339; else a date, or a date and time of day, in the member's zone.
    private func instant(_ name: String, _ reader: inout RowReader) -> Timestamp? {
        guard let column = columns[name], let text = reader.value(column) else { return nil }
        if let exact = Timestamp(parsing: text) { return exact }
        if let (instant, isNative) = Self.lenientInstant(text, zone) {
            if !isNative {
                let note = "\"\(text)\" read as \(instant)"
                reader.note(.date, column.name, found: text, readAs: instant.text, note)
            }
            return instant
        }
        // Reading the cell again as a date says once more what was said of its white space.
        var again = reader
        guard let date = again.date(column, order: orders[name], isNative: Self.isNative) else {
            if let reason = again.reasons.last { reader.refuse(reason.column, reason.text) }
            return nil
        }
        if let note = again.notes.last, again.notes.count > reader.notes.count, note.kind == .date {
            reader.note(.date, column.name, found: note.found, readAs: note.readAs, note.text)
        }
        return zone.midnight(of: date)
    }

    /// `2026-11-24T09:30[:00]`, with a blank for the T, with a zone in other ways of RFC 3339 or without one.
    private static func lenientInstant(_ text: String, _ zone: MemberZone) -> (Timestamp, isNative: Bool)? {
        var bytes = Array(text.utf8)
        guard bytes.count >= 16, bytes.count <= 25, [0x54, 0x74, 0x20].contains(bytes[10]) else { return nil }
        bytes[10] = 0x54
        if bytes.count == 16 || bytes[16] != 0x3A { bytes.insert(contentsOf: Array(":00".utf8), at: 16) }
        guard bytes.count >= 19 else { return nil }
        let rest = String(decoding: bytes[19...], as: UTF8.self)
        let local = String(decoding: bytes[..<19], as: UTF8.self)
        switch rest {
        case "": return Timestamp(parsing: local + "Z").map { (zone.timestamp(localSeconds: $0.seconds), false) }
        case "z", "Z", "+00:00", "-00:00": return Timestamp(parsing: local + "Z").map { ($0, false) }
        default: return Timestamp(parsing: local + rest).map { ($0, false) }
        }
    }
}

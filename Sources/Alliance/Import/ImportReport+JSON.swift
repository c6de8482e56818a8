extension ImportReport {
    /// The report for programs: an object with `register`, `layout`, `counts`, `fileNotes`, `notes`, `refused` and,
    /// once compared, `changes`, `retracted`, `missingKept` and `unchanged`.
    public var json: JSONValue {
        let counts = result.counts
        var object: JSONObject = [
            "register": .string(result.register), "layout": .string(result.layout.rawValue),
            "counts": [
                "read": Self.number(counts.read), "asWritten": Self.number(counts.asWritten),
                "withNotes": Self.number(counts.withNotes), "refused": Self.number(counts.refused),
                "blank": Self.number(counts.blank),
            ],
            "fileNotes": .array(result.fileNotes.map { .string($0) }),
            "notes": .array(
                result.noted.flatMap { row in
                    row.notes.map { Self.json($0, row: row.row, line: row.line, key: row.key) }
                }),
            "refused": .array(result.refused.map(Self.json)),
        ]
        if let changes {
            object["unchanged"] = Self.number(changes.unchanged)
            object["changes"] = .array(changes.changes.map(Self.json))
            object["retracted"] = .array(changes.retracted.map(Self.json))
            object["missingKept"] = .array(changes.missingKept.map(Self.json))
        }
        return .object(object)
    }

    private static func json(_ note: ImportNote, row: Int, line: Int, key: String) -> JSONValue {
        var object: JSONObject = [
            "row": number(row), "line": number(line), "key": .string(key), "kind": .string(note.kind.rawValue),
        ]
        if !note.column.isEmpty { object["column"] = .string(note.column) }
        object["found"] = note.found.map { .string($0) }
        object["readAs"] = note.readAs.map { .string($0) }
        object["text"] = .string(note.text)
        return .object(object)
    }

    private static func json(_ row: RefusedRow) -> JSONValue {
        var object: JSONObject = ["row": number(row.row), "line": number(row.line)]
        object["key"] = row.key.map { .string($0) }
        object["reasons"] = .array(
            row.reasons.map { ["column": .string($0.column), "text": .string($0.text)] })
        return .object(object)
    }

    private static func json(_ change: RegisterChange) -> JSONValue {
        var object: JSONObject = [
            "kind": .string(change.kind.rawValue), "key": .string(change.key), "label": .string(change.label),
            "status": .string(change.status),
        ]
        object["previousStatus"] = change.previousStatus.map { .string($0) }
        object["validFrom"] = .string(change.validFrom.text)
        object["validUntil"] = change.validUntil.map { .string($0.text) }
        object["fields"] = .object(change.fields)
        object["supersedes"] = .array(change.supersedes.map { .string($0) })
        object["differences"] = .array(
            change.differences.map { ["field": .string($0.field), "old": $0.old ?? .null, "new": $0.new ?? .null] })
        object["line"] = change.line.map(number)
        return .object(object)
    }

    private static func json(_ row: MissingRow) -> JSONValue {
        [
            "key": .string(row.key), "label": .string(row.label), "status": .string(row.status),
            "identities": .array(row.identities.map { .string($0) }),
        ]
    }

    private static func number(_ value: Int) -> JSONValue { .integer(Int64(value)) }
}

import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// What was imported, published and exported publishes nothing when it is imported again, in every format.
enum RoundTrip {
    /// Exports what a register has published, and reads it again as CSV, as JSON lines and out of a data package.
    ///
    /// - Returns: what each would publish, by format.
    static func changes(
        _ published: [PublishedRow], _ definition: RegisterDefinition
    ) throws -> [(format: String, result: ImportResult, changes: ChangeSet)] {
        let export = RegisterExport(published, definition: definition)
        #expect(export.refused.isEmpty, "\(export.refused)")
        #expect(export.rows.count == published.count)
        let csv = export.csv
        let package = export.package(
            csv,
            from: RegisterExport.Origin(
                alliance: "00", member: "did:web:pk.example", title: "Pakistan", entries: 9,
                time: Timestamp(seconds: 1_770_000_000)))
        let described = try DataPackageTable(package, register: definition.name)
        #expect(described.path == export.dataName && described.describes(csv) && !described.describes(csv + [0x0A]))
        // Of another member's zone than the one that wrote it: instants are written with their own.
        let reader = RegisterImport(into: definition, zone: try #require(MemberZone("America/El_Salvador")))
        var tables = [("CSV", try DelimitedText(csv))]
        // Without a row there is no line, and an empty file is refused.
        if !published.isEmpty { tables.append(("JSON lines", try JSONLinesTable.read(export.jsonLines))) }
        return try tables.map {
            let result = try reader.read($0.1)
            let changes = RegisterChanges.compare(
                result, published: published, missing: .retract, definition: definition,
                now: Timestamp(seconds: 1_770_000_000))
            return ($0.0, result, changes)
        }
    }
}

@Suite("Import, export, import")
struct RoundTripTests {
    /// A value of a field that its definition allows, different for every number.
    private static func value(_ field: RegisterField, _ number: Int, _ definition: RegisterDefinition) -> JSONValue? {
        if let allowed = field.constraints.enumeration?.first {
            return field.kind == .list ? [.string(allowed)] : .string(allowed)
        }
        if field.constraints.pattern != nil {
            return ["pk", "PK", "1.5", "2026"].first { text in
                !definition.problems(in: [field.name: .string(text)]).contains { $0.field.hasSameBytes(as: field.name) }
            }.map { .string($0) }
        }
        switch field.kind {
        case .string: return .string("ﻋ \"\(number)\", é\n|;\u{200D}")
        case .uri: return .string("https://\(number).example/a,b")
        case .integer: return .integer(Int64(number))
        case .number: return .number("\(number).5")
        case .boolean: return .bool(number % 2 == 0)
        case .date: return "2026-01-02"
        case .datetime: return "2026-01-02T03:04:05+05:00"
        case .list: return [.string("one \(number)"), "two, \"quoted\""]
        }
    }

    @Test(
        "every built-in register, with a value of every field and with as few as may be",
        arguments: BuiltInRegisters.all.map(\.name))
    func builtIn(register: String) throws {
        let definition = try #require(BuiltInRegisters.definition(named: register))
        var rows: [PublishedRow] = []
        for number in 1...3 {
            let lookups = Set(definition.lookups.map(\.field))
            var fields = JSONObject()
            for field in definition.fields where field.constraints.required || number > 1 {
                guard !lookups.contains(field.name), !definition.erasable.contains(field.name) else { continue }
                fields[field.name] = Self.value(field, number, definition)
            }
            let key = try Self.key(definition, number)
            if case .single(_, let field?) = definition.keyForm { fields[field] = .string(key) }
            guard definition.problems(in: fields).isEmpty else { continue }
            for (position, status) in definition.statuses.enumerated() {
                rows.append(
                    PublishedRow(
                        key: key, status: status.name,
                        validFrom: Timestamp(seconds: Int64(position) * 86_400, offsetMinutes: 300),
                        validUntil: position == 0 ? Timestamp(seconds: 3_600, offsetMinutes: -360) : nil,
                        fields: fields, identity: "\(number)\(position)"))
            }
        }
        try #require(!rows.isEmpty)
        for (format, result, changes) in try RoundTrip.changes(rows, definition) {
            #expect(result.refused.isEmpty, "\(format): \(result.refused)")
            #expect(
                changes.isEmpty && changes.missingKept.isEmpty, "\(format): \(changes.changes) \(changes.retracted)")
        }
    }

    private static func key(_ definition: RegisterDefinition, _ number: Int) throws -> String {
        for text in [
            "K-\(number)", "A/B-\(number)", "A/2026-01-0\(number)/B", "A/B/C-\(number)",
            "529900032TYR45XIEW79/2025-04-0\(number)",
        ] where definition.keyForm.isCanonical(text) { return text }
        throw AllianceError(.unknown, "no key fits \(definition.name)")
    }

    @Test("JSON lines: what no cell can hold is refused with its line, and columns come in any order")
    func lines() throws {
        let table = try JSONLinesTable.read(Array("{\"b\":1,\"a\":[\"x\",\"y\"]}\r\n\n{\"a\":null,\"c\":true}\n".utf8))
        let cells = table.rows.map { row in row.cells.map { table.reading(of: table.cells[$0]).text } }
        #expect(cells == [["b", "a", "c"], ["1", "x|y", ""], ["", "", "true"]])
        #expect(table.rows.map(\.line) == [1, 1, 3])
        for (text, line) in [
            ("[1]\n", 1), ("{\"a\":1}\n{\"a\":{}}\n", 2), ("{\"a\":1}\n{\"a\":[\"x|y\"]}", 2), ("{\"a\":[1]}", 1),
            ("{\"a\":1,\"a\":2}", 1), ("\n\n{", 3),
        ] {
            #expect { try JSONLinesTable.read(Array(text.utf8)) } throws: { error in
                let error = error as? ImportError
                return error?.code == .notText && error?.line == line
            }
        }
        let wide = "{" + (0...ImportLimits.columns).map { "\"c\($0)\":1" }.joined(separator: ",") + "}"
        #expect { try JSONLinesTable.read(Array(wide.utf8)) } throws: { ($0 as? ImportError)?.code == .limit }
    }

    @Test("A data package's path stays in its folder, and its digest is of SHA-256")
    func packages() throws {
        func read(_ resource: String) throws -> DataPackageTable {
            try DataPackageTable(Array("{\"resources\":[\(resource)]}".utf8), register: "warnings")
        }
        #expect(try read("{\"name\":\"x\",\"path\":\"w.csv\"}").describes([1]))
        for bad in [
            "", "{\"name\":\"a\",\"path\":\"a.csv\"},{\"name\":\"b\",\"path\":\"b.csv\"}", "{\"path\":\"../w.csv\"}",
            "{\"path\":\"/etc/passwd\"}", "{\"path\":\"https://x.example/w.csv\"}", "{\"path\":\"..\"}",
            "{\"path\":[\"w.csv\"]}", "{\"path\":\"w.csv\",\"hash\":\"md5:00\"}", "{\"name\":\"warnings\"}",
        ] {
            #expect(throws: ImportError.self, "\(bad)") { try read(bad) }
        }
    }
}

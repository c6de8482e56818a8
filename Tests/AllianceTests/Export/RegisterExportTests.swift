import Testing

@testable import Alliance

@Suite("Export")
struct RegisterExportTests {
    private static func definition(_ name: String = "vasp-licences") throws -> RegisterDefinition {
        try #require(BuiltInRegisters.definition(named: name))
    }

    private static func row(
        _ key: String, _ fields: JSONObject, from: Int64 = 0, status: String = "authorised", identity: String = "00"
    ) -> PublishedRow {
        PublishedRow(
            key: key, status: status, validFrom: Timestamp(seconds: from), fields: fields, identity: identity)
    }

    private static let fields: JSONObject = ["competentAuthority": "PDAA", "legalName": "Indus"]

    @Test("the header is the definition's, in its order; cells are quoted where they must be")
    func csv() throws {
        let definition = try Self.definition()
        let fields: JSONObject = [
            "competentAuthority": "PDAA, \"Islamabad\"", "legalName": "دریائے سندھ\nلمیٹڈ", "services": ["a", "j"],
        ]
        let export = RegisterExport(
            [Self.row("B", Self.fields, from: 60), Self.row("A", fields), Self.row("B", Self.fields)],
            definition: definition)
        let start =
            "\(definition.columns.joined(separator: ","))\r\nA,authorised,1970-01-01T00:00:00Z,,,"
            + "\"PDAA, \"\"Islamabad\"\"\",,\"دریائے سندھ\nلمیٹڈ\","
        #expect(export.csv.starts(with: start.utf8))
        #expect(String(decoding: export.csv, as: UTF8.self).utf8.count { $0 == 0x7C } == 1)
        #expect(export.rows.map(\.key) == ["A", "B", "B"])
        #expect(export.rows.map(\.validFrom.seconds) == [0, 0, 60])
        #expect(export.refused.isEmpty)
    }

    @Test("what was exported changes nothing when it is imported again, in CSV, for every built-in register")
    func again() throws {
        let licences = try SampleCASPFile.read([
            SampleCASPFile.row(1), SampleCASPFile.row(2, [6: "1 Sample\r\nStreet, \"Upper\"", 10: "01/03/2026"]),
            SampleCASPFile.row(3, [3: ""]),
        ])
        let published = SampleCASPFile.published(licences)
        let definition = try Self.definition()
        let export = RegisterExport(published, definition: definition)
        #expect(export.rows.count == 4)
        let result = try RegisterImport(into: definition, zone: try #require(MemberZone("Asia/Karachi"))).read(
            export.csv)
        #expect(result.refused.isEmpty)
        let changes = RegisterChanges.compare(
            result, published: published, missing: .retract, definition: definition,
            now: Timestamp(seconds: 1_770_000_000))
        #expect(changes.isEmpty, "\(changes.changes)")
        #expect(RegisterExport(published.reversed(), definition: definition).csv == export.csv)
    }

    @Test("JSON lines have typed values, and only what has one")
    func jsonLines() throws {
        let definition = try Self.definition("bitcoin-reserves")
        let fields: JSONObject = [
            "holder": "H", "account": "A", "amount": 5, "asOf": "2026-01-01",
            "addresses": ["1BoatSLRHtKNngk", "3J98t1WpEZ73CNm"],
        ]
        let export = RegisterExport([Self.row("H/A", fields, status: "held")], definition: definition)
        #expect(
            String(decoding: export.jsonLines, as: UTF8.self)
                == "{\"key\":\"H/A\",\"status\":\"held\",\"validFrom\":\"1970-01-01T00:00:00Z\",\"holder\":\"H\",\"account\":\"A\","
                + "\"amount\":5,\"asOf\":\"2026-01-01\",\"addresses\":[\"1BoatSLRHtKNngk\",\"3J98t1WpEZ73CNm\"]}\n")
    }

    @Test("rows that break the definition, and rows that contradict each other, are refused by name")
    func refused() throws {
        let export = RegisterExport(
            [
                Self.row("A", ["competentAuthority": "PDAA"]), Self.row("B", Self.fields, status: "splendid"),
                Self.row("C", Self.fields, identity: "01"),
                Self.row("C", Self.fields, status: "revoked", identity: "02"),
                Self.row("D", Self.fields),
            ], definition: try Self.definition())
        #expect(export.rows.map(\.key) == ["D"])
        #expect(export.refused.map(\.key) == ["A", "B", "C", "C"])
        #expect(export.refused[0].reason == "legalName is missing")
        #expect(export.refused[2].reason.contains("same instant"))
    }
}

import Testing

@testable import Alliance

@Suite("Maps of columns")
struct ColumnMapTests {
    private static func map(
        _ more: String = "", columns: String = "\"Nr\":\"licenceNumber\",\"Firm\":\"legalName\""
    ) throws
        -> ColumnMap
    {
        try ColumnMap(
            Array("{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{\(columns)}\(more)}".utf8))
    }

    private static func read(
        _ map: ColumnMap, _ text: String, into register: String = "vasp-licences"
    ) throws
        -> ImportResult
    {
        let definition = try #require(BuiltInRegisters.definition(named: register))
        return try RegisterImport(into: definition, zone: .utc, map: map).read(Array(text.utf8))
    }

    @Test("columns, constants, statuses and dates are read as the map says")
    func reads() throws {
        let map = try Self.map(
            ",\"ignore\":[\"Remarks\"],\"constants\":{\"competentAuthority\":\"PDAA\"},"
                + "\"statuses\":{\"Licensed\":\"authorised\"},\"dates\":{\"authorisationDate\":\"month-first\"}",
            columns:
                "\"Nr\":\"licenceNumber\",\"Firm\":\"legalName\",\"State\":\"status\",\"Since\":\"authorisationDate\"")
        let result = try Self.read(
            map, "Nr;Firm;State;Since;Remarks;website\r\n7;Indus Ltd;Licensed;02/03/2026;secret;indus.example\r\n")
        #expect(result.refused.isEmpty, "\(result.refused)")
        let row = try #require(result.rows.first)
        #expect((row.key, row.status) == ("7", "authorised"))
        #expect(row.fields["competentAuthority"] == "PDAA")
        #expect(row.fields["authorisationDate"] == "2026-02-03")
        #expect(row.fields["website"] == "indus.example")
        #expect(!row.fields.names.contains("comments"))
        #expect(result.layout == .mapped)
        #expect(row.notes.contains { $0.kind == .status && $0.readAs == "authorised" })
        #expect(
            result.fileNotes.first { $0.hasPrefix("Columns are read by the map: Nr as licenceNumber") }?
                .hasSuffix("passed over: Remarks.") == true, "\(result.fileNotes)")
    }

    @Test("a column that the map does not name has to be a field")
    func unknownColumn() throws {
        let error = try #require(throws: ImportError.self) {
            try Self.read(try Self.map(), "Nr,Firm,status,competentAuthority,Colour\n1,A,revoked,B,red\n")
        }
        #expect((error.code, error.line, error.column) == (.header, 1, 5))
    }

    @Test(
        "a map that is none, or that does not fit, is refused with what is wrong",
        arguments: [
            ("[]", "must be an object"), ("{\"entente-map\":2}", "\"entente-map\": 1"),
            ("{\"entente-map\":1,\"register\":\"vasp-licences\"}", "columns: is missing"),
            ("{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":[]}", "columns: must be an object"),
            ("{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{\"Nr\":1}}", "columns.Nr: must be a text"),
            ("{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{},\"colour\":1}", "colour is not known"),
            ("{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{},\"ignore\":\"Nr\"}", "ignore: must be"),
            (
                "{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{},\"dates\":{\"asOf\":\"mdy\"}}",
                "dates.asOf: must be day-first"
            ),
            ("{\"entente-map\":1,\"register\":\"warnings\",\"columns\":{}}", "it is for warnings"),
            (
                "{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{\"Number\":\"licenceNumber\"}}",
                "the file has no column \"Number\""
            ),
            (
                "{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{\"Nr\":\"number\"}}",
                "columns.Nr: vasp-licences has no such field"
            ),
            (
                "{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{},\"statuses\":{\"x\":\"fine\"}}",
                "has no status fine"
            ),
            (
                "{\"entente-map\":1,\"register\":\"vasp-licences\",\"columns\":{},\"constants\":{\"fine\":\"x\"}}",
                "constants.fine: vasp-licences has no such field"
            ),
        ])
    func refusals(text: String, says: String) throws {
        let error = try #require(throws: ImportError.self) {
            try Self.read(try ColumnMap(Array(text.utf8)), "Nr,status,legalName,competentAuthority\n")
        }
        #expect(error.code == .map)
        #expect(error.reason.contains(says), "\(error)")
    }
}

import Testing

@testable import Alliance

@Suite("The report of an import")
struct ImportReportTests {
    private static func report(
        _ result: ImportResult, _ published: [PublishedRow], _ missing: MissingPolicy = .keep
    )
        throws -> ImportReport
    {
        let definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        let changes = RegisterChanges.compare(
            result, published: published, missing: missing, definition: definition,
            now: Timestamp(seconds: 1_795_460_400, offsetMinutes: 300))
        return ImportReport(result, changes: changes, memberName: "Pakistan", definition: definition)
    }

    @Test("it reads as officers expect")
    func text() throws {
        let before = try OwnLayoutTests.read(
            """
            key,status,validFrom,competentAuthority,legalName,address
            PK-0061,authorised,2026-01-01,B,Soan Digital,1 Road
            PK-0098,authorised,2026-01-01,B,Ravi Pay Ltd,2 Road
            PK-0117,authorised,2026-01-01,B,Karakoram Exchange Ltd,3 Road
            PK-0118,authorised,2026-01-01,B,Firm Ltd,4 Road

            """)
        let after = try OwnLayoutTests.read(
            """
            key,status,validFrom,competentAuthority,legalName,address
            PK-0098,revoked,2026-11-24,B,Ravi Pay Ltd,2 Road
            PK-0117,revoked,24 Nov 2026,B,Karakoram Exchange Ltd,3 Road
            PK-0118,authorised,2026-01-01,B,Firm Ltd,5 Road
            PK-0123,authorised,2026-01-01,B,Indus Custody Ltd,6 Road
            PK-0124,authorised,2026-01-01,B,Other Ltd,6 Road
            PK-0125,licensed,2026-01-01,B,Bad Ltd,6 Road

            """)
        let report = try Self.report(after, SampleCASPFile.published(before))
        #expect(
            report.text() == """
                6 rows read: 4 as written, 1 with a note, 1 refused
                  line 7     refused: "licensed" is no status of vasp-licences: authorised, conditional, no-objection, \
                suspended, expired, revoked (column status)
                  line 3     date "24 Nov 2026" read as 2026-11-24 (validFrom)
                5 changes to Pakistan's register vasp-licences (0 rows unchanged):
                  2 new      Indus Custody Ltd and 1 more (--all)
                  1 changed  Firm Ltd  PK-0118
                               address: "4 Road" → "5 Road"
                  2 revoked  Ravi Pay Ltd            PK-0098  from 2026-11-24
                             Karakoram Exchange Ltd  PK-0117  from 2026-11-24
                1 published row is not in this file: PK-0061 Soan Digital. Kept.

                """)
        #expect(report.text(all: true).contains("Other Ltd  PK-0124"))
    }

    @Test("nothing to do is said in one line")
    func nothing() throws {
        let result = try SampleCASPFile.read([SampleCASPFile.row(1)])
        #expect(
            try Self.report(result, SampleCASPFile.published(result)).text() == """
                1 row read: 1 as written, 0 with a note, 0 refused
                  The file starts with the byte-order mark of UTF-8, which is passed over.
                No change to Pakistan's register vasp-licences (1 row unchanged).

                """)
    }

    @Test("many notes of one kind are counted together, and every one stands in the JSON form")
    func grouping() throws {
        let result = try SampleCASPFile.read((1...9).map { SampleCASPFile.row($0, [2: "Firm \($0) "]) })
        let report = try Self.report(result, [], .retract)
        #expect(report.text().contains("  9 rows     white space around cells removed (--all shows them)\n"))
        #expect(!report.text().contains("line 2"))
        #expect(report.text(all: true).contains("line 10"))
        let json = try JSONValue.parse(report.json.encoded())
        #expect(json["notes"]?.array?.count == 9)
        #expect(json["counts"]?["withNotes"] == 9)
        #expect(json["changes"]?.array?.count == 9)
        #expect(json["refused"] == [])
        #expect(json["notes"]?.array?.first?["readAs"] == "Firm 1")
    }

    @Test("every row of the file is in the report, one way or another")
    func complete() throws {
        let rows = [
            SampleCASPFile.row(1), SampleCASPFile.row(1), SampleCASPFile.row(2, [9: "x"]), "",
            SampleCASPFile.row(3, [12: "FR|"]),
        ]
        let result = try SampleCASPFile.read(rows)
        let counts = result.counts
        #expect(counts.read == counts.asWritten + counts.withNotes + counts.refused)
        #expect(counts == ImportResult.Counts(read: 4, asWritten: 1, withNotes: 2, refused: 1, blank: 1))
        #expect(Set(result.rows.map(\.row)).count + result.repeated.count + result.refused.count == counts.read)
        let text = try Self.report(result, []).text()
        #expect(text.contains("the row says the same as line 2"))
        #expect(text.contains("1 empty line passed over"))
    }
}

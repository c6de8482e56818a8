import Testing

@testable import Alliance

/// A file in ESMA's layout in our own words, as dirty as the real one.
enum SampleCASPFile {
    static let header =
        "ae_competentAuthority,ae_homeMemberState,ae_lei_name,ae_lei,ae_lei_cou_code,ae_commercial_name,ae_address,"
        + "ae_website,ae_website_platform,ac_authorisationNotificationDate,ac_authorisationEndDate,ac_serviceCode,"
        + "ac_serviceCode_cou,ac_comments,ac_lastupdate"

    static let custody = "a. providing custody and administration of crypto-assets on behalf of clients"

    /// A LEI with valid check digits that no firm has.
    static func lei(_ number: Int) -> String {
        let digits = String(number)
        let prefix = Array("TESTEU000000000000".utf8.dropLast(digits.utf8.count)) + Array(digits.utf8)
        var remainder = 0
        for byte in prefix + [0x30, 0x30] {
            remainder =
                byte < 0x3A ? (remainder * 10 + Int(byte) - 0x30) % 97 : (remainder * 100 + Int(byte) - 0x37) % 97
        }
        let check = 98 - remainder
        return String(decoding: prefix, as: UTF8.self) + (check < 10 ? "0\(check)" : "\(check)")
    }

    /// A row; `changes` replaces cells by their column's position.
    static func row(_ number: Int, _ changes: [Int: String] = [:]) -> String {
        var cells = [
            "Bank of Samples (BoS)", "FR", "Firm \(number) SA", lei(number), "FR", "Firm \(number)",
            "\(number) Sample Street",
            "https://firm\(number).example", "", "01/02/2026", "", custody, "FR|BE", "", "02/02/2026",
        ]
        for (position, cell) in changes { cells[position] = cell }
        return cells.map { $0.contains { ",\"\n\r".contains($0) } || $0.contains("\r\n") ? "\"\($0)\"" : $0 }.joined(
            separator: ",")
    }

    static func file(_ rows: [String]) -> [UInt8] {
        Array(([0xEF, 0xBB, 0xBF] as [UInt8]) + Array((([header] + rows).joined(separator: "\r\n") + "\r\n").utf8))
    }

    static func read(_ rows: [String]) throws -> ImportResult { try read(bytes: file(rows)) }

    static func read(bytes: [UInt8]) throws -> ImportResult {
        let definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        return try RegisterImport(into: definition, zone: try #require(MemberZone("Europe/Paris"))).read(bytes)
    }

    /// What the register would hold once a result was published.
    static func published(_ result: ImportResult) -> [PublishedRow] {
        result.rows.enumerated().map { index, row in
            PublishedRow(
                key: row.key, status: row.status, validFrom: row.validFrom ?? Timestamp(seconds: 0), fields: row.fields,
                identity: String(index, radix: 16))
        }
    }
}

@Suite("Import of ESMA's list of service providers")
struct ESMACASPTests {
    private static func notes(_ changes: [Int: String]) throws -> [String] {
        let result = try SampleCASPFile.read([SampleCASPFile.row(1, changes)])
        #expect(result.refused.isEmpty, "\(result.refused)")
        return result.rows.flatMap { $0.notes }.map { "\($0.kind.rawValue): \($0.text)" }
    }

    private static func services(_ cell: String) throws -> (codes: [String], notes: Int) {
        let result = try SampleCASPFile.read([SampleCASPFile.row(1, [11: cell])])
        let row = try #require(result.rows.first, "\(result.refused)")
        return (row.fields["services"]?.array?.compactMap(\.string) ?? [], row.notes.count)
    }

    @Test("a clean row becomes one entry")
    func clean() throws {
        let result = try SampleCASPFile.read([SampleCASPFile.row(1)])
        #expect(result.layout == .esmaCASP)
        #expect(result.counts == ImportResult.Counts(read: 1, asWritten: 1))
        let row = try #require(result.rows.first)
        #expect(row.key == "\(SampleCASPFile.lei(1))/2026-02-01")
        #expect(row.status == "authorised")
        #expect(row.validFrom?.text == "2026-02-01T00:00:00+01:00")
        #expect(
            row.fields.names == [
                "competentAuthority", "homeCountry", "legalName", "lei", "leiCountry", "commercialName", "address",
                "website",
                "authorisationDate", "services", "serviceCountries", "lastUpdate", "domains",
            ])
    }

    @Test("each kind of dirt is read and noted")
    func dirt() throws {
        #expect(try Self.notes([9: "01.02.2026"]) == ["date: date \"01.02.2026\" read as 2026-02-01"])
        #expect(try Self.notes([0: "Bank of Samples\u{A0}"]) == ["white-space: white space around it removed"])
        #expect(try Self.notes([6: "1 Sample\r\nStreet"]) == ["white-space: line ends CR LF read as LF"])
        #expect(try Self.notes([6: "Stra\u{FFFD}e"]).first?.hasPrefix("lost-character") == true)
        #expect(try Self.notes([8: "n/a"]) == ["no-value: \"n/a\" read as no value"])
        #expect(try Self.notes([10: "N/A"]) == ["no-value: \"N/A\" read as no value"])
        #expect(
            try Self.notes([12: "FR|Fi||BE"]) == ["list: an empty item passed over", "identifier: \"Fi\" read as FI"])
        #expect(try Self.notes([12: "FR I BE I DE"]) == ["list: \"FR I BE I DE\" read as FR, BE, DE"])
        #expect(try Self.notes([12: "FR/BE, DE"]) == ["list: \"FR/BE, DE\" read as FR, BE, DE"])
        #expect(
            try Self.notes([7: "https://a.example\r\nwww.b.example"]).last
                == "website: 2 websites in one cell, read as a.example, www.b.example, b.example")
        #expect(
            try Self.notes([7: "75001 Paris"]) == [
                "website: \"75001 Paris\" is not a website: kept as it is, no domain read"
            ])
        #expect(
            try Self.notes([3: "\(SampleCASPFile.lei(1))."]) == [
                "identifier: LEI \"\(SampleCASPFile.lei(1)).\" read as \(SampleCASPFile.lei(1))"
            ])
        let latin = SampleCASPFile.file([SampleCASPFile.row(1, [6: "Stra~e"])]).map { $0 == 0x7E ? 0xDF : $0 }
        let result = try SampleCASPFile.read(bytes: latin)
        #expect(result.rows.first?.fields["address"] == "Straße")
        #expect(result.rows.first?.notes.map(\.text) == ["byte 0xDF read as ß (Windows-1252)"])
    }

    @Test("a LEI that is none is left out, and the key is authority, name and date")
    func noLEI() throws {
        for lei in ["9.60E+19", "", "TESTEU00000000000100X"] {
            let result = try SampleCASPFile.read([SampleCASPFile.row(1, [3: lei])])
            let row = try #require(result.rows.first)
            #expect(row.key == "Bank%20of%20Samples%20%28BoS%29/Firm%201%20SA/2026-02-01")
            #expect(row.fields["lei"] == nil)
            #expect(row.notes.contains { $0.kind == .key })
        }
    }

    @Test("one firm with two authorisations has two keys; two firms under one LEI have their names' keys")
    func sharedLEI() throws {
        let two = try SampleCASPFile.read([SampleCASPFile.row(1), SampleCASPFile.row(1, [9: "03/02/2026"])])
        #expect(two.rows.map(\.key) == ["\(SampleCASPFile.lei(1))/2026-02-01", "\(SampleCASPFile.lei(1))/2026-02-03"])
        let shared = try SampleCASPFile.read([
            SampleCASPFile.row(1), SampleCASPFile.row(2, [3: SampleCASPFile.lei(1)]), SampleCASPFile.row(3),
        ])
        #expect(
            shared.rows.map(\.key) == [
                "Bank%20of%20Samples%20%28BoS%29/Firm%201%20SA/2026-02-01",
                "Bank%20of%20Samples%20%28BoS%29/Firm%202%20SA/2026-02-01",
                "\(SampleCASPFile.lei(3))/2026-02-01",
            ])
        #expect(shared.counts.withNotes == 2)
        let clash = try SampleCASPFile.read([
            SampleCASPFile.row(1), SampleCASPFile.row(1, [6: "elsewhere"]), SampleCASPFile.row(1),
        ])
        #expect(clash.counts == ImportResult.Counts(read: 3, asWritten: 1, withNotes: 1, refused: 1))
    }

    @Test("services are codes, however they are written")
    func services() throws {
        let f = "f. placing of crypto-assets"
        #expect(try Self.services("\(SampleCASPFile.custody)|\(f)") == (["a", "f"], 0))
        #expect(
            try Self.services("\(f) |  a.\tproviding custody and administration of crypto assets on behalf of clients.")
                == (["a", "f"], 0))
        #expect(try Self.services("a|c") == (["a", "c"], 0))
        #expect(
            try Self.services(
                "f. placing, a. providing custody and administration of crypto-assets on behalf of clients") == (
                    ["a", "f"], 2
                ))
        #expect(try Self.services("h.providing advice on crypto-assets I \(f)") == (["f", "h"], 1))
        #expect(try Self.services("h.providing advice on crypto-assets\r\n\(f)/ a. custody").codes == ["a", "f", "h"])
        #expect(try Self.services("d. exchange of crypto-assets for other") == (["d"], 1))
        #expect(try Self.services("e. placing of crypto-assets") == (["f"], 1))
        #expect(try Self.services("placing of crypto-assets") == (["f"], 1))
        #expect(try Self.services("\(f)|\(f)|") == (["f"], 2))
        #expect(try Self.services("") == ([], 0))
        let refused = try SampleCASPFile.read([SampleCASPFile.row(1, [11: "baking bread"])])
        #expect(refused.refused.first?.reasons.map(\.column) == ["ac_serviceCode"])
    }

    @Test("an end date makes a second entry that stands beside")
    func endDates() throws {
        let result = try SampleCASPFile.read([
            SampleCASPFile.row(1, [10: "01/03/2026"]),
            SampleCASPFile.row(2, [10: "02/03/2026", 13: "Authorisation withdrawn."]),
            SampleCASPFile.row(3, [10: "01/01/2026"]), SampleCASPFile.row(4, [10: "soon"]),
        ])
        #expect(result.counts == ImportResult.Counts(read: 4, asWritten: 0, withNotes: 2, refused: 2))
        #expect(result.rows.map(\.status) == ["authorised", "expired", "authorised", "revoked"])
        #expect(result.rows.map(\.isHistory) == [true, false, true, false])
        #expect(result.rows.map { $0.validFrom?.dateText } == ["2026-02-01", "2026-03-01", "2026-02-01", "2026-03-02"])
        #expect(result.rows[0].fields["authorisationEndDate"] == nil)
        #expect(result.rows[1].fields["authorisationEndDate"] == "2026-03-01")
        #expect(
            result.refused.map { $0.reasons.map(\.column) } == [
                ["ac_authorisationEndDate"], ["ac_authorisationEndDate"],
            ])
    }

    @Test("the layout fixes that the day comes first, and a date is due")
    func dates() throws {
        let result = try SampleCASPFile.read([
            SampleCASPFile.row(1, [9: "03/04/2026"]), SampleCASPFile.row(2, [9: "04/24/2026"]),
            SampleCASPFile.row(3, [9: ""]),
        ])
        #expect(result.rows.map { $0.validFrom?.dateText } == ["2026-04-03"])
        #expect(result.refused.map(\.line) == [3, 4])
    }

    @Test("shifted, short and long rows")
    func shapes() throws {
        let rows = [
            SampleCASPFile.row(1) + ",", SampleCASPFile.row(2) + ",x", String(SampleCASPFile.row(3).dropLast(11)),
            "a,b,c",
        ]
        let result = try SampleCASPFile.read(rows)
        #expect(result.rows.map(\.line) == [2, 4])
        #expect(result.rows.map { $0.notes.map(\.kind) } == [[.shape], [.shape]])
        #expect(result.refused.map(\.line) == [3, 5])
    }

    @Test("other files of the interim register, other registers and other headers are refused in one line")
    func otherFiles() throws {
        let ncasp = "ae_competentAuthority,ae_lei_name,ae_infrigment\nA,B,No\n"
        let error = try #require(throws: ImportError.self) { try SampleCASPFile.read(bytes: Array(ncasp.utf8)) }
        #expect(error.code == .layout)
        #expect(error.reason.contains("belongs into warnings"))
        let warnings = try #require(BuiltInRegisters.definition(named: "warnings"))
        let wrong = try #require(throws: ImportError.self) {
            try RegisterImport(into: warnings, zone: .utc).read(SampleCASPFile.file([SampleCASPFile.row(1)]))
        }
        #expect(wrong.code == .layout)
        for header in [SampleCASPFile.header + ",colour", SampleCASPFile.header.replacing("ae_address,", with: "")] {
            let error = try #require(throws: ImportError.self) {
                try SampleCASPFile.read(bytes: Array("\(header)\n".utf8))
            }
            #expect(error.code == .header)
        }
        #expect(try SampleCASPFile.read([]).counts == ImportResult.Counts())
    }
}

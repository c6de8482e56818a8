import Testing

@testable import Alliance

@Suite("Import of our own layout")
struct OwnLayoutTests {
    static func read(_ text: String, into register: String = "vasp-licences") throws -> ImportResult {
        try read(Array(text.utf8), into: register)
    }

    static func read(_ bytes: [UInt8], into register: String) throws -> ImportResult {
        let definition = try #require(BuiltInRegisters.definition(named: register))
        return try RegisterImport(into: definition, zone: try #require(MemberZone("Asia/Karachi"))).read(bytes)
    }

    private static let header =
        "key,status,validFrom,competentAuthority,legalName,lei,services,serviceCountries,authorisationDate,domains"

    private static func row(_ cells: String) throws -> ImportResult { try read("\(header)\n\(cells)\n") }

    private static func only(_ cells: String) throws -> ImportedRow {
        let result = try row(cells)
        #expect(result.refused.isEmpty, "\(result.refused)")
        return try #require(result.rows.first)
    }

    @Test("a row as it should be is taken as written")
    func asWritten() throws {
        let result = try Self.row(
            "PK-0117,authorised,2026-11-24,Bank,Karakoram Exchange Ltd,529900032TYR45XIEW79,a|c,PK|AE,2026-11-01,"
                + "k.example"
        )
        #expect(result.counts == ImportResult.Counts(read: 1, asWritten: 1))
        let row = try #require(result.rows.first)
        #expect(row.key == "PK-0117")
        #expect(row.line == 2)
        #expect(row.validFrom?.text == "2026-11-24T00:00:00+05:00")
        #expect(
            String(decoding: JSONValue.object(row.fields).encoded(), as: UTF8.self)
                == """
                {"competentAuthority":"Bank","legalName":"Karakoram Exchange Ltd","lei":"529900032TYR45XIEW79",\
                "authorisationDate":"2026-11-01","services":["a","c"],\
                "serviceCountries":["PK","AE"],"domains":["k.example"]}
                """)
        #expect(
            result.columns == [
                "key", "status", "validFrom", "competentAuthority", "legalName", "lei", "authorisationDate", "services",
                "serviceCountries", "domains",
            ])
    }

    @Test(
        "what is written otherwise is read, and the note says how",
        arguments: [
            ("PK-1,authorised,3 Nov 2026,B,F,,,,,", "date", "date \"3 Nov 2026\" read as 2026-11-03"),
            (
                "PK-1,authorised,2026-11-24 09:30,B,F,,,,,", "date",
                "\"2026-11-24 09:30\" read as 2026-11-24T09:30:00+05:00"
            ),
            (
                "PK-1,authorised,2026-11-24T04:30:00+00:00,B,F,,,,,", "date",
                "\"2026-11-24T04:30:00+00:00\" read as 2026-11-24T04:30:00Z"
            ),
            (
                "PK-1,authorised,,B,F,529900032tyr45xiew79,,,,", "identifier",
                "LEI written in lower case, read as upper case"
            ),
            (
                "PK-1,authorised,,B,F,529900032TYR45XIEW79.,,,,", "identifier",
                "LEI \"529900032TYR45XIEW79.\" read as 529900032TYR45XIEW79"
            ),
            (
                "PK-1,authorised,,B,F,9.60E+19,,,,", "identifier",
                "LEI \"9.60E+19\" is not a LEI: 20 letters and digits are due; left out"
            ),
            ("PK-1,Authorised,,B,F,,,,,", "status", "status \"Authorised\" read as authorised"),
            ("PK-1,authorised,, B ,F,,,,,", "white-space", "white space around it removed"),
            ("PK-1,authorised,,B,F,,A|c,,,", "identifier", "\"A\" read as a"),
            ("PK-1,authorised,,B,F,,a|a,,,", "list", "\"a\" given twice; taken once"),
            ("PK-1,authorised,,B,F,,a|,,,", "list", "an empty item passed over"),
            ("PK-1,authorised,,B,F,,a;c,,,", "list", "items separated by semicolons"),
            ("PK-1,authorised,,B,F,,,pk,,", "identifier", "\"pk\" read as PK"),
            (
                "PK-1,authorised,,B,F,,,,,Bücher.example", "identifier",
                "\"Bücher.example\" read as xn--bcher-kva.example"
            ),
            ("PK 1,authorised,,B,F,,,,,", "key", "key \"PK 1\" read as PK%201"),
            (
                ",authorised,,B,F,529900032TYR45XIEW79,,,2025-04-01,", "key",
                "key 529900032TYR45XIEW79/2025-04-01 made from the fields"
            ),
            ("PK-1,authorised,n/a,B,F,,,,,", "no-value", "\"n/a\" read as no value"),
        ])
    func noted(cells: String, kind: String, text: String) throws {
        let row = try Self.only(cells)
        #expect(row.notes.map(\.kind.rawValue) == [kind])
        #expect(row.notes.map(\.text) == [text])
    }

    @Test(
        "what cannot be read is refused with its column and why",
        arguments: [
            ("PK-1,licensed,,B,F,,,,,", "status"), ("PK-1,,,B,F,,,,,", "status"),
            ("PK-1,authorised,03/04/2026,B,F,,,,,", "validFrom"),
            ("PK-1,authorised,31/02/2026,B,F,,,,,", "validFrom"), ("PK-1,authorised,soon,B,F,,,,,", "validFrom"),
            ("PK-1,authorised,,,F,,,,,", "competentAuthority"), ("PK-1,authorised,,B,F,,k,,,", "services"),
            ("PK-1,authorised,,B,F,,,Pakistan,,", "serviceCountries"),
            ("PK-1,authorised,,B,F,,,,,https://k.example", "domains"),
            ("100%,authorised,,B,F,,,,,", "key"), (",authorised,,B,F,,,,,", "key"),
            ("PK-1,authorised,,B,F,,,,2026-02-30,", "authorisationDate"),
            ("PK-1,authorised,,B,F\u{7},,,,,", "legalName"), ("PK-1,authorised,,B,F,,,,,,x", ""),
        ])
    func refused(cells: String, column: String) throws {
        let result = try Self.row(cells)
        #expect(result.rows.isEmpty)
        #expect(result.refused.map(\.line) == [2])
        #expect(result.refused.first?.reasons.map(\.column) == [column])
        #expect(result.counts == ImportResult.Counts(read: 1, refused: 1))
    }

    @Test("an unambiguous date decides for its own column and for no other")
    func columnDecidesOrder() throws {
        let text = """
            key,status,validFrom,competentAuthority,legalName,authorisationDate,lastUpdate
            A,authorised,03/04/2026,B,F,,
            B,authorised,24/04/2026,B,F,,
            C,authorised,,B,F,04/03/2026,
            D,authorised,,B,F,03/24/2026,
            E,authorised,,B,F,,05/06/2026
            F,authorised,,B,F,,06/06/2026

            """
        let result = try Self.read(text)
        #expect(result.rows.first { $0.key == "A" }?.validFrom?.text == "2026-04-03T00:00:00+05:00")
        #expect(result.rows.first { $0.key == "C" }?.fields["authorisationDate"] == "2026-04-03")
        #expect(result.refused.map(\.key) == ["E"])
        #expect(result.rows.first { $0.key == "F" }?.fields["lastUpdate"] == "2026-06-06")
        let contradiction = try Self.read(
            "key,status,validFrom,competentAuthority,legalName\nA,authorised,24/04/2026,B,F\n"
                + "B,authorised,04/24/2026,B,F\nC,authorised,04/05/2026,B,F\n"
        )
        #expect(contradiction.refused.map(\.key) == ["C"])
    }

    @Test("every row is taken, taken with a note, or refused; a repetition is taken once")
    func accounting() throws {
        let text = """
            key,status,validFrom,competentAuthority,legalName
            A,authorised,2026-01-01,B,First

            A,authorised,2026-01-01,B,First
            A,revoked,2026-02-01,B,First
            A,authorised,2026-01-01,B,Other
            ,,,,
            C,authorised,2026-01-01,B

            """
        let result = try Self.read(text)
        #expect(result.counts == ImportResult.Counts(read: 5, asWritten: 2, withNotes: 1, refused: 2, blank: 2))
        #expect(result.rows.map(\.line) == [2, 5])
        #expect(result.repeated.map(\.line) == [4])
        #expect(result.noted.map(\.line) == [4])
        #expect(result.refused.map(\.line) == [6, 8])
        #expect(result.refused[0].reasons[0].text.contains("line 2"))
    }

    @Test("a field whose values are unique is checked across the file")
    func uniqueness() throws {
        let agreements = try #require(BuiltInRegisters.definition(named: "agreements"))
        let text = String(decoding: agreements.descriptor, as: UTF8.self)
        let parts = text.split(
            separator: "\"name\": \"summary\", \"type\": \"string\", \"title\": \"Summary\"", maxSplits: 1)
        let edited = parts.joined(
            separator:
                "\"name\": \"summary\", \"type\": \"string\", \"title\": \"S\", \"constraints\": {\"unique\": true}")
        let definition = try RegisterDefinition(descriptor: Array(edited.utf8))
        let file =
            "key,status,agreement,title,kind,parties,summary\n"
            + "a,draft,a,T,other,P,same\nb,draft,b,T,other,P,same\nc,draft,c,T,other,P,\n"
        let result = try RegisterImport(into: definition, zone: .utc).read(Array(file.utf8))
        #expect(result.refused.map(\.key) == ["b"])
        #expect(result.rows.map(\.key) == ["a", "c"])
    }

    @Test("numbers")
    func numbers() throws {
        func amount(_ text: String) throws -> JSONValue? {
            let file = "key;status;holder;account;amount;asOf\nH/A;held;H;A;\(text);2025-07-31\n"
            return try Self.read(file, into: "bitcoin-reserves").rows.first?.fields["amount"]
        }
        #expect(try amount("623800000000") == 623_800_000_000)
        #expect(try amount("623,800,000,000") == 623_800_000_000)
        #expect(try amount("623 800 000 000") == 623_800_000_000)
        #expect(try amount("+7") == 7)
        for text in [
            "6,238", "6.238", "6238 BTC", "-1", "1e9", "0x10", "", "99999999999999999999", "1,23,456", "1,,000,000",
        ] {
            #expect(try amount(text) == nil, "\(text)")
        }
        func megawatts(_ text: String) throws -> JSONValue? {
            let file = "key;status;project;megawatts\nP;proposed;P;\(text)\n"
            return try Self.read(file, into: "mining-allocations").rows.first?.fields["megawatts"]
        }
        #expect(try megawatts("120.5") == .number("120.5"))
        #expect(try megawatts("2000") == 2_000)
        for text in ["120,5", ".5", "5.", "1.2.3", "00.5", "1e3", "NaN", "-1.5"] {
            #expect(try megawatts(text) == nil, "\(text)")
        }
    }

    @Test("headers: order is free, names are not, titles are read")
    func headers() throws {
        #expect(try Self.read("legalName,status,competentAuthority,key\nF,authorised,B,A\n").counts.asWritten == 1)
        #expect(try Self.read("Legal name,Status,Competent authority,KEY\nF,authorised,B,A\n").counts.asWritten == 1)
        #expect(try Self.read("key,status,competentAuthority,legalName,,\nA,authorised,B,F,,\n").counts.asWritten == 1)
        let extra = try Self.read("key,status,competentAuthority,legalName,\nA,authorised,B,F,x\n")
        #expect(extra.counts.refused == 1)
        for header in [
            "key,status,competentAuthority", "key,competentAuthority,legalName",
            "key,key,status,competentAuthority,legalName",
            "key,status,competentAuthority,legalName,colour", "x", "key,Legal name,legalName,status,competentAuthority",
            "\u{1},\u{2}",
        ] {
            let error = try #require(throws: ImportError.self) { try Self.read("\(header)\nA,B,C,D,E\n") }
            #expect(error.code == .header, "\(header)")
            #expect(error.line == 1)
        }
        #expect(throws: ImportError.self) { try Self.read("status,competentAuthority\nwarned,B\n", into: "warnings") }
    }

    @Test("the template of every register imports as an empty file")
    func templates() throws {
        for definition in BuiltInRegisters.all {
            let result = try Self.read(definition.template, into: definition.name)
            #expect(result.counts == ImportResult.Counts())
            #expect(result.layout == .own)
        }
    }

    @Test("right-to-left and combining text passes through to the byte")
    func unicode() throws {
        let name = "قراقرم ایکسچینج (پرائیویٹ) e\u{301}"
        let row = try Self.only("PK-1,authorised,,بینک دولت,\(name),,,,,")
        #expect(row.fields["legalName"]?.string.map { Array($0.utf8) } == Array(name.utf8))
        #expect(row.notes.isEmpty)
    }
}

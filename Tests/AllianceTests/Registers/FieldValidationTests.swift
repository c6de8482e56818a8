import Testing

@testable import Alliance

@Suite("Field validation")
struct FieldValidationTests {
    private static let licence: JSONObject = [
        "competentAuthority": "Bank of Samples", "legalName": "Indus Custody Ltd", "services": ["a", "c"],
        "authorisationDate": "2026-11-24",
    ]

    private static func problems(
        _ changes: [(String, JSONValue?)], in register: String = "vasp-licences"
    ) throws
        -> [String]
    {
        var fields = licence
        for (name, value) in changes { fields[name] = value }
        return try #require(BuiltInRegisters.definition(named: register)).problems(in: fields).map(\.field)
    }

    @Test("a valid row has no problems")
    func valid() throws { #expect(try Self.problems([]) == []) }

    @Test("every kind of breach is named by its field")
    func breaches() throws {
        let cases: [(String, JSONValue?)] = [
            ("legalName", nil), ("legalName", ""), ("legalName", .null), ("legalName", 7), ("homeCountry", "pk"),
            ("homeCountry", "PAK"), ("lei", "529900032TYR45XIEW78"), ("lei", "529900032tyr45xiew79"),
            ("authorisationDate", "24/11/2026"), ("authorisationDate", "2026-02-30"), ("services", "a"),
            ("services", []),
            ("services", ["a", "k"]), ("services", [1]), ("services", ["a|c"]), ("domains", ["Example.com"]),
            ("domains", ["https://example.com"]), ("colour", "red"),
            ("licenceNumber", .string(String(repeating: "x", count: 201))),
        ]
        for (name, value) in cases {
            #expect(try Self.problems([(name, value)]) == [name], "\(name) \(String(describing: value))")
        }
        #expect(
            try Self.problems([("legalName", nil), ("homeCountry", "x"), ("zzz", 1)]) == [
                "zzz", "homeCountry", "legalName",
            ])
    }

    @Test("a row too long for one entry is refused")
    func tooLong() throws {
        #expect(try Self.problems([("comments", .string(String(repeating: "x", count: 39_000)))]) == [])
        #expect(try Self.problems([("comments", .string(String(repeating: "x", count: 40_000)))]).count == 1)
    }

    @Test("numbers, URIs and digests of erasable fields")
    func otherKinds() throws {
        let reserves = try #require(BuiltInRegisters.definition(named: "bitcoin-reserves"))
        func reserve(_ amount: JSONValue) -> [String] {
            reserves.problems(in: ["holder": "H", "account": "A", "amount": amount, "asOf": "2025-07-31"]).map(\.field)
        }
        #expect(reserve(623_800_000_000) == [])
        #expect(reserve(0) == [])
        #expect(reserve(-1) == ["amount"])
        #expect(reserve(2_100_000_000_000_001) == ["amount"])
        #expect(reserve(.number("1.5")) == ["amount"])
        #expect(reserve("5") == ["amount"])
        let mining = try #require(BuiltInRegisters.definition(named: "mining-allocations"))
        #expect(mining.problems(in: ["project": "P", "megawatts": .number("120.5")]).isEmpty)
        #expect(mining.problems(in: ["project": "P", "megawatts": .number("1e999")]).count == 1)
        let authorities = try #require(BuiltInRegisters.definition(named: "authorities"))
        func website(_ text: String) -> Bool {
            authorities.problems(in: ["authority": "A", "name": "N", "country": "PK", "website": .string(text)]).isEmpty
        }
        #expect(website("https://example.com/a?b=c#d"))
        for text in ["example.com", "https://exa mple.com", "1a:b", "https:", ":x", "java script:x"] {
            #expect(!website(text))
        }
        let warnings = try #require(BuiltInRegisters.definition(named: "warnings"))
        let digest: JSONValue = ["sha256": "abc"]
        #expect(warnings.problems(in: ["competentAuthority": "A", "persons": digest]).isEmpty)
        #expect(warnings.problems(in: ["competentAuthority": "A", "reason": digest]).count == 1)
    }

    @Test(
        "patterns match whole texts",
        arguments: [
            ("[A-Z]{2}", ["PK", "SV"], ["P", "PKS", "pk", ""]), ("a|bc|", ["a", "bc", ""], ["abc", "b"]),
            ("(ab)*c+", ["c", "ababcc"], ["ab", "abab", "aabc"]), ("[^0-9]+", ["abc", "é"], ["a1", ""]),
            ("\\d{2,3}", ["12", "123"], ["1", "1234"]), ("\\d{2,}", ["12", "12345"], ["1"]),
            ("a\\.b", ["a.b"], ["axb"]),
            ("[a-z_-]+", ["a-b_c"], ["A"]), (".", ["x", "é", "\u{10041}"], ["", "xy", "\n"]),
            ("[\\]\\-]", ["]", "-"], ["a"]),
            ("(?:x|y)?z", ["z", "xz", "yz"], ["xyz"]), ("\\w+\\s\\w+", ["a b"], ["ab"]),
        ])
    func patterns(source: String, matching: [String], others: [String]) throws {
        let pattern = try FieldPattern(source)
        for text in matching { #expect(pattern.matches(text), "\(source) \(text)") }
        for text in others { #expect(!pattern.matches(text), "\(source) \(text)") }
    }

    @Test(
        "patterns that are none, or too large, are refused",
        arguments: [
            "", "(", ")", "[", "[]", "a**", "*a", "^a$", "\\", "\\q", "\\1", "(?=a)", "a{2", "a{3,2}", "a{600}",
            "(a{30}){30}", "[z-a]",
            "[[:alpha:]]", "a{,2}",
        ])
    func badPatterns(source: String) { #expect(throws: RegisterError.self) { try FieldPattern(source) } }

    @Test("a pattern that would stop a backtracking matcher takes linear time")
    func linearTime() throws {
        let pattern = try FieldPattern("(a+)+b|(a|a)*c|(a?){30}a{30}d")
        let text = String(repeating: "a", count: 2_000)
        #expect(!pattern.matches(text))
        #expect(pattern.matches(text + "b"))
    }
}

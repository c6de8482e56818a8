import Testing

@testable import Alliance

@Suite("Register definitions")
struct RegisterDefinitionTests {
    private static func text(of name: String) throws -> String {
        String(decoding: try #require(BuiltInRegisters.definition(named: name)).descriptor, as: UTF8.self)
    }

    /// The built-in `agreements` with one text replaced, read again.
    private static func read(replacing old: String, with new: String, in name: String = "agreements") throws {
        let text = try text(of: name)
        let bytes = Array(text.utf8)
        let wanted = Array(old.utf8)
        let position = try #require((0...bytes.count - wanted.count).first { bytes[$0...].starts(with: wanted) })
        let changed = bytes[..<position] + Array(new.utf8) + bytes[(position + wanted.count)...]
        _ = try RegisterDefinition(descriptor: Array(changed))
    }

    @Test("all nine are there, sorted, with their envelope and UTF-8 text that ends in a line end")
    func allThere() throws {
        let names = [
            "agreements", "authorities", "bitcoin-reserves", "cbdc-pilots", "mining-allocations", "recognitions",
            "token-white-papers", "vasp-licences", "warnings",
        ]
        #expect(BuiltInRegisters.all.map(\.name) == names)
        for definition in BuiltInRegisters.all {
            #expect(definition.version == 1)
            #expect(definition.descriptor.last == 0x0A)
            #expect(definition.descriptor.count < 12_288)
            #expect(definition.columns.prefix(4) == ["key", "status", "validFrom", "validUntil"])
            #expect(String(decoding: definition.template, as: UTF8.self).hasPrefix("key,status,validFrom,validUntil,"))
        }
        #expect(BuiltInRegisters.definition(named: "taxes") == nil)
    }

    @Test("their bytes never change: charters list these digests")
    func digests() {
        let digests = [
            "agreements": "b4b082552341f8466fb0e0aba56f18cf242b1daf4cc205f7e97067cb79718550",
            "authorities": "ade47172d936e61b172b282cccdb3b56060d2c621a1551a4b7d7b488c6b3881e",
            "bitcoin-reserves": "3fea5814f54ff7f5b973672b076eb89fc8083366d125fe9297af197475d775b4",
            "cbdc-pilots": "5096065322a375a50060249f7ed23f61da3cf4109232acb33b2a214398932013",
            "mining-allocations": "8ab6cca6f2f3a21fae26594af945f5a5e0de8b97299695938db1b6a3021f1bdc",
            "recognitions": "2dd167816246237e2805aa743841ed417fe551c5118ed85b024d20435441c3f5",
            "token-white-papers": "5ffc752b11bf9268b3ad9f937afe20794b26c46da4b4383680db093a026e93e0",
            "vasp-licences": "057c86f3d0bd1f944656375b6600db23619acbd4424e9854f1fbdb934df708b4",
            "warnings": "d6dd0d778da4dd27f6ce7c11fbc996a92bd4b72d26a1c3780432d9347b0bbe69",
        ]
        #expect(
            ReferenceSHA256.hex(Array("abc".utf8)).hasPrefix(
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        for definition in BuiltInRegisters.all {
            #expect(ReferenceSHA256.hex(definition.descriptor) == digests[definition.name], "\(definition.name)")
        }
    }

    @Test("the vocabulary says what permits business and how restrictive it is")
    func statuses() throws {
        let licences = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        #expect(
            licences.statuses.map(\.name) == [
                "authorised", "conditional", "no-objection", "suspended", "expired", "revoked",
            ])
        #expect(licences.permitsBusiness("authorised") == true)
        #expect(licences.permitsBusiness("conditional") == true)
        for status in ["no-objection", "suspended", "expired", "revoked"] {
            #expect(licences.permitsBusiness(status) == false)
        }
        #expect(licences.permitsBusiness("Authorised") == nil)
        #expect(licences.restrictiveness(of: "authorised") == 0)
        #expect(licences.restrictiveness(of: "revoked") == 5)
        #expect(licences.restrictiveness(of: "vanished") == 6)
        let warnings = try #require(BuiltInRegisters.definition(named: "warnings"))
        #expect(warnings.statuses.allSatisfy { !$0.permitsBusiness })
        #expect(warnings.erasable == ["persons"])
        let papers = try #require(BuiltInRegisters.definition(named: "token-white-papers"))
        #expect(papers.statuses.map(\.permitsBusiness) == [true, true, false])
        for name in [
            "bitcoin-reserves", "mining-allocations", "cbdc-pilots", "agreements", "authorities", "recognitions",
        ] {
            #expect(BuiltInRegisters.definition(named: name)?.statuses.contains { $0.permitsBusiness } == false)
        }
    }

    @Test("lookups give canonical values, each once")
    func lookups() throws {
        let licences = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        #expect(licences.lookups.map(\.field) == ["lei", "domains"])
        let fields: JSONObject = [
            "lei": "529900032TYR45XIEW79",
            "domains": ["www.example.com", "example.com", "Example.com", "example.com", "not a domain"],
        ]
        #expect(licences.lookupValues(licences.lookups[0], in: fields) == ["529900032TYR45XIEW79"])
        #expect(licences.lookupValues(licences.lookups[1], in: fields) == ["www.example.com", "example.com"])
        #expect(licences.lookupValues(licences.lookups[0], in: ["lei": "529900032tyr45xiew79"]) == [])
        #expect(licences.lookupValues(licences.lookups[0], in: [:]) == [])
    }

    @Test("a successor keeps key form and lookups and has a higher version")
    func successors() throws {
        let licences = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        func edited(_ edits: [(String, String)]) throws -> RegisterDefinition {
            var text = try Self.text(of: "vasp-licences")
            for (old, new) in edits {
                let parts = text.split(separator: old, maxSplits: 1).map(String.init)
                try #require(parts.count == 2)
                text = parts[0] + new + parts[1]
            }
            return try RegisterDefinition(descriptor: Array(text.utf8))
        }
        let next = ("\"version\": 1", "\"version\": 2")
        #expect(try edited([next]).isCompatibleSuccessor(of: licences))
        #expect(try edited([next, ("\"title\": \"Key\"", "\"title\": \"Clave\"")]).isCompatibleSuccessor(of: licences))
        #expect(try edited([("\"language\": \"en\"", "\"language\": \"en\", \"editors\": {\"es\": {}}")]) != licences)
        #expect(!licences.isCompatibleSuccessor(of: licences))
        let lookup = (
            "{\"field\": \"lei\", \"form\": \"lei\"}, {\"field\": \"domains\"", "{\"field\": \"domains\""
        )
        #expect(try !edited([next, lookup]).isCompatibleSuccessor(of: licences))
        let key = ("[{\"field\": \"licenceNumber\", \"form\": \"exact\"}],", "")
        #expect(try !edited([next, key]).isCompatibleSuccessor(of: licences))
    }

    @Test(
        "whatever is not a consistent definition is refused",
        arguments: [
            ("\"version\": 1", "\"version\": 0", "version"), ("\"version\": 1", "\"version\": \"1\"", "version"),
            ("\"name\": \"agreements\"", "\"name\": \"Agreements\"", "name"),
            ("\"name\": \"agreements\"", "\"name\": \"\"", "name"),
            ("\"name\": \"status\"", "\"name\": \"state\"", "fields[1]"),
            (
                "\"enum\": [\"draft\", \"letter-of-intent\", \"signed\", ", "\"enum\": [\"draft\", \"signed\", ",
                "fields[1]"
            ),
            ("\"name\": \"summary\"", "\"name\": \"title\"", "fields[10].name"),
            ("\"name\": \"summary\"", "\"name\": \"9\"", "fields[10].name"),
            (
                "\"name\": \"summary\", \"type\": \"string\"", "\"name\": \"summary\", \"type\": \"text\"",
                "fields[10].type"
            ),
            ("\"delimiter\": \"|\"", "\"delimiter\": \",\"", "fields[7].type"),
            ("\"primaryKey\": [\"key\", \"validFrom\"]", "\"primaryKey\": [\"key\"]", "primaryKey"),
            ("\"missingValues\": [\"\"]", "\"missingValues\": [\"-\"]", "missingValues"),
            (
                "\"form\": \"exact\", \"field\": \"agreement\"", "\"form\": \"exact\", \"field\": \"parties\"",
                "entente.key.field"
            ),
            ("\"form\": \"exact\", \"field\": \"agreement\"", "\"form\": \"vague\"", "entente.key.form"),
            (
                "\"lookups\": []", "\"lookups\": [{\"field\": \"treaty\", \"form\": \"exact\"}]",
                "entente.lookups[0].field"
            ),
            ("\"lookups\": []", "\"lookups\": {}", "entente.lookups"),
            ("\"erasable\": []", "\"erasable\": [\"treaty\"]", "entente.erasable"),
            ("\"erasable\": []", "\"erasable\": [\"agreement\"]", "entente.key.field"),
            ("\"erasable\": []", "\"erasable\": [], \"merge\": 1", "entente.merge"),
            ("\"permitsBusiness\": false", "\"permitsBusiness\": \"no\"", "entente.statuses[0].permitsBusiness"),
            ("\"language\": \"en\"", "\"language\": \"English\"", "language"),
            ("\"titles\": {\"es\": \"Clave\"", "\"titles\": {\"es\": 1", "fields[0].titles.es"),
            ("\"titles\": {\"es\": \"Clave\"", "\"titles\": {\"Spanish language\": \"Clave\"", "fields[0].titles"),
            ("\"titles\": {\"es\": \"Acuerdos\", ", "\"titles\": {\"es\": \"\", ", "titles.es"),
            ("\"titles\": {\"es\": \"Borrador\"", "\"title\": {\"es\": \"Borrador\"", ""),
            ("{\"required\": true}", "{\"required\": true, \"colour\": 1}", "fields[0].constraints.colour"),
        ])
    func refusals(old: String, new: String, place: String) throws {
        let error = try #require(throws: RegisterError.self) { try Self.read(replacing: old, with: new) }
        #expect(error.place == place, "\(error)")
    }

    @Test("the line of an error is that of the member at fault, or of what is around a member that is missing")
    func lines() throws {
        let text = try Self.text(of: "agreements")
        func line(_ old: String, _ new: String) throws -> Int {
            let parts = text.split(separator: old, maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            try #require(parts.count == 2)
            let bytes = Array((parts[0] + new + parts[1]).utf8)
            let error = try #require(throws: RegisterError.self) { try RegisterDefinition(descriptor: bytes) }
            return error.line(in: bytes)
        }
        #expect(try line("\"version\": 1", "\"version\": 0") == 4)
        #expect(try line("\"version\": 1", "\"version\": 1,,") == 4)
        #expect(try line("\"language\": \"en\"", "\"language\": \"\"") == 8)
        let status = try #require(text.split(separator: "\n").firstIndex { $0.contains("\"Borrador\"") }) + 1
        #expect(try line("{\"es\": \"Borrador\"", "{\"es\": 1") == status)
        #expect(try line("  \"primaryKey\": [\"key\", \"validFrom\"],\n", "") == 1)
    }

    @Test("every label of the built-in registers stands in English, Spanish and Urdu")
    func languages() throws {
        for definition in BuiltInRegisters.all {
            #expect(definition.languages == ["en", "es", "ur"], "\(definition.name)")
            let fields = definition.envelopeFields + definition.fields
            let labels = [definition.label] + fields.map(\.label) + definition.statuses.map(\.label)
            for label in labels {
                #expect(label.translations.map(\.language) == ["es", "ur"], "\(definition.name): \(label.text)")
                let urdu = label.text(in: "ur-PK")
                #expect(urdu.unicodeScalars.contains { (0x600...0x6FF).contains($0.value) }, "\(label.text)")
                #expect(label.text(in: "ES") == label.translations[0].text)
                #expect(label.text(in: "pt") == label.text)
            }
        }
    }

    @Test("an erasable field cannot be looked up, and limits hold")
    func limits() throws {
        #expect(throws: RegisterError.self) {
            try Self.read(replacing: "\"erasable\": [\"persons\"]", with: "\"erasable\": [\"lei\"]", in: "warnings")
        }
        let long = String(repeating: "x", count: RegisterLimits.descriptorBytes)
        let error = try #require(throws: RegisterError.self) {
            try Self.read(replacing: "\"language\": \"en\"", with: "\"language\": \"\(long)\"")
        }
        #expect(error.code == .limit)
        for nonsense in ["", "{", "[]", "null", "{}", "\u{FEFF}{}", "{\"name\":\"x\",\"name\":\"y\"}"] {
            #expect(throws: RegisterError.self) { try RegisterDefinition(descriptor: Array(nonsense.utf8)) }
        }
    }

    @Test("no byte of a definition can be lost or flipped without an error or another definition")
    func damaged() throws {
        let definition = try #require(BuiltInRegisters.definition(named: "cbdc-pilots"))
        for position in stride(from: 0, to: definition.descriptor.count, by: 7) {
            var bytes = definition.descriptor
            bytes[position] ^= 0x10
            if let other = try? RegisterDefinition(descriptor: bytes) { #expect(other != definition) }
            _ = try? RegisterDefinition(descriptor: Array(definition.descriptor.prefix(position)))
        }
    }
}

/// SHA-256 (FIPS 180-4), slow and literal, so that the digests above do not depend on the code under test.
enum ReferenceSHA256 {
    static func hex(_ message: [UInt8]) -> String {
        let primes = (2...311).filter { n in !(2..<n).contains { $0 * $0 <= n && n % $0 == 0 } }
        func fraction(_ root: Double) -> UInt32 { UInt32((root - root.rounded(.down)) * 4_294_967_296) }
        func cubeRoot(_ n: Int) -> Double {
            var x = Double(n) / 2
            for _ in 0..<60 { x -= (x * x * x - Double(n)) / (3 * x * x) }
            return x
        }
        let k = primes.map { fraction(cubeRoot($0)) }
        var h = primes.prefix(8).map { fraction(Double($0).squareRoot()) }
        var padded = message + [0x80]
        while padded.count % 64 != 56 { padded.append(0) }
        padded += (0..<8).map { UInt8(truncatingIfNeeded: (message.count * 8) >> (56 - 8 * $0)) }
        func rotate(_ x: UInt32, _ n: UInt32) -> UInt32 { x >> n | x << (32 - n) }
        for block in stride(from: 0, to: padded.count, by: 64) {
            var w = (0..<16).map { i in (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[block + i * 4 + $1]) } }
            for i in 16..<64 {
                let s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3
                let s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10
                w.append(w[i - 16] &+ s0 &+ w[i - 7] &+ s1)
            }
            var v = h
            for i in 0..<64 {
                let s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)
                let first = v[7] &+ s1 &+ (v[4] & v[5] ^ ~v[4] & v[6]) &+ k[i] &+ w[i]
                let s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)
                let second = s0 &+ (v[0] & v[1] ^ v[0] & v[2] ^ v[1] & v[2])
                v = [first &+ second, v[0], v[1], v[2], v[3] &+ first, v[4], v[5], v[6]]
            }
            for i in 0..<8 { h[i] = h[i] &+ v[i] }
        }
        return h.map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 8 - text.count) + text
        }.joined()
    }
}

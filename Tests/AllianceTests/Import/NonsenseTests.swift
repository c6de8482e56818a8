import Testing

@testable import Alliance

@Suite("Nonsense")
struct NonsenseTests {
    @Test("whatever stands in a file, an import ends with rows, refusals or one clear line")
    func mutations() throws {
        var generator = SeededGenerator(state: 5)
        let clean = SampleCASPFile.file((1...4).map { SampleCASPFile.row($0, [10: $0 == 2 ? "01/03/2026" : ""]) })
        for _ in 0..<3_000 {
            var bytes = clean
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let position = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: position)
                case 2:
                    bytes.insert([0x22, 0x2C, 0x0A, 0x7C, 0x25, 0x2F].randomElement(using: &generator)!, at: position)
                default: bytes.removeSubrange(position..<min(bytes.count, position + 30))
                }
            }
            do {
                let result = try SampleCASPFile.read(bytes: bytes)
                #expect(result.counts.read == result.counts.asWritten + result.counts.withNotes + result.counts.refused)
                let definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
                for row in result.rows {
                    #expect(definition.keyForm.isCanonical(row.key))
                    #expect(definition.status(row.status) != nil)
                    #expect(definition.problems(in: row.fields).isEmpty)
                }
                #expect(result.refused.allSatisfy { !$0.reasons.isEmpty })
            } catch let error as ImportError {
                #expect(!error.reason.isEmpty && !error.description.utf8.contains(0x0A))
            }
        }
    }

    @Test("random bytes into every register")
    func noise() throws {
        var generator = SeededGenerator(state: 9)
        for definition in BuiltInRegisters.all {
            let reader = RegisterImport(into: definition, zone: .utc)
            for _ in 0..<200 {
                let noise = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                #expect(throws: ImportError.self) { try reader.read(noise) }
                _ = try? reader.read(definition.template + noise)
            }
        }
    }

    @Test("long values stay within their limits")
    func long() throws {
        let name = String(repeating: "ا", count: 15_000)
        let result = try OwnLayoutTests.read(
            "key,status,competentAuthority,legalName\nA,authorised,B,\(name)\nB,authorised,B,\(name)\(name)\n")
        #expect(result.rows.map(\.key) == ["A"])
        #expect(result.refused.map(\.key) == ["B"])
        let key = String(repeating: "k", count: 1_025)
        #expect(
            try OwnLayoutTests.read("key,status,competentAuthority,legalName\n\(key),authorised,B,F\n").counts.refused
                == 1)
    }

    @Test("a large file is read in a few seconds even without optimisation")
    func large() throws {
        var bytes = Array("key,status,validFrom,competentAuthority,legalName,lei,services\n".utf8)
        for number in 0..<20_000 {
            bytes += Array("PK-\(number),authorised,2026-01-01,Bank,Firm \(number) Ltd,,a|c\n".utf8)
        }
        let result = try OwnLayoutTests.read(bytes, into: "vasp-licences")
        #expect(result.counts.asWritten == 20_000)
    }
}

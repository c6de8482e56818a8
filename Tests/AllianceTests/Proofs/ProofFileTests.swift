import Foundation
import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// The file's form, and what damage to it can do: never a good proof of something else.
@Suite("Proof files: form and damage")
struct ProofFileTests {
    let alliance: TestAlliance
    var log: MemoryLog
    static let start = TestAlliance.start

    init() throws {
        alliance = try TestAlliance()
        log = try alliance.log()
        // A small roster makes a small file.
        let all = Set(StatementKind.allCases).subtracting([.roster])
        let officer = Officer(
            name: "ayesha", key: try TestKey.signingKey("pk officer ayesha"), kinds: all, registers: nil)
        try log.begin(roster: Roster(officers: [officer], nodes: []))
    }

    private mutating func proofs() throws -> [ProofFile] {
        let licence = try log.licence("PK-1", lei: RowTests.lei)
        let gone = try log.licence("PK-2")
        try log.publish([licence, gone])
        let first = try log.note(cosigned: [("sv", Self.start + 1), ("us", Self.start + 2)])
        try log.publish([try log.retraction(of: [(gone, "PK-2")])])
        return [
            try log.proof("PK-1", on: Self.start + 9, first: first), try log.proof("PK-2"), try log.proof("PK-3"),
        ]
    }

    @Test("The members stand in their order, the claim first, and the file is small")
    mutating func order() throws {
        let proof = try proofs()[0]
        let bytes = proof.encoded()
        #expect(bytes.count < 8 << 10 && bytes.last == 0x0A)
        let names = try JSONValue.parse(bytes).object?.names
        #expect(
            names == [
                "claim", "entente-proof", "question", "charter", "rosters", "statements", "row", "definition", "state",
                "log", "first",
            ])
        #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("{\n  \"claim\": \"UNVERIFIED: "))
        #expect(try ProofFile(parsing: bytes) == proof)
    }

    @Test("A foreign tool finds a tlog-proof in it")
    mutating func tlogProof() throws {
        let value = try JSONValue.parse(try proofs()[0].encoded())
        let text = try #require(value["log"]?.string)
        let proof = try TLogProof(parsing: Array(text.utf8))
        let leaf = MerkleTree.leafHash(Array(try #require(value["state"]?.string).utf8))
        let policy = try TLogPolicy(charter: alliance.charter.charter, owner: log.member.id)
        #expect(try proof.verify(leaf: leaf, policy: policy).cosigners.count == 2)
    }

    @Test("Another order, other spaces, unknown or missing members, other versions: refused")
    mutating func strict() throws {
        let bytes = try proofs()[0].encoded()
        let value = try JSONValue.parse(bytes)
        let object = try #require(value.object)
        func refused(_ value: JSONValue, at location: SourceLocation = #_sourceLocation) {
            #expect(throws: AllianceError.self, sourceLocation: location) {
                try ProofFile(parsing: value.encodedForReading())
            }
        }
        #expect(throws: AllianceError.self) { try ProofFile(parsing: value.encoded()) }
        #expect(throws: AllianceError.self) { try ProofFile(parsing: bytes + [0x0A]) }
        #expect(throws: AllianceError.self) { try ProofFile(parsing: [0x20] + bytes) }
        #expect(throws: AllianceError.self) { try ProofFile(parsing: [0xEF, 0xBB, 0xBF] + bytes) }
        refused(.object(JSONObject(object.members.reversed().map { ($0.name, $0.value) })))
        for name in object.names where name != "first" {
            var without = object
            without[name] = nil
            if name == "row" || name == "definition" {
                // These may be missing from a file, but then the proof is bad.
                let proof = try ProofFile(parsing: JSONValue.object(without).encodedForReading())
                #expect(proof.report(alliance.charter).conclusion == .bad)
            } else {
                refused(.object(without))
            }
        }
        var changes: [(String, JSONValue)] = [
            ("more", 1), ("entente-proof", 2), ("entente-proof", "1"), ("claim", "Pakistan says yes"), ("claim", ""),
            ("rosters", [1]), ("rosters", [:]), ("statements", .array(Array(repeating: 1, count: 1_025))), ("row", ""),
            ("row", "AB=="), ("row", "AAEBAAA"), ("state", "x"), ("log", "x"), ("first", "x"), ("question", [:]),
            ("charter", ["version": 0, "digest": .string(HashValue.zero.base64url)]), ("definition", [:]),
            ("definition", ["builtIn": "x"]),
            ("definition", ["builtIn": .string(HashValue.zero.base64url), "more": 1]),
        ]
        for register in ["@rosters", "@declarations", "A", "vasp-licences/lei", ""] {
            var question = try #require(object["question"]?.object)
            question["register"] = .string(register)
            changes.append(("question", .object(question)))
        }
        for (name, new) in changes {
            var changed = object
            changed[name] = new
            refused(.object(changed))
        }
        let extra = String(decoding: bytes, as: UTF8.self).replacing("\\nindex ", with: "\\nextra AA==\\nindex ")
        #expect(throws: AllianceError.self) { try ProofFile(parsing: Array(extra.utf8)) }
        let huge = [UInt8](repeating: 0x20, count: ProofFile.byteLimit + 1)
        #expect(#expect(throws: AllianceError.self) { try ProofFile(parsing: huge) }?.code == .limit)
    }

    @Test("Cut off anywhere: refused")
    mutating func truncated() throws {
        let bytes = try proofs()[0].encoded()
        for count in stride(from: 0, to: bytes.count, by: 3) {
            #expect(throws: AllianceError.self) { try ProofFile(parsing: Array(bytes[..<count])) }
        }
    }

    @Test("Every byte changed: refused, or not good, or nothing but the claim is other", arguments: [0, 1, 2])
    mutating func everyByte(which: Int) throws {
        let proof = try proofs()[which]
        let bytes = proof.encoded()
        let good = proof.report(alliance.charter)
        #expect(good.conclusion == .good)
        var random = SplitMix(seed: UInt64(which))
        var read = 0
        for position in stride(from: which, to: bytes.count, by: which == 0 ? 1 : 3) {
            var changed = bytes
            changed[position] ^= position % 2 == 0 ? 1 : 1 << UInt8.random(in: 1..<8, using: &random)
            guard let other = try? ProofFile(parsing: changed) else { continue }
            read += 1
            check(other, against: proof, good)
        }
        #expect(read > bytes.count / 20)
    }

    @Test("Two parts of it changed at once, cut out or doubled: the same", arguments: 0..<6)
    mutating func randomDamage(seed: Int) throws {
        let proof = try proofs()[seed % 3]
        let bytes = proof.encoded()
        let good = proof.report(alliance.charter)
        var random = SplitMix(seed: UInt64(seed) &+ 77)
        for _ in 0..<300 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let start = Int.random(in: 0..<changed.count, using: &random)
                let end = min(changed.count, start + Int.random(in: 0...40, using: &random))
                switch Int.random(in: 0..<4, using: &random) {
                case 0: changed.removeSubrange(start..<end)
                case 1: changed.insert(contentsOf: changed[start..<end], at: start)
                case 2: changed[start] = UInt8.random(in: 0...255, using: &random)
                default:
                    let other = Int.random(in: 0..<changed.count, using: &random)
                    changed.swapAt(start, other)
                }
                if changed.isEmpty { changed = [0x7B] }
            }
            guard changed != bytes, let other = try? ProofFile(parsing: changed) else { continue }
            check(other, against: proof, good)
        }
    }

    /// A partner who knows what was asked, and gets a damaged file.
    private func check(_ other: ProofFile, against proof: ProofFile, _ good: VerificationReport) {
        let asked = VerificationOptions.Asked(member: "pk", map: proof.question.map, key: proof.question.key)
        let report = other.report(alliance.charter, .init(on: proof.question.on, asked: asked))
        _ = report.text(allChecks: true)
        guard report.conclusion == .good else { return }
        // Only the claim, and the date that the file's question names, are nobody's word.
        let question = other.question
        let dated = ProofQuestion(
            alliance: question.alliance, member: question.member, register: question.register, field: question.field,
            key: question.key, on: proof.question.on)
        let same = ProofFile(changing: other, claim: proof.claim, question: dated)
        #expect(same == proof)
        if question.on == proof.question.on { #expect(report.answer?.json == good.answer?.json) }
    }

    @Test("Nonsense is refused and never traps")
    func nonsense() throws {
        var random = SplitMix(seed: 5)
        for length in [0, 1, 2, 10, 1_000] {
            for _ in 0..<50 {
                let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
                #expect(throws: AllianceError.self) { try ProofFile(parsing: bytes) }
            }
        }
        for text in ["{}", "[]", "null", "1", "{\"entente-proof\":1}", "c2sp.org/tlog-proof@v1\n", "PK\u{3}\u{4}"] {
            #expect(throws: AllianceError.self) { try ProofFile(parsing: Array(text.utf8)) }
        }
    }

    @Test("Expectations read and write themselves")
    func expectations() throws {
        for text in [
            "business", "present", "none-in-force", "retracted", "no-longer-stated", "not-stated", "authorised",
            "no-objection",
        ] { #expect(try ProofExpectation(parsing: text).name == text) }
        for text in ["", "Authorised", "not stated", "a/b", "pk.x"] {
            #expect(throws: AllianceError.self) { try ProofExpectation(parsing: text) }
        }
    }
}

import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// Every reason for which an entry does not count is reached here.
@Suite("Verdicts")
struct VerdictTests {
    let alliance: TestAlliance
    var log: MemoryLog

    init() throws {
        alliance = try TestAlliance()
        log = try alliance.log()
        try log.begin()
    }

    /// Publishes entries in one batch and gives the verdict of the first; also what another node finds is the same.
    private mutating func verdict(_ entries: [[UInt8]]) throws -> Verdict {
        var other = log
        let outcome = try log.publish(entries)
        let received = try other.receive(entries + [outcome.leaf.bytes])
        #expect(received.verdicts == outcome.verdicts)
        #expect(other.state.end == nil && other.rows == log.rows)
        return try #require(outcome.verdicts.first)
    }

    private mutating func expect(
        _ reason: Verdict.Reason, _ entries: [UInt8]..., at location: SourceLocation = #_sourceLocation
    ) throws {
        let rows = log.rows
        let verdict = try verdict(entries)
        #expect(verdict == .ignored(reason), sourceLocation: location)
        if entries.count == 1 { #expect(log.rows == rows, sourceLocation: location) }
        #expect(!reason.text.isEmpty)
    }

    @Test("Not well formed, and of a kind not known")
    mutating func malformed() throws {
        try expect(.malformed, [])
        try expect(.malformed, Array("hello".utf8))
        try expect(.malformed, Array("entente/state/v9\n".utf8))
        // A state leaf in the middle of a batch ends nothing.
        try expect(.malformed, log.entries[log.entries.count - 1])
        let payload = JSONValue.object(["iss": "x"]).encoded()
        try expect(
            .unknownKind,
            try JWS.compact(type: "entente-future+jwt", payload: payload, signer: TestAlliance.officer("ayesha")))
        let descriptor = Array("{}".utf8)
        try expect(
            .malformed,
            try log.context().definition(name: "pk.notes", version: 1, descriptor: descriptor)
                .signed(by: TestAlliance.officer("ayesha")))
    }

    @Test("Of another alliance or member")
    mutating func others() throws {
        let foreign = DraftContext(member: TestAlliance.id("pk"), alliance: HashValue.sha256("x"), issuedAt: 1)
        try expect(
            .otherAlliance,
            try foreign.attestation(
                register: "vasp-licences", key: "PK-1", status: "authorised", validFrom: Timestamp(seconds: 0),
                fields: [:]
            ).signed(by: TestAlliance.officer("ayesha")))
        var sv = try alliance.log(of: "sv")
        try sv.begin()
        try expect(.otherMember, try sv.licence("SV-1"))
        try expect(.otherMember, sv.entries[0])
    }

    @Test("A key that was not in force: unknown, of another name's holder, revoked")
    mutating func notInForce() throws {
        try expect(.notInForce, try log.licence("PK-1", by: "nobody"))
        let early = try log.licence("PK-2", by: "bilal")
        try log.publish([try log.nextRoster { $0.officers.removeAll { $0.name == "bilal" } }])
        try expect(.notInForce, early)
        try expect(.notInForce, try log.licence("PK-3", by: "bilal"))
        #expect(try verdict([try log.licence("PK-4")]) == .counted)
        // A new key of the same name: what the old one signs no longer counts.
        let key = try TestKey.signingKey("pk officer ayesha-2")
        try log.publish([
            try log.nextRoster { roster in
                let old = roster.officers[0]
                roster.officers[0] = Officer(name: old.name, key: key, kinds: old.kinds, registers: nil)
            }
        ])
        let draft = log.context().attestation(
            register: "vasp-licences", key: "PK-5", status: "authorised", validFrom: Timestamp(seconds: 0), fields: [:])
        try expect(.badSignature, try draft.signed(by: TestAlliance.officer("ayesha")))
        #expect(try verdict([try draft.signed(by: TestAlliance.officer("ayesha", key: "ayesha-2"))]) == .counted)
    }

    @Test("A revocation holds from its index on, also within one batch, and never backwards")
    mutating func revocationPosition() throws {
        let before = try log.licence("PK-1", by: "bilal")
        let revocation = try log.nextRoster { $0.officers.removeAll { $0.name == "bilal" } }
        let after = try log.licence("PK-2", by: "bilal")
        let outcome = try log.publish([before, revocation, after])
        #expect(outcome.verdicts == [.counted, .counted, .ignored(.notInForce), .stateLeaf])
        #expect(log.rows[RowKey(map: "vasp-licences", key: "PK-1")]?.inForce.count == 1)
        // A new officer's first statement may stand right after the roster that brings the key.
        let dana = Officer(
            name: "dana", key: try TestKey.signingKey("pk officer dana"), kinds: [.attestation], registers: nil)
        let next = try log.publish([
            try log.licence("PK-3", by: "dana"), try log.nextRoster { $0.officers.append(dana) },
            try log.licence("PK-4", by: "dana"),
        ])
        #expect(next.verdicts == [.ignored(.notInForce), .counted, .counted, .stateLeaf])
    }

    @Test("A signature that does not verify")
    mutating func badSignature() throws {
        let good = try log.licence("PK-1")
        let other = try log.licence("PK-2")
        let dot = try #require(good.lastIndex(of: UInt8(ascii: ".")))
        let otherDot = try #require(other.lastIndex(of: UInt8(ascii: ".")))
        try expect(.badSignature, Array(good[...dot]) + Array(other[(otherDot + 1)...]))
        let roster = try log.nextRoster { _ in }
        let rosterDot = try #require(roster.lastIndex(of: UInt8(ascii: ".")))
        try expect(.badSignature, Array(roster[...rosterDot]) + Array(other[(otherDot + 1)...]))
    }

    @Test("An officer who may not")
    mutating func notPermitted() throws {
        try expect(.notPermitted, try log.licence("PK-1", by: "carla"))
        #expect(try verdict([try log.definition("warnings", by: "carla")]) == .counted)
        try log.publish([
            try log.nextRoster { roster in
                let old = roster.officers[1]
                roster.officers[1] = Officer(name: old.name, key: old.key, kinds: [.document], registers: nil)
            }
        ])
        try expect(.notPermitted, try log.licence("PK-1", by: "bilal"))
        // An officer's key may not be one of the charter's.
        let key = try TestKey.signingKey("us root-1")
        try expect(
            .notPermitted,
            try log.nextRoster { roster in
                roster.officers.append(Officer(name: "eve", key: key, kinds: [.attestation], registers: nil))
            })
    }

    @Test("A retraction by an officer of another register has no effect")
    mutating func retractionOutsidePermission() throws {
        let licence = try log.licence("PK-1")
        try log.publish([licence])
        #expect(try verdict([try log.retraction(of: [(licence, "PK-1")], by: "carla")]) == .counted)
        #expect(log.rows[RowKey(map: "vasp-licences", key: "PK-1")]?.isEmptied == false)
    }

    @Test("The same statement twice, in one batch and later")
    mutating func repeated() throws {
        let licence = try log.licence("PK-1")
        let outcome = try log.publish([licence, licence])
        #expect(outcome.verdicts == [.counted, .ignored(.repeated), .stateLeaf])
        try expect(.repeated, licence)
        // What did not count at its first index does not count later, either.
        let late = try log.licence("PK-2", by: "dana")
        try expect(.notInForce, late)
        let dana = Officer(
            name: "dana", key: try TestKey.signingKey("pk officer dana"), kinds: [.attestation], registers: nil)
        try log.publish([try log.nextRoster { $0.officers.append(dana) }])
        try expect(.repeated, late)
    }

    @Test("A register that was not defined first, or is not the charter's")
    mutating func definitions() throws {
        let warning = try log.context().attestation(
            register: "warnings", key: "w1", status: "warned", validFrom: Timestamp(seconds: 0), fields: [:]
        ).signed(by: TestAlliance.officer("ayesha"))
        try expect(.noDefinition, warning)
        let declaration = Declaration(register: "warnings", rows: 0, validUntil: Timestamp(seconds: 1))
        try expect(
            .noDefinition, try log.context().declaration(declaration).signed(by: TestAlliance.officer("ayesha")))
        func publish(_ descriptor: [UInt8], _ name: String, _ version: Int = 1) throws -> [UInt8] {
            try log.context().definition(name: name, version: version, descriptor: descriptor)
                .signed(by: TestAlliance.officer("ayesha"))
        }
        try expect(.notListed, try publish(OwnRegister.descriptor("warnings-2"), "warnings-2"))
        try expect(.notListed, try publish(OwnRegister.descriptor("agreements", title: "Other"), "agreements"))
        try expect(.notListed, try publish(OwnRegister.descriptor("sv.notes"), "sv.notes"))
        try expect(.malformed, try publish(OwnRegister.descriptor("pk.notes"), "pk.other"))
        try expect(.malformed, try publish(OwnRegister.descriptor("pk.notes"), "pk.notes", 2))
        #expect(try verdict([try publish(OwnRegister.descriptor("pk.notes"), "pk.notes")]) == .counted)
        try expect(.incompatible, try publish(OwnRegister.descriptor("pk.notes", title: "Again"), "pk.notes"))
        try expect(
            .incompatible, try publish(OwnRegister.descriptor("pk.notes", version: 2, form: "lei"), "pk.notes", 2))
        let next = OwnRegister.descriptor("pk.notes", version: 2, title: "Better")
        #expect(try verdict([try publish(next, "pk.notes", 2)]) == .counted)
        #expect(log.state.definitions["pk.notes"]?.title == "Better")
    }

    @Test("Keys and lookup values that are not in canonical form")
    mutating func canonicalForms() throws {
        for key in ["PK 1", "PK-1/x/y/z", "pk%2d1", "é"] { try expect(.keyForm, try log.licence(key)) }
        for lei in ["529900t8bm49aursdo55", "529900T8BM49AURSDO54"] {
            try expect(.lookupForm, try log.licence("PK-1", lei: lei))
        }
        for domain in ["Example.com", "example.com.", "bücher.example", "localhost"] {
            try expect(.lookupForm, try log.licence("PK-1", domains: [domain]))
        }
        #expect(
            try verdict([try log.licence("PK-1", lei: RowTests.lei, domains: ["a.example", "a.example"])])
                == .counted)
    }

    @Test("Rosters: only the direct successor, signed by enough root keys, and first of all")
    mutating func rosters() throws {
        let roster = try Roster.sample()
        func signed(_ roster: Roster, by signer: Signer = TestAlliance.root("pk")) throws -> [UInt8] {
            try log.context().roster(roster).signed(by: signer)
        }
        try expect(.notSuccessor, try signed(roster))
        let digest = try #require(log.state.roster?.digest)
        try expect(.notSuccessor, try signed(try Roster.sample(ordinal: 2, previous: digest)))
        try expect(.notSuccessor, try signed(try Roster.sample(ordinal: 1, previous: HashValue.sha256("x"))))
        let next = try Roster.sample(ordinal: 1, previous: digest)
        try expect(.notInForce, try signed(next, by: TestAlliance.officer("ayesha")))
        #expect(try verdict([try signed(next)]) == .counted)

        let strict = try TestAlliance { $0.members[0].rootThreshold = 2 }
        var other = try strict.log()
        let draft = other.context().roster(roster)
        let one = try draft.signed(by: TestAlliance.root("pk"))
        #expect(try other.publish([one]).verdicts[0] == .ignored(.notInForce))
        var third = try strict.log()
        let first = try JWS.general(
            type: draft.kind.type, payload: draft.payload, adding: TestAlliance.root("pk"), to: nil)
        let both = try draft.signed(by: TestAlliance.root("pk", 2), adding: first)
        #expect(try third.publish([both]).verdicts[0] == .counted)
        // Entry 0 and no other begins a log.
        var late = try alliance.log()
        let entries = [try log.licence("PK-1"), try signed(roster)]
        #expect(try late.publish(entries).verdicts[1] == .ignored(.notSuccessor))
    }

    @Test("Where two officers are due, one alone does not count")
    mutating func approvals() throws {
        log = try alliance.log()
        try log.begin(roster: try Roster.sample(twoOfficers: []))
        try log.publish([try log.nextRoster { $0.twoOfficers = ["vasp-licences"] }])
        try expect(.notApproved, try log.licence("PK-1"))
        let alone = try log.licence("PK-2")
        try expect(.notApproved, alone, try log.approval(of: [alone], by: "ayesha"))
        let early = try log.licence("PK-3")
        let outcome = try log.publish([try log.approval(of: [early]), early])
        #expect(outcome.verdicts == [.counted, .ignored(.notApproved), .stateLeaf])
        let outsider = try log.licence("PK-4")
        try expect(.notApproved, outsider, try log.approval(of: [outsider], by: "carla"))
        let later = try log.licence("PK-5")
        try expect(.notApproved, later)
        try log.publish([try log.approval(of: [later])])
        #expect(log.rows[RowKey(map: "vasp-licences", key: "PK-5")] == nil)

        let first = try log.licence("PK-6")
        let second = try log.licence("PK-7")
        #expect(try verdict([first, second, try log.approval(of: [second, first])]) == .counted)
        #expect(log.rows[RowKey(map: "vasp-licences", key: "PK-7")]?.inForce.count == 1)
        // Taking back needs two as well; documents here do not.
        let retraction = try log.retraction(of: [(first, "PK-6")])
        try expect(.notApproved, retraction)
        let again = try log.retraction(of: [(first, "PK-6")])
        #expect(try verdict([again, try log.approval(of: [again])]) == .counted)
        #expect(log.rows[RowKey(map: "vasp-licences", key: "PK-6")]?.isEmptied == true)
    }

    @Test("After counting ended, nothing counts")
    mutating func afterEnd() throws {
        let leaf = StateLeaf(entryCount: 0, charterVersion: 1, charterDigest: log.charter.digest, lines: [])
        let licence = try log.licence("PK-1")
        let outcome = try log.receive([licence, leaf.bytes])
        #expect(outcome.verdicts == [.ignored(.afterEnd), .ignored(.afterEnd)])
        #expect(outcome.end?.reason == .falseLeaf)
        let next = try log.receive([try log.licence("PK-2"), leaf.bytes])
        #expect(next.verdicts == [.ignored(.afterEnd), .ignored(.afterEnd)])
        #expect(next.end == nil)
        #expect(try log.publish([try log.licence("PK-3")]).verdicts[0] == .ignored(.afterEnd))
    }
}

/// Definitions of registers of a member's own: the built-in one for agreements under another name.
enum OwnRegister {
    static func descriptor(
        _ name: String, version: Int = 1, title: String? = nil, form: String? = nil
    ) -> [UInt8] {
        guard let built = BuiltInRegisters.definition(named: "agreements") else { return [] }
        var text = String(decoding: built.descriptor, as: UTF8.self)
            .replacing("\"name\": \"agreements\"", with: "\"name\": \"\(name)\"", maxReplacements: 1)
            .replacing("\"version\": 1", with: "\"version\": \(version)", maxReplacements: 1)
        if let title { text = text.replacing(built.title, with: title, maxReplacements: 1) }
        if let form { text = text.replacing("\"form\": \"exact\"", with: "\"form\": \"\(form)\"", maxReplacements: 1) }
        return Array(text.utf8)
    }
}

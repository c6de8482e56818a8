import Alliance
import TestSupport
import Testing
import TransparencyLog

/// What a member may do to its roster, what it may not, and how that is said.
struct RosterChangesTests {
    private func key(_ name: String) throws -> SigningKey { try TestKey.signingKey(name) }

    private func officer(_ name: String, key: String? = nil) throws -> Officer {
        Officer(name: name, key: try self.key(key ?? name), kinds: [.attestation, .approval], registers: nil)
    }

    private func roster() throws -> Roster {
        Roster(
            officers: [try officer("ayesha"), try officer("omar")], twoOfficers: ["warnings"],
            nodes: [RosterNode(name: "node1", addresses: ["https://a.example:1"], tlsKeys: [.sha256("one")])])
    }

    private func texts(_ old: Roster?, _ new: Roster) -> [String] {
        RosterDiff(from: old, to: new).changes.map { "\($0.subject) \($0.name) \($0.kind)" }
    }

    @Test func aSuccessorIsTheNextOfWhatItChanges() throws {
        let old = try roster()
        var new = old
        new.succeed(.sha256("payload"))
        #expect(new.ordinal == 1 && new.previous == .sha256("payload"))
        #expect(texts(old, new).isEmpty)
    }

    @Test func officersComeChangeAndGo() throws {
        let old = try roster()
        var new = old
        try new.add(try officer("sana"))
        try new.limit("omar", kinds: [.attestation, .roster], registers: ["warnings"])
        try new.revoke("ayesha")
        #expect(texts(old, new) == ["officer ayesha removed", "officer omar changed", "officer sana added"])
        // Nobody may be given the right to sign rosters.
        #expect(new.officer(named: "omar")?.kinds == [.attestation])
        let sentence = RosterDiff(from: old, to: new).changes[1].text
        #expect(sentence.contains("may publish attestation about warnings"))
        #expect(sentence.contains("before: may publish approval, attestation about every register"))
        #expect(texts(nil, old).count == 4)
    }

    @Test func aNameOrKeyThatIsTakenIsRefused() throws {
        var roster = try roster()
        let before = roster
        #expect(throws: AllianceError.self) { try roster.add(try officer("ayesha", key: "other")) }
        #expect(throws: AllianceError.self) { try roster.add(try officer("sana", key: "omar")) }
        #expect(throws: AllianceError.self) { try roster.add(try officer("ayesha", key: "omar"), replacing: true) }
        #expect(throws: AllianceError.self) { try roster.revoke("nobody") }
        #expect(throws: AllianceError.self) { try roster.limit("nobody", kinds: [], registers: nil) }
        #expect(roster == before)
        try roster.add(try officer("ayesha", key: "other"), replacing: true)
        #expect(roster.officer(named: "ayesha")?.key == (try key("other")))
        #expect(texts(before, roster) == ["officer ayesha changed"])
    }

    @Test func twoOfficers() throws {
        let old = try roster()
        var new = old
        try new.require(two: true, for: "@documents")
        try new.require(two: false, for: "warnings")
        #expect(texts(old, new) == ["register @documents added", "register warnings removed"])
        #expect(throws: AllianceError.self) { try new.require(two: true, for: "@documents") }
        #expect(throws: AllianceError.self) { try new.require(two: false, for: "warnings") }
        #expect(throws: AllianceError.self) { try new.require(two: true, for: "No Register") }
        #expect(new.impasses.isEmpty)
        try new.revoke("omar")
        #expect(new.impasses.count == 1 && new.impasses[0].contains("@documents"))
        try new.revoke("ayesha")
        #expect(new.impasses.contains { $0.contains("no officer is left") })
    }

    @Test func aNodeChangesItsKey() throws {
        let old = try roster()
        var new = old
        // The next key beside the present one, while the node changes over.
        try new.add(node: "node1", key: .sha256("two"), addresses: nil)
        #expect(new.nodes[0].tlsKeys == [.sha256("one"), .sha256("two")] && new.revoked.isEmpty)
        #expect(new.nodes[0].addresses == old.nodes[0].addresses)
        // A stolen one is replaced and revoked.
        try new.add(node: "node1", key: .sha256("three"), addresses: [], replacing: true)
        #expect(new.nodes[0].tlsKeys == [.sha256("three")] && new.nodes[0].addresses.isEmpty)
        #expect(Set(new.revoked) == [.sha256("one"), .sha256("two")])
        // What was revoked does not come back by mistake.
        #expect(throws: AllianceError.self) { try new.add(node: "node2", key: .sha256("one"), addresses: nil) }
        #expect(throws: AllianceError.self) { try new.add(node: "node2", key: .sha256("three"), addresses: nil) }
        #expect(throws: AllianceError.self) { try new.add(node: "node1", key: .sha256("three"), addresses: nil) }
        try new.remove(node: "node1", revoking: true)
        #expect(new.nodes.isEmpty && new.revoked.count == 3)
        #expect(throws: AllianceError.self) { try new.remove(node: "node1", revoking: true) }
        #expect(texts(old, new).filter { $0.hasPrefix("key") }.count == 3)
    }

    @Test func limitsHold() throws {
        var roster = try roster()
        for number in 0..<(Roster.nodeKeyLimit - 1) {
            try roster.add(node: "node1", key: .sha256("key \(number)"), addresses: nil)
        }
        let error = #expect(throws: AllianceError.self) {
            try roster.add(node: "node1", key: .sha256("one more"), addresses: nil)
        }
        #expect(error?.code == .limit)
    }

    @Test func aPayloadIsReadAsTheStatementWillBe() throws {
        var new = try roster()
        new.succeed(.sha256("before"))
        let draft = DraftContext(member: "did:web:pk.alliance.example", alliance: .sha256("a"), issuedAt: 1).roster(new)
        let read = try Statement.roster(inPayload: draft.payload)
        #expect(read.roster == new && read.issuer == "did:web:pk.alliance.example" && read.alliance == .sha256("a"))
        #expect(throws: AllianceError.self) { try Statement.roster(inPayload: Array(draft.payload.dropLast())) }
    }
}

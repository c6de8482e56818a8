import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// What stands in the rows after supersession and retraction (formats, sections 7 and 8).
@Suite("Rows")
struct RowTests {
    let alliance: TestAlliance
    var log: MemoryLog
    static let lei = "529900T8BM49AURSDO55"
    static let otherLEI = "213800WAVVOPS85N2205"

    init() throws {
        alliance = try TestAlliance()
        log = try alliance.log()
        try log.begin()
    }

    private func row(_ map: String, _ key: String) -> Row? { log.rows[RowKey(map: map, key: key)] }
    private func indices(_ map: String, _ key: String) -> [UInt64]? { row(map, key).map { $0.items.map(\.index) } }
    private func index(_ entry: [UInt8]) -> UInt64? { log.identities[HashValue.sha256(entry)] }
    private func identity(_ entry: [UInt8]) -> HashValue { HashValue.sha256(entry) }

    @Test("Statements stand beside each other until one replaces them")
    mutating func supersedes() throws {
        let first = try log.licence("PK-1")
        let second = try log.licence("PK-1", "suspended", from: TestAlliance.start + 10)
        let other = try log.licence("PK-2")
        try log.publish([first, second, other])
        #expect(try indices("vasp-licences", "PK-1") == [#require(index(first)), #require(index(second))])
        // References to another key's statement, to a stranger and to nothing known are ignored one by one.
        let third = try log.licence(
            "PK-1", "revoked", supersedes: [identity(first), identity(other), HashValue.sha256("nothing")])
        try log.publish([third])
        #expect(try indices("vasp-licences", "PK-1") == [#require(index(second)), #require(index(third))])
        #expect(indices("vasp-licences", "PK-2")?.count == 1)
        // Within one batch, too; and a row counts the statements, not the batches.
        let nothing = HashValue.sha256("nothing")
        let fourth = try log.licence("PK-1", supersedes: [identity(second), identity(third), nothing])
        let fifth = try log.licence("PK-1", supersedes: [identity(fourth), nothing])
        try log.publish([fourth, fifth])
        #expect(try indices("vasp-licences", "PK-1") == [#require(index(fifth))])
        #expect(row("vasp-licences", "PK-1")?.bytes.count == 40)
    }

    @Test("A retraction empties the row and stays in it; a new statement stands alone again")
    mutating func retraction() throws {
        let first = try log.licence("PK-1")
        let second = try log.licence("PK-1", from: TestAlliance.start + 10)
        try log.publish([first, second])
        let one = try log.retraction(of: [(first, "PK-1")])
        try log.publish([one])
        #expect(try indices("vasp-licences", "PK-1") == [#require(index(second))])
        #expect(row("vasp-licences", "PK-1")?.isEmptied == false)
        let rest = try log.retraction(of: [(second, "PK-1"), (first, "PK-1")])
        try log.publish([rest])
        #expect(
            try row("vasp-licences", "PK-1")
                == Row(
                    emptiedBy: .init(
                        index: #require(index(rest)), leaf: MerkleTree.leafHash(rest))))
        #expect(log.state.lines["vasp-licences"]?.count == 1)
        // A retraction cannot be retracted, and what it took back is not taken back again.
        let undo = try log.retraction(of: [(rest, "PK-1")])
        let twice = try log.retraction(of: [(first, "PK-1")])
        try log.publish([undo, twice])
        #expect(try indices("vasp-licences", "PK-1") == [#require(index(rest))])
        let fresh = try log.licence("PK-1")
        try log.publish([fresh])
        #expect(try indices("vasp-licences", "PK-1") == [#require(index(fresh))])
        #expect(row("vasp-licences", "PK-1")?.isEmptied == false)
    }

    @Test("Retracting a superseder does not revive what it replaced")
    mutating func noRevival() throws {
        let first = try log.licence("PK-1")
        let second = try log.licence("PK-1", "suspended", supersedes: [identity(first)])
        try log.publish([first, second])
        let retraction = try log.retraction(of: [(second, "PK-1")])
        try log.publish([retraction])
        #expect(row("vasp-licences", "PK-1")?.isEmptied == true)
        #expect(try indices("vasp-licences", "PK-1") == [#require(index(retraction))])
    }

    @Test("A retraction names register and key: of others it takes nothing back")
    mutating func retractionScope() throws {
        let licence = try log.licence("PK-1", lei: Self.lei)
        try log.publish([licence])
        let before = log.rows
        let officer = TestAlliance.officer("ayesha")
        func retraction(_ register: String, _ key: String) throws -> [UInt8] {
            let target = Retraction.Target(identity: identity(licence), register: register, key: key)
            return try log.context().retraction(Retraction(targets: [target], reason: .other)).signed(by: officer)
        }
        try log.publish([
            try retraction("vasp-licences", "PK-2"), try retraction("warnings", "PK-1"),
            try retraction("@documents", "PK-1"),
            // A lookup's map and the reserved ones are not taken back from by name.
            try retraction("vasp-licences/lei", Self.lei), try retraction("@registers", "vasp-licences"),
            try retraction("@rosters", "0"),
        ])
        #expect(log.rows == before)
        try log.publish([try retraction("vasp-licences", "PK-1")])
        #expect(row("vasp-licences", "PK-1")?.isEmptied == true)
        #expect(row("vasp-licences/lei", Self.lei)?.isEmptied == true)
    }

    @Test("Lookups: each value's row, and \"no longer stated\" once a value is dropped")
    mutating func lookups() throws {
        let first = try log.licence("PK-1", lei: Self.lei, domains: ["a.example", "b.example"])
        let other = try log.licence("PK-2", lei: Self.lei, domains: ["b.example"])
        try log.publish([first, other])
        #expect(try indices("vasp-licences/lei", Self.lei) == [#require(index(first)), #require(index(other))])
        #expect(indices("vasp-licences/domains", "a.example")?.count == 1)
        let second = try log.licence(
            "PK-1", lei: Self.otherLEI, domains: ["b.example", "c.example"], supersedes: [identity(first)])
        try log.publish([second])
        #expect(try indices("vasp-licences/lei", Self.lei) == [#require(index(other))])
        #expect(try indices("vasp-licences/lei", Self.otherLEI) == [#require(index(second))])
        #expect(
            try row("vasp-licences/domains", "a.example")
                == Row(emptiedBy: .init(index: #require(index(second)), leaf: MerkleTree.leafHash(second))))
        #expect(try indices("vasp-licences/domains", "b.example") == [#require(index(other)), #require(index(second))])
        let retraction = try log.retraction(of: [(second, "PK-1")])
        try log.publish([retraction])
        #expect(try indices("vasp-licences/domains", "c.example") == [#require(index(retraction))])
        #expect(row("vasp-licences/domains", "c.example")?.isEmptied == true)
        #expect(try indices("vasp-licences/domains", "b.example") == [#require(index(other))])
        // What had emptied a row before stays there.
        #expect(try indices("vasp-licences/domains", "a.example") == [#require(index(second))])
    }

    @Test("A superseder repeats its predecessor's references to others, or does not count")
    mutating func repeatsReferences() throws {
        let foreign = HashValue.sha256("a statement of another member")
        let first = try log.licence("PK-1", supersedes: [foreign])
        try log.publish([first])
        let drops = try log.licence("PK-1", "revoked", supersedes: [identity(first)])
        #expect(try log.publish([drops]).verdicts[0] == .ignored(.dropsReferences))
        #expect(try indices("vasp-licences", "PK-1") == [#require(index(first))])
        let repeats = try log.licence("PK-1", "revoked", supersedes: [identity(first), foreign])
        #expect(try log.publish([repeats]).verdicts[0] == .counted)
        // Own statements that it had replaced need not be named again.
        let last = try log.licence("PK-1", supersedes: [identity(repeats), foreign])
        #expect(try log.publish([last]).verdicts[0] == .counted)
        // Without superseding, nothing has to be repeated.
        #expect(try log.publish([try log.licence("PK-1")]).verdicts[0] == .counted)
    }

    @Test("A copy of another member's statement in the own log does not make it the own")
    mutating func copiedForeignStatement() throws {
        var sv = try alliance.log(of: "sv")
        try sv.begin()
        let foreign = try sv.licence("PK-1")
        let first = try log.licence("PK-1", supersedes: [identity(foreign)])
        let drops = try log.licence("PK-1", supersedes: [identity(first)])
        var sameBatch = log
        #expect(
            try sameBatch.publish([foreign, first, drops]).verdicts
                == [.ignored(.otherMember), .counted, .ignored(.dropsReferences), .stateLeaf])
        try log.publish([foreign])
        try log.publish([first])
        #expect(try log.publish([drops]).verdicts[0] == .ignored(.dropsReferences))
    }

    @Test("Definitions, declarations and documents in their maps")
    mutating func reservedMaps() throws {
        let officer = TestAlliance.officer("ayesha")
        let one = try log.context().declaration(
            Declaration(register: "vasp-licences", rows: 0, validUntil: Timestamp(seconds: 1_800_000_000))
        ).signed(by: officer)
        let two = try log.context().declaration(
            Declaration(register: "vasp-licences", rows: 1, validUntil: Timestamp(seconds: 1_800_000_000))
        ).signed(by: officer)
        let again = try log.definition("vasp-licences")
        try log.publish([one, two, again])
        #expect(try indices("@declarations", "vasp-licences") == [#require(index(two))])
        #expect(try indices("@registers", "vasp-licences") == [#require(index(again))])
        func document(_ title: String, _ supersedes: [HashValue] = []) throws -> [UInt8] {
            try log.context().document(
                PolicyDocument(
                    work: "/akn/pk/act/2025/va", language: "en", date: "2025-07-08", title: title,
                    mediaType: "text/plain",
                    size: 1, digest: HashValue.sha256(title), supersedes: supersedes)
            ).signed(by: officer)
        }
        let first = try document("one")
        let outcome = try log.publish([first, try document("two", [identity(first)])])
        #expect(outcome.documents.map(\.title) == ["one", "two"])
        #expect(indices("@documents", "/akn/pk/act/2025/va")?.count == 1)
        let endorsement = try log.context().endorsement(
            Endorsement(
                identity: HashValue.sha256("x"), member: TestAlliance.id("sv"), register: "vasp-licences", key: "SV-1",
                type: .recognises)
        ).signed(by: officer)
        try log.publish([endorsement])
        #expect(try indices("@endorsements", HashValue.sha256("x").hex) == [#require(index(endorsement))])
        let withdrawn = try log.retraction(of: [(endorsement, HashValue.sha256("x").hex)], register: "@endorsements")
        try log.publish([withdrawn])
        #expect(row("@endorsements", HashValue.sha256("x").hex)?.isEmptied == true)
    }

    @Test("The maps of the leaf hold exactly the rows")
    mutating func maps() throws {
        let licences = try (0..<40).map { try log.licence("PK-\($0)", lei: $0 % 2 == 0 ? Self.lei : nil) }
        try log.publish(licences)
        try log.publish([try log.retraction(of: [(licences[3], "PK-3")])])
        try log.expectMapsHoldRows()
    }
}

extension MemoryLog {
    /// Recomputes every map from the rows and compares with the newest leaf.
    func expectMapsHoldRows(at location: SourceLocation = #_sourceLocation) throws {
        var maps: [String: InMemoryRegisterMap] = [:]
        for (key, row) in rows { try maps[key.map, default: InMemoryRegisterMap()].set([(key.key, row.bytes)]) }
        let lines = maps.map { StateLeaf.Line(name: $0.key, count: $0.value.count, root: $0.value.root) }
        let leaf = StateLeaf(
            entryCount: UInt64(entries.count - 1), charterVersion: 1, charterDigest: charter.digest, lines: lines)
        #expect(entries.last == leaf.bytes, sourceLocation: location)
    }
}

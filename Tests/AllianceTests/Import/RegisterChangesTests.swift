import Testing

@testable import Alliance

@Suite("Changes of a register")
struct RegisterChangesTests {
    private static let now = Timestamp(seconds: 1_795_460_400, offsetMinutes: 300)

    private static func compare(
        _ result: ImportResult, _ published: [PublishedRow], _ missing: MissingPolicy = .keep
    ) throws -> ChangeSet {
        let definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        return RegisterChanges.compare(result, published: published, missing: missing, definition: definition, now: now)
    }

    private static func published(
        _ key: String, _ status: String = "authorised", _ from: String = "2026-01-01T00:00:00+05:00",
        until: String? = nil,
        more: JSONObject = [:], identity: String, references: [String] = []
    ) throws -> PublishedRow {
        var fields: JSONObject = ["competentAuthority": "B", "legalName": .string("Firm \(key)")]
        for member in more.members { fields[member.name] = member.value }
        return PublishedRow(
            key: key, status: status, validFrom: try #require(Timestamp(parsing: from)),
            validUntil: until.flatMap(Timestamp.init(parsing:)), fields: fields, identity: identity,
            references: references)
    }

    private static func file(
        _ rows: [String], columns: String = "key,status,validFrom,competentAuthority,legalName"
    )
        throws -> ImportResult
    {
        try OwnLayoutTests.read(([columns] + rows).joined(separator: "\n") + "\n")
    }

    @Test("the same file again changes nothing, and neither does CR LF inside a cell")
    func again() throws {
        let first = try SampleCASPFile.read([
            SampleCASPFile.row(1, [6: "1\r\nStreet"]), SampleCASPFile.row(2), SampleCASPFile.row(3, [10: "01/03/2026"]),
        ])
        let second = try SampleCASPFile.read([
            SampleCASPFile.row(1, [6: "1\nStreet"]), SampleCASPFile.row(2), SampleCASPFile.row(3, [10: "01/03/2026"]),
        ])
        let new = try Self.compare(first, [])
        #expect(new.new.count == 4)
        #expect(new.unchanged == 0)
        for result in [first, second] {
            let changes = try Self.compare(result, SampleCASPFile.published(first))
            #expect(changes.isEmpty)
            #expect(changes.unchanged == 3)
            #expect(changes.missingKept.isEmpty)
        }
        // What another tool published with CR LF is the same as well.
        let rows = SampleCASPFile.published(first).map { row in
            var fields = row.fields
            if fields["address"] == "1\nStreet" { fields["address"] = "1\r\nStreet" }
            return PublishedRow(
                key: row.key, status: row.status, validFrom: row.validFrom, fields: fields, identity: row.identity)
        }
        #expect(try Self.compare(second, rows).isEmpty)
    }

    @Test("another normal form is a change, because bytes are compared")
    func normalForms() throws {
        let result = try Self.file(["K,authorised,2026-01-01,B,e\u{301}"])
        let row = try Self.published("K", more: ["legalName": "\u{E9}"], identity: "aa")
        #expect(try Self.compare(result, [row]).changed.count == 1)
    }

    @Test("a correction repeats what the corrected entry supersedes, so that it counts; a change beside it does not")
    func references() throws {
        let rows = [
            try Self.published("A", identity: "a1", references: ["s1", "s2"]),
            try Self.published("A", identity: "a2", references: ["s2", "s3"]),
            try Self.published("B", identity: "b1", references: ["s4"]),
        ]
        let result = try Self.file(["A,authorised,2026-01-01,B,New name", "B,revoked,2026-11-24,B,Firm B"])
        #expect(try Self.compare(result, rows).changes.map(\.supersedes) == [["a1", "a2", "s1", "s2", "s3"], []])
        let gone = try Self.compare(
            try Self.file([]), [rows[2]], .revoke(from: try #require(Timestamp(parsing: "2025-12-01T00:00:00Z"))))
        #expect(gone.changes.map(\.supersedes) == [["b1", "s4"]])
    }

    @Test("a correction supersedes and keeps its validFrom; another date stands beside")
    func corrections() throws {
        let rows = [
            try Self.published("A", identity: "a1"), try Self.published("B", identity: "b1"),
            try Self.published("C", identity: "c1"),
            try Self.published("D", identity: "d1"),
        ]
        let result = try Self.file([
            "A,authorised,2026-01-01,B,New name", "B,revoked,2026-11-24,B,Firm B",
            "C,authorised,2026-06-01,B,Firm C Ltd", "D,revoked,2026-01-01,B,Firm D",
        ])
        let changes = try Self.compare(result, rows)
        #expect(changes.changes.map(\.kind) == [.corrected, .statusChanged, .changedFromDate, .corrected])
        #expect(changes.changes.map(\.supersedes) == [["a1"], [], [], ["d1"]])
        #expect(changes.changes.map(\.validFrom.dateText) == ["2026-01-01", "2026-11-24", "2026-06-01", "2026-01-01"])
        #expect(changes.changes[0].differences == [FieldDifference(field: "legalName", old: "Firm A", new: "New name")])
        #expect(changes.changes[1].differences.map(\.field) == ["status"])
        #expect(changes.changes[1].previousStatus == "authorised")
        #expect(changes.changes[2].differences.map(\.field) == ["validFrom", "legalName"])
    }

    @Test("a row without validFrom is compared with what speaks now")
    func withoutValidFrom() throws {
        let rows = [
            try Self.published("A", identity: "a1"),
            try Self.published("A", "suspended", "2026-06-01T00:00:00+05:00", identity: "a2"),
            try Self.published("A", "authorised", "2027-01-01T00:00:00+05:00", identity: "a3"),
            try Self.published("B", identity: "b1"),
            try Self.published("C", identity: "c1"),
        ]
        let same = try Self.file(["A,suspended,,B,Firm A", "B,authorised,,B,Firm B", "C,authorised,,B,Firm C"])
        #expect(try Self.compare(same, rows).isEmpty)
        let other = try Self.compare(
            try Self.file([
                "A,revoked,,B,Firm A", "B,authorised,,B,Firm B Ltd", "C,authorised,,B,Firm C", "D,authorised,,B,D",
            ]), rows)
        #expect(other.changes.map(\.kind) == [.statusChanged, .corrected, .new])
        #expect(
            other.changes.map(\.validFrom.seconds) == [Self.now.seconds, rows[3].validFrom.seconds, Self.now.seconds])
        #expect(other.changes.map(\.supersedes) == [[], ["b1"], []])
        #expect(other.changes.map(\.previousStatus) == ["suspended", "authorised", nil])
        #expect(other.unchanged == 1)
    }

    @Test("what the file has no column for stays as published")
    func absentColumns() throws {
        let row = try Self.published(
            "A", until: "2027-01-01T00:00:00+05:00", more: ["address": "1 Street"], identity: "a1")
        #expect(try Self.compare(try Self.file(["A,authorised,2026-01-01,B,Firm A"]), [row]).isEmpty)
        let changes = try Self.compare(try Self.file(["A,authorised,2026-01-01,B,Firm A Ltd"]), [row])
        #expect(changes.changes.first?.fields["address"] == "1 Street")
        #expect(changes.changes.first?.validUntil == row.validUntil)
        let columns = "key,status,validFrom,validUntil,competentAuthority,legalName,address"
        let emptied = try Self.compare(try Self.file(["A,authorised,2026-01-01,,B,Firm A,"], columns: columns), [row])
        #expect(emptied.changes.first?.differences.map(\.field) == ["validUntil", "address"])
        #expect(emptied.changes.first?.fields["address"] == nil)
    }

    @Test("two published entries of one date are both superseded, and agreement ends their conflict")
    func conflicts() throws {
        let rows = [try Self.published("A", identity: "a1"), try Self.published("A", "revoked", identity: "a2")]
        let changes = try Self.compare(try Self.file(["A,authorised,2026-01-01,B,Firm A"]), rows)
        #expect(changes.changes.map(\.supersedes) == [["a1", "a2"]])
    }

    @Test("three rows gone and two end dates set, by what the officer chose")
    func missing() throws {
        let before = try SampleCASPFile.read((1...10).map { SampleCASPFile.row($0) })
        let rows = SampleCASPFile.published(before)
        let after = try SampleCASPFile.read(
            [
                SampleCASPFile.row(1, [10: "01/12/2026"]),
                SampleCASPFile.row(2, [10: "02/12/2026", 13: "Licence revoked", 14: "03/12/2026"]),
            ]
                + (3...7).map { SampleCASPFile.row($0) })
        let gone = (8...10).map { "\(SampleCASPFile.lei($0))/2026-02-01" }.sorted()

        let kept = try Self.compare(after, rows, .keep)
        #expect(kept.statusChanged.map(\.status) == ["expired", "revoked"])
        #expect(kept.statusChanged.allSatisfy { $0.supersedes.isEmpty })
        #expect(kept.changes.count == 2)
        #expect(kept.missingKept.map(\.key) == gone)
        #expect(kept.unchanged == 5)

        let from = try #require(Timestamp(parsing: "2027-01-01T00:00:00+01:00"))
        let revoked = try Self.compare(after, rows, .revoke(from: from))
        #expect(revoked.statusChanged.map(\.status) == ["expired", "revoked", "revoked", "revoked", "revoked"])
        #expect(revoked.statusChanged.suffix(3).map(\.key) == gone)
        #expect(
            revoked.statusChanged.suffix(3).allSatisfy {
                $0.validFrom == from && $0.supersedes.isEmpty && $0.line == nil
            })
        #expect(revoked.statusChanged.last?.fields["legalName"] != nil)
        #expect(revoked.missingKept.isEmpty)

        let retracted = try Self.compare(after, rows, .retract)
        #expect(retracted.retracted.map(\.key) == gone)
        #expect(Set(retracted.retracted.flatMap(\.identities)) == ["7", "8", "9"])
        #expect(retracted.changes.count == 2)
    }

    @Test("revoking what is missing forestalls later entries and leaves what is revoked")
    func revokingMissing() throws {
        let from = try #require(Timestamp(parsing: "2026-06-01T00:00:00+05:00"))
        let rows = [
            try Self.published("A", identity: "a1"),
            try Self.published("A", "conditional", "2026-09-01T00:00:00+05:00", identity: "a2"),
            try Self.published("B", "revoked", identity: "b1"),
            try Self.published("C", "authorised", "2026-09-01T00:00:00+05:00", identity: "c1"),
            try Self.published("D", "authorised", "2026-06-01T00:00:00+05:00", identity: "d1"),
        ]
        let changes = try Self.compare(try Self.file([]), rows, .revoke(from: from))
        #expect(changes.changes.map(\.key) == ["A", "C", "D"])
        #expect(changes.changes.map(\.supersedes) == [["a2"], ["c1"], ["d1"]])
        #expect(changes.missingKept.map(\.key) == ["B"])
    }

    @Test("a refused row is not missing")
    func refusedIsNotMissing() throws {
        let rows = [try Self.published("A", identity: "a1"), try Self.published("B", identity: "b1")]
        let changes = try Self.compare(try Self.file(["A,authorised,31/02/2026,B,Firm A"]), rows, .retract)
        #expect(changes.retracted.map(\.key) == ["B"])
    }

    @Test("the order of what is published does not matter")
    func order() throws {
        let rows = try (0..<20).map {
            try Self.published("K\($0 % 7)", "authorised", "2026-0\($0 % 9 + 1)-01T00:00:00+05:00", identity: "\($0)")
        }
        let result = try Self.file(["K1,revoked,,B,x", "K2,authorised,2026-01-01,B,y", "N,authorised,,B,z"])
        let expected = try Self.compare(result, rows, .retract)
        var generator = SeededGenerator(state: 3)
        for _ in 0..<20 { #expect(try Self.compare(result, rows.shuffled(using: &generator), .retract) == expected) }
    }
}

import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("The history of a key")
struct KeyHistoryTests {
    private static let start = TestAlliance.start
    private let key = RowKey(map: "vasp-licences", key: "PK-1")

    private func placed(_ entries: [[UInt8]]) throws -> [PlacedStatement] {
        try entries.enumerated().map {
            PlacedStatement(index: UInt64($0.offset + 3), statement: try Statement(parsing: $0.element))
        }
    }

    @Test("First, changed from a date, corrected, taken back: each beside what it changed")
    func relations() throws {
        var log = try TestAlliance().log()
        let first = try log.licence("PK-1", domains: ["a.example"])
        let later = try log.licence("PK-1", "suspended", from: Self.start + 86_400, domains: ["a.example"])
        let corrected = try log.licence(
            "PK-1", domains: ["a.example", "b.example"], supersedes: [HashValue.sha256(first)])
        let back = try log.retraction(of: [(later, "PK-1")])
        let history = KeyHistory(
            of: key, in: [KeyHistory.Log(member: "pk", steps: try placed([first, later, corrected, back]))])
        let changes = Array(history.changes.reversed())
        #expect(changes.map(\.relation) == [.first, .follows, .replaces, .takesBack])
        #expect(changes.map { $0.others.map(\.index) } == [[], [3], [3], [4]])
        #expect(changes[0].differences.isEmpty && changes[3].differences.isEmpty)
        #expect(changes[1].differences.map(\.field) == ["status", "validFrom"])
        #expect(changes[1].differences[0].old == "authorised" && changes[1].differences[0].new == "suspended")
        #expect(changes[2].differences.map(\.field) == ["domains"])
        #expect(changes[2].differences[0].new == ["a.example", "b.example"])
        #expect(changes.map(\.isInForce) == [false, false, true, false])
    }

    @Test("A field that comes, one that goes, and a statement that says the same again")
    func fields() throws {
        var log = try TestAlliance().log()
        let one = try log.licence("PK-1", lei: RowTests.lei)
        let two = try log.licence(
            "PK-1", until: Self.start + 10, domains: ["a.example"], supersedes: [HashValue.sha256(one)])
        let three = try log.licence(
            "PK-1", until: Self.start + 10, domains: ["a.example"], supersedes: [HashValue.sha256(two)])
        let changes = KeyHistory(of: key, in: [KeyHistory.Log(member: "pk", steps: try placed([one, two, three]))])
            .changes
        let differences = changes[1].differences
        #expect(Set(differences.map(\.field)) == ["lei", "validUntil", "domains"])
        #expect(differences.first { $0.field == "lei" }?.new == nil)
        #expect(differences.first { $0.field == "validUntil" }?.old == nil)
        #expect(changes[0].relation == .replaces && changes[0].differences.isEmpty)
    }

    @Test("Another member's statement that is superseded is named with its member")
    func across() throws {
        let alliance = try TestAlliance()
        var (pk, sv) = (try alliance.log(), try alliance.log(of: "sv"))
        let theirs = try sv.licence("PK-1")
        let ours = try pk.licence("PK-1", "revoked", supersedes: [HashValue.sha256(theirs)])
        let history = KeyHistory(
            of: key,
            in: [
                KeyHistory.Log(member: "pk", steps: try placed([ours])),
                KeyHistory.Log(member: "sv", steps: try placed([theirs])),
            ])
        #expect(history.changes.map(\.member) == ["pk", "sv"])
        #expect(history.changes[0].relation == .replaces)
        #expect(history.changes[0].others.map(\.member) == ["sv"])
        #expect(history.changes[0].differences.map(\.field) == ["status"])
        // What of it takes effect is the merge rule's: in its own log the statement is in force.
        #expect(history.changes[1].isInForce)
    }
}

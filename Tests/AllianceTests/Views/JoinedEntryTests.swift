import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Joined entries")
struct JoinedEntryTests {
    private static let start = TestAlliance.start
    let definition: RegisterDefinition
    var voices: Voices

    init() throws {
        definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        voices = try Voices()
    }

    private func join(
        _ all: [MemberVoice], _ rule: MergeRule, _ endorsements: [PlacedEndorsement] = [], at time: Int64 = start
    ) -> JoinedEntry {
        JoinedEntry(all, rule: rule, endorsements: endorsements, definition: definition, at: time)
    }

    private static func joint(_ names: String...) -> MergeRule { .joint(writers: names.map(TestAlliance.id)) }

    @Test("Every statement of a joint register takes part in one way, whatever the order they come in")
    mutating func joint() throws {
        let old = try voices.licence("pk", "suspended")
        let later = try voices.licence("pk", "authorised", from: Self.start + 100)
        let other = try voices.licence("sv", "revoked", from: Self.start - 50)
        let gone = try voices.licence("us", "conditional")
        let over = try voices.licence("sv", "revoked", from: Self.start - 50, over: [gone])
        let stranger = try voices.licence("imf", "revoked")
        let all = [old, later, other, gone, over, stranger]
        for some in [all, all.reversed()] {
            let entry = join(some, Self.joint("pk", "sv", "us"))
            #expect(
                entry.voices.map { entry.standing(of: $0) } == [
                    .notWriter, .speaks, .silent, .speaks, .speaks, .superseded,
                ])
            #expect(entry.choice.isConflict)
            #expect(entry.conflictSince?.seconds == Self.start - 50)
        }
    }

    @Test("A conflict is one from when the second of those that speak began; alone there is none")
    mutating func since() throws {
        let first = try voices.licence("pk", "revoked", from: Self.start - 100)
        let second = try voices.licence("sv", "suspended", from: Self.start - 10)
        let third = try voices.licence("us", "expired", from: Self.start)
        let rule = Self.joint("pk", "sv", "us")
        #expect(join([first], rule).conflictSince == nil)
        #expect(join([third, first, second], rule).conflictSince?.seconds == Self.start - 10)
        #expect(join([third, first, second], rule, at: Self.start - 11).conflictSince == nil)
    }

    @Test(
        "Why one side prevails: the most restrictive, of equals the lowest identity, outside the vocabulary above all")
    mutating func prevalence() throws {
        let rule = Self.joint("pk", "sv", "us")
        let mild = try voices.licence("pk", "authorised")
        let strict = try voices.licence("sv", "revoked")
        #expect(join([mild], rule).prevalence(definition) == nil)
        #expect(join([mild, strict], rule).prevalence(definition) == "it is the most restrictive status")
        let same = try voices.licence("us", "revoked")
        let tie = join([mild, strict, same], rule)
        #expect(tie.choice.effective?.identity == min(strict.identity, same.identity))
        #expect(tie.prevalence(definition)?.contains("of 2 such statements it has the lowest identity") == true)
        let odd = try voices.licence("us", "splendid")
        #expect(join([mild, strict, odd], rule).prevalence(definition)?.contains("outside the vocabulary") == true)
    }

    @Test("By K: proposed, adopted, and each member's own word without a join")
    mutating func others() throws {
        let proposal = try voices.licence("pk", "authorised")
        let second = try voices.licence("sv", "revoked")
        let endorsements = [
            voices.endorsement("us", of: proposal), voices.endorsement("pk", of: proposal),
            voices.endorsement("us", of: second, .notes),
        ]
        let entry = join([second, proposal], .by(count: 1), endorsements)
        #expect(entry.voices.map { entry.standing(of: $0) } == [.speaks, .proposed] && !entry.choice.isConflict)
        let alone = join([proposal, try voices.licence("pk", "expired")], .each)
        #expect(alone.voices.map { alone.standing(of: $0) } == [.speaks, .speaks] && alone.choice.isConflict)
    }
}

import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Why a status is what it is")
struct ExplanationTests {
    private static let start = TestAlliance.start
    private static let day: Int64 = 86_400
    let alliance: TestAlliance
    let definition: RegisterDefinition

    init() throws {
        alliance = try TestAlliance()
        definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
    }

    private func explain(
        _ rule: MergeRule, _ said: [(member: String, entries: [[UInt8]])], _ endorsements: [PlacedEndorsement] = [],
        at time: Int64 = start
    ) throws -> Explanation {
        let testimonies = try said.map { member, entries in
            Explanation.Testimony(
                member: try alliance.member(member),
                steps: try entries.enumerated().map {
                    PlacedStatement(index: UInt64($0.offset + 3), statement: try Statement(parsing: $0.element))
                })
        }
        return Explanation(
            register: "vasp-licences", key: "K", rule: rule, testimonies: testimonies, endorsements: endorsements,
            definition: definition, at: Timestamp(seconds: time), members: alliance.charter.charter.members)
    }

    private func text(_ explanation: Explanation) -> String {
        explanation.steps.flatMap { [$0.rule] + $0.findings }.joined(separator: "\n")
    }

    @Test("One authority: what was corrected, taken back, over, and still to come")
    func each() throws {
        var log = try alliance.log()
        let wrong = try log.licence("K", "revoked")
        let first = try log.licence("K", supersedes: [HashValue.sha256(wrong)])
        let mistake = try log.licence("K", "expired")
        let back = try log.retraction(of: [(mistake, "K")])
        let suspended = try log.licence("K", "suspended", from: Self.start + Self.day, until: Self.start + 2 * Self.day)
        let revoked = try log.licence("K", "revoked", from: Self.start + 3 * Self.day)
        let said = [(member: "pk", entries: [wrong, first, mistake, back, suspended, revoked])]
        let now = try explain(.each, said)
        #expect(now.effective?.attestation.status == "authorised" && !now.isConflict)
        let words = text(now)
        #expect(words.contains("entry 3, signed by ayesha: revoked from") && words.contains("replaced by entry 4"))
        #expect(words.contains("taken back by entry 6 (entered-in-error)"))
        #expect(words.contains("entry 7 of") && words.contains("does not speak yet"))
        #expect(words.contains("which permits business"))
        #expect(now.changes.count == 4 && now.changes[0].contains("begins to speak: suspended"))
        #expect(now.changes[1].contains("ends") && now.changes[2].contains("begins to speak: revoked"))
        let suspension = try explain(.each, said, at: Self.start + Self.day)
        #expect(suspension.effective?.attestation.status == "suspended")
        #expect(text(suspension).contains("entry 4 of Pakistan no longer speaks: entry 7 of Pakistan began on"))
        let gap = try explain(.each, said, at: Self.start + 2 * Self.day)
        #expect(gap.effective == nil && text(gap).contains("nothing that it followed comes back"))
        #expect(text(gap).contains("no statement in force speaks then"))
    }

    @Test("Nobody said anything: there is no status, and a first statement would give one")
    func nothing() throws {
        let explanation = try explain(.joint(writers: [TestAlliance.id("pk")]), [("pk", [])])
        #expect(explanation.effective == nil && explanation.changes == ["a first statement on K by Pakistan"])
    }

    @Test("Jointly: the conflict, who must agree, and what ends it")
    func joint() throws {
        var (pk, sv) = (try alliance.log(), try alliance.log(of: "sv"))
        let strict = try pk.licence("K", "revoked")
        let mild = try sv.licence("K", supersedes: [HashValue.sha256(strict)])
        let writers = MergeRule.joint(writers: ["pk", "sv"].map(TestAlliance.id))
        let conflict = try explain(writers, [("pk", [strict]), ("sv", [mild])])
        #expect(conflict.isConflict && conflict.effective?.attestation.status == "revoked")
        #expect(text(conflict).contains("and Pakistan has not endorsed it"))
        #expect(conflict.changes.contains { $0.hasPrefix("Pakistan endorses entry 3 of El Salvador") })
        #expect(conflict.changes.contains { $0.contains("ends the conflict") })
        let endorsement = PlacedEndorsement(
            member: TestAlliance.id("pk"), index: 9,
            endorsement: Endorsement(
                identity: HashValue.sha256(mild), member: TestAlliance.id("sv"), register: "vasp-licences", key: "K",
                type: .adopts))
        let settled = try explain(writers, [("pk", [strict]), ("sv", [mild])], [endorsement])
        #expect(!settled.isConflict && settled.effective?.attestation.status == "authorised")
        #expect(text(settled).contains("entry 3 of Pakistan is superseded by entry 3 of El Salvador"))
    }

    @Test("By K: how many endorse it, how many are missing, and what would un-adopt it")
    func byCount() throws {
        var log = try alliance.log()
        let proposal = try log.licence("K")
        func endorsement(_ member: String) -> PlacedEndorsement {
            PlacedEndorsement(
                member: TestAlliance.id(member), index: 5,
                endorsement: Endorsement(
                    identity: HashValue.sha256(proposal), member: TestAlliance.id("pk"), register: "vasp-licences",
                    key: "K", type: .recognises))
        }
        let proposed = try explain(.by(count: 2), [("pk", [proposal])], [endorsement("sv")])
        #expect(proposed.effective == nil && text(proposed).contains("1 of 2 needed: proposed only"))
        #expect(
            proposed.changes.contains(
                "1 more member endorses entry 3 of Pakistan: then it is adopted "
                    + "(entente endorse vasp-licences K --member pk --index 3)"))
        let adopted = try explain(.by(count: 2), [("pk", [proposal])], [endorsement("sv"), endorsement("us")])
        #expect(adopted.effective?.attestation.status == "authorised")
        #expect(text(adopted).contains("endorsed by El Salvador and United States, 2 of 2 needed: adopted"))
        #expect(
            adopted.changes.contains {
                $0.contains("no longer adopted (entente endorse vasp-licences K --member pk --index 3 --take-back)")
            })
    }

    @Test("A key with signs that mean something to a shell is quoted in the commands that are named")
    func quoted() throws {
        var log = try alliance.log()
        let proposal = try log.licence("it's; a b")
        let explanation = Explanation(
            register: "vasp-licences", key: "it's; a b", rule: .by(count: 1),
            testimonies: [
                Explanation.Testimony(
                    member: try alliance.member("pk"),
                    steps: [PlacedStatement(index: 3, statement: try Statement(parsing: proposal))])
            ], endorsements: [], definition: definition, at: Timestamp(seconds: Self.start),
            members: alliance.charter.charter.members)
        let command = #"entente endorse vasp-licences 'it'\''s; a b' --member pk --index 3"#
        #expect(explanation.changes.contains { $0.contains(command) })
    }
}

import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// Statements of several members on one key, made by hand: a log's own rules have been applied to them already.
struct Voices {
    private var logs: [String: MemoryLog] = [:]
    private let alliance: TestAlliance
    private var index: UInt64 = 0

    init() throws { alliance = try TestAlliance() }

    mutating func licence(
        _ member: String, _ status: String, from: Int64 = TestAlliance.start, until: Int64? = nil,
        over old: [MemberVoice] = [], unseen: [HashValue] = []
    ) throws -> MemberVoice {
        var log = try logs[member] ?? alliance.log(of: member)
        defer { logs[member] = log }
        index += 1
        let statement = try Statement(
            parsing: log.licence("K", status, from: from, until: until, supersedes: old.map(\.identity) + unseen))
        let placed = try #require(PlacedAttestation(index: index, statement: statement))
        return MemberVoice(member: TestAlliance.id(member), placed: placed)
    }

    mutating func endorsement(
        _ member: String, of voice: MemberVoice, _ type: Endorsement.Kind = .adopts
    ) -> PlacedEndorsement {
        index += 1
        return PlacedEndorsement(
            member: TestAlliance.id(member), index: index,
            endorsement: Endorsement(
                identity: voice.identity, member: voice.member, register: "vasp-licences", key: "K", type: type))
    }
}

@Suite("Joint registers")
struct JointViewTests {
    private static let start = TestAlliance.start
    let definition: RegisterDefinition
    var voices: Voices

    init() throws {
        definition = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        voices = try Voices()
    }

    private func join(
        _ all: [MemberVoice], _ endorsements: [PlacedEndorsement] = [], writers: [String] = ["pk", "sv", "us"]
    ) -> JointView {
        JointView(all, writers: writers.map(TestAlliance.id), endorsements: endorsements, definition: definition)
    }

    private func status(_ view: JointView, at time: Int64 = start) -> (String?, conflict: Bool) {
        let choice = JointChoice(at: time, of: view.inForce, definition: definition)
        return (choice.effective?.attestation.status, choice.isConflict)
    }

    @Test("Several in force are a conflict, and the most restrictive prevails, until one statement supersedes all")
    mutating func conflict() throws {
        let a = try voices.licence("pk", "authorised")
        let b = try voices.licence("sv", "suspended")
        #expect(status(join([a, b])) == ("suspended", true))
        let c = try voices.licence("us", "revoked", over: [a, b])
        let view = join([a, b, c])
        #expect(view.inForce.map(\.identity) == [c.identity] && view.superseded.count == 2)
        #expect(status(view) == ("revoked", false))
        // Superseding one side leaves the other, and so the conflict.
        let half = try voices.licence("us", "revoked", over: [a])
        #expect(status(join([a, b, half])) == ("revoked", true))
        // A later start does not silence another member.
        let later = try voices.licence("us", "authorised", from: Self.start + 5)
        #expect(status(join([b, later]), at: Self.start + 10) == ("suspended", true))
    }

    @Test("A status that the vocabulary does not have is the most restrictive; of equals the lowest identity is shown")
    mutating func ranks() throws {
        let odd = try voices.licence("pk", "splendid")
        let revoked = try voices.licence("sv", "revoked")
        #expect(status(join([odd, revoked])).0 == "splendid")
        let same = try voices.licence("us", "revoked")
        let lowest = min(revoked.identity, same.identity)
        let choice = JointChoice(at: Self.start, of: join([revoked, same]).inForce, definition: definition)
        #expect(choice.effective?.identity == lowest)
    }

    @Test("Less restrictive over another's takes that author's endorsement of exactly the new statement")
    mutating func endorsement() throws {
        let strict = try voices.licence("pk", "revoked")
        let mild = try voices.licence("sv", "authorised", over: [strict])
        let view = join([strict, mild])
        #expect(status(view) == ("revoked", true))
        #expect(view.unendorsed.map(\.by.identity) == [mild.identity])
        let agreed = voices.endorsement("pk", of: mild)
        #expect(status(join([strict, mild], [agreed])) == ("authorised", false))
        // Another member's word, a mere note, and an endorsement of something else are none.
        for wrong in [
            voices.endorsement("us", of: mild), voices.endorsement("pk", of: mild, .notes),
            voices.endorsement("pk", of: strict),
        ] {
            #expect(status(join([strict, mild], [wrong])) == ("revoked", true))
        }
        // Equally restrictive needs none.
        let equal = try voices.licence("sv", "revoked", over: [strict])
        #expect(join([strict, equal]).inForce.map(\.identity) == [equal.identity])
    }

    @Test("What superseded holds only as long as it is in force itself, along any chain")
    mutating func chains() throws {
        let a = try voices.licence("pk", "authorised")
        let b = try voices.licence("sv", "suspended", over: [a])
        let c = try voices.licence("us", "revoked", over: [b])
        #expect(Set(join([a, b, c]).inForce.map(\.identity)) == [a.identity, c.identity])
        // Its author took b back.
        #expect(Set(join([a, c]).inForce.map(\.identity)) == [a.identity, c.identity])
        #expect(join([a, c]).unresolved == [b.identity])
        // A reference to what has not come yet means nothing, and counts once it comes.
        #expect(join([c]).inForce.count == 1 && join([b, c]).inForce.map(\.identity) == [c.identity])
    }

    @Test("Who is no writer has no effect")
    mutating func writers() throws {
        let a = try voices.licence("pk", "authorised")
        let stranger = try voices.licence("imf", "revoked", over: [a])
        let view = join([a, stranger])
        #expect(view.inForce.map(\.identity) == [a.identity] && view.notWriters.map(\.identity) == [stranger.identity])
    }

    @Test("Equal sets give equal views, and a literal reading of the rules agrees", arguments: UInt64(0)..<400)
    mutating func anyOrder(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        var all: [MemberVoice] = []
        var endorsements: [PlacedEndorsement] = []
        for _ in 0..<Int.random(in: 1...9, using: &random) {
            let old = all.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }
            let member = ["pk", "sv", "us", "imf"].randomElement(using: &random) ?? "pk"
            let status = ["authorised", "suspended", "revoked", "odd"].randomElement(using: &random) ?? "odd"
            let voice = try voices.licence(member, status, over: old, unseen: [HashValue.sha256("unseen \(seed)")])
            // As its log would have it: what supersedes one's own takes that out of the row.
            all.removeAll { one in one.member == voice.member && old.contains { $0.identity == one.identity } }
            all.append(voice)
            if Bool.random(using: &random) {
                let by = ["pk", "sv", "us"].randomElement(using: &random) ?? "pk"
                endorsements.append(voices.endorsement(by, of: voice, Bool.random(using: &random) ? .adopts : .notes))
            }
        }
        let view = join(all, endorsements)
        for _ in 0..<3 {
            let other = join(all.shuffled(using: &random), endorsements.shuffled(using: &random) + endorsements)
            #expect(other.inForce.map(\.identity) == view.inForce.map(\.identity))
            #expect(other.superseded.map(\.by.identity) == view.superseded.map(\.by.identity))
            #expect(other.unendorsed.map(\.old.identity) == view.unendorsed.map(\.old.identity))
            #expect(other.unresolved == view.unresolved)
        }
        let written = all.filter { $0.member != TestAlliance.id("imf") }
        #expect(Set(view.inForce.map(\.identity)) == Set(literal(written, endorsements).map(\.identity)))
    }

    /// The rule word by word, by recursion: in force is what nothing in force effectively supersedes.
    private func literal(_ all: [MemberVoice], _ endorsements: [PlacedEndorsement]) -> [MemberVoice] {
        func isInForce(_ one: MemberVoice) -> Bool {
            !all.contains { other in
                guard other.member != one.member, other.attestation.supersedes.contains(one.identity),
                    isInForce(other)
                else { return false }
                let ranks = [one, other].map { definition.restrictiveness(of: $0.attestation.status) }
                let agreed = endorsements.contains {
                    $0.member == one.member && $0.endorsement.identity == other.identity
                        && $0.endorsement.type != .notes
                }
                return ranks[1] >= ranks[0] || agreed
            }
        }
        return all.filter(isInForce)
    }
}

@Suite("Registers by K")
struct AdoptedViewTests {
    var voices: Voices

    init() throws { voices = try Voices() }

    @Test("A proposal is adopted by K others' endorsements of exactly it, and fewer un-adopt it")
    mutating func adoption() throws {
        let proposal = try voices.licence("pk", "authorised")
        let other = try voices.licence("pk", "revoked")
        let (sv, us) = (voices.endorsement("sv", of: proposal), voices.endorsement("us", of: proposal, .recognises))
        func adopted(_ endorsements: [PlacedEndorsement]) -> [HashValue] {
            AdoptedView([other, proposal], needed: 2, endorsements: endorsements).adopted.map(\.identity)
        }
        #expect(adopted([sv, us]) == [proposal.identity] && adopted([us, sv, sv]) == [proposal.identity])
        #expect(adopted([sv]).isEmpty && adopted([sv, sv]).isEmpty)
        #expect(adopted([sv, voices.endorsement("pk", of: proposal)]).isEmpty)
        #expect(adopted([sv, voices.endorsement("us", of: other)]).isEmpty)
        #expect(adopted([sv, voices.endorsement("us", of: proposal, .notes)]).isEmpty)
        let view = AdoptedView([proposal], needed: 2, endorsements: [us, sv])
        #expect(view.proposals[0].endorsers == [TestAlliance.id("sv"), TestAlliance.id("us")])
    }
}

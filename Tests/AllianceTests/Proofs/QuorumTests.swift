import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Quorums and policies")
struct QuorumTests {
    let alliance: TestAlliance
    var log: MemoryLog
    static let start = TestAlliance.start

    init() throws {
        alliance = try TestAlliance()
        log = try alliance.log()
        try log.begin()
    }

    private func judge(
        _ cosigned: [(member: String, time: Int64)], now: Int64 = start + 1_000, by charter: Charter? = nil
    ) throws -> QuorumJudgement {
        let note = try log.note(cosigned: cosigned)
        return QuorumJudge(charter: charter ?? alliance.charter.charter, owner: log.member.id)
            .judge(note.text, signatures: note.signatures, now: now)
    }

    @Test("Times: the q-th newest says how long it still held, the q-th earliest since when")
    func times() throws {
        let all = try judge([("sv", Self.start), ("us", Self.start + 10), ("imf", Self.start + 20)])
        #expect(all.isReached && all.needed == 2 && all.holders.map(\.member.name) == ["sv", "us", "imf"])
        #expect(all.stillSo == Self.start + 10 && all.heldSince == Self.start + 10)
        let refreshed = try judge([("sv", Self.start), ("us", Self.start + 1), ("sv", Self.start + 900)])
        #expect(refreshed.holders.count == 2)
        #expect(refreshed.stillSo == Self.start + 1 && refreshed.heldSince == Self.start + 1)
    }

    @Test("One member alone is no quorum, however often it signs, and the owner never counts")
    func distinct() throws {
        #expect(try !judge([]).isReached)
        #expect(try !judge([("sv", Self.start)]).isReached)
        #expect(try !judge([("sv", Self.start), ("sv", Self.start + 1), ("sv", Self.start + 2)]).isReached)
        let own = try judge([("sv", Self.start), ("pk", Self.start)])
        #expect(!own.isReached && own.holders.map(\.member.name) == ["sv"] && own.stillSo == nil)
    }

    @Test("Members that are suspended or have no replica key do not count")
    func inactive() throws {
        var charter = alliance.charter.charter
        charter.members[1].standing = .suspended
        #expect(try !judge([("sv", Self.start), ("us", Self.start)], by: charter).isReached)
        charter.members[1].standing = .active
        charter.members[2].replica = nil
        #expect(try !judge([("sv", Self.start), ("us", Self.start)], by: charter).isReached)
        #expect(try judge([("sv", Self.start), ("imf", Self.start)], by: charter).isReached)
    }

    @Test("Times more than 300 s ahead of the clock count as held, but not as times")
    func futures() throws {
        let edge = try judge([("sv", Self.start + 300), ("us", Self.start + 300)], now: Self.start)
        #expect(edge.stillSo == Self.start + 300)
        let ahead = try judge([("sv", Self.start + 301), ("us", Self.start)], now: Self.start)
        #expect(ahead.isReached && ahead.stillSo == nil && ahead.heldSince == nil)
        let farthest = try judge([("sv", Int64.max), ("us", Int64.max)], now: Int64.max)
        #expect(farthest.stillSo == Int64.max)
        #expect(try judge([("sv", Int64.max), ("us", 0)], now: Int64.min).stillSo == nil)
    }

    @Test("A line in a known key's name that does not verify refuses the quorum")
    func invalid() throws {
        let other = try log.note(size: 2, cosigned: [("us", Self.start)])
        let note = try log.note(cosigned: [("sv", Self.start), ("imf", Self.start)])
        let judged = QuorumJudge(charter: alliance.charter.charter, owner: log.member.id)
            .judge(note.text, signatures: note.signatures + [other.signatures[1]], now: Self.start)
        #expect(judged.invalid == [TestAlliance.id("us")] && !judged.isReached && judged.stillSo == nil)
    }

    @Test("The policy file accepts what the judge accepts")
    mutating func policy() throws {
        let policy = try TLogPolicy(charter: alliance.charter.charter, owner: log.member.id)
        #expect(try TLogPolicy(parsing: policy.bytes) == policy)
        let text = String(decoding: policy.bytes, as: UTF8.self)
        #expect(text.contains("group quorum 2 sv.replica us.replica imf.replica\nquorum quorum\n"))
        try log.publish([try log.licence("PK-1")])
        let proof = try log.proof("PK-1")
        let evaluation = try proof.log.verify(leaf: MerkleTree.leafHash(proof.state.bytes), policy: policy)
        #expect(evaluation.isQuorumReached)
        let few = try log.proof("PK-1", cosigned: [("sv", Self.start), ("pk", Self.start)])
        #expect(throws: TransparencyLogError.self) {
            try few.log.verify(leaf: MerkleTree.leafHash(few.state.bytes), policy: policy)
        }
        #expect(throws: AllianceError.self) { try TLogPolicy(charter: alliance.charter.charter, owner: "did:web:xx") }
    }
}

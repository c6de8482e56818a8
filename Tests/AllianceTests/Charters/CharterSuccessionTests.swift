import Crypto
import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// The cases of TUF's specification for a new root (5.3), and ours, in our words.
@Suite("Charters that follow one another")
struct CharterSuccessionTests {
    let first: SignedCharter
    let chain: CharterChain

    init() throws {
        first = try TestCharters.first()
        chain = try TestCharters.chain(first)
    }

    private func refusal(_ signed: SignedCharter, of chain: CharterChain? = nil) -> CharterRefusal.Code? {
        var chain = chain ?? self.chain
        let before = chain
        do {
            try chain.add(signed)
            return nil
        } catch {
            #expect(chain == before, "a refusal changes nothing")
            #expect(!error.reason.isEmpty)
            return error.code
        }
    }

    @Test("A successor with the threshold of both versions is in force")
    func good() throws {
        let second = try TestCharters.next(first) { $0.expires = Timestamp(seconds: $0.expires.seconds + 1) }
        var chain = chain
        #expect(try chain.add(second) == .added)
        #expect(chain.current.charter.version == 2)
        #expect(chain.current.alliance == first.digest)
        #expect(try chain.add(second) == .known, "the same again changes nothing")
        let third = try TestCharters.next(second, by: ["sv", "us"])
        try chain.add(third)
        #expect(chain.versions.map(\.charter.version) == [1, 2, 3])
        #expect(chain.version(2)?.digest == second.digest)
    }

    @Test("Too few signers: one regulator, an observer beside, strangers")
    func tooFew() throws {
        #expect(refusal(try TestCharters.next(first, by: ["pk"])) == .tooFewSigners)
        #expect(refusal(try TestCharters.next(first, by: ["pk", "imf"])) == .tooFewSigners)
        let next = try TestCharters.after(first)
        let stranger = Signer(
            member: TestAlliance.id("sv"), keyName: "root-9", key: TestKey.privateKey("nobody"))
        #expect(refusal(try TestCharters.sign(next, with: [TestAlliance.root("pk"), stranger])) == .tooFewSigners)
    }

    @Test("A member counts once, when its own k root keys signed")
    func ownThreshold() throws {
        let first = try TestCharters.first()
        let second = try TestCharters.next(first) { charter in
            charter.members[1].rootThreshold = 2
            charter.cuts = [try TestCharters.cut("sv", at: 0)]
        }
        // Under version 1 one of El Salvador's keys is enough, under its own two are due.
        #expect(refusal(second) == .tooFewSigners)
        let content = second.unverified
        let both = [TestAlliance.root("pk"), TestAlliance.root("sv"), TestAlliance.root("sv", 2)]
        #expect(refusal(try TestCharters.sign(content, with: both)) == nil)
        let twoOfOne = [TestAlliance.root("pk"), TestAlliance.root("pk", 2)]
        #expect(refusal(try TestCharters.sign(try TestCharters.after(first), with: twoOfOne)) == .tooFewSigners)
    }

    @Test("One key that signs twice, and a signature that does not verify")
    func badSignatures() throws {
        let good = try TestCharters.next(first)
        let text = String(decoding: good.bytes, as: UTF8.self)
        let value = try JSONValue.parse(good.bytes)
        let signatures = try #require(value["signatures"]?.array)
        let twice: JSONValue = [
            "payload": try #require(value["payload"]), "signatures": .array(signatures + [signatures[0]]),
        ]
        #expect(refusal(try SignedCharter(parsing: twice.encodedForReading())) == .repeatedSigner)
        let one = try #require(signatures[0]["signature"]?.string)
        let other = try #require(signatures[1]["signature"]?.string)
        let swapped = text.split(separator: one, omittingEmptySubsequences: false).joined(separator: other)
        #expect(refusal(try SignedCharter(parsing: Array(swapped.utf8))) == .badSignature)
    }

    @Test("Rotated root keys: the old keys count for the version before, the new ones for their own")
    func rotation() throws {
        let second = try TestCharters.after(first) { charter in
            for position in 0..<2 {
                let name = charter.members[position].name
                charter.members[position].rootKeys = [
                    RootKey(name: "root-3", key: try TestKey.signingKey("\(name) root-3"))
                ]
                charter.cuts.append(try TestCharters.cut(name, at: 0))
            }
        }
        let old = ["pk", "sv"].map { TestAlliance.root($0) }
        let new = ["pk", "sv"].map { TestAlliance.root($0, 3) }
        #expect(refusal(try TestCharters.sign(second, with: old)) == .tooFewSigners, "the new keys are not shown")
        #expect(refusal(try TestCharters.sign(second, with: new)) == .tooFewSigners, "the old keys did not consent")
        let signed = try TestCharters.sign(second, with: old + new)
        var chain = chain
        try chain.add(signed)
        // From now on an old key is nothing.
        #expect(refusal(try TestCharters.next(signed), of: chain) == .tooFewSigners)
        #expect(refusal(try TestCharters.sign(try TestCharters.after(signed), with: new), of: chain) == nil)
    }

    @Test("Skipped, rolled back, of another branch")
    func order() throws {
        let second = try TestCharters.next(first) { $0.alliance = "Second" }
        let third = try TestCharters.next(second)
        #expect(refusal(third) == .skipped)
        var chain = chain
        try chain.add(second)
        try chain.add(third)
        let other = try TestCharters.next(first, by: ["us"]) { $0.alliance = "Other" }
        #expect(refusal(other, of: chain) == .tooFewSigners)
        let afterOther = try TestCharters.next(other)
        #expect(refusal(afterOther, of: chain) == .rolledBack)
        let wrongVersion = try TestCharters.sign(
            try TestCharters.after(first) {
                $0.version = 3
            }, by: ["pk", "sv"])
        #expect(refusal(wrongVersion) == .skipped)
        let otherFirst = try TestCharters.first { $0.alliance = "Another" }
        #expect(refusal(otherFirst, of: chain) == .rolledBack)
    }

    static let contradictions: [(String, CharterRefusal.Code, @Sendable (inout Charter) throws -> Void)] = [
        (
            "a member is left out", .selfContradicting,
            { charter in
                charter.members.removeLast()
                charter.quorum = 2
            }
        ),
        ("a short name changes", .selfContradicting, { $0.members[0].name = "pak" }),
        ("suspended without a cut", .cutMissing, { $0.members[2].standing = .suspended }),
        (
            "another role without a cut", .cutMissing,
            { charter in
                charter.members[3].role = .regulator
                charter.threshold = 3
            }
        ),
        ("root keys change without a cut", .cutMissing, { $0.members[0].rootKeys.removeLast() }),
        ("another key threshold without a cut", .cutMissing, { $0.members[0].rootThreshold = 2 }),
        (
            "a root key's name is used again", .selfContradicting,
            { charter in
                charter.members[0].rootKeys[1] = RootKey(name: "root-2", key: try TestKey.signingKey("new"))
                charter.cuts = [try TestCharters.cut("pk", at: 0)]
            }
        ),
        (
            "a new log key under the old origin", .selfContradicting,
            { charter in
                charter.members[0].log = try VerifierKey(
                    name: charter.members[0].log.name, type: .ed25519,
                    publicKey: TestKey.privateKey("new log").publicKey)
                charter.cuts = [try TestCharters.cut("pk", at: 0)]
            }
        ),
        (
            "one member's key becomes another's", .selfContradicting,
            { charter in
                charter.members[1].replica = nil
                charter.members[0].replica = try TestAlliance.cosigner("sv").verifierKey
            }
        ),
        ("a cut for no log", .selfContradicting, { $0.cuts = [try TestCharters.cut("de", at: 7)] }),
    ]

    @Test("What contradicts the version before", arguments: contradictions.indices)
    func contradiction(_ index: Int) throws {
        let (name, code, edit) = Self.contradictions[index]
        let next = try TestCharters.next(first, by: ["pk", "sv", "us"], edit)
        #expect(refusal(next) == code, "\(name)")
    }

    @Test("What a charter cannot say at all")
    func malformed() throws {
        let root = HashValue.sha256("x")
        let origin = try TestCharters.cut("pk", at: 1).origin
        for cuts in [
            [CharterCut(origin: origin, size: 1, root: root), CharterCut(origin: origin, size: 2, root: root)],
            [CharterCut(origin: origin, size: 0, root: root)], [CharterCut(origin: "Ä", size: 1, root: root)],
        ] {
            #expect(throws: AllianceError.self) { try TestCharters.next(first) { $0.cuts = cuts } }
        }
        #expect(throws: AllianceError.self) {
            try TestCharters.first { $0.cuts = [try TestCharters.cut("pk", at: 1)] }
        }
    }

    @Test("Cuts never go back, along the whole chain")
    func cutsGrow() throws {
        let second = try TestCharters.next(first) { charter in
            charter.members[2].standing = .suspended
            charter.cuts = [try TestCharters.cut("us", at: 10)]
        }
        let third = try TestCharters.next(second)
        var chain = chain
        try chain.add(second)
        try chain.add(third)
        let back = try TestCharters.next(third) { charter in
            charter.members[2].standing = .active
            charter.cuts = [try TestCharters.cut("us", at: 9)]
        }
        #expect(refusal(back, of: chain) == .rolledBack)
        let on = try TestCharters.next(third) { charter in
            charter.members[2].standing = .active
            charter.cuts = [try TestCharters.cut("us", at: 12)]
        }
        #expect(refusal(on, of: chain) == nil)
    }

    @Test("A payload of version 2 reads back byte for byte, cuts included")
    func roundTrip() throws {
        let second = try TestCharters.next(first) { charter in
            charter.members[2].standing = .removed
            charter.cuts = [try TestCharters.cut("us", at: 10), try TestCharters.cut("pk", at: 0)]
        }
        #expect(try Charter(payload: second.payload).payload() == second.payload)
        #expect(try Charter(payload: second.payload).cuts.map(\.size) == [10, 0])
    }
}

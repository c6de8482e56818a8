import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("The chain of charters")
struct CharterChainTests {
    let first: SignedCharter

    init() throws { first = try TestCharters.first { $0.threshold = 2 } }

    private func named(_ name: String, after parent: SignedCharter, by: [String]) throws -> SignedCharter {
        try TestCharters.next(parent, by: by) { $0.alliance = name }
    }

    /// Offers what is refused again until nothing more is taken, as gossip does.
    private func arrive(_ order: [SignedCharter]) throws -> CharterChain {
        var chain = CharterChain(try first.verifyFirst())
        var waiting = order
        var count = 0
        while waiting.count != count {
            count = waiting.count
            waiting = waiting.filter { one in
                do {
                    try chain.add(one)
                    return false
                } catch { return true }
            }
        }
        return chain
    }

    @Test("Of two valid successors none is in force until a later version names one, without those who signed both")
    func contest() throws {
        let a = try named("A", after: first, by: ["pk", "sv"])
        let b = try named("B", after: first, by: ["pk", "us"])
        var chain = try TestCharters.chain(first, a)
        #expect(chain.current.digest == a.digest)
        try chain.add(b)
        #expect(chain.current.charter.version == 1 && chain.isContested)
        #expect(Set(chain.alternatives.map(\.digest)) == [a.digest, b.digest])
        // Pakistan signed both, so its signature does not count for the way out.
        try chain.add(try named("A3", after: a, by: ["pk", "sv"]))
        #expect(chain.isContested)
        let out = try named("B3", after: b, by: ["sv", "us"])
        try chain.add(out)
        #expect(!chain.isContested && chain.current.digest == out.digest)
        #expect(chain.version(2)?.digest == b.digest)
        // What follows the loser goes nowhere any more.
        let lost = try named("A4", after: try named("A3", after: a, by: ["pk", "sv"]), by: ["pk", "sv"])
        try chain.add(lost)
        #expect(chain.current.digest == out.digest)
    }

    @Test("Who changed their root keys in one of two successors still has a say in settling them")
    func rotatedKeysSettle() throws {
        let draft = try TestCharters.after(first) { charter in
            for position in 1...2 {
                let name = charter.members[position].name
                charter.members[position].rootKeys = [
                    RootKey(name: "root-3", key: try TestKey.signingKey("\(name) root-3"))
                ]
                charter.cuts.append(try TestCharters.cut(name, at: 0))
            }
        }
        let (pk, old) = (TestAlliance.root("pk"), ["sv", "us"].map { TestAlliance.root($0) })
        let new = ["sv", "us"].map { TestAlliance.root($0, 3) }
        let a = try TestCharters.sign(draft, with: [pk, old[0]] + new)
        var chain = try TestCharters.chain(first, a)
        try chain.add(try named("B", after: first, by: ["pk", "us"]))
        #expect(chain.isContested)
        let out = try TestCharters.sign(try TestCharters.after(a) { $0.alliance = "A3" }, with: [pk] + old + new)
        try chain.add(out)
        #expect(!chain.isContested && chain.current.digest == out.digest)
    }

    @Test("Two ways out that name different successors are none; a third without their signers is")
    func twoWaysOut() throws {
        let first = try TestCharters.first { charter in
            charter.members[3].role = .regulator
            charter.threshold = 3
        }
        let a = try named("A", after: first, by: ["pk", "sv", "us"])
        let b = try named("B", after: first, by: ["pk", "sv", "imf"])
        var chain = try TestCharters.chain(first, a, b)
        #expect(chain.isContested)
        // Two honest ones are left of four, and three are needed: it stays so.
        try chain.add(try named("A3", after: a, by: ["us", "imf", "pk"]))
        try chain.add(try named("B3", after: b, by: ["us", "imf", "sv"]))
        #expect(chain.isContested && chain.current.digest == first.digest)
    }

    @Test("Every order of arrival gives the same, byte for byte")
    func permutations() throws {
        let a = try named("A", after: first, by: ["pk", "sv"])
        let aWithAll = try TestCharters.sign(a.unverified, by: ["us", "sv", "pk"])
        let b = try named("B", after: first, by: ["pk", "us"])
        let a3 = try named("A3", after: a, by: ["pk", "us"])
        let b3 = try named("B3", after: b, by: ["sv", "us"])
        let b4 = try named("B4", after: b3, by: ["pk", "us"])
        let sets = [
            [a, b, b3, b4], [a, aWithAll, b, b3], [a, a3, b, b3, b4], [aWithAll, a3, b, b3],
        ]
        var counted = 0
        for set in sets {
            var outcome: CharterChain?
            for order in Self.permutations(set) {
                let chain = try arrive(order)
                if let outcome { #expect(chain == outcome) } else { outcome = chain }
                if let outcome { #expect(chain.all.map(\.file) == outcome.all.map(\.file)) }
                counted += 1
            }
        }
        #expect(counted == 24 + 24 + 120 + 24)
    }

    static func permutations<Element>(_ items: [Element]) -> [[Element]] {
        guard items.count > 1 else { return [items] }
        return items.indices.flatMap { index in
            var rest = items
            let one = rest.remove(at: index)
            return permutations(rest).map { [one] + $0 }
        }
    }

    @Test("Signatures of several files of one charter come together")
    func gathering() throws {
        let content = try TestCharters.after(first)
        let one = try TestCharters.sign(content, by: ["pk"])
        let two = try TestCharters.sign(content, by: ["sv"])
        let other = try named("Other", after: first, by: ["us"])
        let both = one.gathered(with: [two, other], under: [first.unverified, content])
        #expect(both.bytes == two.gathered(with: [one], under: [first.unverified, content]).bytes)
        var chain = try TestCharters.chain(first)
        #expect(throws: CharterRefusal.self) { try chain.add(one) }
        try chain.add(both)
        #expect(chain.current.charter.version == 2)
    }

    @Test("A charter of any version can be pinned: later ones follow the thresholds, earlier ones the digests")
    func pinning() throws {
        let second = try named("Two", after: first, by: ["pk", "sv"])
        let third = try named("Three", after: second, by: ["us", "sv"])
        let fourth = try named("Four", after: third, by: ["us", "pk"])
        let chain = try CharterChain(assembling: [fourth, second, first, third], pinned: third.digest)
        #expect(chain.versions.map(\.charter.version) == [1, 2, 3, 4])
        #expect(chain == (try CharterChain(assembling: [first, second, third, fourth])))
        #expect(throws: CharterRefusal.self) { try CharterChain(assembling: [first, third], pinned: third.digest) }
        #expect(throws: CharterRefusal.self) { try CharterChain(assembling: [second, third]) }
        // A forged branch of earlier versions is not what the pinned one names.
        let forged = try named("Forged", after: first, by: ["pk", "us"])
        let pinned = try CharterChain(assembling: [first, forged, second, third], pinned: third.digest)
        #expect(pinned.version(2)?.digest == second.digest)
    }

    @Test("As many charters of one version as anyone likes are not kept")
    func limit() throws {
        var chain = try TestCharters.chain(first)
        for number in 0..<CharterChain.alternativeLimit {
            try chain.add(try named("Version 2.\(number)", after: first, by: ["pk", "sv"]))
        }
        let more = try named("one more", after: first, by: ["pk", "sv"])
        let error = #expect(throws: CharterRefusal.self) { try chain.add(more) }
        #expect(error?.code == .tooMany)
    }

    @Test("What would change, in words")
    func diff() throws {
        let next = try TestCharters.after(first) { charter in
            charter.members[2].standing = .suspended
            charter.members[0].addresses = ["https://new.example:1"]
            charter.members.append(try TestAlliance.member("jp", "Japan", "JP", "Asia/Tokyo"))
            charter.cuts = [try TestCharters.cut("us", at: 12)]
            charter.registers.removeLast()
        }
        let diff = CharterDiff(from: first.unverified, to: next)
        let text = diff.changes.map(\.text)
        #expect(
            text.contains(
                "United States is suspended: what its log says from entry 12 on does not count; what it said before stands."
            ))
        #expect(text.contains { $0.hasPrefix("Japan (did:web:jp.alliance.example) joins as a regulator") })
        #expect(text.contains { $0.contains("Pakistan's nodes are reached at https://new.example:1") })
        #expect(text.contains { $0.contains("is no longer shared") })
        #expect(diff.changes.count == 4)
        #expect(diff.json["changes"]?.array?.count == 4)
        #expect(CharterDiff(from: first.unverified, to: first.unverified).changes.isEmpty)
    }
}

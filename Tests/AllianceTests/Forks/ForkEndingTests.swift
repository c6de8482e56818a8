import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// Where counting in a forked log ends: the same whoever told what first.
@Suite("The end of counting in a forked log")
struct ForkEndingTests {
    let key: VerifierKey
    let quorum: ReplicaQuorum
    let signer: NoteSigner
    let names = ["sv", "us", "jp", "ae"]

    init() throws {
        signer = try TestAlliance.noteSigner("pk")
        key = signer.verifierKey
        quorum = ReplicaQuorum(
            needed: 3,
            replicas: try names.map {
                ReplicaQuorum.Replica(
                    member: TestAlliance.id($0), key: try TestAlliance.cosigner($0).verifierKey)
            })
    }

    private func note(_ size: UInt64, _ story: String = "one", by members: [String]) throws -> SignedNote {
        let checkpoint = try Checkpoint(origin: key.name, size: size, root: HashValue.sha256("\(story) \(size)"))
        let lines = try members.map { try TestAlliance.cosigner($0).sign(checkpoint.text, at: 1_000 + size) }
        return try SignedNote(text: checkpoint.text, signatures: [signer.sign(checkpoint.text)] + lines)
    }

    private func otherLog() throws -> SignedNote {
        let checkpoint = try Checkpoint(origin: "sv.alliance.example/log", size: 3, root: .zero)
        return try SignedNote(text: checkpoint.text, signatures: [TestAlliance.noteSigner("sv").sign(checkpoint.text)])
    }

    private func empty(_ quorums: [ReplicaQuorum]? = nil, cut: CharterCut? = nil, limit: Int = 16) -> ForkEnding {
        ForkEnding(key: key, quorums: quorums ?? [quorum], cut: cut, limit: limit)
    }

    private func verify(_ key: VerifierKey, _ text: [UInt8], _ line: NoteSignature) -> Bool {
        if key.type == .cosignatureEd25519 { return (try? CosignatureSigner.verify(line, key: key, text: text)) != nil }
        return (try? SignedNote(text: text, signatures: [line]).verify([key])) != nil
    }

    private func head(_ ending: ForkEnding, _ note: SignedNote) throws -> ForkEnding.Head {
        try ending.head(note, isTrue: verify)
    }

    @Test("The largest head with a quorum is the end, however its cosignatures come together")
    func largestQuorum() throws {
        var ending = empty()
        #expect(ending.end == nil, "nothing is final")
        let parts = [try note(8, by: ["sv"]), try note(8, by: ["us"]), try note(8, by: ["ae", "us"])]
        for part in parts.dropLast() { ending.add(try head(ending, part)) }
        #expect(ending.end == nil && ending.waiting.map(\.size) == [8])
        let isNew = ending.add(try head(ending, parts[2]))
        #expect(isNew && ending.end?.size == 8 && ending.waiting.isEmpty)
        // A larger one on the other branch, and one that nobody else holds.
        ending.add(try head(ending, try note(12, "two", by: ["sv", "us"])))
        #expect(ending.end?.size == 8 && ending.waiting.map(\.size) == [12])
        ending.add(try head(ending, try note(11, by: ["jp", "ae", "sv"])))
        #expect(ending.end?.size == 11 && ending.waiting.map(\.size) == [12])
        let isOld = ending.add(try head(ending, try note(8, by: names)))
        #expect(!isOld && ending.end?.size == 11)
        // What is told reads back.
        var again = empty()
        for head in ending.heads { again.add(try self.head(again, SignedNote(parsing: head.note))) }
        #expect(again.known == ending.known)
    }

    @Test("The owner, strangers, and one member with two lines do not make a quorum; a false line is refused")
    func whoCounts() throws {
        var ending = empty()
        ending.add(try head(ending, try note(8, by: ["pk", "sv", "us"])))
        ending.add(try head(ending, try note(8, by: ["kz", "sv", "us"])))
        #expect(ending.end == nil && ending.waiting[0].cosignatures.count == 2)
        let good = try note(8, by: ["jp"])
        let other = try note(9, by: ["jp"])
        let forged = try SignedNote(text: good.text, signatures: [good.signatures[0], other.signatures[1]])
        #expect(throws: AllianceError.self) { try head(ending, forged) }
        let unsigned = try SignedNote(text: good.text, signatures: [good.signatures[1]])
        #expect(throws: AllianceError.self) { try head(ending, unsigned) }
        #expect(throws: AllianceError.self) { try head(ending, try otherLog()) }
    }

    @Test("A quorum under any decided charter stays one; a cut needs none, and smaller ends give way to it")
    func charters() throws {
        let newer = ReplicaQuorum(needed: 3, replicas: Array(quorum.replicas.dropFirst()))
        var ending = empty([newer])
        ending.add(try head(ending, try note(8, by: ["sv", "us", "jp"])))
        #expect(ending.end == nil, "sv is not known")
        ending = ending.judged(by: [quorum, newer], cut: nil)
        ending.add(try head(ending, try note(8, by: ["sv", "us", "jp"])))
        #expect(ending.end?.size == 8)
        #expect(ending.judged(by: [newer, quorum], cut: nil).known == ending.known, "in any order")

        let chosen = try note(10, "two", by: [])
        let root = HashValue.sha256("two 10")
        var cut = ending.judged(by: [quorum, newer], cut: CharterCut(origin: key.name, size: 10, root: root))
        #expect(cut.end == nil)
        cut.add(try head(cut, try note(10, "one", by: names)))
        #expect(cut.end == nil, "the other branch does not count, whoever cosigned it")
        cut.add(try head(cut, chosen))
        #expect(cut.end?.root == root)
    }

    @Test("One who cosigns whatever it is shown crowds out nobody else")
    func floods() throws {
        var ending = empty(limit: 3)
        ending.add(try head(ending, try note(8, by: ["sv", "us"])))
        for size in UInt64(20)..<40 { ending.add(try head(ending, try note(size, "flood", by: ["ae"]))) }
        #expect(ending.waiting.map(\.size) == [8, 37, 38, 39])
        for size in UInt64(20)..<40 { ending.add(try head(ending, try note(size, "bare", by: []))) }
        #expect(ending.waiting.count == 4, "what nobody cosigned does not wait")
        ending.add(try head(ending, try note(8, by: ["jp"])))
        #expect(ending.end?.size == 8 && ending.waiting.count == 3)
    }

    @Test("What a replica cosigned before it was shown many others is not crowded out while anybody remembers it")
    func remembersItsOwn() throws {
        var (first, second) = (
            ForkEnding(key: key, quorums: [quorum], limit: 3, member: TestAlliance.id("sv")),
            ForkEnding(key: key, quorums: [quorum], limit: 3, member: TestAlliance.id("us"))
        )
        // The owner shows sv one head after the other; us was cut off, and jp's line is with us alone.
        for size in UInt64(8)..<40 { first.add(try head(first, try note(size, by: ["sv"]))) }
        #expect(first.waiting.map(\.size) == [37, 38, 39] && first.own.count == 29)
        #expect(first.heads.count == 3 && first.keptHeads.count == 32)
        second.add(try head(second, try note(8, by: ["us", "jp"])))
        for head in first.heads { second.add(head) }
        #expect(second.end == nil)
        let isNews = second.heads.filter { first.add($0) }
        #expect(isNews.map(\.size) == [8] && first.end?.size == 8)
        #expect(first.own.map(\.size).min() == 9, "what lies below the end is of no use any more")
        second.add(try #require(first.end))
        #expect(second.known == first.known)
        // What is kept reads back, and other charters judge it.
        let judged = first.judged(by: [ReplicaQuorum(needed: 4, replicas: quorum.replicas)], cut: nil)
        #expect(judged.end == nil && Set(judged.keptHeads.map(\.size)) == Set(8..<40))
    }

    @Test("Heads of our own are remembered up to a limit, the largest")
    func ownLimit() throws {
        var ending = ForkEnding(key: key, quorums: [quorum], limit: 1, member: TestAlliance.id("sv"))
        let known = try head(ending, try note(1, by: ["sv"]))
        let line = known.cosignatures
        for size in 2..<UInt64(ForkEnding.ownLimit + 10) {
            let checkpoint = try Checkpoint(origin: key.name, size: size, root: .zero)
            ending.add(ForkEnding.Head(checkpoint: checkpoint, logSignature: known.logSignature, cosignatures: line))
        }
        #expect(ending.own.count == ForkEnding.ownLimit && ending.own.first?.size == 9)
    }

    @Test("In whatever order heads come, and whoever was told what, all end at one", arguments: 0..<60)
    func anyOrder(_ seed: Int) throws {
        var random = TestSupport.SeededGenerator(seed: UInt64(seed))
        // Honest replicas cosign one branch each, in order; "ae" cosigns both, and "us" changes its mind in some runs.
        var notes: [SignedNote] = []
        for size in UInt64(1)...9 {
            notes += try ["sv", "us"].filter { _ in random.next() % 3 > 0 }.map { try note(size, by: [$0]) }
            if random.next() % 4 == 0 { notes.append(try note(size, "two", by: ["jp"])) }
            notes.append(try note(size, random.next() % 2 == 0 ? "one" : "two", by: ["ae"]))
        }
        let limit = seed % 3 == 0 ? 2 : 16
        var known: Set<ForkEnding.Known> = []
        for _ in 0..<6 {
            // Three nodes; each hears a part, and then tells the others all that it knows, until nothing is new.
            var nodes = Array(repeating: empty(limit: limit), count: 3)
            for note in notes.shuffled(using: &random) {
                let node = Int(random.next() % 3)
                nodes[node].add(try head(nodes[node], note))
            }
            var isNew = true
            while isNew {
                isNew = false
                for (from, to) in [(0, 1), (1, 2), (2, 0)] {
                    for head in nodes[from].heads where nodes[to].add(head) { isNew = true }
                }
            }
            #expect(nodes[0].known == nodes[1].known && nodes[1].known == nodes[2].known)
            known.insert(nodes[0].known)
        }
        // As long as nothing has to be let go, the way does not matter either.
        if limit == 16 { #expect(known.count == 1) }
    }
}

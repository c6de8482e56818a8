import Replication
import Testing
import TransparencyLog

@Suite struct WireTests {
    static let digest = HashValue.sha256("digest")

    static let samples: [Message] = [
        .hello(
            Hello(
                alliance: digest, charterVersion: 3, charterDigest: digest, member: "did:web:pk.example", node: "pk-1",
                incarnation: Array(0..<16), features: 5)),
        .hello(Hello(alliance: digest, charterVersion: 0, charterDigest: digest, member: "", node: "")),
        .head(Announcement(note: Array("note".utf8))),
        .head(Announcement(note: Array("note".utf8), inlineFrom: 7, inlineEntries: [0, 1, 65])),
        .signatures(SignatureSet(origin: "pk.example/log", size: 9, root: digest, lines: [[1, 2, 10], [10]])),
        .digest(digest),
        .heads(HeadsPage(after: "", through: "b", notes: [[1], [2, 3]])),
        .heads(HeadsPage(after: "b", through: "", notes: [])),
        .wantRange(RangeRequest(request: RequestID(4), origin: "o", from: 1, headSize: .max, headRoot: digest)),
        .wantDocument(digest: digest, offset: 1 << 33),
        .wantHead(origin: "o"),
        .charterOffer(version: 2, digest: digest),
        .wantCharter(version: 2),
        .charter(version: 2, bytes: [1, 2, 3]),
        .refused(Refusal(request: RequestID(9), reason: .busy, text: "später")),
        .wantFresh(origin: "o"),
        .neighbours(["did:web:a", "did:web:b"]),
        .summary([]), .summary([HeadSummary(origin: "a", digest: digest), HeadSummary(origin: "b", digest: digest)]),
    ]

    @Test(arguments: samples) func everyMessageComesBack(_ message: Message) throws {
        var decoder = FrameDecoder()
        decoder.append(message.frame)
        #expect(try decoder.next() == message)
        #expect(try decoder.next() == nil)
        #expect(decoder.isAtBoundary)
    }

    @Test func drippingBytesGivesTheSameMessages() throws {
        var decoder = FrameDecoder()
        var found: [Message] = []
        for byte in Self.samples.flatMap(\.frame) {
            decoder.append([byte])
            while let message = try decoder.next() { found.append(message) }
        }
        #expect(found == Self.samples)
        #expect(decoder.isAtBoundary)
    }

    @Test(arguments: samples) func aTruncatedFrameIsNoMessage(_ message: Message) throws {
        for count in 0..<message.frame.count {
            var decoder = FrameDecoder()
            decoder.append(message.frame.prefix(count))
            #expect(try decoder.next() == nil)
            #expect(decoder.isAtBoundary == (count == 0))
        }
    }

    /// A frame whose length says that it ends early is a violation: its fields are cut off, or bytes are left over.
    @Test(arguments: samples) func aFrameWithCutFieldsIsRefused(_ message: Message) {
        let body = message.frame.dropFirst(4)
        for count in 1..<body.count {
            var decoder = FrameDecoder()
            decoder.append(Self.frame(Array(body.prefix(count))))
            let error = #expect(throws: Rejection.self) { try decoder.next() }
            #expect(error?.reason == .malformedFrame)
        }
        var decoder = FrameDecoder()
        decoder.append(Self.frame(body + [0]))
        #expect(throws: Rejection.self) { try decoder.next() }
        // A violation is final.
        decoder.append(message.frame)
        #expect(throws: Rejection.self) { try decoder.next() }
    }

    @Test func randomBytesNeverTrap() {
        var random = SplitMix64(seed: 1)
        for round in 0..<20_000 {
            var bytes = Self.samples[round % Self.samples.count].frame
            for _ in 0...Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            var decoder = FrameDecoder()
            decoder.append(bytes)
            while (try? decoder.next()) != nil {}
        }
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...60, using: &random)
            var body = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            if !body.isEmpty { body[0] = UInt8.random(in: 0...20, using: &random) }
            var decoder = FrameDecoder()
            decoder.append(Self.frame(body))
            while (try? decoder.next()) != nil {}
            _ = try? RangeAnswer(decoding: body)
        }
    }

    @Test func unknownTypesAreSkippedWithoutBeingHeld() throws {
        var decoder = FrameDecoder()
        let unknown = Self.frame([200] + Array(repeating: 7, count: 100_000))
        for start in stride(from: 0, to: unknown.count, by: 1000) {
            decoder.append(unknown[start..<min(start + 1000, unknown.count)])
            #expect(try decoder.next() == nil)
            #expect(decoder.bufferedBytes <= 1000)
        }
        decoder.append(Message.digest(Self.digest).frame)
        #expect(try decoder.next() == .digest(Self.digest))
    }

    @Test func framesAreBounded() {
        var empty = FrameDecoder()
        empty.append([0, 0, 0, 0])
        #expect(throws: Rejection.self) { try empty.next() }
        var large = FrameDecoder()
        large.append([0, 0x10, 0, 1, 200])
        let error = #expect(throws: Rejection.self) { try large.next() }
        #expect(error?.reason == .oversizedFrame)
        #expect(large.bufferedBytes == 0)
    }

    @Test func fieldsAreBounded() {
        let long = String(repeating: "x", count: 300)
        let messages: [Message] = [
            .wantHead(origin: long), .head(Announcement(note: Array(repeating: 1, count: WireLimits.noteBytes + 1))),
            .charter(version: 1, bytes: Array(repeating: 1, count: WireLimits.charterBytes + 1)),
            .heads(HeadsPage(after: "", through: "", notes: Array(repeating: [1], count: WireLimits.headsCount + 1))),
            .signatures(
                SignatureSet(
                    origin: "o", size: 1, root: Self.digest,
                    lines: Array(repeating: [1], count: WireLimits.signatureLines + 1))),
            .neighbours(Array(repeating: "m", count: WireLimits.neighbours + 1)),
            .summary((0...WireLimits.headsCount).map { HeadSummary(origin: "o\(10_000 + $0)", digest: Self.digest) }),
        ]
        for message in messages {
            var decoder = FrameDecoder()
            decoder.append(message.frame)
            let error = #expect(throws: Rejection.self) { try decoder.next() }
            #expect(error?.reason == .oversizedFrame)
        }
    }

    @Test func textsAndFieldsAreStrict() {
        let twice = Array(repeating: HeadSummary(origin: "o", digest: Self.digest), count: 2)
        let bodies: [[UInt8]] = [
            Array(Message.summary(twice).frame.dropFirst(4)),
            [8, 0, 0, 0, 2, 0xC3, 0x28], [8, 0, 0, 0, 1, 10], [8, 0, 0, 0, 0],
            Array(Message.head(Announcement(note: [1], inlineFrom: 3, inlineEntries: [])).frame.dropFirst(4)),
            Array(Message.heads(HeadsPage(after: "b", through: "a", notes: [])).frame.dropFirst(4)),
            Array(
                Message.hello(
                    Hello(
                        alliance: Self.digest, charterVersion: 1, charterDigest: Self.digest, member: "m", node: "n",
                        incarnation: [1])
                ).frame.dropFirst(4)),
        ]
        for body in bodies {
            var decoder = FrameDecoder()
            decoder.append(Self.frame(body))
            let error = #expect(throws: Rejection.self) { try decoder.next() }
            #expect(error?.reason == .malformedFrame)
        }
    }

    static func frame(_ body: some Collection<UInt8>) -> [UInt8] {
        withUnsafeBytes(of: UInt32(body.count).bigEndian) { Array($0) } + Array(body)
    }
}

@Suite struct RangeTests {
    let alliance: TestAlliance
    let log: TestLog

    init() throws {
        alliance = try TestAlliance(["pk"])
        log = TestLog(alliance.member("pk"), 40)
    }

    private func verify(_ answer: RangeAnswer, head: Int, root: HashValue? = nil) throws -> TreeFrontier {
        let edge = try MerkleTree.frontier(size: answer.from, reader: log)
        let hashes = try EntryBundle.leafHashes(of: answer.entries)
        return try verifyRange(
            frontier: edge, answer: answer, leafHashes: hashes, head: try log.checkpoint(head, root: root))
    }

    @Test func everyRangeOfEveryHeadVerifiesAndComesBack() throws {
        for head in 1...40 {
            for from in stride(from: 0, to: head, by: 3) {
                for to in stride(from: from + 1, through: head, by: 5) {
                    let answer = try log.answer(from: from, to: to, head: head)
                    #expect(try verify(answer, head: head).root == log.roots[to])
                    #expect(try RangeAnswer(decoding: answer.encoded) == answer)
                }
            }
        }
    }

    @Test func falseAnswersHaveTheirReason() throws {
        let good = try log.answer(from: 8, to: 20, head: 30)
        var bytes = good.entries
        bytes[5] ^= 1
        let tampered = try RangeAnswer(
            from: 8, to: 20, extensionProof: good.extensionProof, remainderProof: good.remainderProof, entries: bytes)
        #expect(reason { try verify(tampered, head: 30) } == .wrongRoot)
        let unproven = try RangeAnswer(from: 8, to: 20, remainderProof: good.remainderProof, entries: bytes)
        #expect(reason { try verify(unproven, head: 30) } == .cannotExtend)
        #expect(reason { try verify(good, head: 30, root: HashValue.sha256("x")) } == .cannotExtend)
        #expect(reason { try verify(good, head: 19) } == .malformedRange)
        let whole = try log.answer(from: 8, to: 30, head: 30)
        let superfluous = try RangeAnswer(from: 8, to: 30, remainderProof: [log.roots[1]], entries: whole.entries)
        #expect(reason { try verify(superfluous, head: 30) } == .cannotExtend)
    }

    @Test func answersAreBounded() throws {
        let entries = try log.bundle(0, 4)
        #expect(reason { try RangeAnswer(from: 4, to: 4, entries: []) } == .malformedRange)
        #expect(reason { try RangeAnswer(from: 0, to: 5, entries: entries) } == .malformedRange)
        #expect(reason { try RangeAnswer(from: 0, to: 1 << 40, entries: entries) } == .oversizedRange)
        #expect(reason { try RangeAnswer(from: .max - 3, to: .max, entries: entries) } == .malformedRange)
        #expect(reason { try RangeAnswer(from: 0, to: 4, entries: entries + [9]) } == .malformedEntry)
        let proof = Array(repeating: log.roots[0], count: 65)
        #expect(reason { try RangeAnswer(from: 0, to: 4, remainderProof: proof, entries: entries) } == .oversizedRange)
        let encoded = try log.answer(from: 0, to: 4, head: 30).encoded
        for count in encoded.indices {
            #expect(reason { try RangeAnswer(decoding: Array(encoded[..<count])) } == .malformedRange)
        }
        #expect(reason { try RangeAnswer(decoding: encoded + [0]) } == .malformedRange)
    }

    @Test func everyChangedByteOfAnAnswerIsFound() throws {
        let encoded = try log.answer(from: 8, to: 20, head: 30).encoded
        let edge = try MerkleTree.frontier(size: 8, reader: log)
        var harmless = 0
        for index in encoded.indices {
            var changed = encoded
            changed[index] ^= 1
            guard let answer = try? RangeAnswer(decoding: changed),
                let hashes = try? EntryBundle.leafHashes(of: answer.entries),
                let after = try? verifyRange(
                    frontier: edge, answer: answer, leafHashes: hashes, head: try log.checkpoint(30))
            else { continue }
            #expect(after.root == log.roots[20])
            harmless += 1
        }
        // Only the proof that tells a false answer from a false head may differ.
        #expect(harmless <= 32 * 64)
    }

    private func reason(_ body: () throws -> Any) -> Rejection.Reason? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? Rejection)?.reason
        }
    }
}

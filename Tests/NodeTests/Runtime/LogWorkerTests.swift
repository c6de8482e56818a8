import Alliance
import Replication
import Store
import TestSupport
import Testing
import TransparencyLog

@testable import Node

@Suite("What a node stores of another member's log", .timeLimit(.minutes(2)))
struct LogWorkerTests {
    /// The log of `sv` with two batches.
    private func log(_ alliance: TestAlliance) throws -> MemoryLog {
        var log = try alliance.log(of: "sv")
        try log.begin()
        try log.publish([try log.licence("SV-1"), try log.licence("SV-2")])
        return log
    }

    private func ingest(
        _ node: TestNode, _ log: MemoryLog, _ answer: RangeAnswer, head: [UInt8]? = nil
    ) async throws -> IngestOutcome {
        let note = try head ?? log.head().note
        let event = await node.worker(log.member.log.name).perform(.ingest(RequestID(1), answer, head: note))
        guard case .ingested(_, let outcome)? = event else { throw NodeError("\(event as Any)") }
        return outcome
    }

    private func cosign(_ node: TestNode, _ log: MemoryLog, _ size: Int? = nil) async throws -> Event? {
        await node.worker(log.member.log.name).perform(.cosign(checkpoint: try log.head(size).checkpoint.text))
    }

    private func isStored(_ outcome: IngestOutcome, trustworthy: Bool = true) -> Bool {
        if case .stored(_, _, trustworthy, _) = outcome { true } else { false }
    }

    private func expectNothing(_ node: TestNode, _ log: MemoryLog) async throws {
        let record = try await node.store.log(log.member.log.name)
        #expect(record.size == 0 && record.headSize == 0 && record.cosigned == 0)
        #expect(try await node.store.maps(of: log.member.log.name).isEmpty)
    }

    @Test("A true range is stored with its head, and cosigned")
    func honest() async throws {
        try await withNode { node, alliance in
            let log = try log(alliance)
            let name = log.member.log.name
            #expect(isStored(try await ingest(node, log, log.answer(from: 0, to: 3))))
            // Only a part of what the head says: no head is held whole yet.
            #expect(try await node.store.log(name).headSize == 0)
            let failed = try await cosign(node, log)
            #expect(failed == .cosigningFailed(origin: name, size: 6))
            #expect(isStored(try await ingest(node, log, log.answer(from: 3))))
            #expect(try await node.store.log(name).head == (try log.head().note))
            guard case .cosigned(name, 6, _, let line)? = try await cosign(node, log) else {
                Issue.record("not cosigned")
                return
            }
            let key = try TestAlliance.cosigner("pk").verifierKey
            #expect(try CosignatureSigner.verify(line, key: key, text: log.head().checkpoint.text) > 1_700_000_000)
            let below = try await cosign(node, log, 3)
            #expect(below == .cosigningFailed(origin: name, size: 3))
            #expect(try await node.store.maps(of: name).map(\.name) == log.state.lines.keys.sorted())
        }
    }

    @Test("A tampered entry, another head and a range that is not ours: typed, and nothing stored")
    func tampered() async throws {
        try await withNode { node, alliance in
            let log = try log(alliance)
            var entries = log.entries
            entries[1][entries[1].count / 2] ^= 1
            let tampered = try log.answer(from: 0, entries: entries)
            // From nothing, every head extends ours.
            #expect(try await ingest(node, log, tampered).reason == .wrongRoot)
            try await expectNothing(node, log)

            var other = log
            try other.publish([try other.licence("SV-9")])
            let foreign = try await ingest(node, log, log.answer(from: 0), head: other.head().note)
            #expect(foreign.reason == .wrongRoot)
            try await expectNothing(node, log)

            #expect(isStored(try await ingest(node, log, log.answer(from: 0, to: 3))))
            var fork = try alliance.log(of: "sv")
            try fork.begin(["warnings"])
            try fork.publish([try fork.approval(of: [fork.entries[0]])])
            let forked = try await ingest(node, log, fork.answer(from: 3), head: fork.head().note)
            #expect(forked.reason == .cannotExtend)
            let again = try await ingest(node, log, log.answer(from: 0, to: 3))
            #expect(again.reason == .malformedRange)
            #expect(try await node.store.log(log.member.log.name).size == 3)
            // The node goes on with who tells the truth.
            #expect(isStored(try await ingest(node, log, log.answer(from: 3))))
        }
    }

    @Test("A range that is cut off, too long, or ends within a batch")
    func cut() async throws {
        try await withNode { node, alliance in
            let log = try log(alliance)
            let within = try await ingest(node, log, log.answer(from: 0, to: 4))
            #expect(within.reason == .malformedRange)
            // Fewer entries than it claims, and truncation at every byte, are seen when it is read.
            let good = try log.answer(from: 0)
            #expect(throws: Rejection.self) {
                try RangeAnswer(from: 0, to: 6, entries: bundle(log.entries.dropLast()))
            }
            let encoded = good.encoded
            for end in 0..<encoded.count {
                #expect(throws: Rejection.self) { try RangeAnswer(decoding: Array(encoded[..<end])) }
            }
            let many = try bundle(Array(repeating: [0x41], count: WireLimits.rangeEntries + 1))
            let long = #expect(throws: Rejection.self) {
                try RangeAnswer(from: 0, to: UInt64(WireLimits.rangeEntries) + 1, entries: many)
            }
            #expect(long?.reason == .oversizedRange)
            try await expectNothing(node, log)
        }
    }

    @Test("A false state leaf is stored and said, and nothing from there on is cosigned")
    func falseLeaf() async throws {
        try await withNode { node, alliance in
            var log = try log(alliance)
            let size = log.entries.count
            let leaf = StateLeaf(
                entryCount: UInt64(size + 1), charterVersion: 1, charterDigest: alliance.charter.digest, lines: [])
            try log.receive([try log.licence("SV-3"), leaf.bytes])
            let outcome = try await ingest(node, log, log.answer(from: 0))
            #expect(isStored(outcome, trustworthy: false))
            let failed = try await cosign(node, log)
            #expect(failed == .cosigningFailed(origin: log.member.log.name, size: UInt64(size + 2)))
            #expect(try await node.store.row(RowKey(map: "vasp-licences", key: "SV-3"), of: log.member.log.name) == nil)
            #expect(try await node.store.row(RowKey(map: "vasp-licences", key: "SV-1"), of: log.member.log.name) != nil)
        }
    }

    @Test("A state leaf under a charter that is not held: wait, store nothing")
    func unknownCharter() async throws {
        try await withNode { node, alliance in
            var log = try log(alliance)
            let leaf = StateLeaf(
                entryCount: UInt64(log.entries.count + 1), charterVersion: 2, charterDigest: .zero, lines: [])
            try log.receive([try log.licence("SV-3"), leaf.bytes])
            #expect(try await ingest(node, log, log.answer(from: 0)) == .waitingForCharter(version: 2))
            try await expectNothing(node, log)
            // The part before it is under ours.
            #expect(isStored(try await ingest(node, log, log.answer(from: 0, to: 6))))
        }
    }

    @Test("What cannot count is stored without effect, and the head is cosigned all the same")
    func withoutEffect() async throws {
        try await withNode { node, alliance in
            var log = try log(alliance)
            let future = try JWS.compact(
                type: "entente-future+jwt", payload: Array("{}".utf8), signer: TestAlliance.officer("ayesha", of: "sv"))
            let stolen = try log.context().licence("SV-7").signed(
                by: TestAlliance.officer("ayesha", of: "sv", key: "stolen"))
            try log.publish([Array("no statement".utf8), [0], future, stolen, log.entries[3]])
            #expect(isStored(try await ingest(node, log, log.answer(from: 0))))
            let name = log.member.log.name
            let size = UInt64(log.entries.count)
            #expect(
                try await node.store.ignored(of: name, in: 0..<size) == [
                    6: "malformed", 7: "malformed", 8: "unknown-kind", 9: "bad-signature", 10: "repeated",
                ])
            guard case .cosigned? = try await cosign(node, log) else {
                Issue.record("not cosigned")
                return
            }
        }
    }

    @Test("What was checked early is used only for the very bytes, and under the roster in force")
    func early() async throws {
        let alliance = try TestAlliance()
        let log = try log(alliance)
        let second = try log.answer(from: 3)
        // Checked against no key at all, so that one can see whether it was used.
        let unsigned = log.entries[3...].map { NewEntry($0, keys: KeyCandidates([])) }
        func outcome(_ answer: RangeAnswer, _ roster: HashValue?) async throws -> IngestOutcome {
            try await withNode { node, _ in
                #expect(isStored(try await ingest(node, log, log.answer(from: 0, to: 3))))
                node.checked.put(
                    CheckedRanges.Range(
                        origin: log.member.log.name, answer: answer, entries: Task { unsigned }, rosterDigest: roster))
                let outcome = try await ingest(node, log, second)
                #expect(node.checked.count == 0)
                return outcome
            }
        }
        let roster = log.state.roster?.digest
        #expect(isStored(try await outcome(second, roster), trustworthy: false))
        #expect(isStored(try await outcome(second, nil)))
        #expect(isStored(try await outcome(second, .zero)))
        var entries = Array(log.entries[3...])
        entries[0] = Array("what another peer sent".utf8)
        #expect(isStored(try await outcome(try log.answer(from: 3, entries: entries), roster)))
    }

    @Test("Ranges that were checked early and never stored are forgotten")
    func bounded() throws {
        let checked = CheckedRanges()
        func range(_ number: Int, bytes: Int = 10) throws -> CheckedRanges.Range {
            let entry = Array(repeating: UInt8(0x41), count: bytes)
            return CheckedRanges.Range(
                origin: "sv",
                answer: try RangeAnswer(from: UInt64(number), to: UInt64(number + 1), entries: bundle([entry])),
                entries: Task { [] }, rosterDigest: nil)
        }
        for number in 0..<100 { checked.put(try range(number)) }
        #expect(checked.count == CheckedRanges.limit.ranges)
        #expect(checked.take(try range(0).answer, of: "sv") == nil)
        #expect(checked.take(try range(99).answer, of: "us") == nil)
        #expect(checked.take(try range(99).answer, of: "sv") != nil)
        #expect(checked.count == 0)
    }

    @Test("A roster is found however its header is written")
    func strangeRosters() async throws {
        let alliance = try TestAlliance()
        for header in [
            #"{"alg":"EdDSA","kid":"\#(TestAlliance.id("sv"))#root-1","typ":"entente-\u0072oster+jwt"}"#,
            #"{"alg":"EdDSA","kid":"\#(TestAlliance.id("sv"))#root-1","typ":"entente-roster+jwt"}"#
                + String(repeating: " ", count: 1_100),
        ] {
            var log = try alliance.log(of: "sv")
            let draft = log.context().roster(try Roster.sample(of: "sv"))
            let input = Array("\(Base64.encodeURL(Array(header.utf8))).\(Base64.encodeURL(draft.payload))".utf8)
            let signature = try TestAlliance.root("sv").sign(input)
            let roster = input + Array(".\(Base64.encodeURL(signature))".utf8)
            try log.publish([roster, try log.definition("vasp-licences"), try log.licence("SV-1")])
            #expect(log.verdicts == [.counted, .counted, .counted, .stateLeaf])
            try await withNode { node, _ in
                let whole = try await ingest(node, log, log.answer(from: 0))
                #expect(isStored(whole), "\(header.prefix(90))")
            }
        }
    }

    @Test("Signatures are kept only of members that count, under the checkpoint that they sign")
    func signatures() async throws {
        try await withNode { node, alliance in
            let log = try log(alliance)
            #expect(isStored(try await ingest(node, log, log.answer(from: 0))))
            let text = try log.head().checkpoint.text
            let other = try log.head(3).checkpoint.text
            let lines = [
                try TestAlliance.cosigner("us").sign(text, at: 100),
                try TestAlliance.cosigner("imf").sign(other, at: 100),
                // The owner never counts.
                try TestAlliance.cosigner("sv").sign(text, at: 100),
                try CosignatureSigner(name: "stranger.example/replica", seed: TestKey.seed("x")).sign(text, at: 100),
            ]
            let worker = node.worker(log.member.log.name)
            _ = await worker.perform(.persistSignatures(checkpoint: text, lines))
            let kept = try await node.store.cosignatures(of: log.member.log.name, over: 0).kept
            #expect(kept.map(\.member) == [TestAlliance.id("us")])
            // Nonsense is an entry in the log file, and no more.
            _ = await worker.perform(.persistSignatures(checkpoint: [1, 2, 3], lines))
            _ = await worker.perform(.persistHead(note: [1, 2, 3]))
            #expect(await worker.perform(.cosign(checkpoint: [1, 2, 3])) == nil)
        }
    }
}

extension IngestOutcome {
    fileprivate var reason: Rejection.Reason? {
        if case .rejected(let rejection) = self { rejection.reason } else { nil }
    }
}

import Replication
import TestSupport
import Testing
import TransparencyLog

@testable import Node

@Suite("What waits for a log's worker, and what was verified beforehand", .timeLimit(.minutes(1)))
struct LogJobsTests {
    private static func checkpoint(_ size: UInt64) throws -> Checkpoint {
        try Checkpoint(origin: "pk.alliance.example/log", size: size, root: HashValue.sha256("\(size)"))
    }

    private static func line(_ member: String, _ text: [UInt8], at time: UInt64) throws -> NoteSignature {
        try TestAlliance.cosigner(member).sign(text, at: time)
    }

    @Test("Signatures of one checkpoint are one job, with each member's newest; other jobs keep their order")
    func joined() async throws {
        let jobs = LogJobs()
        let (text, other) = (try Self.checkpoint(4).text, try Self.checkpoint(5).text)
        for time in 1...200 {
            for member in ["sv", "us"] {
                jobs.add(
                    .persistSignatures(checkpoint: text, [try Self.line(member, text, at: UInt64(time))]))
            }
            jobs.add(.cosign(checkpoint: text))
            jobs.add(.persistSignatures(checkpoint: other, [try Self.line("sv", other, at: UInt64(time))]))
        }
        #expect(jobs.count == 3)
        var iterator = jobs.makeAsyncIterator()
        guard case .persistSignatures(text, let lines) = await iterator.next() else {
            Issue.record("the signatures come first")
            return
        }
        #expect(lines == [try Self.line("sv", text, at: 200), try Self.line("us", text, at: 200)])
        guard case .cosign(text) = await iterator.next(),
            case .persistSignatures(other, let rest) = await iterator.next()
        else {
            Issue.record("then what was asked next")
            return
        }
        #expect(rest.count == 1)
        jobs.end()
        #expect(await iterator.next() == nil)
        jobs.add(.cosign(checkpoint: text))
        #expect(jobs.count == 0)
    }

    @Test("What was to be cosigned is not, once a proof that the log is forked is to be stored; all else is done")
    func forked() async throws {
        let jobs = LogJobs()
        let text = try Self.checkpoint(4).text
        jobs.add(.cosign(checkpoint: text))
        jobs.add(.persistSignatures(checkpoint: text, [try Self.line("sv", text, at: 1)]))
        jobs.add(.cosign(checkpoint: try Self.checkpoint(5).text))
        jobs.add(.persistFork(proof: [1]))
        #expect(jobs.count == 2)
        var iterator = jobs.makeAsyncIterator()
        guard case .persistSignatures(text, _) = await iterator.next(), case .persistFork([1]) = await iterator.next()
        else {
            Issue.record("what is not a cosignature stays, in order")
            return
        }
    }

    @Test("A reader that waits gets the next job, and nil once it is cancelled")
    func waiting() async throws {
        let jobs = LogJobs()
        let text = try Self.checkpoint(4).text
        let reader = Task {
            var found = 0
            for await _ in jobs { found += 1 }
            return found
        }
        jobs.add(.cosign(checkpoint: text))
        while jobs.count > 0 { await Task.yield() }
        reader.cancel()
        #expect(await reader.value <= 1)
    }

    @Test("What is true is remembered, what is false is not, and no more than two generations")
    func memory() async throws {
        let memory = VerifiedSignatures()
        let text = try Self.checkpoint(4).text
        let key = try TestAlliance.cosigner("sv").verifierKey
        let good = SignatureClaim(key: key, text: text, line: try Self.line("sv", text, at: 7))
        let bad = SignatureClaim(key: key, text: try Self.checkpoint(5).text, line: good.line)
        let log = SignatureClaim(
            key: try TestAlliance.noteSigner("pk").verifierKey, text: text,
            line: try TestAlliance.noteSigner("pk").sign(text))
        #expect(!memory.isTrue(good))
        await memory.verify([good, log])
        await memory.verify([bad])
        #expect(memory.isTrue(good) && memory.isTrue(log) && !memory.isTrue(bad))
        let other = SignatureClaim(key: key, text: text, line: try Self.line("sv", text, at: 8))
        #expect(!memory.isTrue(other))
        memory.remember(other)
        #expect(memory.isTrue(other))
    }
}

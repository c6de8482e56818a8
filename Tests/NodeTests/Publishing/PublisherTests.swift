import Alliance
import Dispatch
import Store
import TestSupport
import Testing
import TransparencyLog

@testable import Node

@Suite("Publishing from many sides at once", .timeLimit(.minutes(2)))
struct PublisherTests {
    private func indexes(_ publication: Publication) -> ClosedRange<UInt64>? {
        switch publication {
        case .published(let first, let last, _, _), .already(let first, let last): first...last
        default: nil
        }
    }

    private func begin(_ node: TestNode, _ log: inout MemoryLog) async throws {
        try log.begin()
        let publication = await node.publisher.submit(Array(log.entries.dropLast()))
        #expect(indexes(publication) == 0...UInt64(log.entries.count - 2))
    }

    @Test("Submissions that arrive while one is made durable share the next transaction")
    func together() async throws {
        try await withNode { node, alliance in
            var log = try alliance.log()
            try await begin(node, &log)
            let name = log.member.log.name
            let before = try await node.store.log(name).size
            let submissions = try (0..<16).map {
                [try log.licence("PK-\($0)"), try log.licence("PK-\($0)", "suspended")]
            }
            // The writer is busy until all have arrived.
            let gate = DispatchSemaphore(value: 0)
            let busy = Task {
                try await node.store.publish(
                    [[[0x41]]], in: try TestAlliance.noteSigner("sv").verifierKey.name,
                    check: { entries, state in
                        gate.wait()
                        return EntryChecking.checkNow(entries, after: state)
                    }, sign: { _ in throw NodeError("not to be signed") })
            }
            let publications = await withTaskGroup(of: (Int, Publication).self) { group in
                for (number, submission) in submissions.enumerated() {
                    group.addTask { (number, await node.publisher.submit(submission)) }
                }
                while await node.publisher.accepted < 17 { await Task.yield() }
                gate.signal()
                var all: [Int: Publication] = [:]
                for await (number, publication) in group { all[number] = publication }
                return all
            }
            _ = try await busy.value
            // One went into the transaction that was waiting for the writer, and all others into the next.
            let size = try await node.store.log(name).size
            #expect(size <= before + 32 + 2)
            var taken: Set<UInt64> = []
            for (number, submission) in submissions.enumerated() {
                let range = try #require(publications[number].flatMap(indexes))
                #expect(
                    try await node.store.entries(of: name, in: range.lowerBound..<range.upperBound + 1) == submission)
                taken.formUnion(range)
            }
            #expect(taken.count == 32)
            let head = try await node.store.log(name)
            #expect(head.headSize == size)
        }
    }

    @Test("The very same submission again is answered with where it stands")
    func again() async throws {
        try await withNode { node, alliance in
            var log = try alliance.log()
            try await begin(node, &log)
            let submission = [try log.licence("PK-1"), try log.licence("PK-2")]
            let first = await node.publisher.submit(submission)
            let size = try await node.store.log(log.member.log.name).size
            let second = await node.publisher.submit(submission)
            guard case .already = second else {
                Issue.record("\(second)")
                return
            }
            #expect(indexes(first) == indexes(second))
            #expect(try await node.store.log(log.member.log.name).size == size)
            // With something new beside it, it is refused, and says what stands there already.
            let mixed = await node.publisher.submit(submission + [try log.licence("PK-3")])
            guard case .refused(let refused) = mixed else {
                Issue.record("\(mixed)")
                return
            }
            #expect(refused.map(\.position) == [0, 1] && refused.allSatisfy { $0.reason == .repeated })
        }
    }

    @Test("Nothing, and too much, are refused at once; a refusal takes nobody else along")
    func refused() async throws {
        try await withNode { node, alliance in
            var log = try alliance.log()
            try await begin(node, &log)
            guard case .failed = await node.publisher.submit([]) else {
                Issue.record("nothing was published")
                return
            }
            guard case .failed = await node.publisher.submit(Array(repeating: [0x41], count: 1_000_001)) else {
                Issue.record("too much was published")
                return
            }
            let (one, two) = (try log.licence("PK-1", by: "carla"), try log.licence("PK-2"))
            async let bad = node.publisher.submit([one])
            async let good = node.publisher.submit([two])
            guard case .refused(let refused) = await bad else {
                Issue.record("it was published")
                return
            }
            #expect(refused.map(\.reason) == [.notPermitted])
            #expect(indexes(await good) != nil)
        }
    }
}

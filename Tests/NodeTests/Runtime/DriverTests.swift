import Alliance
import NIOCore
import Replication
import Store
import TestSupport
import Testing
import TransparencyLog

@testable import Node

@Suite("A peer that cannot be dialled, and what it may send", .timeLimit(.minutes(1)))
struct DriverTests {
    /// A session of `sv` that has announced its head; the body gets the range that is asked of it.
    private func asked(
        _ body: (TestNode, MemoryLog, PeerID, RangeRequest) async throws -> Void
    ) async throws {
        try await withNode { node, alliance in
            var log = try alliance.log(of: "sv")
            try log.begin()
            let member = TestAlliance.id("sv")
            let outbox = Outbox()
            let id = try #require(
                await node.driver.open(
                    member: member, isOutbound: false, canFetch: false, restricted: false, outbox: outbox, end: {}))
            let hello = Hello(
                alliance: alliance.charter.alliance, charterVersion: 1, charterDigest: alliance.charter.digest,
                member: member, node: "node-1")
            await node.driver.handle(.message(id, .hello(hello)))
            await node.driver.handle(.message(id, .head(Announcement(note: try log.head().note))))
            var decoder = FrameDecoder()
            var wanted: RangeRequest?
            for await buffer in outbox where wanted == nil {
                decoder.append(buffer.readableBytesView)
                while let message = try decoder.next() {
                    if case .wantRange(let request) = message { wanted = request }
                }
                if wanted != nil { break }
            }
            try await body(node, log, id, try #require(wanted))
        }
    }

    @Test("A range is taken once, from whom it was asked of")
    func once() async throws {
        try await asked { node, log, _, wanted in
            let (driver, member) = (node.driver, TestAlliance.id("sv"))
            #expect(wanted.origin == log.member.log.name && wanted.from == 0)
            #expect(await driver.expects(range: wanted.request, origin: wanted.origin, from: member))
            #expect(await !driver.expects(range: wanted.request, origin: wanted.origin, from: TestAlliance.id("us")))
            #expect(await !driver.expects(range: wanted.request, origin: "us.alliance.example/log", from: member))
            #expect(await !driver.expects(range: RequestID(9_999), origin: wanted.origin, from: member))
            let answer = try log.answer(from: 0)
            #expect(await !driver.receive(range: answer, for: wanted.request, from: TestAlliance.id("us")))
            #expect(await driver.receive(range: answer, for: wanted.request, from: member))
            #expect(await !driver.receive(range: answer, for: wanted.request, from: member))
            #expect(await driver.rejectionCounts.isEmpty)
        }
    }

    @Test("A range that was not asked for is refused with its reason")
    func wrong() async throws {
        try await asked { node, log, _, wanted in
            let answer = try RangeAnswer(from: 1, to: 3, entries: bundle(log.entries[1...]))
            #expect(await node.driver.receive(range: answer, for: wanted.request, from: TestAlliance.id("sv")))
            let counts = await node.driver.rejectionCounts.map { "\($0.count) \($0.reason.rawValue)" }
            #expect(counts == ["1 malformedRange"])
        }
    }

    @Test("What cannot be read, and a session that ends, leave nothing awaited")
    func ended() async throws {
        try await asked { node, _, _, wanted in
            await node.driver.failed(wanted.request, .rejected(Rejection(.malformedRange, "cut off")))
            #expect(
                await !node.driver.expects(range: wanted.request, origin: wanted.origin, from: TestAlliance.id("sv")))
            let counts = await node.driver.rejectionCounts.map { "\($0.count) \($0.reason.rawValue)" }
            #expect(counts == ["1 malformedRange"])
        }
        try await asked { node, _, id, wanted in
            await node.driver.close(id)
            #expect(
                await !node.driver.expects(range: wanted.request, origin: wanted.origin, from: TestAlliance.id("sv")))
            #expect(await node.driver.connected.isEmpty)
            await node.driver.close(id)
        }
    }

    @Test("Of two sessions with one member, one stays; one that dials again takes its own place")
    func two() async throws {
        try await withNode { node, _ in
            func open(_ isOutbound: Bool) async -> PeerID? {
                await node.driver.open(
                    member: TestAlliance.id("sv"), isOutbound: isOutbound, canFetch: true, restricted: false,
                    outbox: Outbox(), end: {})
            }
            let first = await open(false)
            #expect(first != nil)
            let second = await open(false)
            #expect(second != nil && second != first)
            // pk is the lower id: the session that it dials stays.
            #expect(await open(true) != nil)
            #expect(await open(false) == nil)
            #expect(await open(true) == nil)
            #expect(await node.driver.connected.count == 1)
        }
    }
}

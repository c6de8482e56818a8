import Alliance
import Replication
import Store
import TestSupport
import Testing
import TransparencyLog

@testable import Node

/// Charters taken up by a node while it runs.
@Suite("Charters at a node", .timeLimit(.minutes(2)))
struct CharterKeeperTests {
    /// A node of `pk` under a signed version 1, with its workers.
    private func withRunningNode(
        _ first: SignedCharter, _ body: (TestNode) async throws -> Void
    ) async throws {
        var alliance = try TestAlliance()
        alliance.charter = try first.verifyFirst()
        try await withFolder { folder in
            let node = try await TestNode("pk", alliance, folder: folder, certificates: TestMember("pk"))
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await node.driver.run() }
                try await body(node)
                tasks.cancelAll()
            }
            await node.network.shutdown()
            try node.store.close()
        }
    }

    private func code(_ outcome: CharterKeeper.Outcome) -> CharterRefusal.Code? {
        if case .refused(let refusal) = outcome { refusal.code } else { nil }
    }

    @Test("What is valid is in force at once, in the store and for connections; again is no news; the rest is refused")
    func taken() async throws {
        let first = try TestCharters.first()
        try await withRunningNode(first) { node in
            let us = TestAlliance.id("us")
            #expect(node.trust.current.member(us) != nil)
            let second = try TestCharters.next(first) { charter in
                charter.members[2].standing = .removed
                charter.members.append(try TestAlliance.member("jp", "Japan", "JP", "Asia/Tokyo"))
                charter.cuts = [try TestCharters.cut("us", at: 0)]
            }
            let third = try TestCharters.next(second)
            let tooFew = try TestCharters.next(first, by: ["pk"])
            for (file, expected) in [
                (third.bytes, .skipped), (Array("nonsense".utf8), .malformed), (tooFew.bytes, .tooFewSigners),
            ] as [([UInt8], CharterRefusal.Code)] {
                let outcome = await node.charters.take(file)
                #expect(code(outcome) == expected)
            }
            #expect(node.identity.charter.charter.version == 1)
            guard case .adopted = await node.charters.take(second.bytes) else { throw NodeError("not adopted") }
            #expect(node.identity.charter.charter.version == 2)
            #expect(node.trust.current.member(us) == nil, "a removed member may not connect")
            #expect(node.trust.current.member(TestAlliance.id("jp")) != nil, "a new one may")
            #expect(await node.driver.logStatuses.contains { $0.owner == TestAlliance.id("jp") })
            #expect(try await node.store.charterFiles().count == 2)
            guard case .held = await node.charters.take(second.bytes) else { throw NodeError("not held") }
            let early = await node.charters.take(try TestCharters.next(third).bytes)
            #expect(code(early) == .skipped)
            guard case .adopted = await node.charters.take(third.bytes) else { throw NodeError("not adopted") }
        }
    }

    @Test("The log warns 30, 7 and 1 days before the charter in force expires, and daily")
    func expiry() async throws {
        try await withRunningNode(try TestCharters.first()) { node in
            let log = RecordingLog()
            let keeper = CharterKeeper(identity: node.identity, store: node.store, logger: log.logger)
            let expires = node.identity.charter.charter.expires.seconds
            var said: [(hour: Int64, words: String)] = []
            for hour in Int64(-40 * 24)...24 {
                await keeper.warn(at: expires + hour * 3_600)
                for line in log.take() { said.append((hour, line)) }
            }
            let starts = ["within 30 days", "within 7 days", "within a day", "has expired"].map { words in
                said.first { $0.words.contains(words) }?.hour
            }
            #expect(starts == [-719, -167, -23, 0])
            // 23 days, 6 days, once, and twice after the end.
            #expect(said.count == 32)
        }
    }

    @Test("A charter that lists this member no more, or that a peer invents, changes nothing")
    func peers() async throws {
        let first = try TestCharters.first()
        try await withRunningNode(first) { node in
            let outbox = Outbox()
            let opened = await node.driver.open(
                member: TestAlliance.id("sv"), isOutbound: false, canFetch: false, restricted: false, outbox: outbox,
                end: {})
            let id = try #require(opened)
            let hello = Hello(
                alliance: first.digest, charterVersion: 2, charterDigest: .sha256("two"),
                member: TestAlliance.id("sv"), node: "node-1")
            await node.driver.handle(.message(id, .hello(hello)))
            let changes = await node.driver.changes()
            await node.driver.handle(
                .message(id, .charter(version: 2, bytes: try TestCharters.next(first, by: ["us"]).bytes)))
            for await _ in changes {
                if await node.driver.rejectionCounts.contains(where: { $0.reason == .invalidCharter }) { break }
            }
            #expect(node.identity.charter.charter.version == 1)
        }
    }

    @Test("A charter that a peer offers is fetched, put in force and offered on")
    func gossip() async throws {
        let first = try TestCharters.first()
        let second = try TestCharters.next(first) { $0.alliance = "Second" }
        try await withRunningNode(first) { node in
            let opened = await node.driver.open(
                member: TestAlliance.id("sv"), isOutbound: false, canFetch: false, restricted: false, outbox: Outbox(),
                end: {})
            let id = try #require(opened)
            let hello = Hello(
                alliance: first.digest, charterVersion: 2, charterDigest: second.digest,
                member: TestAlliance.id("sv"), node: "node-1")
            await node.driver.handle(.message(id, .hello(hello)))
            let changes = await node.driver.changes()
            await node.driver.handle(.message(id, .charter(version: 2, bytes: second.bytes)))
            if node.identity.charter.charter.version == 1 {
                for await _ in changes where node.identity.charter.charter.version == 2 { break }
            }
            #expect(await node.driver.rejectionCounts.isEmpty)
        }
    }

    @Test("The member's own log is ended by a leaf that names the charter, where a cut lies below its end")
    func leaf() async throws {
        let first = try TestCharters.first()
        try await withRunningNode(first) { node in
            var log = MemoryLog(
                member: try #require(first.unverified.member(named: "pk")), charter: try first.verifyFirst())
            try log.begin()
            guard case .published = await node.publisher.submit(Array(log.entries.dropLast())) else {
                throw NodeError("refused")
            }
            let cut = UInt64(log.entries.count)
            let licence = try log.licence("PK-1")
            guard case .published = await node.publisher.submit([licence]) else { throw NodeError("refused") }
            let second = try TestCharters.next(first) { charter in
                charter.members[0].rootKeys.removeLast()
                charter.cuts = [try TestCharters.cut("pk", at: cut)]
            }
            _ = await node.charters.take(second.bytes)
            let state = try await node.store.state(of: node.identity.origin)
            #expect(state.size == cut + 3 && state.charterVersion == 2 && state.isJudged)
            let row = try await node.store.rows(
                of: node.identity.origin, map: "vasp-licences", after: nil, limit: 10)
            #expect(row.count == 1, "what an officer said meanwhile counts")
            // While it is suspended it says nothing.
            let third = try TestCharters.next(second, by: ["sv", "us"]) { charter in
                charter.members[0].standing = .suspended
                charter.cuts = [try TestCharters.cut("pk", at: state.size)]
            }
            _ = await node.charters.take(third.bytes)
            guard case .refused(let refused) = await node.publisher.submit([try log.licence("PK-2")]) else {
                throw NodeError("published")
            }
            #expect(refused.first?.reason == .notActive)
            #expect(try await node.store.state(of: node.identity.origin).size == state.size)
        }
    }
}

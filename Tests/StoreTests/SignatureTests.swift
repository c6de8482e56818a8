import Alliance
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: cosignatures and quorums")
struct SignatureTests {
    private func keep(
        _ store: Store, _ log: MemoryLog, _ size: Int, _ lines: [(member: String, time: UInt64)]
    ) async throws -> Bool {
        let checkpoint = try log.head(size).checkpoint
        return try await store.keep(
            lines.map { try StoredCosignature($0.member, $0.time, checkpoint) }, of: log.member.log.name,
            size: UInt64(size), root: checkpoint.root)
    }

    @Test("Of each member the newest counts; the first quorum stays as it was")
    func newestAndFirst() async throws {
        try await withStore { store, alliance in
            let log = try RandomHistory(alliance, seed: 1).log
            try await store.follow(log, [log.entries])
            let name = log.member.log.name
            let size = log.entries.count
            #expect(try await keep(store, log, size, [("sv", 100)]))
            #expect(try await store.log(name).quorum == 0)
            #expect(try await keep(store, log, size, [("sv", 100)]) == false)
            #expect(try await keep(store, log, size, [("sv", 90)]) == false)
            #expect(try await keep(store, log, size, [("us", 110)]))
            #expect(try await store.log(name).quorum == UInt64(size))
            let first = try await store.cosignatures(of: name, over: 0).firstQuorum
            #expect(try await keep(store, log, size, [("us", 300), ("sv", 290), ("imf", 310)]))
            let checkpoint = try #require(try await store.checkpoints(of: name).quorum)
            #expect(checkpoint.cosignatures.map(\.member) == ["imf", "sv", "us"].map { TestAlliance.id($0) })
            #expect(checkpoint.cosignatures.map(\.time) == [310, 290, 300])
            #expect(try await store.cosignatures(of: name, over: 0).firstQuorum == first)
            let lines = try SignedNote(parsing: try #require(first)).signatures
            #expect(try lines.dropFirst().map { try Cosignature(parsing: $0).timestamp } == [110, 100])
            // The newest first, so that a note of limited length has the newest quorum.
            let full = try SignedNote(parsing: checkpoint.fullNote())
            #expect(try full.signatures.dropFirst().map { try Cosignature(parsing: $0).timestamp } == [310, 300, 290])
        }
    }

    @Test("A cosignature of this node's own that it had forgotten counts as given")
    func forgotten() async throws {
        try await withStore { store, alliance in
            let log = try RandomHistory(alliance, seed: 1).log
            try await store.follow(log, [log.entries])
            let (name, size) = (log.member.log.name, UInt64(log.entries.count))
            let head = try log.head().checkpoint
            func keep(_ member: String, at time: UInt64, own: String) async throws {
                try await store.keep(
                    [StoredCosignature(member, time, head)], of: name, size: size, root: head.root,
                    own: TestAlliance.id(own))
            }
            try await keep("sv", at: 100, own: "us")
            #expect(try await store.log(name).cosigned == 0)
            try await keep("us", at: 100, own: "us")
            #expect(try await store.log(name).cosigned == size)
        }
    }

    @Test("Replicas of two charters make no quorum together")
    func quorumOfOneCharter() async throws {
        let first = try TestCharters.first()
        let second = try TestCharters.next(first) { charter in
            // The observer has another replica key.
            charter.members[3].replica = try CosignatureSigner(
                name: "imf.alliance.example/replica", seed: TestKey.seed("imf second replica")
            ).verifierKey
        }
        try await withFolder { folder in
            let store = try Store(folder: folder)
            try await store.install(try TestCharters.chain(first), check: check)
            var log = MemoryLog(
                member: try #require(first.unverified.member(named: "pk")), charter: try first.verifyFirst())
            try log.begin()
            try await store.follow(log, [log.entries])
            let (name, size) = (log.member.log.name, log.entries.count)
            #expect(try await keep(store, log, size, [("imf", 100)]))
            try await store.install(try TestCharters.chain(first, second), check: check)
            #expect(try await keep(store, log, size, [("sv", 100)]))
            #expect(try await store.log(name).quorum == 0, "imf's line is by a key that does not count any more")
            #expect(try await store.cosignatures(of: name, over: 0).firstQuorum == nil)
            #expect(try await keep(store, log, size, [("us", 100)]))
            #expect(try await store.log(name).quorum == UInt64(size))
            try store.close()
        }
    }

    @Test("The quorum's size only grows; signatures below it are let go, first quorums are not")
    func pruning() async throws {
        try await withStore { store, alliance in
            var history = try RandomHistory(alliance, seed: 2)
            for _ in 0..<3 { try history.grow() }
            let log = history.log
            var sizes: [Int] = []
            for batch in history.batches {
                try await store.follow(log, [batch])
                sizes.append((sizes.last ?? 0) + batch.count)
            }
            let name = log.member.log.name
            #expect(try await keep(store, log, sizes[0], [("sv", 1), ("us", 2)]))
            #expect(try await keep(store, log, sizes[1], [("sv", 3)]))
            #expect(try await keep(store, log, sizes[2], [("sv", 4), ("us", 5)]))
            #expect(try await store.log(name).quorum == UInt64(sizes[2]))
            for size in sizes[..<2] { #expect(try await store.checkpoint(name, size: UInt64(size)) == nil) }
            // What comes too late for a size that was let go is dropped, and takes nothing back.
            #expect(try await keep(store, log, sizes[1], [("us", 6), ("imf", 7)]) == false)
            #expect(try await store.log(name).quorum == UInt64(sizes[2]))
            // Entry 0 was first held by a quorum at the first size.
            let first = try await store.cosignatures(of: name, over: 0).firstQuorum
            #expect(try Checkpoint(parsing: SignedNote(parsing: try #require(first)).text).size == UInt64(sizes[0]))
            let second = try await store.cosignatures(of: name, over: UInt64(sizes[0])).firstQuorum
            #expect(try Checkpoint(parsing: SignedNote(parsing: try #require(second)).text).size == UInt64(sizes[2]))
            // A head that is held, though not by a quorum, is still served.
            #expect(try await store.checkpoints(of: name).head?.size == UInt64(sizes[3]))
            #expect(try await store.cosignatures(of: name, over: UInt64(sizes[2])).kept.isEmpty)
        }
    }

    @Test("Checkpoints that wait for a quorum are bounded")
    func waiting() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            try await store.publish([Array(log.entries.dropLast())])
            // As many more as a long time without any peer would leave; the next publication looks through them.
            let count = try await store.pool.write { db in
                for size in 10_000..<10_000 + 2 * Appender.waitingCheckpoints {
                    try db.execute(
                        sql: """
                            INSERT INTO checkpoint(log, size, root, note)
                            SELECT log, ?, root, note FROM checkpoint LIMIT 1
                            """,
                        arguments: [size])
                }
                return try Int.fetchOne(db, sql: "SELECT count(*) FROM checkpoint") ?? 0
            }
            #expect(count > Appender.waitingCheckpoints)
            let licence = try log.licence("PK-1")
            try await store.publish([[licence]])
            let kept = try await store.pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM checkpoint") ?? 0 }
            #expect(kept == Appender.waitingCheckpoints)
        }
    }

    @Test("A signature under another root, or of nothing that is held, is not kept")
    func foreign() async throws {
        try await withStore { store, alliance in
            let log = try RandomHistory(alliance, seed: 3).log
            try await store.follow(log, [log.entries])
            let name = log.member.log.name
            let size = UInt64(log.entries.count)
            let line = try StoredCosignature("sv", 1, log.head().checkpoint)
            #expect(try await store.keep([line], of: name, size: size, root: .zero) == false)
            #expect(try await store.keep([line], of: name, size: size + 1, root: .zero) == false)
            #expect(try await store.keep([line], of: "nobody.example/log", size: size, root: .zero) == false)
            #expect(try await store.cosignatures(of: name, over: 0).kept.isEmpty)
            let error = await #expect(throws: StoreError.self) {
                try await store.cosign(name, size: size, root: .zero) { throw Refused() }
            }
            #expect(error?.code == .moved)
        }
    }

    @Test("A cosigning that fails leaves no trace; of a log that contradicted itself nothing is cosigned any more")
    func cosigning() async throws {
        try await withStore { store, alliance in
            let log = try RandomHistory(alliance, seed: 4).log
            try await store.follow(log, [log.entries])
            let name = log.member.log.name
            let size = log.entries.count
            let root = try log.head().checkpoint.root
            await #expect(throws: Refused.self) {
                try await store.cosign(name, size: UInt64(size), root: root) { throw Refused() }
            }
            #expect(try await store.log(name).cosigned == 0)
            try await store.cosign(name, size, of: log, time: 5)
            // The same size again is a refresh.
            try await store.cosign(name, size, of: log, time: 9)
            #expect(try await store.cosignatures(of: name, over: 0).kept.map(\.time) == [9])
            try await store.keepContradiction(name, ours: nil, other: Array("other".utf8))
            try await store.keepContradiction(name, ours: nil, other: Array("third".utf8))
            #expect(try await store.contradictedOrigins() == [name])
            let error = await #expect(throws: StoreError.self) {
                try await store.cosign(name, size, of: log, time: 12)
            }
            #expect(error?.code == .rollback)
        }
    }
}

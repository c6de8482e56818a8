import Alliance
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: following another member's log")
struct FollowingTests {
    @Test(
        "Whatever a log holds, all that is derived equals the log in memory", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func random(seed: UInt64) async throws {
        let alliance = try TestAlliance()
        var history = try RandomHistory(alliance, seed: seed)
        var random = SeededGenerator(seed: seed)
        try await withFolder { folder in
            var store: Store? = try Store(folder: folder)
            try await store?.install(alliance.charter)
            var sent = 0
            for _ in 0..<12 {
                try history.grow()
                // Several batches at once, or none yet.
                guard Bool.random(using: &random) else { continue }
                try await store?.follow(history.log, Array(history.batches[sent...]), head: Bool.random(using: &random))
                sent = history.batches.count
                guard Int.random(in: 0..<3, using: &random) == 0 else { continue }
                try store?.close()
                store = nil
                store = try Store(folder: folder)
                try await store?.install(alliance.charter)
            }
            if sent < history.batches.count {
                try await store?.follow(history.log, Array(history.batches[sent...]))
            }
            try await store?.expectSame(as: history.log, history: history.history)
            try store?.close()
        }
    }

    @Test("What was published is followed to the same state")
    func publishedThenFollowed() async throws {
        let alliance = try TestAlliance()
        let history = try RandomHistory(alliance, seed: 7)
        try await withStore(alliance) { ours, _ in
            try await ours.publish([Array(history.log.entries.dropLast())])
            try await withStore(alliance) { theirs, _ in
                try await theirs.follow(history.log, history.batches)
                try await theirs.expectSame(as: history.log, history: history.history)
                let (one, other) = (try await ours.log(try origin()), try await theirs.log(try origin()))
                #expect(one.head == other.head && one.frontier == other.frontier)
            }
        }
    }

    @Test("A root that the entries do not give, and a size that is not ours, leave nothing")
    func refused() async throws {
        let alliance = try TestAlliance()
        var history = try RandomHistory(alliance, seed: 8)
        try history.grow()
        try await withStore(alliance) { store, _ in
            try await store.follow(history.log, [history.batches[0]])
            let name = try origin()
            let before = try await store.log(name)
            let state = try await store.state(of: name)
            let batch = check(history.batches[1], state)
            let wrong = await #expect(throws: StoreError.self) {
                try await store.append([batch], to: name, at: before.size, root: .zero, head: nil)
            }
            #expect(wrong?.code == .damaged)
            let late = await #expect(throws: StoreError.self) {
                try await store.append([batch], to: name, at: before.size - 1, root: .zero, head: nil)
            }
            #expect(late?.code == .moved)
            await #expect(throws: StoreError.self) {
                try await store.append([batch], to: "nobody.example/log", at: 0, root: .zero, head: nil)
            }
            #expect(try await store.log(name).size == before.size)
            #expect(try await store.state(of: name).size == before.size)
            try await store.follow(history.log, [history.batches[1]])
            try await store.expectSame(as: history.log, history: history.history)
        }
    }

    @Test("A false state leaf is stored, ends counting, and nothing from there on is cosigned")
    func falseLeaf() async throws {
        let alliance = try TestAlliance()
        var log = try alliance.log()
        try log.begin()
        let begin = log.entries
        let leaf = StateLeaf(
            entryCount: UInt64(begin.count + 1), charterVersion: 1, charterDigest: alliance.charter.digest, lines: [])
        let lie = [try log.licence("PK-1"), leaf.bytes]
        let after = [try log.licence("PK-2"), leaf.bytes]
        try await withStore(alliance) { store, _ in
            try await store.follow(log, [begin])
            let rows = log.rows
            try log.receive(lie)
            let result = try await store.follow(log, [lie])
            #expect(result.end == CountingEnd(index: UInt64(begin.count), reason: .falseLeaf))
            try log.receive(after)
            try await store.follow(log, [after])
            #expect(log.rows == rows)
            try await store.expectSame(as: log)
            let name = try origin()
            for size in [begin.count + 2, begin.count + 4] {
                let head = try log.head(size)
                let error = await #expect(throws: StoreError.self) {
                    try await store.cosign(name, size: UInt64(size), root: head.checkpoint.root) {
                        throw Refused()
                    }
                }
                #expect(error?.code == .rollback)
            }
            // The end outlasts a restart, and what was true stays in force.
            #expect(try await store.row(RowKey(map: "vasp-licences", key: "PK-1"), of: name) == nil)
        }
    }

    @Test("Size, head and cosigned size never go back")
    func monotone() async throws {
        let alliance = try TestAlliance()
        var history = try RandomHistory(alliance, seed: 9)
        try history.grow()
        try history.grow()
        try await withStore(alliance) { store, _ in
            let name = try origin()
            let (first, second) = (history.batches[0].count, history.batches[0].count + history.batches[1].count)
            try await store.follow(history.log, [history.batches[0]])
            let old = try history.log.head(first)
            try await store.follow(history.log, [history.batches[1]])
            #expect(
                try await store.keepHead(
                    old.note, of: name, size: UInt64(first), root: old.checkpoint.root) == false)
            #expect(try await store.log(name).headSize == UInt64(second))
            try await store.cosign(name, second, of: history.log)
            let error = await #expect(throws: StoreError.self) {
                try await store.cosign(name, first, of: history.log)
            }
            #expect(error?.code == .rollback)
            // Never above what is held either.
            await #expect(throws: StoreError.self) {
                try await store.cosign(name, history.log.entries.count, of: history.log)
            }
            #expect(try await store.log(name).cosigned == UInt64(second))
            // Beyond the code, the tables refuse it too.
            await #expect(throws: StoreError.self) {
                try await store.write { db, _ in try db.execute(sql: "UPDATE log SET head_size = size + 1") }
            }
        }
    }

    @Test("A head that comes after its entries is kept; one of another root is not")
    func headLater() async throws {
        let alliance = try TestAlliance()
        let history = try RandomHistory(alliance, seed: 10)
        try await withStore(alliance) { store, _ in
            let name = try origin()
            try await store.follow(history.log, history.batches, head: false)
            #expect(try await store.log(name).head == nil)
            let head = try history.log.head()
            let size = head.checkpoint.size
            #expect(try await store.keepHead(head.note, of: name, size: size, root: .zero) == false)
            #expect(try await store.keepHead(head.note, of: name, size: size, root: head.checkpoint.root))
            #expect(try await store.log(name).head == head.note)
            #expect(try await store.checkpoint(name, size: size)?.note == head.note)
        }
    }
}

extension Store {
    /// Cosigns as `sv`.
    @discardableResult
    func cosign(
        _ origin: String, _ size: Int, of log: MemoryLog, time: UInt64 = 1_000
    ) async throws -> StoredCosignature {
        let checkpoint = try log.head(size).checkpoint
        return try await cosign(origin, size: UInt64(size), root: checkpoint.root) {
            try StoredCosignature("sv", time, checkpoint)
        }
    }
}

extension StoredCosignature {
    init(_ member: String, _ time: UInt64, _ checkpoint: Checkpoint) throws {
        self.init(
            member: TestAlliance.id(member), time: time,
            line: try TestAlliance.cosigner(member).sign(checkpoint.text, at: time))
    }
}

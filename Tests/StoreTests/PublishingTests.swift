import Alliance
import GRDB
import Synchronization
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: publishing")
struct PublishingTests {
    @Test("One batch, one leaf, one signed head")
    func one() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            let (results, note) = try await store.publish([Array(log.entries.dropLast())])
            #expect(results.map(\.published) == [0...UInt64(log.entries.count - 2)])
            #expect(note == (try log.head().note))
            try await store.expectSame(as: log)
            let record = try await store.log(try origin())
            #expect(record.headSize == record.size && record.head == note)
        }
    }

    @Test("Of several submissions the bad ones are refused alone, and the others share a batch")
    func several() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            try await store.publish([Array(log.entries.dropLast())])
            let good = [try log.licence("PK-1"), try log.licence("PK-2")]
            let bad = [try log.licence("PK-3"), try log.licence("PK-4", by: "carla"), Array("nonsense".utf8)]
            let last = [try log.licence("PK-5")]
            let (results, _) = try await store.publish([good, bad, last, good])
            try log.publish(good + last)
            let start = UInt64(log.entries.count - 4)
            #expect(results[0].published == start...start + 1)
            #expect(results[1].reasons == [.notPermitted, .malformed])
            if case .refused(let refused) = results[1] { #expect(refused.map(\.position) == [1, 2]) }
            #expect(results[2].published == start + 2...start + 2)
            #expect(results[3].reasons == [.repeated, .repeated])
            try await store.expectSame(as: log)
        }
    }

    @Test("Where everything is refused, nothing is written and nothing signed")
    func nothing() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            let licence = try log.licence("PK-1")
            let again = try await store.publish([[licence]], in: try origin(), check: check) { _ in
                throw Refused()
            }
            #expect(again.results[0].reasons == [.notInForce] && again.note == nil && again.appended.isEmpty)
            #expect(try await store.log(try origin()).size == 0)
        }
    }

    @Test("What was appended is handed back for the announcement, and nothing that was taken back")
    func appended() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            let first = try await store.publish(
                [Array(log.entries.dropLast())], in: try origin(), check: check, sign: signNote)
            #expect(first.appended == log.entries && first.start == 0)
            // Two batches; the second is refused when the first is stored already.
            let heavy = try Self.many(3_000, &log)
            let before = log.entries.count
            let small = [try log.licence("PK-1")]
            let result = try await store.publish(
                [heavy + [Array("x".utf8)], small], in: try origin(), check: check, sign: signNote)
            try log.publish(small)
            #expect(result.results[1].published != nil && result.start == UInt64(before))
            #expect(result.appended == Array(log.entries[before...]))
            try await store.expectSame(as: log)
        }
    }

    /// Statements that cost little: approvals of an identity by one officer, apart by their time.
    private static func many(_ count: Int, _ log: inout MemoryLog) throws -> [[UInt8]] {
        try (0..<count).map { number in
            try DraftContext(
                member: log.member.id, alliance: log.charter.alliance, issuedAt: TestAlliance.start + Int64(number)
            ).approval(of: [HashValue.sha256("x")]).signed(by: TestAlliance.officer("ayesha"))
        }
    }

    @Test(
        "A large submission is cut into batches, and is published whole or not at all",
        arguments: [.usual, .none, RecentTables.Limits(least: 700, most: 700, rowsEach: 1, small: 0)])
    func large(limits: RecentTables.Limits) async throws {
        try await withStore(recentLimits: limits) { store, alliance in
            var log = try alliance.log()
            try log.begin()
            try await store.publish([Array(log.entries.dropLast())])
            let before = try await store.log(try origin())
            let many = try Self.many(2 * Press.batch.statements + 5, &log)
            let bad = many + [Array("nonsense".utf8)]
            let small = [try log.licence("PK-1")]
            let (results, _) = try await store.publish([bad, small])
            #expect(results[0].reasons == [.malformed])
            if case .refused(let refused) = results[0] { #expect(refused.map(\.position) == [many.count]) }
            #expect(results[1].published == before.size...before.size)
            try log.publish(small)
            try await store.expectSame(as: log)
            let (published, note) = try await store.publish([many])
            let start = UInt64(log.entries.count)
            let parts = Press.split(many)
            for part in parts { try log.publish(part) }
            #expect(parts.count > 1 && parts.last?.count == 5)
            // The leaves of the parts before the last stand between.
            #expect(published[0].published == start...start + UInt64(many.count + parts.count - 2))
            #expect(note == (try log.head().note))
            try await store.expectSame(as: log)
            // So much is settled at once, within the savepoint or after it; by the usual limits the second batch waits.
            let settled = try await store.read { try Int.fetchOne($0, sql: "SELECT max(settled) FROM log") }
            let recent = try await store.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM recent_identity") }
            let waits = limits.least == RecentTables.Limits.usual.least
            #expect(settled == log.entries.count - (waits ? 6 : 0))
            #expect(recent == (waits ? 5 : 0))
        }
    }

    @Test("A large submission that comes again is refused whole: all of it stands there")
    func largeAgain() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            try await store.publish([Array(log.entries.dropLast())])
            let many = try Self.many(2 * Press.batch.statements + 5, &log)
            let (first, _) = try await store.publish([many])
            #expect(first[0].published != nil)
            let size = try await store.log(try origin()).size
            let (again, _) = try await store.publish([many])
            #expect(again[0].reasons == Array(repeating: .repeated, count: many.count))
            let more = try log.licence("PK-9")
            let (partly, _) = try await store.publish([many + [more]])
            #expect(partly[0].reasons?.count ?? 0 <= many.count && partly[0].published == nil)
            #expect(try await store.log(try origin()).size == size)
        }
    }

    @Test("Approvals stay in the batch of what they approve")
    func approvals() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin(twoOfficers: ["vasp-licences"])
            try await store.publish([Array(log.entries.dropLast())])
            let licence = try log.licence("PK-1")
            let (alone, _) = try await store.publish([[licence]])
            #expect(alone[0].reasons == [.notApproved])
            let approval = try log.approval(of: [licence])
            let (both, _) = try await store.publish([[licence, approval]])
            #expect(both[0].published != nil)
            try log.publish([licence, approval])
            try await store.expectSame(as: log)
            let split = Press.split(
                Array(repeating: Array(repeating: 0x41, count: 1_000), count: 5_000) + [approval, approval])
            #expect(split.map(\.count) == [5_001, 1])
        }
    }

    @Test("What no peer could take in one range is refused before it is signed")
    func tooLarge() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            try await store.publish([Array(log.entries.dropLast())])
            let approval = try log.approval(of: [log.entries[0]])
            let bytes = Array(repeating: Array(repeating: UInt8(0x41), count: 60_000), count: 290) + [approval]
            let count = Array(repeating: Array("x".utf8), count: LogState.batchLimit) + [approval]
            let (results, note) = try await store.publish([bytes, count])
            for result in results {
                if case .tooLarge = result { continue }
                Issue.record("\(result)")
            }
            #expect(note == nil)
            try await store.expectSame(as: log)
        }
    }

    @Test("A failure inside the transaction leaves nothing, and the next one works")
    func failing() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            let first = Array(log.entries.dropLast())
            await #expect(throws: Refused.self) {
                try await store.publish([first], in: try origin(), check: check) { _ in throw Refused() }
            }
            #expect(try await store.log(try origin()).size == 0)
            #expect(try await store.state(of: try origin()).size == 0)
            #expect(try await store.maps(of: try origin()).isEmpty)
            try await store.publish([first])
            try await store.expectSame(as: log)
        }
    }

    @Test("A write whose task is cancelled before it commits leaves nothing, in memory neither")
    func cancelled() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            let first = Array(log.entries.dropLast())
            let running = Mutex<Task<Void, any Error>?>(nil)
            let (started, start) = AsyncStream<Void>.makeStream()
            let task = Task {
                for await _ in started { break }
                _ = try await store.publish([first], in: try origin(), check: check) { checkpoint in
                    running.withLock { $0?.cancel() }
                    return try signNote(checkpoint)
                }
            }
            running.withLock { $0 = task }
            start.yield()
            let result = await task.result
            if case .success = result { Issue.record("GRDB does not honour cancellation any more") }
            #expect(try await store.log(try origin()).size == 0)
            try await store.publish([first])
            try await store.expectSame(as: log)
        }
    }

    @Test("A full disk refuses what does not fit, whole, and takes it once there is room")
    func full() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            try await store.publish([Array(log.entries.dropLast())])
            // More than the pages that are left, and no room for others.
            let pages = try await store.pool.write { db in try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0 }
            func limit(_ pages: Int) async throws {
                try await store.pool.writeWithoutTransaction { db in
                    try db.execute(sql: "PRAGMA max_page_count = \(pages)")
                }
            }
            try await limit(pages + 1)
            let licences = try (0..<40).map { try log.licence("PK-\($0)", domains: ["d\($0).example"]) }
            for _ in 0..<2 {
                let error = await #expect(throws: StoreError.self) { try await store.publish([licences]) }
                #expect(error?.code == .full && error?.reason.contains("full") == true, "\(error as Any)")
                try await store.expectSame(as: log)
            }
            try await limit(1_000_000)
            try await store.publish([licences])
            try log.publish(licences)
            try await store.expectSame(as: log)
        }
    }

    @Test("After an error of the database itself, the database is read anew")
    func databaseError() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            try await store.publish([Array(log.entries.dropLast())])
            let name = try origin()
            let error = await #expect(throws: StoreError.self) {
                try await store.write { db, writer in
                    // As if the body had gone through, and the commit had not.
                    writer.logs[name]?.headSize = 1_000_000
                    try db.execute(sql: "INSERT INTO nothing VALUES (1)")
                }
            }
            #expect(error?.code == .file)
            let licence = try log.licence("PK-1")
            try log.publish([licence])
            try await store.publish([[licence]])
            try await store.expectSame(as: log)
        }
    }
}

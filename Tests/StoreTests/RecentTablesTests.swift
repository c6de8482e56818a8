import Alliance
import Foundation
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

extension RecentTables.Limits {
    /// Nothing waits.
    static let none = Self(least: 0, most: 0, rowsEach: 1)
    /// Everything waits.
    static let all = Self(least: 1 << 40, most: 1 << 40, rowsEach: 1)
}

@Suite("Store: recent pages and identities")
struct RecentTablesTests {
    private static let tables = ["recent_page", "recent_place", "recent_identity"]

    private static func count(_ store: Store, _ table: String) async throws -> Int {
        try await store.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table)") ?? 0 }
    }

    /// Lets a quorum hold a log's newest head.
    private static func cosign(_ store: Store, _ log: MemoryLog) async throws {
        let checkpoint = try log.head().checkpoint
        let lines = try ["sv", "us"].map {
            try StoredCosignature($0, UInt64(TestAlliance.start) + 90_000, checkpoint)
        }
        try await store.keep(
            lines, of: checkpoint.origin, size: checkpoint.size, root: checkpoint.root)
    }

    /// Every key's proof, every statement's place, and all that is derived.
    private static func expectSame(_ store: Store, _ log: MemoryLog) async throws {
        let name = log.member.log.name
        try await store.expectSame(as: log)
        try await cosign(store, log)
        for key in log.rows.keys {
            let proof = try await store.proof(of: key, register: "vasp-licences", in: name)
            #expect(try proof?.rowProof == log.prove(key.map, key.key.text))
        }
        for (index, entry) in log.entries.enumerated() {
            guard case .statement(let statement) = LogEntry(entry) else { continue }
            let first = log.entries.firstIndex(of: entry) ?? index
            #expect(try await store.index(of: statement.identity, in: name) == UInt64(first))
        }
    }

    @Test(
        "Whatever waits, all that is asked is the same, also after a start and with other limits",
        arguments: [RecentTables.Limits.none, .init(least: 25, most: 25, rowsEach: 1), .all])
    func same(limits: RecentTables.Limits) async throws {
        for seed in UInt64(1)...2 {
            try await withFolder { folder in
                let alliance = try TestAlliance()
                var history = try RandomHistory(alliance, seed: seed)
                for _ in 0..<12 { try history.grow() }
                // Enough rows in one map for pages to be split, and to be written again.
                var log = history.log
                var before = MemoryLog(member: log.member, charter: log.charter)
                for (number, batch) in history.batches.enumerated() {
                    try before.receive(batch)
                    let store = try Store(folder: folder, recentLimits: number % 7 == 6 ? .none : limits)
                    try await store.install(alliance.charter)
                    // What MemoryLog.receive does not keep is that its head was signed.
                    try await store.follow(log, [batch])
                    #expect(try await store.log(log.member.log.name).size == UInt64(before.entries.count))
                    try store.close()
                }
                let store = try Store(folder: folder, recentLimits: limits)
                try await store.install(alliance.charter)
                try await Self.expectSame(store, log)
                let licences = try (0..<80).map { try log.licence("MORE-\($0)") }
                let start = log.entries.count
                try log.publish(licences)
                try await store.follow(log, [Array(log.entries[start...])])
                try await Self.expectSame(store, log)
                try store.close()
            }
        }
    }

    @Test("What came together moves at once, and nothing stays behind")
    func settling() async throws {
        try await withFolder { folder in
            let alliance = try TestAlliance()
            var log = try alliance.log()
            try log.begin()
            let store = try Store(folder: folder, recentLimits: .init(least: 30, most: 30, rowsEach: 1))
            try await store.install(alliance.charter)
            try await store.follow(log, [log.entries])
            var settled: Set<Int64> = []
            for round in 0..<24 {
                let start = log.entries.count
                try log.publish(try (0..<4).map { try log.licence("PK-\(round % 16)-\($0)") })
                try await store.follow(log, [Array(log.entries[start...])])
                let now = try await store.read { try Int64.fetchOne($0, sql: "SELECT max(settled) FROM log") ?? -1 }
                settled.insert(now)
                let isSettled = now == Int64(log.entries.count)
                for table in Self.tables { #expect(try await (Self.count(store, table) == 0) == isSettled) }
                #expect(try await Self.count(store, "recent_page") <= 30)
            }
            #expect(settled.count > 3)
            try await Self.expectSame(store, log)
            try store.close()
        }
    }

    @Test("A batch that is taken back takes back what it settled")
    func takenBack() async throws {
        try await withFolder { folder in
            let alliance = try TestAlliance()
            var log = try alliance.log()
            try log.begin()
            let store = try Store(folder: folder, recentLimits: .init(least: 40, most: 40, rowsEach: 1))
            try await store.install(alliance.charter)
            try await store.follow(log, [log.entries])
            for round in 0..<12 {
                let start = log.entries.count
                let name = log.member.log.name
                try log.publish(try (0..<3).map { try log.licence("PK-\(round)-\($0)") })
                let batch = Array(log.entries[start...])
                let keys = try await store.state(of: name).candidates(with: batch.map { LogEntry($0) })
                await #expect(throws: StoreError.self) {
                    try await store.append(
                        [batch.map { NewEntry($0, keys: keys) }], to: name, at: UInt64(start),
                        root: HashValue.sha256("another"), head: nil)
                }
                try await store.follow(log, [batch])
            }
            try await Self.expectSame(store, log)
            try store.close()
        }
    }

    @Test("The limits: a share of the rows, between bounds")
    func limits() {
        let limits = RecentTables.Limits.usual
        #expect(limits.limit(rows: 0) == limits.least)
        #expect(limits.limit(rows: 100_000) == 6_250)
        #expect(limits.limit(rows: 1 << 40) == limits.most)
    }
}

extension [UInt8] {
    fileprivate var text: String { String(decoding: self, as: UTF8.self) }
}

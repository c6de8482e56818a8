import Alliance
import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing
import TransparencyLog

@testable import Store

/// What keeps the cost of a million entries that of ten thousand.
@Suite("Store: scale")
struct ScaleTests {
    /// Statements in the order in which they were run.
    private final class Heard: Sendable {
        private let statements = Mutex<[String]>([])
        var all: [String] { statements.withLock { $0 } }
        func hear(_ statement: String) { statements.withLock { $0.append(statement) } }
        func forget() { statements.withLock { $0 = [] } }
    }

    private static let time = TestAlliance.start + 80_000
    private static let name = "pk.alliance.example/log"
    private static let key = RowKey(map: "vasp-licences", key: "PK-1")

    private static func cosign(_ store: Store, _ log: MemoryLog) async throws {
        let checkpoint = try log.head().checkpoint
        let signatures = try ["sv", "us"].map { try StoredCosignature($0, UInt64(time), checkpoint) }
        try await store.keep(
            signatures, of: name, size: checkpoint.size, root: checkpoint.root)
    }

    /// Follows a log with some rows, and lets a quorum hold it.
    private static func fill(_ store: Store, _ log: inout MemoryLog, _ keys: ClosedRange<Int>) async throws {
        var batch: [[UInt8]] = []
        for key in keys { batch.append(try log.licence("PK-\(key)", domains: ["firm-\(key).example"])) }
        let sent = log.entries.count
        if sent == 0 { try log.begin() }
        try log.publish(batch)
        let first = Array(log.entries[sent...])
        let ends = first.indices.filter { first[$0].starts(with: StateLeaf.familyPrefix) }
        let starts = [0] + ends.dropLast().map { $0 + 1 }
        try await store.follow(log, zip(starts, ends).map { Array(first[$0...$1]) })
        try await cosign(store, log)
    }

    /// Everything that a node asks of its store while it runs.
    private static func use(_ store: Store, _ log: MemoryLog) async throws {
        let size = UInt64(log.entries.count)
        _ = try await store.logs()
        _ = try await store.log(name)
        _ = try await store.maps(of: name)
        _ = try await store.row(key, of: name)
        _ = try await store.rows(of: name, map: key.map, after: "PK-2", limit: 2)
        _ = try await store.history(of: key, in: name)
        _ = try await store.entries(of: name, in: 3..<5)
        _ = try await store.ignored(of: name, in: 3..<5)
        _ = try await store.index(of: HashValue.sha256(log.entries[2]), in: name)
        _ = try await store.range(of: name, from: 0, headSize: size)
        _ = try await store.root(of: name, at: 3)
        _ = try await store.consistencyProof(of: name, from: 3, to: size)
        _ = try await store.tile(TilePath(parsing: "tile/0/000.p/\(min(size, 255))"), of: name)
        _ = try await store.checkpoints(of: name)
        _ = try await store.cosignatures(of: name, over: 2)
        _ = try await store.contradictedOrigins()
        _ = try await store.wantedDocuments(limit: 10)
        _ = try await store.documentSize(HashValue.sha256("none"))
        try await store.markHeld(HashValue.sha256("none"))
        _ = try await store.proof(of: key, register: key.map, in: name)
    }

    /// Tables that grow with a log. `log`, `charter`, `contradiction` and `map` grow with the alliance.
    private static let large: Set<String> = [
        "entry", "tile", "identity", "ignored", "row", "step", "page", "page_hash", "checkpoint", "cosignature",
        "first_quorum", "document", "recent_page", "recent_place", "recent_identity",
    ]

    @Test("No statement of a running node reads a whole table that grows with a log")
    func plans() async throws {
        try await withFolder { folder in
            let heard = Heard()
            let alliance = try TestAlliance()
            let store = try Store(folder: folder, changesLimit: 1 << 20, onStatement: { heard.hear($0) })
            heard.forget()
            try await store.install(alliance.charter)
            var log = try alliance.log()
            try await Self.fill(store, &log, 1...20)
            try await Self.use(store, log)
            let statements = Set(heard.all).filter { sql in
                ["SELECT", "INSERT", "UPDATE", "DELETE"].contains { sql.trimmed.hasPrefix($0) }
            }
            #expect(statements.count > 30)
            let plans = try await store.pool.read { db in
                try statements.sorted().flatMap { sql in
                    let statement = try db.makeStatement(sql: "EXPLAIN QUERY PLAN \(sql)")
                    // Plans do not depend on what is asked for.
                    statement.setUncheckedArguments(StatementArguments())
                    return try GRDB.Row.fetchAll(statement).map { row -> (String, String) in (sql, row["detail"]) }
                }
            }
            for (sql, plan) in plans {
                let words = plan.split(separator: " ").map(String.init)
                guard words.first == "SCAN", words.count > 1, Self.large.contains(words[1]) else { continue }
                // The index holds only what is missing.
                if plan.contains("missing_document") { continue }
                Issue.record("\(plan): \(sql)")
            }
            try store.close()
        }
    }

    @Test("A proof reads a map's page hashes once, also after a start, and follows the map's changes")
    func maps() async throws {
        try await withFolder { folder in
            let heard = Heard()
            let alliance = try TestAlliance()
            var log = try alliance.log()
            func loads() -> Int { heard.all.count { $0.contains("FROM page_hash") } }
            func proof(_ store: Store) async throws -> StoredProof {
                try #require(try await store.proof(of: Self.key, register: Self.key.map, in: Self.name))
            }
            do {
                let store = try Store(folder: folder, changesLimit: 1 << 20, onStatement: { heard.hear($0) })
                try await store.install(alliance.charter)
                try await Self.fill(store, &log, 1...40)
                heard.forget()
                let first = try await proof(store)
                #expect(first.rowProof == (try log.prove(Self.key.map, "PK-1")))
                // The writer has just made these maps.
                #expect(loads() == 0)
                try store.close()
            }
            let store = try Store(folder: folder, changesLimit: 1 << 20, onStatement: { heard.hear($0) })
            try await store.install(alliance.charter)
            heard.forget()
            #expect(try await proof(store).rowProof == (try log.prove(Self.key.map, "PK-1")))
            let loaded = loads()
            #expect(loaded == 3)
            #expect(try await proof(store).rowProof == (try log.prove(Self.key.map, "PK-1")))
            #expect(loads() == loaded)
            try await Self.fill(store, &log, 41...60)
            heard.forget()
            #expect(try await proof(store).rowProof == (try log.prove(Self.key.map, "PK-1")))
            try store.close()
        }
    }

    @Test("Maps that were loaded are let go, the one not used the longest first")
    func eviction() throws {
        let maps = LoadedMaps()
        for id in 0..<Int64(LoadedMaps.mapLimit) { maps.keep(RegisterMap(), id) }
        #expect(maps.map(0, root: RegisterMap().root) != nil)
        maps.keep(RegisterMap(), -1)
        #expect(maps.map(0, root: RegisterMap().root) != nil)
        #expect(maps.map(1, root: RegisterMap().root) == nil)
        #expect(maps.map(2, root: HashValue.sha256("another")) == nil)
    }

    @Test("The database's log stays bounded while readers follow one another without a gap")
    func changes() async throws {
        try await withFolder { folder in
            let limit = 1 << 20
            let alliance = try TestAlliance()
            let store = try Store(folder: folder, changesLimit: limit)
            try await store.install(alliance.charter)
            let other = try Store.Reading(store)
            var log = try alliance.log()
            try await Self.fill(store, &log, 1...2)
            var longest = 0
            for round in 0..<15 {
                try await Self.fill(store, &log, (round * 20 + 3)...(round * 20 + 22))
                longest = max(longest, store.changesSize)
            }
            other.end()
            // One transaction may go beyond it.
            #expect(longest <= limit + (2 << 20))
            try store.close()
        }
    }
}

extension String {
    fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}

extension Store {
    /// Readers that overlap: there is no moment without one, though each is short.
    fileprivate struct Reading {
        private let tasks: [Task<Void, any Error>]

        init(_ store: Store) throws {
            tasks = (0..<3).map { _ in
                Task.detached {
                    while !Task.isCancelled {
                        try await store.read { db in
                            _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM entry")
                            // Long enough for the others to begin.
                            usleep(3_000)
                        }
                    }
                }
            }
        }

        func end() { for task in tasks { task.cancel() } }
    }
}

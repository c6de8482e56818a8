import Alliance
import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing
import TransparencyLog

@testable import Store

/// What is damaged on the disk below a node is noticed before anything is signed over it, or anybody blamed for it.
@Suite("Store: damage below a log that grows")
struct DamageTests {
    /// One bit of what the next batch builds on.
    struct Damage: CustomTestStringConvertible, Sendable {
        let table: String
        let column: String
        let condition: String
        var testDescription: String { "\(table).\(column) where \(condition)" }

        init(_ table: String, _ column: String, _ condition: String) {
            self.table = table
            self.column = column
            self.condition = condition
        }
    }

    private static let register = "(SELECT id FROM map WHERE name = 'vasp-licences')"
    private static let all = "map = \(register)"
    static let damages = [
        Damage("row", "bytes", "\(all) AND key = CAST('PK-1' AS BLOB)"),
        Damage("row", "bytes", "map <> \(register) AND key = CAST('firm-1.example' AS BLOB)"),
        Damage("page", "leaves", all),
        Damage("page_hash", "hash", all),
        Damage("recent_page", "leaves", "1"),
        Damage("map", "root", "id = \(register)"),
        Damage("log", "edge", "size > 0"),
    ]

    /// A log on the disk; what it holds of pages waits to be settled only where that is asked for.
    private static func make(_ folder: String, isSettled: Bool) async throws -> (log: MemoryLog, size: UInt64) {
        let alliance = try TestAlliance()
        var log = try alliance.log()
        try log.begin()
        var store: Store? = try Store(
            folder: folder, recentLimits: isSettled ? .init(least: 1, most: 1, rowsEach: 1) : .usual)
        try await store?.install(alliance.charter)
        try await store?.publish([Array(log.entries.dropLast())])
        let licences = try (1...20).map { try log.licence("PK-\($0)", domains: ["firm-\($0).example"]) }
        try await store?.publish([licences])
        try log.publish(licences)
        try store?.close()
        store = nil
        return (log, UInt64(log.entries.count))
    }

    /// Flips the lowest bit of the last byte.
    private static func flip(_ folder: String, _ damage: Damage) throws {
        try AuditFixture.meddle(folder) { db in
            let (table, column) = (damage.table, damage.column)
            let values = try Data.fetchAll(
                db, sql: "SELECT DISTINCT \(column) FROM \"\(table)\" WHERE \(damage.condition)")
            #expect(!values.isEmpty)
            for value in values {
                var changed = value
                changed[changed.count - 1] ^= 1
                try db.execute(
                    sql: "UPDATE \"\(table)\" SET \(column) = ? WHERE \(column) = ? AND \(damage.condition)",
                    arguments: [changed, value])
            }
        }
    }

    private static func expectDamage(_ what: String, _ body: () async throws -> Void) async {
        do {
            try await body()
            Issue.record("\(what) was not noticed")
        } catch let error as StoreError {
            #expect(error.code == .damaged && error.reason.contains("run entente fsck"), "\(what): \(error)")
        } catch {
            Issue.record("\(what): \(error)")
        }
    }

    private static func publish(_ folder: String, _ log: MemoryLog, _ entries: [[UInt8]]) async throws -> [UInt8]? {
        let store = try Store(folder: folder)
        defer { try? store.close() }
        try await store.install(log.charter)
        return try await store.publish([entries]).note
    }

    private static func repair(_ folder: String, _ log: MemoryLog) async throws {
        let audit = try FolderAudit(
            folder: folder, chain: CharterChain(log.charter), options: AuditOptions(member: log.member.id),
            check: check)
        let result = try await audit.repair(from: nil)
        #expect(result.after.findings.damage == 0, "\(result.after.findings.kept)")
    }

    @Test("Nothing is signed over a flipped bit; once repaired, publishing goes on", arguments: damages)
    func flipped(_ damage: Damage) async throws {
        try await withFolder { folder in
            var (log, size) = try await Self.make(folder, isSettled: damage.table != "recent_page")
            try Self.flip(folder, damage)
            let next = try log.licence("PK-1", domains: ["firm-1.example"])
            let before = try AuditFixture.contents("\(folder)/entente.sqlite")
            await Self.expectDamage(damage.testDescription) { _ = try await Self.publish(folder, log, [next]) }
            #expect(try AuditFixture.contents("\(folder)/entente.sqlite") == before)
            try await Self.repair(folder, log)
            let note = try await Self.publish(folder, log, [next])
            try log.publish([next])
            #expect(try note == log.head().note && UInt64(log.entries.count) == size + 2)
        }
    }

    @Test("A row that is gone is noticed too, by what adds to it and by what would take something out")
    func gone() async throws {
        let cases = [("PK-2", false), ("firm-2.example", false), ("PK-2", true), ("firm-2.example", true)]
        for (key, isRetracted) in cases {
            try await withFolder { folder in
                var (log, _) = try await Self.make(folder, isSettled: true)
                let licence = try #require(
                    log.rows[RowKey(map: "vasp-licences", key: "PK-2")].map { log.entries[Int($0.items[0].index)] })
                try AuditFixture.meddle(folder) { db in
                    try db.execute(sql: "DELETE FROM row WHERE key = CAST('\(key)' AS BLOB)")
                    #expect(db.changesCount == 1)
                }
                let next =
                    isRetracted
                    ? try log.retraction(of: [(licence, "PK-2")])
                    : try log.licence("PK-2", domains: ["firm-2.example"])
                await Self.expectDamage("\(key) \(isRetracted)") { _ = try await Self.publish(folder, log, [next]) }
            }
        }
    }

    @Test("Another member is not blamed for a bit that flipped here: its batch is stored once the row is repaired")
    func others() async throws {
        try await withFolder { folder in
            let alliance = try TestAlliance()
            var log = try alliance.log()
            try log.begin()
            try log.publish([try log.licence("PK-1", domains: ["firm-1.example"])])
            let batches = log.batches
            var store: Store? = try Store(folder: folder)
            try await store?.install(alliance.charter)
            try await store?.follow(log, batches)
            try store?.close()
            store = nil
            try Self.flip(folder, Self.damages[0])
            try log.publish([try log.licence("PK-1", domains: ["firm-1.example"])])
            let more = Array(log.batches[batches.count...])
            store = try Store(folder: folder)
            try await store?.install(alliance.charter)
            await Self.expectDamage("a row of another's log") { _ = try await store?.follow(log, more) }
            #expect(try await store?.log(log.member.log.name).end == nil)
            try store?.close()
            store = nil
            try await Self.repair(folder, log)
            let repaired = try Store(folder: folder)
            try await repaired.install(alliance.charter)
            try await repaired.follow(log, more)
            try await repaired.expectSame(as: log)
            try repaired.close()
        }
    }
}

extension MemoryLog {
    /// The entries, cut behind each state leaf.
    fileprivate var batches: [[[UInt8]]] {
        var batches: [[[UInt8]]] = [[]]
        for entry in entries {
            batches[batches.count - 1].append(entry)
            if entry.starts(with: StateLeaf.familyPrefix) { batches.append([]) }
        }
        return batches.dropLast()
    }
}

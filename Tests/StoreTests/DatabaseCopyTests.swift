import Alliance
import Foundation
import GRDB
import Synchronization
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: copies for backups")
struct DatabaseCopyTests {
    @Test("One moment, while a publisher goes on")
    func oneMoment() async throws {
        try await withStore { store, alliance in
            try await withFolder { folder in
                let log = try await Self.filled(store, alliance, folder)
                let path = "\(folder)/copy"
                let steps = Mutex(0)
                // Once the copy has begun, it waits for another write, which it must not contain.
                async let done: Void = store.copyDatabase(to: path) { _ in
                    guard
                        steps.withLock({
                            $0 += 1; return $0
                        }) == 1
                    else { return }
                    try DatabaseQueue(path: "\(store.folder)/entente.sqlite").write {
                        try $0.execute(sql: "UPDATE log SET size = size + 1")
                    }
                }
                try await done
                #expect(steps.withLock { $0 } > 1)
                let facts = try DatabaseCopy.check(path)
                #expect(facts.isCurrent && facts.charters == [alliance.charter.file])
                #expect(facts.logs.first { $0.origin == log }?.size == UInt64(Self.size))
            }
        }
    }

    private static let size = 3

    /// A folder with more than one step to copy.
    private static func filled(_ store: Store, _ alliance: TestAlliance, _ folder: String) async throws -> String {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let log = try origin("sv")
        try await store.pool.write { db in
            try db.execute(sql: "UPDATE log SET size = \(size) WHERE origin = ?", arguments: [log])
            for number in 1...600 {
                try db.execute(
                    sql: "INSERT INTO tile(id, hashes) VALUES (?, ?)",
                    arguments: [number, Data(repeating: 1, count: 8_192)])
            }
        }
        return log
    }

    @Test("One at a time; what is ended leaves nothing, and the next one succeeds")
    func ended() async throws {
        try await withStore { store, alliance in
            try await withFolder { folder in
                _ = try await Self.filled(store, alliance, folder)
                let other = await #expect(throws: StoreError.self) {
                    try await store.copyDatabase(to: "\(folder)/none/copy") { _ in }
                }
                #expect(other?.code == .file)
                await #expect(throws: CancellationError.self) {
                    try await store.copyDatabase(to: "\(folder)/copy") { _ in throw CancellationError() }
                }
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
                store.isCopying.withLock { $0 = true }
                let second = await #expect(throws: StoreError.self) {
                    try await store.copyDatabase(to: "\(folder)/copy") { _ in }
                }
                #expect(second?.code == .locked)
                store.isCopying.withLock { $0 = false }
                try await store.copyDatabase(to: "\(folder)/copy") { _ in }
                let again = await #expect(throws: StoreError.self) {
                    try await store.copyDatabase(to: "\(folder)/copy") { _ in }
                }
                #expect(again?.reason.contains("exists already") == true)
            }
        }
    }

    @Test("A copy that is damaged, newer or older is told apart")
    func told() async throws {
        try await withStore { store, alliance in
            try await withFolder { folder in
                _ = try await Self.filled(store, alliance, folder)
                let path = "\(folder)/entente.sqlite"
                try await store.copyDatabase(to: path) { _ in }
                func change(_ sql: String) throws {
                    let queue = try DatabaseQueue(path: path)
                    try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
                    try queue.close()
                }
                try change("DROP TABLE fork; DELETE FROM grdb_migrations WHERE identifier LIKE '6%'")
                #expect(try DatabaseCopy.check(path).isCurrent == false)
                try DatabaseCopy.migrate(folder: folder)
                #expect(try DatabaseCopy.check(path).isCurrent)
                try change("INSERT INTO grdb_migrations(identifier) VALUES ('9: of the future')")
                let newer = #expect(throws: StoreError.self) { try DatabaseCopy.check(path) }
                #expect(newer?.reason.contains("newer version") == true)
                let file = try #require(FileHandle(forWritingAtPath: path))
                try file.truncate(atOffset: 1 << 20)
                try file.close()
                let damaged = #expect(throws: StoreError.self) { try DatabaseCopy.check(path) }
                #expect(damaged?.code == .damaged)
            }
        }
    }
}

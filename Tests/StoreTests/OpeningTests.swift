import Alliance
import Foundation
import GRDB
import TestSupport
import Testing

@testable import Store

@Suite("Store: opening")
struct OpeningTests {
    @Test("WAL and FULL, one at a time, and the same again afterwards")
    func opening() async throws {
        try await withFolder { folder in
            do {
                let store = try Store(folder: folder)
                let settings = try await store.pool.writeWithoutTransaction { db in
                    (
                        try Int.fetchOne(db, sql: "PRAGMA synchronous"),
                        try String.fetchOne(db, sql: "PRAGMA journal_mode")
                    )
                }
                #expect(settings == (2, "wal"))
                let error = #expect(throws: StoreError.self) { try Store(folder: folder) }
                #expect(error?.code == .locked)
                #expect(error?.reason.contains("process \(getpid())") == true)
                #expect(error?.reason.contains(folder) == true)
                try store.close()
            }
            let again = try Store(folder: folder)
            try again.close()
        }
    }

    @Test("What a newer version made is refused, and not touched")
    func newer() async throws {
        try await withFolder { folder in
            do {
                let store = try Store(folder: folder)
                try await store.pool.write { db in
                    try db.execute(sql: "INSERT INTO grdb_migrations(identifier) VALUES ('9: of the future')")
                }
                try store.close()
            }
            let error = #expect(throws: StoreError.self) { try Store(folder: folder) }
            #expect(error?.code == .damaged && error?.reason.contains("newer version") == true)
        }
    }

    @Test("A file, a folder without rights and no database are one clear error each")
    func nonsense() async throws {
        try await withFolder { folder in
            let manager = FileManager.default
            try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let file = "\(folder)/file"
            _ = manager.createFile(atPath: file, contents: Data("x".utf8))
            #expect(throws: StoreError.self) { try Store(folder: file) }
            let broken = "\(folder)/broken"
            try manager.createDirectory(atPath: broken, withIntermediateDirectories: true)
            _ = manager.createFile(atPath: "\(broken)/entente.sqlite", contents: Data(repeating: 0x41, count: 20_000))
            let error = #expect(throws: StoreError.self) { try Store(folder: broken) }
            #expect(error?.code == .file && error?.reason.contains("entente.sqlite") == true)
        }
    }

    @Test("Another charter of the same version is refused")
    func otherCharter() async throws {
        try await withStore { store, alliance in
            try await store.install(alliance.charter)
            let other = try TestAlliance { $0.alliance = "Other Alliance" }
            let error = await #expect(throws: StoreError.self) { try await store.install(other.charter) }
            #expect(error?.code == .rollback)
            await #expect(throws: StoreError.self) { try await store.log("nobody.example/log") }
        }
    }
}

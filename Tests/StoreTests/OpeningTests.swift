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

    @Test("A first start that was interrupted is told apart from damage, and the next start makes good for it")
    func interrupted() async throws {
        try await withFolder { folder in
            let database = "\(folder)/entente.sqlite"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try await withFolder { elsewhere in
                try FileManager.default.createDirectory(atPath: elsewhere, withIntermediateDirectories: true)
                // SQLite makes a database's first page with a rollback journal, which says how to undo it.
                let made = try DatabaseQueue(path: "\(elsewhere)/new.sqlite")
                try made.writeWithoutTransaction { db in
                    try db.execute(sql: "BEGIN IMMEDIATE; CREATE TABLE first(x)")
                    var journal = try Data(contentsOf: URL(fileURLWithPath: "\(elsewhere)/new.sqlite-journal"))
                    // What stands at its beginning once it is synced (sqlite.org/fileformat.html, section 3).
                    journal.replaceSubrange(0..<12, with: [0xD9, 0xD5, 0x05, 0xF9, 0x20, 0xA1, 0x63, 0xD7, 0, 0, 0, 0])
                    try journal.write(to: URL(fileURLWithPath: "\(database)-journal"))
                    try db.execute(sql: "ROLLBACK")
                }
            }
            // Of the page itself only a part reached the disk.
            let torn = Data(repeating: 0, count: 512) + Data(repeating: 7, count: 3_584)
            try torn.write(to: URL(fileURLWithPath: database))
            let error = #expect(throws: StoreError.self) { try AuditDatabase(path: database, isWritable: false) }
            #expect(error?.code == .file && error?.reason.contains("start the node") == true)
            #expect(FileManager.default.contents(atPath: database) == torn)
            try Store(folder: folder).close()
            try AuditDatabase(path: database, isWritable: false).queue.close()
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

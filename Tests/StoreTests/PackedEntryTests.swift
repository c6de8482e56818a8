import Alliance
import Foundation
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: how entries are packed")
struct PackedEntryTests {
    private func unpacked(_ packed: [UInt8]) -> [UInt8]? { packed.withUnsafeBytes { PackedEntry.unpack($0) } }

    @Test("Every entry comes back as it was; a compact JWS takes a quarter less")
    func roundTrip() throws {
        var log = try TestAlliance().log()
        try log.begin()
        try log.publish([try log.licence("PK-1")])
        for entry in log.entries {
            let packed = PackedEntry.pack(entry)
            #expect(unpacked(packed) == entry)
            if entry.starts(with: StateLeaf.familyPrefix) || entry.first == UInt8(ascii: "{") {
                #expect(packed.count == entry.count + 1)
            } else {
                #expect(packed.count * 5 < entry.count * 4)
            }
        }
    }

    @Test(
        "What is no canonical JWS stands as it is",
        arguments: [
            "", ".", "..", "...", "a.b.c", "YQ.YQ", "YQ.YQ.", ".YQ.YQ", "YQ.YR.YQ", "YQ.YQ.YQ.YQ", "YQ==.YQ.YQ",
            "Y Q.YQ.YQ", "\u{0}", "\u{1}", "{\"payload\":\"YQ\"}", "YWJj.YWJj.YW\n", "ä.YQ.YQ",
        ])
    func strange(_ text: String) {
        let entry = Array(text.utf8)
        #expect(unpacked(PackedEntry.pack(entry)) == entry)
    }

    @Test("What cannot have been packed is no entry, and never a trap")
    func damaged() throws {
        #expect(unpacked([]) == nil)
        #expect(unpacked([2, 0]) == nil)
        var log = try TestAlliance().log()
        try log.begin()
        let packed = PackedEntry.pack(try log.licence("PK-1"))
        for count in 0..<packed.count { #expect(unpacked(Array(packed[..<count])) != log.entries[0]) }
        #expect(unpacked([1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == nil)
        #expect(unpacked([1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0]) == nil)
    }

    @Test("A store of the first version opens with the same entries")
    func migration() async throws {
        try await withFolder { folder in
            let alliance = try TestAlliance()
            var log = try alliance.log()
            try log.begin()
            do {
                // The first version settled everything at once.
                let store = try Store(folder: folder, recentLimits: .none)
                try await store.install(alliance.charter)
                try await store.publish([Array(log.entries.dropLast())])
                try await Self.downgrade(store)
                try store.close()
            }
            let store = try Store(folder: folder)
            try await store.install(alliance.charter)
            try await store.expectSame(as: log)
            let licence = try log.licence("PK-1")
            try await store.publish([[licence]])
            try log.publish([licence])
            try await store.expectSame(as: log)
            try store.close()
        }
    }

    /// Puts the tables back to what the first version had.
    private static func downgrade(_ store: Store) async throws {
        try await store.pool.write { db in
            var entries: [(id: Int64, bytes: [UInt8])] = []
            for row in try GRDB.Row.fetchAll(db, sql: "SELECT id, packed FROM entry") {
                let packed: Data = row[1]
                entries.append((row[0], try packed.withUnsafeBytes { try PackedEntry.bytes($0) }))
            }
            try db.execute(
                sql: """
                    DROP TABLE entry;
                    CREATE TABLE entry(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
                    DROP INDEX missing_document;
                    DROP TABLE recent_page;
                    DROP TABLE recent_place;
                    DROP TABLE recent_identity;
                    DROP TABLE fork;
                    DROP TABLE incarnation;
                    DROP TABLE own_incarnation;
                    ALTER TABLE log DROP COLUMN settled;
                    DELETE FROM grdb_migrations WHERE identifier NOT LIKE '1%';
                    """)
            for entry in entries {
                try db.execute(
                    sql: "INSERT INTO entry(id, bytes) VALUES (?, ?)", arguments: [entry.id, Data(entry.bytes)])
            }
        }
    }
}

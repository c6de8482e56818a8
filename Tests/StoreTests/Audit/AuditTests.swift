import Alliance
import Foundation
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: checking and repairing a data folder")
struct AuditTests {
    /// One kind of damage, and what an audit is to say of it.
    struct Damage: Sendable, CustomTestStringConvertible {
        let sql: String
        let code: AuditFinding.Code
        let table: String
        var column: String?
        /// What is left after a repair; nil where everything is as it was before.
        var left: Left?

        enum Left: Sendable {
            /// Nothing is damaged, though something was let go.
            case clean
            /// The damage stays, and is said.
            case damage
        }

        var testDescription: String { sql }

        init(
            _ sql: String, _ code: AuditFinding.Code, _ table: String, _ column: String? = nil, left: Left? = nil
        ) {
            self.sql = sql
            self.code = code
            self.table = table
            self.column = column
            self.left = left
        }
    }

    @Test("A folder that nothing happened to is clean, and not a byte of it changes; so is one whose node was killed")
    func clean() async throws {
        try await withFolder { folder in
            let fixture = try await AuditFixture.make(in: folder)
            let before = try Self.files(folder)
            let report = try fixture.check(folder)
            #expect(report.findings.damage == 0, "\(report.findings.kept)")
            #expect(report.findings.notices == 0, "\(report.findings.kept)")
            #expect(report.work.entries == UInt64(fixture.log.entries.count + fixture.other.entries.count - 2))
            #expect(try Self.files(folder) == before)
            // As SIGKILL leaves it: everything newer than the last checkpoint of the database is in its log.
            try await withFolder { copy in
                let store = try Store(folder: folder)
                try await store.install(fixture.alliance.charter)
                var log = fixture.other
                log.state = fixture.other.state
                try await store.follow(log, [Array(log.entries.suffix(2))])
                try FileManager.default.copyItem(atPath: folder, toPath: copy)
                #expect(try Data(contentsOf: URL(filePath: "\(copy)/entente.sqlite-wal")).count > 0)
                let before = try Self.files(copy)
                let report = try fixture.check(copy)
                #expect(report.findings.damage == 0, "\(report.findings.kept)")
                #expect(report.work.entries == UInt64(fixture.log.entries.count + log.entries.count))
                #expect(try Self.files(copy) == before)
                let locked = #expect(throws: StoreError.self) { try fixture.audit(folder) }
                #expect(locked?.code == .locked)
                try store.close()
            }
        }
    }

    /// Every file's bytes, but for the index of the database's log, which any reader makes anew.
    private static func files(_ folder: String) throws -> [String: Data] {
        var result: [String: Data] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder)
        where name != "lock" && name != "entente.sqlite-shm" {
            result[name] = FileManager.default.contents(atPath: "\(folder)/\(name)")
        }
        return result
    }

    /// Flips the last bit of a blob.
    private static func flip(_ column: String) -> String {
        "CAST(substr(\(column), 1, length(\(column)) - 1) || CASE WHEN substr(\(column), -1) = x'00' THEN x'01' ELSE x'00' END AS BLOB)"
    }

    static let derived: [Damage] = [
        Damage(
            "UPDATE tile SET hashes = \(flip("hashes")) WHERE id = (SELECT min(id) FROM tile)", .derivedDifferent,
            "tile", "hashes"),
        Damage(
            "UPDATE tile SET hashes = \(flip("hashes")) WHERE (id >> 44) & 15 = 1", .derivedDifferent, "tile", "hashes"),
        Damage("UPDATE tile SET id = id + 77 WHERE id = (SELECT max(id) FROM tile)", .derivedMissing, "tile"),
        Damage("DELETE FROM tile WHERE (id >> 44) & 15 = 1", .derivedMissing, "tile"),
        Damage("DELETE FROM tile", .derivedMissing, "tile"),
        Damage("INSERT INTO tile SELECT id + 1000, hashes FROM tile LIMIT 1", .derivedUnexpected, "tile"),
        Damage(
            "UPDATE identity SET prefix = prefix + 1 WHERE prefix = (SELECT min(prefix) FROM identity)",
            .derivedMissing, "identity"),
        Damage(
            "UPDATE identity SET entry = entry + 1 WHERE prefix = (SELECT min(prefix) FROM identity)",
            .derivedUnexpected, "identity"),
        Damage("DELETE FROM identity WHERE prefix = (SELECT max(prefix) FROM identity)", .derivedMissing, "identity"),
        Damage("INSERT INTO identity VALUES (7, 9)", .derivedUnexpected, "identity"),
        Damage(
            "UPDATE ignored SET reason = 'malformed ' WHERE entry = (SELECT max(entry) FROM ignored)",
            .derivedDifferent, "ignored", "reason"),
        Damage(
            "UPDATE ignored SET entry = entry + 1 WHERE entry = (SELECT max(entry) FROM ignored)", .derivedMissing,
            "ignored"),
        Damage("DELETE FROM ignored WHERE entry = (SELECT min(entry) FROM ignored)", .derivedMissing, "ignored"),
        Damage("INSERT INTO ignored SELECT max(entry) + 1, 'malformed' FROM ignored", .derivedUnexpected, "ignored"),
        Damage("UPDATE map SET count = count + 1 WHERE name = 'vasp-licences'", .derivedDifferent, "map", "count"),
        Damage("UPDATE map SET root = zeroblob(32) WHERE name = 'vasp-licences'", .derivedDifferent, "map", "root"),
        Damage(
            "UPDATE map SET name = 'vasp-licencet' WHERE name = 'vasp-licences'", .derivedUnexpected, "map",
            left: .clean),
        Damage("UPDATE map SET log = 9 WHERE name = 'vasp-licences'", .derivedUnexpected, "map", left: .clean),
        Damage("DELETE FROM map WHERE name = 'vasp-licences'", .derivedMissing, "map", left: .clean),
        Damage(
            "INSERT INTO map(log, name, count, root) VALUES (1, 'more', 1, zeroblob(32))", .derivedUnexpected, "map"),
        Damage("UPDATE row SET bytes = \(flip("bytes")) WHERE rowid_of = 0", .derivedDifferent, "row", "bytes"),
        Damage("UPDATE row SET emptied = 1 - emptied WHERE rowid_of = 0", .derivedDifferent, "row", "emptied"),
        Damage("UPDATE row SET last = last + 1 WHERE rowid_of = 0", .derivedDifferent, "row", "last"),
        Damage("UPDATE row SET key = CAST(key || x'41' AS BLOB) WHERE rowid_of = 0", .derivedMissing, "row"),
        Damage("UPDATE row SET map = map + 50 WHERE rowid_of = 0", .derivedUnexpected, "row"),
        Damage("DELETE FROM row WHERE rowid_of = 0", .derivedMissing, "row"),
        Damage(
            "INSERT INTO row SELECT map, CAST(key || x'42' AS BLOB), bytes, emptied, last FROM row LIMIT 1",
            .derivedUnexpected, "row"
        ),
        Damage(
            "UPDATE step SET previous = previous + 1 WHERE id = (SELECT max(id) FROM step)", .derivedDifferent, "step",
            "previous"),
        Damage("UPDATE step SET id = id + 1 WHERE id = (SELECT max(id) FROM step)", .derivedMissing, "step"),
        Damage("DELETE FROM step WHERE id = (SELECT min(id) FROM step)", .derivedMissing, "step"),
        Damage("INSERT INTO step SELECT max(id) + 5, 3 FROM step", .derivedUnexpected, "step"),
        Damage("UPDATE page SET leaves = \(flip("leaves")) WHERE rowid_of = 0", .derivedDifferent, "page", "leaves"),
        Damage("UPDATE page SET page = page + 1 WHERE rowid_of = 0", .derivedMissing, "page"),
        Damage("UPDATE page SET map = map + 60 WHERE rowid_of = 0", .derivedUnexpected, "page"),
        Damage("DELETE FROM page WHERE rowid_of = 0", .derivedMissing, "page"),
        Damage("INSERT INTO page SELECT map, page + 3, leaves FROM page LIMIT 1", .derivedUnexpected, "page"),
        Damage("UPDATE page_hash SET hash = zeroblob(32) WHERE rowid_of = 0", .derivedDifferent, "page_hash", "hash"),
        Damage("UPDATE page_hash SET page = page + 1 WHERE rowid_of = 0", .derivedMissing, "page_hash"),
        Damage("DELETE FROM page_hash WHERE rowid_of = 0", .derivedMissing, "page_hash"),
        Damage(
            "INSERT INTO page_hash SELECT map + 70, page, hash FROM page_hash LIMIT 1", .derivedUnexpected, "page_hash"),
        Damage(
            "UPDATE recent_page SET hash = zeroblob(32) WHERE id = (SELECT min(id) FROM recent_page)",
            .derivedDifferent, "recent_page", "hash"),
        Damage(
            "UPDATE recent_page SET leaves = \(flip("leaves")) WHERE id = (SELECT max(id) FROM recent_page)",
            .derivedDifferent, "recent_page", "leaves"),
        Damage(
            "UPDATE recent_page SET id = id + 1000 WHERE id = (SELECT max(id) FROM recent_page)", .derivedMissing,
            "recent_page"),
        Damage("DELETE FROM recent_page WHERE id = (SELECT min(id) FROM recent_page)", .derivedMissing, "recent_page"),
        Damage(
            "INSERT INTO recent_page SELECT id + 1000, hash, leaves FROM recent_page LIMIT 1", .derivedUnexpected,
            "recent_page"),
        Damage(
            "UPDATE recent_place SET place = place + 1 WHERE rowid_of = 0", .derivedDifferent, "recent_place", "place"),
        Damage("UPDATE recent_place SET place = -1 WHERE rowid_of = 0", .derivedDifferent, "recent_place", "place"),
        Damage("UPDATE recent_place SET page = page + 1 WHERE rowid_of = 0", .derivedMissing, "recent_place"),
        Damage("UPDATE recent_place SET map = map + 80 WHERE rowid_of = 0", .derivedUnexpected, "recent_place"),
        Damage("DELETE FROM recent_place WHERE rowid_of = 0", .derivedMissing, "recent_place"),
        Damage(
            "INSERT INTO recent_place SELECT map, page + 3, -1 FROM recent_place LIMIT 1", .derivedUnexpected,
            "recent_place"),
        Damage("UPDATE recent_identity SET prefix = prefix + 1 WHERE rowid_of = 0", .derivedMissing, "recent_identity"),
        Damage(
            "UPDATE recent_identity SET entry = entry + 1 WHERE rowid_of = 0", .derivedUnexpected, "recent_identity"),
        Damage("UPDATE recent_identity SET log = log + 7 WHERE rowid_of = 0", .derivedUnexpected, "recent_identity"),
        Damage("DELETE FROM recent_identity WHERE rowid_of = 0", .derivedMissing, "recent_identity"),
        Damage("INSERT INTO recent_identity VALUES (1, 7, 9)", .derivedUnexpected, "recent_identity"),
        // To which batch's end it was settled is not known then; any is right.
        Damage("UPDATE log SET settled = settled + 1 WHERE quorum > 0", .logDifferent, "log", "settled", left: .clean),
        Damage("UPDATE log SET settled = 0 WHERE quorum > 0", .derivedUnexpected, "page", left: .clean),
        Damage("UPDATE log SET settled = size WHERE quorum > 0", .derivedUnexpected, "recent_page", left: .clean),
        Damage("UPDATE log SET settled = -1 WHERE quorum > 0", .logDifferent, "log", "settled", left: .clean),
        Damage("UPDATE log SET settled = size + 9 WHERE quorum > 0", .logDifferent, "log", "settled", left: .clean),
        Damage("UPDATE document SET size = size + 1 WHERE rowid_of = 0", .derivedDifferent, "document", "size"),
        Damage("UPDATE document SET held = 7 WHERE rowid_of = 0", .derivedDifferent, "document", "held"),
        Damage("UPDATE document SET digest = zeroblob(32) WHERE rowid_of = 0", .derivedUnexpected, "document"),
        Damage("DELETE FROM document WHERE rowid_of = 0", .derivedMissing, "document"),
        Damage("INSERT INTO document VALUES (zeroblob(32), 5, 0)", .derivedUnexpected, "document"),
    ]

    private static let quorums = "(SELECT min(size) FROM first_quorum)"

    static let stored: [Damage] = [
        Damage("UPDATE charter SET digest = zeroblob(32)", .charterDifferent, "charter"),
        Damage("UPDATE charter SET file = x'00'", .charterDifferent, "charter"),
        Damage("UPDATE charter SET version = 2", .charterDifferent, "charter"),
        Damage("DELETE FROM charter", .charterDifferent, "charter"),
        Damage("INSERT INTO charter VALUES (2, zeroblob(32), x'00')", .charterDifferent, "charter"),
        Damage("UPDATE log SET origin = 'other' WHERE quorum > 0", .logDifferent, "log", "origin"),
        Damage("UPDATE log SET member = 'other' WHERE quorum > 0", .logDifferent, "log", "member"),
        Damage("UPDATE log SET size = size + 1 WHERE quorum > 0", .logDifferent, "log", "size"),
        Damage("UPDATE log SET size = size + (1 << 33) WHERE quorum > 0", .logDifferent, "log", "size"),
        Damage("UPDATE log SET size = size - 1 WHERE quorum > 0", .logDifferent, "log", "size"),
        Damage("UPDATE log SET size = 3 WHERE quorum > 0", .logDifferent, "log", "size"),
        Damage("UPDATE log SET edge = \(flip("edge")) WHERE quorum > 0", .logDifferent, "log", "edge"),
        Damage("UPDATE log SET edge = x'' WHERE quorum > 0", .logDifferent, "log", "edge"),
        Damage("UPDATE log SET head_size = head_size - 1 WHERE quorum > 0", .logDifferent, "log", "head_size"),
        Damage("UPDATE log SET head_size = 0 WHERE quorum > 0", .logDifferent, "log", "head_size"),
        Damage("UPDATE log SET head = \(flip("head")) WHERE quorum > 0", .headInvalid, "log", "head"),
        Damage("UPDATE log SET head = NULL WHERE quorum > 0", .headInvalid, "log", "head"),
        Damage("UPDATE log SET cosigned = 0 WHERE quorum > 0", .logDifferent, "log", "cosigned"),
        Damage("UPDATE log SET cosigned = cosigned - 1 WHERE quorum > 0", .logDifferent, "log", "cosigned"),
        Damage(
            "UPDATE log SET cosigned = 1 WHERE cosigned = 0 AND size > 0 AND quorum = 0", .logDifferent, "log",
            "cosigned", left: .damage),
        Damage("UPDATE log SET quorum = quorum - 1 WHERE quorum > 0", .logDifferent, "log", "quorum"),
        Damage("UPDATE log SET quorum = 1 WHERE quorum = 0 AND size > 0", .logDifferent, "log", "quorum"),
        Damage("UPDATE log SET end_index = 4 WHERE quorum > 0", .logDifferent, "log", "end_index"),
        Damage("UPDATE log SET end_reason = 'no-roster' WHERE quorum > 0", .logDifferent, "log", "end_reason"),
        Damage("UPDATE checkpoint SET root = zeroblob(32)", .checkpointInvalid, "checkpoint", "root"),
        Damage("UPDATE checkpoint SET note = \(flip("note"))", .checkpointInvalid, "checkpoint", "note"),
        Damage(
            "UPDATE checkpoint SET size = size - 1 WHERE size > 300", .checkpointInvalid, "checkpoint", left: .clean),
        Damage("UPDATE checkpoint SET log = 9 WHERE size > 300", .checkpointInvalid, "checkpoint", left: .damage),
        Damage("DELETE FROM checkpoint WHERE size > 300", .checkpointInvalid, "checkpoint"),
        Damage("UPDATE cosignature SET time = time + 1", .cosignatureInvalid, "cosignature", "time"),
        Damage("UPDATE cosignature SET line = line || '='", .cosignatureInvalid, "cosignature", "line", left: .damage),
        Damage(
            "UPDATE cosignature SET member = 'did:web:pk.alliance.example' WHERE time = (SELECT min(time) FROM cosignature)",
            .cosignatureInvalid,
            "cosignature", left: .clean),
        Damage(
            "UPDATE cosignature SET size = size - 1 WHERE time < 200", .cosignatureInvalid, "cosignature", left: .clean),
        Damage("UPDATE cosignature SET log = 9 WHERE time < 200", .cosignatureInvalid, "cosignature", left: .damage),
        Damage(
            "UPDATE first_quorum SET note = \(flip("note")) WHERE size = \(quorums)", .firstQuorumInvalid,
            "first_quorum", left: .clean),
        Damage(
            "UPDATE first_quorum SET size = size + 1 WHERE size = \(quorums)", .firstQuorumInvalid, "first_quorum",
            left: .clean),
        Damage(
            "UPDATE first_quorum SET log = 9 WHERE size = \(quorums)", .firstQuorumInvalid, "first_quorum",
            left: .damage),
        Damage(
            "DELETE FROM first_quorum WHERE size = (SELECT max(size) FROM first_quorum)", .logDifferent, "log",
            "quorum", left: .clean),
        Damage(
            "UPDATE contradiction SET ours = \(flip("ours"))", .contradictionInvalid, "contradiction", left: .damage),
        Damage("UPDATE contradiction SET other = ours", .contradictionInvalid, "contradiction", left: .damage),
        Damage("UPDATE contradiction SET log = 9", .contradictionInvalid, "contradiction", left: .damage),
    ]

    /// A row of a table without row numbers: `rowid_of = 0` is its first one.
    private static let first = [
        "row": "(map, key) = (SELECT map, key FROM row ORDER BY map DESC, key LIMIT 1)",
        "page": "(map, page) = (SELECT map, page FROM page ORDER BY map DESC LIMIT 1)",
        "page_hash": "(map, page) = (SELECT map, page FROM page_hash ORDER BY map DESC LIMIT 1)",
        "recent_place":
            "(map, page) = (SELECT map, page FROM recent_place WHERE place >= 0 ORDER BY map DESC, page LIMIT 1)",
        "recent_identity":
            "(log, prefix, entry) = (SELECT log, prefix, entry FROM recent_identity ORDER BY log, prefix LIMIT 1)",
        "document": "digest = (SELECT min(digest) FROM document)",
    ]

    @Test("Whatever is changed in any column of any table is found, in its place, and repaired")
    func everyTable() async throws {
        try await withFolder { folder in
            let fixture = try await AuditFixture.make(in: folder)
            for damage in Self.derived + Self.stored {
                try await fixture.withCopy { copy in try await Self.tryOut(damage, fixture, copy) }
            }
        }
    }

    private static func tryOut(_ damage: Damage, _ fixture: AuditFixture, _ folder: String) async throws {
        let sql = damage.sql.replacingOccurrences(of: "rowid_of = 0", with: first[damage.table] ?? "")
        try AuditFixture.meddle(folder) { db in
            try db.execute(sql: sql)
            #expect(db.totalChangesCount > 0, "\(damage.sql)")
        }
        let report = try fixture.check(folder)
        let found = report.findings.kept.contains { finding in
            finding.code == damage.code && finding.place.table == damage.table
                && (damage.column == nil || finding.place.column == damage.column)
        }
        #expect(found, "\(damage.sql): \(report.findings.kept)")
        let source = MemorySource(logs: [fixture.log, fixture.other])
        let result = try await fixture.audit(folder).repair(from: source)
        let left = result.after.findings.kept.filter(\.code.isDamage)
        switch damage.left {
        case nil:
            #expect(left.isEmpty, "\(damage.sql): \(left) \(result.failures)")
            let tables = try AuditFixture.contents("\(folder)/entente.sqlite")
            for (name, rows) in fixture.tables {
                #expect(tables[name] == rows, "\(damage.sql): table \(name)")
            }
        case .clean: #expect(left.isEmpty, "\(damage.sql): \(left)")
        case .damage: #expect(!left.isEmpty, "\(damage.sql)")
        }
        if left.isEmpty { try await expectNothingLost(fixture, folder) }
    }

    /// Whatever was damaged: no log is shorter, no head and no cosigned size has gone back.
    private static func expectNothingLost(_ fixture: AuditFixture, _ folder: String) async throws {
        let store = try Store(folder: folder)
        let size = UInt64(fixture.log.entries.count)
        let record = try await store.log(fixture.log.member.log.name)
        #expect(record.size == size && record.headSize == size && record.cosigned == size)
        #expect(record.frontier.root == (try fixture.log.head().checkpoint.root))
        try store.close()
    }
}

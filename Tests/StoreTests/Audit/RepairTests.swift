import Alliance
import Foundation
import GRDB
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: what a repair takes from peers, and flipped bits")
struct RepairTests {
    private static let name = "(SELECT id FROM log WHERE quorum > 0)"

    /// Damage to entries, and the indexes that are to be named.
    static let damages: [(sql: String, code: AuditFinding.Code, index: UInt64)] = [
        ("UPDATE entry SET packed = CAST(packed || x'20' AS BLOB) WHERE id = (\(name) << 44) | 40", .entryDamaged, 40),
        ("UPDATE entry SET packed = x'02' WHERE id = (\(name) << 44) | 0", .entryDamaged, 0),
        ("DELETE FROM entry WHERE id = (\(name) << 44) | 261", .entryMissing, 261),
        ("DELETE FROM entry WHERE id BETWEEN (\(name) << 44) | 250 AND (\(name) << 44) | 300", .entryMissing, 250),
        ("DELETE FROM entry WHERE id > (\(name) << 44) | 299 AND id < (\(name) + 1) << 44", .entryMissing, 300),
        ("DELETE FROM entry WHERE id >> 44 = \(name)", .entryMissing, 0),
        ("UPDATE entry SET id = id + 1000 WHERE id = (\(name) << 44) | 12", .entryMissing, 12),
    ]

    @Test("Entries that are damaged or lost come back from a peer; what a liar sends is not taken")
    func entries() async throws {
        try await withFolder { folder in
            let fixture = try await AuditFixture.make(in: folder)
            for damage in Self.damages {
                try await fixture.withCopy { copy in
                    try AuditFixture.meddle(copy) { try $0.execute(sql: damage.sql) }
                    let report = try fixture.check(copy)
                    let isNamed = report.findings.kept.contains { finding in
                        finding.code == damage.code && finding.place.index == damage.index
                            && finding.place.log == fixture.log.member.log.name
                    }
                    #expect(isNamed, "\(damage.sql): \(report.findings.kept)")
                    // Only a liar, then nobody: nothing is stored, and the damage is still said.
                    let before = try AuditFixture.contents("\(copy)/entente.sqlite")["entry"]
                    let logs = [fixture.log, fixture.other]
                    let lied = try await fixture.audit(copy).repair(from: MemorySource(logs: logs, members: ["liar"]))
                    #expect(lied.after.findings.damage > 0 && !lied.failures.isEmpty)
                    let alone = try await fixture.audit(copy).repair(from: nil)
                    #expect(alone.after.findings.damage > 0 && !alone.failures.isEmpty)
                    if damage.sql.hasPrefix("UPDATE entry SET packed") || damage.sql.hasPrefix("DELETE") {
                        #expect(try AuditFixture.contents("\(copy)/entente.sqlite")["entry"] == before)
                    }
                    let result = try await fixture.audit(copy).repair(from: MemorySource(logs: logs))
                    #expect(result.after.findings.damage == 0, "\(damage.sql): \(result.after.findings.kept)")
                    try Self.expectSame(fixture, copy, damage.sql)
                }
            }
        }
    }

    private static func expectSame(_ fixture: AuditFixture, _ folder: String, _ what: String) throws {
        let tables = try AuditFixture.contents("\(folder)/entente.sqlite")
        for (name, rows) in fixture.tables { #expect(tables[name] == rows, "\(what): table \(name)") }
    }

    @Test(
        "An entry and the tile over it at once: the roots tell that something is wrong, and a peer brings what is right"
    )
    func entryAndTile() async throws {
        try await withFolder { folder in
            let fixture = try await AuditFixture.make(in: folder)
            try AuditFixture.meddle(folder) { db in
                try db.execute(sql: "DELETE FROM tile WHERE id = \(Self.name) << 48")
                try db.execute(sql: "UPDATE entry SET packed = x'00' WHERE id = (\(Self.name) << 44) | 40")
                try db.execute(sql: "DELETE FROM entry WHERE id = (\(Self.name) << 44) | 50")
            }
            #expect(try fixture.check(folder).findings.damage > 0)
            let result = try await fixture.audit(folder).repair(
                from: MemorySource(logs: [fixture.log, fixture.other]))
            #expect(result.after.findings.damage == 0, "\(result.after.findings.kept) \(result.failures)")
            try Self.expectSame(fixture, folder, "entry and tile")
        }
    }

    @Test("Documents that are damaged or gone come back; leftovers go, and nothing else does")
    func documents() async throws {
        try await withFolder { folder in
            let fixture = try await AuditFixture.make(in: folder)
            let paths = AuditFixture.documents.map { text in
                let hex = HashValue.sha256(text).hex
                return "documents/\(hex.prefix(2))/\(hex)"
            }
            try Data("onf".utf8).write(to: URL(filePath: "\(folder)/\(paths[0])"))
            try FileManager.default.removeItem(atPath: "\(folder)/\(paths[1])")
            let kept = [
                "notes.txt", "documents/incoming/new-1", "documents/incoming/\(String(repeating: "0", count: 64))",
            ]
            for file in kept { try Data("x".utf8).write(to: URL(filePath: "\(folder)/\(file)")) }
            let findings = try fixture.check(folder).findings
            let places = Dictionary(grouping: findings.kept, by: \.code).mapValues { $0.compactMap(\.place.file) }
            #expect(places[.documentDamaged] == [paths[0]] && places[.documentMissing] == [paths[1]])
            #expect(places[.fileUnknown] == [kept[0]])
            #expect(places[.fileTemporary]?.sorted() == kept.dropFirst().sorted())
            #expect(findings.damage == 2)
            let result = try await fixture.audit(folder).repair(
                from: MemorySource(logs: [fixture.log, fixture.other]))
            #expect(result.after.findings.damage == 0 && result.after.findings.counts == [.fileUnknown: 1])
            #expect(FileManager.default.contents(atPath: "\(folder)/\(paths[0])") == Data(AuditFixture.documents[0]))
            #expect(FileManager.default.contents(atPath: "\(folder)/\(paths[1])") == Data(AuditFixture.documents[1]))
            #expect(FileManager.default.fileExists(atPath: "\(folder)/notes.txt"))
        }
    }

    @Test("A log's row that is gone is made again, and nothing smaller than what is held is cosigned afterwards")
    func logRow() async throws {
        try await withFolder { folder in
            let fixture = try await AuditFixture.make(in: folder)
            try AuditFixture.meddle(folder) { try $0.execute(sql: "DELETE FROM log WHERE quorum > 0") }
            let report = try fixture.check(folder)
            #expect(report.findings.counts[.logMissing] == 1)
            let result = try await fixture.audit(folder).repair(
                from: MemorySource(logs: [fixture.log, fixture.other]))
            #expect(result.after.findings.damage == 0, "\(result.after.findings.kept)")
            let store = try Store(folder: folder)
            let record = try await store.log(fixture.log.member.log.name)
            let size = UInt64(fixture.log.entries.count)
            #expect(record.size == size && record.cosigned == size && record.headSize == size)
            try store.close()
        }
    }

    @Test("A bit that flips anywhere in the database's file is found, or changes nothing that is stored")
    func flippedBits() async throws {
        let isLong = ProcessInfo.processInfo.environment["ENTENTE_TEST_SIZE"] == "long"
        try await withFolder { folder in
            let fixture = try await AuditFixture.make(in: folder)
            let seed = ProcessInfo.processInfo.environment["ENTENTE_TEST_SEED"].flatMap { UInt64($0) } ?? 1
            var random = SeededGenerator(seed: seed)
            var harmless = 0
            try await fixture.withCopy { copy in
                let path = "\(copy)/entente.sqlite"
                let original = try Data(contentsOf: URL(filePath: path))
                for number in 0..<(isLong ? 10_000 : 1_000) {
                    var bytes = original
                    let bit = Int.random(in: 0..<bytes.count * 8, using: &random)
                    bytes[bit / 8] ^= 1 << UInt8(bit % 8)
                    try bytes.write(to: URL(filePath: path))
                    let report: AuditReport
                    do { report = try fixture.check(copy) } catch is StoreError { continue }
                    guard report.findings.damage == 0 else { continue }
                    harmless += 1
                    let isEqual = try AuditFixture.contents(path) == fixture.tables
                    #expect(isEqual, "seed \(seed), flip \(number): bit \(bit % 8) of byte \(bit / 8)")
                }
            }
            print("flipped bits that nothing stored depends on: \(harmless)")
        }
    }
}

import Foundation
import Testing

@testable import Alliance

/// Files beside the package: the samples in it, and the real register files where they are.
enum TestFiles {
    /// The package's folder, found from where this file really is.
    static let package = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let samples = package.appendingPathComponent("Network/samples")

    /// The folder of the real files: `ENTENTE_REGISTER_FILES`, else `../shared/data/esma`; nil if it is not there.
    static let registers: URL? = {
        let given = ProcessInfo.processInfo.environment["ENTENTE_REGISTER_FILES"].map { URL(fileURLWithPath: $0) }
        let folder = given ?? package.deletingLastPathComponent().appendingPathComponent("shared/data/esma")
        return FileManager.default.fileExists(atPath: folder.appendingPathComponent("CASP20251215.csv").path)
            ? folder : nil
    }()

    static func bytes(_ name: String, in folder: URL) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }
}

@Suite(
    "The real register files",
    .enabled(
        if: TestFiles.registers != nil,
        "the folder ../shared/data/esma, or the one that ENTENTE_REGISTER_FILES names, is not there: skipped"))
struct RealFilesTests {
    private static func read(_ name: String) throws -> ImportResult {
        try SampleCASPFile.read(bytes: try TestFiles.bytes(name, in: try #require(TestFiles.registers)))
    }

    private static func compare(
        _ result: ImportResult, _ published: [PublishedRow], _ missing: MissingPolicy = .keep
    )
        throws -> ChangeSet
    {
        RegisterChanges.compare(
            result, published: published, missing: missing,
            definition: try #require(BuiltInRegisters.definition(named: "vasp-licences")),
            now: Timestamp(seconds: 1_767_700_000))
    }

    @Test("119 rows, every one accounted for; the update has 142, of which 23 are new and 1 changed")
    func update() throws {
        let december = try Self.read("CASP20251215.csv")
        let january = try Self.read("CASP20260106.csv")
        #expect(december.counts == ImportResult.Counts(read: 119, asWritten: 74, withNotes: 45, refused: 0))
        #expect(january.counts == ImportResult.Counts(read: 142, asWritten: 86, withNotes: 56, refused: 0))
        #expect(december.rows.count == 119)
        #expect(Set(january.rows.map(\.key)).count == 142)
        let first = try Self.compare(december, [])
        #expect(first.new.count == 119)
        let update = try Self.compare(january, SampleCASPFile.published(december))
        #expect(update.new.count == 23)
        #expect(update.changed.count == 1)
        #expect(update.changed.first?.differences.map(\.field) == ["serviceCountries", "lastUpdate"])
        #expect(update.statusChanged.isEmpty)
        #expect(update.missingKept.isEmpty)
        #expect(update.unchanged == 118)
        #expect(try Self.compare(january, SampleCASPFile.published(january)).isEmpty)
        let back = try Self.compare(december, SampleCASPFile.published(january))
        #expect(back.missingKept.count == 23)
    }

    @Test("EUWAX AG stands twice under one LEI, with two authorisations")
    func twice() throws {
        let rows = try Self.read("CASP20260106.csv").rows.filter { $0.fields["legalName"] == "EUWAX AG" }
        #expect(rows.map(\.key) == ["529900032TYR45XIEW79/2025-04-01", "529900032TYR45XIEW79/2025-11-21"])
    }

    @Test("three rows deleted and two end dates set, as the officer chose")
    func derived() throws {
        let folder = try #require(TestFiles.registers)
        let text = String(decoding: try TestFiles.bytes("CASP20251215.csv", in: folder), as: UTF8.self)
        var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        // Lines 3 to 5 go; those of 2 and 7 get an end date, the first cell of its kind behind their authorisation
        // date.
        for (line, date) in [(1, "28/05/2025,"), (6, "27/11/2025,")] {
            try #require(lines[line].contains(date))
            lines[line] = lines[line].replacingOccurrences(of: date, with: "\(date)31/12/2025")
        }
        lines.removeSubrange(2...4)
        let published = SampleCASPFile.published(try Self.read("CASP20251215.csv"))
        let result = try SampleCASPFile.read(bytes: Array(lines.joined(separator: "\n").utf8))
        #expect(result.counts.read == 116)
        let kept = try Self.compare(result, published)
        #expect(kept.statusChanged.map(\.status) == ["expired", "expired"])
        #expect(kept.missingKept.count == 3)
        #expect(kept.changes.count == 2)
        #expect(kept.unchanged == 114)
        let revoked = try Self.compare(result, published, .revoke(from: Timestamp(seconds: 1_767_700_000)))
        #expect(revoked.statusChanged.map(\.status) == ["expired", "expired", "revoked", "revoked", "revoked"])
        let retracted = try Self.compare(result, published, .retract)
        #expect(retracted.retracted.flatMap(\.identities).count == 3)
    }

    /// The other lists: register, rows, rows as written, with a note, refused, rows that say the same as another, keys.
    static let lists = [
        ("ART20260129.csv", "token-white-papers", ImportLayout.esmaART, [0, 0, 0, 0, 0, 0]),
        ("EMT20260129.csv", "token-white-papers", ImportLayout.esmaEMT, [31, 23, 8, 0, 1, 30]),
        ("NCASP20260129.csv", "warnings", ImportLayout.esmaNCASP, [101, 1, 100, 0, 1, 100]),
        ("OTHER20260129.csv", "token-white-papers", ImportLayout.esmaOTHER, [694, 526, 168, 0, 2, 692]),
    ]

    private static func read(_ name: String, into register: String) throws -> ImportResult {
        let definition = try #require(BuiltInRegisters.definition(named: register))
        let zone = try #require(MemberZone("Europe/Paris"))
        return try RegisterImport(into: definition, zone: zone).read(
            try TestFiles.bytes(name, in: try #require(TestFiles.registers)))
    }

    @Test("every row of the other lists is accounted for, under a key of its own", arguments: lists)
    func others(name: String, register: String, layout: ImportLayout, counts: [Int]) throws {
        let result = try Self.read(name, into: register)
        let keys = Set(result.rows.map { Array($0.key.utf8) })
        #expect(result.layout == layout)
        #expect(
            [
                result.counts.read, result.counts.asWritten, result.counts.withNotes, result.counts.refused,
                result.repeated.count, keys.count,
            ] == counts, "\(result.refused)")
        #expect(result.rows.count == keys.count)
        #expect(result.rows.count + result.repeated.count + result.refused.count == result.counts.read)
        let definition = try #require(BuiltInRegisters.definition(named: register))
        #expect(result.rows.allSatisfy { definition.problems(in: $0.fields).isEmpty })
        // What was published once is published: the same file, and one in another order of rows, change nothing.
        let published = SampleCASPFile.published(result)
        func changes(_ result: ImportResult) -> ChangeSet {
            RegisterChanges.compare(
                result, published: published, missing: .keep, definition: definition,
                now: Timestamp(seconds: 1_770_000_000))
        }
        #expect(changes(result).isEmpty)
    }

    @Test(
        "published, exported and imported again, no list publishes anything, in any format",
        arguments: lists.map { ($0.0, $0.1) } + [
            ("CASP20251215.csv", "vasp-licences"), ("CASP20260106.csv", "vasp-licences"),
        ])
    func roundTrip(name: String, register: String) throws {
        let definition = try #require(BuiltInRegisters.definition(named: register))
        let published = SampleCASPFile.published(try Self.read(name, into: register))
        for (format, result, changes) in try RoundTrip.changes(published, definition) {
            #expect(result.refused.isEmpty && result.rows.count == published.count, "\(format): \(result.refused)")
            #expect(changes.isEmpty, "\(format): \(changes.changes.map(\.differences)) \(changes.retracted)")
        }
    }

    @Test("a warning is found by each of its domains, and a paper by its issuer's LEI")
    func lookups() throws {
        let warnings = try #require(BuiltInRegisters.definition(named: "warnings"))
        let rows = try Self.read("NCASP20260129.csv", into: "warnings").rows
        let dobibo = try #require(rows.first { $0.key == "IT/2025-02-12/Dobibo" })
        #expect(dobibo.status == "warned")
        #expect(
            warnings.lookupValues(warnings.lookups[0], in: dobibo.fields) == [
                "dobibo.com", "dobibo1.com", "dobibo2.com",
            ])
        let papers = try #require(BuiltInRegisters.definition(named: "token-white-papers"))
        let circle = try Self.read("EMT20260129.csv", into: "token-white-papers").rows.filter {
            papers.lookupValues(papers.lookups[0], in: $0.fields) == ["969500OYUDADGZKCR583"]
        }
        #expect(circle.count == 2)
        #expect(circle.allSatisfy { $0.key.hasPrefix("Circle%20Internet%20Financial%20Europe%20SAS/") })
    }
}

@Suite("The samples of the alliance")
struct SampleFilesTests {
    @Test(
        "every CSV is taken as written",
        arguments: [
            ("pk", "vasp-licences", 8), ("pk", "mining-allocations", 3), ("pk", "agreements", 4),
            ("sv", "bitcoin-reserves", 1),
            ("sv", "agreements", 2), ("us", "vasp-licences", 4), ("us", "agreements", 1), ("imf", "agreements", 2),
        ])
    func samples(member: String, register: String, rows: Int) throws {
        let bytes = try TestFiles.bytes("\(member)/\(register).csv", in: TestFiles.samples)
        let result = try OwnLayoutTests.read(bytes, into: register)
        #expect(
            result.counts == ImportResult.Counts(read: rows, asWritten: rows),
            "\(result.refused) \(result.rows.flatMap(\.notes))")
        #expect(result.columns == BuiltInRegisters.definition(named: register)?.columns)
    }
}

import Alliance
import Foundation
import GRDB
import Synchronization
import TestSupport
import TransparencyLog

@testable import Store

/// A data folder of `sv` that holds everything that a store can hold: two members' logs with several tiles, maps,
/// documents, quorums, a cosignature of its own, evidence of a contradiction. Made once, copied for every use.
struct AuditFixture: Sendable {
    let alliance: TestAlliance
    let folder: String
    let log: MemoryLog
    let other: MemoryLog
    /// Contents of all tables.
    let tables: [String: [[String]]]

    static let member = TestAlliance.id("sv")
    static let documents = ["one", "two"].map { Array($0.utf8) }

    static func make(in folder: String) async throws -> AuditFixture {
        let alliance = try TestAlliance()
        let history = try Self.history(alliance)
        var other = try alliance.log(of: "us")
        try other.begin()
        // Some of the first log waits to be settled, some is.
        var store: Store? = try Store(folder: folder, recentLimits: .init(least: 100, most: 100, rowsEach: 1))
        guard let open = store else { throw Refused() }
        try await open.install(alliance.charter)
        for document in documents { _ = try open.documents.store(document) }
        var size = 0
        for (number, batch) in history.batches.enumerated() {
            try await open.follow(history.log, [batch])
            size += batch.count
            guard number > 1 else { continue }
            let checkpoint = try history.log.head(size).checkpoint
            let lines = try [("us", 100), ("imf", 110)].map {
                try StoredCosignature($0.0, UInt64($0.1 + number), checkpoint)
            }
            try await open.keep(
                lines, of: checkpoint.origin, size: checkpoint.size, root: checkpoint.root)
        }
        let head = try history.log.head().checkpoint
        _ = try await open.cosign(head.origin, size: head.size, root: head.root) {
            try StoredCosignature("sv", 500, head)
        }
        try await open.follow(other, [other.entries])
        let ours = try other.head().note
        try other.publish([try other.licence("US-1")])
        try await open.keepContradiction(
            other.member.log.name, ours: ours, other: try Self.contradiction(other, ours))
        try open.close()
        store = nil
        return AuditFixture(
            alliance: alliance, folder: folder, log: history.log, other: other,
            tables: try Self.contents("\(folder)/entente.sqlite"))
    }

    /// Several tiles: most of the entries are no statements, and so cost no signature.
    private static func history(_ alliance: TestAlliance) throws -> RandomHistory {
        var history = try RandomHistory(alliance, seed: 11)
        for _ in 0..<6 { try history.grow() }
        try history.append((0..<300).map { Array("filling \($0)".utf8) })
        var drafts = try alliance.log()
        try history.append(
            documents.map { text in
                try drafts.context().document(
                    PolicyDocument(
                        work: "/akn/pk/act/2026/\(text.count)", language: "eng", date: "2026-11-21",
                        title: "A document", mediaType: "text/plain", size: Int64(text.count),
                        digest: HashValue.sha256(text), relations: [], supersedes: [])
                ).signed(by: TestAlliance.officer("ayesha"))
            })
        try history.grow()
        return history
    }

    /// Another head of the size of `ours`, signed by the same key.
    private static func contradiction(_ log: MemoryLog, _ ours: [UInt8]) throws -> [UInt8] {
        let checkpoint = try Checkpoint(parsing: SignedNote(parsing: ours).text)
        let lie = try Checkpoint(
            origin: checkpoint.origin, size: checkpoint.size, root: HashValue.sha256("another history"))
        let line = try TestAlliance.noteSigner(log.member.name).sign(lie.text)
        return try SignedNote(text: lie.text, signatures: [line]).bytes
    }

    // MARK: Using

    /// A copy that may be damaged.
    func withCopy<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        try await withFolder { copy in
            try FileManager.default.copyItem(atPath: folder, toPath: copy)
            return try await body(copy)
        }
    }

    func audit(_ folder: String) throws -> FolderAudit {
        try FolderAudit(
            folder: folder, chain: CharterChain(alliance.charter), options: AuditOptions(member: Self.member),
            check: Self.checkOnce)
    }

    func check(_ folder: String) throws -> AuditReport { try audit(folder).run() }

    /// Signatures that were checked before are not checked again: the keys of these logs' rosters are always the same.
    private static let known = Mutex<[[UInt8]: NewEntry]>([:])

    @Sendable private static func checkOnce(_ entries: [[UInt8]], _ state: LogState) -> [NewEntry] {
        known.withLock { known in
            if !entries.allSatisfy({ known[$0] != nil }) {
                for (bytes, entry) in zip(entries, checkAll(entries, state)) { known[bytes] = entry }
            }
            return entries.compactMap { known[$0] }
        }
    }

    /// Everything in a database, as text.
    static func contents(_ path: String) throws -> [String: [[String]]] {
        var configuration = Configuration()
        configuration.readonly = true
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        defer { try? queue.close() }
        return try queue.read { db in
            var result: [String: [[String]]] = [:]
            for name in try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'table'") {
                result[name] = try GRDB.Row.fetchAll(db, sql: "SELECT * FROM \"\(name)\"").map { row in
                    row.databaseValues.map { value in
                        if case .blob(let data) = value.storage { return "x\(data.base64EncodedString())" }
                        return value.description
                    }
                }
            }
            return result
        }
    }

    /// Runs SQL on a copy's database as nobody should.
    static func meddle(_ folder: String, _ body: (Database) throws -> Void) throws {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = false
        let queue = try DatabaseQueue(path: "\(folder)/entente.sqlite", configuration: configuration)
        try queue.inDatabase { db in
            try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
            try body(db)
            _ = try db.checkpoint(.truncate)
        }
        try queue.close()
    }
}

/// As the node's own check.
@Sendable private func checkAll(_ entries: [[UInt8]], _ state: LogState) -> [NewEntry] {
    let keys = state.candidates(with: entries.map { LogEntry($0) })
    return entries.map { NewEntry($0, keys: keys) }
}

/// Peers that hold the fixture's logs and documents; the first one lies.
struct MemorySource: RepairSource {
    let logs: [MemoryLog]
    var members = ["liar", "honest"]

    func range(
        of origin: String, from: UInt64, headSize: UInt64, headRoot: HashValue, at member: String
    ) async -> Result<FetchedRange, RepairFailure> {
        guard let log = logs.first(where: { $0.member.log.name == origin }), headSize <= UInt64(log.entries.count)
        else { return .failure(RepairFailure("no such log")) }
        var end = Int(from)
        repeat { end += 1 } while !log.entries[end - 1].starts(with: StateLeaf.familyPrefix)
        var entries = Array(log.entries[Int(from)..<end])
        if member == "liar" { entries[entries.count - 1].append(0x20) }
        guard let proof = try? MerkleTree.consistencyProof(from: UInt64(end), to: headSize, reader: log) else {
            return .failure(RepairFailure("no proof"))
        }
        return .success(FetchedRange(from: from, entries: entries, remainderProof: proof))
    }

    func checkpoint(of origin: String, at member: String) async -> Result<[UInt8], RepairFailure> {
        guard let log = logs.first(where: { $0.member.log.name == origin }), let head = try? log.head() else {
            return .failure(RepairFailure("no such log"))
        }
        return .success(head.note)
    }

    func document(
        _ digest: HashValue, size: Int64, into folder: DocumentFolder, from member: String
    ) async -> Result<Void, RepairFailure> {
        guard let bytes = AuditFixture.documents.first(where: { HashValue.sha256($0) == digest }) else {
            return .failure(RepairFailure("not held"))
        }
        do {
            try folder.receive(member == "liar" ? bytes.reversed() : bytes, of: digest, at: 0, size: size)
            try folder.finish(digest)
            return .success(())
        } catch { return .failure(RepairFailure("\(error)")) }
    }
}

public import Alliance
import Foundation
import GRDB
import TransparencyLog

/// Checks a data folder while no node runs on it: everything that is stored is derived again from the entries up.
///
/// The order: SQLite's own check and the tables' form; the charter; every note's signatures; every log's tree, from its
/// entries; the roots that were signed against those that the entries give; then, where a log's entries are the signed
/// ones, counting from its first entry on into scratch tables, which are compared with the stored ones; documents and
/// files last. Memory stays at some batches, whatever the size: the scratch tables live in a file that the system
/// removes with the process.
public final class FolderAudit {
    let folder: String
    let chain: CharterChain
    let options: AuditOptions
    let check: @Sendable ([[UInt8]], LogState) -> [NewEntry]
    let progress: (AuditProgress) -> Void
    private let lock: FolderLock
    var report = AuditReport()

    /// Takes the folder's lock.
    ///
    /// - Parameters:
    ///   - chain: the charters that are known, from the one that the folder's own file holds.
    ///   - check: reads entries and checks their signatures, given the log's state before them.
    ///   - progress: told now and then how far the audit is.
    /// - Throws: ``StoreError`` with code `locked` where a node runs on the folder, `file` where there is no database.
    public init(
        folder: String, chain: CharterChain, options: AuditOptions,
        check: @escaping @Sendable (_ entries: [[UInt8]], _ state: LogState) -> [NewEntry],
        progress: @escaping (AuditProgress) -> Void = { _ in }
    ) throws {
        guard FileManager.default.fileExists(atPath: "\(folder)/entente.sqlite") else {
            throw StoreError(.file, "\(folder) has no entente.sqlite; nothing was stored here yet")
        }
        lock = try FolderLock(folder: folder)
        self.folder = folder
        self.chain = chain
        self.options = options
        self.check = check
        self.progress = progress
    }

    /// The charter in force.
    var charter: VerifiedCharter { chain.current }

    /// The files of the charters that are stored in a folder, as they are; empty where there are none to be read.
    public static func storedCharters(folder: String) -> [[UInt8]] {
        let path = "\(folder)/entente.sqlite"
        guard FileManager.default.fileExists(atPath: path),
            let database = try? AuditDatabase(path: path, isWritable: false)
        else { return [] }
        defer { try? database.queue.close() }
        return (try? database.queue.inDatabase { try Store.charterFiles($0) }) ?? []
    }

    /// Checks everything, and changes nothing.
    ///
    /// - Throws: ``StoreError`` where something cannot be checked at all; damage is in the report.
    public func run() throws -> AuditReport {
        let database = try AuditDatabase(path: "\(folder)/entente.sqlite", isWritable: false)
        try database.queue.inDatabase { db in try run(db) }
        try database.queue.close()
        return report
    }

    /// Everything on one connection; leaves the scratch tables as they came out.
    func run(_ db: Database) throws {
        report = AuditReport()
        derivable = []
        verdicts = []
        ends = [:]
        settled = [:]
        try AuditDatabase.makeScratch(db)
        var isReadable = true
        func stage(_ table: String, _ body: () throws -> Void) throws {
            do { try body() } catch let error as StoreError where error.code == .file {
                throw error
            } catch {
                isReadable = false
                let reason = (error as? DatabaseError).map { "\($0.message ?? "") (SQLite \($0.resultCode))" }
                report.findings.add(
                    .databaseBroken, AuditFinding.Place(table: table), found: AuditText.cut(reason ?? "\(error)"))
            }
        }
        progress(AuditProgress(stage: .database, done: 0, total: 0))
        try stage("sqlite_master") { try checkSchema(db) }
        try stage("database") { try checkDatabase(db) }
        guard report.findings.counts[.schemaDifferent] == nil else { return }
        try stage("charter") { try checkCharter(db) }
        var logs: [AuditedLog] = []
        try stage("log") { logs = try readLogs(db) }
        for log in logs {
            try stage("entry") { try checkLog(log, db) }
        }
        let origins = Dictionary(logs.map { ($0.id, $0.origin) }, uniquingKeysWith: { first, _ in first })
        if !options.isQuick {
            try stage("derived") { try derive(db) }
            for table in Comparison.tables {
                progress(AuditProgress(stage: .comparing, done: 0, total: 0))
                try stage(table.name) {
                    try Comparison(db: db, origins: origins).compare(table) { report.findings.add($0) }
                }
            }
        }
        try stage("document") { try checkFiles(db, isComplete: isReadable) }
    }

    /// Logs whose entries are right, and their sizes.
    var derivable: [(log: AuditedLog, size: UInt64)] = []
    /// What the trees of all logs gave.
    var verdicts: [(log: AuditedLog, verdict: TreeVerdict)] = []
    /// Counting's end in the logs that were derived, by the logs' numbers.
    var ends: [Int64: CountingEnd] = [:]
    /// Up to where the tables of those logs are settled.
    var settled: [Int64: UInt64] = [:]
}

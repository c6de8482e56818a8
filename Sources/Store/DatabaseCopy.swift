import Foundation
import GRDB
import Synchronization

/// Copies of a node's database as of one moment, for backups.
public enum DatabaseCopy {
    /// How far a copy is, in bytes.
    public struct Progress: Sendable, Hashable {
        public let done: Int64
        public let total: Int64
    }

    /// What a copy holds, as a backup's manifest tells it.
    public struct Facts: Sendable {
        /// Entries by log, in the order of the logs' names.
        public let logs: [(origin: String, size: UInt64)]
        /// The files of all charters, the oldest version first; none where the form is an older one.
        public let charters: [[UInt8]]
        /// Whether its tables have the form of this version of Entente; else the next start of a node migrates them.
        public let isCurrent: Bool
    }

    /// Pages between two reports: 2 MB, so that neither reporting nor stopping waits long.
    private static let pages: CInt = 256

    /// Writes what one connection sees into a new file. The connection is within a transaction, so that this is one
    /// moment however long it takes.
    ///
    /// - Parameter progress: may throw to end the copy.
    static func write(_ db: Database, to path: String, _ progress: @escaping (Progress) throws -> Void) throws {
        guard !FileManager.default.fileExists(atPath: path) else { throw StoreError(.file, "\(path) exists already") }
        // The transaction becomes one moment with its first read. Without it every step of the copy would begin another one,
        // and the copy would start again after each write: under load for ever.
        _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master")
        let page = try Int64.fetchOne(db, sql: "PRAGMA page_size") ?? 0
        do {
            var configuration = Configuration()
            // A copy that is interrupted is thrown away: nothing has to be undone in it.
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA journal_mode = OFF")
                try db.execute(sql: "PRAGMA synchronous = OFF")
            }
            let target = try DatabaseQueue(path: path, configuration: configuration)
            try target.writeWithoutTransaction { copy in
                try db.backup(to: copy, pagesPerStep: pages) { state in
                    let total = Int64(state.totalPageCount) * page
                    try progress(Progress(done: total - Int64(state.remainingPageCount) * page, total: total))
                }
            }
            try target.close()
        } catch {
            unlink(path)
            guard let error = error as? DatabaseError else { throw error }
            throw StoreError(
                .file, "\(path): the copy cannot be written: \(error.message ?? "") (SQLite \(error.resultCode))")
        }
    }

    /// Has SQLite check a copy throughout, and reads what it holds. Not a byte of it changes.
    ///
    /// - Throws: ``StoreError`` with code `damaged` where it is not whole, or made by a newer version.
    public static func check(_ path: String) throws -> Facts {
        do {
            let database = try AuditDatabase(path: path, isWritable: false)
            let facts = try database.queue.inDatabase { db in
                let found = try String.fetchAll(db, sql: "PRAGMA integrity_check(10)")
                guard found == ["ok"] else {
                    throw StoreError(.damaged, "the database is damaged: \(found.prefix(3).joined(separator: "; "))")
                }
                if try Schema.migrator.hasBeenSuperseded(db) {
                    throw StoreError(
                        .damaged, "the database was made by a newer version of Entente; use that version")
                }
                let isCurrent = try Schema.migrator.hasCompletedMigrations(db)
                let logs = try GRDB.Row.fetchAll(db, sql: "SELECT origin, size FROM log ORDER BY origin")
                return Facts(
                    logs: logs.map { (origin: $0.text("origin"), size: UInt64(clamping: $0.intOrNil("size") ?? 0)) },
                    charters: isCurrent ? try Store.charterFiles(db) : [], isCurrent: isCurrent)
            }
            try database.queue.close()
            return facts
        } catch let error as DatabaseError {
            throw StoreError(
                .damaged, "the database cannot be read: \(error.message ?? "") (SQLite \(error.resultCode))")
        }
    }
}

extension DatabaseCopy {
    /// Gives the database in a folder the form of this version, as the start of a node would.
    public static func migrate(folder: String) throws { try Store(folder: folder).close() }
}

extension Store {
    /// Copies the database as of one moment into a new file, while others read and write. One copy at a time: each
    /// takes one of the readers for as long as it lasts, and the database's log grows meanwhile.
    ///
    /// - Parameter progress: may throw to end the copy; nothing is then left.
    /// - Throws: ``StoreError``; code `locked` where another copy is being made.
    public func copyDatabase(
        to path: String, progress: @Sendable @escaping (DatabaseCopy.Progress) throws -> Void
    ) async throws {
        let isFirst = isCopying.withLock { isCopying in
            defer { isCopying = true }
            return !isCopying
        }
        guard isFirst else {
            throw StoreError(.locked, "another backup of this node is being made; wait until it is done")
        }
        defer { isCopying.withLock { $0 = false } }
        try await read { db in try DatabaseCopy.write(db, to: path, progress) }
    }
}

/// The folder of a node that does not run; none can start on it as long as this lives.
public final class StoppedFolder {
    private let lock: FolderLock
    private let folder: String

    /// Takes the folder's lock.
    ///
    /// - Throws: ``StoreError`` with code `locked` where a node runs on the folder, `file` where there is no database.
    public init(folder: String) throws {
        guard FileManager.default.fileExists(atPath: "\(folder)/entente.sqlite") else {
            throw StoreError(.file, "\(folder) has no entente.sqlite; nothing was stored here yet")
        }
        lock = try FolderLock(folder: folder)
        self.folder = folder
    }

    /// Copies the database into a new file, as the node's next start would read it.
    public func copyDatabase(
        to path: String, progress: @escaping (DatabaseCopy.Progress) throws -> Void
    ) throws {
        let database = try AuditDatabase(path: "\(folder)/entente.sqlite", isWritable: false)
        try database.queue.inDatabase { try DatabaseCopy.write($0, to: path, progress) }
        try database.queue.close()
    }
}

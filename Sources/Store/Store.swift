import Alliance
import Foundation
import GRDB
import Synchronization
import TransparencyLog

/// Everything that a node holds durably: a SQLite database and a folder of documents.
///
/// One process has it open at a time, guarded by a lock on the folder. Reads run beside the one writer. A method that
/// changes something returns only when the change is durable: the database runs in WAL mode with `synchronous = FULL`,
/// which is checked at opening (GRDB would leave it at NORMAL).
public final class Store: Sendable {
    let pool: DatabasePool
    /// Where all of it is.
    public let folder: String
    /// Where documents' bytes are.
    public let documents: DocumentFolder
    private let lock: FolderLock
    /// What the writer keeps between transactions; only touched inside the writer's queue.
    let writer: WriterState
    /// Who waits for it.
    let turns = WriteTurns()
    /// Each log as of its last durable change, for readers that must not wait for the writer.
    let views = Mutex<[String: LogView]>([:])
    /// Maps that readers loaded for proofs.
    let loadedMaps = LoadedMaps()
    /// Whether a copy for a backup is being made.
    let isCopying = Mutex(false)
    /// The database's log of changes that are not in its file yet.
    private let changesPath: String
    private let changesLimit: Int
    /// Bytes that stay free on the disk: with less, nothing is published and no range or document is stored.
    public let reserve: UInt64

    /// Opens a data folder, and makes it where it is missing.
    ///
    /// - Throws: ``StoreError`` with code `locked` where another process has it open.
    public convenience init(folder: String, reserve: UInt64 = 0) throws {
        try self.init(folder: folder, changesLimit: Self.changesLimit, reserve: reserve)
    }

    private static let changesLimit = 256 << 20

    /// - Parameters:
    ///   - changesLimit: bytes of the database's log from which on the writer waits for readers to get out of the way
    ///     of moving it into the file. SQLite by itself moves it without waiting, so that readers one after another,
    ///     such as peers that catch up, could let it grow for ever.
    ///   - recentLimits: how much of a log waits in the tables for what is recent.
    ///   - onStatement: hears every statement that is run, for tests of query plans.
    init(
        folder: String, changesLimit: Int = Store.changesLimit, recentLimits: RecentTables.Limits = .usual,
        reserve: UInt64 = 0, onStatement: (@Sendable (String) -> Void)? = nil
    ) throws {
        self.changesLimit = changesLimit
        self.reserve = reserve
        self.folder = folder
        try Self.makeFolder(folder)
        lock = try FolderLock(folder: folder)
        documents = try DocumentFolder(folder: "\(folder)/documents")
        let path = "\(folder)/entente.sqlite"
        changesPath = "\(path)-wal"
        try Self.makeSafe(folder)
        do {
            pool = try DatabasePool(path: path, configuration: Self.configuration(onStatement))
            try pool.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA synchronous = FULL")
                let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous")
                let journal = try String.fetchOne(db, sql: "PRAGMA journal_mode")
                guard synchronous == 2, journal == "wal" else {
                    throw StoreError(.file, "\(path): the database does not run with WAL and synchronous = FULL")
                }
            }
            if try pool.read({ try Schema.migrator.hasBeenSuperseded($0) }) {
                throw StoreError(.damaged, "\(path) was made by a newer version of Entente; use that version")
            }
            try Schema.migrator.migrate(pool)
        } catch let error as DatabaseError {
            throw StoreError(.file, "\(path): \(error.message ?? "cannot be opened") (SQLite \(error.resultCode))")
        }
        writer = WriterState(recentLimits: recentLimits, turns: turns)
    }

    /// Syncs what a process that was killed may have left: SQLite takes every whole transaction out of its log of changes when
    /// it opens it, also one whose sync was under way, and never syncs it again. Others would be told of entries that a loss
    /// of power then takes back.
    private static func makeSafe(_ folder: String) throws {
        for path in ["\(folder)/entente.sqlite-wal", "\(folder)/entente.sqlite", folder] {
            let descriptor = Foundation.open(path, O_RDONLY | O_CLOEXEC)
            if descriptor < 0, errno == ENOENT { continue }
            defer { if descriptor >= 0 { _ = Foundation.close(descriptor) } }
            guard descriptor >= 0, fsync(descriptor) == 0 else {
                throw StoreError(.file, "\(path) cannot be synced: \(String(cString: strerror(errno)))")
            }
        }
    }

    /// Moves everything from the log of the database into its file, and ends all connections.
    public func close() throws {
        func fold() throws {
            try pool.writeWithoutTransaction { [writer] db in
                writer.finalize()
                _ = try db.checkpoint(.truncate)
            }
        }
        // An interruption was meant for a task that was cancelled just before.
        do { try fold() } catch DatabaseError.SQLITE_INTERRUPT { try fold() }
        try pool.close()
    }

    private static func configuration(_ onStatement: (@Sendable (String) -> Void)?) -> Configuration {
        var configuration = Configuration()
        configuration.maximumReaderCount = 4
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { db in
            // A tile of 8,192 bytes wastes half of a 16 kB page; 4 kB pages cost more for rows of 700 bytes, and larger
            // ones more for each single commit. Takes effect in a new file only.
            try db.execute(sql: "PRAGMA page_size = 8192")
            // 32 MB of log before it is folded into the file: pages that every batch touches are then written there
            // less often, and fewer commits than one in a hundred wait for it.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = 4096")
            // One connection writes; readers go along the log. What every batch touches of the large tables is small (see
            // RecentTables), and twice as much did not make 300,000 entries faster.
            try db.execute(sql: "PRAGMA cache_size = \(db.configuration.readonly ? -4096 : -16384)")
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
            // Debian's library would write zeros over all that is deleted, and so write every page that becomes free.
            try db.execute(sql: "PRAGMA secure_delete = OFF")
            // A large submission leaves a long log behind, which the next reset cuts.
            try db.execute(sql: "PRAGMA journal_size_limit = \(changesKept)")
            if let onStatement {
                db.trace { event in
                    if case .statement(let statement) = event { onStatement(statement.sql) }
                }
            }
        }
        return configuration
    }

    /// Bytes of the database's log that stay on the disk after its content was moved into the file.
    private static let changesKept = 64 << 20

    private static func makeFolder(_ folder: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StoreError(.file, "\(folder) cannot be made: \(error.localizedDescription)")
        }
    }

    /// Runs one transaction on the writer. Bodies change what the writer keeps in memory as their last step, so a body
    /// that throws leaves it true. Where the database itself fails, perhaps while committing, "failed" may still mean
    /// "done": the writer then forgets everything, and reads the database again.
    ///
    /// - Parameter givesWay: whether it is interrupted, and taken back, where others wait for the writer.
    func write<Result: Sendable>(
        givesWay: Bool = false, _ body: @Sendable @escaping (Database, WriterState) throws -> Result
    ) async throws
        -> Result
    {
        let turn = givesWay ? nil : turns.begin()
        defer { turn?.end() }
        do {
            let result: Result
            do { result = try await writeOnce(turn, givesWay, body) } catch DatabaseError.SQLITE_INTERRUPT
                where !Task.isCancelled
            {
                // GRDB interrupts the connection when a caller's task is cancelled, and may do so a moment too late, when
                // somebody else's write has begun: that was not meant.
                result = try await writeOnce(turn, givesWay, body)
            }
            await shortenChanges()
            return result
        } catch let error as StoreError {
            throw error.code == .full ? full() : error
        } catch let error as TransparencyLogError where [.invalidPage, .otherRow].contains(error.code) {
            throw StoreError(.damaged, "what is stored of a register is damaged (\(error)); run entente fsck")
        } catch {
            await forget()
            guard let error = error as? DatabaseError else { throw error }
            if error.resultCode == .SQLITE_FULL { throw full() }
            throw StoreError(.file, "the database refused a write: \(error.message ?? "") (SQLite \(error.resultCode))")
        }
    }

    private func writeOnce<Result: Sendable>(
        _ turn: WriteTurns.Turn?, _ givesWay: Bool, _ body: @Sendable @escaping (Database, WriterState) throws -> Result
    ) async throws -> Result {
        try await pool.writeWithoutTransaction { [writer] db in
            turn?.end()
            writer.givingWay.isOn = givesWay
            defer { writer.givingWay.isOn = false }
            do {
                return try Self.transaction(db, "BEGIN IMMEDIATE TRANSACTION") { try body(db, writer) }
            } catch let error as DatabaseError {
                // Before anything else is written: the next in the queue must not build on what may not be there.
                writer.forget()
                throw error
            }
        }
    }

    /// Moves the database's log into its file where it has grown long; what fails is tried again after the next write.
    private func shortenChanges() async {
        guard changesSize >= changesLimit else { return }
        await Task { [pool] in
            try? await pool.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        }.value
    }

    /// Bytes of the database's log.
    var changesSize: Int {
        var status = stat()
        return stat(changesPath, &status) == 0 ? Int(status.st_size) : 0
    }

    /// In a task of its own: a caller whose task was cancelled, perhaps between body and commit, could not do it.
    private func forget() async {
        await Task { [pool, writer] in try? await pool.writeWithoutTransaction { _ in writer.forget() } }.value
    }

    /// Makes changes visible once they are durable. Sizes only shrink where a forked log is set back, which is counted: so of
    /// two calls that cross the later stays.
    func show(_ changed: [String: LogView]) {
        views.withLock { views in
            for (origin, view) in changed
            where views[origin].map({ ($0.setBacks, $0.frontier.size) <= (view.setBacks, view.frontier.size) }) ?? true
            {
                views[origin] = view
            }
        }
    }

    func read<Result: Sendable>(_ body: @Sendable @escaping (Database) throws -> Result) async throws -> Result {
        func readOnce() async throws -> Result {
            try await pool.unsafeRead { db in
                try Self.transaction(db, "BEGIN DEFERRED TRANSACTION") { try body(db) }
            }
        }
        do {
            do { return try await readOnce() } catch DatabaseError.SQLITE_INTERRUPT where !Task.isCancelled {
                // Meant for who had the connection before, and was cancelled.
                return try await readOnce()
            }
        } catch let error as DatabaseError {
            throw StoreError(.file, "the database refused a read: \(error.message ?? "") (SQLite \(error.resultCode))")
        }
    }

    /// Runs a body in a transaction, as GRDB would, which prepares "BEGIN" and "COMMIT" anew for every one: of a small
    /// publication's processor time, preparing statements took the largest part.
    private static func transaction<Result>(
        _ db: Database, _ begin: String, _ body: () throws -> Result
    ) throws -> Result {
        try db.cachedStatement(sql: begin).execute()
        do {
            let result = try body()
            try db.cachedStatement(sql: "COMMIT TRANSACTION").execute()
            return result
        } catch {
            // SQLite may have rolled back by itself already; what failed first is what is told.
            try? db.rollback()
            throw error
        }
    }
}

/// A log's derived state, and the right edge of its tree, as of one moment.
struct LogView {
    let state: LogState
    let frontier: TreeFrontier
    /// Maps that the writer has loaded; copies share their memory.
    let maps: [String: RegisterMap]
    /// How often the log was set back since the start.
    let setBacks: Int

    init(_ log: OpenLog) {
        state = log.state
        frontier = log.frontier
        maps = log.maps
        setBacks = log.setBacks
    }
}

/// A lock on a data folder, held until the process ends, so that a crash leaves none behind.
final class FolderLock: Sendable {
    private let descriptor: Int32

    init(folder: String) throws {
        let path = "\(folder)/lock"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(.file, "\(path) cannot be opened: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let holder = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            Foundation.close(descriptor)
            let who = holder.isEmpty ? "another process" : "process \(holder)"
            throw StoreError(.locked, "\(folder) is in use by \(who); only one node may run on a data folder")
        }
        ftruncate(descriptor, 0)
        let pid = Array("\(getpid())".utf8)
        _ = pwrite(descriptor, pid, pid.count, 0)
    }

    deinit { Foundation.close(descriptor) }
}

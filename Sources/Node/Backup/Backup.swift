import Alliance
import Crypto
import Foundation
import Store
import TransparencyLog

/// `entente backup`: one file that holds a node as of one moment, made while the node runs or while it does not.
///
/// The order: the database is copied as of one moment; the copy is checked, and counted on nothing else from then on; then
/// the other files, which only grow or are replaced whole, are hashed and written. The archive gets its name when all of
/// it is on the disk.
public struct Backup: Sendable {
    /// What was made.
    public struct Outcome: Sendable {
        public let manifest: BackupManifest
        /// Bytes of the archive.
        public let size: Int64
        /// Whether a node was running.
        public let wasRunning: Bool
    }

    private let settings: NodeSettings
    private let file: String
    private let withKeys: Bool
    private let overwrite: Bool

    /// - Parameters:
    ///   - file: the archive, an absolute path.
    ///   - withKeys: whether the node's private keys, encrypted as they are, go into it.
    ///   - overwrite: whether a file that stands there is replaced.
    public init(settings: NodeSettings, file: String, withKeys: Bool = false, overwrite: Bool = false) {
        self.settings = settings
        self.file = file
        self.withKeys = withKeys
        self.overwrite = overwrite
    }

    /// Makes the backup.
    ///
    /// - Parameter progress: told how far it is, for people.
    /// - Throws: ``SetupError``, ``NodeError``, ``NodeRefusal``, errors of the store; nothing is then left behind.
    public func run(progress: @escaping (String) -> Void = { _ in }) async throws -> Outcome {
        let work = try begin()
        do {
            let stopped = try stoppedFolder()
            let time = Clock.seconds
            let copy = "\(work.folder)/entente.sqlite"
            if let stopped {
                try stopped.copyDatabase(to: copy) { Self.tell(progress, $0.done, $0.total) }
            } else {
                try await fetch(to: copy, progress)
            }
            let outcome = try BackupWriter(settings: settings, work: work, withKeys: withKeys, time: time)
                .run(wasRunning: stopped == nil, progress: progress)
            try finish(work)
            return outcome
        } catch {
            work.remove()
            throw error
        }
    }

    private func begin() throws -> BackupWork {
        if FileFacts.isFolder(file) { throw SetupError(.unwritable, file, "a folder stands there; name a file") }
        guard overwrite || !FileFacts.exists(file) else {
            throw SetupError(.exists, file, "there is such a file already; name another one, or say --overwrite")
        }
        let parent = PrivateFile.folder(of: file)
        guard FileFacts.isFolder(parent) else {
            throw SetupError(.missing, parent, "there is no such folder; make it first")
        }
        let (place, data) = (Self.resolved(parent), Self.resolved(settings.data))
        guard place != data, !place.hasPrefix("\(data)/") else {
            throw SetupError(
                .badValue, file, "lies in the node's own folder; put the backup elsewhere, best on another disk")
        }
        return try BackupWork(file: file)
    }

    private static func resolved(_ path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    private func finish(_ work: BackupWork) throws { try work.finish(overwrite: overwrite) }

    /// Holds the folder where no node runs on it; nil where one does.
    private func stoppedFolder() throws -> StoppedFolder? {
        do { return try StoppedFolder(folder: settings.data) } catch let error as StoreError where error.code == .locked
        {
            return nil
        }
    }

    private func fetch(to path: String, _ progress: (String) -> Void) async throws {
        let client = NodeClient(settings: settings)
        do {
            try await client.copyDatabase(to: path) { Self.tell(progress, $0, $1) }
            await client.shutdown()
        } catch {
            await client.shutdown()
            throw error
        }
    }

    private static func tell(_ progress: (String) -> Void, _ done: Int64, _ total: Int64) {
        progress("copying the database: \(done >> 20) of \(total >> 20) MB")
    }
}

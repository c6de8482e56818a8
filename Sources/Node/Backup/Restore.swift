import Alliance
import Crypto
import Foundation
import Store
import TransparencyLog

/// `entente restore`: makes a node's folder out of a backup, whole or not at all.
public struct Restore: Sendable {
    /// What was made.
    public struct Outcome: Sendable {
        public let manifest: BackupManifest
        /// Whether the folder was checked.
        public let isChecked: Bool
        /// What the backup did not bring and the node needs: paths.
        public let missing: [String]
    }

    private let file: String
    private let folder: String
    private let check: Bool

    /// - Parameters:
    ///   - file: the backup.
    ///   - folder: the folder to make, an absolute path; there is nothing, or an empty folder.
    ///   - check: whether the restored folder is checked by a quick fsck.
    public init(file: String, folder: String, check: Bool = true) {
        self.file = file
        self.folder = folder
        self.check = check
    }

    /// Makes the folder.
    ///
    /// - Parameter progress: told how far it is, for people.
    /// - Throws: ``SetupError``, ``NodeError``, errors of the store; nothing is then left behind.
    public func run(progress: @escaping (String) -> Void = { _ in }) throws -> Outcome {
        let manifest = try AtomicFolder.make(folder, mode: 0o700) { path in
            let manifest = try unpack(into: path, progress)
            if check { try checkFolder(path, manifest, progress) }
            return manifest
        }
        let needed = ["keys/log.key", "keys/replica.key", "keys/node.key", "tls/node.pem", "tls/authority.pem"]
        return Outcome(
            manifest: manifest, isChecked: check,
            missing: needed.filter { path in !manifest.files.contains { $0.path == path } })
    }

    private func unpack(into path: String, _ progress: (String) -> Void) throws(SetupError) -> BackupManifest {
        var archive = try TarReader(file)
        let manifest = try Self.manifest(&archive)
        let total = manifest.files.reduce(0) { $0 + $1.size }
        var done: Int64 = 0
        var folders: Set<String> = [path]
        for file in manifest.files {
            guard let (name, size) = try archive.next() else { throw archive.error("\(file.path) is not in it") }
            guard name == file.path else {
                throw archive.error("'\(name)' stands where the manifest has \(file.path)")
            }
            guard size == file.size else {
                throw archive.error("\(name) has \(size) bytes, and \(file.size) by the manifest")
            }
            let target = "\(path)/\(name)"
            let parent = PrivateFile.folder(of: target)
            if parent != path { try Folders.make(parent, mode: 0o700) }
            folders.formUnion([parent, PrivateFile.folder(of: parent)].filter { $0.hasPrefix(path) })
            let output = try OutputFile(target)
            var hash = SHA256()
            while let piece = try archive.piece() {
                hash.update(data: piece)
                try output.write(piece)
                done += Int64(piece.count)
                progress("restoring: \(done >> 20) of \(total >> 20) MB")
            }
            guard HashValue(hash.finalize()) == file.digest else {
                throw archive.error("\(name) is damaged: its SHA-256 is not the manifest's")
            }
            try output.sync()
        }
        if let (name, _) = try archive.next() { throw archive.error("'\(name)' is not in the manifest") }
        try checkMark("\(path)/\(RestoredMark.path)", manifest)
        for name in ["keys", "documents"] { try Folders.make("\(path)/\(name)", mode: 0o700) }
        for folder in folders { try Folders.sync(folder) }
        return manifest
    }

    private static func manifest(_ archive: inout TarReader) throws(SetupError) -> BackupManifest {
        guard let (name, size) = try archive.next(), name == BackupManifest.path else {
            throw archive.error("this is no backup: its first file is not \(BackupManifest.path)")
        }
        guard size <= BackupManifest.limit else { throw archive.error("its manifest is too long") }
        var bytes: [UInt8] = []
        while let piece = try archive.piece() { bytes += piece }
        return try BackupManifest(parsing: bytes, file: archive.file)
    }

    /// Without a right mark a node would sign before it knows what is newer.
    private func checkMark(_ path: String, _ manifest: BackupManifest) throws(SetupError) {
        let mark = try RestoredMark(parsing: try PlainFile.read(path, limit: 4_096), file: "\(file), restored")
        guard mark == RestoredMark(manifest) else {
            throw SetupError(.malformed, "\(file), restored", "does not fit the manifest")
        }
    }

    private func checkFolder(
        _ path: String, _ manifest: BackupManifest, _ progress: @escaping (String) -> Void
    ) throws {
        progress("checking what was restored")
        let facts = try DatabaseCopy.check("\(path)/entente.sqlite")
        let sizes = facts.logs.map { BackupManifest.Log(origin: $0.origin, size: Int64(clamping: $0.size)) }
        guard sizes == manifest.logs else {
            throw SetupError(.malformed, file, "its database holds other logs than its manifest says")
        }
        // A backup of an older version: checked in the form that the node's start would give it.
        if !facts.isCurrent { try DatabaseCopy.migrate(folder: path) }
        let settings = NodeSettings(data: path, member: manifest.member)
        let outcome = try FolderCheck(settings: settings, options: .init(isQuick: true)).run(progress: progress)
        guard !outcome.isDamaged else {
            throw SetupError(
                .mismatch, file,
                "what is in it is damaged (\(outcome.lines.prefix(2).joined(separator: " "))); use an older backup, or restore "
                    + "it with --no-check and run entente fsck --repair")
        }
    }
}

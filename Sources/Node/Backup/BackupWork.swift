#if canImport(Glibc)
import CoreFoundation
import Glibc
#else
import Darwin
#endif

/// Where a backup is made before it gets its name: the folder `FILE.partial` beside it.
///
/// A lock in it tells a backup that is being made from what a killed one left behind, which the next one removes.
final class BackupWork {
    let path: String
    private let file: String
    private let lock: Int32

    /// A folder that is checked like a node's own.
    var folder: String { "\(path)/folder" }
    /// The archive while it is written.
    var archive: String { "\(path)/archive" }

    /// Makes the folder, or takes over and empties what a killed backup left.
    ///
    /// - Throws: ``SetupError``; code `exists` where a backup to the same file is being made.
    init(file: String) throws(SetupError) {
        self.file = file
        path = "\(file).partial"
        if FileFacts.exists(path), !FileFacts.isRealFolder(path) {
            throw SetupError(.exists, path, "a backup is made here, and something else stands there; move it away")
        }
        let isNew = mkdir(path, 0o700) == 0
        guard isNew || errno == EEXIST else { throw SetupError(.unwritable, path, PrivateFile.systemMessage(errno)) }
        let guarding = "\(path)/lock"
        guard isNew || FileFacts.exists(guarding) || FileFacts.names(in: path) == [] else {
            throw SetupError(.exists, path, "the folder was not left by a backup; move it away")
        }
        let lock = open(guarding, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0 else { throw SetupError(.unwritable, guarding, PrivateFile.systemMessage(errno)) }
        var (held, named) = (stat(), stat())
        // The one that held the lock may have ended, and removed the folder, just now.
        guard flock(lock, LOCK_EX | LOCK_NB) == 0, fstat(lock, &held) == 0, stat(guarding, &named) == 0,
            held.st_ino == named.st_ino
        else {
            close(lock)
            throw SetupError(.exists, path, "another backup to the same file is being made; wait until it is done")
        }
        self.lock = lock
        for name in FileFacts.names(in: path) ?? [] where name != "lock" {
            let left = "\(path)/\(name)"
            if FileFacts.isRealFolder(left) { Folders.remove(left) } else { unlink(left) }
        }
        do { try Folders.make(folder, mode: 0o700) } catch {
            Folders.remove(path)
            close(lock)
            throw error
        }
    }

    deinit { close(lock) }

    /// Gives the archive its name, in one step and durably.
    func finish(overwrite: Bool) throws(SetupError) {
        guard (overwrite ? rename(archive, file) : link(archive, file)) == 0 else {
            let code = errno
            throw SetupError(code == EEXIST ? .exists : .unwritable, file, PrivateFile.systemMessage(code))
        }
        do { try PrivateFile.sync(folder: PrivateFile.folder(of: file)) } catch {
            throw SetupError(.unwritable, file, error.reason)
        }
        remove()
    }

    /// Removes all of it.
    func remove() { Folders.remove(path) }
}

#if canImport(Glibc)
import CoreFoundation
import Glibc
#else
import Darwin
#endif

/// Folders for files that anybody may read.
public enum PublicFolder {
    /// Makes a folder, and those above it; nothing if it is there.
    ///
    /// - Throws: ``SetupError`` with code `unwritable`.
    public static func make(_ path: String) throws(SetupError) { try Folders.make(path) }
}

/// Folders, made with the mode that they keep.
enum Folders {
    /// Makes a folder, and those above it; nothing if it is there.
    static func make(_ path: String, mode: mode_t = 0o755) throws(SetupError) {
        if FileFacts.isFolder(path) { return }
        if FileFacts.exists(path) { throw SetupError(.unwritable, path, "it is not a folder") }
        let parent = PrivateFile.folder(of: path)
        if parent != path, parent != "." { try make(parent) }
        guard mkdir(path, mode) == 0 || errno == EEXIST else {
            throw SetupError(.unwritable, path, PrivateFile.systemMessage(errno))
        }
    }

    /// Gives a finished folder its name, in one step; an empty folder that stands there is replaced.
    static func rename(_ from: String, to: String) throws(SetupError) {
        #if canImport(Glibc)
        let result = Glibc.rename(from, to)
        #else
        let result = Darwin.rename(from, to)
        #endif
        guard result == 0 else {
            let taken = errno == ENOTEMPTY || errno == EEXIST
            throw SetupError(taken ? .exists : .unwritable, to, PrivateFile.systemMessage(errno))
        }
    }

    /// Removes a file, durably; nothing if it is not there.
    static func removeFile(_ path: String) throws(SetupError) {
        guard unlink(path) == 0 || errno == ENOENT else {
            throw SetupError(.unwritable, path, PrivateFile.systemMessage(errno))
        }
        try sync(PrivateFile.folder(of: path))
    }

    /// Makes the names in a folder survive a power loss.
    static func sync(_ path: String) throws(SetupError) {
        do { try PrivateFile.sync(folder: path) } catch { throw SetupError(.unwritable, path, error.reason) }
    }

    /// Removes a folder and all in it; what cannot be removed stays.
    static func remove(_ path: String) {
        for name in FileFacts.names(in: path) ?? [] {
            let inner = "\(path)/\(name)"
            if FileFacts.isRealFolder(inner) { remove(inner) } else { unlink(inner) }
        }
        rmdir(path)
    }
}

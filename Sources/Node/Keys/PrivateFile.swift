#if canImport(Glibc)
// The compiler takes `struct stat` for a declaration of this module, which includes the C header first.
import CoreFoundation
import Glibc
#else
import Darwin
#endif

/// `read(2)`, under a name that methods called `read` do not hide.
func readBytes(_ descriptor: Int32, _ buffer: UnsafeMutableRawPointer, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}

/// Small files that only their owner may read, written so that a crash leaves the old file or the new one.
enum PrivateFile {
    /// Reads a whole regular file.
    ///
    /// - Parameters:
    ///   - limit: the most bytes accepted.
    ///   - isPrivate: whether to refuse a file that its group or others may read, write or execute.
    /// - Throws: ``KeyFileError`` with code `missing`, `unreadable`, `exposed` or `tooLarge`.
    static func read(_ path: String, limit: Int, isPrivate: Bool = true) throws(KeyFileError) -> [UInt8] {
        // Non-blocking, so that a named pipe in the file's place cannot hang the node.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw KeyFileError(errno == ENOENT ? .missing : .unreadable, path, Self.systemMessage(errno))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw KeyFileError(.unreadable, path, "it is not a regular file")
        }
        if isPrivate {
            guard status.st_mode & 0o077 == 0 else {
                throw KeyFileError(.exposed, path, "others than its owner may use it; run: chmod 600 '\(path)'")
            }
            guard status.st_uid == geteuid() || status.st_uid == 0 else {
                throw KeyFileError(.exposed, path, "it belongs to another user")
            }
        }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = readBytes(descriptor, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw KeyFileError(.unreadable, path, Self.systemMessage(errno)) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
            guard bytes.count <= limit else {
                throw KeyFileError(.tooLarge, path, "it is longer than \(limit) bytes")
            }
        }
    }

    /// Writes a file in one step: a temporary name in the same folder, the right mode from its creation, synced, then
    /// given its name, then the folder synced.
    ///
    /// - Parameter overwrite: whether an existing file is replaced; without it, it is left as it is.
    /// - Throws: ``KeyFileError`` with code `exists` or `unwritable`.
    static func write(
        _ bytes: [UInt8], to path: String, mode: mode_t, overwrite: Bool
    ) throws(KeyFileError) {
        let folder = Self.folder(of: path)
        let temporary = "\(folder)/.new-\(UInt64.random(in: .min ... .max))"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw KeyFileError(.unwritable, path, Self.systemMessage(errno)) }
        var failure: Int32?
        if !Self.writeAll(bytes, to: descriptor) || fsync(descriptor) != 0 { failure = errno }
        close(descriptor)
        if failure == nil {
            // link(2) gives the name only if it is free; rename(2) takes it over.
            let named = overwrite ? rename(temporary, path) : link(temporary, path)
            if named != 0 { failure = errno }
        }
        if failure != nil || !overwrite { unlink(temporary) }
        if let failure {
            throw KeyFileError(failure == EEXIST ? .exists : .unwritable, path, Self.systemMessage(failure))
        }
        try Self.sync(folder: folder)
    }

    /// Makes a name in a folder survive a power loss.
    static func sync(folder: String) throws(KeyFileError) {
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY)
        guard descriptor >= 0 else { throw KeyFileError(.unwritable, folder, Self.systemMessage(errno)) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw KeyFileError(.unwritable, folder, Self.systemMessage(errno)) }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// Writes to a terminal; that a prompt cannot be shown stops nothing.
    static func show(_ text: String, on descriptor: Int32) {
        _ = Self.writeAll(Array(text.utf8), to: descriptor)
    }

    static func systemMessage(_ code: Int32) -> String {
        String(cString: strerror(code))
    }

    static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Self.writeBytes(descriptor, $0) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }

    private static func writeBytes(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        #if canImport(Glibc)
        return Glibc.write(descriptor, base, buffer.count)
        #else
        return Darwin.write(descriptor, base, buffer.count)
        #endif
    }
}

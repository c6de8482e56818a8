#if canImport(Glibc)
import CoreFoundation
import Glibc
#else
import Darwin
#endif

/// A new file that is written from its beginning to its end, of mode 0600.
final class OutputFile {
    let path: String
    private let descriptor: Int32

    /// Makes the file.
    ///
    /// - Throws: ``SetupError``; code `exists` if something stands there.
    init(_ path: String) throws(SetupError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw SetupError(errno == EEXIST ? .exists : .unwritable, path, PrivateFile.systemMessage(errno))
        }
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) throws(SetupError) {
        guard PrivateFile.writeAll(bytes, to: descriptor) else { throw failure() }
    }

    /// Makes what was written survive a power loss.
    func sync() throws(SetupError) {
        guard fsync(descriptor) == 0 else { throw failure() }
    }

    private func failure() -> SetupError {
        let code = errno
        let advice = code == ENOSPC || code == EDQUOT ? "; make room, and start again" : ""
        return SetupError(.unwritable, path, PrivateFile.systemMessage(code) + advice)
    }
}

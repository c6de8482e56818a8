import Crypto
import NIOCore
import Synchronization
public import TransparencyLog

#if canImport(Glibc)
import CoreFoundation
import Glibc
#else
import Darwin
#endif

/// A document on disk, read piece by piece.
public enum DocumentFile {
    private static let chunkBytes = 256 << 10

    /// The size and digest of a regular file.
    ///
    /// - Throws: ``SetupError``.
    public static func inspect(_ path: String) throws(SetupError) -> (size: Int64, digest: HashValue) {
        let reader = try Reader(path)
        var hash = SHA256()
        var size: Int64 = 0
        while let chunk = try reader.next() {
            hash.update(data: chunk)
            size += Int64(chunk.count)
            guard size <= 1 << 30 else { throw SetupError(.limit, path, "a document has at most 1 GiB") }
        }
        return (size, HashValue(hash.finalize()) ?? .zero)
    }

    /// The whole of a small file.
    ///
    /// - Throws: ``SetupError``; code `limit` for one of more than `limit` bytes.
    public static func bytes(_ path: String, limit: Int) throws(SetupError) -> [UInt8] {
        try PlainFile.read(path, limit: limit)
    }

    /// The file's bytes as a request's body.
    struct Chunks: AsyncSequence, Sendable {
        typealias Element = ByteBuffer
        let path: String
        let size: Int64

        struct AsyncIterator: AsyncIteratorProtocol {
            let path: String
            var left: Int64
            var reader: Reader?

            @concurrent
            mutating func next() async throws -> ByteBuffer? {
                if reader == nil { reader = try Reader(path) }
                guard left > 0 else { return nil }
                guard let chunk = try reader?.next(), Int64(chunk.count) <= left else {
                    throw SetupError(.unreadable, path, "the file changed while it was read")
                }
                left -= Int64(chunk.count)
                return ByteBuffer(bytes: chunk)
            }
        }

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(path: path, left: size) }
    }

    /// An open regular file.
    final class Reader: Sendable {
        private let path: String
        private let descriptor: Int32

        init(_ path: String) throws(SetupError) {
            guard FileFacts.exists(path) else { throw SetupError(.missing, path, "there is no such file") }
            guard FileFacts.isFile(path) else { throw SetupError(.unreadable, path, "it is not a regular file") }
            self.path = path
            descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else {
                throw SetupError(.unreadable, path, PrivateFile.systemMessage(errno))
            }
        }

        deinit { close(descriptor) }

        func next() throws(SetupError) -> [UInt8]? {
            var buffer = [UInt8](repeating: 0, count: DocumentFile.chunkBytes)
            while true {
                let count = readBytes(descriptor, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count >= 0 else { throw SetupError(.unreadable, path, PrivateFile.systemMessage(errno)) }
                if count == 0 { return nil }
                return Array(buffer[..<count])
            }
        }
    }
}

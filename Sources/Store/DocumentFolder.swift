import Crypto
import Foundation
import Synchronization
public import TransparencyLog

/// Documents' bytes, by their SHA-256: a file is complete and right once it has its name.
///
/// A document is written under a temporary name, synced, renamed, and the folder synced, so that a crash leaves either
/// the whole document or a leftover that the next start removes.
public final class DocumentFolder: Sendable {
    private let folder: String
    private let sources = Mutex(DocumentSources())

    /// Bytes of one document.
    public static let sizeLimit: Int64 = 1 << 30

    /// Opens the folder, makes it where it is missing, and removes what a crash left behind.
    init(folder: String) throws {
        self.folder = folder
        do {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/incoming", withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StoreError(.file, "\(folder) cannot be made: \(error.localizedDescription)")
        }
        let leftovers = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/incoming")) ?? []
        // Whose bytes were to be kept apart is not known any more.
        for name in leftovers where name.hasPrefix("new-") || name.contains(".") {
            unlink("\(folder)/incoming/\(name)")
        }
    }

    /// The folder as it is, for looking only.
    init(reading folder: String) { self.folder = folder }

    /// Where the document of that digest is, or would be.
    public func path(of digest: HashValue) -> String {
        let hex = digest.hex
        return "\(folder)/\(hex.prefix(2))/\(hex)"
    }

    /// Whether the whole document is here.
    public func holds(_ digest: HashValue) -> Bool { FileManager.default.fileExists(atPath: path(of: digest)) }

    /// Bytes of a document that have arrived so far; where a fetch goes on.
    public func received(_ digest: HashValue) -> Int64 { Self.size(incoming(digest)) }

    /// A member is asked for what is missing of a document: only its bytes are taken from now on.
    ///
    /// - Returns: from which byte on it is to send.
    public func resume(_ digest: HashValue, from member: String) -> Int64 {
        sources.withLock { sources in
            let received = Self.size(incoming(digest, from: member, sources))
            sources.begin(digest, from: member, received: received)
            return received
        }
    }

    /// Adds bytes behind those that have arrived.
    ///
    /// - Parameter member: who sent them, and was asked last; nil where nobody else is asked at the same time.
    /// - Throws: ``StoreError`` where `offset` is not where the arrived bytes end, more than `size` would arrive, or another
    ///   member was asked since.
    public func receive(
        _ bytes: [UInt8], of digest: HashValue, at offset: Int64, size: Int64, from member: String? = nil
    ) throws {
        // Within the lock, so that what was looked at is what is written; a piece is small.
        let file = try sources.withLock { sources in
            try Self.check(member, digest, sources)
            let path = incoming(digest, from: member, sources)
            let received = Self.size(path)
            guard received == offset else {
                throw StoreError(.moved, "the document's next byte is \(received), not \(offset)")
            }
            guard offset + Int64(bytes.count) <= size, size <= Self.sizeLimit else {
                throw StoreError(.damaged, "more bytes came than the document has")
            }
            let file = try File(path: path, flags: O_WRONLY | O_CREAT | O_APPEND)
            try file.write(bytes)
            return file
        }
        // A piece at a time: a gigabyte that is synced at its end keeps every other sync waiting behind it.
        if offset / Self.syncedPiece != (offset + Int64(bytes.count)) / Self.syncedPiece { try file.sync() }
    }

    private static let syncedPiece: Int64 = 1 << 20

    private static func check(_ member: String?, _ digest: HashValue, _ sources: DocumentSources) throws {
        guard let member, !sources.isAsked(member, for: digest) else { return }
        throw StoreError(.moved, "the document comes from another member now")
    }

    /// Makes a received document final, once its digest is right; a wrong one is removed.
    ///
    /// - Parameter member: who sent the last of it; nil where nobody else is asked at the same time.
    /// - Throws: ``StoreError`` with code `damaged` where the bytes are not the document; `moved` where not all of these are
    ///   the member's, or another member was asked since.
    public func finish(_ digest: HashValue, from member: String? = nil) throws {
        // Nobody adds to what is looked at now, and whoever is asked meanwhile begins another file.
        let whole = temporaryPath()
        let isOfOne = try sources.withLock { sources in
            try Self.check(member, digest, sources)
            let path = incoming(digest, from: member, sources)
            guard rename(path, whole) == 0 else {
                throw StoreError(.unknown, "nothing of the document has arrived")
            }
            return sources.end(digest) || member == nil
        }
        var isPlaced = false
        defer { if !isPlaced { unlink(whole) } }
        var hash = SHA256()
        guard let handle = FileHandle(forReadingAtPath: whole) else {
            throw StoreError(.file, "\(whole) cannot be read: \(String(cString: strerror(errno)))")
        }
        while let part = try handle.read(upToCount: 1 << 20), !part.isEmpty { hash.update(data: part) }
        try handle.close()
        guard HashValue(hash.finalize()) == digest else {
            guard isOfOne else {
                sources.withLock { $0.spoil(digest) }
                throw StoreError(.moved, "what several members sent is not the document \(digest.hex)")
            }
            throw StoreError(.damaged, "the bytes received are not the document \(digest.hex)")
        }
        try place(whole, as: digest)
        isPlaced = true
        discard(digest)
        sources.withLock { $0.complete(digest) }
    }

    /// Removes what has arrived of a document.
    public func discard(_ digest: HashValue) {
        unlink(incoming(digest))
        let folder = "\(folder)/incoming"
        guard sources.withLock({ $0.areApart(digest) }) else { return }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where name.hasPrefix("\(digest.hex).") { unlink("\(folder)/\(name)") }
    }

    /// Stores a whole document.
    ///
    /// - Returns: its digest.
    public func store(_ bytes: [UInt8]) throws -> HashValue {
        let digest = HashValue.sha256(bytes)
        guard !holds(digest) else { return digest }
        discard(digest)
        try receive(bytes, of: digest, at: 0, size: Int64(bytes.count))
        if bytes.isEmpty { _ = try File(path: incoming(digest), flags: O_WRONLY | O_CREAT) }
        try place(incoming(digest), as: digest)
        return digest
    }

    /// Reads a part of a document.
    public func read(_ digest: HashValue, at offset: Int64, count: Int) throws -> [UInt8] {
        guard let handle = FileHandle(forReadingAtPath: path(of: digest)) else {
            throw StoreError(.unknown, "document \(digest.hex) is not held here")
        }
        defer { try? handle.close() }
        try handle.seek(toOffset: UInt64(offset))
        return [UInt8](try handle.read(upToCount: count) ?? Data())
    }

    /// Begins to receive a document whose digest is not known yet.
    public func stage() throws -> DocumentStaging {
        try DocumentStaging(path: "\(folder)/incoming/new-\(UUID().uuidString)", folder: self)
    }

    /// A path for something that is needed for a moment; the next start removes what a crash leaves there.
    public func temporaryPath() -> String { "\(folder)/incoming/new-\(UUID().uuidString)" }

    fileprivate func take(_ temporary: String, as digest: HashValue) throws {
        if holds(digest) { unlink(temporary) } else { try place(temporary, as: digest) }
    }

    private func incoming(_ digest: HashValue) -> String { "\(folder)/incoming/\(digest.hex)" }

    /// Where the bytes of a member go.
    private func incoming(_ digest: HashValue, from member: String?, _ sources: DocumentSources) -> String {
        guard let member, sources.areApart(digest) else { return incoming(digest) }
        return "\(incoming(digest)).\(HashValue.sha256(Array(member.utf8)).hex.prefix(16))"
    }

    private static func size(_ path: String) -> Int64 {
        let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber
        return size?.int64Value ?? 0
    }

    private func place(_ temporary: String, as digest: HashValue) throws {
        let file = try File(path: temporary, flags: O_RDONLY)
        try file.sync()
        let parent = "\(folder)/\(digest.hex.prefix(2))"
        // Also where the folder is there: a process that was killed may have made it, and not synced.
        if mkdir(parent, 0o700) == 0 || errno == EEXIST { try File(path: folder, flags: O_RDONLY).sync() }
        guard rename(temporary, path(of: digest)) == 0 else {
            throw StoreError(.file, "\(path(of: digest)) cannot be made: \(String(cString: strerror(errno)))")
        }
        try File(path: parent, flags: O_RDONLY).sync()
    }
}

/// A document that arrives from an officer of this member: hashed as it is written.
public final class DocumentStaging {
    private let path: String
    private let folder: DocumentFolder
    private let file: File
    private var hash = SHA256()
    private var size: Int64 = 0
    private var isPlaced = false

    fileprivate init(path: String, folder: DocumentFolder) throws {
        self.path = path
        self.folder = folder
        file = try File(path: path, flags: O_WRONLY | O_CREAT | O_EXCL)
    }

    deinit { if !isPlaced { unlink(path) } }

    /// Adds bytes.
    public func append(_ bytes: [UInt8]) throws {
        size += Int64(bytes.count)
        guard size <= DocumentFolder.sizeLimit else {
            throw StoreError(.file, "a document has at most \(DocumentFolder.sizeLimit) bytes")
        }
        hash.update(data: bytes)
        try file.write(bytes)
    }

    /// Makes the document final and durable.
    public func finish() throws -> (digest: HashValue, size: Int64) {
        guard let digest = HashValue(hash.finalize()) else { throw StoreError(.damaged, "no digest") }
        try folder.take(path, as: digest)
        isPlaced = true
        return (digest, size)
    }
}

/// An open file descriptor, closed with its owner.
private final class File {
    private let descriptor: Int32
    private let path: String

    init(path: String, flags: Int32) throws {
        self.path = path
        descriptor = open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.error(path, "cannot be opened") }
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.error(path, "cannot be written") }
            rest = rest.dropFirst(count)
        }
    }

    func sync() throws {
        guard fsync(descriptor) == 0 else { throw Self.error(path, "cannot be synced") }
    }

    private static func error(_ path: String, _ what: String) -> StoreError {
        StoreError(.file, "\(path) \(what): \(String(cString: strerror(errno)))")
    }
}

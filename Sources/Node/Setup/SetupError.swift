/// Why keys, a charter, a node or a plan could not be made or read. Compare by ``code``; the text is for people.
public struct SetupError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of thing is wrong.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// Nothing stands at the path.
        case missing
        /// Something stands there already and was left as it is.
        case exists
        case unreadable
        case unwritable
        /// Not the file that is due.
        case malformed
        /// Well formed, but it does not fit the rest.
        case mismatch
        /// A value that cannot be.
        case badValue
        /// A limit would be exceeded.
        case limit
    }

    public let code: Code
    /// A path, or what the value was for.
    public let place: String
    /// What is wrong, and what to do.
    public let reason: String

    public init(_ code: Code, _ place: String, _ reason: String) {
        self.code = code
        self.place = place
        self.reason = reason
    }

    public var description: String { "\(place): \(reason)" }
}

/// Files that anybody may read: public halves, charters, plans, proofs. Written in one step, so that nothing is ever
/// half there.
public enum PlainFile {
    /// Whether anything stands at a path.
    public static func exists(_ path: String) -> Bool { FileFacts.exists(path) }

    /// The whole of a regular file.
    ///
    /// - Parameter limit: the most bytes accepted.
    /// - Throws: ``SetupError`` with code `missing`, `unreadable` or `limit`.
    public static func read(_ path: String, limit: Int) throws(SetupError) -> [UInt8] {
        guard FileFacts.exists(path) else { throw SetupError(.missing, path, "there is no such file") }
        guard FileFacts.isFile(path) else { throw SetupError(.unreadable, path, "it is not a regular file") }
        guard FileFacts.size(path) <= Int64(limit) else {
            throw SetupError(.limit, path, "it is longer than \(limit) bytes, so it is not the file that is due")
        }
        do {
            return try PrivateFile.read(path, limit: limit, isPrivate: false)
        } catch {
            throw SetupError(error.code == .tooLarge ? .limit : .unreadable, path, error.reason)
        }
    }

    /// Writes a file under a temporary name, synced, and gives it its own.
    ///
    /// - Throws: ``SetupError`` with code `exists` or `unwritable`.
    public static func write(_ bytes: [UInt8], to path: String, overwrite: Bool = false) throws(SetupError) {
        if FileFacts.isFolder(path) { throw SetupError(.unwritable, path, "a folder stands there") }
        if !overwrite, FileFacts.exists(path) {
            throw SetupError(.exists, path, "there is such a file already; it was left as it is")
        }
        do {
            try PrivateFile.write(bytes, to: path, mode: 0o644, overwrite: overwrite)
        } catch {
            throw SetupError(error.code == .exists ? .exists : .unwritable, path, error.reason)
        }
    }
}

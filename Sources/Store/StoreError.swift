/// Why storage could not do what was asked. Compare by ``code``.
public struct StoreError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of thing went wrong.
    public enum Code: String, Hashable, Sendable {
        /// Another process has this data folder open.
        case locked
        /// The folder or a file cannot be made, read or written.
        case file
        /// The disk has no room for it.
        case full
        /// What is stored contradicts itself, or was made by a newer version.
        case damaged
        /// The log moved on since the caller looked.
        case moved
        /// No such log, entry, register or document is held here.
        case unknown
        /// More of it than a question may ask for.
        case limit
        /// The write gave way to others and is to be made again.
        case interrupted
        /// A state that must never roll back would.
        case rollback
    }

    public let code: Code
    /// What is wrong and what to do, for people.
    public let reason: String

    /// Creates an error.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { reason }
}

/// Why a register definition was refused.
///
/// Compare by ``code``; ``reason`` is for people and may change.
public struct RegisterError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of thing is wrong.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// The bytes are not strict JSON.
        case malformed
        /// A member is missing, of the wrong type or not allowed.
        case invalidMember
        /// Two parts of the definition contradict each other.
        case inconsistent
        /// A limit of ``RegisterLimits`` is exceeded.
        case limit
        /// A pattern is not one that this code can match in linear time.
        case pattern
    }

    /// What kind of error this is.
    public let code: Code
    /// What is wrong, for people.
    public let reason: String
    /// The path of the member, such as `fields[4].constraints.pattern`; empty for the whole.
    public let place: String

    /// Creates an error.
    public init(_ code: Code, _ reason: String, at place: String = "") {
        self.code = code
        self.reason = reason
        self.place = place
    }

    public var description: String { place.isEmpty ? reason : "\(place): \(reason)" }
}

/// Limits on register definitions and rows, all checked before anything is kept.
public enum RegisterLimits {
    /// Bytes of a descriptor: it travels as base64url inside an entry of at most 65,535 bytes.
    public static let descriptorBytes = 32 << 10
    /// Fields of a row, without the four columns that every register has.
    public static let fields = 128
    /// Lookup fields: each is one more map in every state leaf.
    public static let lookups = 16
    /// Statuses of a vocabulary.
    public static let statuses = 32
    /// Values of one enumeration.
    public static let enumeration = 1_024
    /// Languages of one label besides the definition's own.
    public static let translations = 32
    /// Bytes of a title or a description.
    public static let textBytes = 2_048
    /// Bytes of one text in a row.
    public static let valueBytes = 64 << 10
    /// Elements of one list in a row.
    public static let listItems = 1_024
    /// Bytes of a row's fields as compact JSON: with its envelope, and in base64url, it still fits an entry.
    public static let rowBytes = 40_000
}

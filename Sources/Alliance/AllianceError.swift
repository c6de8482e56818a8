/// Why something that claims to be a charter, a statement, a roster, a proof or a question was refused.
///
/// Compare by ``code``; ``reason`` is for people and may change.
public struct AllianceError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of thing went wrong.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// Not the bytes of the format: not JSON, not a JWS, not base64url, too long.
        case malformed
        /// Well formed, but a member is missing, of the wrong type or outside its limits.
        case invalidField
        /// A key that is not canonical, of small order, repeated or unknown.
        case badKey
        /// A signature that does not verify, or too few of them.
        case badSignature
        /// Of another alliance than the one at hand.
        case otherAlliance
        /// Not what the register's definition allows.
        case definition
        /// Not allowed by the roster or charter in force.
        case notPermitted
        /// A limit of the format would be exceeded.
        case limit
        /// Something that is referred to is not known here.
        case unknown
    }

    /// What kind of error this is.
    public let code: Code
    /// What is wrong and what to do, for people.
    public let reason: String
    /// Where: a member's path, a line, a file.
    public let place: String?

    /// Creates an error.
    public init(_ code: Code, _ reason: String, at place: String? = nil) {
        self.code = code
        self.reason = reason
        self.place = place
    }

    public var description: String { place.map { "\($0): \(reason)" } ?? reason }

    /// The same error, found inside a larger thing.
    public func within(_ outer: String) -> AllianceError {
        AllianceError(code, reason, at: place.map { "\(outer).\($0)" } ?? outer)
    }
}

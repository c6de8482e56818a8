/// Why a charter does not follow the ones that are known.
///
/// Compare by ``code``; ``reason`` is for people and may change.
public struct CharterRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of thing is wrong.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// It is no charter, or breaks a rule of content.
        case malformed
        /// A version before it is not known here.
        case skipped
        /// It is known here already.
        case replayed
        /// It is another charter of a version that is decided and older than the one in force.
        case rolledBack = "rolled-back"
        /// It names another charter before it than any that is known.
        case otherPrevious = "other-previous"
        /// Fewer members signed than are needed.
        case tooFewSigners = "too-few-signers"
        /// One key signed twice.
        case repeatedSigner = "repeated-signer"
        /// A signature does not verify.
        case badSignature = "bad-signature"
        /// What it says does not go together with the version before, or with itself.
        case selfContradicting = "self-contradicting"
        /// It changes a log's member, and states no cut for that log.
        case cutMissing = "cut-missing"
        /// It is past its expiry. Only people are told so: nodes among themselves have no clock in common.
        case expired
        /// As many charters of that version are kept as may be.
        case tooMany = "too-many"
    }

    /// What kind of thing is wrong.
    public let code: Code
    /// What is wrong and what to do, in one sentence.
    public let reason: String

    /// Creates a refusal.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    init(_ error: AllianceError) {
        let code: Code = error.code == .badSignature ? .badSignature : .malformed
        self.init(code, error.description)
    }

    public var description: String { reason }
}

/// Why something that a peer sent was refused: a reason to count and act on, the log it was about, and detail for
/// people. A rejection says what was wrong, never that we could not decide.
public struct Rejection: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of refusals. The raw values are stable names for counters and records.
    public enum Reason: String, CaseIterable, Hashable, Sendable, Comparable {
        /// A frame or one of its fields does not follow the protocol.
        case malformedFrame
        /// A frame or one of its fields exceeds its limit.
        case oversizedFrame
        /// A message that may not come now, or not from this peer.
        case unexpectedMessage
        /// The peer belongs to another alliance.
        case foreignAlliance
        /// The peer says that it is another member than its certificate does.
        case wrongMember
        /// The peer speaks no version of the protocol that we do.
        case unsupportedVersion
        /// The bytes are no signed note, or its text is no checkpoint.
        case malformedNote
        /// A head of a log that no member has.
        case unknownLog
        /// The log's signature, or a known member's cosignature, does not verify.
        case badSignature
        /// A cosignature's line has not the form that its key demands.
        case malformedSignature
        /// A head of size zero whose root is not that of the empty tree.
        case wrongEmptyRoot
        /// A head, signed by the log, of a smaller size whose root is not the one that our tree had at that size.
        case inconsistentHead
        /// A head, signed by the log, of our size with another root.
        case contradictoryHead
        /// Entries that end in a tree that the head does not extend, with no proof that the head extends ours.
        case cannotExtend
        /// Entries that are not those under the head, although the head extends ours.
        case wrongRoot
        /// An answer that is not what was asked for: other range, other order, nothing at all.
        case malformedRange
        /// More entries or more bytes than a range may have.
        case oversizedRange
        /// An entry that is longer than entries may be, or empty.
        case malformedEntry
        /// A batch whose state leaf is false: stored, but never cosigned.
        case falseStateLeaf
        /// A document whose bytes do not have its digest or size.
        case wrongDocument
        /// A charter that does not follow from ours.
        case invalidCharter
        /// Another charter of our version.
        case differentCharter
        /// A fork proof that is none.
        case invalidForkProof
        /// The node is a copy of one that was started later.
        case superseded
        /// Too many rejections in one session.
        case tooMany

        /// By name.
        public static func < (left: Reason, right: Reason) -> Bool {
            left.rawValue < right.rawValue
        }
    }

    /// What kind of refusal it is.
    public var reason: Reason
    /// The log it was about, where that is known.
    public var origin: String?
    /// What was wrong, in our own words: never bytes that the peer chose.
    public var detail: String

    /// Describes a refusal.
    public init(_ reason: Reason, origin: String? = nil, _ detail: String) {
        self.reason = reason
        self.origin = origin
        self.detail = detail
    }

    /// `reason: detail`.
    public var description: String {
        "\(reason.rawValue): \(detail)"
    }
}

public import TransparencyLog

/// What peers say to each other, one message a frame.
///
/// A frame is a uint32 (the number of bytes that follow), one type byte, and the fields in the order of declaration:
/// integers are uint64 big-endian (flags and reasons one byte), hashes 32 bytes, byte strings and texts follow a
/// uint32 of their length, lists a uint32 of their count. ``WireLimits`` bounds each. Frames of a type that is not
/// known are skipped, so that versions mix.
public enum Message: Hashable, Sendable {
    /// The first message of a session, and again whenever something in it has changed.
    case hello(Hello)
    /// A head that the sender holds whole, with the entries that are new since an earlier size where they are few.
    case head(Announcement)
    /// Cosignatures of one head.
    case signatures(SignatureSet)
    /// A summary of everything that ``heads(_:)`` would say: who has the same needs no further word.
    case digest(HashValue)
    /// A page of the sender's heads, because the summaries differ.
    case heads(HeadsPage)
    /// Asks for a range, from a peer that cannot be dialled: it answers by sending it in bulk.
    case wantRange(RangeRequest)
    /// Asks for a document from a byte on, from a peer that cannot be dialled.
    case wantDocument(digest: HashValue, offset: UInt64)
    /// Asks for the newest head of a log, with the signatures that the peer has.
    case wantHead(origin: String)
    /// Says which charter the sender is under.
    case charterOffer(version: UInt64, digest: HashValue)
    /// Asks for the charter of exactly this version.
    case wantCharter(version: UInt64)
    /// A charter's bytes.
    case charter(version: UInt64, bytes: [UInt8])
    /// The sender does not do what was asked.
    case refused(Refusal)
    /// Asks for cosignatures with a new time.
    case wantFresh(origin: String)
    /// The members that the sender is connected to: what they say need not be passed on to it.
    case neighbours([String])
    /// That a log signed two heads of which at most one can be true.
    case forkProof([UInt8])
    /// That a member's node has started, and who has recorded that.
    case incarnation(IncarnationNews)
    /// The summaries differ, and there are many heads: the summary of each, so that only those that differ are sent.
    case summary([HeadSummary])
}

/// The start of a member's node, and receipts of those who have recorded it.
public struct IncarnationNews: Hashable, Sendable {
    /// The note that says so (formats 12).
    public var note: [UInt8]
    /// Receipts of that start.
    public var receipts: [[UInt8]]

    /// Describes a start.
    public init(note: [UInt8], receipts: [[UInt8]] = []) {
        self.note = note
        self.receipts = receipts
    }
}

/// What a sender has of one log's head, in short.
public struct HeadSummary: Hashable, Sendable {
    /// The log.
    public var origin: String
    /// A digest of its size, root and cosignatures.
    public var digest: HashValue

    /// Describes a head.
    public init(origin: String, digest: HashValue) {
        self.origin = origin
        self.digest = digest
    }
}

/// Who is speaking, and under which charter.
public struct Hello: Hashable, Sendable {
    /// The newest version of the protocol that the node speaks.
    public static let currentVersion: UInt64 = 1

    /// The newest version of the protocol that the sender speaks.
    public var protocolVersion: UInt64
    /// SHA-256 of charter version 1's payload.
    public var alliance: HashValue
    /// The version of the charter that the sender is under.
    public var charterVersion: UInt64
    /// SHA-256 of that charter's payload.
    public var charterDigest: HashValue
    /// The sender's member id; it must be that of its certificate.
    public var member: String
    /// The sender's name for people and records.
    public var node: String
    /// The node's incarnation (formats 12), or empty while it has none.
    public var incarnation: [UInt8]
    /// Bits for abilities that versions add; unknown ones are ignored.
    public var features: UInt64

    /// Describes a node.
    public init(
        protocolVersion: UInt64 = Hello.currentVersion, alliance: HashValue, charterVersion: UInt64,
        charterDigest: HashValue, member: String, node: String, incarnation: [UInt8] = [], features: UInt64 = 0
    ) {
        self.protocolVersion = protocolVersion
        self.alliance = alliance
        self.charterVersion = charterVersion
        self.charterDigest = charterDigest
        self.member = member
        self.node = node
        self.incarnation = incarnation
        self.features = features
    }
}

/// A head, and perhaps the entries that lead to it.
public struct Announcement: Hashable, Sendable {
    /// The checkpoint with the log's signature and the cosignatures that the sender has.
    public var note: [UInt8]
    /// The size from which on the inline entries are; 0 without any.
    public var inlineFrom: UInt64
    /// The entries from there to the head, in the encoding of a bundle (formats 3); empty without any.
    public var inlineEntries: [UInt8]

    /// Describes a head.
    public init(note: [UInt8], inlineFrom: UInt64 = 0, inlineEntries: [UInt8] = []) {
        self.note = note
        self.inlineFrom = inlineFrom
        self.inlineEntries = inlineEntries
    }
}

/// Cosignatures of one head, which need no note: the three values are the whole checkpoint.
public struct SignatureSet: Hashable, Sendable {
    /// The log.
    public var origin: String
    /// The head's size.
    public var size: UInt64
    /// The head's root.
    public var root: HashValue
    /// Signature lines of a signed note (formats 1), each with its line feed.
    public var lines: [[UInt8]]

    /// Describes cosignatures.
    public init(origin: String, size: UInt64, root: HashValue, lines: [[UInt8]]) {
        self.origin = origin
        self.size = size
        self.root = root
        self.lines = lines
    }
}

/// The sender's heads of all logs with an origin between two bounds; it has nothing of the others between them.
public struct HeadsPage: Hashable, Sendable {
    /// The last origin of the page before; empty on the first page.
    public var after: String
    /// The last origin of this page; empty on the last page.
    public var through: String
    /// The notes, by origin.
    public var notes: [[UInt8]]

    /// Describes a page.
    public init(after: String, through: String, notes: [[UInt8]]) {
        self.after = after
        self.through = through
        self.notes = notes
    }
}

/// Which range is wanted.
public struct RangeRequest: Hashable, Sendable {
    /// The asking node's number, returned with the answer.
    public var request: RequestID
    /// The log.
    public var origin: String
    /// The first entry.
    public var from: UInt64
    /// The size of the head, one that the peer has offered, that the answer leads to.
    public var headSize: UInt64
    /// That head's root: who has another tree at that size refuses.
    public var headRoot: HashValue

    /// Describes a range.
    public init(request: RequestID, origin: String, from: UInt64, headSize: UInt64, headRoot: HashValue) {
        self.request = request
        self.origin = origin
        self.from = from
        self.headSize = headSize
        self.headRoot = headRoot
    }
}

/// That something is not done, and why.
public struct Refusal: Hashable, Sendable {
    /// Why not. Codes that are not known read as ``other``.
    public enum Reason: UInt8, Hashable, Sendable, CaseIterable {
        /// Something that has no code.
        case other = 0
        /// Too much at once; later it may do.
        case busy = 1
        /// The sender does not have it.
        case unknown = 2
        /// The peer may not have it.
        case notPermitted = 3
        /// What the peer sent was rejected.
        case rejected = 4
    }

    /// The request that is refused, or 0.
    public var request: RequestID
    /// Why.
    public var reason: Reason
    /// For people.
    public var text: String

    /// Describes a refusal.
    public init(request: RequestID = RequestID(0), reason: Reason, text: String) {
        self.request = request
        self.reason = reason
        self.text = text
    }
}

public import Alliance
internal import TransparencyLog

/// How far this start of the node is: it signs nothing of its own log before a quorum of replicas has recorded it.
public enum IncarnationStanding: Hashable, Sendable {
    /// This member has no log under the charter in force.
    case none
    /// So many more answers are due, of these members, by id; `isRestored` says that each of them has to answer, since
    /// this folder is older than what somebody knows.
    case waiting(needed: Int, missing: [String], isRestored: Bool)
    /// A replica holds the log up to there, which is more than is held here: it is being taken back.
    case takingBack(size: UInt64)
    /// Recorded by a quorum: this node may sign.
    case established
    /// Another copy of this node was started later: this one signs nothing any more.
    case superseded(by: Incarnation)
}

/// This start of the node, as to its own log (formats 12).
struct OwnIncarnation: Sendable {
    let origin: String
    /// Our own starts that the store knows of, this one among them.
    var history: Set<Incarnation>
    /// This start; nil before the shell has made the note, or had the key for it.
    var note: IncarnationNote?
    /// The answers to it, one a member.
    var answers: [(member: String, receipt: IncarnationReceipt)] = []
    /// Whether somebody knows a start of this node that the store does not.
    var isRestored: Bool
    var isEstablished = false
    var successor: Incarnation?
    /// Whether another number is due: a replica had recorded a start that is not ours.
    var isRefused = false
    /// The largest number that is known of any start.
    var highest: UInt64
    /// How often it was refused, and how often the note was sent again.
    var refusals = 0
    var repeats = 0
    /// Starts of other copies that the shell was told of.
    var twins: [Incarnation] = []

    static let twinLimit = 8

    init(origin: String, history: [Incarnation], isRestored: Bool) {
        self.origin = origin
        self.history = Set(history)
        self.isRestored = isRestored
        highest = history.map(\.number).max() ?? 0
    }
}

/// The newest start of another member's node that is recorded here.
struct RecordedIncarnation: Sendable {
    let note: IncarnationNote
    /// Those that are known, one a member, our own among them; they are passed on.
    var receipts: [(member: String, receipt: IncarnationReceipt)]
}

/// A start that is being recorded, and receipts of it that came along.
struct RecordingIncarnation: Sendable {
    let note: IncarnationNote
    let receipts: [IncarnationReceipt]
    let source: PeerID
}

/// What the store knows of the starts of a log's node.
public struct IncarnationRecord: Hashable, Sendable {
    /// Of another member's log: the newest start's note, and our receipt; empty without any.
    public var note: [UInt8]
    public var receipt: [UInt8]
    /// Of our own log: its starts, the last ones at least.
    public var own: [Incarnation]

    public init(note: [UInt8] = [], receipt: [UInt8] = [], own: [Incarnation] = []) {
        self.note = note
        self.receipt = receipt
        self.own = own
    }
}

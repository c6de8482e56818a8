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
    ///
    /// - Parameter from: who says so, by id; nobody where only a peer without a replica key or our own record does.
    case takingBack(size: UInt64, from: [String])
    /// These members, by id, say of the log up to `size`, which is the least that any of them names, what is not so here. Their
    /// receipts are what they say; the heads that they hold would prove a fork.
    case contradicted(size: UInt64, by: [String])
    /// A proof is held that the log is forked: nothing more is signed in it, whoever records this start.
    case forked
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
    var answers: [StartAnswer] = []
    var isEstablished = false
    var successor: Incarnation?
    /// The size of the largest head of our own log that our key signed, as a peer showed or our own record says.
    var offered: UInt64
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

    init(origin: String, history: [Incarnation], publishedSize: UInt64) {
        self.origin = origin
        self.history = Set(history)
        offered = publishedSize
        highest = history.map(\.number).max() ?? 0
    }
}

/// What a replica answered to this start.
struct StartAnswer: Sendable {
    let member: String
    let receipt: IncarnationReceipt
    /// Whether what it holds is the beginning of what is held here; nil while that was not compared, or less is held here.
    var isOurs: Bool?
    /// The shell is comparing.
    var check: RequestID?

    /// Whether it counts only once it was compared with the tree of a log of this size.
    func isOpen(at size: UInt64) -> Bool { isOurs == nil && receipt.size <= size }
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

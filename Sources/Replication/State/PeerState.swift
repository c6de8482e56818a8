internal import Alliance
internal import TransparencyLog

/// What is known of a session with a peer.
struct PeerState: Sendable {
    let id: PeerID
    let member: String
    let canFetch: Bool
    var isRestricted: Bool
    /// Whether its hello has come.
    var isGreeted = false
    /// Whether we have asked the shell to end the session.
    var isEnded = false
    var node = ""
    /// The newest charter that it says it is under.
    var charterVersion: UInt64 = 0
    /// The charters that it says it holds and we do not, the newest at last.
    var charterOffers: [CharterOffer] = []
    /// The version to ask it for next; nil where it has nothing that we lack.
    var charterCursor: UInt64?
    /// Whether charters from it are to be sought further back, because those that came follow one that is not known.
    var isDescending = true
    /// The versions that it was asked for last, and how many charters of each may still come: where two contradict each
    /// other, the second may be on its way while the next version is being asked for.
    var charterAsked: [(version: UInt64, left: Int)] = []
    var charterNotBefore: Instant?
    /// The lowest version of which it sent a charter that follows one that is not known here, besides one that does not.
    var charterUnconnected: UInt64?
    /// Charters that are held and were asked for again, since it may have more of their signatures, and when.
    var charterAskedAgain: [(offer: CharterOffer, at: Instant)] = []
    /// The start that it is, by its own note.
    var incarnation: Incarnation?
    /// When it was last told that a start is not the newest.
    var incarnationsToldAt: Instant?
    /// Up to which version all of its charters are asked for, known or not, because it decides otherwise than we do with
    /// what we know; and when that was last begun.
    var charterWalkEnd: UInt64?
    var charterWalkedAt: Instant?
    /// The members of our charter that it is connected to, by its own word; sorted.
    var neighbours: [String] = []
    /// As many as Replication has logs, in their order.
    var logs: [PeerLog]
    /// Ranges and documents that it was asked for.
    var outstanding = 0
    /// Bulk answers that we are sending it.
    var served = 0
    var rejections = 0
    /// When all heads that the peer lacks were last sent to it.
    var headsSentAt: Instant?
    var summarySentAt: Instant?
    /// Requests for ranges that take longer than they should.
    var slow = 0
    /// How often it kept us waiting or sent something false; a range that it supplies halves it.
    var lapses = 0

    init(id: PeerID, member: String, canFetch: Bool, isRestricted: Bool, logs: Int) {
        self.id = id
        self.member = member
        self.canFetch = canFetch
        self.isRestricted = isRestricted
        self.logs = Array(repeating: PeerLog(), count: logs)
    }

    /// Whether anything may be asked of it.
    var isUsable: Bool {
        isGreeted && !isEnded
    }
}

/// A charter that a peer says it holds.
struct CharterOffer: Hashable, Sendable {
    let version: UInt64
    /// Nil where only a state leaf that it sent tells of that version.
    let digest: HashValue?
}

/// What is known of one log at a peer.
struct PeerLog: Sendable {
    /// The largest size that it says it holds.
    var known: UInt64 = 0
    /// The size of the largest head that we sent it.
    var told: UInt64 = 0
    /// Whether it was told of the log's fork.
    var toldFork = false
    /// The head of a forked log that it holds, by its word.
    var forkHead: HeadKey?
    /// The newest start of the log's node that it was told of.
    var toldIncarnation: Incarnation?
    /// How often and when last: what is lost is told again, and yet nobody keeps two nodes busy.
    var incarnationTellings = 0
    var incarnationToldAt: Instant?
    /// The start that it spoke of last: what it was told has come through.
    var heardIncarnation: Incarnation?
    var failures = 0
    /// Not to be asked for this log before.
    var notBefore: Instant?
    /// The number of the last request, so that peers take turns.
    var lastAsked: UInt64 = 0
}

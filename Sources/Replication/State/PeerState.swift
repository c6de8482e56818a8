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
    var charterNotBefore: Instant?
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

/// What is known of one log at a peer.
struct PeerLog: Sendable {
    /// The largest size that it says it holds.
    var known: UInt64 = 0
    /// The size of the largest head that we sent it.
    var told: UInt64 = 0
    var failures = 0
    /// Not to be asked for this log before.
    var notBefore: Instant?
    /// The number of the last request, so that peers take turns.
    var lastAsked: UInt64 = 0
}

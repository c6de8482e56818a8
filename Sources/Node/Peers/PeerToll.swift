import Replication

/// What a peer may have this node read: beyond it, its session is read more slowly, which holds the peer back by TCP.
/// Nothing is dropped, and no other session waits for it.
struct PeerToll: Sendable {
    /// In units of one signature, or the like: so many at once, and a tenth of them a second. A page of heads of 200 logs with 64
    /// signatures each is 12,800.
    static let limit = (units: Int64(20_000), window: Int64(10_000))
    /// The longest pause at once; milliseconds.
    static let longestPause: Int64 = 10_000
    /// Milliseconds of pauses after which the peer is spoken of.
    static let noticed: Int64 = 5_000

    private var allowance = Allowance(limit.units, each: limit.window, mostOwed: limit.units)
    private var paused: Int64 = 0
    private var isNoticed = false

    /// Takes a message's cost.
    ///
    /// - Returns: how long to wait before the next is read, in milliseconds; and whether this peer has come to be worth a
    ///   word just now.
    mutating func take(_ cost: Int64, _ now: Instant) -> (pause: Int64, isNew: Bool) {
        allowance.take(cost, now)
        guard let due = allowance.due(now) else { return (0, false) }
        let pause = min(due - now, Self.longestPause)
        paused += pause
        let isNew = !isNoticed && paused >= Self.noticed
        if isNew { isNoticed = true }
        return (pause, isNew)
    }
}

extension Message {
    /// What it costs to deal with, in about so many signatures.
    var cost: Int64 {
        switch self {
        case .head(let head): 1 + Int64(head.note.count / 128 + head.inlineEntries.count / 4_096)
        case .heads(let page): page.notes.reduce(1) { $0 + 1 + Int64($1.count / 128) }
        case .signatures(let set): 1 + Int64(set.lines.count)
        case .summary(let heads): 1 + Int64(heads.count / 16)
        case .charter, .forkProof: 64
        // What is new in it is written at once.
        case .forkHeads(let notes): notes.reduce(64) { $0 + 1 + Int64($1.count / 128) }
        case .incarnation(let news): 2 + Int64(news.receipts.count)
        default: 1
        }
    }
}

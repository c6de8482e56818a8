/// How Replication paces itself, and the limit of everything that a peer can feed.
///
/// Times are milliseconds, sizes bytes. The defaults suit an alliance of up to a few dozen members.
public struct ReplicationSettings: Hashable, Sendable {
    // MARK: Pace

    /// Between two comparisons of all heads with one peer; milliseconds.
    public var exchangeInterval: Int64 = 5_000
    /// By how much an interval is lengthened or shortened at random; milliseconds, less than the interval.
    public var exchangeJitter: Int64 = 1_000
    /// How long an owner waits for its last head's quorum before it announces the next (formats 4); milliseconds.
    public var announceInterval: Int64 = 100
    /// How long a head waits before it is passed on to peers that probably have it already; milliseconds.
    public var relayDelay: Int64 = 250
    /// How long others' signatures are collected before they are passed on; milliseconds.
    public var spreadDelay: Int64 = 20
    /// The least time between two refreshes of one log's cosignatures (formats 4); milliseconds.
    public var freshnessInterval: Int64 = 10_000
    /// When a range counts as not coming; milliseconds.
    public var rangeTimeout: Int64 = 30_000
    /// When a range that has not come no longer counts among ``concurrentLogs``; milliseconds.
    public var slowRange: Int64 = 2_000
    /// When a document counts as not coming; milliseconds.
    public var documentTimeout: Int64 = 600_000
    /// When a charter counts as not coming; milliseconds.
    public var charterTimeout: Int64 = 10_000
    /// The wait after a first failure; it doubles with each further one; milliseconds.
    public var firstBackoff: Int64 = 500
    /// The longest wait after failures; milliseconds.
    public var maximumBackoff: Int64 = 60_000
    /// The longest wait after a failure of this node's own storage, which bothers nobody else.
    public var maximumLocalBackoff: Int64 = 5_000
    /// How long a peer that served something false of a log is not asked again for that log; milliseconds.
    public var rejectionBackoff: Int64 = 600_000
    /// How long this start waits for answers before it is told again; doubles up to the exchange interval; milliseconds.
    public var incarnationInterval: Int64 = 1_000
    /// Between two starts of one member's node that are recorded, at least; milliseconds.
    public var incarnationSpacing: Int64 = 100
    /// How far ahead of our clock a cosignature's time may lie and still count (formats 4); milliseconds.
    public var clockTolerance: Int64 = 300_000

    // MARK: Announcements

    /// Most entries that go inline with a head.
    public var inlineEntries: Int = 256
    /// Most bytes of entries that go inline with a head; at most ``WireLimits/inlineBytes``.
    public var inlineBytes: Int = 256 * 1024

    // MARK: Limits

    /// Most logs that fetch ranges at once.
    public var concurrentLogs: Int = 4
    /// Most slow requests for ranges besides.
    public var slowLogs: Int = 24
    /// Slow requests of one peer from which on it is asked for no further range.
    public var slowRangesPerPeer: Int = 2
    /// Most ranges of one log that wait for the one being stored.
    public var readyRangesPerLog: Int = 4
    /// Most bytes of ranges of one log that wait; one range more than this may wait, when nothing else does.
    public var readyBytesPerLog: Int = 16 * 1024 * 1024
    /// Most ranges that we send one peer at once, where it cannot fetch them itself.
    public var servedRangesPerPeer: Int = 4
    /// Most documents fetched at once.
    public var concurrentDocuments: Int = 3
    /// Of them, most that one log names.
    public var documentsPerLog: Int = 2
    /// When a document that has not come no longer counts among ``concurrentDocuments``; milliseconds.
    public var slowDocument: Int64 = 10_000
    /// Most slow documents besides; of one peer a third of them.
    public var slowDocuments: Int = 6
    /// Most missing documents remembered here; the store remembers the others and is asked again.
    public var rememberedDocuments: Int = 10_000
    /// Most recent heads kept of one log, whose signatures are still collected.
    public var recentHeadsPerLog: Int = 16
    /// Most heads of one log that peers offer and that are not stored yet.
    public var offeredHeadsPerLog: Int = 16
    /// Most older heads of one log whose verdict is remembered.
    public var oldHeadsPerLog: Int = 32
    /// Most older heads of one log that are being checked at once.
    public var oldHeadChecksPerLog: Int = 4
    /// Most heads of one log that are not known yet and whose cosignatures are kept until they are.
    public var earlyHeadsPerLog: Int = 16
    /// Fork proofs of one log that take the place of another, until the node starts again.
    public var forkReplacements: Int = 8
    /// Of each replica key, most heads of a forked log that it cosigned and that are remembered, as they may get a quorum.
    public var forkHeadsPerMember: Int = 16
    /// News of one forked log's heads that are passed on at once, until the node starts again; later ones, unless they change
    /// where counting ends, go with the periodic exchange.
    public var forkPushes: Int = 64
    /// Between two answers with all heads to one peer, at least; milliseconds.
    public var headsInterval: Int64 = 500
    /// Most sessions with peers.
    public var peers: Int = 512
    /// Rejections in one session after which it is ended.
    public var rejectionsPerPeer: Int = 64
    /// Signature lines in all heads up to which they are sent whole when digests differ; beyond, a summary goes first.
    public var headsLines: Int = 64
    /// Most bytes of notes in one page of heads; at most ``WireLimits/headsBytes``.
    public var headsPageBytes: Int = 256 * 1024

    /// How much of this node one member's log may take.
    public var quota = QuotaSettings()

    /// The defaults.
    public init() {}

    /// Says what is wrong with these settings, or nil if they can be used.
    public var problem: String? {
        let times = [
            exchangeInterval, announceInterval, relayDelay, spreadDelay, freshnessInterval, rangeTimeout,
            slowRange, documentTimeout, slowDocument, charterTimeout, headsInterval, firstBackoff, maximumBackoff,
            rejectionBackoff, maximumLocalBackoff, incarnationInterval, incarnationSpacing,
        ]
        if times.contains(where: { $0 <= 0 || $0 > 86_400_000 }) { return "a time is not between 1 ms and a day" }
        if exchangeJitter < 0 || exchangeJitter >= exchangeInterval { return "the jitter is not below the interval" }
        if clockTolerance < 0 { return "the clock tolerance is negative" }
        if inlineEntries < 0 || inlineBytes < 0 || inlineBytes > WireLimits.inlineBytes {
            return "inline entries are outside of what a frame holds"
        }
        if headsPageBytes < WireLimits.noteBytes || headsPageBytes > WireLimits.headsBytes {
            return "a page of heads is outside of what a frame holds"
        }
        if let problem = quota.problem { return "quota: \(problem)" }
        let counts = [
            concurrentLogs, slowLogs, slowRangesPerPeer, headsLines, readyRangesPerLog, readyBytesPerLog,
            servedRangesPerPeer, concurrentDocuments, documentsPerLog, slowDocuments,
            rememberedDocuments, recentHeadsPerLog, offeredHeadsPerLog, oldHeadsPerLog, oldHeadChecksPerLog,
            earlyHeadsPerLog, forkReplacements, forkHeadsPerMember, forkPushes, peers, rejectionsPerPeer,
        ]
        return counts.contains(where: { $0 < 1 }) ? "a limit is below 1" : nil
    }
}

extension ReplicationSettings {
    /// The wait after so many failures in a row; milliseconds.
    func backoff(_ failures: Int) -> Int64 {
        min(firstBackoff << Int64(min(max(failures - 1, 0), 20)), maximumBackoff)
    }
}

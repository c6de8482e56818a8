internal import Alliance
public import TransparencyLog

/// How one log stands, for people and for the public interface.
public struct LogStatus: Hashable, Sendable {
    /// What holds a log up, if anything does.
    public enum State: Hashable, Sendable {
        /// We hold what peers offer.
        case current
        /// Ranges are on their way.
        case fetching
        /// Peers offer more, and none of them can be asked now.
        case stalled
        /// A state leaf names a charter of this version, which is not held.
        case waitingForCharter(version: UInt64)
        /// The log grows faster than a cap allows; more of it is taken from then on.
        case delayed(QuotaCap, until: Instant)
    }

    /// The log.
    public let origin: String
    /// The member whose log it is.
    public let owner: String
    /// The number of entries held.
    public let size: UInt64
    /// The root of the tree of that size.
    public let root: HashValue
    /// The note of the largest head that is held whole, with its cosignatures; nil before the first.
    public let head: [UInt8]?
    /// The largest size that a peer offers, at least what is held.
    public let target: UInt64
    /// What holds it up.
    public let state: State
    /// Whether every state leaf held is true.
    public let isTrustworthy: Bool
    /// Whether the log is known to have signed inconsistent heads.
    public let isContradicted: Bool
    /// Whether it is proven that the log is forked: then counting ends at ``end``.
    public let isForked: Bool
    /// Where counting in a forked log ends: the size of the largest checkpoint that a quorum holds, as far as it is known; nil
    /// where none is, so that nothing of the log counts. What is held may still be less.
    public let end: UInt64?
    /// The cosignatures of the largest head held, the newest of each member, by member.
    public let cosignatures: [ReplicaSignature]
    /// The size of the largest recent head with a quorum, if one has.
    public let quorumSize: UInt64?
    /// The age of that quorum: the time of its q-th newest cosignature; POSIX seconds (formats 4).
    public let quorumTime: UInt64?
}

/// How a session with a peer stands.
public struct PeerStatus: Hashable, Sendable {
    /// What the peer says it holds of one log.
    public struct Log: Hashable, Sendable {
        /// The log.
        public let origin: String
        /// The largest size that it says it holds.
        public let known: UInt64
        /// How many of the entries that we hold it does not, by its word.
        public let lag: UInt64
        /// Whether it is not being asked for this log at present.
        public let isSetAside: Bool
    }

    /// The session.
    public let id: PeerID
    /// The member that its certificate proves.
    public let member: String
    /// Its name, from its hello.
    public let node: String
    /// Whether its hello has come.
    public let isGreeted: Bool
    /// Whether it may only deal in heads, charters and logs.
    public let isRestricted: Bool
    /// The newest charter that it says it is under.
    public let charterVersion: UInt64
    /// What it was asked for and has not answered.
    public let outstanding: Int
    /// How often something from it was refused in this session.
    public let rejections: Int
    /// By origin.
    public let logs: [Log]
}

/// How much is held for peers, against ``ReplicationSettings``: what tests watch.
public struct Occupancy: Hashable, Sendable {
    /// Sessions.
    public var peers = 0
    /// The most heads that one log is offered.
    public var offers = 0
    /// The most heads of one log whose cosignatures came early.
    public var early = 0
    /// The most older heads that are remembered of one log.
    public var oldHeads = 0
    /// The most recent heads that are kept of one log.
    public var recent = 0
    /// The most ranges of one log that wait.
    public var ready = 0
    /// The most bytes of one log that wait.
    public var readyBytes = 0
    /// The most cosignatures of one log that are to be passed on.
    public var spread = 0
    /// The most heads of one forked log.
    public var forkHeads = 0
    /// The most heads of one forked log that may be known: so many of each member.
    public var forkHeadsLimit = 0
    /// Logs that fetch at once.
    public var fetching = 0
    /// Documents remembered.
    public var documents = 0
    /// The most bulk answers under way to one peer.
    public var served = 0

    /// The first limit that is exceeded, or nil.
    public func excess(over settings: ReplicationSettings) -> String? {
        let limits: [(String, Int, Int)] = [
            ("peers", peers, settings.peers + 1),
            ("offers", offers, settings.offeredHeadsPerLog + settings.readyRangesPerLog + 2),
            ("early", early, settings.earlyHeadsPerLog),
            ("oldHeads", oldHeads, settings.oldHeadsPerLog + settings.oldHeadChecksPerLog),
            ("recent", recent, settings.recentHeadsPerLog),
            ("ready", ready, settings.readyRangesPerLog + 1),
            ("readyBytes", readyBytes, settings.readyBytesPerLog + WireLimits.rangeBytes),
            ("spread", spread, WireLimits.signatureLines + WireLimits.signatureLines),
            ("forkHeads", forkHeads, forkHeadsLimit),
            ("fetching", fetching, settings.concurrentLogs),
            ("documents", documents, settings.rememberedDocuments),
            ("served", served, settings.servedRangesPerPeer),
        ]
        return limits.first { $0.1 > $0.2 }.map { "\($0.0): \($0.1) above \($0.2)" }
    }
}

extension Replication {
    /// Every log, by origin.
    public var logStatuses: [LogStatus] {
        logs.indices.map(status(of:))
    }

    /// One log; nil if no member has it.
    public func status(ofLog origin: String) -> LogStatus? {
        logIndex(origin).map(status(of:))
    }

    /// Every session, by number.
    public var peerStatuses: [PeerStatus] {
        peers.map { peer in
            PeerStatus(
                id: peer.id, member: peer.member, node: peer.node, isGreeted: peer.isGreeted,
                isRestricted: peer.isRestricted, charterVersion: peer.charterVersion, outstanding: peer.outstanding,
                rejections: peer.rejections,
                logs: zip(logs, peer.logs).map { log, state in
                    PeerStatus.Log(
                        origin: log.origin, known: state.known,
                        lag: log.size > state.known ? log.size - state.known : 0, isSetAside: state.notBefore != nil)
                })
        }
    }

    /// For each member the largest size of a log that it has cosigned, as far as we know: an entry below it is held
    /// and checked there. By member.
    public func receipts(ofLog origin: String) -> [Receipt] {
        logIndex(origin).map { logs[$0].receipts } ?? []
    }

    /// How often what was refused since the start, by reason.
    public var rejectionCounts: [(reason: Rejection.Reason, count: Int)] {
        Rejection.Reason.allCases.compactMap { reason in counts[reason].map { (reason, $0) } }
    }

    /// The charter in force here.
    public var currentMembership: Membership {
        membership
    }

    /// Missing documents that are remembered here.
    public var missingDocuments: [DocumentNeed] {
        documents.works.map(\.need)
    }

    /// What is held for peers.
    public var occupancy: Occupancy {
        var result = Occupancy()
        result.peers = peers.count
        for log in logs {
            result.offers = max(result.offers, log.offers.count)
            result.early = max(result.early, log.early.count)
            result.oldHeads = max(result.oldHeads, log.oldHeads.count)
            result.recent = max(result.recent, log.recent.count)
            result.ready = max(result.ready, log.ready.count)
            result.readyBytes = max(result.readyBytes, log.readyBytes)
            result.spread = max(result.spread, log.spread.count)
            result.forkHeads = max(result.forkHeads, log.ending?.heads.count ?? 0)
        }
        result.forkHeadsLimit = 1 + settings.forkHeadsPerMember * membership.replicaKeys
        result.fetching = logs.count(where: \.isFetching)
        result.documents = documents.works.count
        result.served = peers.map(\.served).max() ?? 0
        return result
    }

    private func status(of index: Int) -> LogStatus {
        let log = logs[index]
        let quorum = membership.quorum
        let heads = log.recent + (log.head.map { [$0] } ?? [])
        let best = heads.last { $0.cosignatures.count >= quorum }
        let times = (best?.cosignatures.map(\.time) ?? []).sorted(by: >)
        return LogStatus(
            origin: log.origin, owner: log.owner, size: log.size, root: log.root, head: log.head?.note,
            target: max(log.size, log.offers.last?.head.size ?? 0), state: state(of: log),
            isTrustworthy: log.isTrustworthy, isContradicted: log.isContradicted, isForked: log.fork != nil,
            end: log.ending?.end?.size,
            cosignatures: log.head?.cosignatures ?? [], quorumSize: best?.size,
            quorumTime: times.count >= quorum && quorum > 0 ? times[quorum - 1] : nil)
    }

    private func state(of log: LogState) -> LogStatus.State {
        if let version = log.waitingForCharter { return .waitingForCharter(version: version) }
        if log.fetch != nil || log.storing != nil || !log.ready.isEmpty { return .fetching }
        let isBehind = log.offers.contains { $0.head.size > log.size }
        if isBehind, let delay = log.quota.delay { return .delayed(delay.cap, until: delay.until) }
        return isBehind ? .stalled : .current
    }
}

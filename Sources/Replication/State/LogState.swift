internal import Alliance
internal import TransparencyLog

/// Which head it is: a log can have signed two of one size.
struct HeadKey: Hashable, Sendable {
    let size: UInt64
    let root: HashValue
}

extension Head {
    var key: HeadKey { HeadKey(size: size, root: root) }
}

/// A head beyond what we hold, and the sessions whose newest head of the log it is.
struct Offer: Sendable {
    var head: Head
    /// Sorted.
    var peers: [PeerID]
    /// How often an attempt at it has failed: a head that nobody serves must not keep a smaller one waiting.
    var failures = 0
}

/// A range that has been asked for.
struct Fetch: Sendable {
    let request: RequestID
    let peer: PeerID
    let from: UInt64
    let head: HeadKey
    let since: Instant
    /// Whether it has taken so long that it no longer keeps other logs waiting.
    var isSlow = false
}

/// A range that waits for the one before it to be stored.
struct Ready: Sendable {
    let peer: PeerID
    let answer: RangeAnswer
    let head: HeadKey
}

/// A range that the shell is verifying and storing.
struct Storing: Sendable {
    let request: RequestID
    let peer: PeerID
    let answer: RangeAnswer
    let head: HeadKey
    /// The cosignatures that went along, and are stored with the head.
    let cosignatures: [ReplicaSignature]
}

/// An older head whose root is being, or has been, compared with that of our own tree.
struct OldHead: Sendable {
    let head: Head
    let peer: PeerID
    let request: RequestID
    var isConsistent: Bool?
}

/// Cosignatures of a head that is not known yet.
struct EarlyHead: Sendable {
    let key: HeadKey
    var cosignatures: [ReplicaSignature]
}

/// A cosignature to be passed on, and the session that it came by.
struct Spread: Sendable {
    let head: HeadKey
    let signature: ReplicaSignature
    let source: PeerID?
}

/// The largest size of a log that a member has cosigned, and when: what a publisher counts.
public struct Receipt: Hashable, Sendable {
    /// The member that holds the log up to there, and has checked it.
    public let member: String
    /// The size that it cosigned.
    public let size: UInt64
    /// When, by its own word; POSIX seconds.
    public let time: UInt64
}

/// Everything that Replication knows of one log.
struct LogState: Sendable {
    let origin: String
    /// The member whose log it is, and the key that signs it: from the newest charter that names the log.
    var owner: String
    var key: VerifierKey
    let isOwn: Bool

    /// What is held.
    var size: UInt64 = 0
    var root = MerkleTree.emptyRoot
    /// The largest head that is held whole.
    var head: Head? { didSet { headDigest = nil } }
    /// ``Replication/headDigest(_:)`` of that head, once it was asked for.
    var headDigest: HashValue?
    /// Earlier heads, the newest last, whose cosignatures are still collected.
    var recent: [Head] = []
    /// The size of the largest head under which anything is stored: nothing below is cosigned.
    var acceptedSize: UInt64 = 0
    var isTrustworthy = true
    /// Whether it is known that the log signed what cannot be: it is cosigned no further.
    var isContradicted = false
    /// The proof of that, which goes to everyone.
    var fork: ForkProof?
    /// Where counting in the forked log ends; nil while no fork is known.
    var ending: ForkEnding? { didSet { headDigest = nil } }
    /// Whether what is held is still to be made what counts of a forked log.
    var needsSettling = false
    /// Whether the shell is at it.
    var isSettling = false
    var settlingFailures = 0
    /// How often news that do not change the end were passed on at once.
    var forkPushes = 0
    /// How often another proof took its place since the start: who forks again and again is not to keep everybody busy.
    var forkReplacements = 0
    /// The newest start of its node that is recorded here, and one that is being recorded since when.
    var incarnation: RecordedIncarnation?
    var recording: RecordingIncarnation?
    var recordedAt: Instant?
    /// Who offered something meanwhile, to be asked for it again.
    var heldBack: [PeerID] = []
    /// Of our own log: the starts that the store knew at the beginning.
    var ownStarts: [Incarnation] = []
    /// Of our own log: the entries that were published, as another record than the store's has it.
    var publishedSize: UInt64 = 0
    /// The charter version that a state leaf names and that is not held.
    var waitingForCharter: UInt64?

    /// Heads beyond what we hold, by size, then root.
    var offers: [Offer] = []
    var fetch: Fetch?
    var ready: [Ready] = []
    var storing: Storing?
    /// After a failure of our own: not to be fetched before.
    var notBefore: Instant?
    var localFailures = 0
    var cosigningFailures = 0
    /// When the retry timer was last set for.
    var retryAt: Instant?

    var oldHeads: [OldHead] = []
    var early: [EarlyHead] = []
    var spread: [Spread] = []
    /// When the head is to be passed on to peers that probably have it.
    var relayAt: Instant?
    var isRelayTimerSet = false
    var lastRefresh: Instant?
    var receipts: [Receipt] = []
    /// What it has taken of this node.
    var quota: LogQuota

    init(origin: String, owner: String, key: VerifierKey, isOwn: Bool, quota: QuotaSettings) {
        self.quota = LogQuota(quota)
        self.origin = origin
        self.owner = owner
        self.key = key
        self.isOwn = isOwn
    }

    /// The size that will be held once all that has come is stored.
    var tip: UInt64 {
        ready.last?.answer.to ?? storing?.answer.to ?? size
    }

    var readyBytes: Int {
        ready.reduce(0) { $0 + $1.answer.entries.count }
    }

    /// Whether this log takes one of the places for logs that fetch at once.
    var isFetching: Bool {
        fetch.map { !$0.isSlow } ?? false
    }
}

// MARK: - Heads by key

extension LogState {
    /// The head as it is known, wherever it stands.
    func knownHead(_ key: HeadKey) -> Head? {
        if let head, head.key == key { return head }
        return recent.last { $0.key == key } ?? offers.first { $0.head.key == key }?.head
    }

    /// Adds cosignatures to a head that is known; nil if it is not.
    mutating func merge(_ signatures: [ReplicaSignature], into key: HeadKey) -> [ReplicaSignature]? {
        if head?.key == key { return head?.merge(signatures) }
        if let index = recent.lastIndex(where: { $0.key == key }) { return recent[index].merge(signatures) }
        if let index = offers.firstIndex(where: { $0.head.key == key }) { return offers[index].head.merge(signatures) }
        return nil
    }

    /// Keeps cosignatures of a head that is not known yet, the newest so many heads.
    mutating func keepEarly(_ signatures: [ReplicaSignature], of key: HeadKey, limit: Int) {
        if let index = early.firstIndex(where: { $0.key == key }) {
            _ = early[index].cosignatures.merge(signatures)
            return
        }
        early.append(EarlyHead(key: key, cosignatures: signatures))
        if early.count > limit { early.removeFirst() }
    }

    /// Takes what was kept of a head that is known now, and forgets what is behind us.
    mutating func takeEarly(_ key: HeadKey) -> [ReplicaSignature] {
        let found = early.first { $0.key == key }?.cosignatures ?? []
        early.removeAll { $0.key == key || $0.key.size < size }
        return found
    }

    /// Notes who has cosigned how much.
    mutating func noteReceipts(_ signatures: [ReplicaSignature], size: UInt64) {
        for signature in signatures {
            let receipt = Receipt(member: signature.member, size: size, time: signature.time)
            let index = receipts.firstIndex { !$0.member.precedes(signature.member) } ?? receipts.count
            if index < receipts.count && receipts[index].member.isExactly(signature.member) {
                let old = receipts[index]
                if (old.size, old.time) < (size, signature.time) { receipts[index] = receipt }
            } else {
                receipts.insert(receipt, at: index)
            }
        }
    }

    /// A head became the one that is held; the one before it stays for a while.
    mutating func advance(to new: Head, limit: Int) {
        if let head {
            recent.append(head)
            if recent.count > limit { recent.removeFirst() }
        }
        head = new
        acceptedSize = max(acceptedSize, new.size)
        noteReceipts(new.cosignatures, size: new.size)
    }
}

// MARK: - Offers

extension LogState {
    func offer(_ key: HeadKey) -> Offer? {
        offers.first { $0.head.key == key }
    }

    /// A session's newest head of this log; it replaces what the session offered before.
    mutating func addOffer(_ head: Head, by peer: PeerID, limit: Int) {
        removeOffers(by: peer, except: head.key)
        if let index = offers.firstIndex(where: { $0.head.key == head.key }) {
            _ = offers[index].head.merge(head.cosignatures)
            if !offers[index].peers.contains(peer) {
                offers[index].peers.append(peer)
                offers[index].peers.sort()
            }
            return
        }
        let index = offers.firstIndex { (head.size, head.root) < ($0.head.size, $0.head.root) } ?? offers.count
        offers.insert(Offer(head: head, peers: [peer]), at: index)
        if offers.count > limit { dropLeastOffered() }
    }

    mutating func removeOffers(by peer: PeerID, except key: HeadKey? = nil) {
        for index in offers.indices where offers[index].head.key != key {
            offers[index].peers.removeAll { $0 == peer }
        }
        dropUnusedOffers()
    }

    /// Forgets heads that nobody offers any more and of which no range is on its way.
    mutating func dropUnusedOffers() {
        let kept = offers.filter { !$0.peers.isEmpty || isInUse($0.head.key) }
        if kept.count < offers.count { offers = kept }
    }

    /// Takes out the heads that are not beyond this size, except those of which a range is on its way.
    mutating func takeOffers(upTo size: UInt64) -> [Offer] {
        let taken = offers.filter { $0.head.size <= size && !isInUse($0.head.key) }
        if !taken.isEmpty { offers = offers.filter { $0.head.size > size || isInUse($0.head.key) } }
        return taken
    }

    /// Whether a range of this head is on its way.
    func isInUse(_ key: HeadKey) -> Bool {
        fetch?.head == key || storing?.head == key || ready.contains { $0.head == key }
    }

    /// Above the limit, the head that the fewest offer goes, the largest of them first: only a log's owner can make
    /// heads that nobody else has.
    private mutating func dropLeastOffered() {
        var victim: Int?
        for index in offers.indices where !isInUse(offers[index].head.key) {
            if let chosen = victim, offers[chosen].peers.count < offers[index].peers.count { continue }
            victim = index
        }
        if let victim { offers.remove(at: victim) }
    }
}

public import Alliance
public import TransparencyLog

/// What happens to a node, as the shell tells it to ``Replication/handle(_:now:)``.
public enum Event: Hashable, Sendable {
    /// The node is up. The first event.
    case started
    /// A session with a member is up, and what it sends from now on comes as ``message(_:_:)``.
    ///
    /// - Parameters:
    ///   - member: The id that its certificate proves.
    ///   - canFetch: Whether we can open requests to it; otherwise it sends in bulk what we ask for by message.
    ///   - restricted: Whether it may only deal in heads, charters and logs, because its roster is not held.
    case peerConnected(PeerID, member: String, canFetch: Bool, restricted: Bool)
    /// The peer's roster has come, or no longer lists its key.
    case peerRestricted(PeerID, Bool)
    /// The session is over, whoever ended it. Its requests have failed without further word.
    case peerDisconnected(PeerID)
    /// A message that the peer sent.
    case message(PeerID, Message)
    /// What the peer sent cannot be read: the decoder's rejection. The session will be ended.
    case violation(PeerID, Rejection)
    /// Our own log has advanced to a signed head, durably.
    ///
    /// - Parameters:
    ///   - note: The checkpoint with the log's signature.
    ///   - from: The size before.
    ///   - entries: The entries from there on, in the encoding of a bundle, where they are few; else empty.
    case published(note: [UInt8], from: UInt64, entries: [UInt8])
    /// A range that was asked for has come.
    case rangeFetched(RequestID, RangeAnswer)
    /// A range that was asked for will not come.
    case rangeFailed(RequestID, FetchFailure)
    /// The shell has dealt with an ``Effect/ingest(_:origin:peer:answer:head:)``.
    case ingested(RequestID, IngestOutcome)
    /// The shell has dealt with an ``Effect/checkOldHead(_:origin:size:root:)``; nil if it could not tell.
    case oldHeadChecked(RequestID, isConsistent: Bool?)
    /// The shell has cosigned a head, and persisted that.
    case cosigned(origin: String, size: UInt64, root: HashValue, NoteSignature)
    /// The shell has not cosigned a head that it was asked to.
    case cosigningFailed(origin: String, size: UInt64)
    /// A document is held.
    case documentFetched(HashValue)
    /// A peer that was asked did not supply a document. What another than the last asked has to say is no news: its
    /// answer was given up already.
    case documentFailed(HashValue, FetchFailure, from: PeerID)
    /// The store misses these documents: the answer to ``Effect/listMissingDocuments(limit:)``, or news from fsck.
    case documentsMissing([DocumentNeed])
    /// A bulk answer to a peer, asked for by a `serve…` effect, has been sent or has failed.
    case served(PeerID)
    /// The shell has made a fork proof.
    case forkProven(origin: String, proof: [UInt8])
    /// The shell has dealt with an ``Effect/settleFork(origin:end:)``.
    case forkSettled(origin: String, ForkOutcome)
    /// The shell has stored that this node starts, durably, and signed the note.
    case incarnationBegun(origin: String, note: [UInt8])
    /// The shell has stored the start of another member's node and signed a receipt, which is empty without a replica
    /// key; no note where it could not, or holds a newer one.
    case incarnationRecorded(origin: String, note: [UInt8]?, receipt: [UInt8])
    /// The operator lets this node sign without that member's word, by id.
    case waived(member: String)
    /// The wall clock is ahead of the moments that are handed over by so many milliseconds, and was not before.
    case clockSet(ahead: Int64)
    /// Someone wants cosignatures of this log with a new time.
    case freshnessWanted(origin: String)
    /// A log may have been counted again under other charters: whether every state leaf held of it is true now.
    case recounted(origin: String, isTrustworthy: Bool)
    /// A charter is in force, from a peer or from an operator. With what is held of logs that the one before did not
    /// name: they may have been a member's once.
    case membershipChanged(Membership, logs: [LogSnapshot] = [])
    /// The shell has dealt with an ``Effect/considerCharter(_:version:bytes:)``, after it told of what changed by it.
    case charterConsidered(PeerID, version: UInt64, CharterOutcome)
    /// A timer that was set has expired.
    case timer(TimerID)
}

/// What became of a charter that a peer sent.
public enum CharterOutcome: Hashable, Sendable {
    /// It is held now, or was before.
    case held
    /// It follows a charter that is not held: those before it are due first.
    case unconnected
    /// It is no valid successor.
    case rejected(Rejection)
    /// We could not store it; nobody is to blame.
    case failed
}

/// What is held of a forked log now.
public enum ForkOutcome: Hashable, Sendable {
    /// All of it lies within a quorum, as far as that is known here.
    ///
    /// - Parameters:
    ///   - size: the number of entries.
    ///   - root: the root of the tree of that size.
    ///   - head: the note of the head at that size, with its cosignatures; empty where none is held.
    ///   - waiting: notes of larger heads of which replicas' cosignatures are held, the largest ones.
    case held(size: UInt64, root: HashValue, head: [UInt8], waiting: [[UInt8]])
    /// Nothing has changed, since we could not store it.
    case failed
}

/// Why something that was asked for does not come.
public enum FetchFailure: Error, Hashable, Sendable {
    /// The peer could not be reached, or the connection broke.
    case unreachable
    /// It took too long.
    case timedOut
    /// The peer will not, or not now.
    case refused
    /// The peer does not have it.
    case notFound
    /// We could not deal with it: no memory, no disk. Nobody is to blame.
    case local
    /// What came is false. The peer is not asked again for this log for a while.
    case rejected(Rejection)
}

/// What became of entries that the shell was to verify and store.
public enum IngestOutcome: Hashable, Sendable {
    /// They are verified and stored, in one transaction.
    ///
    /// - Parameters:
    ///   - size: The size reached; the answer's.
    ///   - root: The root at that size.
    ///   - isTrustworthy: Whether every state leaf among them is true; if not, this log is not cosigned any more.
    ///   - documents: The documents that they name and that are not held.
    case stored(size: UInt64, root: HashValue, isTrustworthy: Bool, documents: [DocumentNeed])
    /// They are false, and nothing of them is stored.
    case rejected(Rejection)
    /// A state leaf names a charter that is not held; nothing is stored until it is.
    case waitingForCharter(version: UInt64)
    /// We could not store them; nobody is to blame.
    case failed
}

/// A document that a log names and that is not held.
public struct DocumentNeed: Hashable, Sendable {
    /// SHA-256 of its bytes.
    public var digest: HashValue
    /// The number of its bytes.
    public var size: UInt64

    /// Names a document.
    public init(digest: HashValue, size: UInt64) {
        self.digest = digest
        self.size = size
    }
}

/// What is held of one log when the node starts: everything durable that Replication needs to know of it.
public struct LogSnapshot: Hashable, Sendable {
    /// The log.
    public var origin: String
    /// The number of entries held.
    public var size: UInt64
    /// The root of the tree of that size.
    public var root: HashValue
    /// The note of the largest head that is held whole, with the cosignatures known; empty without any.
    public var head: [UInt8]
    /// The size of the largest head under which anything was stored: nothing below it is cosigned.
    public var acceptedSize: UInt64
    /// Whether every state leaf held is true.
    public var isTrustworthy: Bool
    /// Whether it is known that the log signed inconsistent heads.
    public var isContradicted: Bool
    /// The fork proof that is stored; empty without any.
    public var fork: [UInt8]
    /// Of a forked log: the notes that ``Effect/persistForkHeads(origin:_:)`` stored.
    public var forkHeads: [[UInt8]] = []
    /// Of our own log: how many entries this node has published, by another record than the store's. While fewer are held,
    /// some were lost, and nothing is signed.
    public var publishedSize: UInt64 = 0
    /// What is stored of the starts of the log's node.
    public var incarnations: IncarnationRecord
    /// Documents that the log names and that are not held; as many as the store likes to tell at once.
    public var missingDocuments: [DocumentNeed]

    /// Describes what is held.
    public init(
        origin: String, size: UInt64, root: HashValue, head: [UInt8], acceptedSize: UInt64? = nil,
        isTrustworthy: Bool = true, isContradicted: Bool = false, fork: [UInt8] = [],
        incarnations: IncarnationRecord = IncarnationRecord(),
        missingDocuments: [DocumentNeed] = []
    ) {
        self.origin = origin
        self.size = size
        self.root = root
        self.head = head
        self.acceptedSize = max(acceptedSize ?? size, size)
        self.isTrustworthy = isTrustworthy
        self.isContradicted = isContradicted
        self.fork = fork
        self.incarnations = incarnations
        self.missingDocuments = missingDocuments
    }
}

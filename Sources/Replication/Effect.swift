public import Alliance
public import TransparencyLog

/// What the shell is to do, in the order given.
///
/// Those that read or write the store of one log (`ingest`, `cosign`, `checkOldHead`, `persist…`, `record…`) are carried
/// out one after the other, so that a head is cosigned before entries beyond it are stored. Messages need not wait for
/// them: whatever has to be durable before it is said is sent only after the event that reports it so.
public enum Effect: Hashable, Sendable {
    /// Send a message; if the peer's queue is full, end the session.
    case send(PeerID, Message)
    /// Ask a peer for a range, and report ``Event/rangeFetched(_:_:)`` or ``Event/rangeFailed(_:_:)``; the note is the
    /// head's that the range leads to.
    case fetchRange(RequestID, PeerID, RangeRequest, head: [UInt8])
    /// The answer to this request is not wanted any more; none need be reported.
    case cancelFetch(RequestID)
    /// Verify entries on all cores, tie them to the head by ``verifyRange(frontier:answer:leafHashes:head:)``,
    /// recompute the state leaves, store everything in one transaction, and report ``Event/ingested(_:_:)``.
    ///
    /// Where the answer reaches the head, the note is stored as the log's head with its signatures; else only its size
    /// as the largest accepted one.
    case ingest(RequestID, origin: String, peer: PeerID, answer: RangeAnswer, head: [UInt8])
    /// Compare a root with that of our own tree at this size, and report ``Event/oldHeadChecked(_:isConsistent:)``.
    case checkOldHead(RequestID, origin: String, size: UInt64, root: HashValue)
    /// Cosign this checkpoint with the present time and persist that with the signature itself, then report
    /// ``Event/cosigned(origin:size:root:_:)``. Never below the largest size that was accepted, never of a log that is
    /// known to be contradicted or whose state leaves are not all true: the store has the last word.
    case cosign(origin: String, checkpoint: [UInt8])
    /// A checkpoint at the size that is held turned out to be a head: store its note as the log's head.
    case persistHead(origin: String, note: [UInt8])
    /// Store cosignatures of a checkpoint that is held. The store also keeps the first quorum (formats 4).
    case persistSignatures(origin: String, checkpoint: [UInt8], [NoteSignature])
    /// The log signed two heads that cannot both be true: store both notes and that it is so. Ours may be missing.
    case recordContradiction(origin: String, ours: [UInt8]?, other: [UInt8])
    /// Make a fork proof of two heads of this log, ours being the larger, with what our tree says between them, and report
    /// ``Event/forkProven(origin:proof:)``.
    case proveFork(origin: String, ours: [UInt8], other: [UInt8])
    /// Store the proof that a log is forked, in the place of one that was stored before: it is never dropped.
    case persistFork(origin: String, proof: [UInt8])
    /// Store these notes of a forked log's heads, in the place of those that were stored before.
    case persistForkHeads(origin: String, [[UInt8]])
    /// A log is forked, and counting in it ends at this note's checkpoint, or with nothing at all where the note is empty.
    /// Make what is held of it just that, in one transaction, and report ``Event/forkSettled(origin:_:)``:
    ///
    /// - Where the store knows of a quorum that is larger, it takes that in the note's place.
    /// - Where our tree, or a branch that was set aside, has the checkpoint, the log becomes that tree up to there.
    /// - Else it becomes what lies within the largest quorum that is held: the rest is asked for then.
    ///
    /// Entries that the log has no longer are set aside, never dropped; all that is derived is derived again. What lies
    /// within a quorum stays: once a forked log was settled it only grows.
    case settleFork(origin: String, end: [UInt8])
    /// Draw a random value, store durably that this node starts with a number above this one, sign the note and report
    /// ``Event/incarnationBegun(origin:note:)``; nothing where the log's key is not here: it is asked again.
    case beginIncarnation(origin: String, above: UInt64)
    /// Store this start of another member's node as the newest, unless a newer one is stored, with a receipt of what is
    /// held of the log, durably, and report ``Event/incarnationRecorded(origin:note:receipt:)``.
    case recordIncarnation(origin: String, note: [UInt8])
    /// Somebody knows a start of this node that the store does not: the folder is older than it. Make that durable, so that the
    /// next start asks everybody too; ``established(origin:)`` ends it.
    case folderIsOlder
    /// This start may sign in our own log now.
    case established(origin: String)
    /// Another copy of this node was started later: sign nothing any more, connect to nobody, and tell the operator.
    case superseded(origin: String, by: Incarnation)
    /// Another copy of this node was started: tell the operator.
    case twinSeen(origin: String, incarnation: Incarnation)
    /// A peer has a head of our own log that is longer than ours: sign nothing before it is taken back (formats 12).
    case ownLogIsLonger(origin: String, note: [UInt8])
    /// Ask a peer for a document, from wherever an earlier try stopped: by a request, or by
    /// ``Message/wantDocument(digest:offset:)`` if the peer cannot be dialled.
    case fetchDocument(PeerID, digest: HashValue, size: UInt64)
    /// Tell of missing documents that we do not know of, by ``Event/documentsMissing(_:)``.
    case listMissingDocuments(limit: Int)
    /// Send a range to a peer that cannot fetch it, in bulk, then report ``Event/served(_:)``. Refuse as unknown, as
    /// when a range is asked for by a request, if our tree's root at that size is not the one named.
    case serveRange(PeerID, RangeRequest)
    /// Send a document to a peer that cannot fetch it, in bulk, then report ``Event/served(_:)``.
    case serveDocument(PeerID, digest: HashValue, offset: UInt64)
    /// Send every charter of this version that is held, each as ``Message/charter(version:bytes:)``.
    case serveCharter(PeerID, version: UInt64)
    /// Verify a charter; where it changes anything, store it and report ``Event/membershipChanged(_:)``. In any case
    /// report ``Event/charterConsidered(_:version:_:)`` at last.
    case considerCharter(PeerID, version: UInt64, bytes: [UInt8])
    /// Hand this timer back at that moment, by the clock that `now` is read from; a timer that is set already is moved.
    case setTimer(TimerID, at: Instant)
    /// Forget this timer.
    case cancelTimer(TimerID)
    /// A cap (``QuotaSettings``) holds a log up: log it, and tell the operator what to do. Nothing is lost by it.
    case quotaReached(origin: String, QuotaCap)
    /// Something from this peer was refused: count and log it. Whether the session goes on is said separately.
    case reject(PeerID, Rejection)
    /// End the session, then report ``Event/peerDisconnected(_:)``.
    case disconnect(PeerID, Rejection)
}

import Replication
import TransparencyLog

/// Which of a log's two tellings a message or request is about, for a node that tells two.
struct Branch {
    var log: SimulatedLog
    /// The nodes that are told this one.
    var audience: [Int]
}

/// One virtual machine: what it holds durably, and what it loses when it crashes.
struct SimulatedNode {
    let index: Int
    let member: String
    let origin: String
    let signer: NoteSigner
    let cosigner: CosignatureSigner
    /// How far its clock is off; milliseconds.
    let skew: Int64
    let isDialOutOnly: Bool
    let misbehaviour: Misbehaviour?

    // Durable.
    /// As many as there are nodes, in their order.
    var logs: [SimulatedLog]
    var documents: Set<HashValue> = []
    /// The size up to which its own publications were acknowledged.
    var acknowledged: UInt64 = 0

    // Lost in a crash.
    var replication: Replication?
    /// Counts starts: what was planned for an earlier one is void.
    var life = 0
    /// When the disk has done all that it was given.
    var diskFree: Int64 = 0
    var isPublishing = false
    var timers: [(id: TimerID, at: Int64, number: UInt64)] = []
    var timerNumber: UInt64 = 0
    var nextPeer: UInt64 = 1

    /// The second telling of its own log, if it tells two.
    var fork: Branch?

    var isUp: Bool { replication != nil }
    var isHonest: Bool { misbehaviour == nil }

    /// The node's own idea of the time.
    func clock(_ time: Int64) -> Instant {
        Instant(milliseconds: time + skew)
    }

    /// What it tells Replication when it starts.
    func snapshots(origins: [String]) -> [LogSnapshot] {
        logs.indices.map { index in
            let log = logs[index]
            let needs = log.entries.compactMap(DocumentEntry.digest).filter { !documents.contains($0) }
            return LogSnapshot(
                origin: origins[index], size: log.size, root: log.root, head: log.head,
                acceptedSize: log.acceptedSize, isTrustworthy: log.isTrustworthy, isContradicted: log.isContradicted,
                missingDocuments: needs.map { DocumentNeed(digest: $0, size: 1) })
        }
    }
}

/// How a Byzantine member misbehaves. Each can be had alone.
enum Misbehaviour: String, CaseIterable, Sendable {
    /// Serves entries with a changed byte.
    case tampersEntries
    /// Serves entries with a proof that leads elsewhere.
    case tampersProofs
    /// Serves other ranges than those asked for.
    case servesOtherRanges
    /// Never answers.
    case withholds
    /// Sends bytes that are no frames.
    case sendsGarbage
    /// Sends well-formed messages of random content.
    case sendsNonsense
    /// Publishes false state leaves.
    case liesAboutState
    /// Tells two halves of the alliance two stories.
    case equivocates
    /// Signs a head of a size that it never serves.
    case boasts
    /// Signs smaller heads that are not of its tree.
    case shrinks
    /// Makes signatures that do not verify, in the name of others.
    case forgesCosignatures
}

import Alliance
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
    /// Its member's place, which is its log's: ``index``, but for a twin.
    let number: Int
    let member: SimulatedMember
    /// How far its clock is off; milliseconds.
    let skew: Int64
    let isDialOutOnly: Bool
    /// Whether it publishes what cannot count, as other software might.
    let isCareless: Bool
    let misbehaviour: Misbehaviour?
    /// Whether it publishes without end, honestly.
    var isSpamming = false

    // Durable.
    /// The charters that it holds, with the logs as they are counted under them.
    var charters: HeldCharters
    var documents: [HashValue: [UInt8]] = [:]
    /// Its own starts, and others' newest with its receipts, by log.
    var starts: [Incarnation] = []
    /// When it made the newest of its own starts.
    var begun: Int64 = 0
    var recorded: [Int: (note: IncarnationNote, receipt: [UInt8])] = [:]
    /// A write that was said to have failed, as it would be if it had reached the disk: a crash may bring it to light,
    /// the next write that succeeds takes its place.
    var doubtful: Write?
    /// Whether its member was ever admitted.
    var hasJoined: Bool
    /// All that is durable as it was some time ago, to be put back.
    var saved: DiskCopy?
    /// Whether its disk was put back, and the node has not signed since; and whether that ever happened.
    var isRestored = false
    var wasRestored = false
    /// Whether its operator leaves it alone: another copy of it was started later.
    var isRetired = false
    /// Its own log as it was some time ago; for the bug that restores it.
    var backup: SimulatedLog?

    // Lost in a crash.
    var replication: Replication?
    /// Counts starts: what was planned for an earlier one is void.
    var life = 0
    /// When the disk has done all that it was given.
    var diskFree: Int64 = 0
    /// Signatures that wait for the disk.
    var signatures: [(origin: Int, checkpoint: [UInt8], lines: [NoteSignature])] = []
    var isPublishing = false
    var timers: [(id: TimerID, at: Int64, number: UInt64)] = []
    var timerNumber: UInt64 = 0
    /// The sessions that it had, by the numbers that it gave them.
    var sessions: [Int] = []

    /// The second telling of its own log, if it tells two.
    var fork: Branch?

    /// As many as there are nodes, in their order.
    var logs: [SimulatedLog] {
        get { charters.logs }
        _modify { yield &charters.logs }
    }
    var chain: CharterChain { charters.chain }
    var charterDigest: HashValue { charters.digest }
    var charter: Charter { charters.chain.current.charter }

    /// Its own log.
    var ownLog: SimulatedLog { charters.logs[number] }
    var isUp: Bool { replication != nil }
    /// Whether another copy of it was started later, and it knows.
    var isSuperseded: Bool {
        guard case .superseded = replication?.incarnationStanding else { return false }
        return true
    }
    /// Whether enough replicas have recorded this start.
    var maySign: Bool { replication?.incarnationStanding == .established }
    var isHonest: Bool { misbehaviour == nil }
    var origin: String { member.origin }

    /// The node's own idea of the time.
    func clock(_ time: Int64) -> Instant {
        Instant(milliseconds: time + skew)
    }

    /// Whether this member's roster is held: only then its sessions may do everything.
    func knowsRoster(of other: Int) -> Bool { logs[other].state.roster != nil }

    /// Whether a member may connect.
    func admits(_ other: SimulatedMember) -> Bool {
        charter.member(id: other.id).map { $0.standing != .removed } ?? false
    }

    /// Whether a log is one of the charter in force.
    func lists(_ log: SimulatedLog) -> Bool { charter.member(origin: log.state.governance.origin) != nil }

    mutating func take(_ chain: CharterChain) { charters.take(chain) }

    /// Documents that counted statements name and that are not held.
    func missing(_ documents: [PolicyDocument]) -> [DocumentNeed] {
        documents.filter { self.documents[$0.digest] == nil }
            .map { DocumentNeed(digest: $0.digest, size: UInt64($0.size)) }
    }

    /// What it tells Replication when it starts.
    func snapshots() -> [LogSnapshot] {
        logs.enumerated().map { position, log in
            LogSnapshot(
                origin: log.state.member.log.name, size: log.size, root: log.root, head: log.head,
                acceptedSize: log.acceptedSize, isTrustworthy: log.isTrustworthy, isContradicted: log.isContradicted,
                fork: log.fork,
                incarnations: IncarnationRecord(
                    note: recorded[position]?.note.bytes ?? [], receipt: recorded[position]?.receipt ?? [],
                    own: position == number ? starts : []),
                missingDocuments: missing(log.documents)
            ).with(log.forkHeads)
        }
    }
}

extension LogSnapshot {
    fileprivate func with(_ forkHeads: [[UInt8]]) -> LogSnapshot {
        var snapshot = self
        snapshot.forkHeads = forkHeads
        return snapshot
    }
}

/// What a node's disk held at a moment.
struct DiskCopy {
    let charters: HeldCharters
    let documents: [HashValue: [UInt8]]
    let starts: [Incarnation]
    let recorded: [Int: (note: IncarnationNote, receipt: [UInt8])]
}

/// The charters that a node holds, and the logs as they are counted under them.
struct HeldCharters {
    private(set) var chain: CharterChain
    private(set) var digest: HashValue
    /// What is decided, on which every view rests.
    private(set) var decided: HashValue
    var logs: [SimulatedLog]

    init(_ chain: CharterChain, _ logs: [SimulatedLog]) {
        self.chain = chain
        self.logs = logs
        digest = CharterChecks.digest(chain)
        decided = CharterChecks.decided(chain)
    }

    mutating func take(_ chain: CharterChain) {
        self.chain = chain
        digest = CharterChecks.digest(chain)
        decided = CharterChecks.decided(chain)
    }
}

/// What one write makes durable.
enum Write {
    case log(Int, SimulatedLog)
    case charters(HeldCharters)
}

/// How a Byzantine member misbehaves. Each can be had alone.
enum Misbehaviour: String, CaseIterable, Sendable {
    /// Serves entries with a changed byte.
    case tampersEntries
    /// Serves entries with a proof that leads elsewhere.
    case tampersProofs
    /// Serves other ranges than those asked for.
    case servesOtherRanges
    /// Serves other documents than those asked for.
    case servesOtherDocuments
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
    /// Tells two stories from its first entry on.
    case forksAtOnce
    /// Tells two stories, and serves but one of them.
    case withholdsBranch
    /// Tells ever more stories.
    case floodsForks
    /// Signs a head of a size that it never serves.
    case boasts
    /// Signs smaller heads that are not of its tree.
    case shrinks
    /// Makes signatures that do not verify, in the name of others.
    case forgesCosignatures
    /// Goes on under the charter that it began with, whatever the others decide.
    case ignoresCharters
    /// Forks its log with others' help: each side is told and served one branch alone.
    case forksWithOthers
    /// Cosigns both branches of the log of a member that forks it with others, and keeps quiet about the other one.
    case colludes

    /// Those that one member can have alone.
    static let single = allCases.filter { $0 != .forksWithOthers && $0 != .colludes }
}

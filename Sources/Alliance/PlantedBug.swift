#if DEBUG
/// A mistake that the core makes on purpose, so that tests show that the simulator would find it.
///
/// Debug builds alone have these: no release binary contains a way to weaken a check. A bug is planted for the task
/// that runs a simulation, so that tests beside it are not touched.
package enum PlantedBug: String, CaseIterable, Sendable {
    /// The periodic exchange of heads never takes place.
    case noExchange = "no-exchange"
    /// Others' cosignatures are not passed on.
    case noSignatureRelay = "no-signature-relay"
    /// Contradictory heads are refused, and not remembered.
    case forgetsContradictions = "forgets-contradictions"
    /// Cosignatures that others pass on are not verified.
    case unverifiedCosignatures = "unverified-cosignatures"
    /// Entries are stored though nothing ties them to the head.
    case uncheckedRanges = "unchecked-ranges"
    /// A head that was stored before a crash is not cosigned after it.
    case noCosigningAtStart = "no-cosigning-at-start"
    /// A failed cosigning is not tried again.
    case givesUpCosigning = "gives-up-cosigning"
    /// A document that did not come is not asked for again.
    case givesUpDocuments = "gives-up-documents"
    /// An officer whom a roster took out still speaks, where the older roster came in the same range.
    case ignoresRevocation = "ignores-revocation"
    /// A statement that stands twice in a log counts twice.
    case countsRepeats = "counts-repeats"
    /// Of statements that are equally restrictive, the one that came first speaks.
    case choosesByArrival = "chooses-by-arrival"
    /// Charters are not offered to others, nor asked for where a state leaf names one.
    case noCharterRelay = "no-charter-relay"
    /// Of charters that contradict each other the one that came first is in force.
    case decidesByArrival = "decides-by-arrival"
    /// Cuts are passed over: a charter governs from the batch that names it.
    case ignoresCuts = "ignores-cuts"
    /// A roster counts whatever its ordinal.
    case replaysRosters = "replays-rosters"
    /// Heads of forked logs are not told to others.
    case keepsForkHeads = "keeps-fork-heads"
    /// Counting in a forked log ends at the first quorum that a node happens to know, not at the largest.
    case endsAtFirstQuorum = "ends-at-first-quorum"
    /// What needs a second officer counts without one.
    case ignoresSecondOfficer = "ignores-second-officer"
    /// What is beyond a member's quota is forgotten.
    case dropsByQuota = "drops-by-quota"
    /// Whoever publishes while another is beyond its share waits as well.
    case starvesByQuota = "starves-by-quota"

    /// A node signs before anybody has recorded its start.
    case signsAtOnce = "signs-at-once"
    /// A node whose disk was put back signs before what others hold of its log is here again.
    case noTakingBack = "no-taking-back"

    /// A node goes on after it was told that another copy of it was started later.
    case goesOnWhenTold = "goes-on-when-told"
    /// Receipts of an older start of the same node count for the newest.
    case countsOldReceipts = "counts-old-receipts"
    /// Fork proofs are kept, and told to nobody.
    case keepsForkProofs = "keeps-fork-proofs"
    /// A member counts as often as it has lines under a checkpoint.
    case countsLinesTwice = "counts-lines-twice"
    /// A log's owner counts as one of those that hold its log.
    case countsTheOwner = "counts-the-owner"
    /// A verifier takes no notice of a fork proof that it was given.
    case ignoresForkProof = "ignores-fork-proof"

    /// The bugs of the present task.
    @TaskLocal package static var planted: Set<PlantedBug> = []

    /// Whether the present task has this bug.
    package var isPlanted: Bool { Self.planted.contains(self) }

    /// What goes wrong, for people.
    package var text: String {
        switch self {
        case .noExchange: "the periodic exchange of heads never takes place"
        case .noSignatureRelay: "others' cosignatures are not passed on"
        case .forgetsContradictions: "contradictory heads are refused, and not remembered"
        case .unverifiedCosignatures: "cosignatures that others pass on are not verified"
        case .uncheckedRanges: "entries are stored though nothing ties them to the head"
        case .noCosigningAtStart: "a head that was stored before a crash is not cosigned after it"
        case .givesUpCosigning: "a failed cosigning is not tried again"
        case .givesUpDocuments: "a document that did not come is not asked for again"
        case .ignoresRevocation: "an officer whom a roster took out still speaks"
        case .countsRepeats: "a statement that stands twice counts twice"
        case .noCharterRelay: "charters are not passed on"
        case .decidesByArrival: "of contradicting charters the first to come is in force"
        case .ignoresCuts: "cuts are passed over"
        case .replaysRosters: "a roster counts whatever its ordinal"
        case .keepsForkHeads: "heads of forked logs are not told to others"
        case .endsAtFirstQuorum: "counting in a forked log ends at the first quorum that comes"
        case .ignoresSecondOfficer: "what needs a second officer counts without one"
        case .dropsByQuota: "what is beyond a member's quota is dropped"
        case .starvesByQuota: "whoever publishes while another is beyond its quota waits as well"
        case .signsAtOnce: "a node signs before anybody has recorded its start"
        case .noTakingBack: "a restored node signs before what others hold of its log is here again"
        case .goesOnWhenTold: "a node goes on after it was told of a later copy of it"
        case .countsOldReceipts: "receipts of an older start count for the newest"
        case .keepsForkProofs: "fork proofs are not passed on"
        case .countsLinesTwice: "a member counts as often as it has signed a checkpoint"
        case .countsTheOwner: "a log's owner counts in its quorums"
        case .ignoresForkProof: "a verifier takes no notice of a fork proof"
        case .choosesByArrival: "of equally restrictive statements the first to come speaks"
        }
    }
}
#endif

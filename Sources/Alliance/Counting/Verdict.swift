/// Whether an entry of a log counts, and if not, why: it stays stored and proven, without effect.
public enum Verdict: Hashable, Sendable {
    case counted
    /// The state leaf that ends a batch.
    case stateLeaf
    case ignored(Reason)

    /// Why an entry does not count.
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        case malformed
        case unknownKind = "unknown-kind"
        case otherAlliance = "other-alliance"
        case otherMember = "other-member"
        case notInForce = "key-not-in-force"
        case badSignature = "bad-signature"
        case notPermitted = "not-permitted"
        case repeated
        case noDefinition = "no-definition"
        case notListed = "definition-not-listed"
        case incompatible = "definition-incompatible"
        case keyForm = "key-not-canonical"
        case lookupForm = "lookup-not-canonical"
        case rowFull = "row-full"
        case mapLimit = "too-many-maps"
        case notApproved = "second-officer-missing"
        case dropsReferences = "drops-references"
        case notSuccessor = "roster-not-next"
        case afterEnd = "after-counting-ended"
        case notActive = "member-not-active"
        case undecidedCharter = "charter-undecided"
        case notBegun = "log-not-begun"

        /// The reason as a sentence for people.
        public var text: String {
            switch self {
            case .malformed: "it is not a well-formed statement"
            case .unknownKind: "this version does not know that kind of statement"
            case .otherAlliance: "it names another alliance"
            case .otherMember: "it is not signed by the log's member"
            case .notInForce: "the signing key is not in the roster in force"
            case .badSignature: "its signature does not verify"
            case .notPermitted: "the roster does not let that officer publish it"
            case .repeated: "the same statement stands earlier in the log"
            case .noDefinition: "the register's definition was not published first"
            case .notListed: "the charter does not list that definition"
            case .incompatible: "the definition changes the key form or the lookups of the one in force"
            case .keyForm: "its key is not in the register's canonical form"
            case .lookupForm: "a lookup value is not in its canonical form"
            case .rowFull: "its row already has \(Row.limit) statements"
            case .mapLimit: "the log already has \(StateLeaf.mapLimit) maps"
            case .notApproved: "the roster asks for a second officer's approval in the same batch"
            case .dropsReferences: "it does not repeat the references of the statement that it replaces"
            case .notSuccessor: "it is not the direct successor of the newest roster"
            case .afterEnd: "counting in this log has ended"
            case .notActive: "the charter has the member suspended or removed, or has given it another log"
            case .undecidedCharter: "regulators signed two charters of one version, and have not decided yet"
            case .notBegun: "the log under the new key does not hold all entries of the log before yet"
            }
        }
    }
}

/// Why a batch was stored and its log is no longer counted or cosigned from there on.
public struct CountingEnd: Hashable, Sendable {
    /// The first index that is not counted.
    public let index: UInt64
    public let reason: Reason

    /// What ended counting.
    public enum Reason: String, Hashable, Sendable {
        /// The state leaf does not say what the entries before it give.
        case falseLeaf = "false-state-leaf"
        /// The batch has more than 16,384 entries.
        case longBatch = "batch-too-long"
        /// A state leaf of a version that is not known here.
        case unknownLeaf = "unknown-state-version"
        /// The leaf names another charter of that version than the one in force.
        case otherCharter = "other-charter"
        /// The first entry is no roster signed by the member's root keys.
        case noRoster = "no-roster"
        /// A log under a new key does not begin with the entries of the log before.
        case otherBeginning = "other-beginning"
    }

    /// States an end.
    public init(index: UInt64, reason: Reason) {
        self.index = index
        self.reason = reason
    }
}

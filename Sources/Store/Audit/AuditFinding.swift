/// Something that an audit of a data folder found, in one place. Compare by ``code`` and ``place``.
public struct AuditFinding: Hashable, Sendable {
    /// What kind of thing it is. The raw values are stable: programs may rely on them.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        /// SQLite's own check of the database failed, or a table cannot be read.
        case databaseBroken = "database-broken"
        /// A value that a table does not allow.
        case constraintFailed = "constraint-failed"
        /// The tables are not those that this version makes.
        case schemaDifferent = "schema-different"
        /// The charter in the database, or its file, is not what it should be.
        case charterDifferent = "charter-different"
        /// A member of the charter has no log here.
        case logMissing = "log-missing"
        /// A log that no member of the charter has.
        case logUnexpected = "log-unexpected"
        /// A column of a log's own row is not what its entries and signatures give.
        case logDifferent = "log-different"
        /// Entries are not there.
        case entryMissing = "entry-missing"
        /// An entry's bytes are not those that were signed for.
        case entryDamaged = "entry-damaged"
        /// Entries behind the log's end, or of no log.
        case entryUnexpected = "entry-unexpected"
        /// The log signed a root that its entries do not give.
        case rootDifferent = "root-different"
        /// The newest signed head is no head of this log.
        case headInvalid = "head-invalid"
        case checkpointInvalid = "checkpoint-invalid"
        case cosignatureInvalid = "cosignature-invalid"
        case firstQuorumInvalid = "first-quorum-invalid"
        /// Two heads that are kept as evidence do not contradict each other, or are not signed.
        case contradictionInvalid = "contradiction-invalid"
        /// A fork proof that is kept proves nothing.
        case forkInvalid = "fork-invalid"
        /// The record of a node's start does not hold.
        case incarnationInvalid = "incarnation-invalid"
        /// A derived row is not there.
        case derivedMissing = "derived-missing"
        /// A derived row says something else than the entries give.
        case derivedDifferent = "derived-different"
        /// A row that the entries do not give.
        case derivedUnexpected = "derived-unexpected"
        /// A log's derived rows were not checked, because something before them is damaged.
        case notDerived = "not-derived"
        /// A document's bytes are not those of its name.
        case documentDamaged = "document-damaged"
        /// A document that was here is gone.
        case documentMissing = "document-missing"
        /// A document that a statement names and that has not arrived yet.
        case documentWanted = "document-wanted"
        /// A document that no counted statement names.
        case documentUnnamed = "document-unnamed"
        /// A leftover of something that was interrupted.
        case fileTemporary = "file-temporary"
        /// A file that is no part of a data folder.
        case fileUnknown = "file-unknown"
    }

    /// Where something is: as much of it as applies.
    public struct Place: Hashable, Sendable {
        /// The log's origin.
        public var log: String?
        /// An entry's index.
        public var index: UInt64?
        public var table: String?
        /// The row's key, its columns separated by commas.
        public var key: String?
        public var column: String?
        /// A path within the data folder.
        public var file: String?

        /// A place; what is left out does not apply.
        public init(
            log: String? = nil, index: UInt64? = nil, table: String? = nil, key: String? = nil, column: String? = nil,
            file: String? = nil
        ) {
            self.log = log
            self.index = index
            self.table = table
            self.key = key
            self.column = column
            self.file = file
        }
    }

    public let code: Code
    public let place: Place
    /// What should be there, where that can be said.
    public let expected: String?
    /// What is there.
    public let found: String?

    /// Creates a finding.
    public init(_ code: Code, _ place: Place, expected: String? = nil, found: String? = nil) {
        self.code = code
        self.place = place
        self.expected = expected
        self.found = found
    }
}

extension AuditFinding.Code {
    /// Whether it is damage; else it is only worth saying.
    public var isDamage: Bool {
        switch self {
        case .documentWanted, .documentUnnamed, .fileTemporary, .fileUnknown: false
        default: true
        }
    }

    /// What it means, as a sentence for people.
    public var meaning: String {
        switch self {
        case .databaseBroken: "SQLite cannot read the database as it should"
        case .constraintFailed: "a table holds a value that it does not allow"
        case .schemaDifferent: "the tables are not those that this version of Entente makes"
        case .charterDifferent: "the charter is not the one that was verified"
        case .logMissing: "a member's log has no row"
        case .logUnexpected: "no member of the charter has this log"
        case .logDifferent: "the log's row does not say what its entries and signatures give"
        case .entryMissing: "entries of the log are missing"
        case .entryDamaged: "the entry's bytes are not those that the log's key signed for"
        case .entryUnexpected: "there are entries that belong to no log, or stand behind a log's end"
        case .rootDifferent: "the log's key signed a root that these entries do not give"
        case .headInvalid: "the newest head is not one that the log's key signed"
        case .checkpointInvalid: "a kept checkpoint is not one that the log's key signed"
        case .cosignatureInvalid: "a kept cosignature does not verify"
        case .firstQuorumInvalid: "a kept first quorum does not verify"
        case .contradictionInvalid: "the kept evidence against the log does not prove a contradiction"
        case .forkInvalid: "the kept fork proof does not hold"
        case .incarnationInvalid: "the kept record of a node's start does not hold"
        case .derivedMissing: "a row that the entries give is missing"
        case .derivedDifferent: "a row is not what the entries give"
        case .derivedUnexpected: "a row that the entries do not give"
        case .notDerived: "what is derived from this log was not checked, because its entries are damaged"
        case .documentDamaged: "the document's bytes do not have its digest"
        case .documentMissing: "the document was here and is gone"
        case .documentWanted: "the document has not arrived yet"
        case .documentUnnamed: "no counted statement names this document"
        case .fileTemporary: "a leftover of something that was interrupted"
        case .fileUnknown: "not a part of a data folder"
        }
    }

    /// What to do about it.
    public var remedy: String {
        switch self {
        case .databaseBroken, .schemaDifferent:
            "copy the folder away; if --repair cannot rebuild the database, set the node up anew (operations, Checking)"
        case .charterDifferent: "--repair copies the verified charter over the damaged one"
        case .constraintFailed, .logMissing, .logDifferent, .derivedMissing, .derivedDifferent, .derivedUnexpected,
            .entryUnexpected:
            "--repair derives it again"
        case .entryMissing, .entryDamaged, .documentDamaged, .documentMissing: "--repair fetches it from peers"
        case .notDerived: "repair the log's entries first"
        case .rootDifferent:
            "--repair fetches the entries that do not fit; where none is found, report this to the member"
        case .headInvalid, .checkpointInvalid, .cosignatureInvalid, .firstQuorumInvalid, .logUnexpected:
            "--repair puts another copy in its place, or lets it go where peers will bring it again"
        case .forkInvalid, .incarnationInvalid: "--repair lets it go; peers bring it again"
        case .contradictionInvalid: "the log stays frozen until somebody has looked at it"
        case .documentWanted: "nothing: the node fetches it"
        case .documentUnnamed: "nothing: a plan that was not submitted leaves one"
        case .fileTemporary: "nothing: the next start removes it, and so does --repair"
        case .fileUnknown: "look whether it belongs here"
        }
    }
}

/// All that an audit found: every finding counted, the first of each kind kept.
public struct AuditFindings: Sendable {
    /// Findings of one kind that are kept.
    public static let keptOfEachKind = 100

    /// How many of each kind there are.
    public private(set) var counts: [AuditFinding.Code: UInt64] = [:]
    /// In the order in which they were found.
    public private(set) var kept: [AuditFinding] = []
    private var keptCounts: [AuditFinding.Code: Int] = [:]

    /// Nothing found yet.
    public init() {}

    /// Adds a finding, or several of one kind of which one is shown.
    public mutating func add(_ finding: AuditFinding, count: UInt64 = 1) {
        counts[finding.code, default: 0] += count
        guard keptCounts[finding.code, default: 0] < Self.keptOfEachKind else { return }
        keptCounts[finding.code, default: 0] += 1
        kept.append(finding)
    }

    mutating func add(
        _ code: AuditFinding.Code, _ place: AuditFinding.Place, expected: String? = nil, found: String? = nil,
        count: UInt64 = 1
    ) {
        add(AuditFinding(code, place, expected: expected, found: found), count: count)
    }

    /// How much is damaged.
    public var damage: UInt64 { counts.reduce(0) { $1.key.isDamage ? $0 + $1.value : $0 } }
    /// How much is only worth saying.
    public var notices: UInt64 { counts.reduce(0) { $1.key.isDamage ? $0 : $0 + $1.value } }
}

/// What an audit looked at, and what it found.
public struct AuditReport: Sendable {
    public internal(set) var findings = AuditFindings()
    /// How much was checked.
    public internal(set) var work = AuditWork()
}

/// How much an audit checked.
public struct AuditWork: Sendable {
    public var logs: UInt64 = 0
    public var entries: UInt64 = 0
    public var bytes: UInt64 = 0
    /// Statements whose signatures were tried.
    public var statements: UInt64 = 0
    /// Log signatures and cosignatures that were tried.
    public var noteSignatures: UInt64 = 0
    public var documents: UInt64 = 0
    public var documentBytes: UInt64 = 0
}

/// What an audit is told.
public struct AuditOptions: Sendable {
    /// Leaves out signatures, and what is derived by counting; documents are looked at by their sizes only.
    public var isQuick = false
    /// The id of the member whose folder it is.
    public var member: String

    /// A full audit.
    public init(member: String, isQuick: Bool = false) {
        self.member = member
        self.isQuick = isQuick
    }
}

/// How far an audit is, for people who wait.
public struct AuditProgress: Sendable {
    public enum Stage: String, Sendable {
        case database, trees, signatures, counting, comparing, documents
    }

    public let stage: Stage
    public let done: UInt64
    /// 0 where it is not known.
    public let total: UInt64
}

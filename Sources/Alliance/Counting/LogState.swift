public import TransparencyLog

/// What one log says, as far as it is derived: a pure function of its entries and the charter (formats, sections 7
/// and 8). A value: a batch is processed on a copy, which replaces the original once its results are durable.
public struct LogState: Sendable {
    /// The member that owns the log, as the charter in force has it.
    public let member: CharterMember
    /// The charter in force, which the next state leaf of one's own names.
    public let charter: VerifiedCharter
    /// The decided charters up to the one in force.
    public let chain: CharterChain
    /// Which of them governs which index.
    public let governance: LogGovernance
    /// The version that the last state leaf names; 0 before the first.
    public internal(set) var charterVersion = 0
    /// Whether the last state leaf was compared with what the entries give: not where nothing of the member counts, or
    /// where the leaf names an older charter than the one that governs it.
    public internal(set) var isJudged = true
    /// Entries derived so far; a batch's end.
    public internal(set) var size: UInt64
    /// The newest counted roster, with the digest of its payload.
    public internal(set) var roster: (roster: Roster, digest: HashValue, index: UInt64)?
    /// The newest counted definition of each register.
    public internal(set) var definitions: [String: RegisterDefinition]
    /// Row count and root of each map, by name.
    public internal(set) var lines: [String: StateLeaf.Line]
    /// Set once nothing of this log counts any more.
    public internal(set) var end: CountingEnd?
    /// The tree so far, while the log does not hold all that it begins with.
    var beginning: TreeFrontier?

    /// Entries of one batch, its leaf included.
    public static let batchLimit = 16_384
    /// Bytes of one batch's entries.
    public static let batchByteLimit = 16 << 20

    /// The state before the first entry of the log that `origin` names.
    ///
    /// - Throws: ``AllianceError`` where no member has, or had, that log.
    public init(origin: String, chain: CharterChain) throws(AllianceError) {
        guard let governance = LogGovernance(of: origin, under: chain),
            let member = chain.current.charter.member(id: governance.member)
        else { throw AllianceError(.unknown, "no member has the log \(origin)") }
        self.init(member: member, chain: chain, governance: governance)
    }

    /// The state before the first entry of a member's log under one charter alone.
    public init(member: CharterMember, charter: VerifiedCharter) {
        guard let governance = LogGovernance(of: member.log.name, under: [charter]) else {
            preconditionFailure("the charter has this member")
        }
        self.init(member: member, chain: CharterChain(charter), governance: governance)
    }

    private init(member: CharterMember, chain: CharterChain, governance: LogGovernance) {
        self.member = member
        self.charter = chain.current
        self.chain = chain
        self.governance = governance
        size = 0
        roster = nil
        definitions = [:]
        lines = [:]
        end = nil
        beginning = governance.isBegun(at: 0) ? nil : TreeFrontier()
        isJudged = beginning == nil
    }

    /// The state as storage has it: the statements behind the rows of `@rosters` (the newest) and `@registers` are
    /// read again.
    ///
    /// - Throws: ``AllianceError`` where they do not say what they must: storage is damaged.
    ///
    /// - Parameters:
    ///   - frontier: the log's tree.
    ///   - last: the log's last entry: its state leaf.
    public init(
        origin: String, chain: CharterChain, frontier: TreeFrontier, lines: [StateLeaf.Line], end: CountingEnd?,
        roster: (index: UInt64, entry: [UInt8])?, definitions: [[UInt8]], last: [UInt8]?
    ) throws {
        try self.init(origin: origin, chain: chain)
        size = frontier.size
        beginning = governance.isBegun(at: size) ? nil : frontier
        if let last, end == nil, case .stateLeaf(let leaf) = LogEntry(last) { note(leaf) }
        self.end = end
        for line in lines { self.lines[line.name] = line }
        if let stored = roster {
            guard case .statement(let statement) = LogEntry(stored.entry), case .roster(let roster) = statement.body
            else { throw AllianceError(.malformed, "the stored roster is no roster", at: member.log.name) }
            self.roster = (roster, HashValue.sha256(statement.payload), stored.index)
        }
        for entry in definitions {
            guard case .statement(let statement) = LogEntry(entry), case .register(let definition) = statement.body
            else { throw AllianceError(.malformed, "a stored definition is no definition", at: member.log.name) }
            self.definitions[definition.name] = try RegisterDefinition(descriptor: definition.descriptor)
        }
    }

    /// The charter that governs the batch whose leaf names `version`, if that leaf is the entry at `index`; nil where
    /// nothing of the member counts there.
    func governing(at index: UInt64, naming version: Int) -> VerifiedCharter? {
        governance.isActive(at: index) ? governance.charter(at: index, naming: version) : nil
    }

    /// Takes note of a batch's leaf.
    mutating func note(_ leaf: StateLeaf) {
        charterVersion = Int(clamping: leaf.charterVersion)
        isJudged = isJudged(leaf)
    }

    /// Whether the log holds all that it begins with: until then nothing is published in it, and nobody cosigns it.
    public var isBegun: Bool { governance.isBegun(at: size) }

    /// Whether a leaf of this log is compared with what the entries give, for others to rely on: the member is active,
    /// the leaf names no older charter than the one that governs it, and the log holds all that it begins with.
    public func isJudged(_ leaf: StateLeaf) -> Bool {
        guard governance.isBegun(at: leaf.entryCount + 1) else { return false }
        let version = Int(clamping: leaf.charterVersion)
        return governing(at: leaf.entryCount, naming: version).map { $0.charter.version <= version } ?? false
    }

    /// Whether what was derived of the log under other charters would come out otherwise under this state's.
    ///
    /// - Parameter before: those under which it was derived; this state was opened under the present ones since.
    public func isOutdated(since before: CharterChain) -> Bool {
        guard size > 0 else { return false }
        guard let old = LogGovernance(of: governance.origin, under: before) else { return true }
        if old.cuts(below: size) != governance.cuts(below: size) { return true }
        if end?.reason == .otherCharter { return true }
        return before.version(charterVersion)?.digest != chain.version(charterVersion)?.digest
    }

    /// The keys that may sign in the next entries, with those of rosters among them.
    public func candidates(with entries: [LogEntry]) -> KeyCandidates {
        var rosters = roster.map { [$0.roster] } ?? []
        for case .statement(let statement) in entries {
            if case .roster(let roster) = statement.body { rosters.append(roster) }
        }
        return KeyCandidates(rosters)
    }
}

/// What processing one batch gives, for storage to write in one transaction.
public struct BatchOutcome: Sendable {
    /// One for each entry, in order; the last is the state leaf's.
    public internal(set) var verdicts: [Verdict] = []
    /// The new content of every row that changed.
    public internal(set) var rows: [(key: RowKey, row: Row)] = []
    /// Which counted statements touched which row, in order: a key's history.
    public internal(set) var history: [(index: UInt64, key: RowKey)] = []
    /// The new maps, and their pages to write and remove.
    public internal(set) var maps: [(name: String, map: RegisterMap, changes: RegisterMapChanges)] = []
    /// Documents that counted statements name.
    public internal(set) var documents: [PolicyDocument] = []
    /// The leaf that the entries give.
    public internal(set) var leaf: StateLeaf
    /// Set where this batch ended counting.
    public internal(set) var end: CountingEnd?
}

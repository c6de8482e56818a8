public import TransparencyLog

/// What one log says, as far as it is derived: a pure function of its entries and the charter (formats, sections 7
/// and 8). A value: a batch is processed on a copy, which replaces the original once its results are durable.
public struct LogState: Sendable {
    /// The member that owns the log.
    public let member: CharterMember
    /// The charter that governs.
    public let charter: VerifiedCharter
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

    /// Entries of one batch, its leaf included.
    public static let batchLimit = 16_384
    /// Bytes of one batch's entries.
    public static let batchByteLimit = 16 << 20

    /// The state before a log's first entry.
    public init(member: CharterMember, charter: VerifiedCharter) {
        self.member = member
        self.charter = charter
        size = 0
        roster = nil
        definitions = [:]
        lines = [:]
        end = nil
    }

    /// The state as storage has it: the statements behind the rows of `@rosters` (the newest) and `@registers` are
    /// read again.
    ///
    /// - Throws: ``AllianceError`` where they do not say what they must: storage is damaged.
    public init(
        member: CharterMember, charter: VerifiedCharter, size: UInt64, lines: [StateLeaf.Line], end: CountingEnd?,
        roster: (index: UInt64, entry: [UInt8])?, definitions: [[UInt8]]
    ) throws {
        self.init(member: member, charter: charter)
        self.size = size
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

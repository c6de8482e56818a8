public import TransparencyLog

/// All that was ever said of one key of one map, by one or several members: each statement beside what it changed.
///
/// Logs have no order among each other, so that statements stay by log. What a statement replaced or followed may
/// stand in another member's log, where a register is kept jointly.
public struct KeyHistory: Sendable {
    /// One member's log.
    public struct Log: Sendable {
        /// The member's short name.
        public let member: String
        /// The counted statements that touched the row, by ascending index.
        public let steps: [PlacedStatement]

        /// Names a log's part in the history.
        public init(member: String, steps: [PlacedStatement]) {
            self.member = member
            self.steps = steps
        }
    }

    /// How a statement stands to others of the same key.
    public enum Relation: String, Hashable, Sendable {
        /// Nothing in force that began to speak before it.
        case first
        /// It supersedes others.
        case replaces
        /// It stands beside the one that spoke until it begins.
        case follows
        /// It takes others back.
        case takesBack = "takes-back"
    }

    /// A statement of some log.
    public struct Place: Hashable, Sendable {
        public let member: String
        public let index: UInt64
        public let identity: HashValue

        /// Names a statement.
        public init(member: String, index: UInt64, identity: HashValue) {
            self.member = member
            self.index = index
            self.identity = identity
        }
    }

    /// One statement, and what it changed.
    public struct Change: Sendable {
        public let member: String
        public let placed: PlacedStatement
        public let relation: Relation
        /// What it replaces, follows or takes back, by member and index.
        public let others: [Place]
        /// What differs from the newest of ``others``, field by field; empty for what is taken back.
        public let differences: [FieldDifference]
        /// Whether it is in force in its own log, after all of the history.
        public let isInForce: Bool
    }

    /// By log, in the order given; of each log, the newest first.
    public let changes: [Change]

    /// Relates the statements of one key.
    public init(of key: RowKey, in logs: [Log]) {
        var known: [HashValue: (member: String, placed: PlacedStatement)] = [:]
        for log in logs {
            for step in log.steps where known[step.identity] == nil { known[step.identity] = (log.member, step) }
        }
        changes = logs.flatMap { log in
            var replay = RowReplay(of: key)
            var changes: [(PlacedStatement, Relation, [(String, PlacedStatement)])] = []
            for step in log.steps {
                let before = replay.inForce
                let removed = replay.apply(step).map { (log.member, $0) }
                // Of other members' logs: that they are replaced is for the register's merge rule to say.
                let foreign = Self.references(step.statement).compactMap { known[$0] }
                    .filter { !$0.member.hasSameBytes(as: log.member) }
                let others = removed + foreign.map { ($0.member, $0.placed) }
                if case .retraction = step.statement.body {
                    changes.append((step, .takesBack, others))
                } else if !others.isEmpty {
                    changes.append((step, .replaces, others))
                } else if let earlier = Self.speaking(before: step, among: before) {
                    changes.append((step, .follows, [(log.member, earlier)]))
                } else {
                    changes.append((step, .first, []))
                }
            }
            let live = Set(replay.inForce.map(\.index))
            return changes.reversed().map { placed, relation, others in
                Change(
                    member: log.member, placed: placed, relation: relation,
                    others: others.map { Place(member: $0.0, index: $0.1.index, identity: $0.1.identity) },
                    differences: relation == .takesBack
                        ? [] : Self.differences(from: Self.newest(others.map(\.1)), to: placed),
                    isInForce: live.contains(placed.index))
            }
        }
    }

    private static func references(_ statement: Statement) -> [HashValue] {
        if case .attestation(let attestation) = statement.body { return attestation.supersedes }
        return []
    }

    /// The statement that speaks until another begins: the latest start at or before its own, then the latest index.
    private static func speaking(
        before step: PlacedStatement, among others: [PlacedStatement]
    ) -> PlacedStatement? {
        guard case .attestation(let new) = step.statement.body else { return others.last }
        return newest(
            others.filter {
                guard case .attestation(let old) = $0.statement.body else { return false }
                return old.validFrom.seconds <= new.validFrom.seconds && old.key.hasSameBytes(as: new.key)
            })
    }

    private static func newest(_ statements: [PlacedStatement]) -> PlacedStatement? {
        func start(_ placed: PlacedStatement) -> Int64 {
            if case .attestation(let attestation) = placed.statement.body { attestation.validFrom.seconds } else { 0 }
        }
        return statements.max { (start($0), $0.index) < (start($1), $1.index) }
    }

    /// What differs between two statements about one subject, in the order of the older one's fields, then the newer one's.
    ///
    /// Values are compared by their bytes. What only one of them has differs.
    public static func differences(from old: PlacedStatement?, to new: PlacedStatement) -> [FieldDifference] {
        guard let old else { return [] }
        let (before, after) = (facets(old.statement), facets(new.statement))
        var names: [String] = []
        for (name, _) in before + after where !names.contains(where: { $0.hasSameBytes(as: name) }) {
            names.append(name)
        }
        return names.compactMap { name in
            let one = before.first { $0.0.hasSameBytes(as: name) }?.1
            let other = after.first { $0.0.hasSameBytes(as: name) }?.1
            return one?.encoded() == other?.encoded() ? nil : FieldDifference(field: name, old: one, new: other)
        }
    }

    /// What a statement says of its subject, by name.
    private static func facets(_ statement: Statement) -> [(String, JSONValue)] {
        switch statement.body {
        case .attestation(let attestation):
            var facets: [(String, JSONValue)] = [
                ("status", .string(attestation.status)), ("validFrom", .string(attestation.validFrom.text)),
            ]
            if let until = attestation.validUntil { facets.append(("validUntil", .string(until.text))) }
            return facets + attestation.fields.members.map { ($0.name, $0.value) }
        case .document(let document):
            return [
                ("title", .string(document.title)), ("language", .string(document.language)),
                ("date", .string(document.date)), ("mediaType", .string(document.mediaType)),
                ("size", .integer(document.size)), ("sha256", .string(document.digest.hex)),
            ]
        default: return []
        }
    }
}

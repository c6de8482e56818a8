public import Alliance
import TransparencyLog

/// A random history of whole logs of four members, signed, counted batch by batch, with officers that come and go by rosters: what
/// counts of it is joined, and compared with what the literal reading makes of those statements that count by its own, simple
/// reading of who may speak.
public struct CountedJoinHistory {
    private static let names = ["pk", "sv", "us", "imf"]

    private let seed: UInt64
    private let definition: RegisterDefinition
    private var random: SeededGenerator
    private var logs: [MemoryLog]
    private var batches: [[[[UInt8]]]]
    /// What counts, by the simple reading, with the batch that it stands in.
    private var plain: [[(batch: Int, said: LiteralJoins.Said)]]
    /// Whether the second officer is in the roster.
    private var hasSecond: [Bool]
    private var tally = JoinTally()

    /// Plays the history of a seed, and compares after every batch of any log.
    ///
    /// - Throws: ``JoinHistory/Failure`` where two views that must be the same are not.
    @discardableResult
    public static func play(seed: UInt64, definition: RegisterDefinition) throws -> JoinTally {
        var history = try CountedJoinHistory(seed: seed, definition: definition)
        for _ in 0..<Int.random(in: 3...7, using: &history.random) {
            try history.grow()
            try history.compare(Array(history.batches.map(\.count)))
        }
        for _ in 0..<3 {
            let some = history.batches.map { Int.random(in: 1...$0.count, using: &history.random) }
            try history.compare(some)
        }
        return history.tally
    }

    private init(seed: UInt64, definition: RegisterDefinition) throws {
        self.seed = seed
        self.definition = definition
        random = SeededGenerator(seed: seed)
        let alliance = try TestAlliance()
        logs = try Self.names.map { try alliance.log(of: $0) }
        batches = []
        for position in logs.indices {
            try logs[position].begin()
            batches.append([logs[position].entries])
        }
        plain = logs.map { _ in [] }
        hasSecond = logs.map { _ in true }
    }

    // MARK: What is said

    private mutating func grow() throws {
        let author = Int.random(in: 0..<logs.count, using: &random)
        let start = logs[author].entries.count
        var statements: [[UInt8]] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let officer = Int.random(in: 0..<3, using: &random) == 0 ? "bilal" : "ayesha"
            let counts = officer == "ayesha" || hasSecond[author]
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                // A roster's successor is the one of the newest counted, so that a batch has one at most, at its beginning.
                guard statements.isEmpty else { continue }
                hasSecond[author].toggle()
                let has = hasSecond[author]
                let second = try Roster.sample(of: Self.names[author]).officers.first { $0.name == "bilal" }
                statements.append(
                    try logs[author].nextRoster { roster in
                        roster.officers.removeAll { $0.name == "bilal" }
                        if has, let second { roster.officers.append(second) }
                    })
            case 1:
                // The same once more: it stands in the log, and counts once.
                guard
                    let old = logs[author].entries.dropFirst(3).filter({ !$0.starts(with: StateLeaf.familyPrefix) })
                        .randomElement(using: &random)
                else { continue }
                statements.append(old)
            case 2:
                guard let target = plain[author].randomElement(using: &random)?.said, case .states = target.what else {
                    continue
                }
                guard let identity = HashValue(hex: target.identity) else { continue }
                let draft = logs[author].context().retraction(
                    Retraction(
                        targets: [
                            Retraction.Target(
                                identity: identity, register: JoinHistory.register, key: JoinHistory.key)
                        ], reason: .other))
                try add(draft, .takesBack([target.identity]), author, officer, counts, start, &statements)
            case 3, 4: try endorse(author, officer, counts, start, &statements)
            default: try state(author, officer, counts, start, &statements)
            }
        }
        guard !statements.isEmpty else { return }
        try logs[author].publish(statements)
        batches[author].append(Array(logs[author].entries[start...]))
    }

    private mutating func add(
        _ draft: Draft, _ what: LiteralJoins.Said.What, _ author: Int, _ officer: String, _ counts: Bool, _ start: Int,
        _ statements: inout [[UInt8]]
    ) throws {
        let name = Self.names[author]
        let entry = try draft.signed(by: TestAlliance.officer(officer, of: name))
        let said = LiteralJoins.Said(
            member: TestAlliance.id(name), index: start + statements.count, identity: HashValue.sha256(entry).hex,
            what: what)
        if counts { plain[author].append((batches[author].count, said)) }
        statements.append(entry)
    }

    private mutating func state(
        _ author: Int, _ officer: String, _ counts: Bool, _ start: Int, _ statements: inout [[UInt8]]
    ) throws {
        let status = definition.statuses[Int.random(in: 0..<definition.statuses.count, using: &random)].name
        let from = Int64.random(in: 0...5, using: &random)
        var supersedes: [String] = []
        for other in plain.indices {
            for (_, said) in plain[other] where Int.random(in: 0..<4, using: &random) == 0 {
                guard case .states(_, _, _, let before) = said.what else { continue }
                supersedes.append(said.identity)
                if other == author { supersedes += before }
            }
        }
        supersedes = Set(supersedes).sorted()
        let draft = logs[author].context().attestation(
            register: JoinHistory.register, key: JoinHistory.key, status: status, validFrom: Timestamp(seconds: from),
            fields: [:], supersedes: supersedes.compactMap { HashValue(hex: $0) })
        try add(
            draft, .states(status: status, from: from, until: nil, supersedes: supersedes), author, officer, counts,
            start, &statements)
    }

    private mutating func endorse(
        _ author: Int, _ officer: String, _ counts: Bool, _ start: Int, _ statements: inout [[UInt8]]
    ) throws {
        let others = plain.indices.filter { $0 != author }.flatMap { plain[$0] }.map(\.said).filter { said in
            if case .states = said.what { return true }
            return false
        }
        guard let target = others.randomElement(using: &random), let identity = HashValue(hex: target.identity) else {
            return
        }
        let type: Endorsement.Kind = Bool.random(using: &random) ? .adopts : .notes
        let draft = logs[author].context().endorsement(
            Endorsement(
                identity: identity, member: target.member, register: JoinHistory.register, key: JoinHistory.key,
                type: type))
        try add(
            draft, .endorses(target.identity, agrees: type == .adopts), author, officer, counts, start, &statements)
    }

    // MARK: Comparing

    /// What a node has that received so many batches of each log, against the literal reading of the same.
    private mutating func compare(_ held: [Int]) throws {
        var rule = MergeRule.by(count: Int.random(in: 1...3, using: &random))
        if Bool.random(using: &random) {
            let writers = Self.names.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
            rule = .joint(writers: writers.map(TestAlliance.id))
        }
        let time = Int64.random(in: 0...6, using: &random)
        let alliance = try TestAlliance()
        var voices: [MemberVoice] = []
        var endorsements: [PlacedEndorsement] = []
        for position in logs.indices.shuffled(using: &random) {
            let member = TestAlliance.id(Self.names[position])
            var log = logs[position]
            if held[position] < batches[position].count {
                log = try alliance.log(of: Self.names[position])
                for batch in batches[position].prefix(held[position]) { try log.receive(batch) }
            }
            for (key, row) in log.rows where key.map == JoinHistory.register || key.map == ReservedMap.endorsements {
                for item in row.inForce {
                    let statement = try Statement(parsing: log.entry(at: item.index))
                    if case .endorsement(let endorsement) = statement.body {
                        endorsements.append(
                            PlacedEndorsement(member: member, index: item.index, endorsement: endorsement))
                    } else if let placed = PlacedAttestation(index: item.index, statement: statement) {
                        voices.append(MemberVoice(member: member, placed: placed))
                    }
                }
            }
        }
        let entry = JoinedEntry(voices, rule: rule, endorsements: endorsements, definition: definition, at: time)
        tally.add(entry)
        let said = plain.indices.flatMap { log in plain[log].filter { $0.batch < held[log] }.map(\.said) }
        let literal = LiteralJoins(
            held: said.shuffled(using: &random), rule: LiteralJoins.Rule(rule),
            vocabulary: definition.statuses.map(\.name), time: time
        ).view
        let view = JoinHistory.text(of: entry)
        guard view == literal else {
            throw JoinHistory.Failure(seed: seed, what: "of signed logs:\n\(view)\nliteral:\n\(literal)")
        }
    }
}

public import Alliance
import TransparencyLog

/// A random history of one key of a register that is joined across members: what every log says, and how it reaches nodes that are cut
/// off from each other for a while, piece by piece, in any order and more than once.
///
/// Statements have signatures of zeros: joins look at counted statements, and who may sign is for the tests of counting.
public struct JoinHistory {
    /// What went wrong, with the seed that shows it again.
    public struct Failure: Error, CustomStringConvertible {
        public let seed: UInt64
        public let what: String
        public var description: String { "seed \(seed): \(what)" }
    }

    static let register = "vasp-licences"
    static let key = "K"
    private static let names = ["pk", "sv", "us", "imf", "jp", "br"]

    private let seed: UInt64
    private var random: SeededGenerator
    private let definition: RegisterDefinition
    private var vocabulary: [String]
    private let members: [String]
    /// By member.
    private var logs: [[PlacedStatement]]
    private var plain: [[LiteralJoins.Said]]
    private var clock: Int64 = 0
    private var tally = JoinTally()

    /// Plays the history of a seed, and compares.
    ///
    /// - Parameter misreading: another vocabulary for the second implementation, to see that a difference is found.
    /// - Throws: ``Failure`` where two views that must be the same are not.
    /// - Returns: what occurred in the views that were compared.
    @discardableResult
    public static func play(
        seed: UInt64, definition: RegisterDefinition, misreading vocabulary: [String]? = nil
    ) throws -> JoinTally {
        var history = JoinHistory(seed: seed, definition: definition)
        history.vocabulary = vocabulary ?? history.vocabulary
        try history.write()
        try history.spread()
        try history.merge()
        return history.tally
    }

    private init(seed: UInt64, definition: RegisterDefinition) {
        self.seed = seed
        self.definition = definition
        vocabulary = definition.statuses.map(\.name)
        random = SeededGenerator(seed: seed)
        members = Array(Self.names.prefix(Int.random(in: 4...6, using: &random))).map {
            "did:web:\($0).alliance.example"
        }
        logs = members.map { _ in [] }
        plain = members.map { _ in [] }
    }

    // MARK: What is said

    private mutating func write() throws {
        for _ in 0..<Int.random(in: 3...16, using: &random) {
            let author = Int.random(in: 0..<members.count, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0: try takeBack(author)
            case 1, 2, 3: try endorse(author)
            default: try state(author)
            }
        }
    }

    private func live(_ member: Int) -> [PlacedStatement] {
        RowReplay(of: RowKey(map: Self.register, key: Self.key), after: logs[member]).inForce
    }

    private mutating func state(_ author: Int) throws {
        let status =
            Int.random(in: 0..<8, using: &random) == 0
            ? "splendid" : definition.statuses[Int.random(in: 0..<definition.statuses.count, using: &random)].name
        let from = Int64.random(in: 0...5, using: &random)
        let until = Int.random(in: 0..<5, using: &random) == 0 ? from + Int64.random(in: 1...3, using: &random) : nil
        var supersedes: [HashValue] = []
        // A successor repeats what it replaces refers to (statements.md, section 6.3).
        for own in live(author) where Int.random(in: 0..<3, using: &random) == 0 {
            supersedes.append(own.identity)
            if case .attestation(let old) = own.statement.body { supersedes += old.supersedes }
        }
        for other in logs.indices where other != author {
            for one in logs[other] where Int.random(in: 0..<4, using: &random) == 0 {
                if case .attestation = one.statement.body { supersedes.append(one.identity) }
            }
        }
        if Int.random(in: 0..<6, using: &random) == 0 { supersedes.append(HashValue.sha256("unseen \(random.next())")) }
        var once: [HashValue] = []
        for one in supersedes where !once.contains(one) { once.append(one) }
        let draft = context(author).attestation(
            register: Self.register, key: Self.key, status: status, validFrom: Timestamp(seconds: from),
            validUntil: until.map { Timestamp(seconds: $0) }, fields: [:], supersedes: once)
        try add(
            draft, author, .states(status: status, from: from, until: until, supersedes: once.map(\.hex)))
    }

    private mutating func takeBack(_ author: Int) throws {
        let own = live(author) + logs[author].filter { $0.statement.kind == .endorsement }
        guard let target = own.randomElement(using: &random) else { return }
        let isEndorsement = target.statement.kind == .endorsement
        let retraction = Retraction(
            targets: [
                Retraction.Target(
                    identity: target.identity, register: isEndorsement ? ReservedMap.endorsements : Self.register,
                    key: target.statement.key ?? "")
            ], reason: .other)
        try add(context(author).retraction(retraction), author, .takesBack([target.identity.hex]))
    }

    private mutating func endorse(_ author: Int) throws {
        let others = logs.indices.filter { $0 != author }.flatMap { member in
            logs[member].filter { $0.statement.kind == .attestation }.map { (member, $0) }
        }
        // Half of the time what would replace an own statement: there an endorsement decides.
        let own = Set(logs[author].map(\.identity))
        let replacing = others.filter { _, one in
            guard case .attestation(let row) = one.statement.body else { return false }
            return row.supersedes.contains { own.contains($0) }
        }
        let some = Bool.random(using: &random) && !replacing.isEmpty ? replacing : others
        guard let (member, target) = some.randomElement(using: &random) else { return }
        let type: Endorsement.Kind = [.adopts, .recognises, .notes].randomElement(using: &random) ?? .notes
        let endorsement = Endorsement(
            identity: target.identity, member: members[member], register: Self.register, key: Self.key, type: type)
        try add(
            context(author).endorsement(endorsement), author, .endorses(target.identity.hex, agrees: type != .notes))
    }

    private mutating func context(_ author: Int) -> DraftContext {
        clock += 1
        return DraftContext(member: members[author], alliance: .zero, issuedAt: clock)
    }

    private mutating func add(_ draft: Draft, _ author: Int, _ what: LiteralJoins.Said.What) throws {
        let header: JSONValue = [
            "alg": "EdDSA", "typ": .string(draft.kind.type), "kid": .string("\(members[author])#ayesha"),
        ]
        let parts = [header.encoded(), draft.payload, [UInt8](repeating: 0, count: 64)].map { Base64.encodeURL($0) }
        let statement = try Statement(parsing: Array(parts.joined(separator: ".").utf8))
        // Logs hold other entries in between.
        let index = (logs[author].last?.index ?? 0) + UInt64.random(in: 1...3, using: &random)
        logs[author].append(PlacedStatement(index: index, statement: statement))
        plain[author].append(
            LiteralJoins.Said(member: members[author], index: Int(index), identity: statement.identity.hex, what: what))
    }

    // MARK: How it spreads

    /// A node: how much of every log it holds, and the rows that it kept up with it, one statement after the other.
    private struct Node {
        var held: [Int]
        var rows: [RowReplay]
        var endorsements: [[[UInt8]: RowReplay]]

        init(members: Int) {
            held = Array(repeating: 0, count: members)
            rows = Array(
                repeating: RowReplay(of: RowKey(map: JoinHistory.register, key: JoinHistory.key)), count: members)
            endorsements = Array(repeating: [:], count: members)
        }

        /// Takes a range of a log: what is held already is passed over, what leaves a gap is not taken.
        mutating func receive(_ log: Int, _ range: Range<Int>, of statements: [PlacedStatement]) {
            guard range.lowerBound <= held[log], range.upperBound > held[log] else { return }
            for placed in statements[held[log]..<range.upperBound] {
                switch placed.statement.body {
                case .endorsement(let endorsement):
                    apply(placed, log, endorsement.identity.hex)
                case .retraction(let retraction):
                    for target in retraction.targets where target.register == ReservedMap.endorsements {
                        apply(placed, log, target.key)
                    }
                    if retraction.targets.contains(where: { $0.register == JoinHistory.register }) {
                        rows[log].apply(placed)
                    }
                default: rows[log].apply(placed)
                }
            }
            held[log] = range.upperBound
        }

        private mutating func apply(_ placed: PlacedStatement, _ log: Int, _ key: String) {
            let row = RowKey(map: ReservedMap.endorsements, key: key)
            endorsements[log][row.key, default: RowReplay(of: row)].apply(placed)
        }
    }

    private mutating func spread() throws {
        var nodes = Array(repeating: Node(members: members.count), count: 3)
        let steps = Int.random(in: 4...20, using: &random)
        let heals = Int.random(in: 0..<steps, using: &random)
        let isApart = Int.random(in: 0..<nodes.count, using: &random)
        for step in 0..<steps {
            let to = Int.random(in: 0..<nodes.count, using: &random)
            let log = Int.random(in: 0..<members.count, using: &random)
            // As long as one is cut off, the others' logs' later halves do not come to it, nor its own to them.
            let isCut = step < heals && (to == isApart) != (log % nodes.count == isApart)
            let reach = isCut ? logs[log].count / 2 : logs[log].count
            let end = Int.random(in: 0...reach, using: &random)
            let start = Int.random(in: 0...end, using: &random)
            nodes[to].receive(log, start..<end, of: logs[log])
            if Int.random(in: 0..<3, using: &random) == 0 { try compare(nodes[to]) }
        }
        // Everybody gets everything, log by log in an order of its own.
        for position in nodes.indices {
            for log in members.indices.shuffled(using: &random) {
                nodes[position].receive(log, 0..<logs[log].count, of: logs[log])
            }
        }
        let rules = (0..<2).map { _ in rule() }
        for rule in rules {
            for time in [Int64(0), 3, 9] {
                let views = nodes.map { view(of: $0, rule, at: time) }
                try require(
                    Set(views).count == 1, "nodes that hold the same differ:\n\(views.joined(separator: "\n\n"))")
            }
        }
        try compare(nodes[0])
    }

    /// A node's view is that of a node which gets the same at once, and that of the literal reading.
    private mutating func compare(_ node: Node) throws {
        let (rule, time) = (rule(), Int64.random(in: 0...8, using: &random))
        let kept = view(of: node, rule, at: time)
        var fresh = Node(members: members.count)
        for log in members.indices { fresh.receive(log, 0..<node.held[log], of: logs[log]) }
        let computed = view(of: fresh, rule, at: time)
        try require(kept == computed, "incremental:\n\(kept)\nrecomputed:\n\(computed)")
        try require(
            kept == literal(node.held, rule, at: time),
            "first:\n\(kept)\nliteral:\n\(literal(node.held, rule, at: time))")
    }

    // MARK: Merging

    /// The state of a node is how much it holds of each log, and merging two is the longer of each.
    private mutating func merge() throws {
        func random() -> [Int] { logs.map { Int.random(in: 0...$0.count, using: &self.random) } }
        let (a, b, c) = (random(), random(), random())
        func join(_ one: [Int], _ other: [Int]) -> [Int] { joined([one, other]) }
        let (rule, time) = (rule(), Int64.random(in: 0...8, using: &self.random))
        let all = view(join(join(a, b), c), rule, time)
        try require(all == view(join(a, join(b, c)), rule, time), "merging is not associative")
        try require(view(join(a, b), rule, time) == view(join(b, a), rule, time), "merging is not commutative")
        try require(view(join(a, a), rule, time) == view(a, rule, time), "merging is not idempotent")
    }

    /// Nodes that got what several states hold, each whole, one after the other.
    private func joined(_ states: [[Int]]) -> [Int] {
        var node = Node(members: members.count)
        for state in states {
            for log in members.indices { node.receive(log, 0..<state[log], of: logs[log]) }
        }
        return node.held
    }

    private mutating func view(_ held: [Int], _ rule: MergeRule, _ time: Int64) -> String {
        var node = Node(members: members.count)
        for log in members.indices.shuffled(using: &random) { node.receive(log, 0..<held[log], of: logs[log]) }
        return view(of: node, rule, at: time)
    }

    // MARK: Views

    /// A charter's rule: other writers, another K, or the other rule, as charters change.
    private mutating func rule() -> MergeRule {
        if Bool.random(using: &random) { return .by(count: Int.random(in: 1..<members.count, using: &random)) }
        let writers = members.filter { _ in Int.random(in: 0..<4, using: &random) > 0 }
        return .joint(writers: writers.isEmpty ? [members[0]] : writers)
    }

    /// What the code under test says, with its input in an order of its own and some of it twice.
    private mutating func view(of node: Node, _ rule: MergeRule, at time: Int64) -> String {
        var voices: [MemberVoice] = []
        var endorsements: [PlacedEndorsement] = []
        for log in members.indices {
            voices += node.rows[log].inForce.compactMap { one in
                PlacedAttestation(index: one.index, statement: one.statement).map {
                    MemberVoice(member: members[log], placed: $0)
                }
            }
            for row in node.endorsements[log].values {
                for one in row.inForce {
                    guard case .endorsement(let endorsement) = one.statement.body else { continue }
                    endorsements.append(
                        PlacedEndorsement(member: members[log], index: one.index, endorsement: endorsement))
                }
            }
        }
        let entry = JoinedEntry(
            voices.shuffled(using: &random), rule: rule,
            endorsements: (endorsements + endorsements.prefix(2)).shuffled(using: &random), definition: definition,
            at: time)
        tally.add(entry)
        return Self.text(of: entry)
    }

    /// A whole view, in the form of ``LiteralJoins/view``.
    static func text(of entry: JoinedEntry) -> String {
        var lines = entry.voices.sorted { $0.identity.hex < $1.identity.hex }.map {
            "\($0.identity.hex) \($0.member) \($0.placed.index) \(entry.standing(of: $0).rawValue)"
        }
        lines.append("speaking \(entry.choice.speaking.map(\.identity.hex).joined(separator: " "))")
        lines.append("conflict \(entry.conflictSince.map { String($0.seconds) } ?? "none")")
        return lines.joined(separator: "\n")
    }

    private mutating func literal(_ held: [Int], _ rule: MergeRule, at time: Int64) -> String {
        let said = members.indices.flatMap { plain[$0].prefix(held[$0]) }
        return LiteralJoins(
            held: (said + said.prefix(3)).shuffled(using: &random), rule: LiteralJoins.Rule(rule),
            vocabulary: vocabulary, time: time
        ).view
    }

    private func require(_ condition: Bool, _ what: @autoclosure () -> String) throws {
        guard condition else { throw Failure(seed: seed, what: what()) }
    }
}

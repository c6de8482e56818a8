import Alliance

/// A second implementation of the joins: slow, by recursion, and word for word from Docs/specification/views.md, sections 2 and
/// 3, and statements.md, sections 6.3 and 8. It shares no code with the first one, knows statements only as plain text and numbers,
/// and looks everything up by going through all there is.
public struct LiteralJoins: Sendable {
    /// A counted statement of one member's log about the one key that there is.
    public struct Said: Sendable {
        public let member: String
        public let index: Int
        public let identity: String
        public let what: What

        public enum What: Sendable {
            case states(status: String, from: Int64, until: Int64?, supersedes: [String])
            case takesBack([String])
            case endorses(String, agrees: Bool)
        }

        public init(member: String, index: Int, identity: String, what: What) {
            self.member = member
            self.index = index
            self.identity = identity
            self.what = what
        }
    }

    public enum Rule: Sendable {
        case joint(writers: [String])
        case by(Int)

        /// As a charter has it.
        init(_ rule: MergeRule) {
            switch rule {
            case .each: self = .by(0)
            case .joint(let writers): self = .joint(writers: writers)
            case .by(let count): self = .by(count)
            }
        }
    }

    /// What is held of every log, in whatever order, perhaps several times.
    private let held: [Said]
    private let rule: Rule
    /// From least to most restrictive.
    private let vocabulary: [String]
    private let time: Int64

    public init(held: [Said], rule: Rule, vocabulary: [String], time: Int64) {
        self.held = held
        self.rule = rule
        self.vocabulary = vocabulary
        self.time = time
    }

    // MARK: What each log has in force

    /// "Adding to a row means: the statement joins those in force there." "`supersedes`: those identities that are in force in the
    /// same row of this log leave it." "Retraction: takes it out of the row." What is taken out does not come back.
    private func isInForceInItsLog(_ said: Said) -> Bool {
        if case .takesBack = said.what { return false }
        return !held.contains { later in
            guard later.member == said.member, later.index > said.index else { return false }
            switch later.what {
            case .takesBack(let targets): return targets.contains(said.identity)
            case .states(_, _, _, let supersedes):
                if case .states = said.what { return supersedes.contains(said.identity) }
                return false
            case .endorses: return false
            }
        }
    }

    /// The statements about the subject, each once.
    private var statements: [Said] {
        var found: [Said] = []
        for said in held {
            guard case .states = said.what, isInForceInItsLog(said) else { continue }
            if !found.contains(where: { $0.identity == said.identity }) { found.append(said) }
        }
        return found
    }

    private func hasEndorsed(_ member: String, _ identity: String) -> Bool {
        held.contains { one in
            if case .endorses(let what, let agrees) = one.what {
                return agrees && what == identity && one.member == member && isInForceInItsLog(one)
            }
            return false
        }
    }

    // MARK: Across members

    private func rank(_ said: Said) -> Int {
        guard case .states(let status, _, _, _) = said.what else { return -1 }
        // "A status outside the vocabulary is the most restrictive of all."
        for (position, word) in vocabulary.enumerated() where word == status { return position }
        return vocabulary.count
    }

    private func isWriter(_ member: String) -> Bool {
        if case .joint(let writers) = rule { return writers.contains(member) }
        return true
    }

    private func supersedes(_ one: Said, _ other: Said) -> Bool {
        if case .states(_, _, _, let supersedes) = one.what { return supersedes.contains(other.identity) }
        return false
    }

    /// "To supersede a statement by one of a less restrictive status takes an endorsement of exactly the superseding statement, in
    /// force in the log of the old one's author."
    private func mayReplace(_ one: Said, _ other: Said) -> Bool {
        rank(one) >= rank(other) || hasEndorsed(other.member, one.identity)
    }

    /// "A statement is in force until one in force, of another writer, supersedes it."
    private func isInForce(_ said: Said, among all: [Said]) -> Bool {
        switch rule {
        case .joint:
            guard isWriter(said.member) else { return false }
            return !all.contains { other in
                other.member != said.member && isWriter(other.member) && supersedes(other, said)
                    && mayReplace(other, said) && isInForce(other, among: all)
            }
        case .by(let needed):
            // "While K members other than its author have an endorsement of exactly its identity in force. A member counts once."
            var members: [String] = []
            for one in held where one.member != said.member && !members.contains(one.member) {
                if hasEndorsed(one.member, said.identity) { members.append(one.member) }
            }
            return members.count >= needed
        }
    }

    // MARK: The choice at a time

    /// "Keep those with `validFrom` ≤ t; keep those with the latest; drop those with `validUntil` ≤ t."
    private func speaks(_ said: Said, among inForce: [Said]) -> Bool {
        guard case .states(_, let from, let until, _) = said.what, from <= time else { return false }
        let isLatest = !inForce.contains { other in
            guard case .states(_, let start, _, _) = other.what else { return false }
            return other.member == said.member && start <= time && start > from
        }
        return isLatest && (until == nil || time < until ?? 0)
    }

    // MARK: The view

    /// The whole view as text: every statement with how it takes part, by its identity; then what speaks, in its order; then
    /// since when that is a conflict.
    public var view: String {
        let all = statements
        let inForce = all.filter { isInForce($0, among: all) }
        let speaking = inForce.filter { speaks($0, among: inForce) }
            .sorted { rank($0) != rank($1) ? rank($0) > rank($1) : $0.identity < $1.identity }
        func isIn(_ list: [Said], _ one: Said) -> Bool { list.contains { $0.identity == one.identity } }
        var lines: [String] = []
        for one in all.sorted(by: { $0.identity < $1.identity }) {
            var standing = "proposed"
            if case .joint = rule { standing = isWriter(one.member) ? "superseded" : "not-writer" }
            if isIn(inForce, one) { standing = "silent" }
            if isIn(speaking, one) { standing = "speaks" }
            lines.append("\(one.identity) \(one.member) \(one.index) \(standing)")
        }
        lines.append("speaking \(speaking.map(\.identity).joined(separator: " "))")
        let starts = speaking.compactMap { one -> Int64? in
            if case .states(_, let from, _, _) = one.what { return from }
            return nil
        }.sorted()
        lines.append("conflict \(starts.count > 1 ? String(starts[1]) : "none")")
        return lines.joined(separator: "\n")
    }
}

import Alliance

/// How often what matters occurred in views that were compared: histories in which nothing happens prove nothing.
public struct JoinTally: Sendable {
    public private(set) var views = 0
    public private(set) var conflicts = 0
    public private(set) var standings: [String: Int] = [:]
    /// Superseding statements that were less restrictive: without effect, and with the old one's author's endorsement.
    public private(set) var unendorsed = 0
    public private(set) var endorsed = 0

    public init() {}

    mutating func add(_ entry: JoinedEntry) {
        views += 1
        if entry.choice.isConflict { conflicts += 1 }
        for voice in entry.voices { standings[entry.standing(of: voice).rawValue, default: 0] += 1 }
        guard case .joint(let view) = entry.join else { return }
        unendorsed += view.unendorsed.count
        // Ranks of the built-in vocabulary, by which these histories are judged.
        let words = BuiltInRegisters.definition(named: JoinHistory.register)
        endorsed += view.superseded.count { link in
            guard let words else { return false }
            return words.restrictiveness(of: link.by.attestation.status)
                < words.restrictiveness(of: link.old.attestation.status)
        }
    }

    public mutating func add(_ other: JoinTally) {
        views += other.views
        conflicts += other.conflicts
        unendorsed += other.unendorsed
        endorsed += other.endorsed
        standings.merge(other.standings) { $0 + $1 }
    }

    /// One line for people.
    public var text: String {
        let words = standings.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return
            "\(views) views, \(conflicts) conflicts; statements: \(words.joined(separator: ", ")); less restrictive ones over others: "
            + "\(endorsed) endorsed, \(unendorsed) not"
    }
}

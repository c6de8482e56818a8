/// Counts what outsiders can cause as often as they like, so that it takes a few records a minute: the first of a kind is
/// recorded at once, further ones as a count when the minute is over.
struct AuditThrottle {
    /// What is counted together.
    struct Key: Hashable, Sendable {
        let kind: AuditRecord.Kind
        let reason: String
        /// The member's id, where it is known.
        let member: String?
    }

    private var counts: [Key: (count: UInt64, until: Int64)] = [:]
    private static let keyLimit = 1_024
    private static let interval: Int64 = 60

    /// Whether to record one now; it is counted otherwise.
    mutating func records(_ key: Key, at now: Int64) -> Bool {
        if counts[key] != nil {
            counts[key]?.count += 1
            return false
        }
        // More kinds in one minute than there can honestly be: what is left out here is still in the metrics.
        guard counts.count < Self.keyLimit else { return false }
        counts[key] = (0, now + Self.interval)
        return true
    }

    /// What was counted and is due, in a settled order; nil for `now` gives all.
    mutating func due(at now: Int64?) -> [(key: Key, count: UInt64)] {
        let due = counts.filter { now == nil || $0.value.until <= now ?? 0 }
        for key in due.keys { counts[key] = nil }
        return due.filter { $0.value.count > 0 }.map { ($0.key, $0.value.count) }.sorted {
            ($0.key.kind.rawValue, $0.key.reason, $0.key.member ?? "") < (
                $1.key.kind.rawValue, $1.key.reason, $1.key.member ?? ""
            )
        }
    }
}

/// What one log has taken of this node, against ``QuotaSettings``.
struct LogQuota: Sendable {
    /// Allowances by cap; none where there is no cap.
    struct Caps: Sendable {
        private var allowances: [(cap: QuotaCap, allowance: Allowance)] = []

        init() {}

        init(_ settings: QuotaSettings) {
            let (each, day): (Int64, Int64) = (settings.minuteWindow, 86_400_000)
            let caps: [(QuotaCap, Int64, Int64)] = [
                (.entriesPerMinute, settings.atOnce(settings.entriesPerMinute), each),
                (.bytesPerMinute, settings.atOnce(settings.bytesPerMinute), each),
                (.entriesPerDay, settings.entriesPerDay, day), (.bytesPerDay, settings.bytesPerDay, day),
            ]
            allowances = caps.filter { $0.1 > 0 }.map { ($0.0, Allowance($0.1, each: $0.2)) }
        }

        mutating func take(entries: Int64, bytes: Int64, _ now: Instant) {
            for index in allowances.indices {
                let isOfBytes = [.bytesPerMinute, .bytesPerDay].contains(allowances[index].cap)
                allowances[index].allowance.take(isOfBytes ? bytes : entries, now)
            }
        }

        /// The cap that holds up the longest, and until when; nil where none does.
        mutating func due(_ now: Instant) -> (cap: QuotaCap, until: Instant)? {
            var latest: (cap: QuotaCap, until: Instant)?
            for index in allowances.indices {
                guard let due = allowances[index].allowance.due(now) else { continue }
                if latest.map({ $0.until < due }) ?? true { latest = (allowances[index].cap, due) }
            }
            return latest
        }
    }

    /// While others wait.
    var share: Allowance
    /// Of entries.
    var caps: Caps
    /// Of documents.
    var documentCaps: Caps
    /// When a publication within the log's share came last.
    var active: Instant?
    /// Heads that were offered since anything of the log was stored.
    var unserved = 0
    static let unservedLimit = 8
    /// What held it up when that was last looked at.
    var delay: (cap: QuotaCap, until: Instant)?
    var reportedAt: Instant?
    #if DEBUG
    /// Whether it was ever beyond its share; for a planted bug.
    var wasBeyond = false
    #endif

    init(_ settings: QuotaSettings) {
        // What was taken while nobody waited is soon forgiven: a debt of one share, at the most.
        share = Allowance(settings.share, each: settings.shareWindow, mostOwed: settings.share)
        caps = Caps(settings)
        documentCaps = Caps(settings)
    }
}

/// Whether more of a log may be asked for.
enum Admission: Equatable {
    case open
    /// Only towards heads that a quorum has cosigned; others from then on.
    case quorumOnly(until: Instant)
    /// Not before then.
    case later(Instant)

    func admits(_ head: Head, quorum: Int) -> Bool {
        switch self {
        case .open: true
        case .quorumOnly: head.cosignatures.count >= quorum
        case .later: false
        }
    }
}

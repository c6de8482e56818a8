/// How near the end of something is that people have to renew: a certificate, or the charter.
public enum EndNotice: Int64, Sendable, Hashable, CaseIterable {
    /// Less than 30 days are left.
    case month = 30
    case week = 7
    case day = 1
    /// Nothing is left.
    case over = 0

    /// What is due when so much time is left.
    ///
    /// - Parameters:
    ///   - left: seconds; 0 or less if it is over.
    ///   - life: seconds from beginning to end. Of a life of under 90 days the notices are due after the same shares:
    ///     in its last third, its last 7/90, its last 90th.
    public init?(left: Int64, life: Int64 = .max) {
        let whole = max(0, min(life, 90 * 86_400))
        let due = [EndNotice.over, .day, .week, .month].first { notice in
            notice == .over ? left <= 0 : left < whole * notice.rawValue / 90
        }
        guard let due else { return nil }
        self = due
    }

    /// When it is due, for the log.
    public var words: String {
        switch self {
        case .month: "within 30 days"
        case .week: "within 7 days"
        case .day: "within a day"
        case .over: "now"
        }
    }
}

/// Keeps a log from saying the same again and again: each notice once when it falls due, and then once a day.
struct NoticeRepeat: Sendable {
    /// Seconds between two messages of one notice.
    static let interval: Int64 = 86_400

    private var last: (notice: String, at: Int64)?

    /// Whether the log says a notice now.
    ///
    /// - Parameters:
    ///   - notice: nil where nothing is to be said: what falls due later is then new.
    ///   - now: seconds since 1970. After a clock was set back the notice comes again.
    mutating func isDue(_ notice: String?, at now: Int64) -> Bool {
        guard let notice else {
            last = nil
            return false
        }
        if let last, last.notice == notice, (0..<Self.interval).contains(now - last.at) { return false }
        last = (notice, now)
        return true
    }
}

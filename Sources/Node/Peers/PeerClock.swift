import Foundation

/// How far a peer's clock is from ours, by the `Date` that both sides of a session name at its beginning (RFC 9110
/// section 6.6.1). Nothing is decided by it: it tells the operator that somebody's clock is wrong.
enum PeerClock {
    /// An IMF-fixdate (RFC 9110 section 5.6.7), such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func text(_ seconds: Int64) -> String {
        formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
    }

    /// Seconds since 1970; nil for anything else.
    static func seconds(_ text: String) -> Int64? {
        guard text.utf8.count == 29, let date = formatter.date(from: text) else { return nil }
        return Int64(date.timeIntervalSince1970)
    }

    private static let formatter: DateFormatter = {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(identifier: "GMT")
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter
    }()
}

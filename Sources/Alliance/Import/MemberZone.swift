// The only file of the module that asks a library about time zones.
#if canImport(FoundationInternationalization)
import FoundationEssentials
import FoundationInternationalization
#else
import Foundation
#endif

/// A member's time zone, in which its bare dates begin at midnight (formats, section 8, Time).
public struct MemberZone: Hashable, Sendable {
    /// The name in the IANA time zone database, such as `Asia/Karachi`.
    public let identifier: String
    private let zone: TimeZone

    /// The zone of that name, or nil if the time zone data at hand does not know it.
    public init?(_ identifier: String) {
        guard let zone = TimeZone(identifier: identifier) else { return nil }
        self.identifier = identifier
        self.zone = zone
    }

    private init(identifier: String, zone: TimeZone) {
        self.identifier = identifier
        self.zone = zone
    }

    /// Coordinated Universal Time.
    public static let utc = MemberZone(identifier: "UTC", zone: .gmt)

    /// The first instant of a day. Where the clocks go forward at midnight, that is the instant at which they do.
    public func midnight(of date: CivilDate) -> Timestamp {
        timestamp(localSeconds: Int64(date.daysSince1970) * 86_400)
    }

    /// The date on which an instant falls here.
    public func date(of instant: Timestamp) -> CivilDate {
        let (year, month, day, _) = Timestamp.civil(instant.seconds + Int64(offset(at: instant.seconds)))
        return CivilDate(uncheckedYear: year, month: month, day: day)
    }

    /// The instant, written with the offset that is in force here then.
    public func timestamp(seconds: Int64) -> Timestamp {
        // RFC 3339 writes whole minutes; some zones had odd seconds before they kept standard time.
        Timestamp(seconds: seconds, offsetMinutes: offset(at: seconds) / 60)
    }

    /// The instant at which local clocks show this, counted as if local time were UTC; of two such, the earlier; of
    /// none (the clocks skip it), the instant of the skip.
    func timestamp(localSeconds local: Int64) -> Timestamp {
        let before = Int64(offset(at: local - 86_400))
        let after = Int64(offset(at: local + 86_400))
        let candidates = [local - max(before, after), local - min(before, after)]
        if let found = candidates.first(where: { $0 + Int64(offset(at: $0)) == local }) {
            return timestamp(seconds: found)
        }
        var (low, high) = (candidates[0], candidates[1])
        while low < high {
            let middle = low + (high - low) / 2
            if middle + Int64(offset(at: middle)) >= local { high = middle } else { low = middle + 1 }
        }
        return timestamp(seconds: low)
    }

    private func offset(at seconds: Int64) -> Int {
        zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds)))
    }
}

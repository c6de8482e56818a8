import Alliance

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Instants as people of a member read and write them.
struct MemberClock {
    let zone: MemberZone

    init(zone identifier: String?) { zone = identifier.flatMap { MemberZone($0) } ?? .utc }

    /// Seconds since 1970.
    static var now: Int64 {
        var value = timespec()
        clock_gettime(CLOCK_REALTIME, &value)
        return Int64(value.tv_sec)
    }

    /// Such as `2026-11-21 13:02:11 UTC+5`.
    func text(_ seconds: Int64) -> String {
        let time = zone.timestamp(seconds: seconds)
        return "\(time.dateText) \(time.timeText(seconds: true)) \(Self.zoneText(time.offsetMinutes))"
    }

    /// Such as `13:02:11 UTC+5` for today, else with the date.
    func timeText(_ seconds: Int64) -> String {
        let time = zone.timestamp(seconds: seconds)
        if time.dateText != zone.timestamp(seconds: Self.now).dateText { return text(seconds) }
        return "\(time.timeText(seconds: true)) \(Self.zoneText(time.offsetMinutes))"
    }

    /// An instant of a statement: `2026-11-24` where it is a midnight of its own zone, else date and time.
    static func day(_ text: String?) -> String {
        guard let text, let time = Timestamp(parsing: text) else { return "" }
        if time.timeText(seconds: true) == "00:00:00" { return time.dateText }
        return "\(time.dateText) \(time.timeText(seconds: true)) \(zoneText(time.offsetMinutes))"
    }

    private static func zoneText(_ offset: Int) -> String {
        guard offset != 0 else { return "UTC" }
        let (hours, minutes) = (abs(offset) / 60, abs(offset) % 60)
        return "UTC\(offset < 0 ? "-" : "+")\(hours)\(minutes == 0 ? "" : ":\(minutes < 10 ? "0" : "")\(minutes)")"
    }

    /// Reads `2026-11-24` (midnight here) or an RFC 3339 time.
    ///
    /// - Parameter option: for the error.
    func parse(_ text: String, option: String) throws -> Timestamp {
        if let time = Timestamp(parsing: text) { return time }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        if parts.count == 3, parts[0].utf8.count == 4, parts[1].utf8.count == 2, parts[2].utf8.count == 2,
            parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2]),
            let date = CivilDate(year: year, month: month, day: day)
        {
            return zone.midnight(of: date)
        }
        throw Failure("\(option): \"\(text)\" is no date; give 2026-11-24 or 2026-11-24T09:00:00+05:00")
    }

    /// The date here now, `YYYY-MM-DD`.
    var today: String { zone.timestamp(seconds: Self.now).dateText }
}

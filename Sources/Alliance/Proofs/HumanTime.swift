/// Instants for people: in the member's time zone where its data is at hand, else in UTC.
struct HumanTime {
    private let zone: MemberZone

    init(member: CharterMember?) { zone = member.flatMap { MemberZone($0.zone) } ?? .utc }

    static let utc = HumanTime(member: nil)

    /// Such as `2026-11-24 00:00 UTC+5`; seconds only where they are not zero.
    func text(_ seconds: Int64) -> String {
        guard let time = Self.writable(seconds) else { return "(no date of the calendar)" }
        let local = zone.timestamp(seconds: time)
        let day = local.timeText(seconds: local.seconds % 60 != 0)
        return "\(local.dateText) \(day) \(Self.zoneText(local.offsetMinutes))"
    }

    /// Such as `6 minutes ago`.
    static func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<0: "just now"
        case 0..<60: plural(seconds, "second")
        case 60..<3_600: plural(seconds / 60, "minute")
        case 3_600..<172_800: plural(seconds / 3_600, "hour")
        default: plural(seconds / 86_400, "day")
        }
    }

    private static func plural(_ count: Int64, _ word: String) -> String {
        "\(count) \(word)\(count == 1 ? "" : "s") ago"
    }

    /// The seconds, if years 1 to 9999 hold them in every zone: times in signatures are whatever a key's owner wrote.
    static func writable(_ seconds: Int64) -> Int64? {
        (-62_135_500_000...253_402_200_000).contains(seconds) ? seconds : nil
    }

    private static func zoneText(_ offset: Int) -> String {
        guard offset != 0 else { return "UTC" }
        let magnitude = abs(offset)
        let minutes = magnitude % 60 == 0 ? "" : ":\(magnitude % 60 < 10 ? "0" : "")\(magnitude % 60)"
        return "UTC\(offset < 0 ? "-" : "+")\(magnitude / 60)\(minutes)"
    }
}

/// An instant with the zone in which it was written: an RFC 3339 date-time of whole seconds, such as
/// `2026-11-24T00:00:00+05:00`.
///
/// Order and equality are by what is written only where ``text`` is compared; ``seconds`` orders instants.
public struct Timestamp: Hashable, Sendable, CustomStringConvertible {
    /// Seconds since 1970-01-01T00:00:00Z.
    public let seconds: Int64
    /// Minutes that the zone is ahead of UTC.
    public let offsetMinutes: Int

    /// The years that can be written.
    public static let years = 1...9_999

    /// An instant shown in a zone that is `offsetMinutes` ahead of UTC.
    public init(seconds: Int64, offsetMinutes: Int = 0) {
        self.seconds = seconds
        self.offsetMinutes = offsetMinutes
    }

    /// Reads RFC 3339 strictly: upper-case `T` and `Z`, whole seconds, no leap second, and only the one form that
    /// ``text`` writes (so `+00:00` is refused where `Z` is due).
    public init?(parsing text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == 20 || bytes.count == 25 else { return nil }
        func number(_ start: Int, _ count: Int) -> Int? {
            var value = 0
            for byte in bytes[start..<start + count] {
                guard byte &- 0x30 < 10 else { return nil }
                value = value * 10 + Int(byte &- 0x30)
            }
            return value
        }
        guard bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"),
            bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":")
        else { return nil }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), let second = number(17, 2), Self.years.contains(year), (1...12).contains(month),
            day >= 1, day <= Self.days(inMonth: month, of: year), hour < 24, minute < 60, second < 60
        else { return nil }
        var offset = 0
        if bytes.count == 25 {
            guard bytes[22] == UInt8(ascii: ":"), let hours = number(20, 2), let minutes = number(23, 2), hours < 24,
                minutes < 60
            else { return nil }
            switch bytes[19] {
            case UInt8(ascii: "+"): offset = hours * 60 + minutes
            case UInt8(ascii: "-"): offset = -(hours * 60 + minutes)
            default: return nil
            }
            if offset == 0 { return nil }
        } else if bytes[19] != UInt8(ascii: "Z") {
            return nil
        }
        let days = Self.daysSince1970(year: year, month: month, day: day)
        let local = Int64(days) * 86_400 + Int64(hour * 3_600 + minute * 60 + second)
        self.init(seconds: local - Int64(offset) * 60, offsetMinutes: offset)
    }

    /// The instant as RFC 3339.
    public var text: String {
        let (year, month, day, rest) = Self.civil(seconds + Int64(offsetMinutes) * 60)
        let zone: String
        if offsetMinutes == 0 {
            zone = "Z"
        } else {
            let magnitude = abs(offsetMinutes)
            zone = "\(offsetMinutes < 0 ? "-" : "+")\(Self.two(magnitude / 60)):\(Self.two(magnitude % 60))"
        }
        return "\(date(year, month, day))T\(time(rest, seconds: true))\(zone)"
    }

    /// The date alone, in the instant's own zone, such as `2026-11-24`.
    public var dateText: String {
        let (year, month, day, _) = Self.civil(seconds + Int64(offsetMinutes) * 60)
        return date(year, month, day)
    }

    /// The time of day alone, in the instant's own zone, such as `13:02:11`, or without seconds.
    public func timeText(seconds showSeconds: Bool) -> String {
        time(Self.civil(seconds + Int64(offsetMinutes) * 60).rest, seconds: showSeconds)
    }

    public var description: String { text }

    private func date(_ year: Int, _ month: Int, _ day: Int) -> String {
        let digits = String(year)
        return "\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)-\(Self.two(month))-\(Self.two(day))"
    }

    private func time(_ rest: Int, seconds: Bool) -> String {
        let short = "\(Self.two(rest / 3_600)):\(Self.two(rest / 60 % 60))"
        return seconds ? "\(short):\(Self.two(rest % 60))" : short
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
}

// MARK: - The proleptic Gregorian calendar

extension Timestamp {
    /// Days from 1970-01-01 to a date (negative before).
    static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        // Years that start in March put the leap day last, so that months need no table.
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Date and seconds of the day, of local seconds since 1970.
    static func civil(_ local: Int64) -> (year: Int, month: Int, day: Int, rest: Int) {
        var days = local / 86_400
        var rest = local % 86_400
        if rest < 0 {
            rest += 86_400
            days -= 1
        }
        let shifted = Int(days) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, day, Int(rest))
    }
}

/// A date of the proleptic Gregorian calendar, without time or zone.
public struct CivilDate: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The year, 1 to 9999.
    public let year: Int
    /// The month, 1 to 12.
    public let month: Int
    /// The day of the month, from 1.
    public let day: Int

    /// A date, or nil if there is no such day.
    public init?(year: Int, month: Int, day: Int) {
        guard Timestamp.years.contains(year), (1...12).contains(month), day >= 1,
            day <= Timestamp.days(inMonth: month, of: year)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
    }

    /// The date of an instant, which is always a day of the calendar.
    init(uncheckedYear year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// Reads `YYYY-MM-DD` and nothing else.
    init?(canonical bytes: UnsafeBufferPointer<UInt8>) {
        guard bytes.count == 10, bytes[4] == 0x2D, bytes[7] == 0x2D else { return nil }
        var numbers = [0, 0, 0]
        for (position, byte) in bytes.enumerated() where position != 4 && position != 7 {
            guard byte &- 0x30 < 10 else { return nil }
            let part = position < 4 ? 0 : position < 7 ? 1 : 2
            numbers[part] = numbers[part] * 10 + Int(byte &- 0x30)
        }
        self.init(year: numbers[0], month: numbers[1], day: numbers[2])
    }

    /// The date as `YYYY-MM-DD`.
    public var description: String { Timestamp(seconds: Int64(daysSince1970) * 86_400).dateText }

    /// Days from 1970-01-01, negative before.
    var daysSince1970: Int { Timestamp.daysSince1970(year: year, month: month, day: day) }

    public static func < (left: CivilDate, right: CivilDate) -> Bool {
        (left.year, left.month, left.day) < (right.year, right.month, right.day)
    }
}

/// How a date in digits orders its day and month.
public enum DateOrder: String, Hashable, Sendable {
    case dayFirst, monthFirst
}

/// A date as somebody wrote it.
enum WrittenDate: Hashable {
    /// Year, month, day: `2026-11-24`.
    case iso(CivilDate)
    /// Two numbers and a year, such as `24/11/2026` or `24.11.2026`, whose order the file must tell.
    case digits(first: Int, second: Int, year: Int, separator: UInt8)
    /// With the month's name, such as `3 Nov 2026`.
    case named(CivilDate)

    /// The years that files may name.
    static let years = 1_800...2_199

    /// Reads a text as a date, or tells why it is none. English names of months, whole or three letters.
    static func read(_ text: String) -> Result<WrittenDate, FormProblem> {
        let none = FormProblem("is not a date")
        let bytes = Array(text.utf8)
        guard bytes.count <= 32, bytes.allSatisfy({ $0 < 0x80 }) else { return .failure(none) }
        let tokens = bytes.split { [0x20, 0x2C, 0x2F, 0x2E, 0x2D].contains($0) }.map {
            String(decoding: $0, as: UTF8.self)
        }
        guard tokens.count == 3 else { return .failure(none) }
        let numbers = tokens.map { token in token.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(token) : nil }
        let separators = bytes.filter { !((0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20)) }
        switch (numbers[0], numbers[1], numbers[2]) {
        case (let first?, let second?, let third?):
            guard separators.count == 2, separators[0] == separators[1], separators[0] != 0x2C else {
                return .failure(none)
            }
            if tokens[0].utf8.count == 4 {
                guard tokens[1].utf8.count <= 2, tokens[2].utf8.count <= 2 else { return .failure(none) }
                return day(first, second, third).map { .iso($0) }
            }
            guard tokens[0].utf8.count <= 2, tokens[1].utf8.count <= 2 else { return .failure(none) }
            guard tokens[2].utf8.count == 4 else {
                return .failure(FormProblem("is a date without a year of four digits"))
            }
            guard years.contains(third), (1...31).contains(first), (1...31).contains(second),
                first <= 12 || second <= 12
            else { return .failure(FormProblem("is no day of the calendar")) }
            return .success(.digits(first: first, second: second, year: third, separator: separators[0]))
        case (let dayNumber?, nil, let year?):
            return named(dayNumber, tokens[1], year, tokens[2])
        case (nil, let dayNumber?, let year?):
            return named(dayNumber, tokens[0], year, tokens[2])
        default: return .failure(none)
        }
    }

    /// The date, where the order of day and month is known or does not matter; nil where it is ambiguous.
    func resolved(_ order: DateOrder?) -> Result<CivilDate, FormProblem>? {
        switch self {
        case .iso(let date), .named(let date): return .success(date)
        case .digits(let first, let second, let year, _):
            switch order ?? evidence ?? (first == second ? .dayFirst : nil) {
            case .dayFirst?: return Self.day(year, second, first)
            case .monthFirst?: return Self.day(year, first, second)
            case nil: return nil
            }
        }
    }

    /// The order that this date alone proves.
    var evidence: DateOrder? {
        guard case .digits(let first, let second, _, _) = self else { return nil }
        return first > 12 ? .dayFirst : second > 12 ? .monthFirst : nil
    }

    private static func named(
        _ dayNumber: Int, _ name: String, _ year: Int, _ yearText: String
    ) -> Result<WrittenDate, FormProblem> {
        let months = [
            "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
            "november",
            "december",
        ]
        let lowered = ASCIICase.lowercased(name)
        let index = months.firstIndex {
            $0 == lowered || $0.prefix(3) == lowered || lowered == "sept" && $0 == "september"
        }
        guard let index else { return .failure(FormProblem("is not a date")) }
        guard yearText.utf8.count == 4 else { return .failure(FormProblem("is a date without a year of four digits")) }
        return day(year, index + 1, dayNumber).map { .named($0) }
    }

    private static func day(_ year: Int, _ month: Int, _ day: Int) -> Result<CivilDate, FormProblem> {
        guard years.contains(year), let date = CivilDate(year: year, month: month, day: day) else {
            return .failure(FormProblem("is no day of the calendar"))
        }
        return .success(date)
    }
}

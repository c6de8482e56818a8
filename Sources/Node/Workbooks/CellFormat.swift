import Alliance

/// What a cell's number means by its format: dates are stored as days since a beginning.
enum CellFormat {
    /// Whether a format shows dates: one of the built-in ones, or a code with letters of a date outside quotes.
    static func isDate(id: Int, code: String?) -> Bool {
        if (14...22).contains(id) || (27...36).contains(id) || (50...58).contains(id) { return true }
        guard let code else { return false }
        var isQuoted = false
        var isEscaped = false
        var isInBrackets = false
        for scalar in code.unicodeScalars {
            if isEscaped {
                isEscaped = false
                continue
            }
            switch scalar {
            case "\"": isQuoted.toggle()
            case "\\", "_", "*": isEscaped = !isQuoted
            case "[" where !isQuoted: isInBrackets = true
            case "]" where !isQuoted: isInBrackets = false
            case "y", "Y", "d", "D": if !isQuoted, !isInBrackets { return true }
            default: break
            }
        }
        return false
    }

    /// A number of days as `YYYY-MM-DD`, with a time of day as `YYYY-MM-DDThh:mm:ss`; nil where it is no day from 1900 to
    /// 9999. The day 1900-02-29, which spreadsheets count and the calendar has not, is none.
    static func date(_ days: Double, since1904: Bool) -> String? {
        guard days.isFinite, days >= 0, days < 2_958_466 else { return nil }
        var whole = Int(days)
        var seconds = Int(((days - Double(whole)) * 86_400).rounded())
        if seconds == 86_400 { (whole, seconds) = (whole + 1, 0) }
        let first: Int
        switch (since1904, whole) {
        case (true, _): first = -24_107
        case (false, 61...): first = -25_569
        case (false, 1...59): first = -25_568
        default: return nil
        }
        let time = Timestamp(seconds: Int64((whole + first) * 86_400 + seconds))
        return seconds == 0 ? time.dateText : "\(time.dateText)T\(time.timeText(seconds: true))"
    }

    /// A number as people write it: without an exponent where it has few digits, and without the last bits' noise.
    static func number(_ text: String) -> String {
        guard let value = Double(text), value.isFinite else { return text }
        if let whole = Int64(exactly: value), whole.magnitude < 1_000_000_000_000_000 { return String(whole) }
        let short = String(value)
        return short.contains("e") ? text : short
    }
}

import Alliance

extension JSONValue {
    /// A member that should be a text; empty where it is not.
    func text(_ name: String) -> String { self[name]?.string ?? "" }

    /// A member that should be a whole number; 0 where it is not.
    func number(_ name: String) -> Int64 { self[name]?.integer ?? 0 }

    /// A member that should be a list; empty where it is not.
    func list(_ name: String) -> [JSONValue] { self[name]?.array ?? [] }

    func flag(_ name: String) -> Bool { self[name]?.bool ?? false }

    /// A member that should be an RFC 3339 time, in seconds since 1970.
    func time(_ name: String) -> Int64? { self[name]?.string.flatMap { Timestamp(parsing: $0)?.seconds } }

    /// The value as a person reads it in a cell.
    var shown: String {
        switch self {
        case .null: ""
        case .bool(let value): value ? "yes" : "no"
        case .integer(let value): String(value)
        case .number(let text): text
        case .string(let text): text
        case .array(let items): items.map(\.shown).joined(separator: ", ")
        case .object: String(decoding: encoded(), as: UTF8.self)
        }
    }
}

/// Words with their numbers.
func count(_ number: Int, _ noun: String, plural: String? = nil) -> String {
    "\(grouped(number)) \(number == 1 ? noun : plural ?? "\(noun)s")"
}

/// Such as `12,345`.
func grouped(_ number: Int) -> String {
    let digits = Array(String(abs(number)))
    var text = ""
    for (position, digit) in digits.enumerated() {
        if position > 0, (digits.count - position) % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return number < 0 ? "-\(text)" : text
}

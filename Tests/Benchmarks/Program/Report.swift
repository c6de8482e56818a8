import Foundation
import Synchronization

/// One line of the table.
struct Measurement: Encodable, Sendable {
    /// What it is called in JSON, for ever.
    let name: String
    /// What was measured.
    let about: String
    let value: Double
    let unit: String
    /// What the machine could do at most, measured in the same run.
    var limit: Limit?
    /// The value divided by the limit.
    var ratio: Double? { limit.map { value / $0.value } }
    /// What is to be reached, if that is said anywhere.
    var target: Target?
    var reached: Bool? { target?.isReached(value, ratio) }
    /// How the repetitions lay, in the value's unit.
    var spread: Spread?
    var note: String?

    struct Limit: Encodable, Sendable {
        let about: String
        let value: Double
    }

    private enum CodingKeys: CodingKey { case name, about, value, unit, limit, ratio, target, reached, spread, note }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(about, forKey: .about)
        try container.encode(value, forKey: .value)
        try container.encode(unit, forKey: .unit)
        try container.encode(limit, forKey: .limit)
        try container.encode(ratio, forKey: .ratio)
        try container.encode(target?.description, forKey: .target)
        try container.encode(reached, forKey: .reached)
        try container.encode(spread, forKey: .spread)
        try container.encode(note, forKey: .note)
    }
}

/// What a line is to reach.
enum Target: Sendable, CustomStringConvertible {
    case atLeast(Double)
    case atMost(Double)
    /// Of the limit measured in the same run.
    case ratioAtLeast(Double)
    case ratioAtMost(Double)

    func isReached(_ value: Double, _ ratio: Double?) -> Bool {
        switch self {
        case .atLeast(let bound): value >= bound
        case .atMost(let bound): value <= bound
        case .ratioAtLeast(let bound): ratio.map { $0 >= bound } ?? false
        case .ratioAtMost(let bound): ratio.map { $0 <= bound } ?? false
        }
    }

    var description: String {
        switch self {
        case .atLeast(let bound): "≥ \(Report.number(bound))"
        case .atMost(let bound): "≤ \(Report.number(bound))"
        case .ratioAtLeast(let bound): "≥ \(Report.number(bound)) × limit"
        case .ratioAtMost(let bound): "≤ \(Report.number(bound)) × limit"
        }
    }
}

/// Everything that one run found out.
final class Report: Sendable {
    private let machine: MachineFacts
    private let size: String
    private let entries: Int
    private struct State {
        var limits: [Measurement] = []
        var results: [Measurement] = []
        var seconds = 0.0
    }
    private let state = Mutex(State())
    private let begun = Stopwatch()

    init(machine: MachineFacts, size: String, entries: Int) {
        self.machine = machine
        self.size = size
        self.entries = entries
    }

    /// A limit of the machine.
    func add(limit: Measurement) {
        state.withLock { $0.limits.append(limit) }
        progress("  \(limit.about): \(Self.number(limit.value)) \(limit.unit)")
    }

    func add(_ result: Measurement) {
        state.withLock { $0.results.append(result) }
        let ratio = result.ratio.map { ", \(Self.number($0)) × \(result.limit?.about ?? "")" } ?? ""
        progress("  \(result.about): \(Self.number(result.value)) \(result.unit)\(ratio)")
    }

    func finish(seconds: Double) { state.withLock { $0.seconds = seconds } }

    /// Says on standard error how far the run is.
    func progress(_ text: String) {
        let line = String(format: "%6.1f s  ", begun.seconds) + text + "\n"
        FileHandle.standardError.write(Data(line.utf8))
    }

    // MARK: Printing

    private struct Document: Encodable {
        let version = 1
        let size: String
        let entries: Int
        let seconds: Double
        let machine: MachineFacts
        let limits: [Measurement]
        let results: [Measurement]
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let document = state.withLock {
            Document(
                size: size, entries: entries, seconds: $0.seconds, machine: machine, limits: $0.limits,
                results: $0.results)
        }
        return String(decoding: try encoder.encode(document), as: UTF8.self)
    }

    /// The report for people: Markdown tables, so that it can go into Docs/benchmarks.md as it is.
    func table() -> String {
        let (limits, results, seconds) = state.withLock { ($0.limits, $0.results, $0.seconds) }
        var lines = [machine.text, "\(size) size, \(entries) entries, \(Self.number(seconds)) s.", ""]
        lines += ["| the machine's limits | |", "|---|---|"]
        lines += limits.map { "| \($0.about) | \(Self.cell($0)) |" }
        lines += [
            "", "| what | measured | limit of this run | ratio | target | reached |", "|---|---|---|---|---|---|",
        ]
        for result in results {
            let limit = result.limit.map { "\($0.about): \(Self.number($0.value))" } ?? ""
            let reached = result.reached.map { $0 ? "yes" : "**no**" } ?? ""
            let ratio = result.ratio.map(Self.number) ?? ""
            lines.append(
                "| \(result.about) | \(Self.cell(result)) | \(limit) | \(ratio) | \(result.target?.description ?? "") "
                    + "| \(reached) |")
        }
        let notes = results.filter { $0.note != nil }
        if !notes.isEmpty { lines += [""] + notes.map { "- \($0.about): \($0.note ?? "")" } }
        return lines.joined(separator: "\n")
    }

    private static func cell(_ one: Measurement) -> String {
        let spread = one.spread.map { $0.count > 1 ? " (\(number($0.least)) to \(number($0.most)), \($0.count)×)" : "" }
        return "\(number(one.value)) \(one.unit)\(spread ?? "")"
    }

    /// A number with about three digits that matter.
    static func number(_ value: Double) -> String {
        let size = abs(value)
        if size >= 1_000 {
            let digits = String(Int(value.rounded()))
            var text = ""
            for (position, digit) in digits.enumerated() {
                if position > 0, (digits.count - position) % 3 == 0, text.last != "-" { text += "," }
                text.append(digit)
            }
            return text
        }
        let format =
            size >= 100 || value == value.rounded() ? "%.0f" : size >= 10 ? "%.1f" : size >= 1 ? "%.2f" : "%.3f"
        return String(format: format, value)
    }
}

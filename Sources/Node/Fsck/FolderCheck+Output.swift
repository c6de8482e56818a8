public import Alliance
import Store

extension FolderCheck.Outcome {
    /// Whether anything is damaged.
    public var isDamaged: Bool { report.findings.damage > 0 }

    /// The report for programs.
    public var json: JSONValue {
        let findings = report.findings
        var counts = JSONObject()
        for code in AuditFinding.Code.allCases {
            if let count = findings.counts[code] { counts[code.rawValue] = .integer(Int64(clamping: count)) }
        }
        let work = report.work
        var object: JSONObject = [
            "member": .string(member), "clean": .bool(!isDamaged), "damage": .integer(Int64(clamping: findings.damage)),
            "notices": .integer(Int64(clamping: findings.notices)), "counts": .object(counts),
            "findings": .array(findings.kept.map { Self.json($0) }),
            "checked": [
                "logs": .integer(Int64(work.logs)), "entries": .integer(Int64(work.entries)),
                "bytes": .integer(Int64(work.bytes)), "statements": .integer(Int64(work.statements)),
                "noteSignatures": .integer(Int64(work.noteSignatures)), "documents": .integer(Int64(work.documents)),
                "documentBytes": .integer(Int64(work.documentBytes)),
                "milliseconds": .integer(Int64(seconds * 1_000)),
            ],
        ]
        if let repair {
            object["repair"] = [
                "damageBefore": .integer(Int64(clamping: repair.before.findings.damage)),
                "done": .array(repair.actions.map { .string($0) }),
                "failed": .array(repair.failures.map { .string($0) }),
            ]
        }
        return .object(object)
    }

    private static func json(_ finding: AuditFinding) -> JSONValue {
        var object: JSONObject = ["code": .string(finding.code.rawValue), "damage": .bool(finding.code.isDamage)]
        let place = finding.place
        let texts: [(String, String?)] = [
            ("log", place.log), ("table", place.table), ("key", place.key), ("column", place.column),
            ("file", place.file), ("expected", finding.expected), ("found", finding.found),
            ("meaning", finding.code.meaning), ("remedy", finding.code.remedy),
        ]
        for (name, text) in texts { object[name] = text.map { .string($0) } }
        object["index"] = place.index.map { .integer(Int64(clamping: $0)) }
        return .object(object)
    }

    /// The report for people: what is damaged and what to do, by kind, then what is only worth saying.
    public var lines: [String] {
        let findings = report.findings
        var lines: [String] = []
        if let repair {
            lines += repair.actions.map { "repaired: \($0)" } + repair.failures.map { "NOT repaired: \($0)" }
        }
        for code in AuditFinding.Code.allCases.filter(\.isDamage) + AuditFinding.Code.allCases.filter({ !$0.isDamage })
        {
            guard let count = findings.counts[code] else { continue }
            lines.append("\(code.isDamage ? "DAMAGE" : "note") \(code.rawValue): \(code.meaning)")
            let kept = findings.kept.filter { $0.code == code }
            lines += kept.map { "  \(Self.line($0))" }
            if count > UInt64(kept.count) { lines.append("  … \(count) in all") }
            lines.append("  to do: \(code.remedy)")
        }
        return lines
    }

    private static func line(_ finding: AuditFinding) -> String {
        let place = finding.place
        var parts: [String] = []
        if let log = place.log { parts.append("log \(log)") }
        if let index = place.index { parts.append("entry \(index)") }
        if let table = place.table { parts.append("table \(table)") }
        if let key = place.key { parts.append("row \(key)") }
        if let column = place.column { parts.append("column \(column)") }
        if let file = place.file { parts.append(file) }
        var line = parts.joined(separator: ", ")
        if let expected = finding.expected { line += "; expected \(expected)" }
        if let found = finding.found { line += "; found \(found)" }
        return line
    }

    /// What was checked, in one line.
    public var summary: String {
        let work = report.work
        let time = seconds < 10 ? "\((seconds * 10).rounded() / 10)" : String(Int(seconds))
        let rate = seconds > 0 ? Int(Double(work.entries) / seconds) : 0
        return "checked \(work.entries) entries of \(work.logs) logs, \(work.statements) statements, "
            + "\(work.noteSignatures) signatures under checkpoints, \(work.documents) documents in \(time) s "
            + "(\(rate) entries/s)"
    }
}

extension AuditProgress {
    /// The stage as a person reads it while waiting.
    var text: String {
        let what =
            switch stage {
            case .database: "checking the database"
            case .trees: "hashing entries"
            case .signatures: "verifying checkpoints"
            case .counting: "verifying and counting entries"
            case .comparing: "comparing rows"
            case .documents: "hashing documents"
            }
        if total > 0 { return "\(what): \(done) of \(total)" }
        return done > 0 ? "\(what): \(done)" : what
    }
}

import Alliance
import ArgumentParser
import Foundation
import Node
import TransparencyLog

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Show what the node did and refused, and check that nothing of it was changed.",
        discussion: """
            The record is audit.jsonl in the node's folder, one JSON object a line, and only grows. Each line names the \
            SHA-256 of the one before: keep the digest that is printed at the end somewhere else, and --digest says later \
            whether everything up to there still stands. No node has to run.

            Examples:
              entente audit
              entente audit --since 2026-11-01 --kind published --kind roster
              entente audit --json | jq 'select(.kind == "refused")'
              entente audit --digest HrP1…
            """)

    @Option(help: ArgumentHelp("Only from this day or time on (RFC 3339).", valueName: "date"))
    var since: String?
    @Option(help: ArgumentHelp("Only this kind; may be repeated.", valueName: "kind"))
    var kind: [String] = []
    @Option(help: ArgumentHelp("Show so many of the newest; 0 for all.", valueName: "number"))
    var limit: Int = 50
    @Option(
        help: ArgumentHelp(
            "A digest that was printed earlier: status 1 where the file has no such line.", valueName: "digest"))
    var digest: String?
    @Option(help: ArgumentHelp("The file. Default: audit.jsonl in the node's folder.", valueName: "file"))
    var file: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard limit >= 0 else { throw ValidationError("--limit must be 0 or more") }
        for word in kind where AuditRecord.Kind(rawValue: word) == nil {
            let known = AuditRecord.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--kind \(word): is not known; the kinds are: \(known)")
        }
        if let since, Self.time(since) == nil {
            throw ValidationError("--since \(since): must be a date such as 2026-11-01, or an RFC 3339 time")
        }
        if let digest, HashValue(base64url: digest) == nil {
            throw ValidationError("--digest \(digest): must be a digest as entente audit prints it")
        }
    }

    private static func time(_ text: String) -> Int64? {
        Timestamp(parsing: text)?.seconds ?? Timestamp(parsing: "\(text)T00:00:00Z")?.seconds
    }

    func run() throws {
        let path = try file ?? node.load().settings.auditPath
        let since = since.flatMap(Self.time) ?? 0
        let kinds = Set(kind.compactMap { AuditRecord.Kind(rawValue: $0) })
        let wanted = digest.flatMap { HashValue(base64url: $0) }
        var found = wanted == nil
        var chain = AuditChain()
        var shown: [(AuditRecord, [UInt8])] = []
        try AuditLines.read(path) { line in
            guard let record = try chain.read(line, file: path) else { return }
            if chain.digest == wanted { found = true }
            guard record.time >= since, kinds.isEmpty || kinds.contains(record.kind) else { return }
            shown.append((record, line))
            if limit > 0, shown.count > 2 * limit { shown.removeFirst(limit) }
        }
        let isTorn = try chain.finish()
        if limit > 0 { shown = Array(shown.suffix(limit)) }
        if output.json {
            // The very lines, so that what is kept elsewhere can be checked too.
            for (_, line) in shown { Console.print(String(decoding: line, as: UTF8.self)) }
        } else {
            Console.print(lines(shown.map(\.0), chain, isTorn))
        }
        guard found else {
            throw Failure("\(path): no line has the digest \(digest ?? ""): records were changed or taken out")
        }
    }

    private func lines(_ records: [AuditRecord], _ chain: AuditChain, _ isTorn: Bool) -> [String] {
        let clock = MemberClock(zone: nil)
        var table = Table()
        for record in records {
            table.add([
                String(record.sequence), clock.text(record.time), record.kind.rawValue,
                DisplayWidth.cut(record.text, to: 100),
            ])
        }
        let torn = isTorn ? ["The end is not whole; the node notes that at its next start."] : []
        return table.lines() + torn + [
            "\(count(Int(chain.count), "record")), each following the one before. Newest digest: \(chain.digest.base64url)"
        ]
    }
}

/// The lines of a file that may be long, one after the other.
enum AuditLines {
    static func read(_ path: String, _ body: ([UInt8]) throws -> Void) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw Failure("\(path): cannot be read; the node writes it when it first runs, for its own user alone")
        }
        defer { try? handle.close() }
        var rest: [UInt8] = []
        while let data = try handle.read(upToCount: 1 << 20), !data.isEmpty {
            rest += data
            var start = 0
            while let end = rest[start...].firstIndex(of: 0x0A) {
                try body(Array(rest[start..<end]))
                start = end + 1
            }
            rest.removeFirst(start)
            guard rest.count <= AuditRecord.byteLimit else { throw Failure("\(path): is no audit file") }
        }
        if !rest.isEmpty { try body(rest) }
    }
}

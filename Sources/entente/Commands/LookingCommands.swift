import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct RegistersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registers", abstract: "List the registers that members keep.",
        discussion: "Examples:\n  entente registers\n  entente registers --member sv")

    @Option(help: ArgumentHelp("Only those of one member.", valueName: "name"))
    var member: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let answer = try await node.get("/v1/registers", [("member", member ?? "all")])
            if output.json { return Console.print(answer) }
            let registers = answer.list("registers")
            guard !registers.isEmpty else { return Console.print("No register has an entry yet.") }
            var table = Table(["member", "register", "rows", "title", "joined"], rightAligned: [2])
            for one in registers {
                let joined = one.flag("shared") ? one.text("merge") : "own"
                table.add([
                    node.title(one.text("member")), one.text("register"), grouped(Int(one.number("rows"))),
                    one.text("title"),
                    joined,
                ])
            }
            Console.print(table.lines())
        }
    }
}

struct EntriesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entries", abstract: "Show entries of a member's log, as they stand in it.",
        discussion: "Examples:\n  entente entries\n  entente entries --member sv --from 0 --limit 50")

    @Option(help: ArgumentHelp("The member. Default: this node's own.", valueName: "name"))
    var member: String?
    @Option(help: ArgumentHelp("The first entry. Default: so that the newest are shown.", valueName: "index"))
    var from: UInt64?
    @Option(help: ArgumentHelp("Entries to show, up to 1000.", valueName: "number"))
    var limit: Int = 20
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...1_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 1000") }
    }

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let answer = try await node.get(
                "/v1/entries", [("member", member), ("from", from.map { String($0) }), ("limit", String(limit))])
            if output.json { return Console.print(answer) }
            let title = node.title(member ?? node.settings.member)
            Console.print(EntryText.lines(answer.list("entries"), clock: node.clock(member)))
            Console.print("\(title)'s log has \(count(Int(answer.number("size")), "entry", plural: "entries")).")
        }
    }
}

/// Entries of a log for people.
enum EntryText {
    static func lines(_ entries: [JSONValue], clock: MemberClock) -> [String] {
        var table = Table(["entry", "kind", "what", "signed by", "when"], rightAligned: [0])
        for entry in entries {
            var what = DisplayWidth.cut(entry.text("summary"), to: 90)
            if !entry.flag("counts") {
                let reason = entry["reason"]?.string.map { ": \($0)" } ?? ""
                what += " (without effect\(reason))"
            }
            table.add([
                String(entry.number("index")), entry.text("kind"), what, entry.text("signedBy"),
                entry.time("issuedAt").map { clock.text($0) } ?? "",
            ])
        }
        return table.lines()
    }
}

struct DocumentsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "documents", abstract: "List policy documents, or save one of them.",
        discussion: """
            Examples:
              entente documents
              entente documents --member pk
              entente documents --save 3f9c… --out act.md
            """)

    @Option(help: ArgumentHelp("Only those of one member.", valueName: "name"))
    var member: String?
    @Option(
        help: ArgumentHelp("Save the document of this SHA-256 (or its first 8 digits and more).", valueName: "digest"))
    var save: String?
    @Option(help: ArgumentHelp("Where to save it.", valueName: "file"))
    var out: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (save == nil) == (out == nil) else { throw ValidationError("--save and --out go together") }
    }

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let answer = try await node.get("/v1/documents", [("member", member ?? "all")])
            let documents = answer.list("documents")
            if let save, let out { return try await Self.save(save, to: out, documents, node) }
            if output.json { return Console.print(answer) }
            guard !documents.isEmpty else { return Console.print("No document is published yet.") }
            var table = Table(
                ["member", "work", "date", "language", "title", "held", "sha256", "entry"], rightAligned: [7])
            for document in documents {
                table.add([
                    node.title(document.text("member")), document.text("work"), document.text("date"),
                    document.text("language"), DisplayWidth.cut(document.text("title"), to: 50),
                    document.flag("held") ? "yes" : "not yet", String(document.text("sha256").prefix(12)),
                    String(document.number("index")),
                ])
            }
            Console.print(table.lines())
        }
    }

    private static func save(
        _ prefix: String, to path: String, _ documents: [JSONValue], _ node: NodeConnection
    ) async throws {
        let found = Set(documents.map { $0.text("sha256") }.filter { $0.hasPrefix(prefix.lowercased()) })
        guard prefix.utf8.count >= 8, found.count == 1, let digest = found.first else {
            throw Failure(
                "--save \(prefix): \(found.count > 1 ? "several documents begin so" : "no document has this SHA-256")")
        }
        let bytes = try await node.client.bytes("/v1/documents/\(digest)")
        try PlainFile.write(bytes, to: path)
        Console.print("Saved \(grouped(bytes.count)) bytes to \(path).")
    }
}

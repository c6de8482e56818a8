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

struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a register, or what every member says of one key.",
        discussion: """
            A register's lookup fields work too, by --domain and --lei, or by name: entente show vasp-licences/lei \
            5299005V5GBSN2A4C303. That nobody states a value is proven by entente prove --every-member.

            Examples:
              entente show vasp-licences
              entente show warnings --domain example.com
              entente show vasp-licences PK-0117 --on 2026-11-25
              entente show vasp-licences --member sv --limit 1000
            """)

    @Argument(help: "The register, such as vasp-licences.")
    var register: String
    @Argument(help: "The key, such as PK-0117.")
    var key: String?
    @OptionGroup var lookup: LookupOptions
    @Option(help: ArgumentHelp("What holds at this date. Default: now.", valueName: "date"))
    var on: String?
    @Option(help: ArgumentHelp("Only what one member says.", valueName: "name"))
    var member: String?
    @Option(help: ArgumentHelp("Rows to show at most.", valueName: "number"))
    var limit: Int = 100
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 1000000") }
        guard key == nil || !lookup.isGiven else { throw ValidationError("give a key, or --domain, or --lei") }
    }

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let definition = try await definition(node)
            let question = try lookup.question(register, definition)
            let register = question?.map ?? register
            let key = question?.key ?? key
            let on = try on.map { try node.clock(member).parse($0, option: "--on").text }
            let query: [(String, String?)] = [("register", register), ("on", on), ("member", member ?? "all")]
            if let key {
                let answer = try await node.get("/v1/rows", query + [("key", key)])
                if output.json { return Console.print(answer) }
                let saysBusiness = definition?.statuses.contains(where: \.permitsBusiness) ?? true
                Self.one(answer.list("rows"), node, register: register, key: key, saysBusiness: saysBusiness)
                return
            }
            let (rows, isCut) = try await page(node, query)
            if output.json { return Console.print(["rows": .array(rows), "cut": .bool(isCut)]) }
            Self.many(rows, isCut: isCut, node, register: register)
        }
    }

    /// The register's definition, as far as this node knows it.
    private func definition(_ node: NodeConnection) async throws -> RegisterDefinition? {
        let parts = register.split(separator: "/", maxSplits: 1).map(String.init)
        let definition = try await KnownDefinition.read(node, parts.first ?? register).definition
        if let definition, parts.count == 2, !definition.lookups.contains(where: { $0.field == parts[1] }) {
            let known = definition.lookups.map { "\(definition.name)/\($0.field)" }.joined(separator: ", ")
            throw Failure("\(register): there is no such lookup\(known.isEmpty ? "" : "; there are: \(known)")")
        }
        return definition
    }

    private func page(_ node: NodeConnection, _ query: [(String, String?)]) async throws -> ([JSONValue], Bool) {
        var rows: [JSONValue] = []
        var cursor: String?
        repeat {
            let size = min(1_000, limit - rows.count)
            let answer = try await node.get("/v1/rows", query + [("after", cursor), ("limit", String(size))])
            rows += answer.list("rows")
            cursor = answer["next"]?.string
        } while cursor != nil && rows.count < limit
        return (rows, cursor != nil)
    }

    private static func many(_ rows: [JSONValue], isCut: Bool, _ node: NodeConnection, register: String) {
        guard !rows.isEmpty else { return Console.print("\(register) has no row yet.") }
        var table = Table(["member", "key", "name", "status", "from", "entry"], rightAligned: [5])
        for row in rows {
            let key = row.text("key")
            let label = RegisterChanges.label(of: row["fields"]?.object ?? [:], key: key)
            table.add([
                node.title(row.text("member")), DisplayWidth.cut(key, to: 44),
                label == key ? "" : DisplayWidth.cut(label, to: 44), status(row),
                MemberClock.day(row["validFrom"]?.string),
                String(row.number("index")),
            ])
        }
        Console.print(table.lines())
        Console.print(isCut ? "\(count(rows.count, "row")) shown, there are more: --limit" : count(rows.count, "row"))
    }

    /// The status, or why there is none.
    private static func status(_ row: JSONValue) -> String {
        let conflict = row.flag("conflict") ? " (conflict)" : ""
        return switch row.text("answer") {
        case "present": row.text("status") + conflict + (row.list("problems").isEmpty ? "" : " (not valid)")
        case "retracted": "taken back"
        default: "none in force"
        }
    }

    private static func one(
        _ rows: [JSONValue], _ node: NodeConnection, register: String, key: String, saysBusiness: Bool
    ) {
        guard !rows.isEmpty else {
            return Console.print("Nobody ever stated \(key) in \(register).")
        }
        for row in rows {
            let fields = row["fields"]?.object ?? [:]
            let key = row.text("key")
            var lines = [
                "\(node.title(row.text("member"))): \(RegisterChanges.label(of: fields, key: key)) is \(status(row))"
            ]
            var table = Table()
            table.add(["key", key])
            if row.text("answer") == "present" {
                let permits = saysBusiness ? row["permitsBusiness"]?.bool : nil
                let business = permits.map { $0 ? "permits business" : "permits no business" }
                table.add(["status", [row.text("status"), business].compactMap { $0 }.joined(separator: ", ")])
                table.add(["from", MemberClock.day(row["validFrom"]?.string)])
                if let until = row["validUntil"]?.string { table.add(["until", MemberClock.day(until)]) }
                for field in fields.members { table.add([field.name, field.value.shown]) }
                table.add(["signed by", row.text("signedBy")])
                for problem in row.list("problems") { table.add(["not valid", problem.shown]) }
            }
            table.add(["entry", String(row.number("index"))])
            lines += table.lines(indent: 2)
            for statement in row.list("statements") where statement.number("index") != row.number("index") {
                lines.append(
                    "  also stated: \(statement.text("status")) from \(MemberClock.day(statement["validFrom"]?.string)) "
                        + "(entry \(statement.number("index")))")
            }
            Console.print(lines)
        }
    }
}

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "Show all that a member ever said of one key, newest first.",
        discussion: """
            Examples:
              entente history vasp-licences PK-0117
              entente history @documents /akn/pk/act/2025/virtual-assets --member pk
            """)

    @Argument(help: "The register, or @documents.")
    var register: String
    @Argument(help: "The key, or the document's work.")
    var key: String
    @Option(help: ArgumentHelp("The member. Default: this node's own.", valueName: "name"))
    var member: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let map = register == "documents" ? "@documents" : register
            let answer = try await node.get("/v1/history", [("register", map), ("key", key), ("member", member)])
            if output.json { return Console.print(answer) }
            let entries = answer.list("entries")
            guard !entries.isEmpty else {
                let title = node.title(member ?? node.settings.member)
                return Console.print("\(title) never stated \(key) in \(register).")
            }
            Console.print(EntryText.lines(entries, clock: node.clock(member)))
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

import Alliance
import ArgumentParser
import Node

struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a register, or what every member says of one key.",
        discussion: """
            Where the charter joins a register across members (joint, or by K), what holds for all is shown: the effective \
            status, whether there is a conflict, who adopted it. --each shows every member's own word, as it is in other registers.

            A register's lookup fields work too, by --domain and --lei, or by name: entente show vasp-licences/lei \
            5299005V5GBSN2A4C303. That nobody states a value is proven by entente prove --every-member.

            Examples:
              entente show vasp-licences
              entente show warnings --domain example.com
              entente show vasp-licences PK-0117 --on 2026-11-25
              entente show vasp-licences --member sv --limit 1000
              entente show vasp-licences PK-0117 --on 2026-11-25 --known-at 2026-11-01

            --known-at answers from what was known at a time: from the part of each log that a quorum of members held and \
            had signed by then (the q-th earliest signature that this node kept). What came later is left out, however far back it \
            reaches. The answer names the sizes of the logs; --known-at pk:1853,sv:120 asks for exactly these again, at \
            any node. A date is its midnight here. Docs/specification/views.md has the rules.
            """)

    @Argument(help: "The register, such as vasp-licences.")
    var register: String
    @Argument(help: "The key, such as PK-0117.")
    var key: String?
    @OptionGroup var lookup: LookupOptions
    @Option(
        help: ArgumentHelp("What holds at this date. Default: the time of --known-at, else now.", valueName: "date"))
    var on: String?
    @OptionGroup var past: KnownAtOptions
    @Option(help: ArgumentHelp("Only what one member says.", valueName: "name"))
    var member: String?
    @Flag(help: "Each member's own word, where the register is joined across members.")
    var each = false
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
            let (definition, isJoined) = try await definition(node)
            let question = try lookup.question(register, definition)
            let register = question?.map ?? register
            let key = question?.key ?? key
            let on = try on.map { try node.clock(member).parse($0, option: "--on").text }
            let known = try past.text(node)
            if isJoined, !each, member == nil, question == nil {
                let joined = JoinedShow(node: node, register: register, key: key, on: on, known: known, limit: limit)
                return try await joined.run(json: output.json, definition)
            }
            let query: [(String, String?)] = [
                ("register", register), ("on", on), ("member", member ?? "all"), ("known", known),
            ]
            if let key {
                let answer = try await node.get("/v1/rows", query + [("key", key)])
                if output.json { return Console.print(answer) }
                let saysBusiness = definition?.statuses.contains(where: \.permitsBusiness) ?? true
                Self.one(answer.list("rows"), node, register: register, key: key, saysBusiness: saysBusiness)
                KnownAtOptions.show(answer["known"], node)
                return
            }
            let (rows, isCut, state) = try await page(node, query)
            if output.json {
                var answer: JSONObject = ["rows": .array(rows), "cut": .bool(isCut)]
                answer["known"] = state
                return Console.print(.object(answer))
            }
            Self.many(rows, isCut: isCut, node, register: register)
            KnownAtOptions.show(state, node)
        }
    }

    /// The register's definition, as far as this node knows it, and whether the charter joins the register across members.
    private func definition(_ node: NodeConnection) async throws -> (RegisterDefinition?, isJoined: Bool) {
        let parts = register.split(separator: "/", maxSplits: 1).map(String.init)
        let (definition, known) = try await KnownDefinition.read(node, parts.first ?? register)
        if let definition, parts.count == 2, !definition.lookups.contains(where: { $0.field == parts[1] }) {
            let known = definition.lookups.map { "\(definition.name)/\($0.field)" }.joined(separator: ", ")
            throw Failure("\(register): there is no such lookup\(known.isEmpty ? "" : "; there are: \(known)")")
        }
        return (definition, parts.count == 1 && known.text("merge") != "each")
    }

    private func page(
        _ node: NodeConnection, _ query: [(String, String?)]
    ) async throws -> (rows: [JSONValue], isCut: Bool, known: JSONValue?) {
        var rows: [JSONValue] = []
        var cursor: String?
        var known: JSONValue?
        repeat {
            let size = min(1_000, limit - rows.count)
            let answer = try await node.get("/v1/rows", query + [("after", cursor), ("limit", String(size))])
            rows += answer.list("rows")
            cursor = answer["next"]?.string
            known = known ?? answer["known"]
        } while cursor != nil && rows.count < limit
        return (rows, cursor != nil, known)
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

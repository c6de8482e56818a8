import Alliance
import ArgumentParser
import Node

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show all that was ever said of one key, by every member and in every register.",
        usage: "entente history [<register>] <key> [--register <register>] [--member <name>]",
        discussion: """
            Who signed it, from when it speaks, and what it changed, field by field: it replaces another entry (a \
            correction), follows one (a change from a date, which stands beside), or takes entries back. Endorsements of \
            these entries, by whatever member, stand with them. Of each member and register the newest entry comes first. Between members there is no order: "when" is the officer's own clock.

            Examples:
              entente history PK-0117
              entente history vasp-licences PK-0117 --member pk
              entente history /akn/pk/act/2025/virtual-assets
            """)

    @Argument(help: "The key, or a document's work; in front of it, perhaps the register, or @documents.")
    var words: [String]
    @Option(help: ArgumentHelp("Only this register. Default: all.", valueName: "register"))
    var register: String?
    @Option(help: ArgumentHelp("Only this member. Default: all.", valueName: "name"))
    var member: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...2).contains(words.count) else {
            throw ValidationError("give a key, or a register and a key; quote a key that has spaces")
        }
        guard words.count == 1 || register == nil else {
            throw ValidationError("the register stands twice: in front of the key, and with --register")
        }
    }

    func run() async throws {
        let key = words[words.count - 1]
        let named = words.count == 2 ? words[0] : register
        try await NodeConnection.with(node) { node in
            let map = named == "documents" ? "@documents" : named
            let answer = try await node.get(
                "/v1/history", [("register", map), ("key", key), ("member", member ?? "all")])
            if output.json { return Console.print(answer) }
            let entries = answer.list("entries")
            guard !entries.isEmpty else {
                let who = member.map { "\(node.title($0)) never" } ?? "Nobody ever"
                return Console.print("\(who) stated \(key) in \(named ?? "any register").")
            }
            Console.print(Self.lines(entries, node))
            if answer.flag("cut") { Console.print("There are more: only the newest of each member are shown.") }
        }
    }

    /// A table for each register and member.
    private static func lines(_ entries: [JSONValue], _ node: NodeConnection) -> [String] {
        var lines: [String] = []
        var start = 0
        while start < entries.count {
            let (register, member) = (entries[start].text("register"), entries[start].text("member"))
            let group = entries[start...].prefix { $0.text("register") == register && $0.text("member") == member }
            if start > 0 { lines.append("") }
            lines.append("\(node.title(member)), \(register == "@documents" ? "documents" : register):")
            lines += table(Array(group), node, member)
            start += group.count
        }
        return lines
    }

    private static func table(_ entries: [JSONValue], _ node: NodeConnection, _ member: String) -> [String] {
        var table = Table(["entry", "kind", "what", "signed by", "when"], rightAligned: [0])
        for entry in entries {
            let isOver = entry.text("kind") != "retraction" && !entry.flag("inForce")
            table.add([
                String(entry.number("index")), entry.text("kind"),
                DisplayWidth.cut(entry.text("summary"), to: 90) + (isOver ? " (no longer in force)" : ""),
                entry.text("signedBy"), entry.time("issuedAt").map { node.clock(member).text($0) } ?? "",
            ])
            for line in changes(entry, node, member) { table.add(["", "", line]) }
        }
        return table.lines(indent: 2)
    }

    /// What an entry changed, a line for each field.
    private static func changes(_ entry: JSONValue, _ node: NodeConnection, _ member: String) -> [String] {
        let others = entry.list("others").map { other in
            let whose = other.text("member") == member ? "" : " of \(node.title(other.text("member")))"
            return "\(other.number("index"))\(whose)"
        }
        guard !others.isEmpty else { return [] }
        let verb =
            switch entry.text("relation") {
            case "replaces": "replaces"
            case "takes-back": "takes back"
            case "endorses": "endorses"
            default: "follows"
            }
        let named = others.prefix(6).joined(separator: ", ") + (others.count > 6 ? " and \(others.count - 6) more" : "")
        let differences = entry.list("differences")
        let isSame = differences.isEmpty && !["takes-back", "endorses"].contains(entry.text("relation"))
        let head = "  \(verb) entry \(named)\(isSame ? ", and says the same" : "")"
        return [head]
            + differences.map { difference in
                "    \(difference.text("field")): \(shown(difference["before"])) → \(shown(difference["after"]))"
            }
    }

    private static func shown(_ value: JSONValue?) -> String {
        guard let value, value != .null else { return "(none)" }
        return DisplayWidth.cut(Timestamp(parsing: value.shown).map { MemberClock.day($0.text) } ?? value.shown, to: 60)
    }
}

import Alliance
import ArgumentParser
import Node

struct ConflictsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "conflicts",
        abstract: "List keys on which several entries speak at once: who says what, since when, and what prevails.",
        discussion: """
            In a joint register, and in one by K, what several members say at once is a conflict: all is shown, and the most \
            restrictive status prevails until one entry supersedes all sides (entente resolve). Where each authority's word \
            stands, a conflict is of one member with itself: two entries that begin at the same instant. "When" is the officer's \
            own clock. The list is the same at every node that holds the same logs. The exit status is 0 whether or \
            not there are conflicts.

            Examples:
              entente conflicts
              entente conflicts bitcoin-reserves --on 2026-11-25
              entente conflicts --json --limit 1000
            """)

    @Argument(help: "Only this register. Default: all.")
    var register: String?
    @Option(help: ArgumentHelp("What holds at this date. Default: now.", valueName: "date"))
    var on: String?
    @Option(help: ArgumentHelp("Conflicts to show at most.", valueName: "number"))
    var limit: Int = 100
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...100_000).contains(limit) else { throw ValidationError("--limit must be from 1 to 100000") }
    }

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let on = try on.map { try node.clock().parse($0, option: "--on").text }
            var conflicts: [JSONValue] = []
            var cursor: String?
            repeat {
                let size = min(1_000, limit - conflicts.count)
                let answer = try await node.get(
                    "/v1/conflicts", [("register", register), ("on", on), ("after", cursor), ("limit", String(size))])
                conflicts += answer.list("conflicts")
                cursor = answer["next"]?.string
                if cursor != nil { Console.progress("looking for conflicts: \(grouped(conflicts.count)) so far") }
            } while cursor != nil && conflicts.count < limit
            Console.clearProgress()
            if output.json {
                return Console.print(["conflicts": .array(conflicts), "cut": .bool(cursor != nil)])
            }
            guard !conflicts.isEmpty else {
                return Console.print("There is no conflict\(register.map { " in \($0)" } ?? "").")
            }
            for entry in conflicts { Console.print(Self.lines(entry, node) + [""]) }
            let number = count(conflicts.count, "conflict")
            Console.print(cursor == nil ? "\(number)." : "\(number) shown; there may be more: --limit")
        }
    }

    private static func lines(_ entry: JSONValue, _ node: NodeConnection) -> [String] {
        var lines = [
            JoinedText.headline(entry, node),
            "  since \(MemberClock.day(entry["since"]?.string)); \(entry.text("status")) prevails: \(entry.text("why"))",
        ]
        lines += JoinedText.statements(entry, node) + JoinedText.unendorsed(entry, node)
        let key = ShellWord.quoted(entry.text("key"))
        let whose = entry["whose"]?.string
        if let whose, whose != node.settings.member { return lines + ["  Only \(node.title(whose)) can end it."] }
        return lines + [
            "  One entry for all sides ends it: entente resolve \(entry.text("register")) \(key) --take NAME"
        ]
    }
}

import Alliance
import ArgumentParser
import Node

struct WhyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Explain step by step why a key has the status that it has, and what would change it.",
        discussion: """
            The steps are those by which every node computes the answer: the charter's rule for the register (each, joint or \
            by K), what every log has in force, what holds across members, and what speaks at the date.

            Examples:
              entente why vasp-licences PK-0117
              entente why vasp-licences PK-0117 --member pk --on 2026-11-25
              entente why recognitions sv/vasp-licences --known-at 2026-11-01
            """)

    @Argument(help: "The register, such as vasp-licences.")
    var register: String
    @Argument(help: "The key, such as PK-0117.")
    var key: String
    @Option(
        help: ArgumentHelp("What holds at this date. Default: the time of --known-at, else now.", valueName: "date"))
    var on: String?
    @OptionGroup var past: KnownAtOptions
    @Option(help: ArgumentHelp("Only what this member says, where each speaks for itself.", valueName: "name"))
    var member: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let clock = node.clock(member)
            let known = try past.text(node)
            // Without a date the node takes its own: one from here shows it in the member's zone.
            let time =
                try on.map { try clock.parse($0, option: "--on") } ?? clock.zone.timestamp(seconds: MemberClock.now)
            let date = on == nil && known != nil ? nil : time.text
            let answer = try await node.get(
                "/v1/why", [("register", register), ("key", key), ("on", date), ("member", member), ("known", known)])
            if output.json { return Console.print(answer) }
            let explanations = answer.list("explanations")
            guard !explanations.isEmpty else {
                let who = member.map { "\(node.title($0)) never" } ?? "Nobody ever"
                return Console.print("\(who) stated \(answer.text("key")) in \(register).")
            }
            for (position, explanation) in explanations.enumerated() {
                if position > 0 { Console.print("") }
                Console.print(Self.lines(explanation, answer, node))
            }
            KnownAtOptions.show(answer["known"], node)
        }
    }

    private static func lines(_ explanation: JSONValue, _ answer: JSONValue, _ node: NodeConnection) -> [String] {
        let whose = explanation["member"]?.string.map { "\(node.title($0)): " } ?? ""
        let status = explanation["status"]?.string ?? "no status"
        let conflict = explanation.flag("conflict") ? " (conflict)" : ""
        var lines = ["\(whose)\(answer.text("key")) in \(answer.text("register")): \(status)\(conflict)"]
        for (position, step) in explanation.list("steps").enumerated() {
            lines.append("  \(position + 1). \(step.text("rule"))")
            lines += step.list("findings").map { "     - \($0.shown)" }
        }
        let changes = explanation.list("changes")
        if !changes.isEmpty { lines.append("  What would change it:") }
        return lines + changes.map { "     - \($0.shown)" }
    }
}

import Alliance
import ArgumentParser
import Node

struct DeclareCompleteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "declare-complete",
        abstract: "Declare that a register has every row that it should, until a date.",
        discussion: """
            Partners may then read from a key that is not there that there is nothing to say of it. The declaration has the \
            number of rows (those that were taken back included) and ends by itself: declare it again before it lapses, and \
            after the register changed. entente status says which lapse soon. A register that nothing was published in can \
            be declared complete too: it then has no rows.

            Examples:
              entente declare-complete warnings --until 2027-01-31 --sign-with ayesha
              entente declare-complete vasp-licences --until 2027-01-31 --plan complete.plan
            """)

    @Argument(help: "The register, such as warnings.")
    var register: String
    @Option(help: ArgumentHelp("Until when it is to be held complete.", valueName: "date"))
    var until: String
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: register)
            guard let definition = maker.definition else { return }
            let until = try maker.clock.parse(until, option: "--until")
            guard until.seconds > maker.now else {
                throw Failure("--until \(self.until): lies in the past; a declaration ends in the future")
            }
            let registers = try await node.get("/v1/registers", [("member", node.settings.member)]).list("registers")
            let rows = registers.first { $0.text("register") == register }?.number("rows") ?? 0
            var drafts = maker.drafts
            if !maker.isPublished { drafts.add(definition: definition) }
            drafts.add(
                Declaration(register: definition.name, rows: UInt64(clamping: rows), validUntil: until))
            let plan = try Plan(
                context: maker.context, register: register, made: maker.now,
                summary: ["\(register): complete with \(rows) rows until \(until.text)"], drafts: drafts.drafts)
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }
}

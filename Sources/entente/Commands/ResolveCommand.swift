import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct ResolveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resolve", abstract: "End a conflict: plan the one entry that supersedes all sides.",
        discussion: """
            The entry says what one side says (--take), or that with changes (--status, --field, --from, --until). It \
            supersedes whatever the members of all sides have in force that has begun; what begins later stays. Where it \
            is less restrictive than another member's side, that member's endorsement has to follow, and resolve says whose.

            In a register by K no entry supersedes another member's: --take takes back this member's endorsements of the other \
            sides, and its own entry among them, and says what still lacks.

            Examples:
              entente resolve bitcoin-reserves treasury/1 --take sv --sign-with ayesha
              entente resolve bitcoin-reserves treasury/1 --status held --field amount=620000000000 --plan r.plan
              entente resolve recognitions sv/vasp-licences --take us --sign-with ayesha
            """)

    @Argument(help: "The register, such as bitcoin-reserves.")
    var register: String
    @Argument(help: ArgumentHelp("The key.", valueName: "row-key"))
    var rowKey: String
    @Option(help: ArgumentHelp("The side whose entry is taken.", valueName: "name"))
    var take: String?
    @Option(help: "The status. Default: that of the side that is taken, else of the one that prevails.")
    var status: String?
    @Option(
        help: ArgumentHelp("A field: name=value; may be repeated. An empty value removes it.", valueName: "name=value"))
    var field: [String] = []
    @Option(
        help: ArgumentHelp(
            "From when it speaks. Default: as the side that is taken, else from when the last side began.",
            valueName: "date"))
    var from: String?
    @Option(help: ArgumentHelp("Until when it speaks.", valueName: "date"))
    var until: String?
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard take != nil || status != nil || !field.isEmpty else {
            throw ValidationError(
                "say what shall hold: a side with --take NAME, or --status and perhaps --field name=value")
        }
    }

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: register)
            guard let definition = maker.definition else { return }
            let conflict = try await Conflict(node, register, rowKey, take: take)
            var drafts = maker.drafts
            if !maker.isPublished { drafts.add(definition: definition) }
            let notes: [String]
            if conflict.entry["needed"] != nil {
                guard status == nil, field.isEmpty, from == nil, until == nil else {
                    throw Failure(
                        "\(register) is joined by K, where no entry supersedes another member's: leave all but --take out"
                    )
                }
                drafts = maker.drafts
                notes = try withdraw(conflict, node, &drafts)
            } else {
                notes = try replace(conflict, maker, definition, node, &drafts)
            }
            let plan = try Plan(
                context: maker.context, register: register, made: maker.now,
                summary: ["ends the conflict on \(conflict.key) in \(register)"], drafts: drafts.drafts)
            if !output.json { Console.print(notes) }
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }

    /// One entry that supersedes all sides.
    private func replace(
        _ conflict: Conflict, _ maker: PlanMaker, _ definition: RegisterDefinition, _ node: NodeConnection,
        _ drafts: inout PlanDrafts
    ) throws -> [String] {
        if let whose = conflict.entry["whose"]?.string, whose != node.settings.member {
            throw Failure(
                "\(register): each authority's word stands for itself; only \(node.title(whose)) can end a conflict of its own entries"
            )
        }
        let base = conflict.taken ?? conflict.sides[0]
        let status = status ?? base.row.status
        guard definition.status(status) != nil else {
            let known = definition.statuses.map(\.name).joined(separator: ", ")
            throw Failure("--status \(status): \(register) has no such status; it has: \(known)")
        }
        let last = conflict.sides.map(\.row.validFrom).max { $0.seconds < $1.seconds }
        let from = try from.map { try maker.clock.parse($0, option: "--from") } ?? conflict.taken?.row.validFrom ?? last
        guard let from, from.seconds <= maker.now else {
            throw Failure(
                "--from \(self.from ?? ""): lies in the future, and until then nothing would be said of \(conflict.key); publish what "
                    + "changes then by entente publish entry, beside")
        }
        let until = try until.map { try maker.clock.parse($0, option: "--until") } ?? conflict.taken?.row.validUntil
        let file = try OneRow(
            definition: definition, key: conflict.key, status: status, from: from, until: until, base: base.row,
            given: try field.map(PublishEntryCommand.parse))
        let result = try RegisterImport(into: definition, zone: maker.clock.zone).read(file.bytes)
        guard result.refused.isEmpty, let row = result.rows.first else {
            throw Failure(
                result.refused.flatMap(\.reasons).map { "\($0.column): \($0.text)" }.joined(separator: "; "))
        }
        try drafts.add(
            register: register, key: conflict.key, status: status, validFrom: from, validUntil: until,
            fields: row.fields,
            superseding: conflict.superseded(by: node.settings.member))
        return conflict.notes(status: status, from: from, definition, node)
    }

    /// In a register by K: this member's part in un-adopting the other sides.
    private func withdraw(
        _ conflict: Conflict, _ node: NodeConnection, _ drafts: inout PlanDrafts
    ) throws -> [String] {
        guard let taken = conflict.taken else { throw Failure("name the side that shall stay with --take NAME") }
        let own = node.settings.member
        let others = conflict.sides.filter { $0.identity != taken.identity }
        let targets = others.filter { $0.member == own }
            .map { Retraction.Target(identity: $0.identity, register: register, key: conflict.key) }
        let endorsed = others.flatMap { side in
            side.endorsements.filter { $0.member == own }
                .map {
                    Retraction.Target(identity: $0.identity, register: ReservedMap.endorsements, key: side.identity.hex)
                }
        }
        var lacking: [String] = []
        for side in others where side.member != own {
            let left = Set(side.endorsements.filter { $0.type != .notes && $0.member != side.member }.map(\.member))
                .subtracting([own])
            let needed = Int(conflict.entry.number("needed"))
            guard left.count >= needed else { continue }
            lacking.append(
                "Entry \(side.index) of \(node.title(side.member)) stays adopted until \(left.count - needed + 1) of "
                    + "\(left.sorted().map { node.title($0) }.joined(separator: ", ")) takes its endorsement back, or "
                    + "\(node.title(side.member)) the entry: entente endorse \(register) \(ShellWord.quoted(conflict.key)) --member "
                    + "\(side.member) --index \(side.index) --take-back")
        }
        guard !targets.isEmpty || !endorsed.isEmpty else {
            throw Failure(
                "\(node.title(own)) made and endorsed none of the other sides, so nothing that it publishes ends this. "
                    + lacking.joined(separator: " "))
        }
        drafts.add(retracting: targets + endorsed, reason: .other, note: nil)
        return lacking
    }
}

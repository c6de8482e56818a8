import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct EndorseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "endorse",
        abstract: "Stand by another member's entry: adopt it, recognise it, or take note of it.",
        usage: """
            entente endorse <register> <row-key> [--member <name>] (--sign-with <name> | --plan <file>)
            entente endorse --member <name> --index <index> (--sign-with <name> | --plan <file>)
            entente endorse --identity <hex> (--sign-with <name> | --plan <file>)
            """,
        discussion: """
            In a register by K an entry takes effect once K other members adopt or recognise it. In a joint register an entry \
            that is less restrictive than what it supersedes needs the endorsement of that one's author. Elsewhere it is \
            the member's word beside the other's. A note is neither consent nor dissent.

            An endorsement is of exactly one entry: what replaces that is endorsed anew. It holds until --take-back, also \
            when the entry is replaced. entente why says whose endorsement would change an answer.

            Examples:
              entente endorse recognitions sv/vasp-licences --sign-with ayesha
              entente endorse bitcoin-reserves treasury/1 --member sv --index 120 --kind recognises --plan e.plan
              entente endorse recognitions sv/vasp-licences --take-back --sign-with ayesha
            """)

    @Argument(help: "The register, or @documents.")
    var register: String?
    @Argument(help: ArgumentHelp("The key, or the document's work.", valueName: "row-key"))
    var rowKey: String?
    @Option(help: ArgumentHelp("Whose entry. Needed where several members have one.", valueName: "name"))
    var member: String?
    @Option(help: ArgumentHelp("The entry's number in that member's log.", valueName: "index"))
    var index: UInt64?
    @Option(help: ArgumentHelp("The statement's identity, 64 hexadecimal digits.", valueName: "hex"))
    var identity: String?
    @Option(help: "How: adopts, recognises or notes.")
    var kind: String = Endorsement.Kind.adopts.rawValue
    @Flag(help: "Take back what this member endorsed before.")
    var takeBack = false
    @Option(help: "A sentence for people, where an endorsement is taken back.")
    var note: String?
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard Endorsement.Kind(rawValue: kind) != nil else {
            throw ValidationError("--kind must be adopts, recognises or notes")
        }
        guard note == nil || takeBack else { throw ValidationError("--note is for --take-back") }
        if let identity {
            guard HashValue(hex: identity) != nil else {
                throw ValidationError("--identity must be 64 hexadecimal digits, in lower case")
            }
            guard register == nil, index == nil, member == nil else {
                throw ValidationError("--identity says which entry is meant; leave the rest out")
            }
            return
        }
        guard index == nil || member != nil else {
            throw ValidationError("name the member whose entry --index is: --member NAME")
        }
        guard (register == nil) == (rowKey == nil), register != nil || index != nil else {
            throw ValidationError("name a register and a key, or an entry with --member and --index, or --identity")
        }
    }

    func run() async throws {
        guard let kind = Endorsement.Kind(rawValue: kind) else { return }
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: nil, isAboutOthers: true)
            let candidates = try await Endorsable.read(
                node, register: register == "documents" ? ReservedMap.documents : register, key: rowKey, member: member,
                index: index, identity: identity)
            if takeBack { return try await takeBack(candidates, maker, node) }
            let one = try Endorsable.choose(candidates, node, what: [register, rowKey].compactMap(\.self))
            if let before = one.endorsements.first(where: { $0.member == node.settings.member && $0.type == kind }) {
                return sayNothingToDo(one, before, node)
            }
            try one.refuseWeaker(kind, node)
            var drafts = maker.drafts
            if let last = one.lastEndorsed { drafts.beLater(than: last) }
            drafts.add(
                Endorsement(
                    identity: one.identity, member: one.memberID, register: one.register, key: one.key, type: kind))
            let plan = try Plan(
                context: maker.context, register: nil, made: maker.now,
                summary: ["\(kind.rawValue) entry \(one.index) of \(node.title(one.member))"], drafts: drafts.drafts)
            if !output.json { Console.print("Endorses \(one.text(node)).") }
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }

    private func sayNothingToDo(_ one: Endorsable, _ before: Endorsable.Endorser, _ node: NodeConnection) {
        guard !output.json else {
            return Console.print([
                "first": .integer(before.index), "last": .integer(before.index), "changes": 0, "already": true,
                "time": .null, "replicas": .null,
            ])
        }
        Console.print(
            "\(node.title(node.settings.member)) \(before.type.rawValue) entry \(one.index) of \(node.title(one.member)) already "
                + "(entry \(before.index)); there is nothing to do.")
    }

    /// Takes back every endorsement of the entries that are meant, also of those that are no longer in force.
    private func takeBack(_ candidates: [Endorsable], _ maker: PlanMaker, _ node: NodeConnection) async throws {
        let own = node.settings.member
        let targets = candidates.flatMap { one in
            one.endorsements.filter { $0.member == own }.map {
                Retraction.Target(identity: $0.identity, register: ReservedMap.endorsements, key: one.identity.hex)
            }
        }
        guard !targets.isEmpty else {
            throw Failure("\(node.title(own)) has endorsed nothing of that; there is nothing to take back")
        }
        var drafts = maker.drafts
        drafts.add(retracting: targets, reason: .other, note: note)
        let plan = try Plan(
            context: maker.context, register: nil, made: maker.now,
            summary: ["takes \(count(targets.count, "endorsement")) back"], drafts: drafts.drafts)
        if !output.json {
            for one in candidates where one.endorsements.contains(where: { $0.member == own }) {
                Console.print("Takes the endorsement of \(one.text(node)) back.")
            }
        }
        try await Publishing.finish(plan, publishing, output, node: node)
    }
}

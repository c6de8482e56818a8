import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct RetractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retract", abstract: "Take back what was published in error.",
        discussion: """
            A retraction says that something should never have been said. It is not a revocation: a firm that loses its \
            licence gets the status revoked by entente publish entry. Everything in force for the key is taken back, or \
            with --index only those entries. A retraction cannot be taken back.

            Examples:
              entente retract vasp-licences PK-0117 --note "wrong firm" --sign-with ayesha
              entente retract --index 1841 --sign-with ayesha
            """)

    @Argument(help: "The register, or @documents.")
    var register: String?
    @Argument(help: ArgumentHelp("The key, or the document's work.", valueName: "row-key"))
    var rowKey: String?
    @Option(help: ArgumentHelp("An entry of the member's own log; may be repeated.", valueName: "index"))
    var index: [UInt64] = []
    @Option(help: "Why: entered-in-error, superseded-by-court or other.")
    var reason: String = Retraction.Reason.enteredInError.rawValue
    @Option(help: "A sentence for people.")
    var note: String?
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard Retraction.Reason(rawValue: reason) != nil else {
            throw ValidationError("--reason must be entered-in-error, superseded-by-court or other")
        }
        guard (rowKey != nil) != !index.isEmpty else {
            throw ValidationError("name a register and a key, or entries with --index")
        }
    }

    func run() async throws {
        guard let reason = Retraction.Reason(rawValue: reason) else { return }
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: nil)
            var targets: [Retraction.Target] = []
            if let register, let rowKey {
                targets = try await Self.inForce(node, register, rowKey)
            } else {
                for index in index { targets.append(try await Self.target(node, index)) }
            }
            var drafts = maker.drafts
            drafts.add(retracting: targets, reason: reason, note: note)
            let registers = Set(targets.map(\.register))
            let plan = try Plan(
                context: maker.context, register: registers.count == 1 ? registers.first : nil, made: maker.now,
                summary: ["retraction of \(count(targets.count, "statement"))"], drafts: drafts.drafts)
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }

    /// Every statement in force for a key in the node's own log.
    static func inForce(_ node: NodeConnection, _ register: String, _ key: String) async throws -> [Retraction.Target] {
        if register == ReservedMap.documents || register == "documents" {
            let documents = try await node.get("/v1/documents", [("member", node.settings.member)]).list("documents")
            let found = documents.filter { $0.text("work") == key }.compactMap { document in
                HashValue(hex: document.text("identity")).map {
                    Retraction.Target(identity: $0, register: ReservedMap.documents, key: key)
                }
            }
            guard !found.isEmpty else { throw Failure("\(key): no version of this document is in force") }
            return found
        }
        let query: [(String, String?)] = [("register", register), ("key", key), ("member", node.settings.member)]
        let rows = try await node.get("/v1/rows", query).list("rows")
        let targets = rows.flatMap { row in
            row.list("statements").compactMap { statement in
                HashValue(hex: statement.text("identity")).map {
                    Retraction.Target(identity: $0, register: register, key: row.text("key"))
                }
            }
        }
        guard !targets.isEmpty else {
            throw Failure(
                "\(key): nothing is in force in \(register); there is nothing to take back (an endorsement: entente endorse … "
                    + "--take-back)")
        }
        return targets
    }

    private static func target(_ node: NodeConnection, _ index: UInt64) async throws -> Retraction.Target {
        let entry = try await node.get("/v1/entry", [("index", String(index))])["entry"] ?? .null
        guard ["attestation", "document", "endorsement"].contains(entry.text("kind")),
            let identity = HashValue(hex: entry.text("identity"))
        else {
            throw Failure(
                "entry \(index): is no entry that can be taken back, but: \(entry.text("kind")), \(entry.text("summary"))"
            )
        }
        // An endorsement names the register that it is about, and stands in a map of its own.
        let register = entry.text("kind") == "endorsement" ? ReservedMap.endorsements : entry.text("register")
        return Retraction.Target(identity: identity, register: register, key: entry.text("key"))
    }
}

struct UndoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "undo", abstract: "Publish what makes up for one entry.",
        discussion: """
            The log keeps everything; undoing is a further entry. What replaced other entries is itself replaced by what \
            they said; what replaced nothing is taken back; what was taken back is stated again.

            Example:
              entente undo 1853 --sign-with ayesha
            """)

    @Argument(help: "The entry of the member's own log.")
    var index: UInt64
    @Option(help: "A sentence for people, where the entry is taken back.")
    var note: String?
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: nil)
            let undone = try await Self.statement(node, index)
            var drafts = maker.drafts
            switch undone.body {
            case .attestation(let row) where row.supersedes.isEmpty:
                add(retracting: undone, register: row.register, key: row.key, to: &drafts)
            case .attestation(let row):
                let own = try await Self.earlier(node, row.register, row.key, row.supersedes)
                // What a successor would have to repeat goes on superseding other members' entries: only taking this
                // one back gives them back.
                let isOverOthers = own.count < row.supersedes.count
                if isOverOthers { add(retracting: undone, register: row.register, key: row.key, to: &drafts) }
                for old in own {
                    Self.restate(old, superseding: isOverOthers ? [] : [undone.identity], &drafts)
                }
            case .document(let document) where document.supersedes.isEmpty:
                add(retracting: undone, register: ReservedMap.documents, key: document.work, to: &drafts)
            case .document(let document):
                for old in try await Self.earlier(node, ReservedMap.documents, document.work, document.supersedes) {
                    Self.restate(old, superseding: [undone.identity], &drafts)
                }
            case .endorsement(let endorsement):
                add(
                    retracting: undone, register: ReservedMap.endorsements, key: endorsement.identity.hex, to: &drafts)
            case .retraction(let retraction):
                for target in retraction.targets {
                    for old in try await Self.earlier(node, target.register, target.key, [target.identity]) {
                        Self.restate(old, superseding: [], &drafts)
                    }
                }
            default:
                throw Failure(
                    "entry \(index): \(undone.kind.rawValue)s cannot be undone; publish what is right instead")
            }
            guard !drafts.drafts.isEmpty else { throw Failure("entry \(index): what it replaced cannot be found") }
            let plan = try Plan(
                context: maker.context, register: undone.register, made: maker.now, summary: ["undoes entry \(index)"],
                drafts: drafts.drafts)
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }

    private func add(retracting statement: Statement, register: String, key: String, to drafts: inout PlanDrafts) {
        let target = Retraction.Target(identity: statement.identity, register: register, key: key)
        drafts.add(retracting: [target], reason: .enteredInError, note: note)
    }

    private static func restate(_ old: Statement, superseding: [HashValue], _ drafts: inout PlanDrafts) {
        drafts.beLater(than: old)
        switch old.body {
        case .attestation(let row): drafts.add(restating: row, superseding: superseding)
        case .document(let document):
            drafts.add(
                PolicyDocument(
                    work: document.work, language: document.language, date: document.date, title: document.title,
                    mediaType: document.mediaType, size: document.size, digest: document.digest,
                    relations: document.relations, supersedes: superseding))
        default: break
        }
    }

    private static func statement(_ node: NodeConnection, _ index: UInt64) async throws -> Statement {
        let answer = try await node.get("/v1/entry", [("index", String(index))])
        let kind = answer["entry"]?.text("kind") ?? ""
        guard kind != "state-leaf" else {
            throw Failure(
                "entry \(index): is a state of the registers, which follows from the entries before it; undo one of those"
            )
        }
        guard answer["entry"]?.flag("counts") == true else {
            throw Failure("entry \(index): has no effect, so there is nothing to undo")
        }
        do throws(AllianceError) {
            return try Statement(parsing: Array(answer.text("raw").utf8))
        } catch {
            throw Failure("entry \(index): \(error)")
        }
    }

    /// The statements of these identities, found in the history of their key.
    private static func earlier(
        _ node: NodeConnection, _ register: String, _ key: String, _ identities: [HashValue]
    ) async throws -> [Statement] {
        let history = try await node.get("/v1/history", [("register", register), ("key", key)]).list("entries")
        var found: [Statement] = []
        for identity in identities {
            guard let entry = history.first(where: { $0.text("identity") == identity.hex }) else { continue }
            found.append(try await statement(node, UInt64(entry.number("index"))))
        }
        return found
    }
}

import Alliance
import Node
import TransparencyLog

/// What is needed to make a plan about one register.
struct PlanMaker {
    let context: PlanContext
    /// The register's definition; nil for documents.
    let definition: RegisterDefinition?
    /// Whether the definition stands in the member's log.
    let isPublished: Bool
    let now: Int64

    /// Why the member's roster cannot be had.
    static func noRoster(_ answer: JSONValue) -> String {
        "the node has not published its first roster yet: \(answer["waiting"]?.string ?? "try again in a moment")"
    }

    /// Asks the node.
    ///
    /// - Parameter isAboutOthers: whether the plan is about what other members say, so that what they say meanwhile matters.
    init(_ node: NodeConnection, register: String?, isAboutOthers: Bool = false) async throws {
        let answer = try await node.get("/v1/context", [("register", register)])
        guard let alliance = HashValue(hex: answer.text("alliance")), let member = answer["member"],
            let roster = answer["roster"]
        else { throw Failure(Self.noRoster(answer)) }
        context = PlanContext(
            alliance: alliance, member: member.text("id"), title: member.text("title"), zone: member.text("zone"),
            logSize: UInt64(answer.number("logSize")),
            officers: roster.list("officers").map {
                Plan.OfficerKey(name: $0.text("name"), key: Base64.decodeURL($0.text("key")) ?? [])
            }, twoOfficers: roster.list("twoOfficers").compactMap(\.string),
            roots: answer["roots"].map { roots in
                PlanRoots(
                    threshold: Int(roots.number("threshold")),
                    keys: roots.list("keys").map {
                        Plan.OfficerKey(name: $0.text("name"), key: Base64.decodeURL($0.text("key")) ?? [])
                    }, previous: Base64.decodeURL(roster.text("statement")) ?? [])
            }, known: isAboutOthers || answer.flag("joined") ? KnownSizes(parsing: answer.text("known")) : nil)
        now = answer.time("now") ?? MemberClock.now
        guard let register else {
            definition = nil
            isPublished = true
            return
        }
        guard let found = answer["definition"], let bytes = Base64.decodeURL(found.text("descriptor")) else {
            throw Failure("there is no register \(register); entente registers lists them")
        }
        do { definition = try RegisterDefinition(descriptor: bytes) } catch {
            throw Failure("the definition of \(register): \(error)")
        }
        isPublished = found.flag("published")
    }

    var drafts: PlanDrafts { PlanDrafts(member: context.member, alliance: context.alliance, now: now) }

    var clock: MemberClock { MemberClock(zone: context.zone) }

    /// Every entry of the register in the member's own log, or those of one key.
    func published(_ node: NodeConnection, register: String, key: String? = nil) async throws -> [PublishedRow] {
        try await RegisterRows.read(node, register, key: key)
    }
}

/// Ends of the journey from a plan to the log.
enum Publishing {
    /// Publishes a plan of one change at once, or writes it to a file, as the options say.
    static func finish(
        _ plan: Plan, _ options: PublishingOptions, _ output: OutputOptions, node: NodeConnection
    ) async throws {
        if let path = options.plan {
            try PlainFile.write(plan.bytes, to: path)
            if output.json {
                Console.print(["plan": .string(path), "steps": .integer(Int64(plan.steps.count))])
            } else {
                Console.print(PlanText.lines(plan, all: false))
                Console.print("Nothing is published. Next: entente sign \(path) --key NAME")
            }
            return
        }
        guard let key = options.key else { return }
        if let roots = plan.roots, roots.threshold > 1 {
            throw Failure(
                "\(roots.threshold) root keys of \(plan.title) have to sign: write a plan with --plan FILE, and have them "
                    + "sign it one after the other")
        }
        if plan.twoOfficers {
            throw Failure(
                "\(plan.title) asks for two officers here: write a plan with --plan FILE, and have two of them sign it")
        }
        var plan = plan
        if !output.json { Console.print(PlanText.lines(plan, all: false)) }
        let signer = try options.keyOptions.folder.signer(
            key, kind: plan.signerKind, member: plan.member, passphrase: try options.keyOptions.unlock(key))
        _ = try plan.sign(by: signer, now: MemberClock.now)
        try await submit(plan, anyway: false, output, node: node)
    }

    /// Submits a signed plan and says what became of it.
    static func submit(_ plan: Plan, anyway: Bool, _ output: OutputOptions, node: NodeConnection) async throws {
        let publication: PlanPublication
        do {
            publication = try await PlanSubmission(client: node.client).submit(plan, anyway: anyway) { done, all in
                if all > 12_000 { Console.progress("published \(grouped(done)) of \(grouped(all)) entries") }
            }
        } catch {
            Console.clearProgress()
            throw error
        }
        Console.clearProgress()
        if output.json {
            Console.print([
                "first": .integer(Int64(publication.first)), "last": .integer(Int64(publication.last)),
                "changes": .integer(Int64(publication.changes)), "already": .bool(publication.already),
                "time": publication.time.map { .string(Timestamp(seconds: $0).text) } ?? .null,
                "replicas": .integer(Int64(publication.replicas)),
            ])
            return
        }
        let range =
            publication.first == publication.last
            ? "entry \(publication.first)" : "entries \(publication.first)-\(publication.last)"
        let changes = count(publication.changes, "change")
        if publication.already {
            Console.print("Published before: \(changes), \(range). Nothing was added.")
            return
        }
        let time = publication.time.map { ", \(MemberClock(zone: plan.zone).text($0))" } ?? ""
        Console.print("Published \(changes)\(time), \(range). Safe on this node.")
        Console.print(
            "\(count(publication.replicas, "other member")) will hold and check it: entente receipts \(publication.last)"
        )
    }
}

extension Plan {
    /// The kind of key that signs it.
    var signerKind: KeyKind { roots == nil ? .officer : .root }
}

/// What a plan says, for people: read from the bytes that are signed.
enum PlanText {
    /// Names that are shown where a list is cut short.
    private static let shown = 6

    static func lines(_ plan: Plan, all: Bool) -> [String] {
        if let roster = plan.roster { return lines(plan, roster) }
        let description = PlanDescription(plan)
        let time = MemberClock(zone: plan.zone).text(plan.made)
        let what = plan.register.map { $0.hasPrefix("@") ? "documents" : "register \($0)" } ?? "log"
        var result = ["\(count(description.lines.count, "statement")) for \(plan.title)'s \(what), planned \(time):"]
        var table = Table()
        for (title, rows) in groups(description.lines) {
            let named = rows.count > shown && !all ? Array(rows.prefix(shown - 1)) : rows
            for (position, row) in named.enumerated() {
                table.add([position == 0 ? title : ""] + cells(row))
            }
            if named.count < rows.count { table.add(["", "and \(grouped(rows.count - named.count)) more (--all)"]) }
        }
        result += table.lines(indent: 2)
        return result
    }

    /// A roster: what it changes, and, where it cannot be said what that is, all of it.
    private static func lines(_ plan: Plan, _ roster: Roster) -> [String] {
        let time = MemberClock(zone: plan.zone).text(plan.made)
        let title = "roster \(roster.ordinal) of \(plan.title), planned \(time):"
        guard let diff = plan.rosterDiff else { return [title] + RosterText.lines(roster) }
        let changes = diff.changes.isEmpty ? ["changes nothing"] : diff.changes.map(\.text)
        return [title] + changes.map { "  \($0)" } + roster.impasses.map { "  Beware: \($0)." }
    }

    private static func groups(_ lines: [PlanDescription.Line]) -> [(String, [PlanDescription.Line])] {
        var order: [String] = []
        var groups: [String: [PlanDescription.Line]] = [:]
        for line in lines {
            if groups[line.word] == nil { order.append(line.word) }
            groups[line.word, default: []].append(line)
        }
        return order.map { word in
            let lines = groups[word] ?? []
            return (lines.count == 1 ? word : "\(grouped(lines.count)) \(word)", lines)
        }
    }

    private static func cells(_ line: PlanDescription.Line) -> [String] {
        var notes: [String] = []
        if let from = line.validFrom { notes.append("from \(MemberClock.day(from.text))") }
        if let until = line.validUntil { notes.append("until \(MemberClock.day(until.text))") }
        if line.replaces > 0 {
            let verb = line.word == "retraction" ? "takes back" : "replaces"
            notes.append("\(verb) \(count(line.replaces, "statement"))")
        }
        let key = line.key.map { $0 == line.label ? "" : $0 } ?? ""
        return [DisplayWidth.cut(line.label, to: 60), DisplayWidth.cut(key, to: 44), notes.joined(separator: ", ")]
    }
}

import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish", abstract: "Publish one document or one entry: plan, sign and submit in one.",
        subcommands: [PublishDocumentCommand.self, PublishEntryCommand.self])
}

struct PublishDocumentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "document", abstract: "Publish one version of a policy document.",
        discussion: """
            A document is known by its work identifier, an Akoma Ntoso IRI. A new version that amends it stands beside the \
            earlier one; --replaces is for a version that was published in error.

            Examples:
              entente publish document act.md --work /akn/pk/act/2025/virtual-assets --date 2025-07-31 --sign-with ayesha
              entente publish document act-2.md --amends /akn/pk/act/2025/virtual-assets --sign-with ayesha
            """)

    @Argument(help: "The document's file, up to 1 GiB.")
    var file: String
    @Option(
        help: ArgumentHelp("The work that this is a version of. Default: the one that it amends.", valueName: "/akn/…"))
    var work: String?
    @Option(help: ArgumentHelp("A work that this document amends; may be repeated.", valueName: "id"))
    var amends: [String] = []
    @Option(help: ArgumentHelp("A work that it repeals; may be repeated.", valueName: "id"))
    var repeals: [String] = []
    @Option(help: ArgumentHelp("A work that it implements; may be repeated.", valueName: "id"))
    var implements: [String] = []
    @Option(help: ArgumentHelp("A work that it translates; may be repeated.", valueName: "id"))
    var translates: [String] = []
    @Option(
        help: ArgumentHelp(
            "The entry of an earlier version that this one replaces; may be repeated.", valueName: "index"))
    var replaces: [UInt64] = []
    @Option(help: "The title. Default: the first heading of a text, else the file's name.")
    var title: String?
    @Option(help: ArgumentHelp("The language (BCP 47).", valueName: "tag"))
    var language: String = "en"
    @Option(help: ArgumentHelp("The date of this version. Default: today.", valueName: "date"))
    var date: String?
    @Option(help: ArgumentHelp("The media type. Default: by the file's name.", valueName: "type"))
    var mediaType: String?
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (size, digest) = try DocumentFile.inspect(file)
        guard size > 0 else { throw Failure("\(file): the file is empty") }
        guard let work = work ?? amends.first else {
            throw Failure("name the document's work with --work, such as /akn/pk/act/2025/virtual-assets")
        }
        let related = [
            ("amends", amends), ("repeals", repeals), ("implements", implements), ("translates", translates),
        ]
        let relations = related.flatMap { type, works in works.map { PolicyDocument.Relation(type: type, work: $0) } }
        for id in [work] + relations.map(\.work) where !PolicyDocument.isWork(id) {
            throw Failure("\(id): is no work identifier; one is /akn/pk/act/2025/virtual-assets")
        }
        let path = file
        let name = String(path.split(separator: "/").last ?? "document")
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: nil)
            var superseded: [(index: UInt64, identity: String)] = []
            for index in replaces { superseded.append((index, try await Self.identity(node, index, of: work))) }
            let day = date ?? maker.clock.today
            _ = try maker.clock.parse(day, option: "--date")
            guard day.utf8.count == 10 else {
                throw Failure("--date \(day): a date without a time is due, such as 2025-07-31")
            }
            var drafts = maker.drafts
            drafts.add(
                PolicyDocument(
                    work: work, language: language, date: day, title: title ?? Self.title(path, name),
                    mediaType: mediaType ?? Self.mediaType(name), size: size, digest: digest, relations: relations,
                    supersedes: superseded.compactMap { .init(hex: $0.identity) }))
            let document = PlanDocument(digest: digest, size: size, name: name, path: Self.absolute(path))
            let plan = try Plan(
                context: maker.context, register: ReservedMap.documents, made: maker.now,
                summary: ["document \(work)"], drafts: drafts.drafts, documents: [document])
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }

    private static func absolute(_ path: String) -> String { SettingsLoader.ofProcess([:]).absolute(path) }

    private static func identity(_ node: NodeConnection, _ index: UInt64, of work: String) async throws -> String {
        let entry = try await node.get("/v1/entry", [("index", String(index))])["entry"] ?? .null
        guard entry.text("kind") == "document", entry.text("key") == work else {
            throw Failure("--replaces \(index): this entry is no version of \(work), but: \(entry.text("summary"))")
        }
        return entry.text("identity")
    }

    private static let textBytes = 1 << 20

    private static func title(_ path: String, _ name: String) -> String {
        if ["text/plain", "text/markdown"].contains(mediaType(name)),
            let bytes = try? DocumentFile.bytes(path, limit: textBytes),
            let text = String(validating: bytes, as: UTF8.self),
            let line = text.split(whereSeparator: \.isNewline).map({ $0.trimming() }).first(where: { !$0.isEmpty })
        {
            return String(line.drop { $0 == "#" || $0 == " " }.prefix(200))
        }
        return name
    }

    private static func mediaType(_ name: String) -> String {
        switch name.split(separator: ".").last?.lowercased() {
        case "md": "text/markdown"
        case "txt": "text/plain"
        case "html", "htm": "text/html"
        case "pdf": "application/pdf"
        case "xml": "application/xml"
        case "json": "application/json"
        case "csv": "text/csv"
        case "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        case "odt": "application/vnd.oasis.opendocument.text"
        default: "application/octet-stream"
        }
    }
}

struct PublishEntryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entry", abstract: "Publish one entry of a register.",
        discussion: """
            A new key needs the fields that its register requires; for a key that is published already, fields that are \
            not given stay as they are. Another status stands beside what is published, from --from on; other fields under \
            the same status correct it. Items of a list are separated by |.

            Examples:
              entente publish entry vasp-licences --key PK-0117 --status revoked --from 2026-11-24 --sign-with ayesha
              entente publish entry mining-allocations --key "Site Thar" --status energised --field megawatts=80 \\
                --plan thar.plan
            """)

    @Argument(help: "The register, such as vasp-licences.")
    var register: String
    @Option(name: .customLong("key"), help: ArgumentHelp("The entry's key, such as PK-0117.", valueName: "key"))
    var entryKey: String
    @Option(help: "The status, of the register's vocabulary.")
    var status: String
    @Option(
        help: ArgumentHelp("A field: name=value; may be repeated. An empty value removes it.", valueName: "name=value"))
    var field: [String] = []
    @Option(help: ArgumentHelp("From when the entry speaks. Default: now.", valueName: "date"))
    var from: String?
    @Option(help: ArgumentHelp("Until when it speaks.", valueName: "date"))
    var until: String?
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let fields = try field.map(Self.parse)
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: register)
            guard let definition = maker.definition else { return }
            guard definition.status(status) != nil else {
                let known = definition.statuses.map(\.name).joined(separator: ", ")
                throw Failure("--status \(status): \(register) has no such status; it has: \(known)")
            }
            let key = try canonical(entryKey, definition)
            let published =
                maker.isPublished ? try await maker.published(node, register: register, key: key) : []
            let now = maker.clock.zone.timestamp(seconds: maker.now)
            let from = try from.map { try maker.clock.parse($0, option: "--from") }
            let until = try until.map { try maker.clock.parse($0, option: "--until") }
            let base =
                published.sorted { $0.validFrom.seconds < $1.validFrom.seconds }
                .last { $0.validFrom.seconds <= (from ?? now).seconds } ?? published.first
            let file = try OneRow(
                definition: definition, key: key, status: status, from: from, until: until, base: base, given: fields)
            let result = try RegisterImport(into: definition, zone: maker.clock.zone).read(file.bytes)
            if let refused = result.refused.first {
                throw Failure(refused.reasons.map { "\($0.column): \($0.text)" }.joined(separator: "; "))
            }
            let changes = RegisterChanges.compare(
                result, published: published, missing: .keep, definition: definition, now: now)
            guard !changes.isEmpty else {
                throw Failure("\(entryKey): \(register) says exactly this already; there is nothing to publish")
            }
            var drafts = maker.drafts
            if !maker.isPublished { drafts.add(definition: definition) }
            try drafts.add(changes)
            let plan = try Plan(
                context: maker.context, register: register, made: maker.now, summary: ["\(key): \(status)"],
                drafts: drafts.drafts)
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }

    private func canonical(_ key: String, _ definition: RegisterDefinition) throws -> String {
        switch definition.keyForm.canonicalise(key) {
        case .success(let canonical):
            if !canonical.utf8.elementsEqual(key.utf8), !output.json {
                Console.note("The key \(key) is written \(canonical).")
            }
            return canonical
        case .failure(let problem): throw Failure("--key: the key \(key) \(problem.reason)")
        }
    }

    static func parse(_ text: String) throws -> (name: String, value: String) {
        guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
            throw Failure("--field \(text): must be name=value")
        }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
}

/// One row of a register's own layout, so that a single entry is read by the same rules as a file.
struct OneRow {
    let bytes: [UInt8]

    init(
        definition: RegisterDefinition, key: String, status: String, from: Timestamp?, until: Timestamp?,
        base: PublishedRow?, given: [(name: String, value: String)]
    ) throws {
        var cells: [String: String] = ["key": key, "status": status]
        cells["validFrom"] = from?.text
        cells["validUntil"] = until?.text
        for field in definition.fields {
            if let value = base?.fields[field.name] { cells[field.name] = Self.cell(value) }
        }
        for (name, value) in given {
            guard definition.field(name) != nil else {
                let known = definition.fields.map(\.name).joined(separator: ", ")
                throw Failure("--field \(name): \(definition.name) has no such field; it has: \(known)")
            }
            cells[name] = value
        }
        var columns = ["key", "status"]
        if from != nil { columns.append("validFrom") }
        if until != nil { columns.append("validUntil") }
        columns += definition.fields.map(\.name)
        // Parts of a key that the fields make stand in the key already.
        Self.fillKeyFields(&cells, definition, key)
        let header = columns.map(Self.quoted).joined(separator: ",")
        let row = columns.map { Self.quoted(cells[$0] ?? "") }.joined(separator: ",")
        bytes = Array("\(header)\r\n\(row)\r\n".utf8)
    }

    private static func fillKeyFields(_ cells: inout [String: String], _ definition: RegisterDefinition, _ key: String)
    {
        if case .single(_, let field?) = definition.keyForm, cells[field] == nil { cells[field] = key }
    }

    private static func cell(_ value: JSONValue) -> String {
        if case .array(let items) = value { return items.map(\.shown).joined(separator: "|") }
        if case .bool(let value) = value { return value ? "true" : "false" }
        return value.shown
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars { result += scalar == "\"" ? "\"\"" : String(scalar) }
        return result + "\""
    }
}

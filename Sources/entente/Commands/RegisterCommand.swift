import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct RegisterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "register", abstract: "Define registers, show their definitions, and write empty files to fill.",
        discussion: """
            A definition says what a register's rows look like: its columns, how keys are written, the statuses and which \
            of them permit business. Nine come with Entente, and the charter lists those that all members share. A member \
            defines more of its own, named NAME.something, with no new software.

            Examples:
              entente register list
              entente register show vasp-licences --language ur
              entente register template vasp-licences --out licences.xlsx
              entente register define sandbox.json --sign-with ayesha
            """,
        subcommands: [
            RegisterListCommand.self, RegisterShowCommand.self, RegisterTemplateCommand.self,
            RegisterCheckCommand.self, RegisterDefineCommand.self,
        ])
}

/// A definition's file.
enum DescriptorFile {
    /// Reads a definition and says where it is wrong: file, line, member.
    static func read(_ path: String) throws -> RegisterDefinition {
        let bytes = try PlainFile.read(path, limit: RegisterLimits.descriptorBytes)
        do throws(RegisterError) {
            return try RegisterDefinition(descriptor: bytes)
        } catch {
            throw Failure("\(path): line \(error.line(in: bytes)): \(error)")
        }
    }
}

/// Which definition is meant: that of a register that the node knows, one that comes with Entente, or a file.
struct DefinitionOptions: ParsableArguments {
    @Argument(help: "The register, such as vasp-licences.")
    var register: String?
    @Option(help: ArgumentHelp("Take the definition from a file instead of the node.", valueName: "file"))
    var file: String?
    @Flag(help: "Take the definition that comes with Entente; asks no node.")
    var builtIn = false
    @OptionGroup var node: NodeOptions

    func validate() throws {
        guard (register == nil) == (file != nil) else {
            throw ValidationError("name a register, or a definition's file with --file")
        }
        guard file == nil || !builtIn else { throw ValidationError("--file and --built-in exclude each other") }
    }

    /// The definition, and what the node knows of it, if one was asked.
    func load() async throws -> (definition: RegisterDefinition, known: JSONValue?) {
        if let file { return (try DescriptorFile.read(file), nil) }
        let name = register ?? ""
        if builtIn {
            guard let found = BuiltInRegisters.definition(named: name) else {
                let names = BuiltInRegisters.all.map(\.name).joined(separator: ", ")
                throw Failure("\(name): no such register comes with Entente; there are: \(names)")
            }
            return (found, nil)
        }
        return try await NodeConnection.with(node) { node in
            let (definition, known) = try await KnownDefinition.read(node, name)
            guard let definition else {
                throw Failure(
                    "\(name): the charter lists it, but nobody has published its definition, and it does not come with "
                        + "this version of Entente")
            }
            return (definition, known)
        }
    }
}

struct RegisterListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the definitions that this node knows, or those that come with Entente.",
        discussion: """
            Shared registers are those that the charter lists; the others are members' own. What is in them: entente \
            registers.

            Examples:
              entente register list
              entente register list --built-in
            """)

    @Flag(help: "List what comes with Entente; asks no node.")
    var builtIn = false
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let definitions = builtIn ? Self.builtIns : try await Self.known(node)
        if output.json { return Console.print(["definitions": .array(definitions)]) }
        var table = Table(["register", "version", "title", "kept by", "joined", "published by"], rightAligned: [1])
        for one in definitions {
            let keeper = one.flag("shared") ? "all" : one["member"]?.string ?? ""
            table.add([
                one.text("register"), one["version"]?.shown ?? "", one["title"]?.shown ?? "(not known here)", keeper,
                one.flag("shared") ? one.text("merge") : "", one["publishedBy"]?.shown ?? "",
            ])
        }
        Console.print(table.lines())
    }

    private static var builtIns: [JSONValue] {
        BuiltInRegisters.all.map { definition in
            [
                "register": .string(definition.name), "version": .integer(Int64(definition.version)),
                "title": .string(definition.title),
                "digest": .string(HashValue.sha256(definition.descriptor).hex),
            ]
        }
    }

    private static func known(_ options: NodeOptions) async throws -> [JSONValue] {
        try await NodeConnection.with(options) { try await $0.get("/v1/definitions").list("definitions") }
    }
}

struct RegisterShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a definition.",
        discussion: """
            Examples:
              entente register show vasp-licences
              entente register show warnings --built-in --language es
              entente register show pk.sandbox --descriptor > sandbox.json
            """)

    @OptionGroup var options: DefinitionOptions
    @Option(help: ArgumentHelp("The language of the labels, such as es. Default: the definition's.", valueName: "tag"))
    var language: String?
    @Flag(help: "Print the descriptor's exact bytes and nothing else.")
    var descriptor = false
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (definition, known) = try await options.load()
        if descriptor { return Console.bytes(definition.descriptor) }
        if output.json { return Console.print(try DefinitionText.json(definition, known)) }
        Console.print(DefinitionText.lines(definition, known, language: language ?? definition.language))
    }
}

struct RegisterTemplateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template", abstract: "Write an empty file to fill, CSV or XLSX by its name.",
        discussion: """
            The workbook's first sheet has the columns, and the list of statuses to choose from; the sheets behind it say \
            what they mean, in every language of the definition. entente import reads both kinds.

            Examples:
              entente register template vasp-licences --out licences.xlsx
              entente register template warnings --built-in --out warnings.csv
            """)

    @OptionGroup var options: DefinitionOptions
    @Option(help: ArgumentHelp("The file to write; its name ends in .csv or .xlsx.", valueName: "file"))
    var out: String
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard isWorkbook || out.lowercased().hasSuffix(".csv") else {
            throw ValidationError("--out \(out): the name must end in .csv or .xlsx")
        }
    }

    private var isWorkbook: Bool { out.lowercased().hasSuffix(".xlsx") }

    func run() async throws {
        let (definition, _) = try await options.load()
        try PlainFile.write(
            isWorkbook ? RegisterWorkbook.template(of: definition) : definition.template, to: out)
        if output.json {
            return Console.print([
                "file": .string(out), "register": .string(definition.name),
                "columns": .array(definition.columns.map { .string($0) }),
            ])
        }
        Console.print(
            "Wrote \(out), \(count(definition.columns.count, "column")). Once it is filled: "
                + "entente import \(definition.name) \(out) --plan new.plan")
    }
}

struct RegisterCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a definition's file; asks no node.",
        discussion: "Example:\n  entente register check sandbox.json")

    @Argument(help: "The definition's file.")
    var file: String
    @OptionGroup var output: OutputOptions

    func run() throws {
        let definition = try DescriptorFile.read(file)
        if output.json { return Console.print(try DefinitionText.json(definition, nil)) }
        Console.print(DefinitionText.lines(definition, nil, language: definition.language))
        Console.print("\(file) is a definition.")
    }
}

struct RegisterDefineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "define",
        abstract: "Publish the definition of a register of the member's own, or a later version.",
        discussion: """
            The file is a Frictionless Table Schema with the member entente (Docs/specification/state-and-maps.md, section \
            6); entente register show vasp-licences --descriptor prints one to start from. Its name begins with the \
            member's short name and a point. A later version has a higher number and the same key form and lookups. \
            Registers that all members share stand in the charter.

            Examples:
              entente register define sandbox.json --plan sandbox.plan
              entente register define sandbox.json --sign-with ayesha
            """)

    @Argument(help: "The definition's file.")
    var file: String
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let definition = try DescriptorFile.read(file)
        try await NodeConnection.with(node) { node in
            let member = node.own.text("name")
            guard RegisterName.isOwn(definition.name, of: member) else {
                throw Failure(
                    "\(file): name: \(definition.name) is no register of \(node.own.text("title"))'s own, whose names begin "
                        + "with \"\(member).\"; what all members share, the charter lists")
            }
            let maker = try await PlanMaker(node, register: nil)
            let found = try await node.get("/v1/context", [("register", definition.name)])["definition"]
            if let old = try Self.published(found) {
                guard old != definition else {
                    throw Failure(
                        "\(file): \(definition.name) is defined by the very same file; there is nothing to do")
                }
                guard definition.version > old.version else {
                    throw Failure(
                        "\(file): version: must be above \(old.version), the version of \(definition.name) in force")
                }
                guard definition.isCompatibleSuccessor(of: old) else {
                    throw Failure(
                        "\(file): entente: a later version cannot change the key form or the lookups of \(definition.name); "
                            + "that takes a new name")
                }
            }
            var drafts = maker.drafts
            drafts.add(definition: definition)
            let plan = try Plan(
                context: maker.context, register: definition.name, made: maker.now,
                summary: ["definition of \(definition.name), version \(definition.version)"], drafts: drafts.drafts)
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }

    private static func published(_ view: JSONValue?) throws -> RegisterDefinition? {
        guard let text = view?["descriptor"]?.string, let bytes = Base64.decodeURL(text) else { return nil }
        return try RegisterDefinition(descriptor: bytes)
    }
}

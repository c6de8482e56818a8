import Alliance
import ArgumentParser
import Logging
import Node

/// The flags that set what a node is told, for `node` and `config show`.
struct SettingOptions: ParsableArguments {
    @OptionGroup var node: NodeOptions
    @Option(help: ArgumentHelp("Where peers connect, or none.", valueName: "host:port"))
    var listen: String?
    @Option(help: ArgumentHelp("Where others reach this node; may be repeated.", valueName: "https://host:port"))
    var advertise: [String] = []
    @Option(help: ArgumentHelp("member=host:port, before charter and rosters; may be repeated.", valueName: "peer"))
    var peer: [String] = []
    @Option(help: ArgumentHelp("HTTP proxy for dialling peers.", valueName: "url"))
    var proxy: String?
    @Option(
        help: ArgumentHelp("Where the passphrase comes from: env:NAME, fd:N, file:PATH or prompt.", valueName: "source")
    )
    var passphrase: String?
    @Option(
        help: ArgumentHelp(
            "The member's authority key: the node then renews its certificate by itself.", valueName: "file"))
    var authorityKey: String?
    @Option(help: ArgumentHelp("trace, debug, info, notice, warning, error or critical.", valueName: "level"))
    var logLevel: String?
    @Option(help: ArgumentHelp("text or json.", valueName: "format"))
    var logFormat: String?
    @Option(help: ArgumentHelp("Open connections of all peers.", valueName: "number"))
    var maximumConnections: String?
    @Option(help: ArgumentHelp("Open connections of one member.", valueName: "number"))
    var maximumConnectionsPerMember: String?
    @Option(help: ArgumentHelp("Seconds between exchanges of heads.", valueName: "seconds"))
    var exchangeInterval: String?
    @Option(help: ArgumentHelp("MiB that stay free on the disk.", valueName: "MiB"))
    var diskReserve: String?
    @Option(
        name: .customLong("member-entries-per-minute"),
        help: ArgumentHelp("Entries a minute taken in of one member, over 10 minutes.", valueName: "number"))
    var memberEntriesPerMinute: String?
    @Option(
        name: .customLong("member-mebibytes-per-minute"),
        help: ArgumentHelp("MiB a minute taken in of one member, over 10 minutes.", valueName: "MiB"))
    var memberMebibytesPerMinute: String?
    @Option(
        name: .customLong("member-entries-per-day"),
        help: ArgumentHelp("Entries a day taken in of one member.", valueName: "number"))
    var memberEntriesPerDay: String?
    @Option(
        name: .customLong("member-mebibytes-per-day"),
        help: ArgumentHelp("MiB a day taken in of one member.", valueName: "MiB"))
    var memberMebibytesPerDay: String?

    func load() throws -> LoadedSettings {
        var flags: [Setting: [String]] = [:]
        let single: [(Setting, String?)] = [
            (.listen, listen), (.proxy, proxy), (.passphraseSource, passphrase),
            (.authorityKey, authorityKey), (.logLevel, logLevel), (.logFormat, logFormat),
            (.maximumConnections, maximumConnections),
            (.maximumConnectionsPerMember, maximumConnectionsPerMember), (.exchangeInterval, exchangeInterval),
            (.diskReserve, diskReserve), (.memberEntriesPerMinute, memberEntriesPerMinute),
            (.memberMebibytesPerMinute, memberMebibytesPerMinute), (.memberEntriesPerDay, memberEntriesPerDay),
            (.memberMebibytesPerDay, memberMebibytesPerDay),
        ]
        for (setting, value) in single { flags[setting] = value.map { [$0] } }
        if !advertise.isEmpty { flags[.advertise] = advertise }
        if !peer.isEmpty { flags[.peers] = peer }
        return try node.load(flags)
    }
}

struct NodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Run the node; say which nodes the member has.",
        discussion: """
            Without a subcommand, entente node runs the node: entente node run --help says with which options.

            Examples:
              entente node --data /var/lib/entente
              entente node add node2 --key node2.pub --sign-with root-1
            """,
        subcommands: [
            NodeRunCommand.self, NodeListCommand.self, NodeAddCommand.self, NodeRemoveCommand.self,
            NodeWaiveCommand.self,
        ],
        defaultSubcommand: NodeRunCommand.self)
}

struct NodeWaiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "waive", abstract: "Let a node publish without one member's word.",
        discussion: """
            A node that starts publishes only once a quorum of the other members has recorded that it did, and told what they \
            hold of its log; after a restore, or where another copy of the node ran later, every other active member. Where \
            one cannot be reached for long, and you know otherwise that it holds nothing newer and that no second copy \
            of this node runs, this goes on without it. It stands on the audit record. If the member does hold more, the log \
            forks, for good.

            Example:
              entente node waive sv
            """)

    @Argument(help: ArgumentHelp("The member whose word is not waited for.", valueName: "name"))
    var member: String
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let answer = try await NodeConnection.with(node) { try await $0.client.waive(member) }
        if output.json { return Console.print(answer) }
        Console.print("The node no longer waits for \(answer.text("waived")).")
    }
}

struct NodeRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Run the node until it is told to stop (SIGTERM or Ctrl-C).",
        discussion: """
            Settings come from flags, then the environment (ENTENTE_LISTEN, ENTENTE_LOG_LEVEL, …), then config.json in the \
            node's folder, then defaults; entente config show prints each with its source. The log goes to standard error.

            Examples:
              entente node --data /var/lib/entente --passphrase file:/etc/entente/passphrase
              ENTENTE_PASSPHRASE=… entente node --listen none
            """)

    @OptionGroup var options: SettingOptions
    @Option(
        help: ArgumentHelp(
            "A member whose word is not waited for before publishing (see entente node waive); may be repeated.",
            valueName: "name"))
    var waive: [String] = []

    func run() async throws {
        let settings = try options.load().settings
        let passphrase = try settings.passphraseSource.read(prompt: "Passphrase of \(settings.member)'s node")
        let format = settings.logFormat
        let level = settings.logLevel
        let logger = Logger(label: "entente") { _ in NodeLogHandler(format: format, level: level) }
        try await NodeRuntime(settings: settings, passphrase: passphrase, logger: logger, waived: waive).run {
            logger.info("ready", metadata: ["control": "\(settings.controlSocket)"])
        }
    }
}

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Look at the node's configuration.", subcommands: [ConfigShowCommand.self])
}

struct ConfigShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print every setting and where it comes from.",
        discussion: "Takes the same flags as entente node.\n\nExample:\n  ENTENTE_LOG_LEVEL=debug entente config show")

    @OptionGroup var options: SettingOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let loaded = try options.load()
        if output.json {
            var object = JSONObject()
            for entry in loaded.entries {
                let value: JSONValue =
                    entry.setting.isList
                    ? .array(entry.items.map { .string($0) })
                    : entry.items.isEmpty
                        ? .null : entry.setting.isNumber ? .integer(Int64(entry.value) ?? 0) : .string(entry.value)
                object[entry.setting.name] = ["value": value, "source": .string(entry.source.description)]
            }
            Console.print(.object(object))
            return
        }
        var table = Table(["setting", "value", "source", "what it is"])
        for entry in loaded.entries {
            table.add([entry.setting.name, entry.value, entry.source.description, entry.setting.help])
        }
        Console.print(table.lines())
    }
}

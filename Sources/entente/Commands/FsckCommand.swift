import Alliance
import ArgumentParser
import Node

struct FsckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck", abstract: "Check a data folder whose node does not run.",
        discussion: """
            Derives everything that is stored again, from the entries up, and says exactly what differs and where. Without \
            --repair nothing is changed. A node that was killed leaves no damage: its database is read as its next start \
            would read it.

            --repair derives again what can be derived, and asks the other members' nodes for entries and documents that are \
            damaged or lost; what they send is taken only under a root that the log's key signed. Nothing is signed. With \
            --offline no peer is asked, and no passphrase is needed.

            Exit status: 0 nothing is damaged (any more), 1 the folder could not be checked, 2 something is damaged.

            Examples:
              entente fsck --data /var/lib/entente
              entente fsck --quick --json
              entente fsck --repair --passphrase file:/etc/entente/passphrase
            """)

    @Flag(help: "Leave out signatures and what counting derives; look at documents by their sizes only.")
    var quick = false
    @Flag(help: "Repair what can be repaired, then check again.")
    var repair = false
    @Flag(help: "With --repair: ask no peer.")
    var offline = false
    @Option(
        help: ArgumentHelp("Where the passphrase comes from: env:NAME, fd:N, file:PATH or prompt.", valueName: "source")
    )
    var passphrase: String?
    @Option(help: ArgumentHelp("member=host:port, before the charter's; may be repeated.", valueName: "peer"))
    var peer: [String] = []
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard repair || !offline else { throw ValidationError("--offline goes with --repair") }
        guard !(repair && quick) else { throw ValidationError("--repair checks everything; leave out --quick") }
    }

    func run() async throws {
        var flags: [Setting: [String]] = [:]
        if let passphrase { flags[.passphraseSource] = [passphrase] }
        if !peer.isEmpty { flags[.peers] = peer }
        let settings = try node.load(flags).settings
        let check = FolderCheck(settings: settings, options: .init(isQuick: quick))
        let outcome: FolderCheck.Outcome
        if repair {
            let secret =
                offline ? nil : try settings.passphraseSource.read(prompt: "Passphrase of \(settings.member)'s node")
            outcome = try await check.repair(passphrase: secret, progress: Console.steps())
        } else {
            outcome = try check.run(progress: Console.steps())
        }
        Console.clearProgress()
        if output.json {
            Console.print(outcome.json)
        } else {
            Console.print(outcome.lines + [outcome.summary, Self.verdict(outcome)])
        }
        if outcome.isDamaged { throw Ending(status: 2) }
    }

    private static func verdict(_ outcome: FolderCheck.Outcome) -> String {
        outcome.isDamaged ? "DAMAGED" : "clean"
    }
}

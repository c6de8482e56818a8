import ArgumentParser
import Node

/// The command line of Entente.
@main
struct EntenteCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "entente",
        abstract: "Signed statements of a country crypto alliance: publish them, hold them, prove them.",
        discussion: """
            A regulator's officer makes a plan, signs it and submits it to the member's own node; every other member's \
            node holds and checks it; a partner anywhere verifies a proof with nothing but the charter.

            The first steps, for a new member:
              entente keys new --all --id did:web:pk.alliance.example --name pk --title Pakistan \\
                --country PK --zone Asia/Karachi --role regulator --address https://node.pk.example:7443
              entente keys new ayesha
              entente charter new --name "Sample alliance" --quorum 2 pk.member sv.member us.member --out alliance.charter
              entente charter sign alliance.charter --key root-1
              entente init --charter alliance.charter --member pk --officer keys/ayesha.pub --listen 0.0.0.0:7443
              entente node
            Every day:
              entente import vasp-licences licences.csv --plan nov21.plan
              entente sign nov21.plan --key ayesha && entente submit nov21.plan
              entente receipts PK-0117 --wait sv
              entente prove vasp-licences PK-0117 && entente verify PK-0117.entente-proof --charter alliance.charter
            """,
        version: Entente.version,
        groupedSubcommands: [
            CommandGroup(
                name: "Setting up",
                subcommands: [
                    KeysCommand.self, CharterCommand.self, InitCommand.self, JoinCommand.self, NodeCommand.self,
                    ConfigCommand.self, StaffCommand.self, TLSCommand.self, FsckCommand.self,
                    AuditCommand.self, BackupCommand.self, RestoreCommand.self,
                ]),
            CommandGroup(
                name: "Publishing",
                subcommands: [
                    ImportCommand.self, PublishCommand.self, RetractCommand.self, UndoCommand.self,
                    EndorseCommand.self, ResolveCommand.self, DeclareCompleteCommand.self, SignCommand.self,
                    SubmitCommand.self,
                ]),
            CommandGroup(
                name: "Looking",
                subcommands: [
                    RegisterCommand.self, RegistersCommand.self, ExportCommand.self, ShowCommand.self,
                    HistoryCommand.self, WhyCommand.self, ConflictsCommand.self, DocumentsCommand.self,
                    EntriesCommand.self,
                    StatusCommand.self, PeersCommand.self, ReceiptsCommand.self,
                ]),
            CommandGroup(name: "Proving", subcommands: [ProveCommand.self, VerifyCommand.self, ForkCommand.self]),
        ])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            finish(with: error)
        }
    }

    /// Ends the process: help goes to standard output, what is wrong to standard error as one line.
    private static func finish(with error: any Error) -> Never {
        if let end = error as? Ending { Console.exit(end.status) }
        let code = exitCode(for: error)
        if code == .success {
            Console.print(fullMessage(for: error))
            Console.exit(0)
        }
        if code == .validationFailure {
            Console.complain("\(oneLine(message(for: error))); see entente --help, or entente help COMMAND")
            Console.exit(code.rawValue)
        }
        Console.complain(Failure.text(of: error))
        Console.exit(1)
    }

    private static func oneLine(_ text: String) -> String {
        let lines = text.split(whereSeparator: \.isNewline).map { $0.trimming() }.filter { !$0.isEmpty }
        var line = lines.joined(separator: " ")
        while line.hasSuffix(".") { line.removeLast() }
        return line
    }
}

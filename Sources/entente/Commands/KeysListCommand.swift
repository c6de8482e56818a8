import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct KeysListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the keys of a folder: what each may do, and until when.",
        discussion: """
            No passphrase is needed. What a key may do stands in the charter in force and in the member's roster: the node \
            on this machine knows both. Where none runs, name the charter with --charter (and earlier versions too, which \
            tell former keys); which officers and nodes there are, only the roster says. A key that is in neither may do \
            nothing. A key stays good until the charter or roster changes; a certificate has an end.

            Examples:
              entente keys list --keys /media/safe
              entente keys list --keys /media/safe --charter alliance.charter --charter 2.charter
            """)

    @Option(help: ArgumentHelp("The folder of the keys. Default: $ENTENTE_KEYS, else ./keys.", valueName: "folder"))
    var keys: String?
    @Option(help: ArgumentHelp("Read this charter instead of asking a node; may be repeated.", valueName: "file"))
    var charter: [String] = []
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let folder = KeyOptions.folder(keys)
        let files = try Self.files(folder)
        let unpaired = folder.unpaired
        guard !files.isEmpty || !unpaired.isEmpty || output.json else {
            return Console.print("There is no key in \(folder.path). Make one with: entente keys new NAME")
        }
        var sources = try charter.isEmpty ? await KeySources(node) : KeySources(charters: charter)
        sources.register.certificates += folder.certificates
        let uses = files.map { (file: $0, use: sources.register.use(of: $0)) }
        output.json ? show(uses, unpaired, folder, sources) : print(uses, unpaired, folder, sources)
    }

    /// Synchronous: decision 0013.
    private static func files(_ folder: KeyFolder) throws -> [PublicKeyFile] { try folder.list() }

    private func show(
        _ uses: [(file: PublicKeyFile, use: KeyUse)], _ unpaired: [String], _ folder: KeyFolder, _ sources: KeySources
    ) {
        let values: [JSONValue] = uses.map { file, use in
            guard case .object(var object) = KeysNewCommand.json(file, in: folder) else { return .null }
            object["state"] = .string(use.state.rawValue)
            object["use"] = .string(use.text)
            object["member"] = use.member.map { .string($0) } ?? .null
            object["certificateEnds"] = use.ends.map { .string(Timestamp(seconds: $0).text) } ?? .null
            return .object(object)
        }
        Console.print([
            "keys": .array(values), "withoutPublicHalf": .array(unpaired.map { .string($0) }),
            "charter": sources.register.charters.last.map { .integer(Int64($0.version)) } ?? .null,
            "roster": sources.register.roster.map { .integer(Int64($0.roster.ordinal)) } ?? .null,
            "problem": sources.problem.map { .string($0) } ?? .null,
        ])
    }

    private func print(
        _ uses: [(file: PublicKeyFile, use: KeyUse)], _ unpaired: [String], _ folder: KeyFolder, _ sources: KeySources
    ) {
        var table = Table(["name", "kind", "fingerprint", "may", "until"])
        for (file, use) in uses {
            table.add([
                file.name, file.kind.rawValue, file.fingerprint, use.text,
                use.until { MemberClock.day(Timestamp(seconds: $0).text) },
            ])
        }
        for name in unpaired { table.add([name, "?", "", "has no \(name).pub beside it, which says what it is", ""]) }
        Console.print(table.lines())
        if let problem = sources.problem { Console.print("Without a roster or charter: \(problem)") }
    }
}

/// What is known of keys: by the node on this machine, or by charters' files.
struct KeySources {
    var register = KeyRegister(charters: [], roster: nil, certificates: [])
    /// Why something is missing.
    var problem: String?

    /// By files, which are taken at their word: entente charter verify tells who signed them.
    init(charters paths: [String]) throws {
        register = KeyRegister(
            charters: try paths.map { try CharterFiles.read($0).charter }, roster: nil, certificates: [])
        problem = "which officers and nodes there are is in the roster; a running node knows it"
    }

    /// By the node on this machine.
    init(_ options: NodeOptions) async {
        do {
            register = try await NodeConnection.with(options) { node in
                var charters: [Charter] = []
                for one in try await node.get("/v1/charters").list("charters") where one.text("state") != "undecided" {
                    let bytes = try await node.client.bytes("/v1/charter", [("digest", one.text("digest"))])
                    charters.append(try Self.charter(bytes))
                }
                let context = try await PlanMaker(node, register: nil).context
                return KeyRegister(
                    charters: charters, roster: context.roots?.roster.map { (context.member, $0.roster) },
                    certificates: [])
            }
            if let own = try? CertificateRenewal.read(options.load().settings.certificatePath) {
                register.certificates.append(own)
            }
        } catch {
            problem = Failure.text(of: error)
        }
    }

    private static func charter(_ bytes: [UInt8]) throws -> Charter { try SignedCharter(parsing: bytes).unverified }
}

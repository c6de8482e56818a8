import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make a node's folder from the signed charter and the member's keys.",
        discussion: """
            Checks the charter and that the keys are those which it lists, issues the node's certificate (90 days), signs \
            the member's first roster with the root key, and writes all that the node needs into one folder. The root key \
            and the authority's key stay where they are; keep them offline.

            An officer is named by the .pub file, with what the officer may publish, if not everything:
              --officer ayesha.pub
              --officer omar.pub:attestation,retraction:vasp-licences,warnings

            Example:
              entente init --charter alliance.charter --member pk --keys keys --officer keys/ayesha.pub \\
                --listen 0.0.0.0:7443 --data /var/lib/entente
            """)

    @Option(help: ArgumentHelp("The charter, signed by every regulator.", valueName: "file"))
    var charter: String
    @OptionGroup var making: NodeMakingOptions
    @OptionGroup var output: OutputOptions

    func run() throws { try making.make([charter], output) }
}

/// What a new node is made of, beside the charter.
struct NodeMakingOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The member's short name.", valueName: "name"))
    var member: String
    @Option(help: ArgumentHelp("An officer: NAME.pub[:kinds[:registers]]; may be repeated.", valueName: "officer"))
    var officer: [String] = []
    @Option(
        help: ArgumentHelp(
            "A register, or @documents, that needs two officers; may be repeated.", valueName: "register"))
    var twoOfficers: [String] = []
    @Option(help: ArgumentHelp("Where peers connect, or none for a node that only dials out.", valueName: "host:port"))
    var listen: String
    @Option(
        help: ArgumentHelp("Where others reach the node, if not as the charter says.", valueName: "https://host:port"))
    var advertise: [String] = []
    @Option(
        help: ArgumentHelp("member=host:port, instead of the charter's address; may be repeated.", valueName: "peer"))
    var peer: [String] = []
    @Option(help: ArgumentHelp("HTTP proxy for dialling peers.", valueName: "url"))
    var proxy: String?
    @Option(help: ArgumentHelp("The name of the node and of its key.", valueName: "name"))
    var node: String = MemberSetup.nodeKey
    @OptionGroup var keys: KeyOptions
    @OptionGroup var nodeOptions: NodeOptions

    /// Makes the node's folder.
    ///
    /// - Parameter charters: files, version 1 first.
    func make(_ charters: [String], _ output: OutputOptions) throws {
        let data = SettingsLoader.ofProcess(nodeOptions.flags).newDataFolder
        var setup = NodeSetup(charterPath: charters[0], member: member, keys: keys.folder.path, data: data)
        setup.laterCharterPaths = Array(charters.dropFirst())
        setup.node = node
        if listen != "none" {
            guard let address = PeerAddress(listen) else {
                throw Failure("--listen \(listen): is neither host:port nor none")
            }
            setup.listen = address
        }
        for address in advertise {
            guard address.hasPrefix("https://"), PeerAddress(String(address.dropFirst(8))) != nil else {
                throw Failure("--advertise \(address): is not https://host:port")
            }
        }
        setup.advertise = advertise
        setup.peers = try peer.map { text in
            guard let peer = NodeSettings.PeerOverride(text) else {
                throw Failure("--peer \(text): is not member=host:port")
            }
            return peer
        }
        if let proxy, PeerProxyURL(proxy) == nil { throw Failure("--proxy: must be http://[user:password@]host:port") }
        setup.proxy = proxy
        setup.officers = try officer.map { try OfficerArgument($0).officer }
        setup.twoOfficers = twoOfficers
        setup.controlSocket = nodeOptions.controlSocket
        if keys.passphrase != nil { setup.passphraseSource = try keys.source }
        try setup.check()
        let result = try setup.create(passphrase: try keys.unlock("\(member)'s keys"), now: MemberClock.now)
        report(result, data: data, output)
    }

    private func report(_ result: NodeSetup.Result, data: String, _ output: OutputOptions) {
        let ends = MemberClock(zone: result.member.zone).text(result.certificateEnds)
        if output.json {
            Console.print([
                "data": .string(data), "member": .string(result.member.name), "node": .string(node),
                "origin": .string(result.member.log.name), "fingerprint": .string(result.charter.fingerprint),
                "certificateEnds": .string(Timestamp(seconds: result.certificateEnds).text),
                "officers": .array(result.roster.officers.map { .string($0.name) }),
            ])
            return
        }
        Console.print([
            "Made \(result.member.title)'s node in \(data).",
            "  charter      version \(result.charter.charter.version), fingerprint \(result.charter.fingerprint); "
                + (result.charter.charter.version == 1 ? "every regulator signed" : "signed by enough regulators"),
            "  officers     \(result.roster.officers.map(\.name).joined(separator: ", "))",
            "  certificate  until \(ends)",
            "Next: entente node --data \(data)",
        ])
    }
}

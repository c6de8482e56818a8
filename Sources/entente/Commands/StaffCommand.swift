import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct StaffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "staff", abstract: "Say who may publish for the member, and what.",
        discussion: """
            The member's roster lists its officers and nodes; it is an entry of the member's log, signed by its root keys, \
            and each change is a further one. What an officer signed before a revocation stands; nothing counts from the \
            revocation's place in the log on, whatever any clock says.

            Root keys live off the node. Write the change to a plan there, sign it where the root key is, submit it here:
              entente staff revoke omar --plan omar.plan
              entente sign omar.plan --key root-1 --keys /media/safe
              entente submit omar.plan
            """,
        subcommands: [
            StaffListCommand.self, StaffAddCommand.self, StaffLimitCommand.self, StaffRevokeCommand.self,
            StaffTwoOfficersCommand.self,
        ])
}

/// What every change of a roster has in common.
struct RosterOptions: ParsableArguments {
    @Flag(help: "Make a roster under which nobody could publish, too.")
    var anyway = false
    @OptionGroup var publishing: PublishingOptions
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    /// Changes the roster in force, and publishes the result or writes the plan of it.
    func change(_ edit: (inout Roster) throws -> Void) async throws {
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: nil)
            guard let old = maker.context.roots?.roster?.roster else {
                throw Failure("the node did not say which roster is in force; is it of this version?")
            }
            var new = old
            try edit(&new)
            guard new != old else { throw Failure("this changes nothing") }
            let impasses = new.impasses.filter { !old.impasses.contains($0) }
            guard anyway || impasses.isEmpty else {
                throw Failure("\(impasses.joined(separator: "; ")); --anyway does it nevertheless")
            }
            let plan = try Plan(context: maker.context, roster: new, made: maker.now)
            try await Publishing.finish(plan, publishing, output, node: node)
        }
    }
}

struct StaffListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the officers and what each may publish.",
        discussion: "Example:\n  entente staff list")

    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await RosterText.show(node, output, RosterText.officers)
    }
}

struct StaffAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add officers, or give one a new key.",
        discussion: """
            An officer is named by the file that entente keys new made on the officer's own machine, with what the officer \
            may publish: NAME.pub[:kinds[:registers]]. Without kinds, everything; without registers, all.

            Examples:
              entente staff add keys/ayesha.pub --sign-with root-1
              entente staff add omar.pub:attestation,retraction:vasp-licences,warnings --plan omar.plan
              entente staff add new/ayesha.pub --replace --plan ayesha.plan
            """)

    @Argument(help: ArgumentHelp("The officers.", valueName: "name.pub"))
    var officer: [String]
    @Flag(help: "An officer of this name loses the old key.")
    var replace = false
    @OptionGroup var options: RosterOptions

    func run() async throws {
        let officers = try officer.map { try OfficerArgument($0, place: "").officer }
        try await options.change { roster in
            for officer in officers { try roster.add(officer, replacing: replace) }
        }
    }
}

struct StaffLimitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limit", abstract: "Say anew what an officer may publish.",
        discussion: """
            NAME[:kinds[:registers]]; what is left out means everything.

            Examples:
              entente staff limit omar:attestation:warnings --sign-with root-1
              entente staff limit ayesha --plan ayesha.plan
            """)

    @Argument(help: ArgumentHelp("The officer, and what is permitted.", valueName: "name[:kinds[:registers]]"))
    var officer: String
    @OptionGroup var options: RosterOptions

    func run() async throws {
        let parts = officer.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let permission = try Permission(parts.count == 2 ? parts[1] : "", place: officer)
        try await options.change { roster in
            try roster.limit(String(parts[0]), kinds: permission.kinds, registers: permission.registers)
        }
    }
}

struct StaffRevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Take officers out: their keys count no more from here on.",
        discussion: """
            What a stolen key signed before is still in the log: look through it with entente entries, and take back what \
            is false with entente retract.

            Example:
              entente staff revoke omar --sign-with root-1
            """)

    @Argument(help: ArgumentHelp("The officers.", valueName: "name"))
    var name: [String]
    @OptionGroup var options: RosterOptions

    func run() async throws {
        try await options.change { roster in for name in name { try roster.revoke(name) } }
    }
}

struct StaffTwoOfficersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "two-officers", abstract: "Ask for a second officer's approval, register by register.",
        discussion: """
            Where two are asked for, a statement counts only with the approval of another officer, signed on the same plan.

            Examples:
              entente staff two-officers vasp-licences warnings --sign-with root-1
              entente staff two-officers @documents --off --plan documents.plan
            """)

    @Argument(help: ArgumentHelp("The registers, or @documents.", valueName: "register"))
    var register: [String]
    @Flag(help: "One officer is enough again.")
    var off = false
    @OptionGroup var options: RosterOptions

    func run() async throws {
        try await options.change { roster in
            for register in register { try roster.require(two: !off, for: register) }
        }
    }
}

// MARK: - Nodes

struct NodeListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the nodes and TLS keys of the member's roster.",
        discussion: "Example:\n  entente node list")

    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await RosterText.show(node, output, RosterText.nodes)
    }
}

struct NodeAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Enter a node, or a further TLS key of a node, into the roster.",
        discussion: """
            The key comes from a .pub file of entente keys new --kind node, or from a certificate. A node that is there gets \
            the key beside those it has, so that it can change over; with --replace its other keys are revoked.

            Examples:
              entente node add node2 --key node2.pub --address https://node2.pk.example:7443 --sign-with root-1
              entente node add node1 --certificate new.pem --plan node1.plan
              entente node add node1 --key node1-new.pub --replace --plan node1.plan
            """)

    @Argument(help: ArgumentHelp("The node's name.", valueName: "name"))
    var name: String
    @Option(help: ArgumentHelp("The node's public key.", valueName: "name.pub"))
    var key: String?
    @Option(help: ArgumentHelp("The node's certificate, for its key.", valueName: "file"))
    var certificate: String?
    @Option(help: ArgumentHelp("Where others dial it; may be repeated, or none.", valueName: "https://host:port"))
    var address: [String] = []
    @Flag(help: "The node's other keys are revoked: nobody lets them connect any more.")
    var replace = false
    @OptionGroup var options: RosterOptions

    func validate() throws {
        guard (key == nil) != (certificate == nil) else {
            throw ValidationError("name the node's key with --key or --certificate")
        }
    }

    func run() async throws {
        let digest = try digest()
        let addresses = address.isEmpty ? nil : address.filter { $0 != "none" }
        for text in addresses ?? []
        where !text.hasPrefix("https://") || PeerAddress(String(text.dropFirst(8))) == nil {
            throw Failure("--address \(text): must be https://host:port, or none")
        }
        try await options.change { roster in
            try roster.add(node: name, key: digest, addresses: addresses, replacing: replace)
        }
    }

    private func digest() throws -> HashValue {
        if let certificate {
            let read = try CertificateRenewal.read(certificate)
            guard let digest = HashValue(read.keyDigest) else { throw Failure("\(certificate): has no key") }
            return digest
        }
        let file = try PublicKeyFile(at: key ?? "")
        guard file.kind == .node else {
            throw Failure(
                "\(key ?? ""): is a key for \(file.kind.rawValue); entente keys new NAME --kind node makes one")
        }
        return HashValue.sha256(file.key)
    }
}

struct NodeRemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take nodes out of the roster and revoke their TLS keys.",
        discussion: """
            Every node that holds the new roster refuses those keys from then on, in both directions, and ends connections \
            that are open, though their certificates still run.

            Example:
              entente node remove node2 --sign-with root-1
            """)

    @Argument(help: ArgumentHelp("The nodes.", valueName: "name"))
    var name: [String]
    @Flag(help: "Only take them out; the keys keep restricted access until their certificates end.")
    var keepKeys = false
    @OptionGroup var options: RosterOptions

    func run() async throws {
        try await options.change { roster in
            for name in name { try roster.remove(node: name, revoking: !keepKeys) }
        }
    }
}

/// A roster for people and programs.
enum RosterText {
    static func lines(_ roster: Roster) -> [String] { officers(roster) + nodes(roster) }

    /// Prints a part of the roster in force.
    static func show(
        _ node: NodeOptions, _ output: OutputOptions, _ part: (Roster) -> [String]
    ) async throws {
        try await NodeConnection.with(node) { node in
            let maker = try await PlanMaker(node, register: nil)
            guard let roster = maker.context.roots?.roster?.roster else {
                throw Failure("the node has not published its first roster yet; try again in a moment")
            }
            if output.json { return Console.print(json(roster)) }
            Console.print(["Roster \(roster.ordinal) of \(maker.context.title):"] + part(roster))
        }
    }

    static func officers(_ roster: Roster) -> [String] {
        var table = Table(["officer", "key", "may publish", "about"])
        for officer in roster.officers {
            table.add([
                officer.name, RosterDiff.fingerprint(officer),
                officer.kinds == OfficerArgument.standardKinds
                    ? "everything" : officer.kinds.map(\.rawValue).sorted().joined(separator: ", "),
                officer.registers?.joined(separator: ", ") ?? "every register",
            ])
        }
        let two = roster.twoOfficers.isEmpty ? "none" : roster.twoOfficers.joined(separator: ", ")
        return table.lines(indent: 2) + ["  Two officers are asked for in: \(two)"]
    }

    static func nodes(_ roster: Roster) -> [String] {
        var table = Table(["node", "address", "TLS key"])
        for node in roster.nodes {
            for (position, key) in node.tlsKeys.enumerated() {
                let address = node.addresses.isEmpty ? "dialled by nobody" : node.addresses.joined(separator: ", ")
                table.add([position == 0 ? node.name : "", position == 0 ? address : "", key.hex])
            }
        }
        return table.lines(indent: 2) + roster.revoked.map { "  revoked: \($0.hex)" }
    }

    static func json(_ roster: Roster) -> JSONValue {
        [
            "ordinal": .integer(Int64(roster.ordinal)),
            "officers": .array(
                roster.officers.map { officer in
                    [
                        "name": .string(officer.name), "fingerprint": .string(RosterDiff.fingerprint(officer)),
                        "key": .string(Base64.encodeURL(officer.key.bytes)),
                        "kinds": .array(officer.kinds.map(\.rawValue).sorted().map { .string($0) }),
                        "registers": officer.registers.map { .array($0.map { .string($0) }) } ?? .null,
                    ]
                }), "twoOfficers": .array(roster.twoOfficers.map { .string($0) }),
            "nodes": .array(
                roster.nodes.map { node in
                    [
                        "name": .string(node.name), "addresses": .array(node.addresses.map { .string($0) }),
                        "keys": .array(node.tlsKeys.map { .string($0.hex) }),
                    ]
                }), "revoked": .array(roster.revoked.map { .string($0.hex) }),
        ]
    }
}

import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct JoinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "join", abstract: "Join an alliance that runs already.",
        discussion: """
            The newcomer makes its keys, sends its file to a member (join request), and gets the charters back once \
            regulators have signed the one that admits it. Then it makes its node from them.

            Examples:
              entente join request --keys keys-jp --out jp.member
              entente join 1.charter 2.charter --member jp --keys keys-jp --officer keys-jp/aiko.pub \\
                --listen 0.0.0.0:7443 --data entente-data
            """,
        subcommands: [JoinRequestCommand.self, JoinNodeCommand.self], defaultSubcommand: JoinNodeCommand.self)
}

struct JoinRequestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request", abstract: "Write the file that a member of the alliance needs to propose you.",
        discussion: """
            It holds public keys, names and addresses only. Read its SHA-256 to the member by telephone. A member that \
            changes its root keys or its replica key writes such a file as well, for entente charter propose --root-keys \
            or --update.

            Examples:
              entente join request --keys keys-jp --out jp.member
              entente join request --keys keys-pk --root root-2 --root root-3 --root-threshold 2 --out pk-new.member
            """)

    @Option(help: ArgumentHelp("The folder of the keys that entente keys new --all made.", valueName: "folder"))
    var keys: String?
    @Option(help: ArgumentHelp("regulator or observer, if not as the keys were made.", valueName: "role"))
    var role: String?
    @Option(
        help: ArgumentHelp(
            "Where your node is reached, if not as the keys were made; may be repeated.", valueName: "https://host:port"
        ))
    var address: [String] = []
    @Option(
        help: ArgumentHelp("The root keys to list, instead of those in the file; may be repeated.", valueName: "name"))
    var root: [String] = []
    @Option(help: "How many root keys must sign for the member.")
    var rootThreshold: Int?
    @Option(help: ArgumentHelp("The replica key to list, instead of the one in the file.", valueName: "name"))
    var replica: String?
    @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
    var out: String
    @OptionGroup var output: OutputOptions

    func run() throws {
        let folder = KeyOptions.folder(keys)
        var member = try folder.memberFile().member
        if let replica {
            member.replica = try VerifierKey(
                name: try MemberNames.replica(of: member.id), type: .cosignatureEd25519,
                publicKey: try Self.key(replica, .replica, folder))
        }
        if let role {
            guard let word = MemberRole(rawValue: role) else {
                throw Failure("--role \(role): must be regulator or observer")
            }
            member.role = word
        }
        for address in address {
            guard address.hasPrefix("https://"), PeerAddress(String(address.dropFirst(8))) != nil else {
                throw Failure("--address \(address): is not https://host:port")
            }
        }
        if !address.isEmpty { member.addresses = address }
        if !root.isEmpty { member.rootKeys = try root.map { try Self.rootKey($0, folder) } }
        if let rootThreshold { member.rootThreshold = rootThreshold }
        guard (1...member.rootKeys.count).contains(member.rootThreshold) else {
            throw Failure("--root-threshold \(member.rootThreshold): must be from 1 to \(member.rootKeys.count)")
        }
        let file = MemberFile(member)
        // Reading it back checks it by the same rules as the others will.
        _ = try MemberFile(parsing: file.bytes, file: out)
        try PlainFile.write(file.bytes, to: out)
        let digest = HashValue.sha256(file.bytes).hex
        if output.json {
            Console.print(["file": .string(out), "member": .string(member.name), "sha256": .string(digest)])
        } else {
            Console.print([
                "\(member.title) (\(member.id)) asks to join as \(member.role.rawValue).",
                "Written to \(out), SHA-256 \(digest)",
                "Send it to a member, who proposes you: entente charter propose --admit \(out) --out next.charter",
            ])
        }
    }

    private static func rootKey(_ name: String, _ folder: KeyFolder) throws -> RootKey {
        RootKey(name: name, key: try SigningKey(try key(name, .root, folder)))
    }

    private static func key(_ name: String, _ kind: KeyKind, _ folder: KeyFolder) throws -> [UInt8] {
        let path = "\(folder.path)/\(name)\(KeyFile.publicSuffix)"
        let file = try PublicKeyFile(at: path)
        guard file.kind == kind else {
            throw Failure("\(path): is the public half of a key of kind \(file.kind.rawValue), not \(kind.rawValue)")
        }
        return file.key
    }
}

struct JoinNodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Make your node from the charters of the alliance.",
        discussion: """
            All charters are due, from version 1 to the one that lists you: a member writes them with \
            entente charter history --out FOLDER. Compare the fingerprint that is shown with the one that the regulators \
            publish. The rest is as in entente init.
            """)

    @Argument(help: "The charters' files, in any order.")
    var charters: [String]
    @OptionGroup var making: NodeMakingOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        try making.make(try CharterFiles.inOrder(charters), output)
    }
}

/// Files of several charters.
enum CharterFiles {
    /// Reads one; for commands that wait as well (decision 0013).
    static func read(_ path: String) throws -> CharterFile { try CharterFile(at: path) }

    /// The paths, the oldest version first.
    static func inOrder(_ paths: [String]) throws -> [String] {
        try paths.map { ($0, try CharterFile(at: $0).charter.version) }.sorted { $0.1 < $1.1 }.map(\.0)
    }

    /// Writes a charter's file into a folder, which is made where it is missing.
    static func write(_ bytes: [UInt8], version: Int64, to folder: String) throws {
        try PublicFolder.make(folder)
        try PlainFile.write(bytes, to: "\(folder)/\(version).charter", overwrite: true)
    }

    /// The chain of these files: version 1 with every regulator, or the one with that fingerprint, and what belongs to it.
    static func chain(_ paths: [String], pinned: String? = nil) throws -> CharterChain {
        let digest = try pinned.map { text in
            guard let digest = HashValue(hex: text.filter { $0 != " " }) else {
                throw Failure("--pinned \(text): the whole fingerprint is due, 64 hexadecimal digits")
            }
            return digest
        }
        var files: [SignedCharter] = []
        for path in paths {
            guard let signed = try CharterFile(at: path).signed else {
                throw Failure("\(path): nobody has signed this charter")
            }
            files.append(signed)
        }
        do throws(CharterRefusal) {
            return try CharterChain(assembling: files, pinned: digest)
        } catch {
            throw Failure("\(paths.joined(separator: ", ")): \(error.reason)")
        }
    }
}

import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make and list keys.",
        subcommands: [KeysNewCommand.self, KeysListCommand.self])
}

struct KeysNewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a key, or a member's whole first set.",
        discussion: """
            A key is a file NAME.key, encrypted with a passphrase, that only you can read, and beside it NAME.pub, one \
            line that you hand to others. An officer makes a key once, on the officer's own machine.

            With --all a new member makes its first set: root-1 (signs charters and rosters; keep it offline), log, \
            replica, authority with its certificate, node1, and the public file NAME.member, which the members exchange \
            to write a charter.

            Examples:
              entente keys new ayesha
              entente keys new root-2 --kind root --keys /media/safe
              entente keys new --all --id did:web:pk.alliance.example --name pk --title Pakistan --country PK \\
                --zone Asia/Karachi --role regulator --address https://node.pk.example:7443
            """)

    @Argument(help: "The key's name: lower-case letters, digits, '.', '_' and '-'.")
    var key: String?

    @Option(help: "What the key is for: officer, root, log, replica, node or authority.")
    var kind: String = "officer"

    @Flag(help: "Make a member's whole first set.")
    var all = false

    @Option(help: ArgumentHelp("With --all: the member's id.", valueName: "did:web:…"))
    var id: String?
    @Option(help: ArgumentHelp("With --all: the member's short name, such as pk.", valueName: "name"))
    var name: String?
    @Option(help: ArgumentHelp("With --all: the member's name for people.", valueName: "title"))
    var title: String?
    @Option(help: ArgumentHelp("With --all: the country (ISO 3166-1), such as PK.", valueName: "code"))
    var country: String?
    @Option(help: ArgumentHelp("With --all: the time zone (IANA), such as Asia/Karachi.", valueName: "zone"))
    var zone: String?
    @Option(help: ArgumentHelp("With --all: regulator or observer.", valueName: "role"))
    var role: String = "regulator"
    @Option(
        help: ArgumentHelp("With --all: where the node is reached; may be repeated.", valueName: "https://host:port"))
    var address: [String] = []

    @OptionGroup var keys: KeyOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if all {
            guard key == nil else {
                throw ValidationError("--all makes keys of fixed names; leave out \"\(key ?? "")\"")
            }
            for (value, option) in [
                (id, "--id"), (name, "--name"), (title, "--title"), (country, "--country"), (zone, "--zone"),
            ]
            where value == nil { throw ValidationError("--all needs \(option)") }
        } else {
            guard key != nil else { throw ValidationError("name the key, or make a member's whole set with --all") }
            guard id == nil, name == nil, title == nil, country == nil, zone == nil, address.isEmpty else {
                throw ValidationError("--id, --name, --title, --country, --zone and --address go with --all")
            }
        }
    }

    func run() async throws {
        try await all ? makeMember() : makeKey()
    }

    private func makeKey() async throws {
        guard let key, KeyFile.isValid(name: key) else {
            throw Failure("key \(key ?? ""): a name has up to 64 lower-case letters, digits, '.', '_' and '-'")
        }
        guard let kind = KeyKind(rawValue: kind) else {
            let known = KeyKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure("--kind \(kind): is no kind of key; known are: \(known)")
        }
        let file = try keys.folder.create(key, kind: kind, passphrase: try keys.choose(key))
        if output.json {
            Console.print(Self.json(file, in: keys.folder))
        } else {
            Console.print([
                "Made \(keys.folder.path)/\(key).key (\(kind.rawValue)), fingerprint \(file.fingerprint).",
                "Hand \(keys.folder.path)/\(key).pub to whoever enters it; keep the .key to yourself.",
            ])
        }
    }

    private func makeMember() async throws {
        guard let role = MemberRole(rawValue: role) else {
            throw Failure("--role \(role): must be regulator or observer")
        }
        let setup = MemberSetup(
            id: id ?? "", name: name ?? "", title: title ?? "", country: country ?? "", zone: zone ?? "", role: role,
            addresses: address)
        let passphrase = try keys.choose("\(title ?? "")'s keys")
        let file = try setup.create(in: keys.folder.path, passphrase: passphrase, now: MemberClock.now)
        let path = "\(keys.folder.path)/\(file.member.name).member"
        if output.json {
            Console.print([
                "folder": .string(keys.folder.path), "member": .string(path), "origin": .string(file.member.log.name),
                "keys": .array(try keys.folder.list().map { Self.json($0, in: keys.folder) }),
            ])
        } else {
            Console.print([
                "Made the first keys of \(file.member.title) in \(keys.folder.path): root-1, log, replica, authority, node1.",
                "Log \(file.member.log.name).",
                "Hand \(path) to the other members. Keep root-1.key and authority.key offline.",
            ])
        }
    }

    static func json(_ file: PublicKeyFile, in folder: KeyFolder) -> JSONValue {
        [
            "name": .string(file.name), "kind": .string(file.kind.rawValue), "fingerprint": .string(file.fingerprint),
            "file": .string("\(folder.path)/\(file.name).key"),
        ]
    }
}

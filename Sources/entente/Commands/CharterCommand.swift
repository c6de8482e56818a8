import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct CharterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "charter", abstract: "Write, change, sign, adopt, show and verify the alliance's charter.",
        subcommands: [
            CharterNewCommand.self, CharterProposeCommand.self, CharterDiffCommand.self, CharterSignCommand.self,
            CharterMergeCommand.self, CharterAdoptCommand.self, CharterHistoryCommand.self, CharterShowCommand.self,
            CharterVerifyCommand.self,
        ])
}

struct CharterNewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new", abstract: "Write version 1 of a charter from the members' files.",
        discussion: """
            The quorum is how many other members must hold and check a log before it counts as final: more than half of \
            them. The charter lists the built-in registers; then every regulator signs it.

            Example:
              entente charter new --name "Sample alliance" --quorum 2 pk.member sv.member us.member imf.member \\
                --out alliance.charter
            """)

    @Option(help: "The alliance's name.")
    var name: String
    @Option(help: "How many other members must hold and check a log.")
    var quorum: Int
    @Option(help: "How many regulators must sign the next version. Default: more than half.")
    var threshold: Int?
    @Option(help: "How many others must endorse a recognition. Default: half of the regulators, at least 1.")
    var recognitions: Int?
    @Option(help: ArgumentHelp("Days until the charter expires.", valueName: "days"))
    var days: Int = 730
    @Argument(help: ArgumentHelp("The members' public files.", valueName: "member-file"))
    var members: [String]
    @Option(help: ArgumentHelp("The charter's file.", valueName: "file"))
    var out: String
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...36_500).contains(days) else { throw ValidationError("--days must be from 1 to 36500") }
    }

    func run() throws {
        let files = try members.map { try MemberFile(at: $0).member }
        let now = MemberClock.now
        let charter: CharterFile
        do throws(AllianceError) {
            charter = try CharterSetup.draft(
                name: name, members: files, quorum: quorum, threshold: threshold, recognitionsBy: recognitions,
                issued: now, expires: now + Int64(days) * 86_400)
        } catch {
            throw Failure("the charter cannot be: \(error)")
        }
        try PlainFile.write(charter.bytes, to: out)
        if output.json {
            Console.print(try CharterText.json(charter))
        } else {
            Console.print(try CharterText.lines(charter))
            let next = charter.charter.regulators.map(\.name).joined(separator: ", ")
            Console.print("Written to \(out). Next, by each of \(next): entente charter sign \(out) --key root-1")
        }
    }
}

struct CharterSignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Add a root key's signature to a charter.",
        discussion: """
            Needs no node: of a later version it says in words what changes where the version before is at hand \
            (--previous, or a running node). A root key that the new version takes away signs for the version before, which then has to \
            be at hand.

            Examples:
              entente charter sign alliance.charter --key root-1 --keys /media/safe
              entente charter sign v2.charter --previous alliance.charter --key root-1 --keys /media/safe
            """)

    @Argument(help: "The charter's file; it is replaced by one with your signature.")
    var file: String
    @Option(help: ArgumentHelp("The root key that signs.", valueName: "name"))
    var key: String = MemberSetup.rootKey
    @OptionGroup var keys: KeyOptions
    @OptionGroup var before: PreviousCharterOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let charter = try CharterFiles.read(file)
        let previous = try await before.loadIfThere(charter.charter.previous)?.charter
        try sign(charter, previous)
    }

    private func sign(_ charter: CharterFile, _ previous: Charter?) throws {
        if !output.json {
            Console.print(try CharterText.lines(charter))
            if let previous {
                Console.print(CharterDiff(from: previous, to: charter.charter).changes.map { "  \($0.text)" })
            }
        }
        let root = try keys.folder.open(key, kind: .root, passphrase: try keys.unlock(key))
        guard let (member, signer) = charter.signer(root, previous: previous) else {
            let hint =
                charter.charter.previous == nil || previous != nil ? "" : ", or the version before with --previous"
            throw Failure(
                "key \(key): is no root key of any member of this charter; name its folder with --keys\(hint)")
        }
        let signed = try charter.signed(by: signer)
        try PlainFile.write(signed.bytes, to: file, overwrite: true)
        if output.json {
            Console.print(try CharterText.json(signed))
            return
        }
        guard charter.charter.previous == nil else {
            Console.print("Signed for \(member.title) with \(signer.keyName).")
            return Console.print(ChangeText.signatures(signed, after: previous))
        }
        let missing = try signed.missing()
        let rest =
            missing.isEmpty
            ? "Every regulator has signed." : "Still missing: \(missing.map(\.title).joined(separator: ", "))."
        Console.print("Signed for \(member.title) with \(signer.keyName). \(rest)")
    }
}

struct CharterShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what a charter says, whoever signed it.",
        discussion: """
            Without a file: the charter in force at the running node.

            Example:
              entente charter show alliance.charter
            """)

    @Argument(help: "The charter's file.")
    var file: String?
    @OptionGroup var nodeOptions: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        if let file { return try show(try CharterFiles.read(file)) }
        let bytes = try await NodeConnection.with(nodeOptions) { try await $0.client.bytes("/v1/charter") }
        try show(try PreviousCharterOptions.read(bytes))
    }

    private func show(_ charter: CharterFile) throws {
        if output.json {
            Console.print(try CharterText.json(charter))
        } else {
            Console.print(try CharterText.lines(charter))
        }
    }
}

struct CharterVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Tell who signed a charter and whether that is enough.",
        discussion: """
            Compare the fingerprint with the one that the regulators publish, for example in a gazette. Status 0: every \
            regulator signed, or of a later version enough of them; 1: not so.

            Examples:
              entente charter verify alliance.charter
              entente charter verify 3.charter --earlier alliance.charter --earlier 2.charter
            """)

    @Argument(help: "The charter's file.")
    var file: String
    @Option(help: ArgumentHelp("A version before it, from version 1 on; may be repeated.", valueName: "file"))
    var earlier: [String] = []
    @OptionGroup var output: OutputOptions

    func run() throws {
        let charter = try CharterFile(at: file)
        let signers: [(member: CharterMember, keys: [String])]
        do throws(AllianceError) { signers = try charter.signers() } catch { throw Failure("\(file): \(error)") }
        let missing = try charter.missing()
        let isFirst = charter.charter.version == 1
        let (isGood, verdict) = isFirst ? Self.judgeFirst(charter, missing.count) : judgeLater(charter)
        if output.json {
            guard case .object(var object) = try CharterText.json(charter) else { return }
            object["good"] = .bool(isGood)
            Console.print(.object(object))
        } else {
            var lines = [verdict]
            var table = Table()
            for member in charter.charter.members {
                let keys = signers.first { $0.member.id == member.id }?.keys ?? []
                let isDue = member.role == .regulator && member.standing == .active
                let what = keys.isEmpty ? isDue ? (isFirst ? "MISSING" : "did not sign") : "observes" : "signed"
                table.add([member.title, what, keys.joined(separator: ", ")])
            }
            lines += table.lines(indent: 2)
            lines.append("  fingerprint  \(charter.fullFingerprint)")
            if charter.charter.expires.seconds <= MemberClock.now {
                lines.append("  expired on \(charter.charter.expires.text)")
            }
            Console.print(lines)
        }
        if !isGood { throw Ending(status: 1) }
    }

    private static func judgeFirst(_ charter: CharterFile, _ missing: Int) -> (Bool, String) {
        guard missing > 0 else {
            return (true, "GOOD. Every regulator signed version 1 of \(charter.charter.alliance).")
        }
        let all = charter.charter.regulators.count
        return (false, "NOT YET. \(count(missing, "regulator")) of \(all) did not sign.")
    }

    private func judgeLater(_ charter: CharterFile) -> (Bool, String) {
        let version = charter.charter.version
        guard !earlier.isEmpty else {
            return (
                false,
                "CANNOT TELL. This is version \(version); trust starts from version 1: name those before with --earlier."
            )
        }
        do {
            let chain = try CharterFiles.chain(earlier + [file])
            guard chain.version(version)?.digest == charter.digest else {
                return (false, "NOT YET. Another version \(version) contradicts it.")
            }
            return (true, "GOOD. Enough regulators signed version \(version) of \(charter.charter.alliance).")
        } catch {
            return (false, "NOT YET. \(Failure.text(of: error))")
        }
    }
}

/// A charter for people and programs.
enum CharterText {
    static func lines(_ file: CharterFile) throws -> [String] {
        let charter = file.charter
        var lines = [
            "\(charter.alliance), charter version \(charter.version), fingerprint \(file.fingerprint)",
            "  issued \(charter.issued.text), expires \(charter.expires.text)",
            "  \(count(charter.quorum, "other member")) must hold and check a log; "
                + "\(count(charter.threshold, "regulator")) of \(charter.regulators.count) must sign the next version",
        ]
        var table = Table(["member", "", "role", "zone", "log", "addresses"])
        for member in charter.members {
            let standing = member.standing == .active ? "" : ", \(member.standing.rawValue)"
            table.add([
                member.title, member.name, member.role.rawValue + standing, member.zone, member.log.name,
                member.addresses.joined(separator: " "),
            ])
        }
        lines += table.lines(indent: 2)
        let registers = charter.registers.map { register in
            switch register.merge {
            case .each: register.name
            case .joint: "\(register.name) (joint)"
            case .by(let count): "\(register.name) (by \(count))"
            }
        }
        lines.append("  registers: \(registers.joined(separator: ", "))")
        return lines
    }

    static func json(_ file: CharterFile) throws -> JSONValue {
        let charter = file.charter
        let signers = try file.signers()
        return [
            "alliance": .string(charter.alliance), "version": .integer(Int64(charter.version)),
            "digest": .string(file.digest.hex), "fingerprint": .string(file.fingerprint),
            "issued": .string(charter.issued.text), "expires": .string(charter.expires.text),
            "threshold": .integer(Int64(charter.threshold)), "quorum": .integer(Int64(charter.quorum)),
            "registers": .array(charter.registers.map { .string($0.name) }),
            "members": .array(
                charter.members.map { member in
                    [
                        "id": .string(member.id), "name": .string(member.name), "title": .string(member.title),
                        "role": .string(member.role.rawValue), "standing": .string(member.standing.rawValue),
                        "zone": .string(member.zone),
                        "origin": .string(member.log.name), "log": .string(member.log.description),
                        "replica": member.replica.map { .string($0.description) } ?? .null,
                        "addresses": .array(member.addresses.map { .string($0) }),
                        "signedWith": .array(
                            (signers.first { $0.member.id == member.id }?.keys ?? []).map { .string($0) }),
                    ]
                }),
            "missing": .array(try file.missing().map { .string($0.name) }),
        ]
    }
}

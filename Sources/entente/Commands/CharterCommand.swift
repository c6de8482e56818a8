import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct CharterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "charter", abstract: "Write, sign, show and verify the alliance's charter.",
        subcommands: [
            CharterNewCommand.self, CharterSignCommand.self, CharterShowCommand.self, CharterVerifyCommand.self,
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

struct CharterSignCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign", abstract: "Add a root key's signature to a charter.",
        discussion: "Example:\n  entente charter sign alliance.charter --key root-1 --keys /media/safe")

    @Argument(help: "The charter's file; it is replaced by one with your signature.")
    var file: String
    @Option(help: ArgumentHelp("The root key that signs.", valueName: "name"))
    var key: String = MemberSetup.rootKey
    @OptionGroup var keys: KeyOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let charter = try CharterFile(at: file)
        if !output.json { Console.print(try CharterText.lines(charter)) }
        let root = try keys.folder.open(key, kind: .root, passphrase: try keys.unlock(key))
        guard let (member, signer) = charter.signer(root) else {
            throw Failure("key \(key): is no root key of any member of this charter; name its folder with --keys")
        }
        let signed = try charter.signed(by: signer)
        try PlainFile.write(signed.bytes, to: file, overwrite: true)
        if output.json {
            Console.print(try CharterText.json(signed))
            return
        }
        let missing = try signed.missing()
        let rest =
            missing.isEmpty
            ? "Every regulator has signed." : "Still missing: \(missing.map(\.title).joined(separator: ", "))."
        Console.print("Signed for \(member.title) with \(signer.keyName). \(rest)")
    }
}

struct CharterShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what a charter says, whoever signed it.",
        discussion: "Example:\n  entente charter show alliance.charter")

    @Argument(help: "The charter's file.")
    var file: String
    @OptionGroup var output: OutputOptions

    func run() throws {
        let charter = try CharterFile(at: file)
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
            regulator signed; 1: not so.

            Example:
              entente charter verify alliance.charter
            """)

    @Argument(help: "The charter's file.")
    var file: String
    @OptionGroup var output: OutputOptions

    func run() throws {
        let charter = try CharterFile(at: file)
        let signers: [(member: CharterMember, keys: [String])]
        do throws(AllianceError) { signers = try charter.signers() } catch { throw Failure("\(file): \(error)") }
        let missing = try charter.missing()
        let isFirst = charter.charter.version == 1
        let isGood = missing.isEmpty && isFirst
        if output.json {
            guard case .object(var object) = try CharterText.json(charter) else { return }
            object["good"] = .bool(isGood)
            Console.print(.object(object))
        } else {
            var lines = [
                isGood
                    ? "GOOD. Every regulator signed version 1 of \(charter.charter.alliance)."
                    : isFirst
                        ? "NOT YET. \(count(missing.count, "regulator")) of \(charter.charter.regulators.count) did not sign."
                        : "CANNOT TELL. This is version \(charter.charter.version); trust starts from version 1."
            ]
            var table = Table()
            for member in charter.charter.members {
                let keys = signers.first { $0.member.id == member.id }?.keys ?? []
                let what = keys.isEmpty ? member.role == .regulator ? "MISSING" : "observes" : "signed"
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
            table.add([
                member.title, member.name, member.role.rawValue, member.zone, member.log.name,
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
                        "role": .string(member.role.rawValue), "zone": .string(member.zone),
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

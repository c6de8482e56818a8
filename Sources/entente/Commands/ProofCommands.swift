import Alliance
import ArgumentParser
import Node

struct ProveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove", abstract: "Write a proof file that answers one question with no network.",
        discussion: """
            The file says what a member's register says of a key, signed, and who holds it. Whoever has the charter \
            verifies it offline. If the newest state is not held by enough members yet, prove waits a moment.

            Examples:
              entente prove vasp-licences PK-0117
              entente prove vasp-licences/domains example.com --member sv --out reply.entente-proof
              entente prove warnings --domain example.com --every-member --out example-com
              entente prove @documents /akn/pk/act/2025/virtual-assets --out act.entente-proof
            """)

    @Argument(help: "The register, a lookup such as vasp-licences/lei, or @documents.")
    var register: String
    @Argument(help: "The key, the looked-up value, or the document's work.")
    var key: String?
    @OptionGroup var lookup: LookupOptions
    @Option(help: ArgumentHelp("The member asked. Default: this node's own.", valueName: "name"))
    var member: String?
    @Flag(help: "Ask every member: writes a folder with one proof of each, for entente verify --every-member.")
    var everyMember = false
    @Option(help: ArgumentHelp("The date asked about. Default: now.", valueName: "date"))
    var on: String?
    @Option(
        help: ArgumentHelp("The proof's file, or the proofs' folder. Default: KEY.entente-proof.", valueName: "file"))
    var out: String?
    @Option(help: ArgumentHelp("Wait this long for enough members to hold the newest state.", valueName: "seconds"))
    var wait: Int = 30
    @Flag(help: "Replace the file if there is one.")
    var force = false
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (0...3_600).contains(wait) else { throw ValidationError("--wait must be from 0 to 3600") }
        guard (key != nil) != lookup.isGiven else { throw ValidationError("give a key, or --domain, or --lei") }
        guard !everyMember || member == nil else {
            throw ValidationError("--member and --every-member exclude each other")
        }
    }

    func run() async throws {
        try await NodeConnection.with(node) { node in
            var (map, key) = (register == "documents" ? "@documents" : register, key ?? "")
            if lookup.isGiven {
                let definition = try await KnownDefinition.read(node, register).definition
                if let question = try lookup.question(register, definition) { (map, key) = question }
            }
            if everyMember { return try await proveEvery(node, map, key) }
            let (bytes, proof) = try await prove(node, map, key, member)
            let path = out ?? "\(Self.fileName(key)).entente-proof"
            try PlainFile.write(bytes, to: path, overwrite: force)
            if output.json {
                Console.print([
                    "proof": .string(path), "bytes": .integer(Int64(bytes.count)), "claim": .string(proof.claim),
                ])
            } else {
                Console.print([
                    "Wrote \(path) (\(grouped(bytes.count)) bytes). \(proof.claim)",
                    "Anyone with the charter checks it: entente verify \(path) --charter alliance.charter",
                ])
            }
        }
    }

    private func prove(
        _ node: NodeConnection, _ map: String, _ key: String, _ member: String?
    ) async throws -> ([UInt8], ProofFile) {
        let on = try on.map { try node.clock(member).parse($0, option: "--on").text }
        let bytes = try await fetch(node, [("register", map), ("key", key), ("member", member), ("on", on)])
        return (bytes, try Self.parse(bytes))
    }

    private static func parse(_ bytes: [UInt8]) throws -> ProofFile {
        do throws(AllianceError) { return try ProofFile(parsing: bytes) } catch {
            throw Failure("the node's proof cannot be read: \(error)")
        }
    }

    /// One proof of each member that was not removed, in a folder.
    private func proveEvery(_ node: NodeConnection, _ map: String, _ key: String) async throws {
        let folder = out ?? "\(Self.fileName(key))-proofs"
        try PublicFolder.make(folder)
        var proofs: [JSONValue] = []
        for member in node.members where member.text("standing") != "removed" {
            let name = member.text("name")
            let (bytes, proof) = try await prove(node, map, key, name)
            let path = "\(folder)/\(name).entente-proof"
            try PlainFile.write(bytes, to: path, overwrite: force)
            proofs.append(["proof": .string(path), "member": .string(name), "claim": .string(proof.claim)])
        }
        if output.json { return Console.print(["proofs": .array(proofs)]) }
        Console.print(
            proofs.map { $0.text("claim") } + [
                "Wrote \(count(proofs.count, "proof")) to \(folder). Anyone with the charter checks that nobody states it:",
                "  entente verify \(folder)/*.entente-proof --every-member --charter alliance.charter --expect absent",
            ])
    }

    private func fetch(_ node: NodeConnection, _ query: [(String, String?)]) async throws -> [UInt8] {
        let deadline = ContinuousClock.now + .seconds(wait)
        while true {
            do {
                let bytes = try await node.client.bytes("/v1/prove", query)
                Console.clearProgress()
                return bytes
            } catch let error as NodeRefusal where error.code == "not-yet" && ContinuousClock.now < deadline {
                Console.progress("waiting for enough members to hold the newest state")
                try await Task.sleep(for: .milliseconds(100))
            } catch {
                Console.clearProgress()
                throw error
            }
        }
    }

    /// A name for a file: letters, digits, `.`, `_` and `-` of the key.
    private static func fileName(_ key: String) -> String {
        let name = key.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "-" }
        let trimmed = String(name.drop { $0 == "." || $0 == "-" }.prefix(80))
        return trimmed.isEmpty ? "proof" : trimmed
    }
}

/// The charters that whoever verifies trusts.
struct TrustedCharterOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The charter that you trust, and later ones, or, with --pinned, earlier ones; may be repeated.",
            valueName: "file"))
    var charter: [String]
    @Option(
        help: ArgumentHelp(
            "The whole fingerprint of the charter that you trust, if it is not version 1.", valueName: "hex"))
    var pinned: String?
}

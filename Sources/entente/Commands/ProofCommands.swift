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
              entente prove @documents /akn/pk/act/2025/virtual-assets --out act.entente-proof
            """)

    @Argument(help: "The register, a lookup such as vasp-licences/lei, or @documents.")
    var register: String
    @Argument(help: "The key, the looked-up value, or the document's work.")
    var key: String
    @Option(help: ArgumentHelp("The member asked. Default: this node's own.", valueName: "name"))
    var member: String?
    @Option(help: ArgumentHelp("The date asked about. Default: now.", valueName: "date"))
    var on: String?
    @Option(help: ArgumentHelp("The proof's file. Default: KEY.entente-proof.", valueName: "file"))
    var out: String?
    @Option(help: ArgumentHelp("Wait this long for enough members to hold the newest state.", valueName: "seconds"))
    var wait: Int = 30
    @Flag(help: "Replace the file if there is one.")
    var force = false
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (0...3_600).contains(wait) else { throw ValidationError("--wait must be from 0 to 3600") }
    }

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let map = register == "documents" ? "@documents" : register
            let on = try on.map { try node.clock(member).parse($0, option: "--on").text }
            let query: [(String, String?)] = [("register", map), ("key", key), ("member", member), ("on", on)]
            let bytes = try await fetch(node, query)
            let proof: ProofFile
            do throws(AllianceError) { proof = try ProofFile(parsing: bytes) } catch {
                throw Failure("the node's proof cannot be read: \(error)")
            }
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

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify a proof file with the charter; no node and no network.",
        discussion: """
            Status 0: the proof is good; 1: it is bad; 2: cannot tell (too old, charter expired); 3: good, but not what \
            --expect or the question asked for; 64: the command line is wrong.

            --expect takes a status of the register, or business, present, none-in-force, retracted, no-longer-stated or \
            not-stated.

            Examples:
              entente verify reply.entente-proof --charter alliance.charter --expect authorised
              entente verify reply.entente-proof --charter alliance.charter --register vasp-licences --key PK-0117 --all
            """)

    @Argument(help: "The proof's file.")
    var file: String
    @OptionGroup var trusted: TrustedCharterOptions
    @Option(help: ArgumentHelp("The answer that you expect.", valueName: "answer"))
    var expect: String?
    @Option(help: ArgumentHelp("Check it as a statement about this date.", valueName: "date"))
    var on: String?
    @Option(help: ArgumentHelp("How old a proof about now may be, such as 24h, 90m or 7d.", valueName: "age"))
    var maxAge: String = "24h"
    @Option(help: ArgumentHelp("The member that you asked about.", valueName: "name"))
    var member: String?
    @Option(help: ArgumentHelp("The register that you asked about.", valueName: "register"))
    var register: String?
    @Option(help: ArgumentHelp("The key that you asked about.", valueName: "key"))
    var key: String?
    @Option(
        help: ArgumentHelp(
            "A fork proof that you have; if it is of this log, what holds now cannot be told. May be repeated.",
            valueName: "file"))
    var fork: [String] = []
    @Flag(help: "List every check, also those that passed.")
    var all = false
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard Self.seconds(maxAge) != nil else {
            throw ValidationError("--max-age \(maxAge): must be a number and s, m, h or d, such as 24h")
        }
        if let expect {
            do throws(AllianceError) { _ = try ProofExpectation(parsing: expect) } catch {
                throw ValidationError("--expect \(expect): \(error.reason)")
            }
        }
    }

    func run() async throws {
        let charters = try CharterFiles.chain(trusted.charter, pinned: trusted.pinned)
        let bytes = try PlainFile.read(file, limit: ProofFile.byteLimit)
        let proof: ProofFile
        do throws(AllianceError) {
            proof = try ProofFile(parsing: bytes)
        } catch {
            throw Failure("\(file): no proof that can be read: \(error)")
        }
        let zone = charters.current.charter.member(id: proof.question.member)?.zone
        let on: Timestamp?
        do {
            on = try self.on.map { try MemberClock(zone: zone).parse($0, option: "--on") }
        } catch {
            Console.complain(Failure.text(of: error))
            throw Ending(status: 64)
        }
        var options = VerificationOptions(
            on: on, expectation: try expect.map { try ProofExpectation(parsing: $0) },
            asked: .init(member: member, map: register == "documents" ? "@documents" : register, key: key),
            maximumAge: Self.seconds(maxAge) ?? 86_400)
        options.forks = try fork.map { try Self.fork($0, charters) }
        let report = Verifier().verify(
            proof, charters: charters, at: Timestamp(seconds: MemberClock.now), options: options)
        if output.json {
            Console.print(report.json)
        } else {
            Console.print(report.text(allChecks: all).trimming())
        }
        throw Ending(status: report.conclusion.exitStatus)
    }

    /// A proof that does not hold is refused: it must not seem to have made no difference.
    private static func fork(_ file: String, _ charters: CharterChain) throws -> ForkProof {
        do throws(AllianceError) {
            let proof = try ForkProof(parsing: try read(file))
            let owner = charters.versions.reversed().lazy.compactMap { $0.charter.member(origin: proof.origin) }.first
            guard let owner else {
                throw AllianceError(.unknown, "no member of the charter has the log \(proof.origin)")
            }
            try proof.verify(by: owner.log)
            return proof
        } catch {
            throw Failure("--fork \(file): no fork proof that holds: \(error)")
        }
    }

    private static func read(_ file: String) throws(AllianceError) -> [UInt8] {
        do { return try PlainFile.read(file, limit: ForkProof.byteLimit) } catch {
            throw AllianceError(.malformed, "\(Failure.text(of: error))")
        }
    }

    private static func seconds(_ text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let last = text.last, let unit = units[last], let number = Int64(text.dropLast()), number >= 0,
            number <= 1_000_000
        else { return nil }
        return number * unit
    }
}

import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct ForkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fork", abstract: "Look at logs that signed two stories, and verify the proof of it.",
        discussion: """
            A log that signs two heads of which at most one can be true is forked. The proof goes to every node by itself and \
            is never dropped; nobody who has it cosigns that log any further. What had a quorum before stays.
            """,
        subcommands: [ForkListCommand.self, ForkShowCommand.self, ForkVerifyCommand.self],
        defaultSubcommand: ForkListCommand.self)
}

/// A fork proof with the member whose log it is about.
private struct KnownFork {
    let proof: ForkProof
    let member: CharterMember?

    var json: JSONValue {
        [
            "origin": .string(proof.origin), "member": member.map { .string($0.name) } ?? .null,
            "smaller": .integer(Int64(proof.sizes.smaller)), "larger": .integer(Int64(proof.sizes.larger)),
            "sha256": .string(HashValue.sha256(proof.bytes).hex),
        ]
    }

    var lines: [String] {
        let sizes = proof.sizes
        let what =
            sizes.smaller == sizes.larger
            ? "signed two heads of \(sizes.smaller) entries with different roots"
            : "signed a head of \(sizes.smaller) entries and one of \(sizes.larger) that does not begin with them"
        return [
            "\(member.map { "\($0.title)'s log \(proof.origin)" } ?? proof.origin) \(what).",
            "  smaller  \(Self.root(proof.smaller))",
            "  larger   \(Self.root(proof.larger))",
            "  proof    SHA-256 \(HashValue.sha256(proof.bytes).hex)",
        ]
    }

    private static func root(_ note: SignedNote) -> String {
        guard let head = try? Checkpoint(parsing: note.text) else { return "?" }
        return "\(head.size) entries, root \(head.root.base64)"
    }
}

extension NodeConnection {
    fileprivate func forks() async throws -> [KnownFork] {
        let answer = try await get("/v1/forks")
        let charter = try PreviousCharterOptions.read(try await client.bytes("/v1/charter")).charter
        return try Self.forks(answer, charter)
    }

    // What throws typed errors stands apart from what waits: decision 0013.
    private static func forks(_ answer: JSONValue, _ charter: Charter) throws -> [KnownFork] {
        try answer.list("forks").map { one in
            let proof = try ForkProof(parsing: Array((one.string ?? "").utf8))
            return KnownFork(proof: proof, member: charter.member(origin: proof.origin))
        }
    }
}

struct ForkListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the forks that the running node can prove.",
        discussion: "Example:\n  entente fork list")

    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let forks = try await NodeConnection.with(node) { try await $0.forks() }
        if output.json { return Console.print(["forks": .array(forks.map(\.json))]) }
        guard !forks.isEmpty else { return Console.print("No log is known to be forked.") }
        for fork in forks { Console.print(fork.lines) }
    }
}

struct ForkShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one fork, and write its proof to a file.",
        discussion: "Examples:\n  entente fork show pk\n  entente fork show pk --out pk.entente-fork")

    @Argument(help: "The member's short name, or the log's origin.")
    var log: String
    @Option(help: ArgumentHelp("Where to write the proof.", valueName: "file"))
    var out: String?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let forks = try await NodeConnection.with(node) { try await $0.forks() }
        try show(forks)
    }

    private func show(_ forks: [KnownFork]) throws {
        guard let fork = forks.first(where: { $0.proof.origin == log || $0.member?.name == log }) else {
            throw Failure("\(log): no fork of such a log is known here")
        }
        if let out { try PlainFile.write(fork.proof.bytes, to: out) }
        if output.json { return Console.print(fork.json) }
        Console.print(fork.lines)
        if let out { Console.print("Written to \(out). Anybody checks it: entente fork verify \(out) --charter FILE") }
    }
}

struct ForkVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify a fork proof with the charter; no node and no network.",
        discussion: """
            Status 0: the log is forked; 1: the file does not prove it.

            Example:
              entente fork verify pk.entente-fork --charter alliance.charter
            """)

    @Argument(help: "The proof's file.")
    var file: String
    @OptionGroup var trusted: TrustedCharterOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let charters = try CharterFiles.chain(trusted.charter, pinned: trusted.pinned)
        let bytes = try PlainFile.read(file, limit: ForkProof.byteLimit)
        let proof: ForkProof
        do throws(AllianceError) {
            proof = try ForkProof(parsing: bytes)
        } catch {
            throw Failure("\(file): no fork proof that can be read: \(error)")
        }
        // An origin keeps its key for ever, whichever version names it.
        let owner = charters.versions.reversed().lazy.compactMap { $0.charter.member(origin: proof.origin) }.first
        guard let owner else { throw Failure("\(file): no member of the charter has the log \(proof.origin)") }
        do throws(AllianceError) {
            try proof.verify(by: owner.log)
        } catch {
            throw Failure("\(file): proves nothing: \(error)")
        }
        let fork = KnownFork(proof: proof, member: owner)
        if output.json { return Console.print(fork.json) }
        Console.print(["PROVEN: \(owner.title) told two stories."] + fork.lines)
    }
}

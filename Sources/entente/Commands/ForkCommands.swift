import Alliance
import ArgumentParser
import Node
import TransparencyLog

struct ForkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fork", abstract: "Look at logs that signed two stories, and verify the proof of it.",
        discussion: """
            A log that signs two heads of which at most one can be true is forked. The proof goes to every node by itself and \
            is never dropped; nobody who has it cosigns that log any further. The log counts up to the largest checkpoint that a \
            quorum holds, at every node alike; what lies beyond, or on other branches, is set aside for inspection.
            """,
        subcommands: [ForkListCommand.self, ForkShowCommand.self, ForkVerifyCommand.self],
        defaultSubcommand: ForkListCommand.self)
}

/// What a node counts of a forked log, and what it set aside.
private struct ForkEnd {
    struct Branch {
        let from: Int64
        let size: Int64
        let root: String

        var json: JSONValue { ["from": .integer(from), "size": .integer(size), "root": .string(root)] }
    }

    /// Entries that count here.
    let size: Int64
    let root: String
    /// Where counting ends as far as is known; nil where no quorum is.
    let known: Int64?
    let setAside: [Branch]

    var json: JSONValue {
        [
            "size": .integer(size), "root": .string(root), "known": known.map { .integer($0) } ?? .null,
            "setAside": .array(setAside.map(\.json)),
        ]
    }

    init(_ value: JSONValue) {
        size = value["size"]?.integer ?? 0
        root = value["root"]?.string ?? ""
        known = value["known"]?.integer
        setAside = value.list("setAside").map { branch in
            Branch(
                from: branch["from"]?.integer ?? 0, size: branch["size"]?.integer ?? 0,
                root: branch["root"]?.string ?? "")
        }
    }

    var lines: [String] {
        let counts =
            switch known {
            case nil: "no quorum is known: nothing of the log is final, and nothing counts"
            case let known? where known > size:
                "\(size) of \(known) entries, root \(root); nobody has served the rest yet"
            case _?: "\(size) entries, root \(root)"
            }
        return ["  counts   \(counts)"]
            + setAside.enumerated().map { number, branch in
                "  aside    branch \(number): entries \(branch.from) to \(branch.size - 1), root \(branch.root)"
            }
    }
}

/// A fork proof with the member whose log it is about.
private struct KnownFork {
    let proof: ForkProof
    let member: CharterMember?
    var end: ForkEnd?

    var json: JSONValue {
        [
            "end": end?.json ?? .null,
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
        ] + (end?.lines ?? [])
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
        let ends = answer.list("ends")
        return try answer.list("forks").map { one in
            let proof = try ForkProof(parsing: Array((one.string ?? "").utf8))
            let end = ends.first { $0["origin"]?.string == proof.origin }.map { ForkEnd($0) }
            return KnownFork(proof: proof, member: charter.member(origin: proof.origin), end: end)
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
        commandName: "show",
        abstract: "Show one fork, where counting ends and what is set aside, and write its proof to a file.",
        discussion: """
            Examples:
              entente fork show pk
              entente fork show pk --aside 0
              entente fork show pk --out pk.entente-fork
            """)

    @Argument(help: "The member's short name, or the log's origin.")
    var log: String
    @Option(help: ArgumentHelp("Where to write the proof.", valueName: "file"))
    var out: String?
    @Option(help: ArgumentHelp("List entries of this branch that was set aside.", valueName: "branch"))
    var aside: UInt64?
    @Option(help: ArgumentHelp("From this entry on; 100 are listed.", valueName: "index"))
    var from: UInt64?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let (fork, entries) = try await NodeConnection.with(node) { connection in
            let fork = try find(await connection.forks())
            guard let aside else { return (fork, JSONValue?.none) }
            let query = [("origin", fork.proof.origin), ("branch", "\(aside)"), ("from", from.map { "\($0)" })]
            return (fork, JSONValue?.some(try await connection.get("/v1/set-aside", query)))
        }
        try show(fork, entries)
    }

    private func find(_ forks: [KnownFork]) throws -> KnownFork {
        guard let fork = forks.first(where: { $0.proof.origin == log || $0.member?.name == log }) else {
            throw Failure("\(log): no fork of such a log is known here")
        }
        return fork
    }

    private func show(_ fork: KnownFork, _ entries: JSONValue?) throws {
        if let out { try PlainFile.write(fork.proof.bytes, to: out) }
        let listed = entries?.list("entries") ?? []
        if output.json {
            guard case .object(var object) = fork.json else { return }
            if entries != nil { object["entries"] = .array(listed) }
            return Console.print(.object(object))
        }
        Console.print(fork.lines)
        for entry in listed {
            Console.print(
                "  \(entry["index"]?.integer ?? 0)  \(entry["kind"]?.string ?? "?")  \(entry["summary"]?.string ?? "")")
        }
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

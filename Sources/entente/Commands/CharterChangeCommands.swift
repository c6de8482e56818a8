import Alliance
import ArgumentParser
import Node
import TransparencyLog

/// The charter before the one at hand: a file, or what the running node holds.
struct PreviousCharterOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The file of the version before. Default: the running node is asked.", valueName: "file"))
    var previous: String?
    @OptionGroup var node: NodeOptions

    /// The charter with that digest; the one in force without one.
    func load(_ digest: HashValue? = nil) async throws -> CharterFile {
        if let previous { return try Self.read(previous, digest) }
        let bytes = try await NodeConnection.with(node) {
            try await $0.client.bytes("/v1/charter", [("digest", digest?.hex)])
        }
        return try Self.read(bytes)
    }

    // What throws typed errors stands apart from what waits: decision 0013.
    private static func read(_ path: String, _ digest: HashValue?) throws -> CharterFile {
        let file = try CharterFile(at: path)
        if let digest, file.digest != digest {
            throw Failure("\(path): is not the charter that the next version names")
        }
        return file
    }

    static func read(_ bytes: [UInt8]) throws -> CharterFile {
        try CharterFile(parsing: bytes, file: "the node's charter")
    }

    /// The same, or nil where neither a file is named nor a node has it: for what is only nice to show.
    func loadIfThere(_ digest: HashValue?) async throws -> CharterFile? {
        guard let digest else { return nil }
        if previous != nil { return try await load(digest) }
        do { return try await load(digest) } catch { return nil }
    }
}

struct CharterProposeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "propose", abstract: "Write the next version of the charter, for regulators to sign.",
        discussion: """
            The file is the charter itself, without signatures yet: hand it to the regulators, who sign it with \
            entente charter sign, in any order, each on a copy if they like (entente charter merge puts copies together). \
            Where a log's member changes its root keys, role, standing or log key, the charter states from which entry on; \
            that is the newest checkpoint that a quorum holds, as the running node knows it, or what --cut says.

            Examples:
              entente charter propose --admit jp.member --out v2.charter
              entente charter propose --standing sv=suspended --out v3.charter
              entente charter propose --root-keys pk.member --previous v3.charter --cut pk.example/log1=120:BASE64URL \\
                --out v4.charter
            """)

    @Option(help: ArgumentHelp("A new member's file; may be repeated.", valueName: "member-file"))
    var admit: [String] = []
    @Option(help: ArgumentHelp("member=regulator or member=observer; may be repeated.", valueName: "change"))
    var role: [String] = []
    @Option(help: ArgumentHelp("member=active, suspended or removed; may be repeated.", valueName: "change"))
    var standing: [String] = []
    @Option(
        help: ArgumentHelp(
            "A member's file with its new root keys and their threshold; may be repeated.", valueName: "member-file"))
    var rootKeys: [String] = []
    @Option(
        help: ArgumentHelp(
            "A member's file from which title, country, zone, root keys, authority, replica key and addresses are taken; "
                + "may be repeated.", valueName: "member-file"))
    var update: [String] = []
    @Option(
        help: ArgumentHelp(
            "member=NAME.pub, or member=vkey: a new log key, under a new origin; may be repeated.", valueName: "change")
    )
    var logKey: [String] = []
    @Option(
        help: ArgumentHelp("member=https://host:port, or member=none; may be repeated.", valueName: "change"))
    var address: [String] = []
    @Option(
        help: ArgumentHelp(
            "name=each, name=by:K, name=joint:member,member or name=none; may be repeated.", valueName: "change"))
    var register: [String] = []
    @Option(help: "How many regulators must sign the version after this one.")
    var threshold: Int?
    @Option(help: "How many other members must hold and check a log.")
    var quorum: Int?
    @Option(help: "The alliance's new name.")
    var name: String?
    @Option(help: ArgumentHelp("Days until the charter expires.", valueName: "days"))
    var days: Int = 730
    @Option(
        help: ArgumentHelp("log=SIZE:ROOT, where a log is cut; may be repeated.", valueName: "cut"))
    var cut: [String] = []
    @Flag(help: "Cut every log, where the running node says: to settle two charters of one version.")
    var cutAll = false
    @Option(help: ArgumentHelp("The file to write.", valueName: "file"))
    var out: String
    @OptionGroup var before: PreviousCharterOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (1...36_500).contains(days) else { throw ValidationError("--days must be from 1 to 36500") }
        let changes = [admit, role, standing, rootKeys, update, logKey, address, register].flatMap(\.self)
        guard !changes.isEmpty || threshold != nil || quorum != nil || name != nil || days != 730 else {
            throw ValidationError("say what shall change, such as --admit FILE or --days 730 with another number")
        }
    }

    func run() async throws {
        let previous = try await before.load()
        let given = try cuts(previous.charter)
        let known = before.previous == nil || cutAll ? try await nodeCuts() : []
        let more = cutAll ? known.filter { cut in !given.contains { $0.origin == cut.origin } } : []
        try propose(previous, given + more, known)
    }

    private func cuts(_ charter: Charter) throws -> [CharterCut] { try cut.map { try Self.cut($0, charter) } }

    private func propose(_ previous: CharterFile, _ given: [CharterCut], _ known: [CharterCut]) throws {
        var proposal = CharterProposal()
        proposal.admitted = try admit.map { try MemberFile(at: $0).member }
        proposal.rootKeys = try rootKeys.map { try MemberFile(at: $0).member }
        proposal.updates = try update.map { try MemberFile(at: $0).member }
        proposal.roles = try role.map { try Self.word($0, "--role") }
        proposal.standings = try standing.map { try Self.word($0, "--standing") }
        proposal.addresses = try address.map { try Self.address($0) }
        proposal.logKeys = try logKey.map { try Self.key($0, previous.charter) }
        proposal.registers = try register.map { try Self.register($0) }
        (proposal.name, proposal.threshold, proposal.quorum) = (name, threshold, quorum)
        (proposal.statedCuts, proposal.cuts) = (given, known)
        let now = MemberClock.now
        let file: CharterFile
        do {
            file = try proposal.draft(
                after: previous.charter, digest: previous.digest, issued: now, expires: now + Int64(days) * 86_400)
        } catch let error as AllianceError {
            throw Failure("the charter cannot be: \(error)")
        } catch let error as CharterRefusal {
            throw Failure("the charter cannot be: \(error.reason)")
        }
        try PlainFile.write(file.bytes, to: out)
        let diff = CharterDiff(from: previous.charter, to: file.charter)
        if output.json {
            Console.print(ChangeText.json(file, diff, after: previous.charter))
        } else {
            Console.print(ChangeText.lines(file, diff, after: previous.charter))
            Console.print("Written to \(out). Next, by regulators in any order: entente charter sign \(out)")
        }
    }

    /// The newest checkpoints that a quorum holds, as the node knows them.
    private func nodeCuts() async throws -> [CharterCut] {
        try await NodeConnection.with(before.node) { connection in
            try await connection.get("/v1/cuts").list("cuts").compactMap { one in
                guard let root = HashValue(base64url: one.text("root")) else { return nil }
                return CharterCut(origin: one.text("origin"), size: UInt64(one.number("size")), root: root)
            }
        }
    }

    // MARK: Reading options

    private static func parts(_ text: String, _ option: String, _ due: String) throws -> (String, String) {
        guard let place = text.firstIndex(of: "="), place > text.startIndex else {
            throw Failure("\(option) \(text): \(due) is due")
        }
        return (String(text[..<place]), String(text[text.index(after: place)...]))
    }

    private static func word<Word: RawRepresentable<String> & CaseIterable>(
        _ text: String, _ option: String
    ) throws -> (String, Word) {
        let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
        let (member, word) = try parts(text, option, "member=one of \(words)")
        guard let found = Word(rawValue: word) else { throw Failure("\(option) \(text): must be one of \(words)") }
        return (member, found)
    }

    private static func address(_ text: String) throws -> (String, String) {
        let (member, address) = try parts(text, "--address", "member=https://host:port")
        guard address == "none" || address.hasPrefix("https://") && PeerAddress(String(address.dropFirst(8))) != nil
        else { throw Failure("--address \(text): is neither member=https://host:port nor member=none") }
        return (member, address)
    }

    private static func key(_ text: String, _ charter: Charter) throws -> (String, VerifierKey) {
        let (member, key) = try parts(text, "--log-key", "member=NAME.pub, or member=vkey,")
        if key.hasSuffix(KeyFile.publicSuffix) {
            let file = try PublicKeyFile(at: key)
            guard file.kind == .log else {
                throw Failure("--log-key \(text): is a key of kind \(file.kind.rawValue), not log")
            }
            guard let before = charter.member(named: member) ?? charter.member(id: member) else {
                throw Failure("--log-key \(text): no member is called \(member)")
            }
            let origin = MemberNames.origin(after: before.log.name)
            return (member, try VerifierKey(name: origin, type: .ed25519, publicKey: file.key))
        }
        do { return (member, try VerifierKey(parsing: key)) } catch { throw Failure("--log-key \(text): \(error)") }
    }

    private static func register(_ text: String) throws -> CharterProposal.RegisterChange {
        let (name, rule) = try parts(text, "--register", "name=each, name=by:K, name=joint:member,member or name=none")
        let pieces = rule.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        switch (pieces[0], pieces.count) {
        case ("none", 1): return .drop(name: name)
        case ("each", 1): return .list(name: name, merge: .each)
        case ("by", 2):
            guard let count = Int(pieces[1]), count > 0 else { break }
            return .list(name: name, merge: .by(count: count))
        case ("joint", 2):
            return .list(name: name, merge: .joint(writers: pieces[1].split(separator: ",").map(String.init)))
        default: break
        }
        throw Failure("--register \(text): must be name=each, name=by:K, name=joint:member,member or name=none")
    }

    private static func cut(_ text: String, _ charter: Charter) throws -> CharterCut {
        let (log, place) = try parts(text, "--cut", "log=SIZE:ROOT")
        let pieces = place.split(separator: ":", omittingEmptySubsequences: false)
        guard pieces.count == 2, let size = UInt64(pieces[0]), String(size) == pieces[0],
            let root = HashValue(base64url: String(pieces[1]))
        else { throw Failure("--cut \(text): must be log=SIZE:ROOT, with the root in base64url") }
        let origin = charter.member(named: log)?.log.name ?? charter.member(id: log)?.log.name ?? log
        return CharterCut(origin: origin, size: size, root: root)
    }
}

struct CharterDiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Say in words what a charter would change.",
        discussion: """
            Examples:
              entente charter diff v2.charter
              entente charter diff v2.charter --previous alliance.charter --json
            """)

    @Argument(help: "The charter's file.")
    var file: String
    @OptionGroup var before: PreviousCharterOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let charter = try CharterFiles.read(file)
        guard let digest = charter.charter.previous else { throw Failure("\(file): version 1 changes nothing") }
        let previous = try await before.load(digest)
        try show(charter, previous)
    }

    private func show(_ charter: CharterFile, _ previous: CharterFile) throws {
        let diff = CharterDiff(from: previous.charter, to: charter.charter)
        if output.json {
            Console.print(ChangeText.json(charter, diff, after: previous.charter))
        } else {
            Console.print(ChangeText.lines(charter, diff, after: previous.charter))
        }
        try check(charter, after: previous)
    }

    private func check(_ charter: CharterFile, after previous: CharterFile) throws {
        do throws(CharterRefusal) {
            try previous.charter.checkSuccessor(charter.charter, digest: previous.digest)
        } catch {
            throw Failure("\(file): cannot follow: \(error.reason)")
        }
    }
}

struct CharterMergeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Put the signatures of several copies of one charter together.",
        discussion: "Example:\n  entente charter merge v2.charter v2-signed-by-sv.charter v2-signed-by-us.charter")

    @Argument(help: "The charter's file; it is replaced by one with all signatures.")
    var file: String
    @Argument(help: "Copies that others signed.")
    var copies: [String]
    @OptionGroup var before: PreviousCharterOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let charter = try CharterFiles.read(file)
        let previous = try await before.loadIfThere(charter.charter.previous)
        try merge(charter, previous)
    }

    private func merge(_ charter: CharterFile, _ previous: CharterFile?) throws {
        if charter.charter.previous != nil, previous == nil {
            throw Failure("\(file): name the version before with --previous, so that its root keys are known")
        }
        let others = try copies.map { (path: $0, file: try CharterFile(at: $0)) }
        let merged = try charter.merged(with: others, previous: previous?.charter)
        try PlainFile.write(merged.bytes, to: file, overwrite: true)
        if output.json {
            Console.print(try CharterText.json(merged))
        } else {
            Console.print(ChangeText.signatures(merged, after: previous?.charter))
        }
    }
}

struct CharterAdoptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt", abstract: "Put a signed charter in force: hand it to the running node.",
        discussion: """
            The node checks it, stores it and tells all others; nothing is restarted anywhere. Doing it twice, or at two \
            nodes, changes nothing.

            Example:
              entente charter adopt v2.charter
            """)

    @Argument(help: "The charter's file.")
    var file: String
    @Flag(help: "Take a charter that has expired by the node's clock.")
    var evenExpired = false
    @OptionGroup var nodeOptions: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let charter = try CharterFiles.read(file)
        guard charter.signed != nil else {
            throw Failure("\(file): nobody has signed it yet; entente charter sign does that")
        }
        let answer = try await NodeConnection.with(nodeOptions) {
            try await $0.client.adopt(charter, evenExpired: evenExpired)
        }
        if output.json { return Console.print(answer) }
        guard answer.flag("new") else {
            return Console.print("The node has this charter already. In force is version \(answer.number("version")).")
        }
        if answer.flag("contested") {
            Console.print(
                "Regulators signed two charters of one version. Version \(answer.number("version")) stays in force until a "
                    + "later one names one of them.")
            return
        }
        Console.print(
            "In force: version \(answer.number("version")), fingerprint \(answer.text("fingerprint")). Other nodes take it "
                + "from this one.")
        Console.print(answer.list("changes").map { "  \($0.text("text"))" })
    }
}

struct CharterHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history", abstract: "List the charters that the running node holds.",
        discussion: """
            With --out, their files are written as 1.charter, 2.charter and so on: what a newcomer, or a partner who pinned \
            an early version, needs.

            Example:
              entente charter history --out charters
            """)

    @Option(help: ArgumentHelp("A folder to write the files of those in force into.", valueName: "folder"))
    var out: String?
    @OptionGroup var nodeOptions: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await NodeConnection.with(nodeOptions) { connection in
            let answer = try await connection.get("/v1/charters")
            let charters = answer.list("charters")
            if let out {
                for one in charters where ["followed", "in-force"].contains(one.text("state")) {
                    let bytes = try await connection.client.bytes("/v1/charter", [("digest", one.text("digest"))])
                    try CharterFiles.write(bytes, version: one.number("version"), to: out)
                }
            }
            if output.json { return Console.print(answer) }
            var table = Table(["version", "fingerprint", "issued", "expires", ""])
            for one in charters {
                table.add([
                    String(one.number("version")), one.text("fingerprint"), MemberClock.day(one.text("issued")),
                    MemberClock.day(one.text("expires")), one.text("state").replacing("-", with: " "),
                ])
            }
            Console.print(table.lines())
        }
    }
}

/// Changes for people and programs.
enum ChangeText {
    static func lines(_ file: CharterFile, _ diff: CharterDiff, after previous: Charter) -> [String] {
        var lines = ["\(file.charter.alliance), charter version \(diff.version), fingerprint \(file.fingerprint)"]
        lines += diff.changes.isEmpty ? ["  changes nothing"] : diff.changes.map { "  \($0.text)" }
        return lines + signatures(file, after: previous)
    }

    /// Who still has to sign.
    static func signatures(_ file: CharterFile, after previous: Charter?) -> [String] {
        var lines: [String] = []
        for charter in [previous, file.charter].compactMap(\.self) {
            let signers = file.signed?.signers(under: charter)
            let needed = charter.version == 1 && previous == nil ? charter.regulators.count : charter.threshold
            let signed = signers?.complete ?? []
            let missing = signers?.missing ?? charter.regulators
            var line = "  \(signed.count) of \(needed) needed regulators of version \(charter.version) signed"
            if !signed.isEmpty { line += ": \(signed.map(\.name).joined(separator: ", "))" }
            if signed.count < needed { line += "; not yet: \(missing.map(\.name).joined(separator: ", "))" }
            lines.append(line)
        }
        return lines
    }

    static func json(_ file: CharterFile, _ diff: CharterDiff, after previous: Charter) -> JSONValue {
        guard case .object(var object) = diff.json else { return diff.json }
        object["digest"] = .string(file.digest.hex)
        object["fingerprint"] = .string(file.fingerprint)
        object["signatures"] = .array(
            [previous, file.charter].map { charter in
                let signers = file.signed?.signers(under: charter)
                return [
                    "version": .integer(Int64(charter.version)), "needed": .integer(Int64(charter.threshold)),
                    "signed": .array((signers?.complete ?? []).map { .string($0.name) }),
                    "missing": .array((signers?.missing ?? charter.regulators).map { .string($0.name) }),
                ]
            })
        return .object(object)
    }
}

import Alliance
import ArgumentParser
import Foundation
import Node

struct SignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sign",
        abstract: "Sign plans: statements with an officer's key (a second one approves), rosters with root keys.",
        discussion: """
            Shows what is signed, read from the very bytes that the log will hold. No node is needed: plans can be carried \
            to the machine where the key is. Where the roster asks for two officers, the second one signs the same plan, \
            and that approves it. A plan of a new roster (entente staff, entente node add) is signed by as many root keys \
            as the charter asks for, one after the other, in any order.

            Examples:
              entente sign nov21.plan --key ayesha
              entente sign nov21.plan nov22.plan --key omar --keys /media/stick
            """)

    @Argument(help: "The plans; each is replaced by the signed one.")
    var plan: [String]
    @Option(help: ArgumentHelp("The officer's key, such as ayesha.", valueName: "name"))
    var key: String
    @Flag(help: "List every statement.")
    var all = false
    @OptionGroup var keys: KeyOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        var plans = try plan.map { (path: $0, plan: try Plan(at: $0)) }
        if !output.json {
            for (path, plan) in plans {
                let lines = PlanText.lines(plan, all: all)
                Console.print(["\(path): \(lines[0])"] + lines.dropFirst())
            }
        }
        guard let member = plans.first?.plan.member, plans.allSatisfy({ $0.plan.member == member }) else {
            throw Failure("the plans are of different members; sign each member's by themselves")
        }
        guard let kind = plans.first?.plan.signerKind, plans.allSatisfy({ $0.plan.signerKind == kind }) else {
            throw Failure("some of the plans are of rosters, which root keys sign; sign those by themselves")
        }
        let signer = try keys.folder.signer(
            key, kind: kind, member: member, passphrase: try keys.unlock(key))
        var results: [Plan.Signature] = []
        for position in plans.indices {
            do {
                results.append(try plans[position].plan.sign(by: signer, now: MemberClock.now))
            } catch {
                throw Failure("\(plans[position].path): \(Failure.text(of: error))")
            }
        }
        // All plans could be signed: now they are written.
        for (position, result) in results.enumerated() where result != .already {
            try PlainFile.write(plans[position].plan.bytes, to: plans[position].path, overwrite: true)
        }
        report(plans, results)
    }

    private func report(_ plans: [(path: String, plan: Plan)], _ results: [Plan.Signature]) {
        if output.json {
            let values: [JSONValue] = zip(plans, results).map { plan, result in
                let names = plan.plan.signers()
                let isWaiting = plan.plan.isWaiting
                return [
                    "plan": .string(plan.path), "signed": .array(names.signed.map { .string($0) }),
                    "approved": .array(names.approved.map { .string($0) }), "changed": .bool(result != .already),
                    "complete": .bool(!isWaiting),
                ]
            }
            Console.print(["plans": .array(values)])
            return
        }
        for (plan, result) in zip(plans, results) {
            switch result {
            case .signed(let number): Console.print("\(plan.path): \(count(number, "statement")) signed by \(key).")
            case .approved(let number, _):
                Console.print("\(plan.path): \(count(number, "statement")) approved by \(key).")
            case .already: Console.print("\(plan.path): \(key) had signed it before; nothing changed.")
            }
        }
        let waiting = plans.filter { $0.plan.isWaiting }.map(\.path)
        let ready = plans.map(\.path).filter { !waiting.contains($0) }
        if !waiting.isEmpty {
            let who =
                plans.contains { $0.plan.missingRootSignatures > 0 } ? "Another root key has" : "A second officer has"
            Console.print("\(who) to sign: entente sign \(waiting.joined(separator: " ")) --key NAME")
        }
        for path in ready { Console.print("Next: entente submit \(path)") }
    }
}

extension Plan {
    /// Whether somebody else still has to sign what was signed.
    var isWaiting: Bool { missingRootSignatures > 0 || twoOfficers && signers().approved.isEmpty }
}

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Publish a signed plan at the member's node.",
        discussion: """
            Submitting a plan again changes nothing. With --node the plan travels over ssh to the node's machine, together \
            with documents of up to 16 MiB; "-" reads a plan from standard input.

            Examples:
              entente submit nov21.plan
              entente submit nov21.plan --node ssh://officer@node.pk.example
              entente submit nov21.plan --node ssh://node.pk.example:2222/var/lib/entente
            """)

    @Argument(help: "The plan's file, or - for standard input.")
    var plan: String
    @Option(
        name: .customLong("node"),
        help: ArgumentHelp("The node's machine.", valueName: "ssh://[user@]host[:port][/folder]"))
    var remote: String?
    @Flag(help: "Publish though the register changed since the plan was made.")
    var anyway = false
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let plan: Plan
        if self.plan == "-" {
            plan = try Plan(parsing: try Self.standardInput(), file: "standard input")
        } else {
            plan = try Plan(at: self.plan)
        }
        if let remote {
            guard let host = SSHNode(remote) else {
                throw Failure("--node \(remote): must be ssh://[user@]host[:port][/folder]")
            }
            try host.submit(plan, anyway: anyway, json: output.json)
            return
        }
        try await NodeConnection.with(node) { node in
            try await Publishing.submit(plan, anyway: anyway, output, node: node)
        }
    }

    private static func standardInput() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let data = try FileHandle.standardInput.read(upToCount: 1 << 20), !data.isEmpty {
            bytes += data
            guard bytes.count <= Plan.byteLimit else { throw Failure("standard input: is longer than any plan") }
        }
        return bytes
    }
}

/// The machine of a node, reached by the officer's own ssh: its keys, its configuration, its checks of the host.
struct SSHNode {
    private let target: String
    private let port: String?
    private let folder: String?

    /// Reads `ssh://[user@]host[:port][/folder]`. What could be taken for an option or by a shell is refused.
    init?(_ text: String) {
        guard text.hasPrefix("ssh://") else { return nil }
        var rest = text.dropFirst(6)
        if let slash = rest.firstIndex(of: "/") {
            let path = rest[slash...]
            guard path.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "/._-".contains($0)) }) else {
                return nil
            }
            folder = path == "/" ? nil : String(path)
            rest = rest[..<slash]
        } else {
            folder = nil
        }
        if let colon = rest.lastIndex(of: ":") {
            guard let number = UInt16(rest[rest.index(after: colon)...]), number > 0 else { return nil }
            port = String(number)
            rest = rest[..<colon]
        } else {
            port = nil
        }
        let parts = rest.split(separator: "@", omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && part.first != "-"
                && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
        }
        guard isPlain, (1...2).contains(parts.count) else { return nil }
        target = String(rest)
    }

    /// Pipes the plan, with its documents, into `entente submit -` there.
    func submit(_ plan: Plan, anyway: Bool, json: Bool) throws {
        var plan = plan
        try plan.embedDocuments()
        var arguments = ["ssh"]
        if let port { arguments += ["-p", port] }
        arguments += [target, "entente", "submit", "-"]
        if let folder { arguments += ["--data", folder] }
        if anyway { arguments.append("--anyway") }
        if json { arguments.append("--json") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardInput = pipe
        do { try process.run() } catch { throw Failure("ssh cannot be started: \(error)") }
        signal(SIGPIPE, SIG_IGN)
        do {
            try pipe.fileHandleForWriting.write(contentsOf: Data(plan.bytes))
        } catch {
            // ssh ended early and has said why.
        }
        try? pipe.fileHandleForWriting.close()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure("submitting at \(target) ended with status \(process.terminationStatus); see above")
        }
    }
}

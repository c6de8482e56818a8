import Alliance
import Foundation
import Node
import TransparencyLog

/// An alliance made by the commands, as an operator makes one, in folders of its own.
struct SampleAlliance: Sendable {
    let charter: VerifiedCharter
    let nodes: [SampleNode]

    private static let names = ["pk", "sv", "us", "fr", "jp", "br", "ke", "ae"]

    /// - Parameters:
    ///   - count: of members, 2 to 8.
    ///   - quorum: other members that must hold an entry.
    ///   - hidden: members whose nodes cannot be dialled.
    init(_ work: Workplace, folder: String, count: Int, quorum: Int, hidden: Set<String> = []) throws {
        let root = "\(work.folder)/\(folder)"
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        let names = Self.names.prefix(count)
        let ports = try names.map { hidden.contains($0) ? nil : try Relay.freePort() }
        let entente = Entente(program: work.program)
        let charterPath = "\(root)/alliance.charter"
        let keys = names.map { "\(root)/\($0)-keys" }
        // Key files are slow to make on purpose (scrypt), so the cores share them.
        _ = try onThreads(count) { number in
            let name = names[number]
            var arguments = [
                "keys", "new", "--all", "--keys", keys[number], "--id", Self.memberID(name), "--name", name,
            ]
            arguments += ["--title", "Member \(name)", "--country", name.uppercased(), "--zone", "UTC"]
            if let port = ports[number] { arguments += ["--address", "https://127.0.0.1:\(port)"] }
            try entente.run(arguments)
            try entente.run(["keys", "new", "ayesha", "--keys", keys[number]])
        }
        let members = names.indices.map { "\(keys[$0])/\(names[$0]).member" }
        try entente.run(
            ["charter", "new", "--name", "Benchmark", "--quorum", "\(quorum)", "--out", charterPath] + members)
        for folder in keys { try entente.run(["charter", "sign", charterPath, "--keys", folder]) }
        _ = try onThreads(count) { number in
            var arguments = ["init", "--charter", charterPath, "--member", names[number], "--keys", keys[number]]
            arguments += ["--officer", "\(keys[number])/ayesha.pub", "--data", "\(root)/\(names[number])"]
            try entente.run(arguments + ["--listen", ports[number].map { "127.0.0.1:\($0)" } ?? "none"])
        }
        guard let signed = try CharterFile(at: charterPath).signed else { throw BenchmarkError("an unsigned charter") }
        charter = try signed.verifyFirst()
        nodes = names.indices.map { number in
            SampleNode(
                name: names[number], folder: "\(root)/\(names[number])", keys: keys[number], port: ports[number],
                others: names.filter { $0 != names[number] }, entente: entente)
        }
    }

    static func memberID(_ name: String) -> String { "did:web:\(name).alliance.example" }

    /// What signs a member's statements.
    func officer(of node: SampleNode) throws -> SampleOfficer {
        let signer = try KeyFolder(node.keys).signer(
            "ayesha", kind: .officer, member: Self.memberID(node.name), passphrase: Passphrase(Command.passphrase))
        return SampleOfficer(signer: signer, alliance: charter.alliance)
    }
}

/// The entente program with the passphrase of the sample keys.
struct Entente: Sendable {
    let program: String

    @discardableResult
    func run(_ arguments: [String]) throws -> String {
        try Command.run(program, arguments, environment: Command.environment())
    }
}

/// Signs licences with what one must say: about 850 bytes as an entry, of which the signature's envelope is a third.
struct SampleOfficer: Sendable {
    let signer: Signer
    let alliance: HashValue

    /// One licence, as an entry.
    func licence(_ key: String) throws -> [UInt8] {
        let now = Int64(Date().timeIntervalSince1970)
        return try DraftContext(member: signer.member, alliance: alliance, issuedAt: now).attestation(
            register: "vasp-licences", key: key, status: "authorised", validFrom: Timestamp(seconds: now - 60),
            fields: [
                "competentAuthority": "PVARA", "legalName": .string("Sample Firm \(key) Ltd"),
            ]
        ).signed(by: signer)
    }

    /// Rows as a file for `entente import`.
    static func table(_ count: Int) -> String {
        var text = "key,status,validFrom,competentAuthority,legalName\n"
        for number in 0..<count {
            let key = rowKey(number)
            text += "\(key),authorised,2026-01-01,PVARA,Sample Firm \(key) Ltd\n"
        }
        return text
    }

    static func rowKey(_ number: Int) -> String {
        let digits = String(number)
        return "PK-" + String(repeating: "0", count: 7 - digits.count) + digits
    }
}

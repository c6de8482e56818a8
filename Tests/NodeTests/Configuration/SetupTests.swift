import Alliance
import Foundation
import Testing
import TransparencyLog

@testable import Node

/// From keys to a node's folder. One after another: scrypt takes long in a debug build.
@Suite(.serialized) struct SetupTests {
    private let now: Int64 = 1_790_000_000

    private func member(_ name: String, in folder: String, _ passphrase: Passphrase) throws -> MemberFile {
        let setup = MemberSetup(
            id: "did:web:\(name).alliance.example", name: name, title: name, country: "PK", zone: "Asia/Karachi",
            role: .regulator, addresses: ["https://127.0.0.1:4301"])
        return try setup.create(in: "\(folder)/\(name)", passphrase: passphrase, now: now)
    }

    @Test func aNodeIsMadeFromKeysAndCharterOrNotAtAll() async throws {
        try await withFolder { folder in
            let passphrase = try Passphrase("correct horse")
            let files = [try member("pk", in: folder, passphrase), try member("sv", in: folder, passphrase)]
            #expect(files[0].member.log.name == "pk.alliance.example/log1")
            #expect(files[0].member.replica?.name == "pk.alliance.example/replica")
            #expect(try MemberFile(at: "\(folder)/pk/pk.member") == files[0])

            var charter = try CharterSetup.draft(
                name: "A", members: files.map(\.member), quorum: 1, threshold: nil, recognitionsBy: nil, issued: now,
                expires: now + 86_400)
            #expect(charter.charter.threshold == 2)
            #expect(charter.charter.registers.count == BuiltInRegisters.all.count)
            #expect(try charter.missing().map(\.name) == ["pk", "sv"])
            #expect(try CharterFile(parsing: charter.bytes, file: "x").digest == charter.digest)
            for name in ["pk", "sv"] {
                let key = try KeyFolder("\(folder)/\(name)").open("root-1", kind: .root, passphrase: passphrase)
                let signer = try #require(charter.signer(key))
                #expect(signer.member.name == name)
                charter = try charter.signed(by: signer.signer)
            }
            #expect(try charter.missing().isEmpty)
            try PlainFile.write(charter.bytes, to: "\(folder)/charter")

            let officer = try KeyFolder("\(folder)/pk").create("ayesha", kind: .officer, passphrase: passphrase)
            var setup = NodeSetup(
                charterPath: "\(folder)/charter", member: "pk", keys: "\(folder)/pk", data: "\(folder)/node")
            setup.listen = PeerAddress(host: "127.0.0.1", port: 4301)
            #expect(throws: SetupError.self) { try setup.create(passphrase: passphrase, now: now) }
            setup.officers = [try OfficerArgument("\(folder)/pk/ayesha.pub:attestation:vasp-licences").officer]
            try expectNode(setup, passphrase, officer: officer, folder: folder)
        }
    }

    private func expectNode(
        _ setup: NodeSetup, _ passphrase: Passphrase, officer: PublicKeyFile, folder: String
    ) throws {
        var wrong = setup
        wrong.keys = "\(folder)/sv"
        #expect(throws: SetupError.self) { try wrong.create(passphrase: passphrase, now: now) }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(names.sorted() == ["charter", "pk", "sv"], "a failure leaves nothing behind")

        let result = try setup.create(passphrase: passphrase, now: now)
        #expect(result.roster.officers == setup.officers && setup.officers[0].key.bytes == officer.key)
        let settings = try SettingsLoader(
            flags: [.data: [setup.data]], environment: [:], currentFolder: "/"
        ).load().settings
        #expect(settings.listen == setup.listen && settings.member == "pk")
        let roster = try Statement(parsing: try PlainFile.read(settings.rosterPath, limit: 1 << 20))
        guard case .roster(let stated) = roster.body else { throw SetupError(.malformed, "roster", "is none") }
        let leaf = try PeerCertificate(
            pem: String(contentsOfFile: settings.certificatePath, encoding: .utf8))
        #expect(stated.nodes[0].tlsKeys.map(\.bytes) == [leaf.keyDigest])
        #expect(try mode(of: settings.logKeyPath) == 0o600)
        #expect(try mode(of: settings.data) == 0o700)
        #expect(!FileFacts.exists("\(settings.keysFolder)/root-1.key"))
        // What is there is not touched.
        #expect(throws: SetupError.self) { try setup.create(passphrase: passphrase, now: now) }
    }

    @Test(arguments: ["", ":", ":queen", ":attestation:A B", ":attestation:x:y", ":roster"])
    func officersOfNoSenseAreRefused(suffix: String) async throws {
        try await withFolder { folder in
            let path = "\(folder)/a:b.pub"
            let key = PublicKeyFile(name: "omar", kind: .officer, key: PrivateKey.generate(for: .officer).publicKey)
            try PlainFile.write(Array(key.text.utf8), to: path)
            guard suffix.count > 1 else {
                #expect(try OfficerArgument(path + suffix).officer.kinds == OfficerArgument.standardKinds)
                return
            }
            #expect(throws: SetupError.self) { try OfficerArgument(path + suffix) }
        }
    }

    @Test func publicFilesAreStrict() throws {
        let good = PublicKeyFile(name: "omar", kind: .officer, key: PrivateKey.generate(for: .officer).publicKey)
        let text = good.text
        #expect(try PublicKeyFile(parsing: Array(text.utf8), file: "x") == good)
        for (old, new) in [
            ("officer", "queen"), ("omar", "Omar"), ("\"entente-key\":1", "\"entente-key\":2"), ("}", ",\"x\":1}"),
        ] {
            let bad = text.replacingOccurrences(of: old, with: new)
            #expect(throws: SetupError.self) { try PublicKeyFile(parsing: Array(bad.utf8), file: "x") }
        }
    }
}

import Alliance
import Crypto
import Replication
import Store
import TestSupport
import Testing
import TransparencyLog

@testable import Node

/// Keys that are not in a file: everything that signs does so through one protocol, and what a key will not sign is not
/// published.
@Suite("Signing through another kind of key", .timeLimit(.minutes(2)))
struct SigningSeamTests {
    @Test("A publication whose signing fails leaves nothing behind and says so; the next one goes through")
    func publishing() async throws {
        let alliance = try TestAlliance()
        try await withFolder { folder in
            let key = CountingKey(TestKey.privateKey("pk log"))
            let node = try await TestNode("pk", alliance, folder: folder, certificates: TestMember("pk"), logKey: key)
            #expect(key.messages.count == 1, "that the node starts")
            var log = try alliance.log()
            try log.begin()
            guard case .published = await node.publisher.submit(Array(log.entries.dropLast())) else {
                throw NodeError("not published")
            }
            #expect(key.messages.count == 2, "one checkpoint for one publication")
            let before = try await node.store.log(node.identity.origin)
            let licence = try log.licence("PK-1")

            key.plug(false)
            guard case .failed(let error) = await node.publisher.submit([licence]) else { throw NodeError("published") }
            #expect(error.reason.contains("the token is not plugged in"))
            key.plug(true)
            key.answer([UInt8](repeating: 0, count: 63))
            guard case .failed(let short) = await node.publisher.submit([licence]) else { throw NodeError("published") }
            #expect(short.reason.contains("63 bytes"))
            let after = try await node.store.log(node.identity.origin)
            #expect(after.size == before.size && after.headSize == before.headSize)
            #expect(after.frontier.root == before.frontier.root)
            #expect(try await node.store.index(of: .sha256(licence), in: node.identity.origin) == nil)
            let rows = try await node.store.rows(
                of: node.identity.origin, map: "vasp-licences", after: nil, limit: 10)
            #expect(rows.isEmpty)

            key.answer(nil)
            guard case .published(let first, _, _, _) = await node.publisher.submit([licence]) else {
                throw NodeError("not published")
            }
            #expect(first == before.size)
            await node.network.shutdown()
            try node.store.close()
        }
    }

    @Test("A replica whose key does not sign holds what it takes in, and cosigns it when it can")
    func cosigning() async throws {
        let alliance = try TestAlliance()
        try await withFolder { folder in
            let key = CountingKey(TestKey.privateKey("pk replica"))
            let node = try await TestNode(
                "pk", alliance, folder: folder, certificates: TestMember("pk"), replicaKey: key)
            key.plug(false)
            let text = Array("sv.alliance.example/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".utf8)
            #expect(throws: CountingKey.Unplugged.self) { try node.identity.cosign(text) }
            key.plug(true)
            let cosigned = try #require(try node.identity.cosign(text))
            let time = try CosignatureSigner.verify(
                cosigned.line, key: try TestAlliance.cosigner("pk").verifierKey, text: text)
            #expect(time == cosigned.time && key.messages.count == 1)
            await node.network.shutdown()
            try node.store.close()
        }
    }

    @Test("Officers and root keys sign through it too, with the same bytes as a key from a file")
    func officersAndRoots() throws {
        let key = CountingKey(TestKey.privateKey("pk officer ayesha"))
        let officer = Signer(member: TestAlliance.id("pk"), keyName: "ayesha", signing: key)
        let draft = try TestAlliance().context().retraction(
            Retraction(
                targets: [.init(identity: .sha256("x"), register: "vasp-licences", key: "PK-1")], reason: .other,
                note: nil))
        #expect(try draft.signed(by: officer) == draft.signed(by: TestAlliance.officer("ayesha")))
        #expect(key.messages.count == 1)
        let root = CountingKey(TestKey.privateKey("pk root-1"))
        let payload = try TestAlliance.draft().payload()
        let signer = Signer(member: TestAlliance.id("pk"), keyName: "root-1", signing: root)
        let file = try SignedCharter.sign(payload: payload, by: signer, adding: nil)
        #expect(try file == SignedCharter.sign(payload: payload, by: TestAlliance.root("pk"), adding: nil))
        root.plug(false)
        #expect(throws: CountingKey.Unplugged.self) {
            try SignedCharter.sign(payload: payload, by: signer, adding: nil)
        }
    }

    @Test("A key of a file signs as RFC 8032 says, and does not show itself")
    func software() throws {
        // RFC 8032, section 7.1, test 1.
        let seed = try #require(
            HashValue(hex: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
        ).bytes
        let key = try SoftwareSigningKey(seed: seed)
        #expect(
            HashValue(key.publicKey)?.hex == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        let signature = try key.checkedSignature(for: [])
        #expect(
            HashValue(Array(signature[..<32]))?.hex
                == "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
        #expect("\(key)" == "SoftwareSigningKey(redacted)" && Mirror(reflecting: key).children.isEmpty)
        #expect(throws: TransparencyLogError.self) { try SoftwareSigningKey(seed: [1]) }
        #expect(PrivateKey.generate(for: .node).signing == nil)
    }
}

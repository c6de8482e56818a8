import Crypto
import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Charters")
struct CharterTests {
    @Test("The payload reads back as the same charter, byte for byte")
    func roundTrip() throws {
        var charter = try TestAlliance.draft()
        charter.registers[0] = SharedRegister(
            name: "agreements", definition: HashValue.sha256("x"), merge: .joint(writers: [TestAlliance.id("pk")]))
        charter.registers[1] = SharedRegister(
            name: "authorities", definition: HashValue.sha256("y"), merge: .by(count: 2))
        charter.members[1].witness = try VerifierKey(
            name: "sv.alliance.example/witness", type: .cosignatureEd25519,
            publicKey: TestKey.privateKey("sv witness").publicKey)
        charter.members[2].standing = .suspended
        let payload = try charter.payload()
        #expect(try Charter(payload: payload) == charter)
        #expect(try Charter(payload: payload).payload() == payload)
    }

    static let wrongs: [(String, @Sendable (inout Charter) throws -> Void)] = [
        ("no name", { $0.alliance = "" }),
        ("long name", { $0.alliance = String(repeating: "x", count: 201) }),
        ("version 0", { $0.version = 0 }),
        ("version 1 with a predecessor", { $0.previous = HashValue.sha256("x") }),
        ("version 2 without one", { $0.version = 2 }),
        ("expires when issued", { $0.expires = $0.issued }),
        (
            "threshold of half",
            { charter in
                charter.members[3].role = .regulator
                charter.threshold = 2
            }
        ),
        ("threshold above all", { $0.threshold = 4 }),
        ("no regulator", { charter in for one in 0..<3 { charter.members[one].role = .observer } }),
        ("quorum of half", { $0.quorum = 1 }),
        ("quorum above all", { $0.quorum = 4 }),
        (
            "quorum that one log cannot reach",
            { charter in
                charter.members[0].replica = nil
                charter.quorum = 3
            }
        ),
        ("member's id", { $0.members[0].id = "did:key:pk" }),
        ("member's id in capitals", { $0.members[0].id = "did:web:PK" }),
        ("short name with a point", { $0.members[0].name = "p.k" }),
        ("short name too long", { $0.members[0].name = String(repeating: "p", count: 17) }),
        ("no title", { $0.members[0].title = "" }),
        ("country", { $0.members[0].country = "pk" }),
        ("zone", { $0.members[0].zone = "" }),
        ("no root keys", { $0.members[0].rootKeys = [] }),
        ("root threshold 0", { $0.members[0].rootThreshold = 0 }),
        ("root threshold above all", { $0.members[0].rootThreshold = 3 }),
        (
            "two root keys of one name",
            { charter in
                let key = charter.members[0].rootKeys[1].key
                charter.members[0].rootKeys[1] = RootKey(name: "root-1", key: key)
            }
        ),
        ("two members of one id", { $0.members[1].id = $0.members[0].id }),
        ("two of one short name", { $0.members[1].name = $0.members[0].name }),
        ("two of one CA", { $0.members[1].authority = $0.members[0].authority }),
        ("one root key in two members", { $0.members[1].rootKeys[0] = $0.members[0].rootKeys[0] }),
        (
            "one key in two roles",
            { charter in
                let key = charter.members[0].log.publicKey
                charter.members[0].replica = try VerifierKey(name: "x", type: .cosignatureEd25519, publicKey: key)
            }
        ),
        (
            "two logs of one origin",
            { charter in
                let key = try VerifierKey(
                    name: charter.members[0].log.name, type: .ed25519, publicKey: TestKey.privateKey("other").publicKey)
                charter.members[1].log = key
            }
        ),
        (
            "an origin in capitals",
            { charter in
                let key = charter.members[0].log.publicKey
                charter.members[0].log = try VerifierKey(name: "PK/log", type: .ed25519, publicKey: key)
            }
        ),
        (
            "an origin with points alone",
            { charter in
                let key = charter.members[0].log.publicKey
                charter.members[0].log = try VerifierKey(name: "pk/../log", type: .ed25519, publicKey: key)
            }
        ),
        (
            "a log key of a cosigner's type",
            { charter in
                let key = charter.members[0].log.publicKey
                charter.members[0].log = try VerifierKey(name: "pk/log", type: .cosignatureEd25519, publicKey: key)
            }
        ),
        (
            "a replica key of a log's type",
            { charter in
                let key = TestKey.privateKey("pk replica").publicKey
                charter.members[0].replica = try VerifierKey(name: "pk/replica", type: .ed25519, publicKey: key)
            }
        ),
        (
            "a log key of small order",
            { charter in
                let zero = [UInt8](repeating: 0, count: 32)
                charter.members[0].log = try VerifierKey(name: "pk/log", type: .ed25519, publicKey: zero)
            }
        ),
        ("an address without TLS", { $0.members[0].addresses = ["http://pk.example"] }),
        ("nine addresses", { $0.members[0].addresses = (0..<9).map { "https://pk\($0).example" } }),
        ("a register twice", { $0.registers.append($0.registers[0]) }),
        (
            "a shared register with a point",
            { charter in
                charter.registers.append(SharedRegister(name: "pk.x", definition: HashValue.sha256("x"), merge: .each))
            }
        ),
        (
            "a joint register without writers",
            { charter in
                charter.registers[0] = SharedRegister(
                    name: "agreements", definition: HashValue.sha256("x"), merge: .joint(writers: []))
            }
        ),
        (
            "a writer who is no member",
            { charter in
                charter.registers[0] = SharedRegister(
                    name: "agreements", definition: HashValue.sha256("x"),
                    merge: .joint(writers: [TestAlliance.id("xx")]))
            }
        ),
        (
            "a writer twice",
            { charter in
                charter.registers[0] = SharedRegister(
                    name: "agreements", definition: HashValue.sha256("x"),
                    merge: .joint(writers: [TestAlliance.id("pk"), TestAlliance.id("pk")]))
            }
        ),
        (
            "k of all",
            { charter in
                charter.registers[0] = SharedRegister(
                    name: "agreements", definition: HashValue.sha256("x"), merge: .by(count: 4))
            }
        ),
    ]

    @Test("A charter that breaks a rule cannot be written", arguments: wrongs.indices)
    func rules(position: Int) throws {
        var charter = try TestAlliance.draft()
        #expect(throws: Never.self) { try charter.validate() }
        try Self.wrongs[position].1(&charter)
        #expect(throws: AllianceError.self, "\(Self.wrongs[position].0)") { try charter.validate() }
        #expect(throws: AllianceError.self, "\(Self.wrongs[position].0)") { try charter.payload() }
    }

    @Test("A payload is read strictly")
    func strictPayload() throws {
        let payload = try TestAlliance.draft().payload()
        let text = String(decoding: payload, as: UTF8.self)
        func refused(_ old: String, _ new: String) throws {
            try #require(text.contains(old))
            let changed = text.replacing(old, with: new, maxReplacements: 1)
            #expect(throws: AllianceError.self, "\(new)") { try Charter(payload: Array(changed.utf8)) }
        }
        try refused("\"version\":1", "\"version\":1,\"more\":1")
        try refused("\"version\":1", "\"version\":\"1\"")
        try refused("\"version\":1", "\"version\":1.0")
        try refused("\"quorum\":2,", "")
        try refused("\"role\":\"regulator\"", "\"role\":\"king\"")
        try refused("\"standing\":\"active\"", "\"standing\":\"\"")
        try refused("\"crv\":\"Ed25519\"", "\"crv\":\"X25519\"")
        try refused("\"kty\":\"OKP\"", "\"d\":\"AAAA\",\"kty\":\"OKP\"")
        try refused("\"merge\":\"each\"", "\"merge\":\"last-writer-wins\"")
        try refused("\"merge\":\"each\"", "\"merge\":\"each\",\"k\":1")
        try refused("\"cuts\":[]", "\"cuts\":[{}]")
        try refused("\"origin\":\"pk.alliance.example/log\"", "\"origin\":\"sv.alliance.example/other\"")
        #expect(throws: AllianceError.self) { try Charter(payload: payload + [0x20, 0x7D]) }
        #expect(throws: AllianceError.self) { try Charter(payload: []) }
    }

    @Test("Version 1 needs every regulator, and observers do not count")
    func signing() throws {
        let alliance = try TestAlliance()
        let some = try SignedCharter(
            parsing: alliance.file(signers: [
                TestAlliance.root("pk"), TestAlliance.root("imf"), TestAlliance.root("sv"),
            ]))
        #expect(try some.missingSigners().map(\.name) == ["us"])
        #expect(try some.signers().map(\.member.name) == ["pk", "sv", "imf"])
        let error = #expect(throws: AllianceError.self) { try some.verifyFirst() }
        #expect(error?.code == .badSignature)
        #expect(error?.reason.contains("us") == true)
        let whole = try SignedCharter(
            parsing: alliance.file(signers: ["us", "sv", "pk"].map { TestAlliance.root($0) }))
        let verified = try whole.verifyFirst()
        #expect(verified.charter == alliance.charter.charter)
        #expect(verified.alliance == whole.digest)
        let digits = verified.fingerprint.split(separator: " ")
        #expect(digits.map(\.count) == [4, 4, 4] && whole.digest.hex.hasPrefix(digits.joined()))
        #expect(verified.fullFingerprint.replacing(" ", with: "") == whole.digest.hex)
        #expect(verified.file == whole.bytes)
    }

    @Test("A member counts once its own number of root keys signed")
    func rootThreshold() throws {
        let alliance = try TestAlliance { $0.members[0].rootThreshold = 2 }
        let others = [TestAlliance.root("sv"), TestAlliance.root("us")]
        // One key that signs twice is one key.
        let once = try SignedCharter(
            parsing: alliance.file(signers: others + [TestAlliance.root("pk"), TestAlliance.root("pk")]))
        #expect(try once.missingSigners().map(\.name) == ["pk"])
        let both = try SignedCharter(
            parsing: alliance.file(signers: others + [TestAlliance.root("pk", 1), TestAlliance.root("pk", 2)]))
        #expect(try both.missingSigners().isEmpty)
    }

    @Test("A wrong signature in a known key's name refuses the file; a stranger's is ignored")
    func wrongSignatures() throws {
        let alliance = try TestAlliance()
        let signers = ["pk", "sv", "us"].map { TestAlliance.root($0) }
        let stranger = Signer(member: TestAlliance.id("xx"), keyName: "root-1", key: TestKey.privateKey("stranger"))
        let with = try SignedCharter(parsing: alliance.file(signers: signers + [stranger]))
        #expect(throws: Never.self) { try with.verifyFirst() }
        let forger = Signer(member: TestAlliance.id("us"), keyName: "root-1", key: TestKey.privateKey("forger"))
        let forged = try SignedCharter(parsing: alliance.file(signers: Array(signers.prefix(2)) + [forger]))
        let error = #expect(throws: AllianceError.self) { try forged.verifyFirst() }
        #expect(error?.code == .badSignature)
        #expect(throws: AllianceError.self) { try forged.missingSigners() }
    }

    @Test("Only a charter's file is one")
    func notCharters() throws {
        let alliance = try TestAlliance()
        let file = try alliance.file(signers: [TestAlliance.root("pk")])
        let payload = try alliance.charter.charter.payload()
        for bytes in [[], Array("{}".utf8), payload, Array(file.dropLast(3)), file + file] {
            #expect(throws: AllianceError.self) { try SignedCharter(parsing: bytes) }
        }
        let other = try JWS.general(
            type: "entente-roster+jwt", payload: payload, adding: TestAlliance.root("pk"), to: nil)
        #expect(throws: AllianceError.self) { try SignedCharter(parsing: other) }
        let compact = try JWS.compact(type: Charter.type, payload: payload, signer: TestAlliance.root("pk"))
        #expect(throws: AllianceError.self) { try SignedCharter(parsing: compact) }
    }

    @Test("Replicas of a log: the other active members with a replica key, observers included")
    func replicas() throws {
        var charter = try TestAlliance.draft()
        #expect(charter.replicas(of: TestAlliance.id("pk")).map(\.name) == ["sv", "us", "imf"])
        charter.members[1].standing = .suspended
        charter.members[2].replica = nil
        #expect(charter.replicas(of: TestAlliance.id("pk")).map(\.name) == ["imf"])
        #expect(try TestAlliance.draft().collusionBound(of: TestAlliance.id("pk")) == 1)
    }
}

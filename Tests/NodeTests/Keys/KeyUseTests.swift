import Alliance
import Crypto
import TestSupport
import Testing
import TransparencyLog

@testable import Node

/// What `entente keys list` says of each kind of key.
@Suite struct KeyUseTests {
    private static func file(_ name: String, _ kind: KeyKind, _ key: [UInt8]) -> PublicKeyFile {
        PublicKeyFile(name: name, kind: kind, key: key)
    }

    private static func ed25519(_ name: String, _ kind: KeyKind, _ key: String) throws -> PublicKeyFile {
        file(name, kind, try TestKey.signingKey(key).bytes)
    }

    private static func register(
        _ edit: (inout Charter) throws -> Void = { _ in }, roster: Roster? = nil, before: [Charter] = [],
        certificates: [PeerCertificate] = []
    ) throws -> KeyRegister {
        var charter = try TestAlliance.draft()
        try edit(&charter)
        return KeyRegister(
            charters: before + [charter], roster: roster.map { (TestAlliance.id("pk"), $0) },
            certificates: certificates)
    }

    @Test func byTheCharter() throws {
        let register = try Self.register()
        let cases: [(KeyKind, String, String)] = [
            (.root, "pk root-1", "signs charters and rosters as root-1 of Pakistan, 1 of 2 needed"),
            (.log, "pk log", "signs the log pk.alliance.example/log of Pakistan"),
            (.replica, "sv replica", "cosigns other members' logs as sv.alliance.example/replica of El Salvador"),
        ]
        for (kind, key, text) in cases {
            let use = register.use(of: try Self.ed25519("x", kind, key))
            #expect(use.state == .inForce && use.text == text)
        }
        // The log's key is no root key, whatever its file says.
        let wrong = register.use(of: try Self.ed25519("x", .root, "pk log"))
        #expect(wrong == KeyUse(.notListed, "not in the charter or roster"))
    }

    @Test func authorityAndNodeHaveCertificates() throws {
        let member = try TestMember("pk")
        let authority = Self.file("authority", .authority, Array(member.authorityKey.publicKey.derRepresentation))
        let node = Self.file("node1", .node, Array(member.nodeKey.publicKey.derRepresentation))
        let key = HashValue.sha256(node.key)
        func use(of file: PublicKeyFile, nodes: [HashValue], revoked: [HashValue] = []) throws -> KeyUse {
            try Self.register(
                { $0.members[0].authority = .sha256(authority.key) },
                roster: Roster(
                    officers: [], nodes: [RosterNode(name: "node1", addresses: [], tlsKeys: nodes)], revoked: revoked),
                certificates: [member.authority.certificate, member.leaf]
            ).use(of: file)
        }
        let issues = try use(of: authority, nodes: [key])
        #expect(issues.state == .inForce && issues.ends == member.authority.certificate.notAfter)
        #expect(issues.text == "issues the certificates of the nodes of Pakistan")
        #expect(issues.until { "\($0)" } == "\(member.authority.certificate.notAfter) (certificate)")
        let listed = try use(of: node, nodes: [key])
        #expect(listed.text == "TLS of node1 of Pakistan" && listed.ends == member.leaf.notAfter)
        #expect(try use(of: node, nodes: [key], revoked: [key]).state == .revoked)
        #expect(try use(of: node, nodes: [.zero]).state == .notListed)
    }

    @Test func officersAreInTheRoster() throws {
        let roster = try Roster.sample()
        let carla = try Self.ed25519("carla", .officer, "pk officer carla")
        let use = try Self.register(roster: roster).use(of: carla)
        #expect(use.state == .inForce && use.member == "pk")
        #expect(use.text == "publishes everything about warnings as carla of Pakistan")
        #expect(use.until { "\($0)" } == "charter or roster changes")
        let gone = try Self.register(roster: Roster.sample(without: "carla")).use(of: carla)
        #expect(gone.state == .notListed && gone.text == "not in the charter or roster")
    }

    @Test("A key that an earlier charter listed, and one of a member that was removed, is a former one")
    func former() throws {
        let before = try TestAlliance.draft()
        let root = try Self.ed25519("root-1", .root, "pk root-1")
        let rotated = try Self.register(
            { charter in
                charter.version = 2
                charter.members[0].rootKeys.removeFirst()
            }, before: [before])
        #expect(rotated.use(of: root).state == .former)
        #expect(rotated.use(of: root).text.hasPrefix("until charter version 1: signs charters and rosters as root-1"))
        let removed = try Self.register({ $0.members[0].standing = .removed })
        #expect(removed.use(of: root).state == .former)
        let suspended = try Self.register({ $0.members[0].standing = .suspended })
        #expect(suspended.use(of: root).text.hasSuffix("which is suspended"))
    }

    @Test("Without charter or roster, a key's kind is all that is known")
    func unknown() throws {
        let nothing = KeyRegister(charters: [], roster: nil, certificates: [])
        #expect(nothing.use(of: try Self.ed25519("x", .root, "pk root-1")) == KeyUse(.unknown, KeyKind.root.purpose))
        let use = try Self.register().use(of: try Self.ed25519("x", .officer, "pk officer carla"))
        #expect(use == KeyUse(.unknown, "signs statements, if the roster lists it"))
    }
}

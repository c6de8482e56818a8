import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import Testing
import X509

@testable import Node

/// The certificate cases of quality.md: none of them gets an application byte, and each is counted as what it is.
@Suite(.timeLimit(.minutes(2))) struct CertificateCaseTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let rejection: PeerRejection
        /// What member `member` presents, and the key it signs the handshake with.
        let present:
            @Sendable (_ member: TestMember, _ other: TestMember) throws -> (
                [PeerCertificate], P256.Signing.PrivateKey?
            )

        var testDescription: String { self.name }
    }

    static let cases: [Case] = [
        Case(name: "no certificate", rejection: .none) { _, _ in ([], nil) },
        Case(name: "self-signed, alone", rejection: .chainLength) { member, _ in
            let leaf = TestCertificate(issuerName: "subject", uris: [member.id])
            return ([try leaf.make()], leaf.key)
        },
        Case(name: "self-signed, twice", rejection: .unknownAuthority) { member, _ in
            let leaf = TestCertificate(issuerName: "subject", uris: [member.id])
            let certificate = try leaf.make()
            return ([certificate, certificate], leaf.key)
        },
        Case(name: "leaf without its authority", rejection: .chainLength) { member, _ in ([member.leaf], member.nodeKey)
        },
        Case(name: "stranger's authority", rejection: .unknownAuthority) { member, _ in
            let stranger = P256.Signing.PrivateKey()
            let authority = try MemberCA.create(shortName: "pk", privateKey: stranger, now: TrustStore.systemClock())
            let leaf = TestCertificate(issuerName: "pk", issuerKey: stranger, uris: [member.id])
            return ([try leaf.make(), authority.certificate], leaf.key)
        },
        Case(name: "expired", rejection: .expired) { member, _ in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.notAfter = Date(timeIntervalSinceNow: -60)
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "not yet valid", rejection: .notYetValid) { member, _ in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.notBefore = Date(timeIntervalSinceNow: 60)
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "authority expired", rejection: .expired) { member, _ in
            var authority = TestCertificate.authority(of: member, "pk")
            authority.notAfter = Date(timeIntervalSinceNow: -60)
            let leaf = TestCertificate.leaf(of: member, "pk")
            return ([try leaf.make(), try authority.make()], leaf.key)
        },
        Case(name: "own authority, another member's name", rejection: .nameMismatch) { member, other in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.uris = [other.id]
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "two names", rejection: .nameMismatch) { member, other in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.uris = [member.id, other.id]
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "no name", rejection: .nameMismatch) { member, _ in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.uris = []
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "server's purpose only", rejection: .wrongUsage) { member, _ in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.purposes = [.serverAuth]
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "no purpose", rejection: .wrongUsage) { member, _ in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.purposes = []
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "leaf that is an authority", rejection: .wrongUsage) { member, _ in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.isAuthority = true
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "unknown critical extension", rejection: .policy) { member, _ in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.unknownCriticalExtension = true
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "issuer that is no CA", rejection: .issuerNotAuthority) { member, _ in
            var authority = TestCertificate.authority(of: member, "pk")
            authority.isAuthority = false
            let leaf = TestCertificate.leaf(of: member, "pk")
            return ([try leaf.make(), try authority.make()], leaf.key)
        },
        Case(name: "issuer that may not sign certificates", rejection: .issuerNotAuthority) { member, _ in
            var authority = TestCertificate.authority(of: member, "pk")
            authority.usage = KeyUsage(cRLSign: true)
            let leaf = TestCertificate.leaf(of: member, "pk")
            return ([try leaf.make(), try authority.make()], leaf.key)
        },
        Case(name: "a node of the member as issuer", rejection: .unknownAuthority) { member, _ in
            let leaf = TestCertificate(issuerName: "pk-1", issuerKey: member.nodeKey, uris: [member.id])
            return ([try leaf.make(), member.leaf], leaf.key)
        },
        Case(name: "forged authority with the member's key", rejection: .badSignature) { member, _ in
            var authority = TestCertificate.authority(of: member, "pk")
            authority.publicKey = .init(member.authorityKey.publicKey)
            authority.issuerKey = P256.Signing.PrivateKey()
            let leaf = TestCertificate.leaf(of: member, "pk")
            return ([try leaf.make(), try authority.make()], leaf.key)
        },
        Case(name: "leaf signed by somebody else", rejection: .badSignature) { member, _ in
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.issuerKey = P256.Signing.PrivateKey()
            return ([try leaf.make(), member.authority.certificate], leaf.key)
        },
        Case(name: "a chain of three", rejection: .chainLength) { member, other in
            ([member.leaf, member.authority.certificate, other.authority.certificate], member.nodeKey)
        },
        Case(name: "a chain of 100", rejection: .chainLength) { member, _ in
            ([member.leaf] + Array(repeating: member.authority.certificate, count: 99), member.nodeKey)
        },
    ]

    @Test(arguments: Self.cases) func getsNothing(one: Case) async throws {
        let server = try TestMember("ae")
        let (member, other) = (try TestMember("pk"), try TestMember("za"))
        let trust = TrustStore(try PeerTrust(members: [member.trusted(), other.trusted(), server.trusted()]))
        let (chain, key) = try one.present(member, other)
        let configuration = try RawClient.configuration(
            chain: chain,
            key: key.map { .privateKey(try NIOSSLPrivateKey(bytes: Array($0.derRepresentation), format: .der)) })
        let answer = try await withListener(server, trust: trust) { port in
            try await RawClient.exchange(port: port, configuration: configuration)
        }
        #expect(answer == "")
        #expect(trust.rejections == [one.rejection: 1])
        #expect(trust.connections.isEmpty)
    }

    @Test func revoked() async throws {
        let (server, member) = (try TestMember("ae"), try TestMember("pk"))
        let digest = member.leaf.keyDigest
        let trust = TrustStore(
            try PeerTrust(members: [member.trusted(roster: .held(nodes: [digest], revoked: [digest]))]))
        #expect(try await Self.exchange(member, server, trust) == "")
        #expect(trust.rejections == [.revoked: 1])
    }

    @Test func tls12() async throws {
        let (server, member) = (try TestMember("ae"), try TestMember("pk"))
        let trust = TrustStore(try PeerTrust(members: [member.trusted()]))
        var configuration = try Self.configuration(member)
        configuration.maximumTLSVersion = .tlsv12
        let answer = try await withListener(server, trust: trust) { [configuration] port in
            try await RawClient.exchange(port: port, configuration: configuration)
        }
        #expect(answer == "")
        #expect(trust.rejections == [.protocolVersion: 1])
    }

    @Test func notTLSAtAll() async throws {
        let (server, member) = (try TestMember("ae"), try TestMember("pk"))
        let trust = TrustStore(try PeerTrust(members: [member.trusted()]))
        let answer = try await withListener(server, trust: trust) { port in
            try await RawClient.exchange(port: port, configuration: nil)
        }
        #expect(answer == "")
        #expect(trust.rejections == [.handshakeFailed: 1])
    }

    @Test func aHandshakeThatNeverEnds() async throws {
        let (server, member) = (try TestMember("ae"), try TestMember("pk"))
        let trust = TrustStore(try PeerTrust(members: [member.trusted()]))
        let configuration = try PeerListenerConfiguration(host: "127.0.0.1", port: 0, handshakeTimeout: 50)
        let answer = try await withListener(server, trust: trust, configuration: configuration) { port in
            // The first byte of a TLS record, and no more.
            try await RawClient.exchange(port: port, configuration: nil, send: "\u{16}")
        }
        #expect(answer == "")
        #expect(trust.rejections == [.handshakeTimeout: 1])
    }

    @Test func rsaKeysThatAreTooLarge() async throws {
        try await withFolder { folder in
            let (server, member) = (try TestMember("ae"), try TestMember("pk"))
            let trust = TrustStore(try PeerTrust(members: [member.trusted()]))
            // Several primes, only to have the key within a second.
            let made = try await run("openssl", ["genrsa", "-primes", "5", "-out", "\(folder)/key.pem", "8448"])
            try #require(made.status == 0)
            try Data(member.authority.certificate.pem.utf8).write(to: URL(filePath: "\(folder)/ca.pem"))
            try Data(member.authorityKey.pemRepresentation.utf8).write(to: URL(filePath: "\(folder)/ca.key"))
            try Data(
                """
                subjectAltName=URI:\(member.id)
                extendedKeyUsage=clientAuth
                keyUsage=digitalSignature
                """.utf8
            ).write(to: URL(filePath: "\(folder)/extensions"))
            let request = try await run(
                "openssl", ["req", "-new", "-key", "\(folder)/key.pem", "-subj", "/CN=x", "-out", "\(folder)/request"])
            try #require(request.status == 0)
            let issued = try await run(
                "openssl",
                [
                    "x509", "-req", "-in", "\(folder)/request", "-CA", "\(folder)/ca.pem", "-CAkey", "\(folder)/ca.key",
                    "-extfile", "\(folder)/extensions", "-out", "\(folder)/leaf.pem",
                ])
            try #require(issued.status == 0)
            let pem = try String(contentsOfFile: "\(folder)/leaf.pem", encoding: .utf8)
            #expect(throws: PeerRejection.keyTooLarge) { try PeerCertificate(pem: pem) }
            let answer = try await withListener(server, trust: trust) { port in
                try await openssl(port, folder: folder, key: "key.pem", leaf: "leaf.pem", [])
            }
            #expect(!answer.text.contains("HTTP/1.1"))
            // BoringSSL may refuse the key before we see it.
            #expect(trust.rejections[.keyTooLarge, default: 0] + trust.rejections[.handshakeFailed, default: 0] == 1)
            print("RSA 8448 bits: \(trust.rejections)")
        }
    }

    /// BoringSSL as a client refuses to use such a certificate, so openssl does.
    @Test func aKeyThatIsNotForSigning() async throws {
        try await withFolder { folder in
            let (server, member) = (try TestMember("ae"), try TestMember("pk"))
            let trust = TrustStore(try PeerTrust(members: [member.trusted()]))
            var leaf = TestCertificate.leaf(of: member, "pk")
            leaf.usage = KeyUsage(keyAgreement: true)
            try Data(leaf.make().pem.utf8).write(to: URL(filePath: "\(folder)/leaf.pem"))
            try Data(member.authority.certificate.pem.utf8).write(to: URL(filePath: "\(folder)/ca.pem"))
            try Data(leaf.key.pemRepresentation.utf8).write(to: URL(filePath: "\(folder)/key.pem"))
            let answer = try await withListener(server, trust: trust) { port in
                try await openssl(port, folder: folder, key: "key.pem", leaf: "leaf.pem", [])
            }
            #expect(!answer.text.contains("HTTP/1.1"))
            #expect(trust.rejections == [.wrongUsage: 1])
        }
    }

    /// A resumed session skips the verification callback: without a chain the connection must end.
    @Test func aResumedSessionGetsNothing() async throws {
        try await withFolder { folder in
            let (server, member) = (try TestMember("ae"), try TestMember("pk"))
            let trust = TrustStore(try PeerTrust(members: [member.trusted()]))
            try Data(member.leaf.pem.utf8).write(to: URL(filePath: "\(folder)/leaf.pem"))
            try Data(member.authority.certificate.pem.utf8).write(to: URL(filePath: "\(folder)/ca.pem"))
            try Data(member.nodeKey.pemRepresentation.utf8).write(to: URL(filePath: "\(folder)/key.pem"))
            let session = "\(folder)/session"
            let (first, second) = try await withListener(server, trust: trust) { port in
                let first = try await openssl(
                    port, folder: folder, key: "key.pem", leaf: "leaf.pem", ["-sess_out", session])
                trust.update(.empty)
                let second = try await openssl(
                    port, folder: folder, key: "key.pem", leaf: "leaf.pem", ["-sess_in", session])
                return (first, second)
            }
            #expect(first.text.contains("HTTP/1.1 200 OK"))
            #expect(first.text.contains(member.id))
            #expect(FileManager.default.fileExists(atPath: session))
            #expect(!second.text.contains("HTTP/1.1"))
            // The first connection may still be closing when the trust changes, and be counted as well.
            #expect(trust.rejections[.noValidatedChain] == 1)
        }
    }

    private static func configuration(_ member: TestMember) throws -> TLSConfiguration {
        try RawClient.configuration(
            chain: [member.leaf, member.authority.certificate],
            key: .privateKey(try NIOSSLPrivateKey(bytes: Array(member.nodeKey.derRepresentation), format: .der)))
    }

    private static func exchange(_ member: TestMember, _ server: TestMember, _ trust: TrustStore) async throws -> String
    {
        let configuration = try Self.configuration(member)
        return try await withListener(server, trust: trust) { port in
            try await RawClient.exchange(port: port, configuration: configuration)
        }
    }
}

private func openssl(
    _ port: Int, folder: String, key: String, leaf: String, _ more: [String]
) async throws -> ProgramOutput {
    try await run(
        "openssl",
        [
            "s_client", "-connect", "127.0.0.1:\(port)", "-tls1_3", "-quiet", "-ign_eof", "-cert", "\(folder)/\(leaf)",
            "-key", "\(folder)/\(key)", "-cert_chain", "\(folder)/ca.pem",
        ] + more, input: RawClient.request)
}

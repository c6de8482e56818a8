import Crypto
import CryptoExtras
import Foundation
import SwiftASN1
import X509

@testable import Node

/// A member with a CA and one node, for tests.
struct TestMember: Sendable {
    let id: String
    let authorityKey = P256.Signing.PrivateKey()
    let nodeKey = P256.Signing.PrivateKey()
    let authority: MemberCA
    let leaf: PeerCertificate

    init(_ name: String, now: Int64 = TrustStore.systemClock()) throws {
        self.id = "did:web:\(name).alliance.example"
        self.authority = try MemberCA.create(shortName: name, privateKey: self.authorityKey, now: now)
        self.leaf = try self.authority.issueLeaf(
            for: self.nodeKey.publicKey, memberURI: self.id, nodeName: "\(name)-1", notBefore: now)
    }

    var material: TLSIdentity.Material {
        get throws {
            try .init(leaf: self.leaf, authority: self.authority.certificate, privateKey: self.nodeKey)
        }
    }

    /// The member with its roster held, which lists the node.
    func trusted(roster: PeerTrust.Roster? = nil) -> PeerTrust.Member {
        .init(
            id: self.id, authorityKeyDigest: self.authority.certificate.keyDigest,
            roster: roster ?? .held(nodes: [self.leaf.keyDigest], revoked: []))
    }
}

/// A certificate as wrong as a test wants it.
struct TestCertificate {
    var key = P256.Signing.PrivateKey()
    var publicKey: Certificate.PublicKey?
    var issuerName = "issuer"
    var issuerKey: P256.Signing.PrivateKey?
    var subjectName = "subject"
    var notBefore = Date(timeIntervalSinceNow: -3600)
    var notAfter = Date(timeIntervalSinceNow: 3600)
    var isAuthority: Bool?
    var usage: KeyUsage? = KeyUsage(digitalSignature: true)
    var purposes: [ExtendedKeyUsage.Usage] = [.clientAuth, .serverAuth]
    var uris: [String] = []
    var unknownCriticalExtension = false

    func make() throws -> PeerCertificate {
        var extensions = try Certificate.Extensions {
            if let isAuthority {
                Critical(
                    isAuthority
                        ? BasicConstraints.isCertificateAuthority(maxPathLength: 0) : .notCertificateAuthority)
            }
            if let usage { Critical(usage) }
            if !purposes.isEmpty { try ExtendedKeyUsage(purposes) }
            if !uris.isEmpty { SubjectAlternativeNames(uris.map { .uniformResourceIdentifier($0) }) }
        }
        if unknownCriticalExtension {
            try extensions.append(.init(oid: [1, 3, 6, 1, 4, 1, 99999, 1], critical: true, value: [5, 0][...]))
        }
        return try PeerCertificate(
            Certificate(
                version: .v3, serialNumber: .init(), publicKey: publicKey ?? .init(key.publicKey),
                notValidBefore: notBefore, notValidAfter: notAfter,
                issuer: DistinguishedName { CommonName(issuerName) },
                subject: DistinguishedName { CommonName(subjectName) },
                signatureAlgorithm: .ecdsaWithSHA256, extensions: extensions,
                issuerPrivateKey: .init(issuerKey ?? key)))
    }

    /// A leaf that the member's CA could have issued.
    static func leaf(of member: TestMember, _ name: String) -> TestCertificate {
        TestCertificate(issuerName: name, issuerKey: member.authorityKey, uris: [member.id])
    }

    /// An authority with the member's own CA key.
    static func authority(of member: TestMember, _ name: String) -> TestCertificate {
        TestCertificate(
            key: member.authorityKey, issuerName: name, subjectName: name, isAuthority: true,
            usage: KeyUsage(keyCertSign: true, cRLSign: true), purposes: [])
    }
}

import Crypto
import Foundation
import TestSupport
import Testing
import TransparencyLog
import X509

@testable import Alliance
@testable import Node

/// Requests for certificates (PKCS #10): what they carry, and what becomes of what is wrong. What openssl makes and reads
/// is in the system tests.
@Suite struct CertificateRequestTests {
    @Test("A request has the key and the names of the leaf, and reads back")
    func like() throws {
        let member = try TestMember("pk")
        let leaf = try member.authority.issueLeaf(
            for: member.nodeKey.publicKey, memberURI: member.id, nodeName: "node1", dnsNames: ["node.pk.example"],
            addresses: [[127, 0, 0, 1]], notBefore: TrustStore.systemClock())
        let request = try CertificateRequest(pem: CertificateRequest(like: leaf, privateKey: member.nodeKey).pem)
        #expect(request.keyDigest == leaf.keyDigest)
        #expect(request.uris == [member.id])
        #expect(request.hosts == ["node.pk.example", "127.0.0.1"])
        #expect(request.wishes.isEmpty)
        let other = P256.Signing.PrivateKey()
        let fresh = try CertificateRequest(like: leaf, privateKey: other)
        #expect(fresh.publicKey.rawRepresentation == other.publicKey.rawRepresentation)
    }

    @Test("A request that was changed in any byte of what is signed is refused")
    func changed() throws {
        let member = try TestMember("pk")
        let request = try CertificateRequest(like: member.leaf, privateKey: member.nodeKey)
        // Behind it come the algorithm, the signature's frame of 3 bytes and the signature; some bits of the frame say
        // nothing.
        let signed = request.der.count - 12 - 3 - 72
        for position in request.der.indices {
            var der = request.der
            der[position] ^= 1
            let body = Data(der).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
            let pem = "-----BEGIN CERTIFICATE REQUEST-----\n\(body)\n-----END CERTIFICATE REQUEST-----\n"
            do throws(MemberCAError) {
                let read = try CertificateRequest(pem: pem)
                #expect(position >= signed && read.keyDigest == request.keyDigest && read.uris == request.uris)
            } catch {
                #expect(error.code == .badRequest)
            }
        }
    }

    @Test func whatTheRosterSaysOfAKey() {
        let (listed, revoked, both) = (HashValue.sha256("a"), HashValue.sha256("b"), HashValue.sha256("c"))
        let roster = Roster(
            officers: [], nodes: [RosterNode(name: "node1", addresses: [], tlsKeys: [listed, both])],
            revoked: [revoked, both])
        #expect(KeyStanding(listed, in: roster) == .listed(node: "node1"))
        #expect(KeyStanding(revoked, in: roster) == .revoked)
        #expect(KeyStanding(both, in: roster) == .revoked)
        #expect(KeyStanding(.zero, in: roster) == .notListed)
    }
}

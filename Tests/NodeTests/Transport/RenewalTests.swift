import Crypto
import Foundation
import Testing
import X509

@testable import Node

/// A node's own certificate: when its operator is warned, and what renewing keeps.
@Suite struct RenewalTests {
    @Test(
        arguments: [
            (90, 60, nil), (90, 31, nil), (90, 29, .endsSoon), (90, 0, .endsSoon), (90, -1, .ended),
            (90, 91, .notYetValid),
            // A short life: from its last third on.
            (9, 4, nil), (9, 2, .endsSoon), (1000, 31, nil), (1000, 29, .endsSoon),
        ] as [(Int64, Int64, CertificateTerm.Warning?)])
    func warnings(days: Int64, left: Int64, warning: CertificateTerm.Warning?) {
        let term = CertificateTerm(begins: 0, ends: days * 86_400)
        #expect(term.warning(at: (days - left) * 86_400) == warning)
    }

    @Test func aRenewedLeafHasTheSameKeyAndNames() throws {
        let now = TrustStore.systemClock()
        let member = try TestMember("pk", now: now - 3 * MemberCA.leafLifetime)
        let old = try member.authority.issueLeaf(
            for: member.nodeKey.publicKey, memberURI: member.id, nodeName: "node1", dnsNames: ["node.pk.example"],
            addresses: [[127, 0, 0, 1]], notBefore: now - 2 * MemberCA.leafLifetime)
        #expect(old.notAfter < now, "it may have ended")
        let new = try member.authority.renew(old, notBefore: now)
        #expect(new.keyDigest == old.keyDigest && new.uris == [member.id])
        #expect(new.notAfter == now + MemberCA.leafLifetime)
        let names = try [old, new].map { try $0.certificate.extensions.subjectAlternativeNames }
        #expect(names[0] == names[1])
        #expect(new.certificate.subject == old.certificate.subject)
        #expect(new.certificate.serialNumber != old.certificate.serialNumber)
        #expect(throws: MemberCAError.self) { try member.authority.renew(old, notBefore: now, notAfter: now) }
        // Neither its own certificate nor another authority's leaf.
        #expect(throws: MemberCAError.self) {
            try member.authority.renew(member.authority.certificate, notBefore: now)
        }
        let other = try TestMember("sv")
        let error = #expect(throws: MemberCAError.self) { try other.authority.renew(old, notBefore: now) }
        #expect(error?.code == .notIssuedHere)
    }
}

import Crypto
import Foundation
import Testing
import X509

@testable import Node

/// A node's own certificate: when its operator is warned, and what renewing keeps.
@Suite struct RenewalTests {
    private static let day: Int64 = 86_400

    @Test(
        arguments: [
            (90, 60, nil), (90, 31, nil), (90, 29, .endsSoon(.month)), (90, 8, .endsSoon(.month)),
            (90, 6, .endsSoon(.week)), (90, 2, .endsSoon(.week)), (90, 0, .endsSoon(.day)), (90, -1, .ended),
            (90, 91, .notYetValid),
            // A short life: from its last third on.
            (9, 4, nil), (9, 2, .endsSoon(.month)), (9, 0, .endsSoon(.day)),
            (1000, 31, nil), (1000, 29, .endsSoon(.month)),
        ] as [(Int64, Int64, CertificateTerm.Warning?)])
    func warnings(days: Int64, left: Int64, warning: CertificateTerm.Warning?) {
        let term = CertificateTerm(begins: 0, ends: days * Self.day)
        #expect(term.warning(at: (days - left) * Self.day) == warning)
    }

    @Test("30, 7 and 1 days are the thresholds, to the second, and the same shares of a shorter life")
    func thresholds() {
        for (notice, days) in [(EndNotice.month, 30), (.week, 7), (.day, 1)] as [(EndNotice, Int64)] {
            let more = EndNotice.allCases.filter { $0.rawValue > days }.map(\.rawValue).min()
            #expect(EndNotice(left: days * Self.day)?.rawValue == more)
            #expect(EndNotice(left: days * Self.day - 1) == notice)
            #expect(EndNotice(left: days * 10, life: 900)?.rawValue == more)
            #expect(EndNotice(left: days * 10 - 1, life: 900) == notice)
        }
        #expect(EndNotice(left: 1) == .day && EndNotice(left: 0) == .over && EndNotice(left: -1) == .over)
        #expect(EndNotice(left: 1, life: 0) == nil && EndNotice(left: .min, life: .min) == .over)
    }

    @Test("The log says a notice when its threshold is passed, then daily; a renewal begins anew")
    func notices() {
        var told = NoticeRepeat()
        var said: [(hour: Int64, notice: EndNotice)] = []
        let end = 40 * Self.day
        for hour in Int64(0)..<41 * 24 {
            let notice = EndNotice(left: end - hour * 3_600)
            if told.isDue(notice?.words, at: hour * 3_600), let notice { said.append((hour, notice)) }
        }
        func hours(_ notice: EndNotice) -> [Int64] { said.filter { $0.notice == notice }.map(\.hour) }
        // The hour after 30, 7 and 1 days are left, and every 24 from there.
        #expect(hours(.month).first == 241 && hours(.month).count == 23)
        #expect(hours(.week).first == 793 && hours(.week).count == 6)
        #expect(hours(.day) == [937])
        #expect(hours(.over) == [960])
    }

    @Test("A notice after another, after none, and after the clock was set back is told at once")
    func noticesAnew() {
        var told = NoticeRepeat()
        let said = [
            ("a", 0), ("a", 86_399), ("a", 86_400), ("b", 86_401), (nil, 86_402), ("b", 86_403), ("b", 0),
        ].map { told.isDue($0, at: $1) }
        #expect(said == [true, false, true, true, false, true, true])
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

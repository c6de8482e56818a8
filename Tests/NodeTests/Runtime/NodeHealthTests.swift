import Alliance
import Replication
import TestSupport
import Testing

@testable import Node

/// What the operator is told, and how gravely.
struct NodeHealthTests {
    private let day: Int64 = 86_400
    private let now: Int64 = 1_790_000_000

    private func codes(_ judge: (inout NodeHealth) throws -> Void) rethrows -> [String] {
        var health = NodeHealth()
        try judge(&health)
        #expect(health.level == (health.concerns.map(\.level).max() ?? .ok))
        return health.concerns.map { "\($0.level.word) \($0.code)" }
    }

    @Test func nothingToSay() throws {
        let charter = try TestAlliance.draft()
        let codes = codes { health in
            health.judge(CertificateTerm(begins: now, ends: now + 80 * day), now: now)
            health.judge(charter, isContested: false, own: .active, now: charter.expires.seconds - 60 * day)
            health.judge(log: "Pakistan", isContradicted: false, problem: nil)
            health.judge(connected: 2, unreachable: [], restricted: [], quorum: 2, uptime: 100)
            health.judge(ownLogIsLonger: false)
            health.judge(free: 100 << 30)
            health.judge(clocks: [("El Salvador", 30), ("United States", -2)])
        }
        #expect(codes.isEmpty)
    }

    @Test(arguments: [
        (40, []), (29, ["attention certificate-ends"]), (6, ["attention certificate-ends"]),
        (0, ["critical certificate-ends"]), (-1, ["critical certificate-ended"]),
    ])
    func certificates(days: Int, expected: [String]) {
        let term = CertificateTerm(begins: now - 100 * day, ends: now + Int64(days) * day)
        #expect(codes { $0.judge(term, now: now) } == expected)
    }

    @Test(arguments: [
        (KeyStanding.listed(node: "node1"), []), (.notListed, ["attention certificate-key-not-listed"]),
        (.revoked, ["critical certificate-key-revoked"]),
    ])
    func theCertificatesKey(standing: KeyStanding, expected: [String]) {
        #expect(codes { $0.judge(standing) } == expected)
    }

    @Test(arguments: [
        (40, 5, []), (40, 6, ["attention declaration-outdated"]), (29, 5, ["attention declaration-lapses"]),
        (0, 5, ["attention declaration-lapsed"]), (-29, 6, ["attention declaration-lapsed"]), (-30, 6, []),
    ])
    func declarationsThatARegisterIsComplete(days: Int, rows: UInt64, expected: [String]) throws {
        let until = Timestamp(seconds: now + Int64(days) * day)
        let standing = DeclarationStanding(
            member: try TestAlliance().member("pk"),
            declaration: Declaration(register: "warnings", rows: 5, validUntil: until), index: 9, rows: rows)
        #expect(codes { $0.judge(declarations: [standing], now: now) } == expected)
        let state = expected.first.map { $0.hasSuffix("lapses") ? "lapses" : "" }
        if state == "lapses" { #expect(standing.json(now: now)["state"] == "lapses") }
        if days == 40 { #expect(standing.json(now: now)["state"] == "current") }
        if days <= 0 { #expect(standing.json(now: now)["state"] == "lapsed") }
    }

    @Test func aCharterThatEnds() throws {
        let charter = try TestAlliance.draft()
        let ends = charter.expires.seconds
        #expect(
            codes { $0.judge(charter, isContested: false, own: .active, now: ends - 29 * day) }
                == ["attention charter-expires"])
        for (left, expected) in [
            (31 * day, []), (6 * day, ["attention charter-expires"]), (day, ["attention charter-expires"]),
            (day - 1, ["critical charter-expires"]), (1, ["critical charter-expires"]),
            (0, ["critical charter-expired"]),
        ] {
            #expect(codes { $0.judge(charter, isContested: false, own: .active, now: ends - left) } == expected)
        }
        #expect(
            codes { $0.judge(charter, isContested: true, own: .suspended, now: ends) }
                == ["critical charter-contested", "critical charter-expired", "attention not-active"])
    }

    @Test func peers() {
        func judged(_ connected: Int, _ unreachable: [String], uptime: Int64) -> [String] {
            codes {
                $0.judge(connected: connected, unreachable: unreachable, restricted: [], quorum: 2, uptime: uptime)
            }
        }
        #expect(judged(2, ["IMF"], uptime: 100) == ["attention unreachable"])
        #expect(judged(1, ["IMF"], uptime: 100) == ["critical no-quorum", "attention unreachable"])
        // A node that has just started has reached nobody yet.
        #expect(judged(0, [], uptime: 10).isEmpty)
    }

    @Test func startsThatMayNotSign() throws {
        let charter = try TestAlliance.draft()
        let member = charter.members[1]
        let later = try Incarnation(number: 3, value: Array(repeating: 1, count: 16))
        let standings: [(IncarnationStanding, code: String, word: String)] = [
            (.forked, "critical forked", "next charter"),
            (.contradicted(size: 7, by: [member.id]), "critical contradicted", "entente node waive \(member.name)"),
            (.superseded(by: later), "critical superseded", "another copy"),
            (.takingBack(size: 7, from: [member.id]), "critical starting", "up to 7"),
        ]
        for (standing, code, word) in standings {
            #expect(codes { $0.judge(standing, under: charter, uptime: 100) } == [code])
            #expect(standing.objection(under: charter)?.contains(word) ?? false)
        }
        #expect(codes { $0.judge(.established, under: charter, uptime: 100) }.isEmpty)
    }

    @Test func disks() {
        #expect(codes { $0.judge(free: 1 << 30) } == ["attention disk"])
        #expect(codes { $0.judge(free: 100 << 20) } == ["critical disk"])
        #expect(codes { $0.judge(free: 1 << 30, reserve: 2 << 30) } == ["critical disk"])
    }

    @Test func clocks() {
        #expect(codes { $0.judge(clocks: [("A", 40), ("B", 0), ("C", 1)]) } == ["attention peer-clock"])
        #expect(codes { $0.judge(clocks: [("A", -400), ("B", 0), ("C", 1)]) } == ["critical peer-clock"])
        // Where most differ alike, it is our clock.
        #expect(codes { $0.judge(clocks: [("A", 3_600), ("B", 3_601), ("C", 3_600)]) } == ["critical clock"])
        #expect(PeerClock.seconds("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
        #expect(PeerClock.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        for text in ["", "784111777", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            #expect(PeerClock.seconds(text) == nil)
        }
    }
}

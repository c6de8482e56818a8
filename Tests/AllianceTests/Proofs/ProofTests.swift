import Testing
import TransparencyLog

@testable import Alliance

@Suite("Proof files")
struct ProofTests {
    let alliance: TestAlliance
    var log: MemoryLog

    init() throws {
        alliance = try TestAlliance()
        log = try alliance.log()
        try log.begin()
    }

    @Test("A licence that is in force: good, with its answer, its officer and its holders")
    mutating func present() throws {
        try log.publish([try log.licence("PK-0117")])
        let proof = try log.proof("PK-0117")
        let report = proof.report(log.charter)
        #expect(report.conclusion == .good)
        #expect(report.troubles == [])
        #expect(report.signedBy == ["ayesha"])
        print(report.text(allChecks: true))
        print(String(decoding: proof.encoded(), as: UTF8.self))
    }
}

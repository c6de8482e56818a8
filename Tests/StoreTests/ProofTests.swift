import Alliance
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: proofs")
struct ProofTests {
    private static let time = TestAlliance.start + 80_000

    /// As the node makes proof files.
    private func report(
        _ store: Store, _ log: MemoryLog, _ key: String, map: String = "vasp-licences"
    ) async throws -> VerificationReport {
        let question = try ProofQuestion(alliance: log.charter.alliance, member: log.member.id, map: map, key: key)
        let stored = try #require(
            try await store.proof(of: question.row, register: question.register, in: log.member.log.name))
        func entry(_ index: UInt64, _ bytes: [UInt8]) -> ProofEntry { ProofEntry(index: index, bytes: bytes) }
        let definition = try #require(BuiltInRegisters.definition(named: question.register))
        let material = ProofMaterial(
            charter: log.charter, question: question, note: try stored.checkpoint.fullNote(),
            firstNote: stored.firstNote, stateLeaf: stored.stateLeaf, stateIndex: stored.stateIndex,
            inclusion: stored.inclusion, rowProof: stored.rowProof, row: stored.row,
            statements: stored.statements.map { statement in
                ProofStatement(
                    entry: entry(statement.index, statement.bytes),
                    approvals: statement.approvals.map { entry($0.index, $0.bytes) })
            },
            rosters: stored.rosters.map { roster in
                ProofRoster(
                    entry: entry(roster.index, roster.bytes), ordinal: roster.ordinal, proof: roster.proof,
                    next: roster.next, nextProof: roster.nextProof)
            }, definition: ProofDefinition(shared: definition.descriptor))
        let file = try ProofFile(parsing: ProofFile.make(from: material).encoded())
        return Verifier().verify(file, charter: log.charter, at: Timestamp(seconds: Self.time + 400))
    }

    private func cosign(_ store: Store, _ log: MemoryLog) async throws {
        let checkpoint = try log.head().checkpoint
        try await store.keep(
            [
                try StoredCosignature("sv", UInt64(Self.time), checkpoint),
                try StoredCosignature("us", UInt64(Self.time + 60), checkpoint),
            ], of: log.member.log.name, size: checkpoint.size, root: checkpoint.root)
    }

    @Test("Present, retracted, not stated, by a lookup, after a change of roster and with two officers")
    func answers() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            var sent = 0
            func send() async throws {
                try await store.follow(log, [Array(log.entries[sent...])])
                sent = log.entries.count
            }
            try await send()
            let present = try log.licence("PK-1", domains: ["one.example"])
            let mistake = try log.licence("PK-2")
            try log.publish([present, mistake])
            try await send()
            try log.publish([
                try log.nextRoster { $0.twoOfficers = ["vasp-licences"] }
            ])
            try await send()
            let retraction = try log.retraction(of: [(mistake, "PK-2")])
            let approved = try log.licence("PK-3")
            try log.publish([retraction, approved, try log.approval(of: [retraction, approved])])
            try await send()
            let question = RowKey(map: "vasp-licences", key: "PK-1")
            #expect(try await store.proof(of: question, register: "vasp-licences", in: log.member.log.name) == nil)
            try await cosign(store, log)
            for (key, map, kind) in [
                ("PK-1", "vasp-licences", "present"), ("PK-3", "vasp-licences", "present"),
                ("PK-2", "vasp-licences", "retracted"), ("PK-9", "vasp-licences", "notStated"),
                ("one.example", "vasp-licences/domains", "present"),
                ("two.example", "vasp-licences/domains", "notStated"),
                ("PK-9", "warnings", "notStated"),
            ] {
                let report = try await report(store, log, key, map: map)
                #expect(report.conclusion == .good, "\(key): \(report.text())")
                #expect("\(report.answer.map { "\($0)" } ?? "")".hasPrefix(kind), "\(key): \(report.headline)")
            }
            // More entries without a quorum: no proof rather than one of what maps do not say any more.
            let next = try log.licence("PK-4")
            try log.publish([next, try log.approval(of: [next])])
            try await send()
            #expect(try await store.proof(of: question, register: "vasp-licences", in: log.member.log.name) == nil)
            let error = await #expect(throws: StoreError.self) {
                try await store.proof(of: question, register: "vasp-licences", in: try origin("sv"))
            }
            #expect(error?.code == .unknown)
        }
    }
}

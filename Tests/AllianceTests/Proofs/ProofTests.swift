import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// Every answer that a proof file can give.
@Suite("Proof files: answers")
struct ProofTests {
    let alliance: TestAlliance
    var log: MemoryLog
    static let day: Int64 = 86_400
    static let start = TestAlliance.start

    init() throws {
        alliance = try TestAlliance()
        log = try alliance.log()
        try log.begin()
    }

    /// Verifies a proof after a round trip through its file.
    private func report(
        _ proof: ProofFile, _ options: VerificationOptions = .init(), now: Int64 = start + 80_400
    ) throws -> VerificationReport {
        let bytes = proof.encoded()
        let read = try ProofFile(parsing: bytes)
        #expect(read == proof && read.encoded() == bytes)
        return read.report(log.charter, now: now, options)
    }

    @Test("A licence that is in force")
    mutating func present() throws {
        try log.publish([try log.licence("PK-0117"), try log.licence("PK-0118")])
        let proof = try log.proof("PK-0117")
        #expect(proof.claim.hasPrefix("UNVERIFIED: Pakistan says of PK-0117 in vasp-licences: authorised since"))
        #expect(proof.encoded().count < 8 << 10)
        let report = try report(proof)
        #expect(report.conclusion == .good && report.troubles == [])
        #expect(report.signedBy == ["ayesha"])
        #expect(report.publishedBy == Self.start + 80_060 && report.stillSo == Self.start + 80_000)
        #expect(report.holders.map(\.title) == ["El Salvador", "United States"] && report.needed == 2)
        guard case .present(let entries)? = report.answer, let entry = entries.first else {
            Issue.record("present")
            return
        }
        #expect(entries.count == 1 && entry.status == "authorised" && entry.permitsBusiness == true)
        #expect(entry.name == "Firm PK-0117" && entry.next == nil && entry.conflict.isEmpty)
    }

    @Test("A revocation from a later day: the date asked decides, and the expectation the status")
    mutating func revocationFromADay() throws {
        let monday = Self.start + 3 * Self.day
        try log.publish([try log.licence("PK-1"), try log.licence("PK-1", "revoked", from: monday)])
        let cosigned: [(member: String, time: Int64)] = [
            ("sv", Self.start + 4 * Self.day), ("imf", Self.start + 4 * Self.day),
        ]
        let proof = try log.proof("PK-1", on: monday - 1, cosigned: cosigned)
        let before = try report(proof, .init(expectation: .status("authorised")), now: Self.start + 90 * Self.day)
        #expect(before.conclusion == .good)
        #expect(before.headline == "YES. Firm PK-1 is authorised in Pakistan.")
        guard case .present(let entries)? = before.answer else { throw AllianceError(.unknown, "present") }
        #expect(entries[0].next?.attestation.status == "revoked")
        let on = VerificationOptions(
            on: Timestamp(seconds: monday, offsetMinutes: 300), expectation: .status("authorised"))
        let after = try report(proof, on, now: Self.start + 90 * Self.day)
        #expect(after.conclusion == .notExpected && after.conclusion.exitStatus == 3)
        #expect(after.headline == "NO. Firm PK-1 is not authorised in Pakistan.")
        #expect(after.troubles == [])
        let text = after.text()
        for line in [
            "  asked      vasp-licences of Pakistan, PK-1, on 2026-11-24 13:00 UTC+5",
            "  answer     revoked since 2026-11-24 13:00 UTC+5", "  signed     ayesha (key in force then)",
            "  held by    El Salvador, IMF (2 needed)", "Good proof, not the answer expected (status 3).",
        ] { #expect(text.contains(line + "\n"), "\(text)") }
        #expect(text.contains("checks     \(after.checks.count) of \(after.checks.count) passed"))
        let business = try report(proof, .init(on: on.on, expectation: .business))
        #expect(business.conclusion == .cannotTell)
    }

    @Test("Too early, or ended: present, none in force on that date")
    mutating func noneInForce() throws {
        try log.publish([try log.licence("PK-1", from: Self.start + 1_000, until: Self.start + 2_000)])
        let early = try report(try log.proof("PK-1", on: Self.start))
        #expect(early.conclusion == .good)
        guard case .presentNoneInForce(let begins)? = early.answer else {
            throw AllianceError(.unknown, "none in force")
        }
        #expect(begins?.seconds == Self.start + 1_000)
        let late = try report(try log.proof("PK-1", on: Self.start + 2_000), .init(expectation: .noneInForce))
        #expect(late.conclusion == .good && late.answer?.name == "none-in-force")
        #expect(try report(try log.proof("PK-1", on: Self.start + 1_999)).answer?.name == "present")
    }

    @Test("Never stated: in a map with rows, in a map without, in a log without the register")
    mutating func notStated() throws {
        let empty = try report(try log.proof("PK-1"))
        #expect(empty.conclusion == .good && empty.answer?.name == "not-stated")
        #expect(empty.publishedBy == nil && empty.signedBy.isEmpty)
        #expect(try log.proof("w", in: "warnings").row == nil)
        #expect(try report(try log.proof("w", in: "warnings")).conclusion == .good)
        try log.publish(try (0..<50).map { try log.licence("PK-\($0)") })
        for number in 50..<80 {
            let report = try report(try log.proof("PK-\(number)"), .init(expectation: .notStated))
            #expect(report.conclusion == .good && report.checks.count == 11)
        }
        let unmet = try report(try log.proof("PK-99"), .init(expectation: .status("authorised")))
        #expect(unmet.conclusion == .notExpected)
        #expect(unmet.headline == "NO. Pakistan never stated PK-99 in vasp-licences.")
    }

    @Test("Taken back, with the reason")
    mutating func retracted() throws {
        let licence = try log.licence("PK-1", lei: RowTests.lei)
        try log.publish([licence])
        try log.publish([try log.retraction(of: [(licence, "PK-1")], reason: .supersededByCourt, by: "bilal")])
        let report = try report(try log.proof("PK-1"), .init(expectation: .retracted))
        #expect(report.conclusion == .good && report.signedBy == ["bilal"])
        guard case .retracted(let reason, _)? = report.answer else { throw AllianceError(.unknown, "retracted") }
        #expect(reason == .supersededByCourt)
        #expect(try self.report(try log.proof(RowTests.lei, in: "vasp-licences/lei")).answer?.name == "retracted")
    }

    @Test("A lookup value: several entries, none, dropped")
    mutating func lookups() throws {
        let first = try log.licence("PK-1", lei: RowTests.lei, domains: ["a.example"])
        try log.publish([first, try log.licence("PK-2", "suspended", lei: RowTests.lei)])
        let both = try report(try log.proof(RowTests.lei, in: "vasp-licences/lei"))
        guard case .present(let entries)? = both.answer else { throw AllianceError(.unknown, "present") }
        #expect(entries.map(\.key) == ["PK-1", "PK-2"])
        #expect(!ProofExpectation.business.isMet(by: .present(entries)))
        #expect(try report(try log.proof("b.example", in: "vasp-licences/domains")).answer?.name == "not-stated")
        try log.publish([try log.licence("PK-1", supersedes: [HashValue.sha256(first)])])
        let dropped = try report(try log.proof("a.example", in: "vasp-licences/domains"))
        #expect(dropped.conclusion == .good && dropped.answer?.name == "no-longer-stated")
        // Among others, one that was dropped is simply gone.
        #expect(try report(try log.proof(RowTests.lei, in: "vasp-licences/lei")).answer?.name == "present")
    }

    @Test("Two entries with one start are shown as a conflict")
    mutating func conflict() throws {
        try log.publish([try log.licence("PK-1"), try log.licence("PK-1", "suspended")])
        let report = try report(try log.proof("PK-1"))
        guard case .present(let entries)? = report.answer else { throw AllianceError(.unknown, "present") }
        #expect(entries[0].status == "suspended" && entries[0].conflict.map(\.attestation.status) == ["authorised"])
    }

    @Test("Documents by their work, and a member's own register")
    mutating func documentsAndOwnRegister() throws {
        let work = "/akn/pk/act/2025/virtual-assets"
        let officer = TestAlliance.officer("ayesha")
        try log.publish([
            try log.context().document(
                PolicyDocument(
                    work: work, language: "en", date: "2025-07-08", title: "Virtual Assets Act",
                    mediaType: "text/plain",
                    size: 3, digest: HashValue.sha256("act"))
            ).signed(by: officer),
            try log.context().definition(name: "pk.notes", version: 1, descriptor: OwnRegister.descriptor("pk.notes"))
                .signed(by: officer),
            try log.context().attestation(
                register: "pk.notes", key: "N 1", status: "signed", validFrom: Timestamp(seconds: Self.start),
                fields: ["title": "A note"]
            ).signed(by: officer),
        ])
        let document = try report(try log.proof(work, in: "@documents"))
        #expect(document.conclusion == .good && document.answer?.name == "documents")
        #expect(try report(try log.proof("/akn/pk/act/2025/other", in: "@documents")).answer?.name == "not-stated")
        let note = try report(try log.proof("N 1", in: "pk.notes"))
        #expect(note.conclusion == .good && note.troubles == [])
        #expect(note.headline == "A note is signed in Pakistan.")
        #expect(try report(try log.proof("N 2", in: "pk.notes")).answer?.name == "not-stated")
    }

    @Test("Rosters: each statement is judged by the newest before it")
    mutating func rosters() throws {
        try log.publish([try log.licence("PK-1", by: "bilal")])
        try log.publish([try log.nextRoster { $0.officers.removeAll { $0.name == "bilal" } }])
        try log.publish([try log.licence("PK-1", "suspended", from: Self.start + 5)])
        try log.publish([try log.nextRoster { $0.twoOfficers = [] }])
        let proof = try log.proof("PK-1")
        #expect(proof.rosters.map(\.ordinal) == [1, 0])
        #expect(try report(proof).conclusion == .good)
        // A statement that never counted is in no row.
        try log.publish([try log.licence("PK-1", "revoked", from: Self.start + 9, by: "bilal")])
        guard case .present(let entries)? = try report(try log.proof("PK-1")).answer else {
            throw AllianceError(.unknown, "present")
        }
        #expect(entries[0].status == "suspended")
    }

    @Test("Where two officers are due, the proof brings the approval")
    mutating func approvals() throws {
        log = try alliance.log()
        try log.begin(twoOfficers: ["vasp-licences"])
        let licence = try log.licence("PK-1")
        try log.publish([licence, try log.approval(of: [licence])])
        let proof = try log.proof("PK-1")
        #expect(proof.statements[0].approvals.count == 1)
        let report = try report(proof)
        #expect(report.conclusion == .good && report.checks.contains { $0.name == .approvals && $0.result == .passed })
        let without = ProofFile(changing: proof, statements: [ProofStatement(entry: proof.statements[0].entry)])
        #expect(without.report(log.charter).troubles == [.approvals])
        let retraction = try log.retraction(of: [(licence, "PK-1")], by: "bilal")
        try log.publish([retraction, try log.approval(of: [retraction], by: "ayesha")])
        #expect(try self.report(try log.proof("PK-1")).answer?.name == "retracted")
    }

    @Test("The first quorum tells by when it was published")
    mutating func firstQuorum() throws {
        try log.publish([try log.licence("PK-1")])
        let first = try log.note(cosigned: [("imf", Self.start + 60), ("sv", Self.start + 20), ("us", Self.start + 70)])
        try log.publish([try log.licence("PK-2")])
        let report = try report(try log.proof("PK-1", first: first))
        #expect(report.conclusion == .good && report.publishedBy == Self.start + 60)
        // One that does not hold the statement says nothing of it.
        let other = try self.report(try log.proof("PK-2", first: first))
        #expect(other.conclusion == .good && other.publishedBy == Self.start + 80_060)
    }

    @Test("A full row fits its proof; one over the limit is refused when made")
    mutating func sizes() throws {
        try log.publish(try (0..<200).map { try log.licence("PK-1", from: Self.start - $0) })
        let proof = try log.proof("PK-1")
        #expect(proof.statements.count == 200)
        #expect(try report(proof).conclusion == .good)
        let note = String(repeating: "x", count: 40_000)
        try log.publish(
            try (0..<100).map { number in
                try log.context().attestation(
                    register: "vasp-licences", key: "PK-2", status: "authorised",
                    validFrom: Timestamp(seconds: Self.start + number), fields: ["comments": .string(note)]
                ).signed(by: TestAlliance.officer("ayesha"))
            })
        let error = #expect(throws: AllianceError.self) { try log.proof("PK-2") }
        #expect(error?.code == .limit)
    }

    @Test("Material that does not fit together makes no proof")
    mutating func material() throws {
        try log.publish([try log.licence("PK-1"), try log.licence("PK-2")])
        let good = try log.material(log.question("vasp-licences", "PK-1"))
        #expect(throws: Never.self) { try ProofFile.make(from: good) }
        let edits: [(inout ProofMaterial) -> Void] = [
            { $0.statements = [] }, { $0.row = nil }, { $0.rosters = [] }, { $0.rowProof = nil },
            { $0.stateIndex += 1 },
            { $0.stateLeaf = [] }, { $0.note = [] }, { $0.firstNote = [1] },
            { $0.statements.append($0.statements[0]) },
            { $0.question = ProofQuestion(alliance: .zero, member: $0.question.member, register: "x", key: "y") },
            {
                $0.question = ProofQuestion(
                    alliance: $0.question.alliance, member: "did:web:xx.example", register: "vasp-licences", key: "PK-1"
                )
            },
        ]
        for edit in edits {
            var material = good
            edit(&material)
            #expect(throws: AllianceError.self) { try ProofFile.make(from: material) }
        }
    }
}

extension ProofFile {
    /// The same proof with other parts.
    init(
        changing proof: ProofFile, claim: String? = nil, question: ProofQuestion? = nil, rosters: [ProofRoster]? = nil,
        statements: [ProofStatement]? = nil, row: RegisterMapProof?? = nil, definition: ProofDefinition?? = nil,
        state: StateLeaf? = nil, log: TLogProof? = nil, first: SignedNote?? = nil
    ) {
        self.init(
            claim: claim ?? proof.claim, question: question ?? proof.question,
            charterVersion: (state ?? proof.state).charterVersion, charterDigest: (state ?? proof.state).charterDigest,
            rosters: rosters ?? proof.rosters, statements: statements ?? proof.statements, row: row ?? proof.row,
            definition: definition ?? proof.definition, state: state ?? proof.state, log: log ?? proof.log,
            first: first ?? proof.first)
    }
}

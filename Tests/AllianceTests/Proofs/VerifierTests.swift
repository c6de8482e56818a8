import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

/// What a partner's verifier refuses, cannot tell, or finds to be another question.
@Suite("Proof files: verification")
struct VerifierTests {
    let alliance: TestAlliance
    var log: MemoryLog
    let licence: [UInt8]
    static let start = TestAlliance.start
    static let now = start + 80_400

    init() throws {
        alliance = try TestAlliance()
        log = try alliance.log()
        try log.begin()
        licence = try log.licence("PK-1", lei: RowTests.lei)
        try log.publish([licence, try log.licence("PK-2")])
    }

    private func expect(
        _ proof: ProofFile, _ troubles: [VerificationReport.CheckName],
        _ conclusion: VerificationReport.Conclusion = .bad,
        _ options: VerificationOptions = .init(), charter: VerifiedCharter? = nil, now: Int64 = now,
        at location: SourceLocation = #_sourceLocation
    ) {
        let report = proof.report(charter ?? alliance.charter, now: now, options)
        #expect(report.conclusion == conclusion, "\(report.text())", sourceLocation: location)
        #expect(report.troubles == troubles, sourceLocation: location)
        if conclusion == .bad {
            #expect(report.answer == nil && report.signedBy.isEmpty && report.stillSo == nil, sourceLocation: location)
            #expect(report.headline.hasPrefix("BAD PROOF."), sourceLocation: location)
        }
        #expect(report.json["exitStatus"]?.integer == Int64(conclusion.exitStatus), sourceLocation: location)
        #expect(report.json["checks"]?.array?.count == report.checks.count, sourceLocation: location)
    }

    private func charter(_ edit: (inout Charter) throws -> Void) throws -> VerifiedCharter {
        var charter = alliance.charter.charter
        try edit(&charter)
        return VerifiedCharter(unchecked: charter, digest: alliance.charter.digest, alliance: alliance.charter.alliance)
    }

    // MARK: Forks

    @Test("With a fork proof at hand, what a quorum held stays, and what holds now cannot be told")
    func forked() throws {
        var other = try alliance.log()
        try other.begin()
        try other.publish([try other.licence("PK-9")])
        let key = try TestAlliance.noteSigner("pk").verifierKey
        let size = UInt64(other.entries.count)
        let branch = ForkProof.Branch(
            root: try MerkleTree.root(size: size, reader: log),
            proof: try MerkleTree.consistencyProof(from: size, to: UInt64(log.entries.count), reader: log))
        let fork = try ForkProof(of: log.note(cosigned: []), other.note(cosigned: []), branch: branch, key: key)
        var options = VerificationOptions()
        options.forks = [fork]
        expect(try log.proof("PK-1"), [.fork], .cannotTell, options)
        expect(try log.proof("PK-1", cosigned: []), [.quorum, .freshness, .fork], .bad, options)
        options.on = Timestamp(seconds: Self.start + 10)
        let dated = try log.proof("PK-1").report(alliance.charter, now: Self.now, options)
        #expect(dated.conclusion == .good && dated.checks.contains { $0.name == .fork && $0.result == .passed })
        // Of another log it makes no difference.
        #expect(
            !(try log.proof("PK-1").report(alliance.charter, now: Self.now, .init())).checks.contains {
                $0.name == .fork
            })
    }

    // MARK: The charter

    @Test("The charter of another alliance")
    func otherAlliance() throws {
        let proof = try log.proof("PK-1")
        let other = try TestAlliance { $0.alliance = "Another Alliance" }
        // All checks are made: those that depend on the alliance fail, the others pass.
        expect(proof, [.alliance, .charter, .rosters, .statements], charter: other.charter)
    }

    @Test("Another, an older and a newer version of the charter")
    func versions() throws {
        let proof = try log.proof("PK-1")
        let pinned = alliance.charter
        func version(_ number: Int, digest: HashValue, previous: HashValue?) -> VerifiedCharter {
            var charter = pinned.charter
            charter.version = number
            charter.previous = previous
            return VerifiedCharter(unchecked: charter, digest: digest, alliance: pinned.alliance)
        }
        expect(proof, [.charter], charter: version(1, digest: HashValue.sha256("x"), previous: nil))
        expect(proof, [], .good, charter: version(2, digest: HashValue.sha256("x"), previous: pinned.digest))
        expect(proof, [.charter], charter: version(2, digest: HashValue.sha256("x"), previous: HashValue.sha256("y")))
        expect(proof, [.charter], .cannotTell, charter: version(3, digest: HashValue.sha256("x"), previous: .zero))
        let newer = StateLeaf(
            entryCount: proof.state.entryCount, charterVersion: 2, charterDigest: proof.state.charterDigest,
            lines: proof.state.lines)
        expect(ProofFile(changing: proof, state: newer), [.charter, .state])
    }

    @Test("A charter that expired: now cannot be told, a date can")
    func expired() throws {
        let expired = try charter { $0.expires = Timestamp(seconds: Self.now) }
        expect(try log.proof("PK-1"), [.expiry], .cannotTell, charter: expired)
        expect(try log.proof("PK-1", on: Self.start + 5), [], .good, charter: expired)
    }

    @Test("A member that the charter does not have, or that is suspended")
    func member() throws {
        let proof = try log.proof("PK-1")
        let without = try charter { $0.members.removeFirst() }
        let report = proof.report(without)
        #expect(report.conclusion == .bad && report.checks.contains { $0.name == .member && $0.result == .failed })
        let suspended = try charter { $0.members[0].standing = .suspended }
        expect(proof, [.member], .cannotTell, charter: suspended)
        let question = try ProofQuestion(
            alliance: log.charter.alliance, member: TestAlliance.id("sv"), map: "vasp-licences", key: "PK-1")
        expect(ProofFile(changing: proof, question: question), [.log, .quorum, .freshness, .rosters, .statements])
    }

    // MARK: Quorum and time

    @Test("Too few cosigners, and the owner's own cosignature")
    func quorum() throws {
        expect(try log.proof("PK-1", cosigned: []), [.quorum, .freshness])
        expect(try log.proof("PK-1", cosigned: [("sv", Self.now)]), [.quorum, .freshness])
        expect(try log.proof("PK-1", cosigned: [("sv", Self.now), ("sv", Self.now - 1)]), [.quorum, .freshness])
        expect(try log.proof("PK-1", cosigned: [("sv", Self.now), ("pk", Self.now)]), [.quorum, .freshness])
        expect(try log.proof("PK-1", cosigned: [("sv", Self.now), ("imf", Self.now)]), [], .good)
        let three = try charter { $0.quorum = 3 }
        expect(try log.proof("PK-1"), [.quorum, .freshness], charter: three)
    }

    @Test("Freshness: the age of the q-th newest cosignature")
    func freshness() throws {
        let day = VerificationOptions.defaultMaximumAge
        func proof(_ first: Int64, _ second: Int64) throws -> ProofFile {
            try log.proof("PK-1", cosigned: [("sv", first), ("us", second)])
        }
        expect(try proof(Self.now - day, Self.now), [], .good)
        expect(try proof(Self.now - day - 1, Self.now), [.freshness], .cannotTell)
        expect(try proof(Self.now - 11, Self.now), [.freshness], .cannotTell, .init(maximumAge: 10))
        expect(try proof(Self.now + 300, Self.now + 300), [], .good)
        expect(try proof(Self.now + 301, Self.now), [.freshness], .cannotTell)
        // A clock that is far off cannot tell, in either direction.
        expect(try proof(Self.now, Self.now), [.freshness], .cannotTell, now: Self.now - 1_000)
        expect(try proof(Self.now, Self.now), [.expiry, .freshness], .cannotTell, now: Self.now + 800 * day)
    }

    @Test("A date: no maximum age, but not after the newest quorum")
    func dates() throws {
        let proof = try log.proof("PK-1")
        let stillSo = Self.start + 80_000
        func on(_ time: Int64) -> VerificationOptions { .init(on: Timestamp(seconds: time)) }
        expect(proof, [], .good, on(stillSo), now: Self.now + 100 * 86_400)
        expect(proof, [.freshness], .cannotTell, on(stillSo + 1))
        expect(try log.proof("PK-1", on: stillSo + 1), [.freshness], .cannotTell)
        // The date asked replaces the file's own.
        let report = try log.proof("PK-1", on: stillSo + 1).report(alliance.charter, on(Self.start - 1))
        #expect(report.conclusion == .good && report.answer?.name == "none-in-force")
    }

    @Test("The question asked against the question answered")
    func askedQuestion() throws {
        let proof = try log.proof("PK-1")
        func asked(_ member: String? = nil, _ map: String? = nil, _ key: String? = nil) -> VerificationOptions {
            .init(asked: .init(member: member, map: map, key: key))
        }
        expect(proof, [], .good, asked("pk", "vasp-licences", "PK-1"))
        expect(proof, [], .good, asked("did:web:pk.alliance.example", nil, " PK-1 "))
        expect(proof, [], .notExpected, asked("sv"))
        expect(proof, [], .notExpected, asked(nil, "warnings"))
        expect(proof, [], .notExpected, asked(nil, "vasp-licences/lei"))
        expect(proof, [], .notExpected, asked(nil, nil, "PK-2"))
        let report = proof.report(alliance.charter, asked(nil, nil, "PK-2"))
        #expect(report.text().contains("The proof is about PK-1, you asked about PK-2."))
        let lookup = try log.proof(RowTests.lei, in: "vasp-licences/lei")
        expect(lookup, [], .good, asked(nil, nil, RowTests.lei.lowercased()))
    }

    // MARK: Parts of other proofs

    @Test("The answer to another key under this one's name")
    func swappedParts() throws {
        let proof = try log.proof("PK-1")
        let other = try log.proof("PK-2")
        let absent = try log.proof("PK-3")
        expect(ProofFile(changing: proof, statements: other.statements, row: other.row), [.row, .statements])
        expect(ProofFile(changing: proof, statements: other.statements), [.row, .statements])
        expect(ProofFile(changing: proof, row: other.row), [.row])
        // An absence that is not so, and a presence that is not so.
        expect(ProofFile(changing: proof, statements: []), [.row])
        expect(ProofFile(changing: proof, rosters: [], statements: [], row: absent.row), [.row])
        expect(
            ProofFile(changing: absent, rosters: proof.rosters, statements: proof.statements, row: proof.row),
            [
                .row, .statements,
            ])
        expect(ProofFile(changing: proof, row: .some(nil)), [.row])
        expect(ProofFile(changing: proof, question: other.question), [.row, .statements])
        let warnings = try log.question("warnings", "PK-1")
        expect(ProofFile(changing: proof, question: warnings), [.definition, .key, .row, .statements])
    }

    @Test("A newer retraction cannot be left out, nor an older state be shown as newest")
    mutating func hiding() throws {
        let before = try log.proof("PK-1")
        try log.publish([try log.retraction(of: [(licence, "PK-1")])])
        let after = try log.proof("PK-1")
        expect(after, [], .good)
        expect(ProofFile(changing: before, log: after.log), [.state])
        expect(ProofFile(changing: after, statements: before.statements, row: before.row), [.row])
        expect(ProofFile(changing: after, state: before.state), [.state, .row])
        // The older state under the newer checkpoint: an inclusion proof of it is not for the last entry.
        let old = before.state.entryCount
        let inclusion = try MerkleTree.inclusionProof(index: old, size: after.log.checkpoint.size, reader: log)
        let older = try TLogProof(index: old, hashes: inclusion, note: after.log.note)
        #expect(older.provesInclusion(of: MerkleTree.leafHash(before.state.bytes)))
        expect(ProofFile(changing: before, log: older), [.state])
    }

    @Test("A statement that is listed twice, in another order or with another index")
    mutating func statementLists() throws {
        try log.publish([try log.licence("PK-1", "suspended", from: Self.start + 5)])
        let proof = try log.proof("PK-1")
        #expect(proof.statements.count == 2)
        expect(ProofFile(changing: proof, statements: proof.statements.reversed()), [.row])
        expect(ProofFile(changing: proof, statements: proof.statements + [proof.statements[1]]), [.row])
        expect(ProofFile(changing: proof, statements: [proof.statements[0]]), [.row])
        let moved = ProofStatement(entry: ProofEntry(index: 9, bytes: proof.statements[1].entry.bytes))
        expect(ProofFile(changing: proof, statements: [proof.statements[0], moved]), [.row])
    }

    @Test("Rosters: missing, another, not the newest, not signed, of another member")
    mutating func rosters() throws {
        try log.publish([try log.nextRoster { $0.officers.removeAll { $0.name == "bilal" } }])
        try log.publish([try log.licence("PK-1", "suspended", from: Self.start + 5)])
        let proof = try log.proof("PK-1")
        #expect(proof.rosters.map(\.ordinal) == [1, 0])
        let (new, old) = (proof.rosters[0], proof.rosters[1])
        expect(ProofFile(changing: proof, rosters: []), [.rosters, .statements])
        expect(ProofFile(changing: proof, rosters: [old]), [.rosters, .statements])
        expect(ProofFile(changing: proof, rosters: [new]), [.rosters, .statements])
        // The old roster with a next one that is far away, or hidden.
        let away = try #require(old.next)
        for next in [nil, Row.Item(index: 1_000, leaf: away.leaf)] as [Row.Item?] {
            let lying = ProofRoster(
                entry: old.entry, ordinal: 0, proof: old.proof, next: next, nextProof: old.nextProof)
            expect(ProofFile(changing: proof, rosters: [new, lying]), [.rosters, .statements])
        }
        let absent = ProofRoster(entry: old.entry, ordinal: 0, proof: old.proof, next: nil, nextProof: new.nextProof)
        expect(ProofFile(changing: proof, rosters: [new, absent]), [.rosters, .statements])
        let renamed = ProofRoster(entry: new.entry, ordinal: 0, proof: new.proof, next: nil, nextProof: new.nextProof)
        expect(ProofFile(changing: proof, rosters: [renamed, old]), [.rosters, .statements])
        let strict = try charter { $0.members[0].rootThreshold = 2 }
        expect(proof, [.rosters, .statements], charter: strict)
        let otherRoots = try charter { charter in
            charter.members[0].rootKeys[0] = RootKey(name: "root-1", key: try TestKey.signingKey("stranger"))
        }
        expect(proof, [.rosters, .statements], charter: otherRoots)
    }

    /// A log that does not check what it publishes: its rows name statements that could not count.
    private func forged(_ statement: [UInt8], key: String, map: String = "vasp-licences") throws -> ProofFile {
        let index = UInt64(log.entries.count)
        let item = Row.Item(index: index, leaf: MerkleTree.leafHash(statement))
        var maps: [String: InMemoryRegisterMap] = [:]
        for (key, row) in log.rows { try maps[key.map, default: InMemoryRegisterMap()].set([(key.key, row.bytes)]) }
        try maps[map, default: InMemoryRegisterMap()].set([(Array(key.utf8), Row(inForce: [item]).bytes)])
        let leaf = StateLeaf(
            entryCount: index + 1, charterVersion: 1, charterDigest: log.charter.digest,
            lines: maps.map { .init(name: $0.key, count: $0.value.count, root: $0.value.root) })
        var frontier = TreeFrontier()
        for entry in log.entries + [statement, leaf.bytes] { frontier.append(MerkleTree.leafHash(entry)) }
        let checkpoint = try Checkpoint(origin: log.member.log.name, size: frontier.size, root: frontier.root)
        let hashes = (log.entries + [statement, leaf.bytes]).map { MerkleTree.leafHash($0) }
        var lines = [try TestAlliance.noteSigner("pk").sign(checkpoint.text)]
        for name in ["sv", "us"] {
            lines.append(try TestAlliance.cosigner(name).sign(checkpoint.text, at: UInt64(Self.now)))
        }
        let tlog = try TLogProof(
            index: index + 1,
            hashes: MerkleTree.inclusionProof(index: index + 1, size: index + 2, reader: Leaves(hashes: hashes)),
            note: SignedNote(text: checkpoint.text, signatures: lines))
        let honest = try log.proof("PK-1")
        return ProofFile(
            changing: honest, question: try log.question(map, key),
            rosters: try honest.rosters.map { roster in
                ProofRoster(
                    entry: roster.entry, ordinal: roster.ordinal,
                    proof: try #require(try maps[ReservedMap.rosters]?.prove(key: Array("0".utf8))), next: nil,
                    nextProof: try #require(try maps[ReservedMap.rosters]?.prove(key: Array("1".utf8))))
            }, statements: [ProofStatement(entry: ProofEntry(index: index, bytes: statement))],
            row: try maps[map]?.prove(key: Array(key.utf8)), state: leaf, log: tlog)
    }

    @Test("Even a log and a quorum that collude cannot make an officer's word")
    mutating func colludingQuorum() throws {
        expect(try forged(try log.licence("PK-9"), key: "PK-9"), [], .good)
        expect(try forged(try log.licence("PK-9", by: "nobody"), key: "PK-9"), [.statements])
        expect(try forged(try log.licence("PK-9", by: "carla"), key: "PK-9"), [.statements])
        expect(try forged(try log.licence("PK-8"), key: "PK-9"), [.statements])
        expect(try forged(try log.licence("PK 9"), key: "PK 9"), [.key])
        expect(try forged(Array("nonsense".utf8), key: "PK-9"), [.statements])
        var forgedSignature = try log.licence("PK-9")
        let other = try log.licence("PK-9")
        forgedSignature = Array(forgedSignature.prefix(upTo: try #require(forgedSignature.lastIndex(of: 0x2E))))
        forgedSignature += other.suffix(from: try #require(other.lastIndex(of: 0x2E)))
        expect(try forged(forgedSignature, key: "PK-9"), [.statements])
        // Another member's officer, another alliance, a retraction of something else, a kind that no row names.
        var sv = try alliance.log(of: "sv")
        expect(try forged(try sv.licence("PK-9"), key: "PK-9"), [.statements])
        let foreign = DraftContext(member: log.member.id, alliance: HashValue.sha256("x"), issuedAt: 1)
        let elsewhere = try foreign.attestation(
            register: "vasp-licences", key: "PK-9", status: "authorised", validFrom: Timestamp(seconds: 0), fields: [:]
        ).signed(by: TestAlliance.officer("ayesha"))
        expect(try forged(elsewhere, key: "PK-9"), [.statements])
        expect(try forged(try log.retraction(of: [(licence, "PK-1")]), key: "PK-9"), [.statements])
        expect(try forged(try log.retraction(of: [(licence, "PK-9")]), key: "PK-9"), [], .good)
        expect(try forged(try log.approval(of: [licence]), key: "PK-9"), [.statements])
        expect(try forged(log.entries[0], key: "PK-9"), [.statements])
    }

    @Test("Definitions: missing, not the charter's, not built in")
    func definitions() throws {
        let proof = try log.proof("PK-1")
        let listed = try #require(BuiltInRegisters.definition(named: "vasp-licences"))
        expect(ProofFile(changing: proof, definition: .some(nil)), [.definition, .key])
        expect(ProofFile(changing: proof, definition: .descriptor(listed.descriptor)), [], .good)
        expect(ProofFile(changing: proof, definition: .descriptor(listed.descriptor + [0x20])), [.definition, .key])
        expect(ProofFile(changing: proof, definition: .descriptor([])), [.definition, .key])
        expect(ProofFile(changing: proof, definition: .builtIn(.zero)), [.definition, .key])
        let other = try #require(BuiltInRegisters.definition(named: "warnings"))
        expect(ProofFile(changing: proof, definition: ProofDefinition(shared: other.descriptor)), [.definition, .key])
        let newer = try charter { charter in
            let position = try #require(charter.registers.firstIndex { $0.name == "vasp-licences" })
            charter.registers[position] = SharedRegister(name: "vasp-licences", definition: .zero, merge: .each)
        }
        // A definition that a newer version has built in: the answer cannot be read, but nothing is wrong.
        expect(
            ProofFile(changing: proof, definition: .builtIn(.zero)), [.definition, .key], .cannotTell, charter: newer)
    }

    @Test("The first quorum's checkpoint: of another log, without a quorum, contradicting, newer")
    mutating func first() throws {
        let cosigned: [(member: String, time: Int64)] = [("sv", Self.start), ("us", Self.start)]
        let good = try log.note(cosigned: cosigned)
        let proof = try log.proof("PK-1", first: good)
        expect(proof, [], .good)
        var sv = try alliance.log(of: "sv")
        try sv.begin()
        expect(ProofFile(changing: proof, first: try sv.note(cosigned: [("pk", 1), ("us", 1)])), [.first])
        expect(ProofFile(changing: proof, first: try log.note(cosigned: [("sv", 1)])), [.first])
        var twin = try alliance.log()
        try twin.begin()
        try twin.publish([try twin.licence("PK-3"), try twin.licence("PK-4")])
        #expect(twin.entries.count == log.entries.count)
        expect(ProofFile(changing: proof, first: try twin.note(cosigned: cosigned)), [.first])
        try log.publish([])
        expect(ProofFile(changing: proof, first: try log.note(cosigned: cosigned)), [.first])
    }
}

/// A tree of leaf hashes.
struct Leaves: TreeHashReader {
    let hashes: [HashValue]

    func hashes(at nodes: [TreeNode]) -> [HashValue] {
        nodes.map { node in
            var level = Array(hashes[(Int(node.index) << node.level)..<(Int(node.index + 1) << node.level)])
            while level.count > 1 {
                level = stride(from: 0, to: level.count, by: 2).map { MerkleTree.nodeHash(level[$0], level[$0 + 1]) }
            }
            return level[0]
        }
    }
}

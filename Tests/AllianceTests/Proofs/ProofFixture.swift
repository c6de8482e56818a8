import TestSupport
import TransparencyLog

@testable import Alliance

extension MemoryLog {
    /// The cosignatures of a usual proof: two other members, some minutes before the end of the first day.
    static let usual: [(member: String, time: Int64)] = [
        ("sv", TestAlliance.start + 80_000), ("us", TestAlliance.start + 80_060),
    ]

    func question(_ map: String = "vasp-licences", _ key: String, on: Int64? = nil) throws -> ProofQuestion {
        try ProofQuestion(
            alliance: charter.alliance, member: member.id, map: map, key: key,
            on: on.map { Timestamp(seconds: $0, offsetMinutes: 300) })
    }

    /// Gathers what a proof of the whole log needs, as a node does.
    func material(
        _ question: ProofQuestion, cosigned: [(member: String, time: Int64)] = usual, first: SignedNote? = nil
    ) throws -> ProofMaterial {
        let size = UInt64(entries.count)
        let row = rows[question.row]
        let statements = (row?.items ?? []).map {
            ProofStatement(entry: proofEntry($0.index), approvals: approvals($0.index))
        }
        var governed = statements.map(\.entry.index)
        var definition: ProofDefinition?
        if let shared = BuiltInRegisters.definition(named: question.register) {
            definition = ProofDefinition(shared: shared.descriptor)
        } else if let own = rows[RowKey(map: ReservedMap.registers, key: question.register)] {
            let index = own.items[0].index
            governed.append(index)
            definition = .published(
                ProofStatement(entry: proofEntry(index), approvals: approvals(index)),
                try due(prove(ReservedMap.registers, question.register)))
        }
        return ProofMaterial(
            charter: charter, question: question, note: try note(cosigned: cosigned).bytes, firstNote: first?.bytes,
            stateLeaf: entries[entries.count - 1], stateIndex: size - 1,
            inclusion: try MerkleTree.inclusionProof(index: size - 1, size: size, reader: self),
            rowProof: try prove(question.map, question.key), row: row, statements: statements,
            rosters: try rosters(governed), definition: definition)
    }

    func proof(
        _ key: String, in map: String = "vasp-licences", on: Int64? = nil,
        cosigned: [(member: String, time: Int64)] = usual, first: SignedNote? = nil
    ) throws -> ProofFile {
        try ProofFile.make(from: material(question(map, key, on: on), cosigned: cosigned, first: first))
    }

    func proofEntry(_ index: UInt64) -> ProofEntry { ProofEntry(index: index, bytes: entries[Int(index)]) }

    private func approvals(_ index: UInt64) -> [ProofEntry] {
        guard state.roster?.roster.twoOfficers.isEmpty == false else { return [] }
        let identity = HashValue.sha256(entries[Int(index)])
        return entries.indices.filter { position in
            guard case .statement(let statement) = LogEntry(entries[position]),
                case .approval(let identities) = statement.body
            else { return false }
            return identities.contains(identity)
        }.map { proofEntry(UInt64($0)) }
    }

    private func rosters(_ indices: [UInt64]) throws -> [ProofRoster] {
        var found: [ProofRoster] = []
        var ordinal: UInt64 = 0
        while let item = rows[RowKey(map: ReservedMap.rosters, key: String(ordinal))]?.items.first {
            let next = rows[RowKey(map: ReservedMap.rosters, key: String(ordinal + 1))]?.items.first
            let roster = ProofRoster(
                entry: proofEntry(item.index), ordinal: ordinal,
                proof: try due(prove(ReservedMap.rosters, String(ordinal))), next: next,
                nextProof: try due(prove(ReservedMap.rosters, String(ordinal + 1))))
            if indices.contains(where: roster.governs) { found.append(roster) }
            ordinal += 1
        }
        return found
    }

    private func due<Value>(_ value: Value?) throws -> Value {
        guard let value else { throw AllianceError(.unknown, "the log has no such map") }
        return value
    }
}

extension ProofFile {
    /// The report of a usual partner: the same charter, a few hours after the newest quorum.
    func report(
        _ charter: VerifiedCharter, now: Int64 = TestAlliance.start + 80_400,
        _ options: VerificationOptions = VerificationOptions()
    ) -> VerificationReport {
        Verifier().verify(self, charter: charter, at: Timestamp(seconds: now), options: options)
    }
}

extension VerificationReport {
    /// The names of the checks that did not pass.
    var troubles: [CheckName] { checks.filter { $0.result != .passed }.map(\.name) }
}

import Alliance
import HTTPTypes
import Store
import TransparencyLog

/// What all logs say of one key of a register, joined.
struct JoinedRow {
    let key: String
    let entry: JoinedEntry
    let endorsements: [PlacedEndorsement]
    /// When the officers say that they signed the statements, by identity, in seconds since 1970.
    let issuedAt: [HashValue: Int64]
}

/// A register, as the charter joins it.
struct JoinedRegister {
    let name: String
    let rule: MergeRule
    /// Whose logs are asked: all members', or for `each` one's.
    let members: [CharterMember]
    let definition: RegisterDefinition
}

extension LocalRoutes {
    /// A shared register by its rule; where each authority's word stands, and for a member's own register, one for each
    /// member that publishes it.
    func joinedRegisters(_ name: String, _ known: Knowledge?) async throws -> [JoinedRegister] {
        guard RegisterName.isValid(name) else {
            throw LocalError(.badRequest, "invalid", "\(name) cannot name a register")
        }
        let rule = charter.register(name)?.merge ?? .each
        var published: [(CharterMember, RegisterDefinition)] = []
        for member in charter.members {
            if let definition = try await definition(of: name, member, known) { published.append((member, definition)) }
        }
        guard case .each = rule else {
            let definition = charter.register(name).flatMap { shared($0, published.map(\.1)) }
            return definition.map {
                [JoinedRegister(name: name, rule: rule, members: charter.members, definition: $0)]
            } ?? []
        }
        if published.isEmpty { try requireRegister(name) }
        return published.map { JoinedRegister(name: name, rule: rule, members: [$0.0], definition: $0.1) }
    }

    /// What is in force of a key in all logs, joined; nil where nobody ever stated it.
    func joined(
        _ key: String, in register: JoinedRegister, at time: Int64, _ known: Knowledge?
    ) async throws -> JoinedRow? {
        let row = RowKey(map: register.name, key: key)
        var voices: [MemberVoice] = []
        var issuedAt: [HashValue: Int64] = [:]
        for member in register.members {
            for one in try await inForce(row, member, known) {
                guard let placed = PlacedAttestation(index: one.index, statement: one.statement) else { continue }
                voices.append(MemberVoice(member: member.id, placed: placed))
                issuedAt[placed.identity] = one.statement.issuedAt
            }
        }
        if voices.isEmpty, try await !isStated(row, by: register.members, known) { return nil }
        var endorsements: [PlacedEndorsement] = []
        if Self.needsEndorsements(register.rule, voices) {
            for voice in voices {
                endorsements += try await self.endorsements(of: voice.identity, known).map {
                    PlacedEndorsement(member: $0.member.id, index: $0.placed.index, endorsement: $0.endorsement)
                }
            }
        }
        let entry = JoinedEntry(
            voices, rule: register.rule, endorsements: endorsements, definition: register.definition, at: time)
        return JoinedRow(key: key, entry: entry, endorsements: endorsements, issuedAt: issuedAt)
    }

    /// A single statement of a joint register supersedes nothing, whoever endorses it.
    private static func needsEndorsements(_ rule: MergeRule, _ voices: [MemberVoice]) -> Bool {
        switch rule {
        case .each: false
        case .joint: voices.count > 1
        case .by: true
        }
    }

    private func isStated(
        _ row: RowKey, by members: [CharterMember], _ known: Knowledge?
    ) async throws -> Bool {
        for member in members where try await self.row(row, member, known) != nil { return true }
        return false
    }

    /// Keys of a register that any of these members has, in the order of their bytes, with how many statements are in force
    /// (as far as is known now).
    ///
    /// - Returns: at least one key where there are more; and where to go on, nil where there are none.
    func keys(
        of register: JoinedRegister, after: String?, limit: Int
    ) async throws -> (keys: [(key: String, statements: Int)], next: String?) {
        var counts: [[UInt8]: Int] = [:]
        var end: [UInt8]?
        for member in register.members {
            let rows = try await store.rows(of: log(of: member), map: register.name, after: after, limit: limit)
            for row in rows { counts[Array(row.key.utf8), default: 0] += row.row.inForce.count }
            // Behind the last key of a full page this member may have more: they are for the next page.
            guard rows.count == limit, let last = rows.last.map({ Array($0.key.utf8) }) else { continue }
            end = end.map { $0.lexicographicallyPrecedes(last) ? $0 : last } ?? last
        }
        let sorted = counts.keys.sorted { $0.lexicographicallyPrecedes($1) }
            .filter { key in end.map { !$0.lexicographicallyPrecedes(key) } ?? true }
        return (
            sorted.map { (String(decoding: $0, as: UTF8.self), counts[$0] ?? 0) },
            end.map { String(decoding: $0, as: UTF8.self) }
        )
    }
}

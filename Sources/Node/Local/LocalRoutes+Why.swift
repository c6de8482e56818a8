import Alliance
import HTTPTypes
import Store
import TransparencyLog

extension LocalRoutes {
    /// Why a key's status is what it is: one explanation for each member that said something of it where each authority's
    /// word stands, else one for the register.
    func why(_ query: LocalQuery) async throws -> JSONValue {
        let register = try query.required("register")
        let asked = try query.required("key")
        guard RegisterName.isValid(register) else {
            throw LocalError(.badRequest, "invalid", "\(register) cannot name a register")
        }
        let rule = charter.register(register)?.merge ?? .each
        let members = try query.members(allByDefault: true)
        if case .each = rule {
        } else if members.count != charter.members.count {
            throw LocalError(
                .badRequest, "invalid",
                "\(register) is joined across members (\(Self.text(of: rule))): leave member out")
        }
        let known = try await knowledge(query, of: members)
        let time = try query.time("on") ?? Timestamp(seconds: known?.at ?? Clock.seconds)
        guard let definition = try await sharedDefinition(register, members, known) else {
            try requireRegister(register)
            throw LocalError(.notFound, "unknown", "nobody has published the definition of \(register) yet")
        }
        let key = try canonicalise(asked, register, definition)
        let row = RowKey(map: register, key: key)
        var testimonies: [Explanation.Testimony] = []
        for member in members {
            testimonies.append(Explanation.Testimony(member: member, steps: try await steps(row, member, known)))
        }
        func explain(_ testimonies: [Explanation.Testimony], _ endorsements: [PlacedEndorsement]) -> Explanation {
            Explanation(
                register: register, key: key, rule: rule, testimonies: testimonies, endorsements: endorsements,
                definition: definition, at: time, members: charter.members)
        }
        var explanations: [JSONValue] = []
        if case .each = rule {
            let said = testimonies.filter { !$0.steps.isEmpty }
            explanations = said.map { view(explain([$0], []), $0.member, definition) }
        } else {
            let spoken = testimonies.filter { testimony in
                if case .joint(let writers) = rule, writers.contains(testimony.member.id) { return true }
                return !testimony.steps.isEmpty
            }
            let endorsements = try await endorsements(of: spoken, row, known)
            explanations = [view(explain(spoken, endorsements), nil, definition)]
        }
        var answer: JSONObject = [
            "register": .string(register), "key": .string(key), "on": .string(time.text),
            "merge": .string(Self.text(of: rule)), "explanations": .array(explanations),
        ]
        answer["known"] = known?.json
        return .object(answer)
    }

    private func view(
        _ explanation: Explanation, _ member: CharterMember?, _ definition: RegisterDefinition
    ) -> JSONValue {
        let voice = explanation.effective
        let author = voice.flatMap { charter.member(id: $0.member)?.name }
        return [
            "member": member.map { .string($0.name) } ?? .null,
            "status": voice.map { .string($0.attestation.status) } ?? .null,
            "permitsBusiness": voice.flatMap { definition.permitsBusiness($0.attestation.status) }.map { .bool($0) }
                ?? .null,
            "conflict": .bool(explanation.isConflict), "author": author.map { .string($0) } ?? .null,
            "index": voice.map { .integer(Int64($0.placed.index)) } ?? .null,
            "steps": .array(
                explanation.steps.map {
                    ["rule": .string($0.rule), "findings": .array($0.findings.map { .string($0) })]
                }),
            "changes": .array(explanation.changes.map { .string($0) }),
        ]
    }

    /// The counted statements that touched a row, ascending.
    private func steps(
        _ row: RowKey, _ member: CharterMember, _ known: Knowledge?
    ) async throws -> [PlacedStatement] {
        let below = known?.size(of: member) ?? .max
        var steps: [PlacedStatement] = []
        for index in try await store.history(of: row, in: log(of: member), below: below) {
            steps.append(try await statement(at: index, member))
        }
        return steps
    }

    /// The endorsements in force, in any member's log, of what these testimonies have in force.
    private func endorsements(
        of testimonies: [Explanation.Testimony], _ row: RowKey, _ known: Knowledge?
    ) async throws -> [PlacedEndorsement] {
        var found: [PlacedEndorsement] = []
        for placed in testimonies.flatMap({ RowReplay(of: row, after: $0.steps).inForce }) {
            found += try await endorsements(of: placed.identity, known).map {
                PlacedEndorsement(member: $0.member.id, index: $0.placed.index, endorsement: $0.endorsement)
            }
        }
        return found
    }

    /// The definition that the charter lists, or for a member's own register the one in force in its log.
    private func sharedDefinition(
        _ register: String, _ members: [CharterMember], _ known: Knowledge?
    ) async throws -> RegisterDefinition? {
        var published: [RegisterDefinition] = []
        for member in members {
            if let definition = try await definition(of: register, member, known) { published.append(definition) }
        }
        return charter.register(register).map { shared($0, published) } ?? published.first
    }
}

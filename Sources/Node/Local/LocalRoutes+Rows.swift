import Alliance
import HTTPTypes
import Store
import TransparencyLog

/// What a log says of one key: now, or as of an earlier size of the log.
struct RowThen {
    /// Whether something was said once and nothing is in force.
    let isEmptied: Bool
    /// The index of the last statement of the row.
    let last: UInt64
    /// The attestations in force.
    var statements: [PlacedAttestation]
}

extension LocalRoutes {
    /// Rows of one page.
    static let rowLimit: UInt64 = 1_000

    func rows(_ query: LocalQuery) async throws -> JSONValue {
        let map = try query.required("register")
        guard MapName.isValid(map), !map.utf8.starts(with: "@".utf8) else {
            throw LocalError(.badRequest, "invalid", "\(map) cannot name a register")
        }
        let members = try query.members(allByDefault: query.text("key") != nil)
        let known = try await knowledge(query, of: members)
        let time = try query.time("on")?.seconds ?? known?.at ?? Clock.seconds
        var answer: JSONObject
        if let key = query.text("key") {
            answer = ["rows": .array(try await rows(of: key, map, members, time, known)), "next": .null]
        } else {
            answer = try await page(of: map, members, query, time, known)
        }
        answer["known"] = known?.json
        return .object(answer)
    }

    private func rows(
        of key: String, _ map: String, _ members: [CharterMember], _ time: Int64, _ known: Knowledge?
    ) async throws -> [JSONValue] {
        var rows: [JSONValue] = []
        var isKnown = false
        for member in members {
            guard let definition = try await definition(of: map, member, known) else { continue }
            isKnown = true
            let canonical = try canonicalise(key, map, definition)
            guard let row = try await row(RowKey(map: map, key: canonical), member, known) else { continue }
            rows += views(canonical, map, member, row, definition, time)
        }
        if !isKnown { try requireRegister(map) }
        return rows
    }

    private func page(
        of map: String, _ members: [CharterMember], _ query: LocalQuery, _ time: Int64, _ known: Knowledge?
    ) async throws -> JSONObject {
        let limit = Int(try query.number("limit", default: 100, most: Self.rowLimit))
        // A cursor is the member's short name and the last key shown.
        let cursor = query.text("after").map {
            $0.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        }
        var rows: [JSONValue] = []
        var isKnown = false
        var isReached = cursor == nil
        for member in members {
            let isHere = cursor?.first.map(String.init) == member.name
            if isHere { isReached = true }
            guard isReached, let definition = try await definition(of: map, member, known) else { continue }
            isKnown = true
            let after = isHere ? cursor?.last.map(String.init) : nil
            let wanted = limit - rows.count
            let found = try await stored(map, member, known, after: after, limit: wanted + 1)
            for (key, row) in found.prefix(wanted) {
                rows.append(
                    EntryViews.row(key, register: map, member: member, row: row, definition: definition, at: time))
            }
            if found.count > wanted, let last = found.prefix(wanted).last?.key ?? after {
                return ["rows": .array(rows), "next": .string("\(member.name):\(last)")]
            }
        }
        if !isKnown { try requireRegister(map) }
        return ["rows": .array(rows), "next": .null]
    }

    /// So many rows of a member's map behind a key, or all that are left.
    private func stored(
        _ map: String, _ member: CharterMember, _ known: Knowledge?, after: String?, limit: Int
    ) async throws -> [(key: String, row: RowThen)] {
        var result: [(key: String, row: RowThen)] = []
        guard let known else {
            for stored in try await store.rows(of: log(of: member), map: map, after: after, limit: limit) {
                result.append((stored.key, try await then(stored.row, member)))
            }
            return result
        }
        var after = after
        repeat {
            // Keys that are newer than what was known then are passed over, so that one look may not be enough.
            let found = try await store.pastRows(
                of: log(of: member), map: map, below: known.size(of: member), after: after, limit: limit)
            for past in found.rows where result.count < limit {
                let row: RowThen
                if let present = past.present {
                    row = try await then(present, member)
                } else {
                    row = try await replay(RowKey(map: map, key: past.key), past.history, member)
                }
                result.append((past.key, row))
            }
            after = found.last
        } while result.count < limit && after != nil
        return result
    }

    /// What a member said of a key, as far as it is known; nil if nothing.
    func row(_ key: RowKey, _ member: CharterMember, _ known: Knowledge?) async throws -> RowThen? {
        guard let known else {
            guard let row = try await store.row(key, of: log(of: member)) else { return nil }
            return try await then(row, member)
        }
        let history = try await store.history(of: key, in: log(of: member), below: known.size(of: member))
        return history.isEmpty ? nil : try await replay(key, history, member)
    }

    private func replay(_ key: RowKey, _ history: [UInt64], _ member: CharterMember) async throws -> RowThen {
        var replay = RowReplay(of: key)
        for index in history { replay.apply(try await statement(at: index, member)) }
        return RowThen(
            isEmptied: replay.isEmptied, last: replay.row?.items.last?.index ?? 0,
            statements: replay.inForce.compactMap { PlacedAttestation(index: $0.index, statement: $0.statement) })
    }

    private func then(_ row: Alliance.Row, _ member: CharterMember) async throws -> RowThen {
        RowThen(
            isEmptied: row.isEmptied, last: row.items.last?.index ?? 0, statements: try await placed(row, member))
    }

    /// A counted statement of a member's log.
    func statement(at index: UInt64, _ member: CharterMember) async throws -> PlacedStatement {
        let bytes = try await store.entries(of: log(of: member), in: index..<index + 1)[0]
        return PlacedStatement(index: index, statement: try Statement(parsing: bytes))
    }

    func placed(_ row: Alliance.Row, _ member: CharterMember) async throws -> [PlacedAttestation] {
        var result: [PlacedAttestation] = []
        for item in row.inForce {
            let found = try await statement(at: item.index, member)
            if let placed = PlacedAttestation(index: item.index, statement: found.statement) { result.append(placed) }
        }
        return result
    }

    /// What a member says of a key; of a looked-up value, what it says of each key that has it.
    private func views(
        _ key: String, _ map: String, _ member: CharterMember, _ row: RowThen, _ definition: RegisterDefinition,
        _ time: Int64
    ) -> [JSONValue] {
        func view(_ key: String, _ row: RowThen) -> JSONValue {
            EntryViews.row(key, register: map, member: member, row: row, definition: definition, at: time)
        }
        guard map.utf8.contains(0x2F), !row.isEmptied else { return [view(key, row)] }
        var groups: [(key: String, row: RowThen)] = []
        for statement in row.statements {
            let own = statement.attestation.key
            if let index = groups.firstIndex(where: { $0.key.utf8.elementsEqual(own.utf8) }) {
                groups[index].row.statements.append(statement)
            } else {
                groups.append((own, RowThen(isEmptied: false, last: row.last, statements: [statement])))
            }
        }
        return groups.map { group in
            var view = view(group.key, group.row).object ?? [:]
            view["value"] = .string(key)
            return .object(view)
        }
    }

    /// The definition that was in force in a member's log of a register, or of the register of a lookup map.
    func definition(
        of map: String, _ member: CharterMember, _ known: Knowledge? = nil
    ) async throws -> RegisterDefinition? {
        let register = map.split(separator: "/").first.map(String.init) ?? map
        guard let known else { return try await store.state(of: log(of: member)).definitions[register] }
        let key = RowKey(map: ReservedMap.registers, key: register)
        let history = try await store.history(of: key, in: log(of: member), below: known.size(of: member))
        guard let index = history.last,
            case .register(let found) = try await statement(at: index, member).statement.body
        else { return nil }
        return try RegisterDefinition(descriptor: found.descriptor)
    }

    /// A key of a register, or a value of one of its lookups, in its canonical form.
    func canonicalise(_ key: String, _ map: String, _ definition: RegisterDefinition) throws -> String {
        let parts = map.split(separator: "/", maxSplits: 1).map(String.init)
        let result: Result<String, FormProblem>
        if parts.count == 2 {
            guard let lookup = definition.lookups.first(where: { $0.field == parts[1] }) else {
                throw LocalError(.notFound, "unknown", "\(parts[0]) has no lookup by \(parts[1])")
            }
            result = lookup.form.canonicalise(key)
        } else {
            result = definition.keyForm.canonicalise(key)
        }
        switch result {
        case .success(let canonical): return canonical
        case .failure(let problem): throw LocalError(.badRequest, "key-form", "the key \(key) \(problem.reason)")
        }
    }

    /// A register that nobody has used yet is empty, one that is not known at all is an error.
    func requireRegister(_ map: String) throws {
        let register = map.split(separator: "/").first.map(String.init) ?? map
        guard charter.register(register) == nil else { return }
        let names = charter.registers.map(\.name).joined(separator: ", ")
        throw LocalError(.notFound, "unknown", "there is no register \(register); the shared ones are \(names)")
    }
}

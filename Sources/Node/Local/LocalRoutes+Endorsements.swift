import Alliance
import HTTPTypes
import Store
import TransparencyLog

/// A statement that can be endorsed, and whether its own log has it in force.
private struct Endorsable {
    let member: CharterMember
    let placed: PlacedStatement
    let isInForce: Bool
}

extension LocalRoutes {
    /// Statements and the endorsements of them that are in force in any member's log: all that was ever stated of a key
    /// (`register` and `key`), or one statement (by `identity`, or by `member` and `index`).
    func endorsements(_ query: LocalQuery) async throws -> JSONValue {
        var views: [JSONValue] = []
        for one in try await endorsables(query) {
            var object = EntryViews.entry(one.placed.statement.bytes, at: one.placed.index, ignored: nil).object ?? [:]
            object["member"] = .string(one.member.name)
            object["inForce"] = .bool(one.isInForce)
            let found = try await endorsements(of: one.placed.identity, nil)
            object["endorsements"] = .array(found.map { view($0.placed, of: $0.endorsement, by: $0.member) })
            object["lastEndorsed"] = try await lastEndorsed(one.placed.identity).map { Self.time($0) } ?? .null
            views.append(.object(object))
        }
        return ["statements": .array(views)]
    }

    /// When this member last endorsed a statement, by its officer's clock, taken back or not: said again in the same second it
    /// would be the very same bytes, which count once only.
    private func lastEndorsed(_ identity: HashValue) async throws -> Int64? {
        let row = RowKey(map: ReservedMap.endorsements, key: identity.hex)
        for index in try await store.history(of: row, in: log(of: self.identity.member)).prefix(16) {
            let statement = try await statement(at: index, self.identity.member).statement
            if case .endorsement = statement.body { return statement.issuedAt }
        }
        return nil
    }

    private func view(_ placed: PlacedStatement, of endorsement: Endorsement, by member: CharterMember) -> JSONValue {
        [
            "member": .string(member.name), "index": .integer(Int64(placed.index)),
            "identity": .string(placed.identity.hex), "type": .string(endorsement.type.rawValue),
            "signedBy": .string(placed.statement.signer.keyName),
            "issuedAt": Self.time(placed.statement.issuedAt),
        ]
    }

    private func endorsables(_ query: LocalQuery) async throws -> [Endorsable] {
        if let text = query.text("identity") {
            guard let identity = HashValue(hex: text) else {
                throw LocalError(.badRequest, "invalid", "identity must be a SHA-256 in hexadecimal (64 characters)")
            }
            var refusal: LocalError?
            for member in charter.members {
                guard let index = try await store.index(of: identity, in: log(of: member)) else { continue }
                // Another member may have put the same bytes into its own log, where they do not count.
                do { return [try await endorsable(at: index, member)] } catch let error as LocalError {
                    refusal = refusal ?? error
                }
            }
            throw refusal
                ?? LocalError(
                    .notFound, "unknown", "no log that this node holds has a statement of identity \(identity.hex)")
        }
        if query.text("index") != nil {
            let member = try query.member()
            let index = try query.number("index", default: 0, most: UInt64(Int64.max) - 1)
            let size = try store.size(of: log(of: member))
            guard index < size else {
                throw LocalError(
                    .notFound, "unknown", "\(member.name)'s log has \(size) entries; there is no entry \(index)")
            }
            return [try await endorsable(at: index, member)]
        }
        return try await endorsables(of: try query.required("key"), in: try query.required("register"))
    }

    /// An entry, if it is a counted statement of a key.
    private func endorsable(at index: UInt64, _ member: CharterMember) async throws -> Endorsable {
        let stored = try await store.entry(at: index, of: log(of: member))
        guard case .statement(let statement) = LogEntry(stored.bytes), let row = Self.row(of: statement) else {
            throw LocalError(
                .conflict, "not-endorsable",
                "entry \(index) of \(member.title) is no entry of a register and no document; only these are endorsed")
        }
        guard try await store.history(of: row, in: log(of: member)).contains(index) else {
            throw LocalError(.conflict, "not-counted", "entry \(index) of \(member.title) has no effect")
        }
        return Endorsable(
            member: member, placed: PlacedStatement(index: index, statement: statement),
            isInForce: try await isInForce(index, row, member))
    }

    private func isInForce(_ index: UInt64, _ row: RowKey, _ member: CharterMember) async throws -> Bool {
        try await store.row(row, of: log(of: member))?.inForce.contains { $0.index == index } ?? false
    }

    private static func row(of statement: Statement) -> RowKey? {
        switch statement.body {
        case .attestation(let attestation): RowKey(map: attestation.register, key: attestation.key)
        case .document(let document): RowKey(map: ReservedMap.documents, key: document.work)
        default: nil
        }
    }

    /// What every member ever stated of a key, the newest first, ``rowLimit`` of each.
    private func endorsables(of key: String, in map: String) async throws -> [Endorsable] {
        guard RegisterName.isValid(map) || map == ReservedMap.documents else {
            throw LocalError(.badRequest, "invalid", "\(map) cannot name a register")
        }
        var found: [Endorsable] = []
        var isKnown = map == ReservedMap.documents
        for member in charter.members {
            var row = RowKey(map: map, key: key)
            if map != ReservedMap.documents {
                guard let definition = try await definition(of: map, member) else { continue }
                isKnown = true
                row = RowKey(map: map, key: try canonicalise(key, map, definition))
            }
            for index in try await store.history(of: row, in: log(of: member)).prefix(Int(Self.rowLimit)) {
                let placed = try await statement(at: index, member)
                guard Self.row(of: placed.statement) != nil else { continue }
                found.append(
                    Endorsable(
                        member: member, placed: placed, isInForce: try await isInForce(index, row, member)))
            }
        }
        if !isKnown { try requireRegister(map) }
        return found
    }

    /// The endorsements of a statement that are in force in any member's log, as far as it is known: by the charter's order
    /// of members, then by index.
    func endorsements(
        of identity: HashValue, _ known: Knowledge?
    ) async throws -> [(member: CharterMember, placed: PlacedStatement, endorsement: Endorsement)] {
        let row = RowKey(map: ReservedMap.endorsements, key: identity.hex)
        var found: [(member: CharterMember, placed: PlacedStatement, endorsement: Endorsement)] = []
        for member in charter.members {
            for placed in try await inForce(row, member, known) {
                if case .endorsement(let endorsement) = placed.statement.body {
                    found.append((member, placed, endorsement))
                }
            }
        }
        return found
    }

    /// The statements that a log has in force in a row, as far as it is known.
    func inForce(_ row: RowKey, _ member: CharterMember, _ known: Knowledge?) async throws -> [PlacedStatement] {
        guard let known else {
            var found: [PlacedStatement] = []
            for item in try await store.row(row, of: log(of: member))?.inForce ?? [] {
                found.append(try await statement(at: item.index, member))
            }
            return found
        }
        var replay = RowReplay(of: row)
        for index in try await store.history(of: row, in: log(of: member), below: known.size(of: member)) {
            replay.apply(try await statement(at: index, member))
        }
        return replay.inForce
    }
}

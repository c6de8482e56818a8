import Alliance
import Foundation
import HTTPTypes
import Store
import TransparencyLog

extension LocalRoutes {
    /// The log that says what a member states.
    private func log(of member: CharterMember) -> String { store.speaking(for: member.log.name) }

    func registers(_ query: LocalQuery) async throws -> JSONValue {
        var result: [JSONValue] = []
        for member in try query.members(allByDefault: true) {
            let state = try await store.state(of: log(of: member))
            for line in try await store.maps(of: log(of: member)) {
                guard let definition = state.definitions[line.name] else { continue }
                let merge = charter.register(line.name).map { Self.text(of: $0.merge) }
                result.append([
                    "member": .string(member.name), "register": .string(line.name),
                    "title": .string(definition.title), "rows": .integer(Int64(line.count)),
                    "shared": .bool(merge != nil), "merge": .string(merge ?? "each"),
                ])
            }
        }
        return ["registers": .array(result)]
    }

    /// Rows of one page.
    static let rowLimit: UInt64 = 1_000

    func rows(_ query: LocalQuery) async throws -> JSONValue {
        let map = try query.required("register")
        guard MapName.isValid(map), !map.utf8.starts(with: "@".utf8) else {
            throw LocalError(.badRequest, "invalid", "\(map) cannot name a register")
        }
        let members = try query.members(allByDefault: query.text("key") != nil)
        let time = try query.time("on")?.seconds ?? Clock.seconds
        var rows: [JSONValue] = []
        var isKnown = false
        if let key = query.text("key") {
            for member in members {
                guard let definition = try await definition(of: map, member) else { continue }
                isKnown = true
                let canonical = try canonicalise(key, map, definition)
                guard let row = try await store.row(RowKey(map: map, key: canonical), of: log(of: member)) else {
                    continue
                }
                rows += try await views(canonical, map, member, row, definition, time)
            }
            if !isKnown { try requireRegister(map) }
            return ["rows": .array(rows), "next": .null]
        }
        return try await page(of: map, members, query, time)
    }

    private func page(
        of map: String, _ members: [CharterMember], _ query: LocalQuery, _ time: Int64
    ) async throws -> JSONValue {
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
            guard isReached, let definition = try await definition(of: map, member) else { continue }
            isKnown = true
            let after = isHere ? cursor?.last.map(String.init) : nil
            let wanted = limit - rows.count
            let found = try await store.rows(of: log(of: member), map: map, after: after, limit: wanted + 1)
            for stored in found.prefix(wanted) {
                rows.append(try await view(stored.key, map, member, stored.row, definition, time))
            }
            if found.count > wanted, let last = found.prefix(wanted).last?.key ?? after {
                return ["rows": .array(rows), "next": .string("\(member.name):\(last)")]
            }
        }
        if !isKnown { try requireRegister(map) }
        return ["rows": .array(rows), "next": .null]
    }

    private func view(
        _ key: String, _ map: String, _ member: CharterMember, _ row: Alliance.Row, _ definition: RegisterDefinition,
        _ time: Int64
    ) async throws -> JSONValue {
        let statements = try await placed(row, member)
        return EntryViews.row(
            key, register: map, member: member, row: row, statements: statements, definition: definition, at: time)
    }

    /// What a member says of a key; of a looked-up value, what it says of each key that has it.
    private func views(
        _ key: String, _ map: String, _ member: CharterMember, _ row: Alliance.Row, _ definition: RegisterDefinition,
        _ time: Int64
    ) async throws -> [JSONValue] {
        guard map.utf8.contains(0x2F), !row.isEmptied else {
            return [try await view(key, map, member, row, definition, time)]
        }
        var groups: [(key: String, statements: [PlacedAttestation])] = []
        for statement in try await placed(row, member) {
            let own = statement.attestation.key
            if let index = groups.firstIndex(where: { $0.key.utf8.elementsEqual(own.utf8) }) {
                groups[index].statements.append(statement)
            } else {
                groups.append((own, [statement]))
            }
        }
        return groups.map { group in
            var view =
                EntryViews.row(
                    group.key, register: map, member: member, row: row, statements: group.statements,
                    definition: definition, at: time
                ).object ?? [:]
            view["value"] = .string(key)
            return .object(view)
        }
    }

    private func placed(_ row: Alliance.Row, _ member: CharterMember) async throws -> [PlacedAttestation] {
        var result: [PlacedAttestation] = []
        for item in row.inForce {
            let bytes = try await store.entries(of: log(of: member), in: item.index..<item.index + 1)[0]
            if let placed = PlacedAttestation(index: item.index, statement: try Statement(parsing: bytes)) {
                result.append(placed)
            }
        }
        return result
    }

    /// The definition in force in a member's log of a register, or of the register of a lookup map.
    private func definition(of map: String, _ member: CharterMember) async throws -> RegisterDefinition? {
        let register = map.split(separator: "/").first.map(String.init) ?? map
        return try await store.state(of: log(of: member)).definitions[register]
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
    private func requireRegister(_ map: String) throws {
        let register = map.split(separator: "/").first.map(String.init) ?? map
        guard charter.register(register) == nil else { return }
        let names = charter.registers.map(\.name).joined(separator: ", ")
        throw LocalError(.notFound, "unknown", "there is no register \(register); the shared ones are \(names)")
    }

    // MARK: Entries

    func history(_ query: LocalQuery) async throws -> JSONValue {
        let register = try query.required("register")
        let key = try query.required("key")
        let member = try query.member()
        var canonical = key
        if let definition = try await definition(of: register, member) {
            canonical = try canonicalise(key, register, definition)
        } else if !register.utf8.starts(with: "@".utf8) {
            try requireRegister(register)
        }
        let indexes = try await store.history(of: RowKey(map: register, key: canonical), in: log(of: member))
        var entries: [JSONValue] = []
        for index in indexes.prefix(Int(Self.rowLimit)) { entries.append(try await view(index, member)) }
        return ["entries": .array(entries)]
    }

    func view(_ index: UInt64, _ member: CharterMember) async throws -> JSONValue {
        let entry = try await store.entry(at: index, of: log(of: member))
        return EntryViews.entry(entry.bytes, at: index, ignored: entry.ignored)
    }

    private func ignored(_ member: CharterMember, _ range: Range<UInt64>) async throws -> [UInt64: String] {
        var reasons = try await store.ignored(of: log(of: member), in: range)
        if let end = try await store.state(of: log(of: member)).end {
            for index in range where index >= end.index && reasons[index] == nil {
                reasons[index] = Verdict.Reason.afterEnd.rawValue
            }
        }
        return reasons
    }

    func entries(_ query: LocalQuery) async throws -> JSONValue {
        let member = try query.member()
        let size = try store.size(of: log(of: member))
        let limit = try query.number("limit", default: 100, most: Self.rowLimit)
        let from = min(try query.number("from", default: size > limit ? size - limit : 0), size)
        let range = from..<min(size, from + limit)
        let stored = try await store.entries(of: log(of: member), in: range)
        let ignored = try await ignored(member, range)
        let views = stored.enumerated().map { offset, bytes in
            let index = from + UInt64(offset)
            return EntryViews.entry(bytes, at: index, ignored: ignored[index])
        }
        return ["entries": .array(views), "size": .integer(Int64(size))]
    }

    func entry(_ query: LocalQuery) async throws -> JSONValue {
        let member = try query.member()
        let index = try query.number("index", default: 0, most: UInt64(Int64.max) - 1)
        let size = try await size(of: member, above: index, query)
        guard index < size else {
            throw LocalError(
                .notFound, "unknown", "\(member.name)'s log has \(size) entries; there is no entry \(index)")
        }
        let entry = try await store.entry(at: index, of: log(of: member))
        return [
            "entry": EntryViews.entry(entry.bytes, at: index, ignored: entry.ignored),
            "raw": .string(String(decoding: entry.bytes, as: UTF8.self)),
        ]
    }

    /// The size of a log as held here; first waits, as long as was asked for, until it is above an index.
    private func size(of member: CharterMember, above index: UInt64, _ query: LocalQuery) async throws -> UInt64 {
        let patience = try query.number("timeout", default: 0, most: Self.waitLimit)
        guard patience > 0 else { return try store.size(of: log(of: member)) }
        let deadline = Clock.seconds + Int64(patience)
        // Watched from before the first look: what comes between the two is not missed.
        let changes = await driver.changes()
        var size = try store.size(of: log(of: member))
        guard size <= index else { return size }
        for await _ in changes {
            size = try store.size(of: log(of: member))
            if size > index || Clock.seconds >= deadline { break }
        }
        return size
    }

    // MARK: Documents

    func documents(_ query: LocalQuery) async throws -> JSONValue {
        var result: [JSONValue] = []
        for member in try query.members(allByDefault: true) {
            let works = try await store.rows(
                of: log(of: member), map: ReservedMap.documents, after: nil, limit: Int(Self.rowLimit))
            for work in works where !work.row.isEmptied {
                for item in work.row.inForce {
                    let bytes = try await store.entries(of: log(of: member), in: item.index..<item.index + 1)[0]
                    let statement = try Statement(parsing: bytes)
                    guard case .document(let document) = statement.body else { continue }
                    result.append(view(document, statement, item.index, member))
                }
            }
        }
        return ["documents": .array(result)]
    }

    private func view(
        _ document: PolicyDocument, _ statement: Statement, _ index: UInt64, _ member: CharterMember
    ) -> JSONValue {
        [
            "member": .string(member.name), "work": .string(document.work), "title": .string(document.title),
            "language": .string(document.language), "date": .string(document.date),
            "mediaType": .string(document.mediaType), "size": .integer(document.size),
            "sha256": .string(document.digest.hex),
            "relations": .array(
                document.relations.map { ["type": .string($0.type), "work": .string($0.work)] }),
            "identity": .string(statement.identity.hex), "index": .integer(Int64(index)),
            "signedBy": .string(statement.signer.keyName), "held": .bool(store.documents.holds(document.digest)),
            "replaced": false,
        ]
    }
}

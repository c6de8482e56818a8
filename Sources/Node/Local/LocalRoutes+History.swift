import Alliance
import HTTPTypes
import Store
import TransparencyLog

extension LocalRoutes {
    /// What was ever said of a key: in one register, or without `register` in all that the members have; by one member, or
    /// with `member=all` by every one. Endorsements of what was said stand with it. Of each member and register the newest come first,
    /// ``rowLimit`` statements of a row at most.
    func history(_ query: LocalQuery) async throws -> JSONValue {
        let key = try query.required("key")
        let members = try query.members(allByDefault: false)
        let register = query.text("register")
        var maps: [String] = []
        for member in charter.members {
            for map in try await historyMaps(member, register, key) where !maps.contains(map) { maps.append(map) }
        }
        maps.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        var isKnown = register?.utf8.starts(with: "@".utf8) ?? true
        var entries: [JSONValue] = []
        var isCut = false
        for map in maps {
            var logs: [KeyHistory.Log] = []
            var row = RowKey(map: map, key: key)
            for member in charter.members {
                if let definition = try await definition(of: map, member) {
                    isKnown = true
                    do { row = RowKey(map: map, key: try canonicalise(key, map, definition)) } catch {
                        // Where every register is asked, a key that one of them cannot have is in none of its rows.
                        guard register == nil else { throw error }
                        continue
                    }
                } else if !map.utf8.starts(with: "@".utf8) {
                    continue
                }
                let (steps, isMore) = try await newest(row, member)
                if isMore, members.contains(where: { $0.id == member.id }) { isCut = true }
                if !steps.isEmpty { logs.append(KeyHistory.Log(member: member.name, steps: steps)) }
            }
            entries += try await told(of: row, in: logs, by: members)
        }
        if !isKnown, let register { try requireRegister(register) }
        return ["entries": .array(entries), "cut": .bool(isCut)]
    }

    /// The newest counted statements that touched a row, ascending, and whether there are more.
    private func newest(_ row: RowKey, _ member: CharterMember) async throws -> ([PlacedStatement], isMore: Bool) {
        let indexes = try await store.history(of: row, in: log(of: member))
        var steps: [PlacedStatement] = []
        for index in indexes.prefix(Int(Self.rowLimit)).reversed() {
            steps.append(try await statement(at: index, member))
        }
        return (steps, indexes.count > Int(Self.rowLimit))
    }

    /// What these members said of a row, and of what any member said of it: by member, then the newest first.
    private func told(
        of row: RowKey, in logs: [KeyHistory.Log], by members: [CharterMember]
    ) async throws -> [JSONValue] {
        let key = String(decoding: row.key, as: UTF8.self)
        let changes = KeyHistory(of: row, in: logs).changes
        let endorsements = try await endorsements(of: logs, by: members)
        var entries: [JSONValue] = []
        for member in members {
            var own = changes.filter { $0.member == member.name }
                .map { (index: $0.placed.index, view: EntryViews.change($0, map: row.map, key: key)) }
            own += endorsements.filter { $0.change.member == member.name }.map { endorsement in
                let view = EntryViews.endorsement(endorsement.change, of: endorsement.target, map: row.map, key: key)
                return (endorsement.change.placed.index, view)
            }
            // Of one retraction that takes several things back, each is told.
            entries += own.enumerated().sorted { one, other in
                (other.element.index, one.offset) < (one.element.index, other.offset)
            }.map(\.element.view)
        }
        return entries
    }

    /// These members' endorsements of what stands in a row's history, and what took them back.
    private func endorsements(
        of logs: [KeyHistory.Log], by members: [CharterMember]
    ) async throws -> [(change: KeyHistory.Change, target: KeyHistory.Place)] {
        var found: [(change: KeyHistory.Change, target: KeyHistory.Place)] = []
        for log in logs {
            for placed in log.steps {
                switch placed.statement.body {
                case .attestation, .document: break
                default: continue
                }
                let target = KeyHistory.Place(member: log.member, index: placed.index, identity: placed.identity)
                let row = RowKey(map: ReservedMap.endorsements, key: placed.identity.hex)
                for member in members {
                    let (steps, _) = try await newest(row, member)
                    guard !steps.isEmpty else { continue }
                    let history = KeyHistory(of: row, in: [KeyHistory.Log(member: member.name, steps: steps)])
                    found += history.changes.map { (change: $0, target: target) }
                }
            }
        }
        return found
    }

    /// The maps in which a key is looked for: the one that is named, else the registers and, for a work, the documents.
    private func historyMaps(_ member: CharterMember, _ register: String?, _ key: String) async throws -> [String] {
        if let register { return [register] }
        let names = try await store.maps(of: log(of: member)).map(\.name)
        return names.filter { name in
            RegisterName.isValid(name) || name == ReservedMap.documents && PolicyDocument.isWork(key)
        }
    }
}

extension EntryViews {
    /// One statement of a key's history, and what it changed.
    static func change(_ change: KeyHistory.Change, map: String, key: String) -> JSONValue {
        var object = entry(change.placed.statement.bytes, at: change.placed.index, ignored: nil).object ?? [:]
        object["member"] = .string(change.member)
        object["register"] = .string(map)
        object["key"] = .string(key)
        object["inForce"] = .bool(change.isInForce)
        object["relation"] = .string(change.relation.rawValue)
        object["others"] = .array(change.others.map(place))
        object["differences"] = .array(
            change.differences.map {
                ["field": .string($0.field), "before": $0.old ?? .null, "after": $0.new ?? .null]
            })
        return .object(object)
    }

    /// An endorsement of a statement of some key, or what took one back.
    static func endorsement(
        _ change: KeyHistory.Change, of target: KeyHistory.Place, map: String, key: String
    ) -> JSONValue {
        var object = self.change(change, map: map, key: key).object ?? [:]
        guard change.relation != .takesBack else { return .object(object) }
        object["relation"] = "endorses"
        object["others"] = [place(target)]
        return .object(object)
    }

    private static func place(_ place: KeyHistory.Place) -> JSONValue {
        [
            "member": .string(place.member), "index": .integer(Int64(place.index)),
            "identity": .string(place.identity.hex),
        ]
    }
}

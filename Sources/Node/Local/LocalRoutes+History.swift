import Alliance
import HTTPTypes
import Store
import TransparencyLog

extension LocalRoutes {
    /// What was ever said of a key: in one register, or without `register` in all that the members have; by one member, or
    /// with `member=all` by every one. Of each row the newest come first, ``rowLimit`` at most.
    func history(_ query: LocalQuery) async throws -> JSONValue {
        let key = try query.required("key")
        let members = try query.members(allByDefault: false)
        let register = query.text("register")
        var maps: [String] = []
        for member in members {
            for map in try await historyMaps(member, register, key) where !maps.contains(map) { maps.append(map) }
        }
        maps.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        var isKnown = register?.utf8.starts(with: "@".utf8) ?? true
        var entries: [JSONValue] = []
        var isCut = false
        for map in maps {
            var logs: [KeyHistory.Log] = []
            var row = RowKey(map: map, key: key)
            for member in members {
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
                let indexes = try await store.history(of: row, in: log(of: member))
                isCut = isCut || indexes.count > Int(Self.rowLimit)
                var steps: [PlacedStatement] = []
                for index in indexes.prefix(Int(Self.rowLimit)).reversed() {
                    steps.append(try await statement(at: index, member))
                }
                if !steps.isEmpty { logs.append(KeyHistory.Log(member: member.name, steps: steps)) }
            }
            for change in KeyHistory(of: row, in: logs).changes {
                entries.append(EntryViews.change(change, map: map, key: String(decoding: row.key, as: UTF8.self)))
            }
        }
        if !isKnown, let register { try requireRegister(register) }
        return ["entries": .array(entries), "cut": .bool(isCut)]
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
        object["others"] = .array(
            change.others.map {
                [
                    "member": .string($0.member), "index": .integer(Int64($0.index)),
                    "identity": .string($0.identity.hex),
                ]
            })
        object["differences"] = .array(
            change.differences.map {
                ["field": .string($0.field), "before": $0.old ?? .null, "after": $0.new ?? .null]
            })
        return .object(object)
    }
}

import Alliance
import Foundation
import HTTPTypes
import Store
import TransparencyLog

extension LocalRoutes {
    /// The definitions that this node knows: those of the shared registers, then every member's own; or the one of a
    /// register that is asked for, with its descriptor.
    func definitions(_ query: LocalQuery) async throws -> JSONValue {
        let wanted = query.text("register")
        var published: [(member: CharterMember, definitions: [String: RegisterDefinition])] = []
        for member in charter.members {
            let origin = store.speaking(for: member.log.name)
            published.append((member, try await store.state(of: origin).definitions))
        }
        var views: [JSONValue] = []
        for register in charter.registers where wanted == nil || wanted == register.name {
            let definition = shared(register, published.compactMap { $0.definitions[register.name] })
            let publishers = published.filter { $0.definitions[register.name] != nil }.map(\.member.name)
            var object: JSONObject = [
                "register": .string(register.name), "shared": true, "merge": .string(Self.text(of: register.merge)),
                "digest": .string(register.definition.hex), "member": .null,
                "publishedBy": .array(publishers.map { .string($0) }),
            ]
            Self.add(definition, to: &object, whole: wanted != nil)
            views.append(.object(object))
        }
        for (member, definitions) in published {
            let own = definitions.values.filter { RegisterName.isOwn($0.name, of: member.name) }
            for definition in own.sorted(by: { $0.name < $1.name }) where wanted == nil || wanted == definition.name {
                var object: JSONObject = [
                    "register": .string(definition.name), "shared": false, "merge": "each",
                    "digest": .string(HashValue.sha256(definition.descriptor).hex), "member": .string(member.name),
                    "publishedBy": [.string(member.name)],
                ]
                Self.add(definition, to: &object, whole: wanted != nil)
                views.append(.object(object))
            }
        }
        if let wanted, views.isEmpty {
            throw LocalError(.notFound, "unknown", "nobody has defined a register \(wanted)")
        }
        return ["definitions": .array(views)]
    }

    /// The definition that the charter lists, if it is built in or some member published it.
    func shared(_ register: SharedRegister, _ published: [RegisterDefinition]) -> RegisterDefinition? {
        let known = [BuiltInRegisters.definition(named: register.name)].compactMap(\.self) + published
        return known.first { HashValue.sha256($0.descriptor) == register.definition }
    }

    private static func add(_ definition: RegisterDefinition?, to object: inout JSONObject, whole: Bool) {
        object["version"] = definition.map { .integer(Int64($0.version)) } ?? .null
        object["title"] = definition.map { .string($0.title) } ?? .null
        if whole { object["descriptor"] = definition.map { .string(Base64.encodeURL($0.descriptor)) } ?? .null }
    }

    static func text(of merge: MergeRule) -> String {
        switch merge {
        case .each: "each"
        case .joint: "joint"
        case .by(let count): "by \(count)"
        }
    }

    /// Refuses a submission in which a row breaks its register's definition. What other members publish is not refused:
    /// it counts as it stands, and is shown as not valid.
    func refuseInvalidRows(_ entries: [[UInt8]]) async throws {
        let definitions = try await store.state(of: identity.origin).definitions
        let refused = await InvalidRows.find(in: entries, definitions)
        guard !refused.isEmpty else { return }
        var error = LocalError(
            .conflict, "refused", "nothing was published: \(refused.count) rows break their register's definition")
        error.extra["refused"] = .array(
            refused.prefix(100).map {
                [
                    "position": .integer(Int64($0.position)), "code": "row-not-valid", "reason": .string($0.reason),
                ]
            })
        throw error
    }
}

/// Rows of a submission that break their register's definition.
enum InvalidRows {
    /// Fewer entries than this are not worth spreading over cores.
    private static let parallelFrom = 64

    /// Finds them, by the definitions in force or, behind such a statement, by those of the submission itself. Entries that
    /// are no statements are left to those who count.
    @concurrent
    static func find(
        in entries: [[UInt8]], _ definitions: [String: RegisterDefinition]
    ) async -> [(position: Int, reason: String)] {
        // A definition stands in front of the rows that it brings along.
        var definitions = definitions
        for entry in entries.prefix(while: { definition(in: $0) != nil }) {
            if let found = definition(in: entry) { definitions[found.name] = found }
        }
        let parts = entries.count < parallelFrom ? 1 : ProcessInfo.processInfo.activeProcessorCount * 4
        let size = max(1, (entries.count + parts - 1) / parts)
        let known = definitions
        return concurrentMap(parts) { part in
            let range = min(part * size, entries.count)..<min((part + 1) * size, entries.count)
            return range.compactMap { position in
                problem(with: entries[position], known).map { (position: position, reason: $0) }
            }
        }.flatMap(\.self)
    }

    private static func definition(in entry: [UInt8]) -> RegisterDefinition? {
        guard case .register(let found)? = (try? Statement(parsing: entry))?.body else { return nil }
        return try? RegisterDefinition(descriptor: found.descriptor)
    }

    private static func problem(with entry: [UInt8], _ definitions: [String: RegisterDefinition]) -> String? {
        guard case .attestation(let row)? = (try? Statement(parsing: entry))?.body,
            let problems = definitions[row.register]?.problems(in: row), let first = problems.first
        else { return nil }
        let more = problems.count == 1 ? "" : " (and \(problems.count - 1) more)"
        return "the row breaks the definition of \(row.register): \(first)\(more)"
    }
}

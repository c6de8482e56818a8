import Alliance
import Foundation
import HTTPTypes
import Store
import TransparencyLog

extension LocalRoutes {
    /// The log that says what a member states.
    func log(of member: CharterMember) -> String { store.speaking(for: member.log.name) }

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

    // MARK: Entries

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

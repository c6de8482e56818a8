import Alliance
import Store
import TransparencyLog

/// A member's declaration that a register is complete, and what has become of it.
struct DeclarationStanding: Sendable {
    let member: CharterMember
    let declaration: Declaration
    let index: UInt64
    /// Rows that the register has now, retracted ones included.
    let rows: UInt64

    /// How near its end is: nil where that is more than 30 days away.
    func notice(now: Int64) -> EndNotice? { EndNotice(left: declaration.validUntil.seconds - now) }

    func json(now: Int64) -> JSONValue {
        let notice = notice(now: now)
        return [
            "member": .string(member.name), "register": .string(declaration.register),
            "declared": .integer(Int64(clamping: declaration.rows)), "rows": .integer(Int64(clamping: rows)),
            "validUntil": .string(declaration.validUntil.text), "index": .integer(Int64(index)),
            "state": .string(notice == .over ? "lapsed" : notice == nil ? "current" : "lapses"),
        ]
    }
}

extension LocalRoutes {
    /// The declarations in force of every member, by member, then register.
    func declarations() async throws -> [DeclarationStanding] {
        var result: [DeclarationStanding] = []
        for member in charter.members {
            let origin = log(of: member)
            let rows = try await store.rows(
                of: origin, map: ReservedMap.declarations, after: nil, limit: StateLeaf.mapLimit)
            guard !rows.isEmpty else { continue }
            let maps = try await store.maps(of: origin)
            for row in rows {
                guard let index = row.row.inForce.last?.index,
                    case .declaration(let declaration) = try await statement(at: index, member).statement.body
                else { continue }
                result.append(
                    DeclarationStanding(
                        member: member, declaration: declaration, index: index,
                        rows: maps.first { $0.name.utf8.elementsEqual(declaration.register.utf8) }?.count ?? 0))
            }
        }
        return result
    }
}

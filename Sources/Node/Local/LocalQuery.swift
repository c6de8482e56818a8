import Alliance
import Hummingbird
import TransparencyLog

/// The parameters of a request to the local interface.
struct LocalQuery: Sendable {
    let request: Request
    let charter: Charter
    let own: CharterMember

    /// A parameter's text, if it is there and not empty.
    func text(_ name: String) -> String? {
        request.uri.queryParameters[Substring(name)].map(String.init).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A parameter that has to be there.
    func required(_ name: String) throws -> String {
        guard let text = text(name) else { throw LocalError(.badRequest, "missing", "the parameter \(name) is due") }
        return text
    }

    /// A decimal parameter.
    func number(_ name: String, default fallback: UInt64, most: UInt64 = .max) throws -> UInt64 {
        guard let text = text(name) else { return fallback }
        guard let number = Decimal64.parse(text.utf8), number <= most else {
            throw LocalError(.badRequest, "invalid", "\(name) must be a whole number up to \(most)")
        }
        return number
    }

    /// The member of a name or id; the node's own without one.
    func member() throws -> CharterMember {
        guard let name = text("member") else { return own }
        return try member(name)
    }

    /// The members asked about: one, or with `all`, or without any where `byDefault` says so, every one.
    func members(allByDefault: Bool) throws -> [CharterMember] {
        switch text("member") {
        case nil: allByDefault ? charter.members : [own]
        case "all": charter.members
        case .some(let name): [try member(name)]
        }
    }

    func member(_ name: String) throws -> CharterMember {
        guard let found = charter.member(named: name) ?? charter.member(id: name) else {
            let names = charter.members.map(\.name).joined(separator: ", ")
            throw LocalError(.notFound, "unknown", "no member is called \(name); the members are \(names)")
        }
        return found
    }

    /// The instant asked about, if one is.
    func time(_ name: String) throws -> Timestamp? {
        guard let text = text(name) else { return nil }
        guard let time = Timestamp(parsing: text) else {
            throw LocalError(
                .badRequest, "invalid", "\(name) must be an RFC 3339 time such as 2026-11-24T00:00:00+05:00")
        }
        return time
    }
}

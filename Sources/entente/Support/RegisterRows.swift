import Alliance
import ArgumentParser
import Node
import TransparencyLog

/// The rows of a register as a node holds them, page by page.
enum RegisterRows {
    /// Every statement of a member's register that is in force, or those of one key; with a date, only what speaks then.
    ///
    /// - Parameters:
    ///   - member: whose register; nil for the node's own.
    ///   - on: a date or an instant.
    static func read(
        _ node: NodeConnection, _ register: String, member: String? = nil, key: String? = nil, on: String? = nil
    ) async throws -> [PublishedRow] {
        let on = try on.map { try node.clock(member).parse($0, option: "--on").text }
        var rows: [PublishedRow] = []
        var cursor: String?
        repeat {
            var query: [(String, String?)] = [
                ("register", register), ("member", member ?? node.settings.member), ("after", cursor),
                ("limit", "1000"), ("on", on),
            ]
            if let key { query.append(("key", key)) }
            let page = try await node.get("/v1/rows", query)
            for row in page.list("rows") { rows += try on == nil ? statements(of: row) : speaking(of: row) }
            cursor = page["next"]?.string
            if cursor != nil { Console.progress("reading \(register): \(grouped(rows.count)) entries") }
        } while cursor != nil
        Console.clearProgress()
        return rows
    }

    private static func statements(of row: JSONValue) throws -> [PublishedRow] {
        try row.list("statements").map { try published($0, key: row.text("key")) }
    }

    private static func speaking(of row: JSONValue) throws -> [PublishedRow] {
        row.text("answer") == "present" ? [try published(row, key: row.text("key"))] : []
    }

    static func published(_ statement: JSONValue, key: String) throws -> PublishedRow {
        guard let from = Timestamp(parsing: statement.text("validFrom")) else {
            throw Failure("the node gave an entry of \(key) without validFrom")
        }
        return PublishedRow(
            key: key, status: statement.text("status"), validFrom: from,
            validUntil: statement["validUntil"]?.string.flatMap { Timestamp(parsing: $0) },
            fields: statement["fields"]?.object ?? [:], identity: statement.text("identity"),
            references: statement.list("supersedes").compactMap(\.string))
    }
}

/// Definitions as a node knows them.
enum KnownDefinition {
    /// What the node knows of a register's definition, and the definition itself where it knows that.
    ///
    /// - Throws: where nobody has defined such a register.
    static func read(
        _ node: NodeConnection, _ register: String
    ) async throws -> (definition: RegisterDefinition?, known: JSONValue) {
        let answer = try await node.get("/v1/definitions", [("register", register)])
        guard let known = answer.list("definitions").first else {
            throw Failure("nobody has defined a register \(register)")
        }
        return (try decode(known["descriptor"]?.string, register), known)
    }

    private static func decode(_ text: String?, _ register: String) throws -> RegisterDefinition? {
        guard let bytes = text.flatMap({ Base64.decodeURL($0) }) else { return nil }
        do throws(RegisterError) {
            return try RegisterDefinition(descriptor: bytes)
        } catch {
            throw Failure("the definition of \(register): \(error)")
        }
    }
}

/// A value that a register is asked for in place of a key.
struct LookupOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Look up a domain, such as example.com.", valueName: "name"))
    var domain: String?
    @Option(help: ArgumentHelp("Look up a legal entity identifier.", valueName: "LEI"))
    var lei: String?

    var isGiven: Bool { domain != nil || lei != nil }

    func validate() throws {
        guard domain == nil || lei == nil else { throw ValidationError("--domain and --lei exclude each other") }
    }

    /// The map and the value that are meant: of the register's first lookup of that form.
    func question(_ register: String, _ definition: RegisterDefinition?) throws -> (map: String, key: String)? {
        guard let value = domain ?? lei else { return nil }
        let form: CanonicalForm = domain == nil ? .lei : .domain
        guard let definition else { throw Failure("the definition of \(register) is not known to this node") }
        guard let lookup = definition.lookups.first(where: { $0.form == form }) else {
            let known = definition.lookups.map { "\(register)/\($0.field)" }.joined(separator: ", ")
            throw Failure(
                "\(register) has no lookup by \(form.rawValue)\(known.isEmpty ? "" : "; there are: \(known)")")
        }
        switch form.canonicalise(value) {
        case .success(let key): return ("\(register)/\(lookup.field)", key)
        case .failure(let problem): throw Failure("--\(form.rawValue): \(value) \(problem.reason)")
        }
    }
}

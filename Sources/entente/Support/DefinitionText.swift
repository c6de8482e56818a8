import Alliance
import Node
import TransparencyLog

/// A register's definition for people and for programs.
enum DefinitionText {
    /// - Parameters:
    ///   - known: what the node knows of it, if one was asked.
    ///   - language: of the labels, where there are any.
    static func lines(_ definition: RegisterDefinition, _ known: JSONValue?, language: String) -> [String] {
        var lines = ["\(definition.name), version \(definition.version): \(definition.label.text(in: language))"]
        if let description = definition.description { lines.append("  \(description)") }
        var facts = Table()
        if let known {
            let publishers = known.list("publishedBy").map(\.shown)
            facts.add([
                "kept by", known.flag("shared") ? "all members, joined: \(known.text("merge"))" : known.text("member"),
            ])
            facts.add(["published by", publishers.isEmpty ? "nobody yet" : publishers.joined(separator: ", ")])
        }
        facts.add(["key", key(definition.keyForm)])
        let lookups = definition.lookups.map { "\($0.field) (\($0.form.rawValue))" }
        facts.add(["looked up by", lookups.isEmpty ? "nothing" : lookups.joined(separator: ", ")])
        if !definition.erasable.isEmpty { facts.add(["erasable", definition.erasable.joined(separator: ", ")]) }
        facts.add(["languages", definition.languages.joined(separator: ", ")])
        facts.add(["digest", HashValue.sha256(definition.descriptor).hex])
        lines += facts.lines(indent: 2)
        lines.append("Statuses, from least to most restrictive:")
        var statuses = Table()
        for status in definition.statuses {
            statuses.add([
                status.name, status.permitsBusiness ? "permits business" : "permits none",
                status.label.text(in: language),
            ])
        }
        lines += statuses.lines(indent: 2)
        lines.append("Columns:")
        var columns = Table()
        for field in definition.envelopeFields + definition.fields {
            let type = FieldText.type(of: field) + (field.constraints.required ? ", required" : "")
            // What a status may be stands above.
            let allowed = field.name == "status" ? "" : DisplayWidth.cut(FieldText.allowed(field), to: 48)
            columns.add([field.name, field.label.text(in: language), type, allowed])
        }
        return lines + columns.lines(indent: 2)
    }

    private static func key(_ form: KeyForm) -> String {
        switch form {
        case .single(let form, nil): "given by the publisher (\(form.rawValue))"
        case .single(let form, let field?): "\(field) (\(form.rawValue))"
        case .composite(let alternatives):
            alternatives.map { $0.map { "\($0.field) (\($0.form.rawValue))" }.joined(separator: " / ") }
                .joined(separator: ", else ")
        }
    }

    static func json(_ definition: RegisterDefinition, _ known: JSONValue?) throws -> JSONValue {
        var object: JSONObject = [
            "register": .string(definition.name), "version": .integer(Int64(definition.version)),
            "digest": .string(HashValue.sha256(definition.descriptor).hex),
            "columns": .array(definition.columns.map { .string($0) }),
            "statuses": .array(
                definition.statuses.map {
                    ["name": .string($0.name), "permitsBusiness": .bool($0.permitsBusiness)]
                }),
            "languages": .array(definition.languages.map { .string($0) }),
        ]
        if let known {
            for name in ["shared", "merge", "member", "publishedBy"] { object[name] = known[name] ?? .null }
        }
        object["definition"] = try JSONValue.parse(definition.descriptor)
        return .object(object)
    }
}

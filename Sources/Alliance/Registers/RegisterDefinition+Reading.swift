extension RegisterDefinition {
    /// Reads a descriptor strictly.
    ///
    /// Members that Table Schema or its users may add at the top or in a field are ignored; constraints and everything
    /// inside `entente` must be known, because maps and verdicts depend on them. Next to each `title` may stand `titles`,
    /// an object with the label in further languages.
    ///
    /// - Throws: ``RegisterError`` for anything that is not a consistent definition within ``RegisterLimits``.
    public init(descriptor: [UInt8]) throws(RegisterError) {
        guard descriptor.count <= RegisterLimits.descriptorBytes else {
            throw RegisterError(.limit, "is longer than \(RegisterLimits.descriptorBytes) bytes")
        }
        let parsed: JSONValue
        do {
            parsed = try JSONValue.parse(descriptor)
        } catch {
            throw RegisterError(.malformed, "\(error)")
        }
        let root = try DescriptorObject(parsed, at: "")
        let name = try root.text("name")
        guard Self.isName(name) else {
            throw RegisterError(
                .invalidMember, "must be a lower-case name of at most 64 letters, digits, . and -", at: "name")
        }
        guard let version = try root.count("version", in: 1...1_000_000) else { throw root.missing("version") }
        if let missing = root["missingValues"], missing != [.string("")] {
            throw RegisterError(.invalidMember, "must be [\"\"] where it is given", at: "missingValues")
        }
        guard root["primaryKey"] == [.string("key"), .string("validFrom")] else {
            throw RegisterError(.invalidMember, "must be [\"key\", \"validFrom\"]", at: "primaryKey")
        }
        let entente = try DescriptorObject(root["entente"], at: "entente")
        try entente.refuseOthers(than: ["key", "lookups", "statuses", "erasable"])
        let statuses = try Self.readStatuses(entente)
        let all = try Self.readFields(root, statuses: statuses)
        let fields = Array(all.dropFirst(Self.envelope.count))
        let erasable = try Self.readErasable(entente, fields: fields)
        let keyForm = try Self.readKeyForm(entente, fields: fields, erasable: erasable)
        let lookups = try Self.readLookups(entente, fields: fields, erasable: erasable)
        self.init(
            descriptor: descriptor, name: name, version: version, label: try root.label(),
            description: try root.optionalText("description"), language: try Self.readLanguage(root),
            envelopeFields: Array(all.prefix(Self.envelope.count)), fields: fields,
            keyForm: keyForm, lookups: lookups, statuses: statuses, erasable: erasable)
    }

    /// Whether a text can name a register: `[a-z][a-z0-9.-]{0,63}`.
    public static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7A).contains(first), text.utf8.count <= 64 else { return false }
        return text.utf8.allSatisfy {
            (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D
        }
    }

    private static func readStatuses(_ entente: DescriptorObject) throws(RegisterError) -> [RegisterStatus] {
        let elements = try entente.objects("statuses", atMost: RegisterLimits.statuses)
        guard !elements.isEmpty else {
            throw RegisterError(.invalidMember, "must not be empty", at: "entente.statuses")
        }
        var statuses: [RegisterStatus] = []
        for element in elements {
            try element.refuseOthers(than: ["name", "permitsBusiness", "title", "titles"])
            let name = try element.text("name")
            guard isName(name), !name.contains(".") else {
                throw element.wrong("name", "must be lower-case letters, digits and -")
            }
            guard !statuses.contains(where: { $0.name == name }) else { throw element.wrong("name", "stands twice") }
            guard let permits = element["permitsBusiness"]?.bool else {
                throw element.wrong("permitsBusiness", "must be true or false")
            }
            statuses.append(RegisterStatus(name: name, permitsBusiness: permits, label: try element.label()))
        }
        return statuses
    }

    private static func readLanguage(_ root: DescriptorObject) throws(RegisterError) -> String {
        let language = try root.optionalText("language") ?? "en"
        guard RegisterLabel.isLanguage(language) else {
            throw root.wrong("language", "must be a tag of a language, such as en or es-SV")
        }
        return language
    }

    /// The four columns that every register has, and then its own fields.
    private static func readFields(
        _ root: DescriptorObject, statuses: [RegisterStatus]
    ) throws(RegisterError) -> [RegisterField] {
        let elements = try root.objects("fields", atMost: RegisterLimits.fields + envelope.count)
        var fields: [RegisterField] = []
        for element in elements {
            let field = try readField(element)
            guard !fields.contains(where: { $0.name == field.name }) else {
                throw element.wrong("name", "stands twice")
            }
            fields.append(field)
        }
        guard fields.count > envelope.count else {
            throw RegisterError(.invalidMember, "has no field of its own", at: "fields")
        }
        let kinds: [RegisterField.Kind] = [.string, .string, .datetime, .datetime]
        for (index, name) in envelope.enumerated() {
            let field = fields[index]
            var due = FieldConstraints(required: name != "validUntil")
            if name == "status" { due.enumeration = statuses.map(\.name) }
            guard field.name == name, field.kind == kinds[index], field.constraints == due else {
                let rule = name == "status" ? ", whose enum is the statuses in their order" : ""
                throw RegisterError(
                    .inconsistent, "must be \(name), of type \(kinds[index])\(rule)", at: "fields[\(index)]")
            }
        }
        return fields
    }

    private static func readField(_ element: DescriptorObject) throws(RegisterError) -> RegisterField {
        let name = try element.text("name")
        guard RegisterField.isName(name) else {
            throw element.wrong("name", "must be a letter or _, then letters, digits, _ and -, 64 at most")
        }
        let type = try element.text("type")
        let format = try element.optionalText("format")
        guard var kind = RegisterField.Kind(rawValue: type), kind != .uri else {
            throw element.wrong("type", "must be string, integer, number, boolean, date, datetime or list")
        }
        switch (kind, format) {
        case (_, nil), (_, "default"): break
        case (.string, "uri"): kind = .uri
        default: throw element.wrong("format", "must be left out, or uri for a string")
        }
        if kind == .list {
            guard element["delimiter"] == "|", element["itemType"] == "string" else {
                throw element.wrong("type", "a list takes the delimiter | and the itemType string")
            }
        }
        var items = FieldConstraints.none
        if let given = element["itemConstraints"] {
            guard kind == .list else { throw element.wrong("itemConstraints", "belongs to a list") }
            items = try readConstraints(try DescriptorObject(given, at: element.path("itemConstraints")), kind: .string)
        }
        var constraints = FieldConstraints.none
        if let given = element["constraints"] {
            constraints = try readConstraints(try DescriptorObject(given, at: element.path("constraints")), kind: kind)
        }
        return RegisterField(
            name: name, kind: kind, label: try element.label(),
            description: try element.optionalText("description"),
            constraints: constraints, itemConstraints: items)
    }

    private static func readConstraints(
        _ object: DescriptorObject, kind: RegisterField.Kind
    ) throws(RegisterError) -> FieldConstraints {
        var allowed = ["required", "unique"]
        switch kind {
        case .string, .uri: allowed += ["enum", "pattern", "minLength", "maxLength"]
        case .list: allowed += ["minLength", "maxLength"]
        case .integer, .number: allowed += ["minimum", "maximum"]
        case .boolean, .date, .datetime: break
        }
        try object.refuseOthers(than: allowed)
        var constraints = FieldConstraints()
        constraints.required = try object.flag("required")
        constraints.unique = try object.flag("unique")
        constraints.minimumLength = try object.count("minLength", in: 0...RegisterLimits.valueBytes)
        constraints.maximumLength = try object.count("maxLength", in: 0...RegisterLimits.valueBytes)
        constraints.minimum = try object.number("minimum")
        constraints.maximum = try object.number("maximum")
        if let values = object["enum"] {
            let texts = (values.array ?? []).compactMap(\.string)
            guard let count = values.array?.count, texts.count == count,
                (1...RegisterLimits.enumeration).contains(count),
                Set(texts.map { Array($0.utf8) }).count == count
            else { throw object.wrong("enum", "must be 1 to \(RegisterLimits.enumeration) different strings") }
            constraints.enumeration = texts
        }
        if let pattern = try object.optionalText("pattern") {
            do {
                constraints.pattern = try FieldPattern(pattern)
            } catch {
                throw RegisterError(error.code, error.reason, at: object.path("pattern"))
            }
        }
        return constraints
    }

    private static func readErasable(
        _ entente: DescriptorObject, fields: [RegisterField]
    ) throws(RegisterError) -> [String] {
        guard let elements = entente["erasable"]?.array, elements.count <= RegisterLimits.fields else {
            throw entente.wrong("erasable", "must be a list of fields")
        }
        var names: [String] = []
        for element in elements {
            guard let name = element.string, fields.contains(where: { $0.name == name }), !names.contains(name) else {
                throw entente.wrong("erasable", "must name fields of the register, each once")
            }
            names.append(name)
        }
        return names
    }

    private static func readLookups(
        _ entente: DescriptorObject, fields: [RegisterField], erasable: [String]
    ) throws(RegisterError) -> [RegisterLookup] {
        var lookups: [RegisterLookup] = []
        for element in try entente.objects("lookups", atMost: RegisterLimits.lookups) {
            try element.refuseOthers(than: ["field", "form"])
            let name = try element.text("field")
            guard let field = fields.first(where: { $0.name == name }), field.kind == .string || field.kind == .list
            else {
                throw element.wrong("field", "must name a field of strings")
            }
            guard !erasable.contains(name) else {
                throw element.wrong("field", "is erasable, so it cannot be looked up")
            }
            guard !lookups.contains(where: { $0.field == name }) else { throw element.wrong("field", "stands twice") }
            lookups.append(RegisterLookup(field: name, form: try readForm(element)))
        }
        return lookups
    }

    private static func readKeyForm(
        _ entente: DescriptorObject, fields: [RegisterField], erasable: [String]
    ) throws(RegisterError) -> KeyForm {
        let key = try DescriptorObject(entente["key"], at: "entente.key")
        func check(_ name: String, _ form: CanonicalForm, _ object: DescriptorObject) throws(RegisterError) {
            let due: RegisterField.Kind = form == .date ? .date : .string
            guard let field = fields.first(where: { $0.name == name }), field.kind == due, !erasable.contains(name)
            else {
                throw object.wrong("field", "must name a field of type \(due) that is not erasable")
            }
        }
        guard try key.text("form") == "composite" else {
            try key.refuseOthers(than: ["form", "field"])
            let form = try readForm(key)
            let field = try key.optionalText("field")
            if let field { try check(field, form, key) }
            return .single(form, field: field)
        }
        try key.refuseOthers(than: ["form", "alternatives"])
        let place = key.path("alternatives")
        guard let lists = key["alternatives"]?.array, (1...KeyForm.maximumParts).contains(lists.count) else {
            throw RegisterError(.invalidMember, "must be 1 to \(KeyForm.maximumParts) lists of parts", at: place)
        }
        var alternatives: [[KeyForm.KeyPart]] = []
        for (index, list) in lists.enumerated() {
            guard let elements = list.array, (1...KeyForm.maximumParts).contains(elements.count) else {
                throw RegisterError(
                    .invalidMember, "must be 1 to \(KeyForm.maximumParts) parts", at: "\(place)[\(index)]")
            }
            var parts: [KeyForm.KeyPart] = []
            for (position, element) in elements.enumerated() {
                let object = try DescriptorObject(element, at: "\(place)[\(index)][\(position)]")
                try object.refuseOthers(than: ["field", "form"])
                let part = KeyForm.KeyPart(field: try object.text("field"), form: try readForm(object))
                try check(part.field, part.form, object)
                guard !parts.contains(where: { $0.field == part.field }) else {
                    throw object.wrong("field", "stands twice")
                }
                parts.append(part)
            }
            alternatives.append(parts)
        }
        return .composite(alternatives)
    }

    private static func readForm(_ object: DescriptorObject) throws(RegisterError) -> CanonicalForm {
        guard let form = CanonicalForm(rawValue: try object.text("form")) else {
            throw object.wrong(
                "form", "must be one of \(CanonicalForm.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return form
    }
}

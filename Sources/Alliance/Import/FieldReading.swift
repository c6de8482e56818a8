/// How cells become values of fields, whatever the layout.
enum FieldReading {
    /// A LEI in canonical form. Stray punctuation and lower case are noted; what is then still none is left out, noted.
    static func lei(_ column: RowReader.Column, _ reader: inout RowReader) -> String? {
        guard let text = reader.value(column) else { return nil }
        if CanonicalForm.lei.isCanonical(text) { return text }
        var scalars = Substring(text).unicodeScalars
        let isStray: (Unicode.Scalar) -> Bool = { !$0.properties.isAlphabetic && !("0"..."9").contains($0) }
        while let first = scalars.first, isStray(first) { scalars.removeFirst() }
        while let last = scalars.last, isStray(last) { scalars.removeLast() }
        let stripped = String(scalars)
        switch CanonicalForm.lei.canonicalise(stripped) {
        case .success(let lei):
            let what =
                stripped == text ? "LEI written in lower case, read as upper case" : "LEI \"\(text)\" read as \(lei)"
            reader.note(.identifier, column.name, found: text, readAs: lei, what)
            return lei
        case .failure(let problem):
            reader.note(.identifier, column.name, found: text, "LEI \"\(text)\" \(problem.reason); left out")
            return nil
        }
    }

    /// The text in another case where the field's enumeration or pattern takes only that; noted.
    static func inForm(
        _ text: String, _ column: RowReader.Column, _ field: RegisterField, items: Bool = false,
        _ reader: inout RowReader
    ) -> String {
        let constraints = items ? field.itemConstraints : field.constraints
        guard constraints.problem(with: text) != nil else { return text }
        let variants = [ASCIICase.uppercased(text), ASCIICase.lowercased(text)]
        let listed = (constraints.enumeration ?? []).filter { ASCIICase.lowercased($0) == variants[1] }
        guard let fitting = (variants + listed).first(where: { constraints.problem(with: $0) == nil }) else {
            return text
        }
        reader.note(.identifier, column.name, found: text, readAs: fitting, "\"\(text)\" read as \(fitting)")
        return fitting
    }

    /// A code that the field's pattern takes; what it does not is left out, noted.
    static func code(_ column: RowReader.Column, _ field: RegisterField, _ reader: inout RowReader) -> JSONValue? {
        guard let text = reader.value(column) else { return nil }
        let code = inForm(text, column, field, &reader)
        guard let problem = field.constraints.problem(with: code) else { return .string(code) }
        let shown = RowReader.shortened(text)
        reader.note(.identifier, column.name, found: text, "\"\(shown)\" \(problem); left out")
        return nil
    }

    /// A list of short codes such as countries, separated by anything that is no letter, or by a capital `I` alone.
    ///
    /// - Parameter leavesOut: whether what is no such code is left out, noted; else it refuses the row.
    static func codes(
        _ column: RowReader.Column, _ field: RegisterField, leavesOut: Bool = false, _ reader: inout RowReader
    ) -> JSONValue? {
        guard let cell = reader.value(column) else { return nil }
        let parts = cell.split(omittingEmptySubsequences: false) { $0 == "|" }.map { UnicodeForm.trimmed(String($0)) }
        if parts.contains("") {
            reader.note(.list, column.name, found: RowReader.shortened(cell), "an empty item passed over")
        }
        var codes: [String] = []
        for part in parts where !part.isEmpty {
            var items = [part]
            if field.itemConstraints.problem(with: ASCIICase.uppercased(part)) != nil {
                items = part.unicodeScalars.split { ",;/.".unicodeScalars.contains($0) || UnicodeForm.isWhiteSpace($0) }
                    .map { String($0) }.filter { $0 != "I" }
                let text = "\"\(RowReader.shortened(part))\" read as \(items.joined(separator: ", "))"
                reader.note(.list, column.name, found: part, readAs: items.joined(separator: "|"), text)
            }
            for item in items.map({ inForm($0, column, field, items: true, &reader) }) {
                if let problem = field.itemConstraints.problem(with: item) {
                    let shown = RowReader.shortened(item)
                    if leavesOut {
                        reader.note(.identifier, column.name, found: item, "\"\(shown)\" \(problem); left out")
                        continue
                    }
                    reader.refuse(column.name, "\"\(RowReader.shortened(item))\" \(problem)")
                    return nil
                }
                if codes.contains(item) {
                    reader.note(.list, column.name, found: item, "\(item) given twice; taken once")
                } else {
                    codes.append(item)
                }
            }
        }
        return codes.isEmpty ? nil : .array(codes.map { .string($0) })
    }

    /// A list of texts. As written: separated by `|`. Noted: a JSON array, or line ends or semicolons where no `|`
    /// stands.
    static func list(
        _ column: RowReader.Column, _ field: RegisterField, form: CanonicalForm?, _ reader: inout RowReader
    ) -> JSONValue? {
        guard let cell = reader.text(column) else { return nil }
        var items: [String]
        if cell.hasPrefix("["), let array = try? JSONValue.parse(Array(cell.utf8)).array,
            array.allSatisfy({ $0.string != nil })
        {
            items = array.compactMap(\.string)
            reader.note(
                .list, column.name, found: cell, readAs: items.joined(separator: "|"), "a JSON array read as a list")
        } else {
            let separator: Character? = ["|", "\n", ";"].first { cell.contains($0) }
            items =
                separator.map { cell.split(separator: $0, omittingEmptySubsequences: false).map(String.init) } ?? [cell]
            if let separator, separator != "|" {
                let name = separator == "\n" ? "line ends" : "semicolons"
                reader.note(
                    .list, column.name, found: cell, readAs: items.joined(separator: "|"), "items separated by \(name)")
            }
        }
        var values: [String] = []
        for item in items.map(UnicodeForm.trimmed) {
            if item.isEmpty {
                reader.note(.list, column.name, found: RowReader.shortened(cell), "an empty item passed over")
                continue
            }
            var value = inForm(item, column, field, items: true, &reader)
            if let form, !form.isCanonical(value) {
                switch form.canonicalise(value) {
                case .success(let canonical):
                    reader.note(
                        .identifier, column.name, found: value, readAs: canonical, "\"\(value)\" read as \(canonical)")
                    value = canonical
                case .failure(let problem):
                    reader.refuse(column.name, "\"\(RowReader.shortened(value))\" \(problem.reason)")
                    return nil
                }
            }
            if values.contains(where: { $0.utf8.elementsEqual(value.utf8) }) {
                reader.note(.list, column.name, found: value, "\"\(value)\" given twice; taken once")
            } else {
                values.append(value)
            }
        }
        return values.isEmpty ? nil : .array(values.map { .string($0) })
    }

    /// A whole number. Noted: a plus sign, leading zeros, and groups of three that cannot be a fraction.
    static func integer(_ column: RowReader.Column, _ reader: inout RowReader) -> JSONValue? {
        guard let text = reader.value(column) else { return nil }
        if let value = wholeNumber(text) {
            if String(value) != text {
                reader.note(.number, column.name, found: text, readAs: String(value), "\"\(text)\" read as \(value)")
            }
            return .integer(value)
        }
        let groups = text.unicodeScalars.split(omittingEmptySubsequences: false) {
            [",", ".", " ", "'", "_", "\u{A0}", "\u{202F}"].contains($0)
        }.map { String($0) }
        let separators = Set(text.unicodeScalars.filter { !("0"..."9").contains($0) && $0 != "-" })
        if separators.count == 1, groups.count > 1, groups.dropFirst().allSatisfy({ $0.utf8.count == 3 }),
            let value = wholeNumber(groups.joined()), (1...3).contains(groups[0].utf8.count)
        {
            guard groups.count > 2 || ![",", "."].contains(separators.first) else {
                reader.refuse(column.name, "\"\(text)\" is ambiguous: write \(value), without a separator")
                return nil
            }
            reader.note(.number, column.name, found: text, readAs: String(value), "\"\(text)\" read as \(value)")
            return .integer(value)
        }
        reader.refuse(column.name, "\"\(RowReader.shortened(text))\" is not a whole number")
        return nil
    }

    /// A number with an optional fraction behind a point, kept as written.
    static func number(_ column: RowReader.Column, _ reader: inout RowReader) -> JSONValue? {
        guard let text = reader.value(column) else { return nil }
        let unsigned = text.utf8.first == 0x2D ? text.utf8.dropFirst() : Substring(text).utf8
        let parts = unsigned.split(separator: 0x2E, omittingEmptySubsequences: false)
        let areDigits = parts.allSatisfy { !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }
        if parts.count == 2, areDigits, parts[0].count == 1 || parts[0].first != 0x30, text.utf8.count <= 40 {
            return .number(text)
        }
        return integer(column, &reader)
    }

    /// Yes or no.
    ///
    /// - Parameter notes: whether another way of writing than `true` and `false` is noted.
    static func boolean(
        _ column: RowReader.Column, notes: Bool = true, _ reader: inout RowReader
    ) -> JSONValue? {
        guard let text = reader.value(column) else { return nil }
        let value: Bool
        switch ASCIICase.lowercased(text) {
        case "true", "yes", "y", "1": value = true
        case "false", "no", "n", "0": value = false
        default:
            reader.refuse(column.name, "\"\(RowReader.shortened(text))\" is neither true nor false")
            return nil
        }
        if notes, text != String(value) {
            reader.note(.list, column.name, found: text, readAs: "\(value)", "\"\(text)\" read as \(value)")
        }
        return .bool(value)
    }

    /// Whether one ASCII text stands in another, compared by bytes.
    static func contains(_ text: String, _ word: String) -> Bool {
        let (bytes, wanted) = (Array(text.utf8), Array(word.utf8))
        guard bytes.count >= wanted.count else { return false }
        return (0...(bytes.count - wanted.count)).contains { bytes[$0..<$0 + wanted.count].elementsEqual(wanted) }
    }

    private static func wholeNumber(_ text: String) -> Int64? {
        // By magnitude: the least Int64 has no absolute value.
        guard let value = Int64(text), value.magnitude <= JSONLimits.integer.magnitude else { return nil }
        return value
    }
}

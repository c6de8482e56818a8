/// The columns of one of the lists of ESMA's interim register, and how their cells are read.
struct ESMAColumns {
    /// How the cells of a column are read.
    enum Style {
        /// As it stands.
        case text
        /// As it stands, but words such as `n/a` are no value.
        case value
        /// A code, such as that of a country, that the field's pattern takes; another text is left out, noted.
        case code
        /// Several codes; what the field's pattern does not take is left out, noted.
        case codes
        /// Codes of countries; what is none refuses the row.
        case countries
        case lei
        case date
        case services
        /// Yes or no, in any case.
        case yesNo
        /// Text that names websites, whose domains are read as well.
        case website
    }

    typealias Mapping = [(column: String, field: String, style: Style)]

    /// What a row's cells say.
    struct Cells {
        var values: [String: JSONValue] = [:]
        var dates: [String: CivilDate] = [:]
        var domains: [String] = []
    }

    private let columns: [(column: RowReader.Column, field: RegisterField, style: Style)]
    private let definition: RegisterDefinition

    /// The fields that the list has columns for.
    var fields: Set<String> { Set(columns.map(\.field.name)) }

    /// - Parameter list: what the list is called, such as `list of service providers`.
    init(
        _ header: Header, list: String, mapping: Mapping, register: String, definition: RegisterDefinition
    ) throws(ImportError) {
        guard definition.name == register else {
            let text = "this is ESMA's \(list), which belongs into \(register), not \(definition.name)"
            throw ImportError(.layout, text, line: header.line)
        }
        let unknown = header.columns.map(\.name).filter { name in !mapping.contains { $0.column == name } }
        if let name = unknown.first {
            throw ImportError(.header, "the column \(name) is not one of ESMA's \(list)", line: header.line)
        }
        var columns: [(column: RowReader.Column, field: RegisterField, style: Style)] = []
        for entry in mapping {
            guard let column = header.column(entry.column) else {
                let text = "the column \(entry.column) of ESMA's \(list) is missing"
                throw ImportError(.header, text, line: header.line)
            }
            guard let field = definition.field(entry.field) else {
                throw ImportError(
                    .layout, "the definition of \(register) has no field \(entry.field)", line: header.line)
            }
            columns.append((column, field, entry.style))
        }
        self.columns = columns
        self.definition = definition
    }

    /// Reads the cells of a row.
    func read(_ reader: inout RowReader) -> Cells {
        var cells = Cells()
        for (column, field, style) in columns {
            cells.values[field.name] = value(column, field, style, &reader, &cells)
        }
        return cells
    }

    private func value(
        _ column: RowReader.Column, _ field: RegisterField, _ style: Style, _ reader: inout RowReader,
        _ cells: inout Cells
    ) -> JSONValue? {
        switch style {
        case .text:
            guard let text = reader.text(column) else { return nil }
            return .string(FieldReading.inForm(text, column, field, &reader))
        case .value: return reader.value(column).map { .string($0) }
        case .code: return FieldReading.code(column, field, &reader)
        case .codes: return FieldReading.codes(column, field, leavesOut: true, &reader)
        case .countries: return FieldReading.codes(column, field, &reader)
        case .lei: return FieldReading.lei(column, &reader).map { .string($0) }
        case .date:
            let date = reader.date(column, order: .dayFirst) {
                if case .digits(_, _, _, separator: 0x2F) = $0 { true } else { false }
            }
            cells.dates[field.name] = date
            return date.map { .string($0.description) }
        case .services: return ESMAServices.read(column, &reader)
        case .yesNo: return FieldReading.boolean(column, notes: false, &reader)
        case .website:
            let found = Self.website(column, &reader)
            for domain in found.domains where !cells.domains.contains(domain) { cells.domains.append(domain) }
            return found.text.map { .string($0) }
        }
    }

    /// The values in the order of the definition.
    func ordered(_ values: [String: JSONValue]) -> JSONObject {
        JSONObject(definition.fields.compactMap { field in values[field.name].map { (field.name, $0) } })
    }

    private static func website(
        _ column: RowReader.Column, _ reader: inout RowReader
    ) -> (text: String?, domains: [String]) {
        guard let text = reader.value(column) else { return (nil, []) }
        let found = Websites.domains(in: text)
        let shown = RowReader.shortened(text)
        if found.sites == 0 {
            reader.note(
                .website, column.name, found: text, "\"\(shown)\" is not a website: kept as it is, no domain read")
        } else if found.sites > 1 || !found.others.isEmpty {
            let others = found.others.isEmpty ? "" : "; \(found.others.joined(separator: " ")) is none"
            let domains = found.domains.joined(separator: ", ")
            let text = "\(found.sites) website\(found.sites == 1 ? "" : "s") in one cell, read as \(domains)\(others)"
            reader.note(.website, column.name, found: shown, readAs: domains, text)
        }
        return (text, found.domains)
    }
}

/// The services of a cell of ESMA's list of service providers.
enum ESMAServices {
    static func read(_ column: RowReader.Column, _ reader: inout RowReader) -> JSONValue? {
        guard let cell = reader.text(column) else { return nil }
        var found: [CryptoAssetService] = []
        let items = CryptoAssetService.split(cell)
        if items.count > cell.utf8.count(where: { $0 == 0x7C }) + 1 {
            let shown = RowReader.shortened(cell)
            reader.note(
                .list, column.name, found: shown, "services separated otherwise than by | read as \(items.count)")
        }
        for item in items {
            let service: CryptoAssetService
            switch CryptoAssetService.read(item) {
            case .plain(let plain): service = plain
            case .noted(let near, let text):
                service = near
                reader.note(.service, column.name, found: item, readAs: near.rawValue, text)
            case .unknown where item.isEmpty:
                reader.note(.list, column.name, found: RowReader.shortened(cell), "an empty item passed over")
                continue
            case .unknown:
                reader.refuse(column.name, "\"\(RowReader.shortened(item))\" is none of the ten services")
                return nil
            }
            if found.contains(service) {
                reader.note(.list, column.name, found: item, "service \(service) given twice; taken once")
            } else {
                found.append(service)
            }
        }
        return found.isEmpty ? nil : .array(found.sorted().map { .string($0.rawValue) })
    }
}

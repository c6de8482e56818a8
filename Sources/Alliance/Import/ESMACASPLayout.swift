/// The file of authorised crypto-asset service providers in ESMA's interim register, read into `vasp-licences`.
///
/// - Dates are `dd/mm/yyyy`; the layout fixes that the day comes first.
/// - The key is LEI and date of authorisation (the file has no licence numbers), so that two authorisations of one firm
///   are two rows. A LEI that is none even without stray punctuation is left out, and the key is authority, name and
///   date; so it is where two firms stand under one LEI with one date.
/// - A row is `authorised` from the date of authorisation. Where it has an end date, a second entry stands beside from
///   that day: `revoked` if the comments speak of a withdrawal or a revocation, else `expired`.
struct ESMACASPLayout {
    private enum Style {
        case text, lei, date, services, countries, website
    }

    private static let mapping: [(column: String, field: String, style: Style)] = [
        ("ae_competentAuthority", "competentAuthority", .text), ("ae_homeMemberState", "homeCountry", .text),
        ("ae_lei_name", "legalName", .text), ("ae_lei", "lei", .lei), ("ae_lei_cou_code", "leiCountry", .text),
        ("ae_commercial_name", "commercialName", .text), ("ae_address", "address", .text),
        ("ae_website", "website", .website), ("ae_website_platform", "platformWebsite", .website),
        ("ac_authorisationNotificationDate", "authorisationDate", .date),
        ("ac_authorisationEndDate", "authorisationEndDate", .date), ("ac_serviceCode", "services", .services),
        ("ac_serviceCode_cou", "serviceCountries", .countries), ("ac_comments", "comments", .text),
        ("ac_lastupdate", "lastUpdate", .date),
    ]

    private let columns: [(column: RowReader.Column, field: RegisterField, style: Style)]
    private let definition: RegisterDefinition
    private let zone: MemberZone

    /// What the layout says of a row: its fields, the domains of its websites, and from when it speaks.
    var fields: Set<String> { Set(columns.map(\.field.name) + ["domains", "validFrom"]) }

    static func matches(_ header: Header) -> Bool {
        header.column("ae_competentAuthority") != nil && header.column("ac_serviceCode") != nil
    }

    init(_ header: Header, definition: RegisterDefinition, zone: MemberZone) throws(ImportError) {
        guard definition.name == "vasp-licences" else {
            let text =
                "this is ESMA's list of service providers, which belongs into vasp-licences, not \(definition.name)"
            throw ImportError(.layout, text, line: header.line)
        }
        let unknown = header.columns.map(\.name).filter { name in !Self.mapping.contains { $0.column == name } }
        if let name = unknown.first {
            throw ImportError(
                .header, "the column \(name) is not one of ESMA's list of service providers", line: header.line)
        }
        var columns: [(column: RowReader.Column, field: RegisterField, style: Style)] = []
        for entry in Self.mapping {
            guard let column = header.column(entry.column) else {
                let text = "the column \(entry.column) of ESMA's list of service providers is missing"
                throw ImportError(.header, text, line: header.line)
            }
            guard let field = definition.field(entry.field) else {
                throw ImportError(
                    .layout, "the definition of vasp-licences has no field \(entry.field)", line: header.line)
            }
            columns.append((column, field, entry.style))
        }
        self.columns = columns
        self.definition = definition
        self.zone = zone
    }

    func draft(_ draft: inout DraftRow) {
        var values: [String: JSONValue] = [:]
        var dates: [String: CivilDate] = [:]
        var domains: [String] = []
        for (column, field, style) in columns {
            switch style {
            case .text: values[field.name] = text(column, field, &draft.reader).map { .string($0) }
            case .lei: values[field.name] = FieldReading.lei(column, &draft.reader).map { .string($0) }
            case .date:
                let date = draft.reader.date(column, order: .dayFirst) {
                    if case .digits(_, _, _, separator: 0x2F) = $0 { true } else { false }
                }
                dates[field.name] = date
                values[field.name] = date.map { .string($0.description) }
            case .services: values[field.name] = services(column, &draft.reader)
            case .countries: values[field.name] = FieldReading.codes(column, field, &draft.reader)
            case .website:
                let found = website(column, &draft.reader)
                values[field.name] = found.text.map { .string($0) }
                for domain in found.domains where !domains.contains(domain) { domains.append(domain) }
            }
        }
        if !domains.isEmpty { values["domains"] = .array(domains.map { .string($0) }) }
        setEntries(&draft, values: values, dates: dates)
    }

    private func text(_ column: RowReader.Column, _ field: RegisterField, _ reader: inout RowReader) -> String? {
        guard let text = reader.text(column) else { return nil }
        return FieldReading.inForm(text, column, field, &reader)
    }

    /// The entries that the row asks for, and its key.
    private func setEntries(_ draft: inout DraftRow, values: [String: JSONValue], dates: [String: CivilDate]) {
        func ordered(_ values: [String: JSONValue]) -> JSONObject {
            JSONObject(definition.fields.compactMap { field in values[field.name].map { (field.name, $0) } })
        }
        let fields = ordered(values)
        switch definition.keyForm.key(of: fields) {
        case .success(let key): draft.key = key
        case .failure(let problem):
            if draft.reader.reasons.isEmpty { draft.reader.refuse("", "the key \(problem.reason)") }
        }
        if values["lei"] == nil, let key = draft.key {
            draft.reader.note(.key, "ae_lei", readAs: key, "key made of authority, name and date, as there is no LEI")
        }
        guard let start = dates["authorisationDate"] else { return }
        guard let end = dates["authorisationEndDate"] else {
            draft.entries = [DraftRow.Entry(status: "authorised", validFrom: zone.midnight(of: start), fields: fields)]
            return
        }
        guard start < end else {
            draft.reader.refuse(
                "ac_authorisationEndDate", "the authorisation ends on \(end), not after its start on \(start)")
            return
        }
        let comments = ASCIICase.lowercased(values["comments"]?.string ?? "")
        let isRevoked = ["withdr", "revok", "revoc"].contains { word in FieldReading.contains(comments, word) }
        let status = isRevoked ? "revoked" : "expired"
        let why = isRevoked ? "the comments speak of it" : "the comments name no withdrawal"
        let note = "end date read as \(status) from \(end): \(why)"
        draft.reader.note(.status, "ac_authorisationEndDate", found: end.description, readAs: status, note)
        var before = values
        before["authorisationEndDate"] = nil
        draft.entries = [
            DraftRow.Entry(
                status: "authorised", validFrom: zone.midnight(of: start), fields: ordered(before), isHistory: true),
            DraftRow.Entry(status: status, validFrom: zone.midnight(of: end), fields: fields),
        ]
    }

    /// Gives rows of different firms under one LEI and one date the keys that their names make.
    func settle(_ drafts: inout [DraftRow]) {
        var byKey: [String: [Int]] = [:]
        for (index, draft) in drafts.enumerated() where draft.reader.reasons.isEmpty {
            if let key = draft.key { byKey[key, default: []].append(index) }
        }
        for (index, draft) in drafts.enumerated() {
            guard let key = draft.key, let others = byKey[key], others.count > 1,
                let fields = draft.entries.last?.fields,
                let name = fields["legalName"]?.string,
                let other = others.first(where: { drafts[$0].entries.last?.fields["legalName"]?.string != name })
            else { continue }
            var nameless = fields
            nameless["lei"] = nil
            guard let distinct = try? definition.keyForm.key(of: nameless).get() else { continue }
            drafts[index].key = distinct
            let place = "line \(drafts[other].line)"
            let text = "the LEI also stands with another firm in \(place); key made of authority, name and date"
            drafts[index].reader.note(.key, "ae_lei", found: fields["lei"]?.string, readAs: distinct, text)
        }
    }

    private func services(_ column: RowReader.Column, _ reader: inout RowReader) -> JSONValue? {
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

    private func website(
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

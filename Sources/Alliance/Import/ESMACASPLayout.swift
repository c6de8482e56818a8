/// The file of authorised crypto-asset service providers in ESMA's interim register, read into `vasp-licences`.
///
/// - Dates are `dd/mm/yyyy`; the layout fixes that the day comes first.
/// - The key is LEI and date of authorisation (the file has no licence numbers), so that two authorisations of one firm
///   are two rows. A LEI that is none even without stray punctuation is left out, and the key is authority, name and
///   date; so it is where two firms stand under one LEI with one date.
/// - A row is `authorised` from the date of authorisation. Where it has an end date, a second entry stands beside from
///   that day: `revoked` if the comments speak of a withdrawal or a revocation, else `expired`.
struct ESMACASPLayout {
    private static let mapping: ESMAColumns.Mapping = [
        ("ae_competentAuthority", "competentAuthority", .text), ("ae_homeMemberState", "homeCountry", .text),
        ("ae_lei_name", "legalName", .text), ("ae_lei", "lei", .lei), ("ae_lei_cou_code", "leiCountry", .text),
        ("ae_commercial_name", "commercialName", .text), ("ae_address", "address", .text),
        ("ae_website", "website", .website), ("ae_website_platform", "platformWebsite", .website),
        ("ac_authorisationNotificationDate", "authorisationDate", .date),
        ("ac_authorisationEndDate", "authorisationEndDate", .date), ("ac_serviceCode", "services", .services),
        ("ac_serviceCode_cou", "serviceCountries", .countries), ("ac_comments", "comments", .text),
        ("ac_lastupdate", "lastUpdate", .date),
    ]

    private let columns: ESMAColumns
    private let definition: RegisterDefinition
    private let zone: MemberZone

    /// What the layout says of a row: its fields, the domains of its websites, and from when it speaks.
    var fields: Set<String> { columns.fields.union(["domains", "validFrom"]) }

    static func matches(_ header: Header) -> Bool {
        header.column("ae_competentAuthority") != nil && header.column("ac_serviceCode") != nil
    }

    init(_ header: Header, definition: RegisterDefinition, zone: MemberZone) throws(ImportError) {
        columns = try ESMAColumns(
            header, list: "list of service providers", mapping: Self.mapping, register: "vasp-licences",
            definition: definition)
        self.definition = definition
        self.zone = zone
    }

    func draft(_ draft: inout DraftRow) {
        var cells = columns.read(&draft.reader)
        if !cells.domains.isEmpty { cells.values["domains"] = .array(cells.domains.map { .string($0) }) }
        setEntries(&draft, values: cells.values, dates: cells.dates)
    }

    /// The entries that the row asks for, and its key.
    private func setEntries(_ draft: inout DraftRow, values: [String: JSONValue], dates: [String: CivilDate]) {
        let fields = columns.ordered(values)
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
                status: "authorised", validFrom: zone.midnight(of: start), fields: columns.ordered(before),
                isHistory: true),
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
}

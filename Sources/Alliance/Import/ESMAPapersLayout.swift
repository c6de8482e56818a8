import TransparencyLog

/// The three lists of white papers in ESMA's interim register, read into `token-white-papers`: other crypto-assets
/// (OTHER), e-money tokens (EMTWP) and asset-referenced tokens (ARTZZ).
///
/// - No list has identifiers, titles or dates of papers. An identifier is made of the paper's address and the date of its
///   notification (its tokens where there is no address), and the key of issuer and identifier; of authority and identifier
///   where the issuer is not named. Where two rows of one key say different things, the second gets a number behind it.
/// - Papers of asset-referenced tokens are `approved`, the others `notified`, from the date of notification; the list of
///   other crypto-assets has no such date, and its rows speak from when they are published.
struct ESMAPapersLayout {
    /// The three lists.
    enum List: CaseIterable {
        case other, moneyTokens, referencedTokens

        var layout: ImportLayout {
            switch self {
            case .other: .esmaOTHER
            case .moneyTokens: .esmaEMT
            case .referencedTokens: .esmaART
            }
        }

        fileprivate var name: String {
            switch self {
            case .other: "list of other white papers"
            case .moneyTokens: "list of white papers of e-money tokens"
            case .referencedTokens: "list of white papers of asset-referenced tokens"
            }
        }

        fileprivate var kind: String {
            switch self {
            case .other: "other"
            case .moneyTokens: "e-money-token"
            case .referencedTokens: "asset-referenced-token"
            }
        }

        /// The column that only this list has.
        fileprivate var mark: String {
            switch self {
            case .other: "ae_offerCode_cou"
            case .moneyTokens: "ae_exemption48_4"
            case .referencedTokens: "ae_credit_institution"
            }
        }

        fileprivate var mapping: ESMAColumns.Mapping {
            let issuer: ESMAColumns.Mapping = [
                ("ae_competentAuthority", "competentAuthority", .text), ("ae_homeMemberState", "homeCountry", .code),
                ("ae_lei_name", "issuer", .value), ("ae_lei", "lei", .lei), ("ae_lei_cou_code", "leiCountry", .code),
            ]
            let authorised: ESMAColumns.Mapping = [
                ("ae_commercial_name", "commercialName", .value), ("ae_address", "address", .value),
                ("ae_website", "website", .value), ("ac_authorisationNotificationDate", "authorisationDate", .date),
                ("ac_authorisationEndDate", "authorisationEndDate", .date),
                ("wp_authorisationNotificationDate", "notificationDate", .date),
            ]
            let tokens: ESMAColumns.Mapping = [("ae_DTI_FFG", "dtiGroup", .codes), ("ae_DTI", "dti", .codes)]
            let paper: ESMAColumns.Mapping = [
                ("wp_url", "whitePaper", .value), ("wp_comments", "comments", .value),
                ("wp_lastupdate", "lastUpdate", .date),
            ]
            switch self {
            case .other:
                return issuer + tokens + paper + [
                    ("ae_lei_name_casp", "provider", .value), ("ae_lei_casp", "providerLei", .lei),
                    ("ae_offerCode_cou", "offerCountries", .codes),
                ]
            case .moneyTokens:
                return issuer + authorised + tokens + paper + [
                    ("ae_exemption48_4", "exemption48_4", .yesNo), ("ae_exemption48_5", "exemption48_5", .yesNo),
                    ("ae_authorisation_other_emt", "otherAuthorisation", .value),
                ]
            case .referencedTokens:
                return issuer + authorised + paper + [
                    ("ae_credit_institution", "creditInstitution", .yesNo), ("wp_url_cou", "offerCountries", .codes),
                ]
            }
        }
    }

    /// Which list it is.
    let list: List
    private let columns: ESMAColumns
    private let definition: RegisterDefinition
    private let zone: MemberZone

    /// What the layout says of a row.
    var fields: Set<String> { columns.fields.union(["kind", "paper"] + (list == .other ? [] : ["validFrom"])) }

    /// What is to be said of the file as a whole.
    var notes: [String] {
        list == .other
            ? ["The list has no dates of notification: its rows speak from when they are published, or from --from."]
            : []
    }

    /// The list that a header is of.
    static func list(of header: Header) -> List? {
        guard header.column("ae_competentAuthority") != nil else { return nil }
        return List.allCases.first { header.column($0.mark) != nil }
    }

    init(_ list: List, _ header: Header, definition: RegisterDefinition, zone: MemberZone) throws(ImportError) {
        columns = try ESMAColumns(
            header, list: list.name, mapping: list.mapping, register: "token-white-papers", definition: definition)
        self.list = list
        self.definition = definition
        self.zone = zone
    }

    func draft(_ draft: inout DraftRow) {
        var cells = columns.read(&draft.reader)
        cells.values["kind"] = .string(list.kind)
        cells.values["paper"] = .string(Self.identifier(cells))
        let date = cells.dates["notificationDate"]
        if list != .other, date == nil {
            let text = "no date of notification: speaks from when it is published"
            draft.reader.note(.date, "wp_authorisationNotificationDate", text)
        }
        if let end = cells.dates["authorisationEndDate"] {
            let text = "the issuer's authorisation ended on \(end); the paper's status is left as it is"
            draft.reader.note(.status, "ac_authorisationEndDate", found: end.description, text)
        }
        draft.entries = [
            DraftRow.Entry(
                status: list == .referencedTokens ? "approved" : "notified",
                validFrom: date.map { zone.midnight(of: $0) }, fields: columns.ordered(cells.values))
        ]
        setKey(&draft)
        if cells.values["issuer"] == nil, let key = draft.key {
            draft.reader.note(.key, "ae_lei_name", readAs: key, "key made of the authority, as no issuer is named")
        }
    }

    private func setKey(_ draft: inout DraftRow) {
        guard let fields = draft.entries.last?.fields else { return }
        switch definition.keyForm.key(of: fields) {
        case .success(let key): draft.key = key
        case .failure(let problem): draft.reader.refuse("", "the key \(problem.reason)")
        }
    }

    /// Twelve hexadecimal digits: of what tells a paper from others of the same issuer and hardly ever changes.
    private static func identifier(_ cells: ESMAColumns.Cells) -> String {
        var parts = [cells.values["whitePaper"]?.string, cells.dates["notificationDate"]?.description]
        if parts[0] == nil {
            for field in ["dtiGroup", "dti"] {
                parts.append(cells.values[field]?.array?.compactMap(\.string).joined(separator: "|"))
            }
        }
        let text = parts.map { UnicodeForm.collapsed($0 ?? "") }.joined(separator: "\n")
        return String(HashValue.sha256(Array(text.utf8)).hex.prefix(12))
    }

    /// Tells apart rows of one key that say different things.
    func settle(_ drafts: inout [DraftRow]) {
        SharedKeys.settle(&drafts) { draft, number in
            for index in draft.entries.indices {
                let paper = draft.entries[index].fields["paper"]?.string ?? ""
                draft.entries[index].fields["paper"] = .string("\(paper)-\(number)")
            }
            setKey(&draft)
        }
    }
}

/// The list of non-compliant entities in ESMA's interim register, read into `warnings`.
///
/// - The file has no identifiers, and hardly any LEI: the key is country, date of the decision and name, as in
///   `IT/2025-02-12/Dobibo`. Where two rows of one key say different things, the second gets a number behind it.
/// - A row is `warned` from the date of the decision; without one, from when it is published.
struct ESMANCASPLayout {
    private static let mapping: ESMAColumns.Mapping = [
        ("ae_competentAuthority", "competentAuthority", .text), ("ae_homeMemberState", "homeCountry", .code),
        ("ae_lei_name", "legalName", .value), ("ae_lei", "lei", .lei), ("ae_lei_cou_code", "leiCountry", .code),
        ("ae_commercial_name", "commercialName", .value), ("ae_website", "website", .website),
        ("ae_infrigment", "infringement", .value), ("ae_reason", "reason", .value),
        ("ae_decision_date", "decisionDate", .date), ("ae_comments", "comments", .value),
        ("ae_lastupdate", "lastUpdate", .date),
    ]

    private let columns: ESMAColumns
    private let definition: RegisterDefinition
    private let zone: MemberZone

    /// What the layout says of a row.
    var fields: Set<String> { columns.fields.union(["domains", "validFrom"]) }

    static func matches(_ header: Header) -> Bool {
        header.column("ae_competentAuthority") != nil && header.column("ae_infrigment") != nil
    }

    init(_ header: Header, definition: RegisterDefinition, zone: MemberZone) throws(ImportError) {
        columns = try ESMAColumns(
            header, list: "list of non-compliant entities", mapping: Self.mapping, register: "warnings",
            definition: definition)
        self.definition = definition
        self.zone = zone
    }

    func draft(_ draft: inout DraftRow) {
        var cells = columns.read(&draft.reader)
        if !cells.domains.isEmpty { cells.values["domains"] = .array(cells.domains.map { .string($0) }) }
        let fields = columns.ordered(cells.values)
        let date = cells.dates["decisionDate"]
        let name =
            fields["legalName"]?.string ?? fields["commercialName"]?.string ?? cells.domains.first
            ?? fields["website"]?.string
        guard let name else {
            return draft.reader.refuse("ae_lei_name", "there is neither a name nor a website, and so no key")
        }
        let place = fields["homeCountry"]?.string ?? fields["competentAuthority"]?.string
        let parts = [place, date?.description, name].compactMap(\.self)
        switch definition.keyForm.canonicalise(parts.joined(separator: "/")) {
        case .success(let key): draft.key = key
        case .failure(let problem): draft.reader.refuse("", "the key \(problem.reason)")
        }
        if date == nil {
            draft.reader.note(.date, "ae_decision_date", "no date of a decision: speaks from when it is published")
        }
        draft.entries = [
            DraftRow.Entry(status: "warned", validFrom: date.map { zone.midnight(of: $0) }, fields: fields)
        ]
    }

    /// Tells apart rows of one key that say different things.
    func settle(_ drafts: inout [DraftRow]) {
        SharedKeys.settle(&drafts) { draft, number in
            guard let key = draft.key, let next = try? definition.keyForm.canonicalise("\(key)/\(number)").get() else {
                return
            }
            draft.key = next
        }
    }
}

/// Rows of one file that would have one key.
enum SharedKeys {
    /// Numbers the rows of a key whose entries differ, in the order of the file: the first keeps its key. Rows that say the
    /// same keep one key between them, and are taken once.
    ///
    /// - Parameter rename: gives a draft the key of that number, from 2.
    static func settle(_ drafts: inout [DraftRow], rename: (inout DraftRow, Int) -> Void) {
        var seen: [[UInt8]: [(line: Int, entries: [DraftRow.Entry])]] = [:]
        for index in drafts.indices {
            guard let key = drafts[index].key, drafts[index].reader.reasons.isEmpty else { continue }
            let bytes = Array(key.utf8)
            let entries = drafts[index].entries
            let before = seen[bytes] ?? []
            let same = before.firstIndex { isSame($0.entries, entries) }
            if same == nil { seen[bytes] = before + [(drafts[index].line, entries)] }
            let number = (same ?? before.count) + 1
            guard number > 1 else { continue }
            rename(&drafts[index], number)
            guard let next = drafts[index].key else { continue }
            let text = "line \(before[0].line) has the key \(key) too and says something else; this is number \(number)"
            drafts[index].reader.note(.key, "", found: key, readAs: next, text)
        }
    }

    private static func isSame(_ one: [DraftRow.Entry], _ other: [DraftRow.Entry]) -> Bool {
        one.map(bytes) == other.map(bytes)
    }

    private static func bytes(_ entry: DraftRow.Entry) -> [UInt8] {
        let from = entry.validFrom.map { String($0.seconds) } ?? ""
        return Array("\(entry.status) \(from) ".utf8) + JSONValue.object(entry.fields).encoded()
    }
}

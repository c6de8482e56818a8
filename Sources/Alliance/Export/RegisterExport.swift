import TransparencyLog

/// What a member's register says, as a file: strictly in the register's own layout, and valid against its definition.
///
/// One row for each statement that is in force, by the bytes of its key and then by `validFrom`. Imported again, nothing has
/// to be published.
public struct RegisterExport: Sendable {
    /// The register's definition.
    public let definition: RegisterDefinition
    /// The rows that are exported, in their order.
    public let rows: [PublishedRow]
    /// What cannot be exported, in the same order.
    public let refused: [Refusal]

    /// A row that cannot be exported, and why.
    public struct Refusal: Hashable, Sendable {
        /// The key in canonical form.
        public let key: String
        /// From when the row speaks.
        public let validFrom: Timestamp
        /// The reason as a clause for people.
        public let reason: String
    }

    /// Chooses and orders what a register's log has in force.
    ///
    /// A row that breaks its definition is refused, and so are rows of one key and one `validFrom`, between which nobody has
    /// decided: a table whose primary key stands twice is none.
    public init(_ published: [PublishedRow], definition: RegisterDefinition) {
        self.definition = definition
        let sorted = published.map { (key: Array($0.key.utf8), row: $0) }.sorted { one, other in
            if one.key != other.key { return one.key.lexicographicallyPrecedes(other.key) }
            let times = (one.row.validFrom.seconds, other.row.validFrom.seconds)
            return times.0 != times.1 ? times.0 < times.1 : one.row.identity < other.row.identity
        }
        var rows: [PublishedRow] = []
        var refused: [Refusal] = []
        for (index, one) in sorted.enumerated() {
            func isTwin(_ other: Int) -> Bool {
                sorted.indices.contains(other) && sorted[other].key == one.key
                    && sorted[other].row.validFrom.seconds == one.row.validFrom.seconds
            }
            var reason = definition.problems(in: one.row.fields).first?.description
            if definition.status(one.row.status) == nil {
                reason = "status \"\(one.row.status)\" is not one of \(definition.name)"
            }
            if isTwin(index - 1) || isTwin(index + 1) { reason = "two statements speak from the same instant" }
            if let reason {
                refused.append(Refusal(key: one.row.key, validFrom: one.row.validFrom, reason: reason))
            } else {
                rows.append(one.row)
            }
        }
        self.rows = rows
        self.refused = refused
    }

    // MARK: CSV

    /// Separated values (RFC 4180) in UTF-8 without a byte-order mark: the columns of ``RegisterDefinition/columns`` in that
    /// order. Items of lists are separated by `|`. Values of erasable fields are left out.
    public var csv: [UInt8] {
        var output = definition.template
        for row in rows {
            var cells = [row.key, row.status, row.validFrom.text, row.validUntil?.text ?? ""]
            cells += definition.fields.map { Self.cell(row.fields[$0.name]) }
            for (position, cell) in cells.enumerated() {
                if position > 0 { output.append(0x2C) }
                Self.append(cell, to: &output)
            }
            output += [0x0D, 0x0A]
        }
        return output
    }

    private static func cell(_ value: JSONValue?) -> String {
        switch value {
        case nil, .null?, .object?: ""
        case .bool(let flag)?: flag ? "true" : "false"
        case .integer(let number)?: String(number)
        case .number(let text)?: text
        case .string(let text)?: text
        case .array(let items)?: items.compactMap(\.string).joined(separator: "|")
        }
    }

    private static func append(_ cell: String, to output: inout [UInt8]) {
        guard cell.utf8.contains(where: { [0x2C, 0x22, 0x0D, 0x0A].contains($0) }) else {
            output += cell.utf8
            return
        }
        output.append(0x22)
        for byte in cell.utf8 {
            if byte == 0x22 { output.append(0x22) }
            output.append(byte)
        }
        output.append(0x22)
    }

    // MARK: JSON

    /// One object a line, with the columns that have a value, in their order; lists as arrays.
    public var jsonLines: [UInt8] {
        var output: [UInt8] = []
        for row in rows {
            var object: JSONObject = [
                "key": .string(row.key), "status": .string(row.status), "validFrom": .string(row.validFrom.text),
            ]
            object["validUntil"] = row.validUntil.map { .string($0.text) }
            for field in definition.fields {
                guard let value = row.fields[field.name], value.object == nil else { continue }
                object[field.name] = value
            }
            output += JSONValue.object(object).encoded() + [0x0A]
        }
        return output
    }

    // MARK: Data package

    /// Where an export comes from.
    public struct Origin: Hashable, Sendable {
        /// SHA-256 of charter version 1's payload.
        public let alliance: String
        /// The member whose register it is.
        public let member: String
        /// The member's name for people.
        public let title: String
        /// Entries of the member's log, as the exporting node held it.
        public let entries: Int64
        /// When it was exported.
        public let time: Timestamp

        /// States an origin.
        public init(alliance: String, member: String, title: String, entries: Int64, time: Timestamp) {
            self.alliance = alliance
            self.member = member
            self.title = title
            self.entries = entries
            self.time = time
        }
    }

    /// The name of the CSV file in a data package.
    public var dataName: String { "\(definition.name).csv" }

    /// The `datapackage.json` (Data Package 2.0) of ``csv``, whose schema is the register's definition as it stands.
    public func package(_ csv: [UInt8], from origin: Origin) -> [UInt8] {
        let schema = (try? JSONValue.parse(definition.descriptor)) ?? .null
        let package: JSONValue = [
            "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
            "name": .string("\(definition.name)"),
            "title": .string("\(definition.title): \(origin.title)"), "created": .string(origin.time.text),
            "resources": [
                [
                    "name": .string(definition.name), "type": "table", "path": .string(dataName), "format": "csv",
                    "mediatype": "text/csv", "encoding": "utf-8",
                    "bytes": .integer(Int64(csv.count)), "hash": .string("sha256:\(HashValue.sha256(csv).hex)"),
                    "schema": schema,
                ]
            ],
            "entente": [
                "alliance": .string(origin.alliance), "member": .string(origin.member),
                "register": .string(definition.name), "entries": .integer(origin.entries),
                "rows": .integer(Int64(rows.count)),
                "definition": .string(HashValue.sha256(definition.descriptor).hex),
            ],
        ]
        return package.encodedForReading()
    }
}

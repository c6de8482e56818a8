/// How the columns of a publisher's own file become the fields of a register: a strict JSON object,
///
///     {"entente-map":1,"register":"vasp-licences",
///      "columns":{"Licence no.":"licenceNumber","Firm":"legalName"},"ignore":["Remarks"],
///      "constants":{"competentAuthority":"PDAA"},"statuses":{"Licensed":"authorised"},
///      "dates":{"authorisationDate":"day-first"}}
///
/// Only the first three members are required, `ignore` not among them. A column that the map does not name is read where
/// its name is that of a field, and is an error otherwise, so that nothing is passed over unseen.
public struct ColumnMap: Sendable {
    /// The register that it is for.
    public let register: String
    private let columns: [(column: String, field: String)]
    private let ignored: [String]
    private let constants: [(field: String, text: String)]
    private let statuses: [(word: String, status: String)]
    /// What is known of day and month in the columns of fields.
    let dates: [String: DateOrder]

    /// Bytes of a map's file.
    public static let byteLimit = 256 << 10

    /// Reads a map.
    ///
    /// - Throws: ``ImportError`` with code `map` for anything that is not one.
    public init(_ bytes: [UInt8]) throws(ImportError) {
        guard bytes.count <= Self.byteLimit else { throw Self.wrong("is longer than \(Self.byteLimit) bytes") }
        let parsed: JSONValue
        do { parsed = try JSONValue.parse(bytes) } catch { throw Self.wrong("\(error)") }
        guard let object = parsed.object, object["entente-map"] == .integer(1) else {
            throw Self.wrong("must be an object with \"entente-map\": 1")
        }
        let known = ["entente-map", "register", "columns", "ignore", "constants", "statuses", "dates"]
        if let other = object.names.first(where: { !known.contains($0) }) { throw Self.wrong("\(other) is not known") }
        guard let register = object["register"]?.string else { throw Self.wrong("register: must be a register's name") }
        self.register = register
        columns = try Self.texts(object, "columns", required: true).map { (column: $0.name, field: $0.text) }
        constants = try Self.texts(object, "constants").map { (field: $0.name, text: $0.text) }
        statuses = try Self.texts(object, "statuses").map { (word: $0.name, status: $0.text) }
        let ignore = object["ignore"] ?? []
        ignored = (ignore.array ?? []).compactMap(\.string)
        guard ignored.count == ignore.array?.count else { throw Self.wrong("ignore: must be a list of columns") }
        var dates: [String: DateOrder] = [:]
        for (field, text) in try Self.texts(object, "dates") {
            switch text {
            case "day-first": dates[field] = .dayFirst
            case "month-first": dates[field] = .monthFirst
            default: throw Self.wrong("dates.\(field): must be day-first or month-first")
            }
        }
        self.dates = dates
    }

    private static func wrong(_ reason: String) -> ImportError { ImportError(.map, "the map: \(reason)") }

    private static func texts(
        _ object: JSONObject, _ name: String, required: Bool = false
    ) throws(ImportError) -> [(name: String, text: String)] {
        guard let value = object[name] else {
            if required { throw wrong("\(name): is missing") }
            return []
        }
        guard let members = value.object?.members, members.count <= ImportLimits.columns else {
            throw wrong("\(name): must be an object of at most \(ImportLimits.columns) members")
        }
        var texts: [(name: String, text: String)] = []
        for member in members {
            guard let text = member.value.string, !text.isEmpty else {
                throw wrong("\(name).\(member.name): must be a text that is not empty")
            }
            texts.append((member.name, text))
        }
        return texts
    }

    /// What is to be said of a file that was read by it.
    var note: String {
        let read = columns.map { "\($0.column) as \($0.field)" }.joined(separator: ", ")
        let given = constants.map { "\($0.field) is \"\($0.text)\" everywhere" }
        let passed = ignored.isEmpty ? [] : ["passed over: \(ignored.joined(separator: ", "))"]
        return "Columns are read by the map: \(([read] + given + passed).joined(separator: "; "))."
    }

    func field(of column: String) -> String? { columns.first { Self.same($0.column, column) }?.field }

    func ignores(_ column: String) -> Bool { ignored.contains { Self.same($0, column) } }

    func status(_ word: String) -> String? { statuses.first { Self.same($0.word, word) }?.status }

    private static func same(_ one: String, _ other: String) -> Bool {
        UnicodeForm.collapsed(one).utf8.elementsEqual(UnicodeForm.collapsed(other).utf8)
    }

    /// The fields that every row has by the map.
    func constants(of definition: RegisterDefinition) throws(ImportError) -> [String: RowReader.Column] {
        var columns: [String: RowReader.Column] = [:]
        for (field, text) in constants {
            guard definition.columns.contains(field) else { throw Self.unknown("constants.\(field)", definition) }
            columns[field] = RowReader.Column(name: field, index: -1, constant: text)
        }
        return columns
    }

    /// Whether the map fits the file and the register.
    func check(_ header: Header, _ definition: RegisterDefinition) throws(ImportError) {
        guard register == definition.name else {
            throw Self.wrong("register: it is for \(register), not for \(definition.name)")
        }
        for name in columns.map(\.column) + ignored where !header.columns.contains(where: { Self.same($0.name, name) })
        {
            throw Self.wrong("columns: the file has no column \"\(name)\"")
        }
        for (column, field) in columns where !definition.columns.contains(field) {
            throw Self.unknown("columns.\(column)", definition)
        }
        for (word, status) in statuses where definition.status(status) == nil {
            let all = definition.statuses.map(\.name).joined(separator: ", ")
            throw Self.wrong("statuses.\(word): \(definition.name) has no status \(status); it has: \(all)")
        }
        if let field = dates.keys.sorted().first(where: { !definition.columns.contains($0) }) {
            throw Self.unknown("dates.\(field)", definition)
        }
    }

    private static func unknown(_ place: String, _ definition: RegisterDefinition) -> ImportError {
        wrong("\(place): \(definition.name) has no such field; it has: \(definition.columns.joined(separator: ", "))")
    }
}

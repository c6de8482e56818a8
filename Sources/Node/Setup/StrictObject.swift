import Alliance
import TransparencyLog

/// Reads the members of one JSON object by name, says where something is wrong, and refuses what it does not know.
struct StrictObject {
    private let object: JSONObject
    private let file: String
    private let path: String
    private var known: Set<String> = []

    init(_ value: JSONValue, file: String, path: String = "") throws(SetupError) {
        guard let object = value.object else {
            throw SetupError(.malformed, file, path.isEmpty ? "must hold a JSON object" : "\(path) must be an object")
        }
        self.object = object
        self.file = file
        self.path = path
    }

    /// Reads a file's bytes.
    init(parsing bytes: [UInt8], file: String) throws(SetupError) {
        let value: JSONValue
        do { value = try JSONValue.parse(bytes) } catch { throw SetupError(.malformed, file, "\(error)") }
        try self.init(value, file: file)
    }

    func error(_ name: String, _ reason: String) -> SetupError {
        SetupError(.malformed, file, "\(place(name)) \(reason)")
    }

    func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

    mutating func optional(_ name: String) -> JSONValue? {
        known.insert(name)
        let value = object[name]
        return value == .null ? nil : value
    }

    mutating func value(_ name: String) throws(SetupError) -> JSONValue {
        guard let value = optional(name) else { throw error(name, "is missing") }
        return value
    }

    mutating func string(_ name: String, most limit: Int = 1_024) throws(SetupError) -> String {
        guard let text = try value(name).string, !text.isEmpty, text.utf8.count <= limit else {
            throw error(name, "must be a text of 1 to \(limit) bytes")
        }
        return text
    }

    mutating func optionalString(_ name: String, most limit: Int = 1_024) throws(SetupError) -> String? {
        optional(name) == nil ? nil : try string(name, most: limit)
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64>) throws(SetupError) -> Int64 {
        guard let number = try value(name).integer, range.contains(number) else {
            throw error(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func bool(_ name: String) throws(SetupError) -> Bool {
        guard let value = try value(name).bool else { throw error(name, "must be true or false") }
        return value
    }

    mutating func array(_ name: String, most limit: Int, least: Int = 0) throws(SetupError) -> [JSONValue] {
        guard let items = try value(name).array, items.count >= least, items.count <= limit else {
            throw error(name, "must be a list of \(least) to \(limit) items")
        }
        return items
    }

    mutating func strings(_ name: String, most limit: Int, length: Int = 1_024) throws(SetupError) -> [String] {
        var texts: [String] = []
        for item in try array(name, most: limit) {
            guard let text = item.string, !text.isEmpty, text.utf8.count <= length else {
                throw error(name, "must be a list of texts of 1 to \(length) bytes")
            }
            texts.append(text)
        }
        return texts
    }

    /// The members of a list of objects, each read by `read`.
    mutating func objects<Value>(
        _ name: String, most limit: Int, least: Int = 0, _ read: (inout StrictObject) throws(SetupError) -> Value
    ) throws(SetupError) -> [Value] {
        var values: [Value] = []
        for (position, item) in try array(name, most: limit, least: least).enumerated() {
            var reader = try StrictObject(item, file: file, path: "\(place(name))[\(position)]")
            values.append(try read(&reader))
            try reader.finish()
        }
        return values
    }

    /// Canonical base64url.
    mutating func bytes(_ name: String, most limit: Int) throws(SetupError) -> [UInt8] {
        guard let bytes = Base64.decodeURL(try string(name, most: limit)) else {
            throw error(name, "must be canonical base64url")
        }
        return bytes
    }

    mutating func digest(_ name: String) throws(SetupError) -> HashValue {
        guard let digest = HashValue(base64url: try string(name, most: 64)) else {
            throw error(name, "must be a base64url SHA-256")
        }
        return digest
    }

    /// Refuses members that were not asked for.
    func finish() throws(SetupError) {
        for name in object.names where !known.contains(where: { $0.utf8.elementsEqual(name.utf8) }) {
            throw error(name, "is not a member known here")
        }
    }
}

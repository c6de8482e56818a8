import TransparencyLog

/// Reads the members of one JSON object by name, and says where something is missing or wrong.
///
/// Strict readers name all that they know and then call ``finish()``, which refuses any other member.
struct JSONReader {
    let view: JSONView
    let place: String
    private var known: [StaticString] = []

    init(_ view: JSONView, at place: String) throws(AllianceError) {
        guard view.kind == .object else { throw AllianceError(.invalidField, "must be an object", at: place) }
        self.view = view
        self.place = place
        known.reserveCapacity(16)
    }

    func path(_ name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }

    mutating func optional(_ name: StaticString) -> JSONView? {
        known.append(name)
        return view[name]
    }

    mutating func required(_ name: StaticString) throws(AllianceError) -> JSONView {
        guard let value = optional(name) else {
            throw AllianceError(.invalidField, "is missing", at: path(name.description))
        }
        return value
    }

    mutating func string(_ name: StaticString, most limit: Int = 1_024) throws(AllianceError) -> String {
        let value = try required(name)
        return try Self.string(value, at: path(name.description), most: limit)
    }

    mutating func optionalString(_ name: StaticString, most limit: Int = 1_024) throws(AllianceError) -> String? {
        guard let value = optional(name), value.kind != .null else { return nil }
        return try Self.string(value, at: path(name.description), most: limit)
    }

    static func string(
        _ value: JSONView, at place: @autoclosure () -> String, most limit: Int
    ) throws(AllianceError) -> String {
        guard let text = value.string else { throw AllianceError(.invalidField, "must be a string", at: place()) }
        guard !text.isEmpty else { throw AllianceError(.invalidField, "must not be empty", at: place()) }
        guard text.utf8.count <= limit else {
            throw AllianceError(.invalidField, "is longer than \(limit) bytes", at: place())
        }
        return text
    }

    mutating func integer(
        _ name: StaticString, in range: ClosedRange<Int64>
    ) throws(AllianceError) -> Int64 {
        let value = try required(name)
        guard let number = value.integer, range.contains(number) else {
            throw AllianceError(
                .invalidField, "must be a whole number from \(range.lowerBound) to \(range.upperBound)",
                at: path(name.description))
        }
        return number
    }

    mutating func digest(_ name: StaticString) throws(AllianceError) -> HashValue {
        try Self.digest(try required(name), at: path(name.description))
    }

    mutating func optionalDigest(_ name: StaticString) throws(AllianceError) -> HashValue? {
        guard let value = optional(name), value.kind != .null else { return nil }
        return try Self.digest(value, at: path(name.description))
    }

    static func digest(_ value: JSONView, at place: @autoclosure () -> String) throws(AllianceError) -> HashValue {
        guard let text = value.string, let digest = HashValue(base64url: text) else {
            throw AllianceError(.invalidField, "must be a base64url SHA-256", at: place())
        }
        return digest
    }

    mutating func timestamp(_ name: StaticString) throws(AllianceError) -> Timestamp {
        let text = try string(name)
        guard let time = Timestamp(parsing: text) else {
            throw AllianceError(
                .invalidField, "must be an RFC 3339 time with a zone, such as 2026-11-24T00:00:00+05:00",
                at: path(name.description))
        }
        return time
    }

    mutating func optionalTimestamp(_ name: StaticString) throws(AllianceError) -> Timestamp? {
        guard view[name] != nil else {
            known.append(name)
            return nil
        }
        return try timestamp(name)
    }

    mutating func array(
        _ name: StaticString, most limit: Int, least: Int = 0
    ) throws(AllianceError) -> [JSONView] {
        let value = try required(name)
        guard let elements = value.elements, elements.count <= limit, elements.count >= least else {
            throw AllianceError(
                .invalidField, "must be a list of \(least) to \(limit) elements", at: path(name.description))
        }
        return elements
    }

    mutating func optionalArray(_ name: StaticString, most limit: Int) throws(AllianceError) -> [JSONView] {
        guard view[name] != nil else {
            known.append(name)
            return []
        }
        return try array(name, most: limit)
    }

    mutating func strings(
        _ name: StaticString, most limit: Int, least: Int = 0, length: Int = 1_024
    ) throws(AllianceError) -> [String] {
        var result: [String] = []
        for (position, element) in try array(name, most: limit, least: least).enumerated() {
            result.append(try Self.string(element, at: "\(path(name.description))[\(position)]", most: length))
        }
        return result
    }

    /// Refuses members that were not asked for.
    func finish() throws(AllianceError) {
        guard let name = view.firstMember(except: known) else { return }
        throw AllianceError(.invalidField, "is not a member known here", at: path(name))
    }
}

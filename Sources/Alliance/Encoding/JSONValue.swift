/// A JSON value, with the members of its objects in their order.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// A number with a fraction, as its exact text.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// Reads one strict JSON text; see ``JSONTape`` for what strict means.
    ///
    /// - Throws: ``JSONError``.
    public static func parse(_ bytes: [UInt8]) throws -> JSONValue { try JSONTape(bytes).root.value }

    /// The value as compact UTF-8 JSON: members in their order, no space, only what must be escaped is escaped.
    public func encoded() -> [UInt8] {
        var output: [UInt8] = []
        write(to: &output, indent: nil)
        return output
    }

    /// The value as JSON for people: two spaces of indentation, a final newline.
    public func encodedForReading() -> [UInt8] {
        var output: [UInt8] = []
        write(to: &output, indent: 0)
        output.append(0x0A)
        return output
    }

    /// The text, if this is a string.
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    /// The value, if this is an integer.
    public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    /// The value, if this is true or false.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The elements, if this is an array.
    public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }
    /// The object, if this is one.
    public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }

    /// The member of that name, if this is an object that has it.
    public subscript(_ name: String) -> JSONValue? { object?[name] }
}

/// A JSON object: members in the order in which they stand. Names are compared by their bytes.
public struct JSONObject: Hashable, Sendable {
    /// One member.
    public struct Member: Hashable, Sendable {
        public var name: String
        public var value: JSONValue
    }

    /// The members, in order.
    public private(set) var members: [Member]

    /// An object of these members; a name that stands twice keeps its last value.
    public init(_ members: some Sequence<(String, JSONValue)> = []) {
        self.members = members.map { Member(name: $0.0, value: $0.1) }
    }

    /// The value of a member; assigning adds at the end, replaces in place, or with nil removes.
    public subscript(_ name: String) -> JSONValue? {
        get { position(of: name).map { members[$0].value } }
        set {
            switch (position(of: name), newValue) {
            case (let found?, let value?): members[found].value = value
            case (let found?, nil): members.remove(at: found)
            case (nil, let value?): members.append(Member(name: name, value: value))
            case (nil, nil): break
            }
        }
    }

    /// The members' names, in order.
    public var names: [String] { members.map(\.name) }

    /// Whether there is no member.
    public var isEmpty: Bool { members.isEmpty }

    private func position(of name: String) -> Int? {
        members.firstIndex { $0.name.utf8.elementsEqual(name.utf8) }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

// MARK: - Writing

extension JSONValue {
    private func write(to output: inout [UInt8], indent: Int?) {
        switch self {
        case .null: output.append(contentsOf: "null".utf8)
        case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): output.append(contentsOf: String(value).utf8)
        case .number(let text): output.append(contentsOf: text.utf8)
        case .string(let text): Self.write(text, to: &output)
        case .array(let elements):
            Self.write("[", "]", count: elements.count, to: &output, indent: indent) { position, output, indent in
                elements[position].write(to: &output, indent: indent)
            }
        case .object(let object):
            Self.write("{", "}", count: object.members.count, to: &output, indent: indent) { position, output, indent in
                Self.write(object.members[position].name, to: &output)
                output.append(contentsOf: (indent == nil ? ":" : ": ").utf8)
                object.members[position].value.write(to: &output, indent: indent)
            }
        }
    }

    private static func write(
        _ opening: String, _ closing: String, count: Int, to output: inout [UInt8], indent: Int?,
        element: (Int, inout [UInt8], Int?) -> Void
    ) {
        output.append(contentsOf: opening.utf8)
        for position in 0..<count {
            if position > 0 { output.append(UInt8(ascii: ",")) }
            newline(indent.map { $0 + 1 }, to: &output)
            element(position, &output, indent.map { $0 + 1 })
        }
        if count > 0 { newline(indent, to: &output) }
        output.append(contentsOf: closing.utf8)
    }

    private static func newline(_ indent: Int?, to output: inout [UInt8]) {
        guard let indent else { return }
        output.append(0x0A)
        output.append(contentsOf: repeatElement(0x20, count: indent * 2))
    }

    private static func write(_ text: String, to output: inout [UInt8]) {
        let hex = Array("0123456789abcdef".utf8)
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x0A: output.append(contentsOf: "\\n".utf8)
            case 0x0D: output.append(contentsOf: "\\r".utf8)
            case 0x09: output.append(contentsOf: "\\t".utf8)
            case 0..<0x20:
                output.append(contentsOf: "\\u00".utf8)
                output.append(contentsOf: [hex[Int(byte >> 4)], hex[Int(byte & 15)]])
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}

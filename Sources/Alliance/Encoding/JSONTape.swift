/// A strict JSON text, checked once and indexed in place: no tree is built, and values are decoded only when asked for.
///
/// Strict means RFC 8259, and as RFC 7493 (I-JSON) advises: valid UTF-8, no byte-order mark, no duplicate member name
/// (names are compared after unescaping), no lone surrogate, integers within ±(2^53 - 1), nothing after the value, and
/// nesting up to ``JSONLimits/depth``. Statements are read by the hundred thousand, so reading costs one array.
public struct JSONTape: Sendable {
    struct Node {
        var kind: Kind
        /// Offsets of the value's bytes; for a string, those between the quotes.
        var start: UInt32
        var end: UInt32
        /// Index of the node after this value and all inside it.
        var next: UInt32
    }

    /// What a value is.
    public enum Kind: UInt8, Sendable {
        case null, `true`, `false`, number, string, escapedString, array, object
    }

    /// What was read; one reference, because views of it are handed on by the million.
    final class Storage: Sendable {
        let bytes: [UInt8]
        let nodes: [Node]

        init(bytes: [UInt8], nodes: [Node]) {
            self.bytes = bytes
            self.nodes = nodes
        }
    }

    let storage: Storage

    /// Checks and indexes `bytes`.
    ///
    /// - Parameter limit: bytes that are read at the most; up to 4 GiB.
    /// - Throws: ``JSONError`` for anything that is not strict JSON.
    public init(_ bytes: [UInt8], limit: Int = JSONLimits.bytes) throws(JSONError) {
        guard bytes.count <= min(limit, Int(UInt32.max)) else { throw JSONError("longer than \(limit) bytes", at: 0) }
        var parser = JSONParser(at: 0)
        var nodes: [Node] = []
        nodes.reserveCapacity(bytes.count / 16 + 4)
        let failure: JSONError? = bytes.withUnsafeBufferPointer { buffer in
            do throws(JSONError) {
                try parser.parse(buffer, into: &nodes)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
        storage = Storage(bytes: bytes, nodes: nodes)
    }

    /// The outermost value.
    public var root: JSONView { JSONView(tape: storage, index: 0) }
}

/// One value inside a ``JSONTape``.
public struct JSONView: Sendable {
    let tape: JSONTape.Storage
    let index: Int

    private var node: JSONTape.Node { tape.nodes[index] }

    /// What the value is.
    public var kind: JSONTape.Kind { node.kind }

    /// The value's own bytes, as received.
    public var rawBytes: ArraySlice<UInt8> { tape.bytes[Int(node.start)..<Int(node.end)] }

    /// The member of that name, if this is an object that has it.
    public subscript(_ name: StaticString) -> JSONView? {
        guard node.kind == .object else { return nil }
        return member(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
    }

    /// The member of that name, if this is an object that has it.
    public func member(_ name: String) -> JSONView? {
        guard node.kind == .object else { return nil }
        var name = name
        return name.withUTF8 { member($0) }
    }

    private func member(_ wanted: UnsafeBufferPointer<UInt8>) -> JSONView? {
        let found: Int? = tape.nodes.withUnsafeBufferPointer { nodes in
            var child = index + 1
            let end = Int(nodes[index].next)
            while child < end {
                if tape.matches(nodes[child], wanted) { return child + 1 }
                child = Int(nodes[child + 1].next)
            }
            return nil
        }
        return found.map { JSONView(tape: tape, index: $0) }
    }

    /// The first member whose name is none of these, if this is an object that has one.
    func firstMember(except known: [StaticString]) -> String? {
        guard node.kind == .object else { return nil }
        var child = index + 1
        let end = Int(node.next)
        while child < end {
            let key = tape.nodes[child]
            let isKnown = known.contains { name in
                tape.matches(key, UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
            }
            guard isKnown else { return JSONView(tape: tape, index: child).string ?? "" }
            child = Int(tape.nodes[child + 1].next)
        }
        return nil
    }

    /// The text, if this is a string.
    public var string: String? {
        switch node.kind {
        case .string: String(decoding: rawBytes, as: UTF8.self)
        case .escapedString: String(decoding: JSONParser.unescape(rawBytes), as: UTF8.self)
        default: nil
        }
    }

    /// The UTF-8 bytes of the text, if this is a string.
    public var utf8: [UInt8]? {
        switch node.kind {
        case .string: Array(rawBytes)
        case .escapedString: JSONParser.unescape(rawBytes)
        default: nil
        }
    }

    /// Whether this is the string `text`, compared by bytes.
    public func isString(_ text: StaticString) -> Bool {
        guard node.kind == .string || node.kind == .escapedString else { return false }
        return tape.matches(node, UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// The value, if this is an integer.
    public var integer: Int64? {
        guard node.kind == .number else { return nil }
        return Int64(String(decoding: rawBytes, as: UTF8.self))
    }

    /// The value, if this is true or false.
    public var bool: Bool? {
        switch node.kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// The elements, if this is an array.
    public var elements: [JSONView]? {
        guard node.kind == .array else { return nil }
        var result: [JSONView] = []
        var child = index + 1
        while child < Int(node.next) {
            result.append(JSONView(tape: tape, index: child))
            child = Int(tape.nodes[child].next)
        }
        return result
    }

    /// The members in their order, if this is an object.
    public var members: [(name: String, value: JSONView)]? {
        guard node.kind == .object else { return nil }
        var result: [(name: String, value: JSONView)] = []
        var child = index + 1
        while child < Int(node.next) {
            let name = JSONView(tape: tape, index: child).string ?? ""
            result.append((name, JSONView(tape: tape, index: child + 1)))
            child = Int(tape.nodes[child + 1].next)
        }
        return result
    }

    /// The value as a tree of its own.
    public var value: JSONValue {
        switch node.kind {
        case .null: return .null
        case .true: return .bool(true)
        case .false: return .bool(false)
        case .number:
            let text = String(decoding: rawBytes, as: UTF8.self)
            return Int64(text).map { .integer($0) } ?? .number(text)
        case .string, .escapedString: return .string(string ?? "")
        case .array: return .array((elements ?? []).map(\.value))
        case .object: return .object(JSONObject((members ?? []).map { ($0.name, $0.value.value) }))
        }
    }
}

extension JSONTape.Storage {
    /// Whether a string node says exactly `wanted`.
    func matches(_ node: JSONTape.Node, _ wanted: UnsafeBufferPointer<UInt8>) -> Bool {
        if node.kind == .escapedString {
            return JSONParser.unescape(bytes[Int(node.start)..<Int(node.end)]).elementsEqual(wanted)
        }
        let start = Int(node.start)
        guard Int(node.end) - start == wanted.count else { return false }
        return bytes.withUnsafeBufferPointer { bytes in
            for offset in 0..<wanted.count where bytes[start + offset] != wanted[offset] { return false }
            return true
        }
    }
}

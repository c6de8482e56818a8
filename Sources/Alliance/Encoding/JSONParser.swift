/// The scanner behind ``JSONTape``: one pass, no recursion, so depth costs memory only within its limit.
struct JSONParser {
    private var position: Int
    private var open: [Int] = []
    /// For each of ``open``, how many names an object has, and all of them once they are many.
    private var names: [(count: Int, set: Set<[UInt8]>)] = []
    private static let fewNames = 16

    init(at position: Int) {
        self.position = position
        open.reserveCapacity(8)
        names.reserveCapacity(8)
    }

    private typealias Input = UnsafeBufferPointer<UInt8>
    private typealias Node = JSONTape.Node

    mutating func parse(_ input: UnsafeBufferPointer<UInt8>, into nodes: inout [JSONTape.Node]) throws(JSONError) {
        if input.count >= 3, input[0] == 0xEF, input[1] == 0xBB, input[2] == 0xBF {
            throw JSONError("starts with a byte-order mark", at: 0)
        }
        skipSpace(input)
        repeat {
            try value(input, &nodes)
            try close(input, &nodes)
        } while !open.isEmpty
        skipSpace(input)
        guard position == input.count else { throw JSONError("something follows the value", at: position) }
    }

    /// Reads one value; of an array or object only its opening, and its first name.
    private mutating func value(_ input: Input, _ nodes: inout [Node]) throws(JSONError) {
        guard position < input.count else { throw JSONError("ends where a value is due", at: position) }
        switch input[position] {
        case UInt8(ascii: "{"): try begin(.object, input, &nodes)
        case UInt8(ascii: "["): try begin(.array, input, &nodes)
        case UInt8(ascii: "\""): try string(input, &nodes)
        case UInt8(ascii: "t"): try word("true", .true, input, &nodes)
        case UInt8(ascii: "f"): try word("false", .false, input, &nodes)
        case UInt8(ascii: "n"): try word("null", .null, input, &nodes)
        default: try number(input, &nodes)
        }
    }

    private mutating func begin(_ kind: JSONTape.Kind, _ input: Input, _ nodes: inout [Node]) throws(JSONError) {
        guard open.count < JSONLimits.depth else {
            throw JSONError("nested deeper than \(JSONLimits.depth)", at: position)
        }
        nodes.append(Node(kind: kind, start: UInt32(position), end: 0, next: 0))
        position += 1
        skipSpace(input)
        let closing: UInt8 = kind == .object ? UInt8(ascii: "}") : UInt8(ascii: "]")
        open.append(nodes.count - 1)
        names.append((0, []))
        if position < input.count, input[position] == closing { return }
        if kind == .object {
            try name(input, &nodes)
        }
        try value(input, &nodes)
    }

    private mutating func name(_ input: Input, _ nodes: inout [Node]) throws(JSONError) {
        guard position < input.count, input[position] == UInt8(ascii: "\"") else {
            throw JSONError("a member name is due", at: position)
        }
        let at = position
        try string(input, &nodes)
        try refuseDuplicate(at, input, nodes)
        skipSpace(input)
        guard position < input.count, input[position] == UInt8(ascii: ":") else {
            throw JSONError("a colon is due", at: position)
        }
        position += 1
        skipSpace(input)
    }

    /// After a value: closes what ends here, or goes on to the next element's start.
    private mutating func close(_ input: Input, _ nodes: inout [Node]) throws(JSONError) {
        while let container = open.last {
            skipSpace(input)
            guard position < input.count else { throw JSONError("ends inside an array or object", at: position) }
            let isObject = nodes[container].kind == .object
            let byte = input[position]
            if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                position += 1
                nodes[container].end = UInt32(position)
                nodes[container].next = UInt32(nodes.count)
                open.removeLast()
                names.removeLast()
                continue
            }
            guard byte == UInt8(ascii: ",") else {
                throw JSONError("a comma or a closing bracket is due", at: position)
            }
            position += 1
            skipSpace(input)
            if isObject { try name(input, &nodes) }
            return
        }
    }

    private mutating func word(
        _ text: StaticString, _ kind: JSONTape.Kind, _ input: Input, _ nodes: inout [Node]
    ) throws(JSONError) {
        let start = position
        let count = text.utf8CodeUnitCount
        guard start + count <= input.count else { throw JSONError("not a JSON value", at: start) }
        for offset in 0..<count where input[start + offset] != text.utf8Start[offset] {
            throw JSONError("not a JSON value", at: start)
        }
        position += count
        nodes.append(Node(kind: kind, start: UInt32(start), end: UInt32(position), next: UInt32(nodes.count + 1)))
    }

    private mutating func number(_ input: Input, _ nodes: inout [Node]) throws(JSONError) {
        let start = position
        if position < input.count, input[position] == UInt8(ascii: "-") { position += 1 }
        let digits = position
        skipDigits(input)
        guard position > digits else { throw JSONError("not a JSON value", at: start) }
        if input[digits] == UInt8(ascii: "0"), position > digits + 1 { throw JSONError("leading zero", at: start) }
        var isInteger = true
        if position < input.count, input[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            let fraction = position
            skipDigits(input)
            guard position > fraction else { throw JSONError("digits are due after the point", at: position) }
        }
        if position < input.count, input[position] | 0x20 == UInt8(ascii: "e") {
            throw JSONError("numbers with an exponent are not accepted", at: position)
        }
        guard position - start <= 64 else { throw JSONError("a number longer than 64 characters", at: start) }
        if isInteger {
            let text = String(decoding: input[start..<position], as: UTF8.self)
            guard let value = Int64(text), value.magnitude <= UInt64(JSONLimits.integer), text != "-0" else {
                throw JSONError("integer beyond 2^53 - 1", at: start)
            }
        }
        nodes.append(Node(kind: .number, start: UInt32(start), end: UInt32(position), next: UInt32(nodes.count + 1)))
    }

    private mutating func skipDigits(_ input: Input) {
        while position < input.count, input[position] &- 0x30 < 10 { position += 1 }
    }

    private mutating func skipSpace(_ input: Input) {
        while position < input.count {
            let byte = input[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            position += 1
        }
    }
}

// MARK: - Strings

extension JSONParser {
    private mutating func string(_ input: UnsafeBufferPointer<UInt8>, _ nodes: inout [JSONTape.Node]) throws(JSONError)
    {
        position += 1
        let start = position
        var escaped = false
        while true {
            skipPlain(input)
            guard position < input.count else { throw JSONError("a string without an end", at: start - 1) }
            let byte = input[position]
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                escaped = true
                try escape(input)
            } else if byte < 0x20 {
                throw JSONError("a control character inside a string", at: position)
            } else if byte < 0x80 {
                position += 1
            } else {
                try multibyte(input)
            }
        }
        let kind: JSONTape.Kind = escaped ? .escapedString : .string
        nodes.append(.init(kind: kind, start: UInt32(start), end: UInt32(position), next: UInt32(nodes.count + 1)))
        position += 1
    }

    /// Goes on past ASCII that needs no look, eight bytes at a time.
    private mutating func skipPlain(_ input: UnsafeBufferPointer<UInt8>) {
        let bytes = UnsafeRawBufferPointer(input)
        while position + 8 <= bytes.count, EightBytes(bytes, at: position).arePlain { position += 8 }
    }

    private mutating func escape(_ input: UnsafeBufferPointer<UInt8>) throws(JSONError) {
        let at = position
        guard at + 1 < input.count else { throw JSONError("a string without an end", at: at) }
        switch input[at + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            guard let unit = Self.hex4(input, at + 2) else { throw JSONError("a bad \\u escape", at: at) }
            position += 6
            if unit & 0xFC00 == 0xD800 {
                guard position + 5 < input.count, input[position] == UInt8(ascii: "\\"),
                    input[position + 1] == UInt8(ascii: "u"), let low = Self.hex4(input, position + 2),
                    low & 0xFC00 == 0xDC00
                else { throw JSONError("a lone surrogate", at: at) }
                position += 6
            } else if unit & 0xFC00 == 0xDC00 {
                throw JSONError("a lone surrogate", at: at)
            }
        default: throw JSONError("an unknown escape", at: at)
        }
    }

    private static func hex4(_ input: some RandomAccessCollection<UInt8>, _ start: Int) -> UInt32? {
        let base = input.index(input.startIndex, offsetBy: start)
        guard start + 4 <= input.count else { return nil }
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = Character(UnicodeScalar(input[input.index(base, offsetBy: offset)])).hexDigitValue else {
                return nil
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }

    /// Checks one scalar of two to four bytes (RFC 3629 section 4: no overlong form, no surrogate, up to U+10FFFF).
    private mutating func multibyte(_ input: UnsafeBufferPointer<UInt8>) throws(JSONError) {
        let first = input[position]
        let length: Int
        var lowest: UInt8 = 0x80
        var highest: UInt8 = 0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, lowest) = (3, 0xA0)
        case 0xED: (length, highest) = (3, 0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, lowest) = (4, 0x90)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, highest) = (4, 0x8F)
        default: throw JSONError("not UTF-8", at: position)
        }
        guard position + length <= input.count, input[position + 1] >= lowest, input[position + 1] <= highest else {
            throw JSONError("not UTF-8", at: position)
        }
        for offset in 2..<max(length, 2) where input[position + offset] & 0xC0 != 0x80 {
            throw JSONError("not UTF-8", at: position)
        }
        position += length
    }

    /// Decodes the escapes of a string that was already checked.
    static func unescape(_ raw: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(raw.count)
        let raw = Array(raw)
        var at = 0
        while at < raw.count {
            guard raw[at] == UInt8(ascii: "\\") else {
                result.append(raw[at])
                at += 1
                continue
            }
            switch raw[at + 1] {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0C)
            case UInt8(ascii: "n"): result.append(0x0A)
            case UInt8(ascii: "r"): result.append(0x0D)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = hex4(raw, at + 2) ?? 0xFFFD
                at += 4
                if scalar & 0xFC00 == 0xD800, let low = hex4(raw, at + 4) {
                    scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
                    at += 6
                }
                result.append(contentsOf: String(UnicodeScalar(scalar) ?? "\u{FFFD}").utf8)
            default: result.append(raw[at + 1])
            }
            at += 2
        }
        return result
    }

    /// Refuses the name just read if its object already has it. Few names are compared one by one, many by a set, so
    /// that an object full of names costs no more than its bytes.
    private mutating func refuseDuplicate(
        _ at: Int, _ input: UnsafeBufferPointer<UInt8>, _ nodes: [JSONTape.Node]
    ) throws(JSONError) {
        guard let object = open.last else { return }
        let name = nodes[nodes.count - 1]
        let count = names[open.count - 1].count
        if count >= JSONLimits.members { throw JSONError("more than \(JSONLimits.members) members", at: at) }
        var isNew = true
        if count < Self.fewNames {
            Self.forEachName(of: object, nodes) { if Self.sameName($0, name, input) { isNew = false } }
        } else {
            if count == Self.fewNames {
                Self.forEachName(of: object, nodes) { names[open.count - 1].set.insert(Self.text($0, input)) }
            }
            isNew = names[open.count - 1].set.insert(Self.text(name, input)).inserted
        }
        names[open.count - 1].count += 1
        guard isNew else { throw JSONError("the member name stands twice in one object", at: at) }
    }

    /// Visits the names of an object before the last node.
    private static func forEachName(of object: Int, _ nodes: [JSONTape.Node], _ body: (JSONTape.Node) -> Void) {
        var next = object + 1
        while next < nodes.count - 1 {
            body(nodes[next])
            next = Int(nodes[next + 1].next)
        }
    }

    private static func text(_ node: JSONTape.Node, _ input: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        let raw = Array(input[Int(node.start)..<Int(node.end)])
        return node.kind == .string ? raw : unescape(raw[...])
    }

    private static func sameName(
        _ one: JSONTape.Node, _ other: JSONTape.Node, _ input: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        let first = input[Int(one.start)..<Int(one.end)]
        let second = input[Int(other.start)..<Int(other.end)]
        if one.kind == .string, other.kind == .string {
            return first.count == second.count && first.elementsEqual(second)
        }
        return unescape(ArraySlice(Array(first))) == unescape(ArraySlice(Array(second)))
    }
}

/// How the keys of a register are written, and from which fields they can be made.
public enum KeyForm: Hashable, Sendable {
    /// One identifier; `field`, if any, is the field of the row that holds it.
    case single(CanonicalForm, field: String?)
    /// Percent-encoded parts joined by `/`. The first alternative whose fields a row has makes its key; a key is
    /// canonical if it fits any.
    case composite([[KeyPart]])

    /// One part of a composite key.
    public struct KeyPart: Hashable, Sendable {
        /// The field of the row that holds it.
        public let field: String
        /// The form of the part before percent-encoding.
        public let form: CanonicalForm

        /// Creates a part.
        public init(field: String, form: CanonicalForm) {
            self.field = field
            self.form = form
        }
    }

    /// Most alternatives of a composite key, and most parts of each.
    public static let maximumParts = 8

    /// Whether the text is a key in canonical form, compared by its UTF-8 bytes.
    public func isCanonical(_ key: String) -> Bool {
        key.utf8.withContiguousStorageIfAvailable(isCanonical) ?? isCanonical(Array(key.utf8))
    }

    /// Whether the bytes are a key in canonical form.
    public func isCanonical(_ key: [UInt8]) -> Bool { key.withUnsafeBufferPointer(isCanonical) }

    /// Whether the bytes are a key in canonical form.
    public func isCanonical(_ key: UnsafeBufferPointer<UInt8>) -> Bool {
        switch self {
        case .single(let form, _): return form.isCanonical(key)
        case .composite(let alternatives):
            guard !key.isEmpty, key.count <= CanonicalForm.maximumBytes else { return false }
            let count = key.reduce(1) { $1 == 0x2F ? $0 + 1 : $0 }
            return alternatives.contains { $0.count == count && Self.fits(key, $0) }
        }
    }

    private static func fits(_ key: UnsafeBufferPointer<UInt8>, _ parts: [KeyPart]) -> Bool {
        var start = 0
        for part in parts {
            let end = key[start...].firstIndex(of: 0x2F) ?? key.count
            let slice = UnsafeBufferPointer(rebasing: key[start..<end])
            if slice.contains(0x25) {
                guard let plain = PercentCoding.decode(slice, strict: true), part.form.isCanonical(plain) else {
                    return false
                }
            } else {
                guard slice.allSatisfy(PercentCoding.isUnreserved), part.form.isCanonical(slice) else { return false }
            }
            start = end + 1
        }
        return true
    }

    /// The key in canonical form, where only one can be meant. In a composite key, `/` separates the parts and `%`
    /// starts an escape; anything else may stand as it is and is escaped here.
    public func canonicalise(_ input: String) -> Result<String, FormProblem> {
        switch self {
        case .single(let form, _): return form.canonicalise(input)
        case .composite(let alternatives):
            guard input.utf8.count <= 4 * CanonicalForm.maximumBytes else { return .failure(.tooLong) }
            let texts = UnicodeForm.trimmed(input).split(separator: "/", omittingEmptySubsequences: false)
            var problem: FormProblem?
            for alternative in alternatives where alternative.count == texts.count {
                switch Self.join(alternative, texts.map(String.init), escaped: true) {
                case .success(let key): return .success(key)
                case .failure(let reason): problem = problem ?? reason
                }
            }
            if let problem { return .failure(problem) }
            let counts = Set(alternatives.map(\.count)).sorted().map(String.init).joined(separator: " or ")
            return .failure(FormProblem("has \(texts.count) parts between slashes where \(counts) are due"))
        }
    }

    /// The key that a row's fields make, by the first alternative whose fields are all there.
    ///
    /// - Returns: the key; or why none can be made, naming the field.
    public func key(of fields: JSONObject) -> Result<String, FormProblem> {
        switch self {
        case .single(_, field: nil):
            return .failure(FormProblem("is empty, and this register makes no keys from fields"))
        case .single(let form, let field?):
            guard let text = fields[field]?.string else { return .failure(FormProblem("is empty, and so is \(field)")) }
            return form.canonicalise(text)
        case .composite(let alternatives):
            for alternative in alternatives {
                let texts = alternative.compactMap { fields[$0.field]?.string }
                if texts.count == alternative.count { return Self.join(alternative, texts, escaped: false) }
            }
            let needed = alternatives.map { $0.map(\.field).joined(separator: " + ") }.joined(separator: ", or ")
            return .failure(FormProblem("is empty, and the fields that make one are not all there: \(needed)"))
        }
    }

    /// Every key that the row's fields make, by any alternative.
    func keys(of fields: JSONObject) -> [String] {
        switch self {
        case .single: (try? key(of: fields).get()).map { [$0] } ?? []
        case .composite(let alternatives): alternatives.compactMap { try? Self.composite([$0]).key(of: fields).get() }
        }
    }

    private static func join(_ parts: [KeyPart], _ texts: [String], escaped: Bool) -> Result<String, FormProblem> {
        var encoded: [String] = []
        for (part, text) in zip(parts, texts) {
            var plain = text
            if escaped {
                guard let bytes = Array(text.utf8).withUnsafeBufferPointer({ PercentCoding.decode($0, strict: false) }),
                    let decoded = String(validating: bytes, as: UTF8.self)
                else { return .failure(FormProblem("holds a % that starts no escape: a per cent sign is written %25")) }
                plain = decoded
            }
            switch part.form.canonicalise(plain) {
            case .success(let value): encoded.append(PercentCoding.encode(value))
            case .failure(let problem): return .failure(FormProblem("\(part.field) \"\(plain)\" \(problem.reason)"))
            }
        }
        let key = encoded.joined(separator: "/")
        return key.utf8.count <= CanonicalForm.maximumBytes ? .success(key) : .failure(.tooLong)
    }
}

/// Percent-encoding, RFC 3986 section 2: only unreserved characters stand for themselves; hexadecimal is upper case.
public enum PercentCoding {
    /// Whether a byte is a letter, a digit or one of `-._~`.
    public static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }

    /// The text with every byte that is not unreserved as `%XX`.
    public static func encode(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) {
                output.append(byte)
            } else {
                output.append(contentsOf: [0x25, hex[Int(byte >> 4)], hex[Int(byte & 15)]])
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// The bytes behind the escapes; nil if a `%` starts none or, when strict, if this is not what ``encode(_:)``
    /// writes.
    static func decode(_ bytes: UnsafeBufferPointer<UInt8>, strict: Bool) -> [UInt8]? {
        var output: [UInt8] = []
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            guard byte == 0x25 else {
                if strict, !isUnreserved(byte) { return nil }
                output.append(byte)
                position += 1
                continue
            }
            guard position + 2 < bytes.count, let high = nibble(bytes[position + 1], strict: strict),
                let low = nibble(bytes[position + 2], strict: strict)
            else { return nil }
            let plain = high << 4 | low
            if strict, isUnreserved(plain) { return nil }
            output.append(plain)
            position += 3
        }
        return output
    }

    private static func nibble(_ byte: UInt8, strict: Bool) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: strict ? nil : byte - 0x61 + 10
        default: nil
        }
    }
}

/// The one way of writing a simple identifier: a key, a part of one, or a value that can be looked up.
///
/// Formats, section 7: publishing refuses every other way, statements written otherwise do not count, and questions are
/// canonicalised or refused, because a misspelt key would earn a proof of absence.
public enum CanonicalForm: String, Hashable, Sendable, CaseIterable {
    /// Text in Normalization Form C, without invisible characters; spaces stand alone and never at an end.
    case exact
    /// A legal entity identifier (ISO 17442): 20 upper-case letters and digits whose check digits hold.
    case lei
    /// A host name: lower case, A-labels (RFC 5890), at least two labels, no trailing dot.
    case domain
    /// A date of the Gregorian calendar as `YYYY-MM-DD`.
    case date

    /// Most bytes of a key or of a value that can be looked up.
    public static let maximumBytes = 1_024

    /// Whether the text is in this form, compared by its UTF-8 bytes. Well under a microsecond for ASCII.
    public func isCanonical(_ text: String) -> Bool {
        text.utf8.withContiguousStorageIfAvailable(isCanonical) ?? isCanonical(Array(text.utf8))
    }

    /// Whether the bytes are UTF-8 in this form.
    public func isCanonical(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBufferPointer(isCanonical) }

    /// Whether the bytes are UTF-8 in this form.
    public func isCanonical(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard !bytes.isEmpty, bytes.count <= Self.maximumBytes else { return false }
        switch self {
        case .exact: return ExactForm.isCanonical(bytes)
        case .lei: return LegalEntityIdentifier.isValid(bytes)
        case .domain: return DomainName.isCanonical(bytes)
        case .date: return CivilDate(canonical: bytes) != nil
        }
    }

    /// The text in this form, where only one thing can be meant: white space at the ends goes, a LEI's letters become
    /// upper case, a domain's lower case and A-labels. Anything else is refused with a reason for people.
    public func canonicalise(_ input: String) -> Result<String, FormProblem> {
        guard input.utf8.count <= 4 * Self.maximumBytes else { return .failure(.tooLong) }
        let text: Result<String, FormProblem>
        switch self {
        case .exact: text = ExactForm.canonicalise(input)
        case .lei: text = LegalEntityIdentifier.canonicalise(input)
        case .domain: text = DomainName.canonicalise(input)
        case .date:
            let trimmed = UnicodeForm.trimmed(input)
            text = isCanonical(trimmed) ? .success(trimmed) : .failure(FormProblem("is not a date such as 2026-11-24"))
        }
        return text.flatMap { $0.utf8.count <= Self.maximumBytes ? .success($0) : .failure(.tooLong) }
    }
}

/// Why a text has no canonical form; reads as the end of a sentence that starts with the text.
public struct FormProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reason, such as `is not a date such as 2026-11-24`.
    public let reason: String

    /// Creates a problem.
    public init(_ reason: String) { self.reason = reason }

    public var description: String { reason }

    static let tooLong = FormProblem("is longer than \(CanonicalForm.maximumBytes) bytes")
    static let empty = FormProblem("is empty")
}

/// The form `exact`.
enum ExactForm {
    static func isCanonical(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes[0] != 0x20, bytes[bytes.count - 1] != 0x20 else { return false }
        var previous: UInt8 = 0
        for byte in bytes {
            if byte >= 0x80 { return isCanonicalBeyondASCII(bytes) }
            guard byte >= 0x20, byte != 0x7F, byte != 0x20 || previous != 0x20 else { return false }
            previous = byte
        }
        return true
    }

    private static func isCanonicalBeyondASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let text = String(validating: bytes, as: UTF8.self) else { return false }
        var previous: Unicode.Scalar = "x"
        for scalar in text.unicodeScalars {
            if UnicodeForm.isInvisible(scalar) { return false }
            if UnicodeForm.isWhiteSpace(scalar), scalar != " " || previous == " " { return false }
            previous = scalar
        }
        return UnicodeForm.isNFC(text)
    }

    static func canonicalise(_ input: String) -> Result<String, FormProblem> {
        let text = UnicodeForm.nfc(UnicodeForm.collapsed(input))
        guard !text.isEmpty else { return .failure(.empty) }
        if let hidden = text.unicodeScalars.first(where: UnicodeForm.isInvisible) {
            let code = String(hidden.value, radix: 16, uppercase: true)
            let padded = String(repeating: "0", count: max(0, 4 - code.count)) + code
            return .failure(FormProblem("holds the invisible character U+\(padded)"))
        }
        return .success(text)
    }
}

/// Legal entity identifiers, ISO 17442.
public enum LegalEntityIdentifier {
    /// Whether these are 18 upper-case letters or digits and two digits that satisfy ISO 7064 MOD 97-10.
    public static func isValid(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard bytes.count == 20 else { return false }
        var remainder: UInt32 = 0
        for (position, byte) in bytes.enumerated() {
            switch byte {
            case 0x30...0x39: remainder = (remainder * 10 + UInt32(byte - 0x30)) % 97
            case 0x41...0x5A where position < 18: remainder = (remainder * 100 + UInt32(byte - 0x41 + 10)) % 97
            default: return false
            }
        }
        return remainder == 1
    }

    /// Whether the text is a valid identifier in upper case.
    public static func isValid(_ text: String) -> Bool { CanonicalForm.lei.isCanonical(text) }

    static func canonicalise(_ input: String) -> Result<String, FormProblem> {
        let text = UnicodeForm.trimmed(input)
        guard !text.isEmpty else { return .failure(.empty) }
        let upper = ASCIICase.uppercased(text)
        guard upper.utf8.count == 20,
            upper.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) })
        else { return .failure(FormProblem("is not a LEI: 20 letters and digits are due")) }
        guard isValid(upper) else { return .failure(FormProblem("is not a LEI: its check digits do not fit")) }
        return .success(upper)
    }
}

/// Case of ASCII letters alone; every other character stays.
enum ASCIICase {
    static func uppercased(_ text: String) -> String { mapped(text, 0x61...0x7A) }
    static func lowercased(_ text: String) -> String { mapped(text, 0x41...0x5A) }

    private static func mapped(_ text: String, _ range: ClosedRange<UInt8>) -> String {
        String(decoding: text.utf8.map { range.contains($0) ? $0 ^ 0x20 : $0 }, as: UTF8.self)
    }
}

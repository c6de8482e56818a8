/// One field of a register's rows: a field of a Frictionless Table Schema.
public struct RegisterField: Hashable, Sendable {
    /// What the values are, in the descriptor, in CSV and in JSON.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Text.
        case string
        /// A whole number within ±(2^53 - 1).
        case integer
        /// A number with an optional fraction, as its exact text.
        case number
        /// True or false.
        case boolean
        /// A date as `YYYY-MM-DD`.
        case date
        /// An instant as RFC 3339 with a zone.
        case datetime
        /// Several texts: in CSV separated by `|`, in JSON an array.
        case list
        /// An absolute URI: in the descriptor a `string` of format `uri`.
        case uri
    }

    /// The field's name: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
    public let name: String
    /// What its values are.
    public let kind: Kind
    /// A label for people.
    public let label: RegisterLabel
    /// What it means, if the definition says so.
    public let description: String?
    /// What its values must satisfy.
    public let constraints: FieldConstraints
    /// What every element of a list must satisfy.
    public let itemConstraints: FieldConstraints

    /// The label in the definition's own language.
    public var title: String { label.text }

    /// Whether a text can name a field.
    public static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 64, !(0x30...0x39).contains(first), first != 0x2D else {
            return false
        }
        return text.utf8.allSatisfy {
            switch $0 {
            case 0x41...0x5A, 0x61...0x7A, 0x30...0x39, 0x5F, 0x2D: true
            default: false
            }
        }
    }
}

/// Constraints of the Table Schema that Entente checks.
public struct FieldConstraints: Hashable, Sendable {
    /// Whether every row has a value.
    public var required = false
    /// Whether no two rows of the register have the same value. Checked within an import.
    public var unique = false
    /// The only texts allowed.
    public var enumeration: [String]?
    /// A pattern that the whole text matches.
    public var pattern: FieldPattern?
    /// Least number of scalars of a text, or of elements of a list.
    public var minimumLength: Int?
    /// Most scalars of a text, or elements of a list.
    public var maximumLength: Int?
    /// Least value of a number.
    public var minimum: Double?
    /// Largest value of a number.
    public var maximum: Double?

    /// No constraint at all.
    public static let none = FieldConstraints()

    /// Why a text does not satisfy these constraints, or nil.
    func problem(with text: String) -> String? {
        let count = text.unicodeScalars.count
        if let minimumLength, count < minimumLength { return "is shorter than \(minimumLength) characters" }
        if let maximumLength, count > maximumLength { return "is longer than \(maximumLength) characters" }
        if let enumeration, !enumeration.contains(where: { $0.utf8.elementsEqual(text.utf8) }) {
            let shown = enumeration.prefix(12).joined(separator: ", ")
            return "is not one of \(shown)\(enumeration.count > 12 ? ", …" : "")"
        }
        if let pattern, !pattern.matches(text) { return "does not match the pattern \(pattern.source)" }
        return nil
    }

    /// Why a number does not satisfy these constraints, or nil.
    func problem(with number: Double) -> String? {
        if let minimum, number < minimum { return "is below \(Self.text(minimum))" }
        if let maximum, number > maximum { return "is above \(Self.text(maximum))" }
        return nil
    }

    private static func text(_ value: Double) -> String {
        Int64(exactly: value).map { String($0) } ?? String(value)
    }
}

/// One status of a register's vocabulary.
public struct RegisterStatus: Hashable, Sendable {
    /// The status as rows carry it: `[a-z][a-z0-9-]{0,63}`.
    public let name: String
    /// Whether it permits business, so that nobody reads a notice as a licence.
    public let permitsBusiness: Bool
    /// A label for people.
    public let label: RegisterLabel

    /// The label in the definition's own language.
    public var title: String { label.text }
}

/// A label for people, in the definition's own language and in those that it is translated into.
public struct RegisterLabel: Hashable, Sendable {
    /// The label in the definition's own language.
    public let text: String
    /// The others, in the descriptor's order; each language once.
    public let translations: [Translation]

    /// A label in another language.
    public struct Translation: Hashable, Sendable {
        /// A tag of BCP 47, such as `es` or `pt-BR`.
        public let language: String
        /// The label.
        public let text: String
    }

    /// The label in a language: of the same tag, else of the same first part (`es` for `es-SV`), else ``text``. Case does
    /// not matter.
    public func text(in language: String) -> String {
        let wanted = ASCIICase.lowercased(language)
        if let same = translations.first(where: { ASCIICase.lowercased($0.language) == wanted }) { return same.text }
        let primary = wanted.split(separator: "-").first.map(String.init)
        return translations.first { ASCIICase.lowercased($0.language) == primary }?.text ?? text
    }

    /// Whether a text is a tag of a language as descriptors write it: letters, digits and single hyphens, 35 at most.
    public static func isLanguage(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: 0x2D, omittingEmptySubsequences: false)
        guard text.utf8.count <= 35, let first = parts.first, (2...3).contains(first.count) else { return false }
        return first.allSatisfy { (0x61...0x7A).contains($0 | 0x20) }
            && parts.allSatisfy { part in
                (1...8).contains(part.count)
                    && part.allSatisfy { (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) }
            }
    }
}

/// A field whose values can be looked up: one more map in the state leaf, named `<register>/<field>`.
public struct RegisterLookup: Hashable, Sendable {
    /// The field: a string or a list.
    public let field: String
    /// How its values are written.
    public let form: CanonicalForm
}

/// What a register's rows look like: fields and constraints, the canonical form of the key, what can be looked up, the
/// statuses and which of them permit business.
///
/// The descriptor is a Frictionless Table Schema whose first four fields are the columns that every register has
/// (`key`, `status`, `validFrom`, `validUntil`) and whose member `entente` holds what Table Schema has no word for. Its
/// exact bytes travel in a `register definition` statement, and their SHA-256 is what a charter lists, so equality and
/// hash are those of the bytes.
public struct RegisterDefinition: Hashable, Sendable {
    /// The descriptor's exact bytes.
    public let descriptor: [UInt8]
    /// The register's name: `[a-z][a-z0-9.-]{0,63}`.
    public let name: String
    /// The definition's version, from 1.
    public let version: Int
    /// A label for people.
    public let label: RegisterLabel
    /// What the register is for, if the definition says so.
    public let description: String?
    /// The language of its labels and descriptions (BCP 47).
    public let language: String
    /// The four columns of ``envelope``.
    public let envelopeFields: [RegisterField]
    /// The fields of a row, in their order, without the four columns of ``envelope``.
    public let fields: [RegisterField]
    /// How keys are written and made.
    public let keyForm: KeyForm
    /// The fields whose values can be looked up.
    public let lookups: [RegisterLookup]
    /// The vocabulary, from least to most restrictive.
    public let statuses: [RegisterStatus]
    /// The fields that stand in an entry only as salted digests.
    public let erasable: [String]

    /// The label in the definition's own language.
    public var title: String { label.text }

    /// The columns that every register's own layout starts with.
    public static let envelope = ["key", "status", "validFrom", "validUntil"]

    /// Whether a status permits business; nil if the vocabulary does not have it.
    public func permitsBusiness(_ status: String) -> Bool? { self.status(status)?.permitsBusiness }

    /// The status of that name, if the vocabulary has it.
    public func status(_ name: String) -> RegisterStatus? {
        statuses.first { $0.name.utf8.elementsEqual(name.utf8) }
    }

    /// How restrictive a status is: its position from 0; an unknown one is more restrictive than any.
    public func restrictiveness(of status: String) -> Int {
        statuses.firstIndex { $0.name.utf8.elementsEqual(status.utf8) } ?? statuses.count
    }

    /// The field of that name, if rows have it.
    public func field(_ name: String) -> RegisterField? { fields.first { $0.name.utf8.elementsEqual(name.utf8) } }

    /// Whether this definition may follow an older one: the same register, a higher version, and the same key form and
    /// lookups (to change those takes a new name: formats, section 8).
    public func isCompatibleSuccessor(of old: RegisterDefinition) -> Bool {
        name == old.name && version > old.version && keyForm == old.keyForm && lookups == old.lookups
    }

    /// The values under which a row can be found by one of its lookup fields: those in canonical form, each once, in
    /// their order.
    public func lookupValues(_ lookup: RegisterLookup, in fields: JSONObject) -> [String] {
        let texts: [String] =
            switch fields[lookup.field] {
            case .string(let text)?: [text]
            case .array(let items)?: items.compactMap(\.string)
            default: []
            }
        var values: [String] = []
        for text in texts where lookup.form.isCanonical(text) && !values.contains(text) { values.append(text) }
        return values
    }

    /// The columns of the register's own layout, in their order.
    public var columns: [String] { Self.envelope + fields.map(\.name) }

    /// An empty file of the register's own layout: one line of CSV.
    public var template: [UInt8] { Array((columns.joined(separator: ",") + "\r\n").utf8) }

    /// The languages in which the register has a label: its own first, then those that it is translated into.
    public var languages: [String] { [language] + label.translations.map(\.language).filter { $0 != language } }

    public static func == (left: RegisterDefinition, right: RegisterDefinition) -> Bool {
        left.descriptor == right.descriptor
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(descriptor) }
}

/// The definitions that Entente brings along, byte for byte as a charter's digests cover them.
public enum BuiltInRegisters {
    /// All of them, sorted by name.
    public static let all: [RegisterDefinition] = [
        PackageResources.agreements_json, PackageResources.authorities_json, PackageResources.bitcoin_reserves_json,
        PackageResources.cbdc_pilots_json, PackageResources.mining_allocations_json,
        PackageResources.recognitions_json, PackageResources.token_white_papers_json,
        PackageResources.vasp_licences_json, PackageResources.warnings_json,
    ].map { descriptor in
        do {
            return try RegisterDefinition(descriptor: descriptor)
        } catch {
            // The files are part of this module and every build's tests read them.
            preconditionFailure("a built-in definition is not one: \(error)")
        }
    }

    /// The definition of that name, if it is built in.
    public static func definition(named name: String) -> RegisterDefinition? { all.first { $0.name == name } }
}

/// What counting needs of a register's definition, for all of its attestations in a batch.
final class CountedRegister: Sendable {
    let name: String
    let keyForm: KeyForm
    /// The fields that can be looked up, and the map of each.
    private let lookups: [(field: String, map: String, form: CanonicalForm)]

    init(name: String, _ definition: RegisterDefinition) {
        self.name = name
        keyForm = definition.keyForm
        lookups = definition.lookups.map { ($0.field, MapName.lookup(name, $0.field), $0.form) }
    }

    var hasLookups: Bool { !lookups.isEmpty }

    /// The rows of an attestation in the register's lookup maps; nil where a value is not in its canonical form.
    func lookupKeys(of attestation: Attestation) -> [RowKey]? {
        var keys: [RowKey] = []
        for lookup in lookups {
            for value in attestation.values(of: lookup.field) {
                guard let text = value.string, lookup.form.isCanonical(text) else { return nil }
                let key = RowKey(map: lookup.map, key: text)
                if !keys.contains(key) { keys.append(key) }
            }
        }
        return keys
    }
}

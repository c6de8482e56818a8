public import TransparencyLog

/// A counted statement of a log that touched a row, as the row's history names it.
public struct PlacedStatement: Sendable {
    /// Where it stands in the log.
    public let index: UInt64
    public let statement: Statement

    /// Places a statement.
    public init(index: UInt64, statement: Statement) {
        self.index = index
        self.statement = statement
    }

    public var identity: HashValue { statement.identity }
}

/// What a row held at an earlier size of its log, computed again from the statements that touched it.
///
/// A row's history has exactly the counted statements that changed the row, so that permissions and canonical forms need
/// not be judged again: what is left of the rules of statements.md, section 6.3, is which statements leave the row. Applied to
/// a whole history it gives the row that the log's maps have.
public struct RowReplay: Sendable {
    private let key: RowKey
    /// The register, or the reserved map, that retractions name; and the field of a lookup map.
    private let register: String
    private let field: String?
    /// The statements in force, by index.
    public private(set) var inForce: [PlacedStatement] = []
    /// The statement applied last; nil as long as nothing was ever said.
    public private(set) var last: PlacedStatement?

    /// The row before its first statement.
    public init(of key: RowKey) {
        self.key = key
        let parts = key.map.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        register = parts.first ?? key.map
        field = parts.count == 2 ? parts[1] : nil
    }

    /// The row after a history.
    ///
    /// - Parameter steps: statements that touched the row, by ascending index.
    public init(of key: RowKey, after steps: [PlacedStatement]) {
        self.init(of: key)
        for step in steps { apply(step) }
    }

    /// Whether something was said once and nothing is in force any more.
    public var isEmptied: Bool { last != nil && inForce.isEmpty }

    /// The row, as the log's map had it; nil where nothing was ever said.
    public var row: Row? {
        guard let last else { return nil }
        guard !inForce.isEmpty else { return Row(emptiedBy: Self.item(last)) }
        return Row(inForce: inForce.map(Self.item))
    }

    private static func item(_ placed: PlacedStatement) -> Row.Item {
        Row.Item(index: placed.index, leaf: MerkleTree.leafHash(placed.statement.bytes))
    }

    /// Applies the next statement of the history.
    ///
    /// - Returns: what it took out of the row.
    @discardableResult
    public mutating func apply(_ step: PlacedStatement) -> [PlacedStatement] {
        last = step
        let before = inForce
        switch step.statement.body {
        case .attestation(let attestation):
            remove(attestation.supersedes) { $0.statement.key?.hasSameBytes(as: attestation.key) == true }
            if has(attestation) { inForce.append(step) }
        case .document(let document):
            remove(document.supersedes) { _ in true }
            inForce.append(step)
        case .retraction(let retraction):
            for target in retraction.targets where target.register.hasSameBytes(as: register) {
                remove([target.identity]) { Self.isAbout(target.key, $0) }
            }
        case .endorsement: inForce.append(step)
        case .roster: inForce.append(step)
        case .register, .declaration: inForce = [step]
        case .approval: break
        }
        return before.filter { old in !inForce.contains { $0.index == old.index } }
    }

    private mutating func remove(_ identities: [HashValue], where isMeant: (PlacedStatement) -> Bool) {
        guard !identities.isEmpty, !inForce.isEmpty else { return }
        let identities = Set(identities)
        inForce.removeAll { identities.contains($0.identity) && isMeant($0) }
    }

    /// Whether a retraction that names this key means the statement.
    private static func isAbout(_ key: String, _ placed: PlacedStatement) -> Bool {
        placed.statement.key?.hasSameBytes(as: key) == true
    }

    /// Whether an attestation belongs into this row: in a lookup map, only with the row's value.
    private func has(_ attestation: Attestation) -> Bool {
        guard let field else { return true }
        return attestation.values(of: field).contains { $0.utf8.map { $0 == key.key } ?? false }
    }
}

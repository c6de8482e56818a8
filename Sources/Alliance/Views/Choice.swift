public import TransparencyLog

/// A counted attestation with its place in the log.
public struct PlacedAttestation: Sendable {
    public let index: UInt64
    public let identity: HashValue
    public let attestation: Attestation
    /// The name of the officer's key.
    public let signedBy: String

    /// Places an attestation.
    public init?(index: UInt64, statement: Statement) {
        guard case .attestation(let attestation) = statement.body else { return nil }
        self.index = index
        identity = statement.identity
        self.attestation = attestation
        signedBy = statement.signer.keyName
    }
}

/// What one member says of one key at one time: the choice at t (formats, section 8, "Time").
public enum Choice: Sendable {
    /// One statement speaks; where several have the same `validFrom`, the most restrictive, and ``conflict`` has all.
    case speaks(PlacedAttestation, conflict: [PlacedAttestation])
    /// Statements are in force, but none speaks at that time: too early, or what spoke has ended.
    case none

    /// Chooses among the statements of one member that are in force for one key.
    ///
    /// The one with the latest `validFrom` at or before `time` speaks, until its `validUntil`. Ties by restrictiveness
    /// go to the lowest identity, so that every node shows the same.
    ///
    /// - Parameter time: seconds since 1970.
    public init(at time: Int64, of statements: [PlacedAttestation], definition: RegisterDefinition) {
        let begun = statements.filter { $0.attestation.validFrom.seconds <= time }
        guard let latest = begun.map(\.attestation.validFrom.seconds).max() else {
            self = .none
            return
        }
        let speaking = begun.filter { $0.attestation.validFrom.seconds == latest }
            .filter { $0.attestation.validUntil.map { time < $0.seconds } ?? true }
            .sorted { one, other in
                let ranks = (
                    definition.restrictiveness(of: one.attestation.status),
                    definition.restrictiveness(of: other.attestation.status)
                )
                #if DEBUG
                if ranks.0 == ranks.1 && PlantedBug.choosesByArrival.isPlanted { return false }
                #endif
                return ranks.0 != ranks.1 ? ranks.0 > ranks.1 : one.identity < other.identity
            }
        guard let first = speaking.first else {
            self = .none
            return
        }
        self = .speaks(first, conflict: speaking.count > 1 ? speaking : [])
    }
}

public import Alliance
public import TransparencyLog

/// What a member's roster says of the key in a node's certificate.
public enum KeyStanding: Sendable, Hashable {
    /// The named node may connect with it.
    case listed(node: String)
    /// Nobody lets it connect.
    case revoked
    /// It has restricted access: no documents.
    case notListed

    /// - Parameter key: SHA-256 of the DER SubjectPublicKeyInfo.
    public init(_ key: HashValue, in roster: Roster) {
        // As for connections: a key that stands in both is revoked.
        if roster.revoked.contains(key) {
            self = .revoked
        } else if let node = roster.nodes.first(where: { $0.tlsKeys.contains(key) }) {
            self = .listed(node: node.name)
        } else {
            self = .notListed
        }
    }

    /// A stable word for programs.
    public var word: String {
        switch self {
        case .listed: "listed"
        case .revoked: "revoked"
        case .notListed: "not-listed"
        }
    }
}

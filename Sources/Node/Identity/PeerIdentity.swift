/// Who is at the other end of a connection: proven by TLS and the charter, never by a header.
public struct PeerIdentity: Sendable, Hashable {
    /// What the member may do over this connection.
    public enum Access: Sendable, Hashable {
        case full
        /// Only heads, charters, logs and incarnation notes may be fetched and offered.
        case restricted(Restriction)
    }

    public enum Restriction: String, Sendable, Hashable {
        /// The member's roster is not held yet.
        case rosterNotHeld
        /// The member's roster does not list the leaf's key.
        case notInRoster
    }

    /// The member's id, such as `did:web:pk.alliance.example`.
    public let memberID: String
    /// SHA-256 of the leaf's public key: which of the member's nodes this is.
    public let keyDigest: [UInt8]
    /// SHA-256 of the public key of the member's CA.
    public let authorityKeyDigest: [UInt8]
    /// The last second, since 1970, at which both certificates are valid.
    public let notAfter: Int64
    public let access: Access

    public init(
        memberID: String, keyDigest: [UInt8], authorityKeyDigest: [UInt8], notAfter: Int64, access: Access
    ) {
        self.memberID = memberID
        self.keyDigest = keyDigest
        self.authorityKeyDigest = authorityKeyDigest
        self.notAfter = notAfter
        self.access = access
    }

    public var isRestricted: Bool { self.access != .full }
}

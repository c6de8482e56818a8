/// Why a peer was turned away, or its connection closed. Counted by reason; never held against a member unless that
/// member's own key signed what was wrong.
public enum PeerRejection: String, Error, Sendable, Hashable, CaseIterable {
    // Before any certificate was looked at.
    /// The handshake failed for another reason: not TLS, no common cipher, or the other side gave up.
    case handshakeFailed
    /// The handshake took longer than the listener allows.
    case handshakeTimeout
    /// The other side offers no TLS 1.3.
    case protocolVersion
    /// No certificate was presented.
    case none
    /// Something else than exactly a leaf and its member CA was presented.
    case chainLength
    /// A certificate is not valid DER, too long, or not X.509 version 3.
    case malformed
    /// An RSA key of more than 8,192 bits.
    case keyTooLarge

    // About the authority.
    /// No member of the charter has this CA key: a stranger, a self-signed leaf, or a member that was removed.
    case unknownAuthority
    /// The issuer's key is a member's, but its certificate is not one of an authority.
    case issuerNotAuthority

    // About the leaf.
    /// The only URI name of the leaf is not the id of the member whose CA issued it.
    case nameMismatch
    case notYetValid
    case expired
    /// The leaf's key usages do not allow TLS in this direction.
    case wrongUsage
    /// A signature does not verify.
    case badSignature
    /// Another rule of RFC 5280 is broken, for example a critical extension that nobody knows.
    case policy
    /// The member's roster revokes the leaf's key.
    case revoked

    // About the connection.
    /// A resumed session, which brings no certificates that could be checked.
    case noValidatedChain
    /// The member answered, but it is not the one that was dialled.
    case wrongMember
    /// The member holds as many connections as the listener allows.
    case tooManyConnections
    /// A newer roster took the leaf's full access away while the connection was open.
    case accessReduced
}

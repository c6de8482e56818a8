/// How long a node's own certificate is still good, and when its operator is to be told.
public struct CertificateTerm: Sendable, Hashable {
    /// The longest time before the end at which the operator is warned, in seconds: 30 days.
    public static let warningPeriod: Int64 = 30 * 86_400

    /// Seconds since 1970.
    public let begins: Int64
    /// The last second of validity, since 1970.
    public let ends: Int64

    public init(begins: Int64, ends: Int64) {
        self.begins = begins
        self.ends = ends
    }

    /// What the operator is told.
    public enum Warning: String, Sendable, Hashable {
        /// Less than 30 days are left, or less than a third of a life of under 90 days.
        case endsSoon
        case ended
        case notYetValid
    }

    /// The warning that is due at a time, in seconds since 1970.
    public func warning(at now: Int64) -> Warning? {
        if now > self.ends { return .ended }
        if now < self.begins { return .notYetValid }
        return self.ends - now < min(Self.warningPeriod, (self.ends - self.begins) / 3) ? .endsSoon : nil
    }
}

extension TLSIdentity.Material {
    /// From the leaf's beginning to the end of leaf or authority, whichever is first.
    var term: CertificateTerm {
        CertificateTerm(begins: self.leaf.notBefore, ends: min(self.leaf.notAfter, self.authority.notAfter))
    }
}

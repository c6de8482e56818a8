/// How long a node's own certificate is still good, and when its operator is to be told.
public struct CertificateTerm: Sendable, Hashable {
    /// Seconds since 1970.
    public let begins: Int64
    /// The last second of validity, since 1970.
    public let ends: Int64

    public init(begins: Int64, ends: Int64) {
        self.begins = begins
        self.ends = ends
    }

    /// What the operator is told.
    public enum Warning: Sendable, Hashable {
        /// Less than 30 days are left, or less than a third of a life of under 90 days; and then less than 7, and 1.
        case endsSoon(EndNotice)
        case ended
        case notYetValid

        /// A stable word for programs.
        public var word: String {
            switch self {
            case .endsSoon: "endsSoon"
            case .ended: "ended"
            case .notYetValid: "notYetValid"
            }
        }
    }

    /// The warning that is due at a time, in seconds since 1970.
    public func warning(at now: Int64) -> Warning? {
        if now > self.ends { return .ended }
        if now < self.begins { return .notYetValid }
        // In its last second it is still good.
        return EndNotice(left: max(1, self.ends - now), life: self.life).map { .endsSoon($0) }
    }

    /// Whether a node that may renew it does: less than 30 days are left, or a third of a shorter life; or it begins in
    /// the future, as one that was issued while the clock was wrong.
    public func isToRenew(at now: Int64) -> Bool {
        now < self.begins || EndNotice(left: self.ends - now, life: self.life) != nil
    }

    private var life: Int64 { self.ends - self.begins }
}

extension TLSIdentity.Material {
    /// From the leaf's beginning to the end of leaf or authority, whichever is first.
    var term: CertificateTerm {
        CertificateTerm(begins: self.leaf.notBefore, ends: min(self.leaf.notAfter, self.authority.notAfter))
    }
}

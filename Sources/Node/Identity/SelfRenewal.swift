import TransparencyLog

/// When a node renews its certificate by itself, and with what: for an operator who keeps the authority's key within the
/// node's reach on purpose. Whoever takes over such a node can issue certificates for the member's other nodes too.
struct SelfRenewal: Sendable {
    /// Seconds until another try after a first failure; each further one waits twice as long.
    static let firstPause: Int64 = 3_600
    /// The longest pause between tries: a quarter of a day.
    static let longestPause: Int64 = 21_600

    /// The authority's key, encrypted with the passphrase of the node's keys.
    let authorityKey: String
    private let passphrase: Passphrase
    private var failures: Int64 = 0
    private var next: Int64 = .min

    init(authorityKey: String, passphrase: Passphrase) {
        self.authorityKey = authorityKey
        self.passphrase = passphrase
    }

    /// Whether to try now: less than a third of the certificate's life is left, and the last failure is long enough ago.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - isAsked: whether the operator asks for it, who may have put something right.
    func isDue(_ term: CertificateTerm, at now: Int64, isAsked: Bool = false) -> Bool {
        guard term.isToRenew(at: now) else { return false }
        // A clock that was set back does not put it off.
        return isAsked || now >= self.next || self.next - now > Self.longestPause
    }

    /// - Returns: seconds until the next try.
    mutating func fail(at now: Int64) -> Int64 {
        let pause = min(Self.longestPause, Self.firstPause << min(self.failures, 8))
        self.failures += 1
        self.next = now + pause
        return pause
    }

    mutating func succeed() {
        self.failures = 0
        self.next = .min
    }

    /// Unlocks the authority's key, which takes a tenth of a second or two, and issues the certificate anew.
    ///
    /// - Throws: ``NodeError``, ``KeyFileError`` or ``MemberCAError``, one line each.
    @concurrent
    func issue(like material: TLSIdentity.Material, now: Int64) async throws -> TLSIdentity.Material {
        try self.issueNow(like: material, now: now)
    }

    // Apart: typed errors in an asynchronous function make the optimiser of Swift 6.3.1 crash (decision 0013).
    private func issueNow(like material: TLSIdentity.Material, now: Int64) throws -> TLSIdentity.Material {
        let certificate = material.authority
        // An authority near its own end can only issue what ends with it, again and again.
        guard certificate.notAfter > material.leaf.notAfter || now < material.leaf.notBefore else {
            throw NodeError("the authority's own certificate ends no later: the charter needs a new authority")
        }
        guard case .p256(let key) = try KeyFile.open(self.authorityKey, kind: .authority, passphrase: self.passphrase)
        else { throw NodeError("\(self.authorityKey) is no P-256 key") }
        let authority: MemberCA
        do { authority = try MemberCA(certificate: certificate, privateKey: key) } catch {
            throw NodeError("\(self.authorityKey) is not the key of this node's authority")
        }
        let leaf = try authority.renew(material.leaf, notBefore: now)
        return try material.renewed(leaf: leaf, authority: certificate)
    }
}

import TransparencyLog

/// A member's authority as it lies in a folder of keys: `authority.key`, and its certificate beside it.
struct AuthorityFiles: Sendable {
    let keys: KeyFolder
    let certificate: PeerCertificate

    /// Reads the certificate, which needs no passphrase.
    ///
    /// - Throws: ``SetupError``.
    init(_ keys: KeyFolder) throws(SetupError) {
        self.keys = keys
        certificate = try CertificateRenewal.read("\(keys.path)/\(MemberSetup.authorityCertificate)")
    }

    /// Unlocks the key.
    ///
    /// - Throws: ``SetupError``, ``MemberCAError`` and errors of keys.
    func unlock(_ passphrase: Passphrase) throws -> MemberCA {
        guard
            case .p256(let key) = try keys.open(MemberSetup.authorityKey, kind: .authority, passphrase: passphrase)
        else { throw SetupError(.mismatch, keys.path, "the key of the authority must be a P-256 key") }
        return try MemberCA(certificate: certificate, privateKey: key)
    }

    /// When a certificate ends that begins now: after so many days, but not after the authority.
    ///
    /// - Throws: ``SetupError`` with code `badValue`.
    func end(days: Int, now: Int64) throws(SetupError) -> Int64 {
        guard CertificateRenewal.days.contains(days) else {
            let (least, most) = (CertificateRenewal.days.lowerBound, CertificateRenewal.days.upperBound)
            throw SetupError(.badValue, "--days \(days)", "must be from \(least) to \(most)")
        }
        return min(now + Int64(days) * 86_400, certificate.notAfter)
    }
}

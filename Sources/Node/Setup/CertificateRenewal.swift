import Crypto
import TransparencyLog

/// Issues a node's certificate anew, with the authority's key, which is kept offline.
public enum CertificateRenewal {
    /// Days that a certificate may be issued for.
    public static let days = 1...90

    /// The certificate as it is to be put in place: the same key and names, valid from now.
    ///
    /// - Parameters:
    ///   - old: the certificate to renew, which need not be valid any more.
    ///   - newKey: the file of another key for the node; nil for the key that it has.
    ///   - days: how long it is valid, at most until the authority's own end.
    ///   - now: seconds since 1970.
    /// - Throws: ``SetupError``, ``MemberCAError`` and errors of keys.
    public static func renew(
        _ old: PeerCertificate, newKey: String? = nil, keys: KeyFolder, passphrase: Passphrase, days: Int, now: Int64
    ) throws -> PeerCertificate {
        let files = try AuthorityFiles(keys)
        let end = try files.end(days: days, now: now)
        let authority = try files.unlock(passphrase)
        return try authority.renew(
            old, newKey: try newKey.map { try nodeKey($0) }, notBefore: now, notAfter: end)
    }

    private static func nodeKey(_ path: String) throws -> P256.Signing.PublicKey {
        let file = try PublicKeyFile(at: path)
        guard file.kind == .node, let key = try? P256.Signing.PublicKey(derRepresentation: file.key) else {
            throw SetupError(
                .mismatch, path, "is a key for \(file.kind.rawValue); entente keys new NAME --kind node makes a node's")
        }
        return key
    }

    /// Reads a certificate in PEM.
    ///
    /// - Throws: ``SetupError``.
    public static func read(_ path: String) throws(SetupError) -> PeerCertificate {
        let bytes = try PlainFile.read(path, limit: PeerCertificate.maximumByteCount * 2)
        do {
            return try PeerCertificate(pem: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw SetupError(.malformed, path, "is no certificate in PEM")
        }
    }
}

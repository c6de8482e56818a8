import Crypto

/// The files that a node shows itself with, as they stand on disk: leaf, authority, and the leaf's private key.
struct CertificateFiles: Sendable, Hashable {
    let leaf: [UInt8]
    let authority: [UInt8]
    /// Encrypted.
    let key: [UInt8]

    /// Reads the three files.
    ///
    /// - Throws: ``SetupError`` or ``KeyFileError``, which name the file.
    init(_ settings: NodeSettings) throws {
        let limit = PeerCertificate.maximumByteCount * 2
        self.leaf = try PlainFile.read(settings.certificatePath, limit: limit)
        self.authority = try PlainFile.read(settings.authorityPath, limit: limit)
        self.key = try PrivateFile.read(settings.nodeKeyPath, limit: KeyFile.maximumByteCount)
    }

    /// Parses the certificates and unlocks the key, which takes a tenth of a second or two.
    ///
    /// - Parameter known: what is in use, and its files: an unchanged key is not unlocked again.
    /// - Throws: ``NodeError``, ``KeyFileError`` or ``TransportError``, one line each.
    func material(
        _ settings: NodeSettings, _ passphrase: Passphrase, known: (CertificateFiles, TLSIdentity.Material)? = nil
    ) throws -> TLSIdentity.Material {
        let leaf = try Self.certificate(self.leaf, at: settings.certificatePath)
        let authority = try Self.certificate(self.authority, at: settings.authorityPath)
        if let known, known.0.key == self.key { return try known.1.renewed(leaf: leaf, authority: authority) }
        guard case .p256(let key) = try KeyFile.open(settings.nodeKeyPath, kind: .node, passphrase: passphrase) else {
            throw NodeError("\(settings.nodeKeyPath) is no P-256 key")
        }
        return try TLSIdentity.Material(leaf: leaf, authority: authority, privateKey: key)
    }

    private static func certificate(_ bytes: [UInt8], at path: String) throws(NodeError) -> PeerCertificate {
        do {
            return try PeerCertificate(pem: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw NodeError("\(path) is no certificate in PEM: \(error)")
        }
    }
}

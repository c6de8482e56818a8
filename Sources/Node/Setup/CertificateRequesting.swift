/// Makes the request for a node's certificate, on the node's machine.
public enum CertificateRequesting {
    /// The request for the node's key, or for a fresh one, with the names of the certificate that the node has.
    ///
    /// - Parameters:
    ///   - newKey: the name of a key to make beside the present one; nil for the present one.
    ///   - passphrase: asked for once it is known that the rest is there.
    /// - Returns: the request, and where its private key is.
    /// - Throws: ``SetupError``, ``MemberCAError`` and errors of keys; a key that was made then stays.
    public static func request(
        _ settings: NodeSettings, newKey: String?, passphrase: () throws -> Passphrase
    ) throws -> (request: CertificateRequest, key: String) {
        let leaf = try CertificateRenewal.read(settings.certificatePath)
        var path = settings.nodeKeyPath
        if let newKey {
            guard KeyFile.isValid(name: newKey) else {
                throw SetupError(
                    .badValue, "--new-key \(newKey)", "has to be lower-case letters, digits, '.', '_' and '-'")
            }
            path = "\(settings.keysFolder)/\(newKey)\(KeyFile.privateSuffix)"
        }
        let passphrase = try passphrase()
        if let newKey {
            _ = try KeyFolder(settings.keysFolder).create(newKey, kind: .node, passphrase: passphrase)
        }
        guard case .p256(let key) = try KeyFile.open(path, kind: .node, passphrase: passphrase) else {
            throw SetupError(.mismatch, path, "is no P-256 key")
        }
        return (try CertificateRequest(like: leaf, privateKey: key), path)
    }
}

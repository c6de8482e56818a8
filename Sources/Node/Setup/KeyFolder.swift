public import Alliance
public import TransparencyLog

/// A folder of key files: `NAME.key` and `NAME.pub` each.
public struct KeyFolder: Sendable {
    public let path: String

    public init(_ path: String) { self.path = path }

    /// Makes one key.
    ///
    /// - Throws: ``SetupError``, or ``KeyFileError`` where such a key is there already.
    @discardableResult
    public func create(_ name: String, kind: KeyKind, passphrase: Passphrase) throws -> PublicKeyFile {
        let file = "\(path)/\(name)\(KeyFile.privateSuffix)"
        if FileFacts.exists(file) {
            throw SetupError(.exists, file, "there is such a key already; it was left as it is")
        }
        try Folders.make(path, mode: 0o700)
        return try store(PrivateKey.generate(for: kind), name, kind: kind, passphrase: passphrase)
    }

    func store(_ key: PrivateKey, _ name: String, kind: KeyKind, passphrase: Passphrase) throws -> PublicKeyFile {
        let file = PublicKeyFile(name: name, kind: kind, key: key.publicKey)
        try KeyFile.create(
            key, kind: kind, name: name, in: path, passphrase: passphrase, publicText: file.text)
        return file
    }

    /// The public halves, by name.
    ///
    /// - Throws: ``SetupError`` where the folder cannot be read, or a `.pub` in it is malformed.
    public func list() throws(SetupError) -> [PublicKeyFile] {
        guard let names = FileFacts.names(in: path) else {
            throw SetupError(.missing, path, "there is no such folder; make keys with entente keys new")
        }
        var files: [PublicKeyFile] = []
        for name in names where name.hasSuffix(KeyFile.publicSuffix) {
            files.append(try PublicKeyFile(at: "\(path)/\(name)"))
        }
        return files
    }

    /// The names of private keys without a public half beside them: only their passphrase tells what they are.
    public var unpaired: [String] {
        let names = Set(FileFacts.names(in: path) ?? [])
        return names.filter { $0.hasSuffix(KeyFile.privateSuffix) }.map { String($0.dropLast(4)) }
            .filter { !names.contains($0 + KeyFile.publicSuffix) }.sorted()
    }

    /// The certificates that lie beside the keys.
    public var certificates: [PeerCertificate] {
        (FileFacts.names(in: path) ?? []).filter { $0.hasSuffix(".pem") }
            .compactMap { try? CertificateRenewal.read("\(path)/\($0)") }
    }

    /// The member's public file beside its keys.
    ///
    /// - Throws: ``SetupError`` where there is none, or several.
    public func memberFile() throws(SetupError) -> MemberFile {
        let names = (FileFacts.names(in: path) ?? []).filter { $0.hasSuffix(".member") }.sorted()
        guard let name = names.first else {
            throw SetupError(.missing, path, "there is no member's file; make the keys with entente keys new --all")
        }
        guard names.count == 1 else {
            throw SetupError(.mismatch, path, "there are several members' files: \(names.joined(separator: ", "))")
        }
        return try MemberFile(at: "\(path)/\(name)")
    }

    /// Unlocks a key.
    ///
    /// - Throws: ``KeyFileError``, with advice where there is no such key.
    public func open(_ name: String, kind: KeyKind, passphrase: Passphrase) throws -> PrivateKey {
        guard KeyFile.isValid(name: name) else {
            throw SetupError(.badValue, "key \(name)", "cannot name a key; give the name without folder and .key")
        }
        let file = "\(path)/\(name)\(KeyFile.privateSuffix)"
        guard FileFacts.exists(file) else {
            throw SetupError(.missing, file, "there is no such key; name its folder with --keys")
        }
        return try KeyFile.open(file, kind: kind, passphrase: passphrase)
    }

    /// Unlocks an Ed25519 key that signs.
    public func openSigningKey(
        _ name: String, kind: KeyKind, passphrase: Passphrase
    ) throws -> any PrivateSigningKey {
        guard let key = try open(name, kind: kind, passphrase: passphrase).signing else {
            throw SetupError(.mismatch, name, "is no key that signs")
        }
        return key
    }

    /// Unlocks a key as the signer of a member.
    public func signer(_ name: String, kind: KeyKind, member: String, passphrase: Passphrase) throws -> Signer {
        Signer(member: member, keyName: name, signing: try openSigningKey(name, kind: kind, passphrase: passphrase))
    }
}

import SwiftASN1

/// Private keys on disk: `NAME.key`, encrypted PKCS #8 in PEM that `openssl pkey -in NAME.key` reads, mode 0600; and
/// beside it `NAME.pub`, a text with the public half, for people and for the other commands.
///
/// Unlocking and creating take a tenth of a second or two of computing: call them off an actor.
public enum KeyFile {
    public static let privateSuffix = ".key"
    public static let publicSuffix = ".pub"
    /// The longest file that is read, in bytes; a real one has about 500.
    public static let maximumByteCount = 16 << 10
    /// The longest name, in characters: lower-case letters, digits, `.`, `_`, `-`, the first one a letter or digit.
    public static let maximumNameLength = 64

    /// Writes a private key and its public companion.
    ///
    /// - Parameters:
    ///   - name: as ``maximumNameLength`` says.
    ///   - folder: an existing folder.
    ///   - publicText: what `NAME.pub` will hold (mode 0644), for example one line with the key's id.
    ///   - overwrite: whether existing files of that name are replaced. Without it they are left as they are.
    /// - Throws: ``KeyFileError`` with code `invalidName`, `wrongKind`, `weakPassphrase`, `exists` or `unwritable`.
    @discardableResult
    public static func create(
        _ key: PrivateKey, kind: KeyKind, name: String, in folder: String, passphrase: Passphrase,
        publicText: String, overwrite: Bool = false
    ) throws(KeyFileError) -> StoredKey {
        let path = "\(folder)/\(name)\(Self.privateSuffix)"
        guard Self.isValid(name: name) else {
            throw KeyFileError(
                .invalidName, path,
                "a key's name has up to \(Self.maximumNameLength) lower-case letters, digits, '.', '_' and '-'")
        }
        guard key.fits(kind) else {
            throw KeyFileError(.wrongKind, path, "a key for \(kind.rawValue) is of another algorithm")
        }
        try Self.write(key, to: path, passphrase: passphrase, overwrite: overwrite)
        // The private file is the one that matters: its companion can be made again from it, so it is replaced freely.
        try PrivateFile.write(
            Array(publicText.utf8), to: "\(folder)/\(name)\(Self.publicSuffix)", mode: 0o644, overwrite: true)
        return StoredKey(kind: kind, name: name, path: path, publicKey: key.publicKey)
    }

    /// Unlocks a private key.
    ///
    /// - Parameter kind: what the key is for; the algorithm must fit.
    /// - Throws: ``KeyFileError``.
    public static func open(
        _ path: String, kind: KeyKind, passphrase: Passphrase
    ) throws(KeyFileError) -> PrivateKey {
        let text = String(decoding: try PrivateFile.read(path, limit: Self.maximumByteCount), as: UTF8.self)
        let document: PEMDocument
        do {
            document = try PEMDocument(pemString: text)
        } catch {
            throw KeyFileError(.malformed, path, "it is not a PEM file with one key")
        }
        guard document.discriminator == EncryptedPKCS8.pemType else {
            let isPlain = document.discriminator.hasSuffix("PRIVATE KEY")
            throw KeyFileError(
                isPlain ? .notEncrypted : .malformed, path,
                isPlain
                    ? "the key is not encrypted; run: openssl pkcs8 -topk8 -scrypt -in OLD -out NEW"
                    : "it holds no private key")
        }
        let pkcs8: [UInt8]
        do {
            pkcs8 = try EncryptedPKCS8.open(document.derBytes, passphrase: passphrase)
        } catch {
            throw Self.explain(error, path)
        }
        // A wrong passphrase passes the padding check one time in 256, and then yields no key.
        guard let key = PrivateKey(pkcs8: pkcs8) else { throw Self.explain(.wrongPassphrase, path) }
        guard key.fits(kind) else {
            throw KeyFileError(.wrongKind, path, "it holds no key for \(kind.rawValue), but one of another algorithm")
        }
        return key
    }

    /// Encrypts a key file anew under another passphrase, in one step.
    ///
    /// - Throws: ``KeyFileError``.
    public static func changePassphrase(
        _ path: String, kind: KeyKind, from old: Passphrase, to new: Passphrase
    ) throws(KeyFileError) {
        let key = try Self.open(path, kind: kind, passphrase: old)
        try Self.write(key, to: path, passphrase: new, overwrite: true)
    }

    /// Whether a text may name a key.
    public static func isValid(name: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let first = name.utf8.first, isAlphanumeric(first) else { return false }
        return name.utf8.count <= Self.maximumNameLength
            && name.utf8.allSatisfy { isAlphanumeric($0) || [UInt8]("._-".utf8).contains($0) }
    }

    private static func write(
        _ key: PrivateKey, to path: String, passphrase: Passphrase, overwrite: Bool
    ) throws(KeyFileError) {
        do {
            try passphrase.checkForNewKey()
        } catch {
            throw KeyFileError(.weakPassphrase, path, error.reason)
        }
        let der: [UInt8]
        do {
            der = try EncryptedPKCS8.seal(key.pkcs8, passphrase: passphrase, parameters: .standard)
        } catch {
            throw KeyFileError(.unwritable, path, "the key cannot be encrypted: \(error)")
        }
        let pem = PEMDocument(type: EncryptedPKCS8.pemType, derBytes: der).pemString + "\n"
        try PrivateFile.write(Array(pem.utf8), to: path, mode: 0o600, overwrite: overwrite)
    }

    private static func explain(_ failure: EncryptedPKCS8.Failure, _ path: String) -> KeyFileError {
        switch failure {
        case .malformed:
            KeyFileError(.malformed, path, "it is not an encrypted PKCS #8 key")
        case .unsupportedEncryption:
            KeyFileError(
                .unsupportedEncryption, path,
                "it is not encrypted by scrypt and AES-256-CBC; run: openssl pkcs8 -topk8 -scrypt -in OLD -out NEW")
        case .costTooHigh:
            KeyFileError(.costTooHigh, path, "it asks for more memory or time than a key of ours ever does")
        case .wrongPassphrase:
            KeyFileError(.wrongPassphrase, path, "the passphrase is wrong, or the file is damaged")
        }
    }
}

/// Why a key file could not be written or opened. Compare by ``code``; the text is for people.
public struct KeyFileError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// There is no such file.
        case missing
        /// A file of that name is already there and was left as it is.
        case exists
        /// Its group or others may use the file, or another user owns it.
        case exposed
        case unreadable
        case unwritable
        case tooLarge
        /// The name of a key does not follow the rule of ``KeyFile``.
        case invalidName
        /// Not PEM, not DER, or not the structure that RFC 5958 gives.
        case malformed
        /// A private key that is not encrypted.
        case notEncrypted
        /// Encrypted by something else than scrypt and AES-256-CBC.
        case unsupportedEncryption
        /// The file asks for more memory or time than ``ScryptParameters`` allows.
        case costTooHigh
        /// The passphrase does not open the file, or the file is damaged: the two cannot be told apart.
        case wrongPassphrase
        /// The passphrase is too short for a new key.
        case weakPassphrase
        /// The file holds a key of another algorithm than asked for.
        case wrongKind
    }

    public let code: Code
    public let path: String
    public let reason: String

    init(_ code: Code, _ path: String, _ reason: String) {
        self.code = code
        self.path = path
        self.reason = reason
    }

    public var description: String { "\(self.path): \(self.reason)" }
}

import Crypto

/// What unlocks a private key file: bytes that are never printed, logged or reflected.
///
/// The bytes are kept in memory that is overwritten when the last copy goes, and are used exactly as they were
/// given (no Unicode normalisation), so that `openssl pkey -passin` accepts the same passphrase.
public struct Passphrase: Sendable {
    /// The fewest characters (Unicode scalars) that a new key file accepts. Reading accepts shorter ones.
    public static let minimumLength = 8
    /// The most bytes that any source may deliver.
    public static let maximumByteCount = 1024

    private let secret: SymmetricKey

    /// - Parameter bytes: 1 to ``maximumByteCount`` bytes, without a line break.
    /// - Throws: ``PassphraseError`` with code `empty`, `tooLong` or `invalid` (a line break or NUL inside).
    public init(_ bytes: [UInt8]) throws(PassphraseError) {
        guard !bytes.isEmpty else { throw PassphraseError(.empty, "the passphrase is empty") }
        guard bytes.count <= Self.maximumByteCount else {
            throw PassphraseError(.tooLong, "the passphrase is longer than \(Self.maximumByteCount) bytes")
        }
        guard !bytes.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) else {
            throw PassphraseError(.invalid, "the passphrase contains a line break or a NUL byte")
        }
        self.secret = SymmetricKey(data: bytes)
    }

    /// - Throws: as ``init(_:)-([UInt8])``.
    public init(_ text: String) throws(PassphraseError) {
        try self.init(Array(text.utf8))
    }

    /// Refuses a passphrase that is too short to protect a new key.
    ///
    /// - Throws: ``PassphraseError`` with code `tooShort`.
    public func checkForNewKey() throws(PassphraseError) {
        let length = self.secret.withUnsafeBytes { String(decoding: $0, as: UTF8.self).unicodeScalars.count }
        guard length >= Self.minimumLength else {
            throw PassphraseError(
                .tooShort, "a new key needs a passphrase of at least \(Self.minimumLength) characters")
        }
    }

    func withUnsafeBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try self.secret.withUnsafeBytes(body)
    }

    /// Whether both hold the same bytes, compared in constant time.
    func matches(_ other: Passphrase) -> Bool {
        self.secret == other.secret
    }
}

extension Passphrase: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "Passphrase(redacted)" }
    public var debugDescription: String { self.description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Why no passphrase could be obtained. The reason never contains any of its bytes.
public struct PassphraseError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        case empty, tooShort, tooLong, invalid
        /// A command-line argument that names no source.
        case unknownSource
        /// The environment variable is not set.
        case notSet
        /// The file or descriptor cannot be read.
        case unreadable
        /// Others than the owner may read the file.
        case exposed
        /// There is no terminal to ask on.
        case noTerminal
        /// The two entries at the prompt differ.
        case mismatch
        /// The person at the terminal gave up.
        case cancelled
    }

    public let code: Code
    public let reason: String

    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { self.reason }
}

import Crypto
import CryptoExtras
import FoundationEssentials
import SwiftASN1

/// What one unlocking costs (RFC 7914): 128 · N · r bytes of memory, and time in proportion to N · r · p.
public struct ScryptParameters: Sendable, Hashable {
    /// N, a power of two.
    public let cost: Int
    /// r.
    public let blockSize: Int
    /// p.
    public let parallelism: Int

    /// What new files use: 16 MiB, 5 passes, which OWASP ranks equal to N = 2^15, p = 3 and N = 2^17, p = 1. OpenSSL
    /// refuses N = 2^15 with r = 8: its limit for scrypt is 32 MiB, and it counts a few kilobytes on top.
    public static let standard = ScryptParameters(unchecked: 1 << 14, blockSize: 8, parallelism: 5)

    /// The most memory that reading a file may take, in bytes.
    public static let maximumMemory = 256 << 20
    /// The most memory times passes, in bytes: about two seconds.
    public static let maximumWork = 1 << 30
    /// Bounds r by itself, so that the products below cannot overflow.
    static let maximumBlockSize = 64
    static let maximumParallelism = 64

    private init(unchecked cost: Int, blockSize: Int, parallelism: Int) {
        self.cost = cost
        self.blockSize = blockSize
        self.parallelism = parallelism
    }

    /// Nil if a value is out of range or asks for more than ``maximumMemory`` or ``maximumWork``.
    public init?(cost: Int, blockSize: Int, parallelism: Int) {
        guard cost > 1, cost <= Self.maximumMemory, cost & (cost - 1) == 0,
            1...Self.maximumBlockSize ~= blockSize,
            1...Self.maximumParallelism ~= parallelism,
            128 * cost * blockSize <= Self.maximumMemory,
            128 * cost * blockSize * parallelism <= Self.maximumWork
        else { return nil }
        self.init(unchecked: cost, blockSize: blockSize, parallelism: parallelism)
    }
}

/// Password-encrypted PKCS #8, as OpenSSL reads and writes it: EncryptedPrivateKeyInfo (RFC 5958, section 3) under
/// PBES2 (RFC 8018, section 6.2) with scrypt (RFC 7914, section 7) and AES-256-CBC.
///
///     SEQUENCE
///       SEQUENCE  1.2.840.113549.1.5.13 (PBES2)
///         SEQUENCE
///           SEQUENCE  1.3.6.1.4.1.11591.4.11 (scrypt)
///             SEQUENCE  OCTET STRING salt, INTEGER N, INTEGER r, INTEGER p, INTEGER key length OPTIONAL
///           SEQUENCE  2.16.840.1.101.3.4.1.42 (AES-256-CBC), OCTET STRING initialisation vector
///       OCTET STRING  the encrypted PrivateKeyInfo
enum EncryptedPKCS8 {
    enum Failure: Error {
        case malformed, unsupportedEncryption, costTooHigh, wrongPassphrase
    }

    static let pemType = "ENCRYPTED PRIVATE KEY"
    private static let pbes2: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 5, 13]
    private static let scrypt: ASN1ObjectIdentifier = [1, 3, 6, 1, 4, 1, 11591, 4, 11]
    private static let aes256CBC: ASN1ObjectIdentifier = [2, 16, 840, 1, 101, 3, 4, 1, 42]
    private static let keyByteCount = 32
    private static let saltByteCount = 16
    private static let maximumSaltByteCount = 128

    /// - Returns: DER.
    static func seal(
        _ pkcs8: [UInt8], passphrase: Passphrase, parameters: ScryptParameters
    ) throws -> [UInt8] {
        let salt = SymmetricKey(size: .init(bitCount: Self.saltByteCount * 8)).withUnsafeBytes { Array($0) }
        let iv = AES._CBC.IV()
        let key = try Self.deriveKey(passphrase: passphrase, salt: salt, parameters: parameters)
        let encrypted = try AES._CBC.encrypt(pkcs8, using: key, iv: iv)

        var serializer = DER.Serializer()
        try serializer.appendConstructedNode(identifier: .sequence) { info in
            try info.appendConstructedNode(identifier: .sequence) { algorithm in
                try algorithm.serialize(Self.pbes2)
                try algorithm.appendConstructedNode(identifier: .sequence) { pbes2 in
                    try pbes2.appendConstructedNode(identifier: .sequence) { derivation in
                        try derivation.serialize(Self.scrypt)
                        try derivation.appendConstructedNode(identifier: .sequence) { values in
                            try values.serialize(ASN1OctetString(contentBytes: salt[...]))
                            try values.serialize(parameters.cost)
                            try values.serialize(parameters.blockSize)
                            try values.serialize(parameters.parallelism)
                        }
                    }
                    try pbes2.appendConstructedNode(identifier: .sequence) { encryption in
                        try encryption.serialize(Self.aes256CBC)
                        try encryption.serialize(ASN1OctetString(contentBytes: Array(iv)[...]))
                    }
                }
            }
            try info.serialize(ASN1OctetString(contentBytes: Array(encrypted)[...]))
        }
        return serializer.serializedBytes
    }

    /// - Returns: the DER PrivateKeyInfo.
    static func open(_ der: [UInt8], passphrase: Passphrase) throws(Failure) -> [UInt8] {
        let sealed = try Sealed(der)
        let key: SymmetricKey
        do {
            key = try Self.deriveKey(passphrase: passphrase, salt: sealed.salt, parameters: sealed.parameters)
        } catch {
            throw .costTooHigh
        }
        do {
            let iv = try AES._CBC.IV(ivBytes: sealed.iv)
            return Array(try AES._CBC.decrypt(sealed.encrypted, using: key, iv: iv))
        } catch {
            throw .wrongPassphrase
        }
    }

    private static func deriveKey(
        passphrase: Passphrase, salt: [UInt8], parameters: ScryptParameters
    ) throws -> SymmetricKey {
        try passphrase.withUnsafeBytes { bytes in
            try KDF.Scrypt.deriveKey(
                from: bytes, salt: salt, outputByteCount: Self.keyByteCount, rounds: parameters.cost,
                blockSize: parameters.blockSize, parallelism: parameters.parallelism)
        }
    }

    /// What the structure says, checked before any work is done on it.
    private struct Sealed {
        var salt: [UInt8] = []
        var parameters = ScryptParameters.standard
        var iv: [UInt8] = []
        var encrypted: [UInt8] = []

        init(_ der: [UInt8]) throws(Failure) {
            do {
                var sealed = self
                try DER.sequence(DER.parse(der), identifier: .sequence) { info in
                    try Self.sequence(&info) { algorithm in
                        try Self.expect(EncryptedPKCS8.pbes2, &algorithm)
                        try Self.sequence(&algorithm) { pbes2 in
                            try Self.sequence(&pbes2) { try sealed.readDerivation(&$0) }
                            try Self.sequence(&pbes2) { try sealed.readEncryption(&$0) }
                        }
                    }
                    sealed.encrypted = Array(try ASN1OctetString(derEncoded: &info).bytes)
                }
                self = sealed
            } catch let failure as Failure {
                throw failure
            } catch {
                throw .malformed
            }
        }

        private static func sequence(
            _ nodes: inout ASN1NodeCollection.Iterator, _ read: (inout ASN1NodeCollection.Iterator) throws -> Void
        ) throws {
            guard let node = nodes.next() else { throw Failure.malformed }
            try DER.sequence(node, identifier: .sequence, read)
        }

        private static func expect(
            _ identifier: ASN1ObjectIdentifier, _ nodes: inout ASN1NodeCollection.Iterator
        ) throws {
            guard try ASN1ObjectIdentifier(derEncoded: &nodes) == identifier else {
                throw Failure.unsupportedEncryption
            }
        }

        private mutating func readDerivation(_ nodes: inout ASN1NodeCollection.Iterator) throws {
            try Self.expect(EncryptedPKCS8.scrypt, &nodes)
            try Self.sequence(&nodes) { values in
                self.salt = Array(try ASN1OctetString(derEncoded: &values).bytes)
                let cost = try Int(derEncoded: &values)
                let blockSize = try Int(derEncoded: &values)
                let parallelism = try Int(derEncoded: &values)
                if let length = values.next(), try Int(derEncoded: length) != EncryptedPKCS8.keyByteCount {
                    throw Failure.unsupportedEncryption
                }
                guard let parameters = ScryptParameters(cost: cost, blockSize: blockSize, parallelism: parallelism)
                else { throw Failure.costTooHigh }
                self.parameters = parameters
            }
            guard self.salt.count <= EncryptedPKCS8.maximumSaltByteCount else { throw Failure.malformed }
        }

        private mutating func readEncryption(_ nodes: inout ASN1NodeCollection.Iterator) throws {
            try Self.expect(EncryptedPKCS8.aes256CBC, &nodes)
            self.iv = Array(try ASN1OctetString(derEncoded: &nodes).bytes)
            guard self.iv.count == 16 else { throw Failure.malformed }
        }
    }
}

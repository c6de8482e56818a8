import Crypto
import FoundationEssentials
import SwiftASN1
@_spi(FixedExpiryValidationTime) import X509

/// A public X.509 certificate (RFC 5280), parsed, but not verified: of a member's CA, or of a node.
public struct PeerCertificate: Sendable, Hashable {
    /// The longest certificate that is parsed, in bytes. One of ours has about 500.
    public static let maximumByteCount = 16 << 10
    /// The largest RSA key, in bits, that is used for anything.
    public static let maximumRSABits = 8192

    /// The certificate as it was received.
    public let der: [UInt8]
    /// SHA-256 of the DER SubjectPublicKeyInfo, over the bytes received: what charters and rosters list.
    public let keyDigest: [UInt8]

    let certificate: Certificate

    /// - Throws: ``PeerRejection`` `malformed` or `keyTooLarge`; the latter before the key is looked at any further.
    public init(der: [UInt8]) throws(PeerRejection) {
        guard der.count <= Self.maximumByteCount else { throw .malformed }
        let keyInfo: [UInt8]
        do {
            keyInfo = try SubjectPublicKeyInfo.bytes(inCertificate: der)
        } catch {
            throw .malformed
        }
        guard SubjectPublicKeyInfo.rsaBits(in: keyInfo) ?? 0 <= Self.maximumRSABits else { throw .keyTooLarge }
        guard let certificate = try? Certificate(derEncoded: der), certificate.version == .v3 else { throw .malformed }
        self.der = der
        self.keyDigest = Array(SHA256.hash(data: keyInfo))
        self.certificate = certificate
    }

    /// - Parameter pem: text whose first certificate is read.
    /// - Throws: as ``init(der:)``.
    public init(pem: String) throws(PeerRejection) {
        guard let document = try? PEMDocument(pemString: pem), document.discriminator == "CERTIFICATE" else {
            throw .malformed
        }
        try self.init(der: document.derBytes)
    }

    init(_ certificate: Certificate) throws {
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        try self.init(der: serializer.serializedBytes)
    }

    /// The certificate in PEM, with a line break at its end.
    public var pem: String {
        PEMDocument(type: "CERTIFICATE", derBytes: self.der).pemString + "\n"
    }

    /// Seconds since 1970.
    public var notBefore: Int64 { Int64(self.certificate.notValidBefore.timeIntervalSince1970) }

    /// The last second of validity, since 1970.
    public var notAfter: Int64 { Int64(self.certificate.notValidAfter.timeIntervalSince1970) }

    /// The URI names of the certificate; nil if the extension is missing or broken.
    public var uris: [String]? {
        guard let names = try? self.certificate.extensions.subjectAlternativeNames else { return nil }
        return names.compactMap { name in
            if case .uniformResourceIdentifier(let uri) = name { uri } else { nil }
        }
    }

    public static func == (left: PeerCertificate, right: PeerCertificate) -> Bool { left.der == right.der }

    public func hash(into hasher: inout Hasher) { hasher.combine(self.keyDigest) }
}

/// The part of a certificate that charters and rosters name, taken from the bytes received rather than encoded again.
enum SubjectPublicKeyInfo {
    private static let rsaEncryption: ASN1ObjectIdentifier = [1, 2, 840, 113549, 1, 1, 1]

    /// Certificate ::= SEQUENCE { SEQUENCE { [0] version OPTIONAL, serial, signature algorithm, issuer, validity,
    /// subject, subjectPublicKeyInfo, … }, … } (RFC 5280, section 4.1).
    static func bytes(inCertificate der: [UInt8]) throws -> [UInt8] {
        var outer = try Self.children(of: DER.parse(der))
        guard let toBeSigned = outer.next() else { throw PeerRejection.malformed }
        var fields = try Self.children(of: toBeSigned)
        var field = fields.next()
        if field?.identifier == ASN1Identifier(tagWithNumber: 0, tagClass: .contextSpecific) { field = fields.next() }
        // The field at hand is the serial number.
        for _ in 0..<5 { field = fields.next() }
        guard let field else { throw PeerRejection.malformed }
        return Array(field.encodedBytes)
    }

    /// The size of an RSA modulus; nil for keys of other algorithms and for what is no key.
    static func rsaBits(in keyInfo: [UInt8]) -> Int? {
        guard let root = try? DER.parse(keyInfo), var fields = try? Self.children(of: root),
            let algorithmNode = fields.next(), var algorithm = try? Self.children(of: algorithmNode),
            let identifier = try? ASN1ObjectIdentifier(derEncoded: &algorithm), identifier == Self.rsaEncryption,
            let key = try? ASN1BitString(derEncoded: &fields),
            let keyRoot = try? DER.parse(key.bytes), var numbers = try? Self.children(of: keyRoot),
            case .primitive(let modulus)? = numbers.next()?.content
        else { return nil }
        let digits = modulus.drop { $0 == 0 }
        return digits.count * 8 - (digits.first?.leadingZeroBitCount ?? 0)
    }

    private static func children(of node: ASN1Node) throws -> ASN1NodeCollection.Iterator {
        guard node.identifier == .sequence, case .constructed(let nodes) = node.content else {
            throw PeerRejection.malformed
        }
        return nodes.makeIterator()
    }
}

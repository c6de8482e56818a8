public import Crypto
import FoundationEssentials
import SwiftASN1
import X509

/// A member's certificate authority: it issues the leaves of that member's nodes, and nothing else.
///
/// Certificates follow RFC 5280. The authority is self-signed P-256, `CA:TRUE, pathlen:0`, for signing certificates and
/// revocation lists. A leaf has one URI name, the member's id, and serves as TLS client and server.
public struct MemberCA: Sendable {
    /// Ten years, in seconds.
    public static let authorityLifetime: Int64 = 3653 * 86_400
    /// 90 days, in seconds.
    public static let leafLifetime: Int64 = 90 * 86_400
    /// How far a new certificate's start lies back, in seconds, for peers whose clock is slow.
    public static let backdating: Int64 = 300
    /// The most DNS names and addresses together that a leaf may carry.
    public static let maximumAlternativeNames = 32

    public let certificate: PeerCertificate
    private let privateKey: P256.Signing.PrivateKey

    /// Takes up an authority from its certificate and key.
    ///
    /// - Throws: ``MemberCAError`` with code `keyMismatch` if the two do not belong together.
    public init(certificate: PeerCertificate, privateKey: P256.Signing.PrivateKey) throws(MemberCAError) {
        guard certificate.certificate.publicKey == Certificate.PublicKey(privateKey.publicKey) else {
            throw MemberCAError(.keyMismatch, "the certificate is not that of this private key")
        }
        self.certificate = certificate
        self.privateKey = privateKey
    }

    /// Makes a new authority.
    ///
    /// - Parameters:
    ///   - shortName: the member's short name in the charter, which becomes the subject's common name.
    ///   - now: seconds since 1970.
    /// - Throws: ``MemberCAError`` with code `invalidName`, or `encoding`.
    public static func create(
        shortName: String, privateKey: P256.Signing.PrivateKey = .init(), now: Int64,
        lifetime: Int64 = MemberCA.authorityLifetime
    ) throws(MemberCAError) -> MemberCA {
        let name = try Self.subject(shortName)
        let certificate = try Self.encode {
            try Certificate(
                version: .v3,
                serialNumber: Certificate.SerialNumber(),
                publicKey: .init(privateKey.publicKey),
                notValidBefore: Self.date(now - Self.backdating),
                notValidAfter: Self.date(now + lifetime),
                issuer: name,
                subject: name,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true, cRLSign: true))
                    SubjectKeyIdentifier(hash: .init(privateKey.publicKey))
                },
                issuerPrivateKey: .init(privateKey))
        }
        return try MemberCA(certificate: certificate, privateKey: privateKey)
    }

    /// Issues the certificate of a node.
    ///
    /// - Parameters:
    ///   - memberURI: the member's id, such as `did:web:pk.alliance.example`.
    ///   - nodeName: the subject's common name.
    ///   - dnsNames: names by which browsers and curl may reach the node; peers do not look at them.
    ///   - addresses: the same as IPv4 (4 bytes) or IPv6 (16 bytes) addresses in network order.
    ///   - notBefore: seconds since 1970; the certificate starts ``backdating`` earlier.
    ///   - notAfter: seconds since 1970; by default ``leafLifetime`` after `notBefore`, at most until the authority ends.
    /// - Throws: ``MemberCAError`` with code `invalidName`, `invalidPeriod` or `encoding`.
    public func issueLeaf(
        for publicKey: P256.Signing.PublicKey, memberURI: String, nodeName: String, dnsNames: [String] = [],
        addresses: [[UInt8]] = [], notBefore: Int64, notAfter: Int64? = nil
    ) throws(MemberCAError) -> PeerCertificate {
        let end = notAfter ?? min(notBefore + Self.leafLifetime, self.certificate.notAfter)
        guard notBefore < end, end <= self.certificate.notAfter else {
            throw MemberCAError(.invalidPeriod, "a leaf ends after it starts, and not after its authority")
        }
        guard !memberURI.isEmpty, memberURI.utf8.allSatisfy({ 0x21...0x7E ~= $0 }),
            dnsNames.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { 0x21...0x7E ~= $0 } }),
            addresses.allSatisfy({ $0.count == 4 || $0.count == 16 }),
            dnsNames.count + addresses.count <= Self.maximumAlternativeNames
        else {
            throw MemberCAError(.invalidName, "a member id and DNS names are plain ASCII, addresses have 4 or 16 bytes")
        }
        let names: [GeneralName] =
            [.uniformResourceIdentifier(memberURI)] + dnsNames.map { .dnsName($0) }
            + addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) }
        return try self.leaf(
            publicKey: .init(publicKey), subject: try Self.subject(nodeName), names: SubjectAlternativeNames(names),
            notBefore: notBefore, notAfter: end)
    }

    /// Issues the certificate of a node anew: the same key and names, another period. What the roster lists is the
    /// key, so no roster has to change.
    ///
    /// - Parameters:
    ///   - newKey: another key for the same node, which a roster has to list; nil for the key that it had.
    ///   - notBefore: seconds since 1970; the certificate starts ``backdating`` earlier.
    ///   - notAfter: as ``issueLeaf(for:memberURI:nodeName:dnsNames:addresses:notBefore:notAfter:)``.
    /// - Throws: ``MemberCAError`` with code `notIssuedHere` if it is no leaf of this authority, `invalidPeriod` or
    ///   `encoding`.
    public func renew(
        _ leaf: PeerCertificate, newKey: P256.Signing.PublicKey? = nil, notBefore: Int64, notAfter: Int64? = nil
    ) throws(MemberCAError) -> PeerCertificate {
        let old = leaf.certificate
        guard self.certificate.certificate.publicKey.isValidSignature(old.signature, for: old),
            leaf.keyDigest != self.certificate.keyDigest,
            let names = try? old.extensions.subjectAlternativeNames, leaf.uris?.count == 1
        else { throw MemberCAError(.notIssuedHere, "the certificate is not one that this authority issued to a node") }
        let end = notAfter ?? min(notBefore + Self.leafLifetime, self.certificate.notAfter)
        guard notBefore < end, end <= self.certificate.notAfter else {
            throw MemberCAError(.invalidPeriod, "a leaf ends after it starts, and not after its authority")
        }
        return try self.leaf(
            publicKey: newKey.map { Certificate.PublicKey($0) } ?? old.publicKey, subject: old.subject, names: names,
            notBefore: notBefore, notAfter: end)
    }

    private func leaf(
        publicKey: Certificate.PublicKey, subject: DistinguishedName, names: SubjectAlternativeNames,
        notBefore: Int64, notAfter: Int64
    ) throws(MemberCAError) -> PeerCertificate {
        try Self.encode {
            let authority = self.certificate.certificate
            return try Certificate(
                version: .v3,
                serialNumber: Certificate.SerialNumber(),
                publicKey: publicKey,
                notValidBefore: Self.date(notBefore - Self.backdating),
                notValidAfter: Self.date(notAfter),
                issuer: authority.subject,
                subject: subject,
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.clientAuth, .serverAuth])
                    names
                    SubjectKeyIdentifier(hash: publicKey)
                    AuthorityKeyIdentifier(
                        keyIdentifier: try authority.extensions.subjectKeyIdentifier?.keyIdentifier)
                },
                issuerPrivateKey: .init(self.privateKey))
        }
    }

    private static func subject(_ commonName: String) throws(MemberCAError) -> DistinguishedName {
        // 64 is X.520's upper bound for a common name.
        guard 1...64 ~= commonName.unicodeScalars.count else {
            throw MemberCAError(.invalidName, "a name in a certificate has 1 to 64 characters")
        }
        do {
            return try DistinguishedName { CommonName(commonName) }
        } catch {
            throw MemberCAError(.invalidName, "\(error)")
        }
    }

    private static func encode(_ build: () throws -> Certificate) throws(MemberCAError) -> PeerCertificate {
        do {
            return try PeerCertificate(build())
        } catch {
            throw MemberCAError(.encoding, "\(error)")
        }
    }

    private static func date(_ seconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(seconds))
    }
}

/// Why a certificate could not be made.
public struct MemberCAError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        case keyMismatch, invalidName, invalidPeriod, notIssuedHere, badRequest, encoding
    }

    public let code: Code
    public let reason: String

    init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { self.reason }
}

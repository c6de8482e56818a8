public import Crypto
import SwiftASN1
import X509

/// A request for a node's certificate: PKCS #10 (RFC 2986) in PEM, which `openssl req` reads and makes too.
///
/// It carries a public key from the node's machine to the authority's, signed with the private half, which stays where
/// it is. Nothing else in it is taken over: what a certificate says is the authority's to decide.
public struct CertificateRequest: Sendable {
    /// The longest request that is read, in bytes of DER. One of ours has about 300.
    public static let maximumByteCount = 8 << 10

    /// The request's DER.
    public let der: [UInt8]
    public let publicKey: P256.Signing.PublicKey
    /// The URI names that it asks for.
    public let uris: [String]
    /// The hosts' names and IPv4 addresses that it asks for.
    public let hosts: [String]
    /// What else it asks for, in words.
    public let wishes: [String]

    /// Asks for a certificate with the subject and names of another.
    ///
    /// - Throws: ``MemberCAError`` with code `encoding`.
    public init(like leaf: PeerCertificate, privateKey: P256.Signing.PrivateKey) throws(MemberCAError) {
        do {
            let names = try leaf.certificate.extensions.subjectAlternativeNames ?? SubjectAlternativeNames([])
            let asked = ExtensionRequest(extensions: try Certificate.Extensions { names })
            let request = try CertificateSigningRequest(
                version: .v1, subject: leaf.certificate.subject, privateKey: .init(privateKey),
                attributes: .init([.init(asked)]), signatureAlgorithm: .ecdsaWithSHA256)
            var serializer = DER.Serializer()
            try serializer.serialize(request)
            try self.init(der: serializer.serializedBytes)
        } catch let error as MemberCAError {
            throw error
        } catch {
            throw MemberCAError(.encoding, "\(error)")
        }
    }

    /// Reads a request and checks that whoever made it has the private key.
    ///
    /// - Throws: ``MemberCAError`` with code `badRequest`.
    public init(pem: String) throws(MemberCAError) {
        guard let document = try? PEMDocument(pemString: pem),
            // The second is what Microsoft's tools and `openssl req -newhdr` write.
            ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"].contains(document.discriminator)
        else { throw MemberCAError(.badRequest, "is no certificate request in PEM") }
        try self.init(der: document.derBytes)
    }

    private init(der: [UInt8]) throws(MemberCAError) {
        guard der.count <= Self.maximumByteCount else {
            throw MemberCAError(
                .badRequest, "is longer than \(Self.maximumByteCount) bytes, as no request of a node is")
        }
        guard let request = try? CertificateSigningRequest(derEncoded: der) else {
            throw MemberCAError(.badRequest, "is no certificate request (PKCS #10)")
        }
        guard let key = P256.Signing.PublicKey(request.publicKey) else {
            throw MemberCAError(
                .badRequest, "is for a key of another kind: a node has a P-256 key (entente tls request makes one)")
        }
        guard request.publicKey.isValidSignature(request.signature, for: request) else {
            throw MemberCAError(.badRequest, "is not signed by the key in it; it was changed, or made by somebody else")
        }
        self.der = der
        self.publicKey = key
        let asked = try Asked(request)
        self.uris = asked.uris
        self.hosts = asked.hosts
        self.wishes = asked.wishes
    }

    /// What a request asks for besides its key.
    private struct Asked {
        var (uris, hosts, wishes): ([String], [String], [String]) = ([], [], [])

        init(_ request: CertificateSigningRequest) throws(MemberCAError) {
            do {
                for wish in try request.attributes.extensionRequest?.extensions ?? Certificate.Extensions() {
                    guard wish.oid == .X509ExtensionID.subjectAlternativeName else {
                        self.wishes.append("extension \(wish.oid)")
                        continue
                    }
                    for name in try SubjectAlternativeNames(wish) { self.add(name) }
                }
            } catch {
                throw MemberCAError(.badRequest, "asks for names that cannot be read")
            }
        }

        private mutating func add(_ name: GeneralName) {
            switch name {
            case .uniformResourceIdentifier(let uri): self.uris.append(uri)
            case .dnsName(let name): self.hosts.append(name)
            case .ipAddress(let address) where address.bytes.count == 4:
                self.hosts.append(address.bytes.map(String.init).joined(separator: "."))
            default: self.wishes.append("name \(name)")
            }
        }
    }

    /// SHA-256 of the key's DER SubjectPublicKeyInfo: what rosters list.
    public var keyDigest: [UInt8] { Array(SHA256.hash(data: self.publicKey.derRepresentation)) }

    /// The request in PEM, with a line break at its end.
    public var pem: String { PEMDocument(type: "CERTIFICATE REQUEST", derBytes: self.der).pemString + "\n" }
}

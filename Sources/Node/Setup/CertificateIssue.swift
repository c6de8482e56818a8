import Alliance
public import TransparencyLog

/// A certificate that a member's authority is about to issue for a node's request: what it will say is known before the
/// authority's key is unlocked, so that it can be shown.
public struct CertificateIssue: Sendable {
    /// The member's id, the certificate's only URI name.
    public let member: String
    /// The subject's common name: which node it is, for people.
    public let node: String
    /// Further names, by which browsers and curl reach the node.
    public let hosts: [String]
    /// SHA-256 of the key's DER SubjectPublicKeyInfo.
    public let key: HashValue
    /// Seconds since 1970.
    public let ends: Int64
    /// What the request asks for and does not get, in words.
    public let refused: [String]

    private let request: CertificateRequest
    private let authority: AuthorityFiles
    private let names: HostNames
    private let begins: Int64

    /// Checks a request.
    ///
    /// - Parameters:
    ///   - path: the request's file, in PEM.
    ///   - charter: the file of a charter that lists the member; nil for the member's own public file beside the keys.
    ///   - addresses: `https://host:port` where the node is reached; empty for the member's own addresses.
    ///   - now: seconds since 1970.
    /// - Throws: ``SetupError`` or ``MemberCAError``, which say what is wrong with the request.
    public init(
        request path: String, node: String, addresses: [String] = [], charter: String? = nil, keys: KeyFolder,
        days: Int,
        now: Int64
    ) throws {
        let pem = String(
            decoding: try PlainFile.read(path, limit: CertificateRequest.maximumByteCount * 2), as: UTF8.self)
        do throws(MemberCAError) { request = try CertificateRequest(pem: pem) } catch {
            throw SetupError(.malformed, path, error.reason)
        }
        guard KeyFile.isValid(name: node) else { throw SetupError(.badValue, "--node \(node)", "cannot name a node") }
        for address in addresses
        where !address.hasPrefix("https://") || PeerAddress(String(address.dropFirst(8))) == nil {
            throw SetupError(.badValue, "--address \(address)", "must be https://host:port")
        }
        authority = try AuthorityFiles(keys)
        let member = try Self.member(of: authority, charter: charter)
        guard request.keyDigest != authority.certificate.keyDigest else {
            throw SetupError(.mismatch, path, "is for the authority's own key, which no node may have")
        }
        guard request.uris.count == 1, request.uris[0].utf8.elementsEqual(member.id.utf8) else {
            let asked = request.uris.isEmpty ? "names no member" : "is for \(request.uris.joined(separator: ", "))"
            throw SetupError(.mismatch, path, "\(asked); this authority's is \(member.id), as the only URI name")
        }
        names = HostNames(addresses.isEmpty ? member.addresses : addresses)
        begins = now
        ends = try authority.end(days: days, now: now)
        key = HashValue(request.keyDigest) ?? .zero
        self.member = member.id
        self.node = node
        let hosts = names.names + names.addresses.map { $0.map(String.init).joined(separator: ".") }
        self.hosts = hosts
        refused = request.hosts.filter { !hosts.contains($0) }.map { "name \($0)" } + request.wishes
    }

    /// The member whose authority it is.
    private static func member(of authority: AuthorityFiles, charter: String?) throws -> CharterMember {
        guard let charter else {
            let member = try authority.keys.memberFile().member
            guard authority.certificate.keyDigest == member.authority.bytes else {
                throw SetupError(
                    .mismatch, authority.keys.path,
                    "the authority here is not the one in \(member.name).member; name a newer charter with --charter")
            }
            return member
        }
        let members = try CharterFile(at: charter).charter.members
        guard let member = members.first(where: { $0.authority.bytes == authority.certificate.keyDigest }) else {
            throw SetupError(.mismatch, charter, "lists no member with the authority in \(authority.keys.path)")
        }
        return member
    }

    /// Issues it.
    ///
    /// - Throws: ``SetupError``, ``MemberCAError`` and errors of keys.
    public func issue(_ passphrase: Passphrase) throws -> PeerCertificate {
        try authority.unlock(passphrase).issueLeaf(
            for: request.publicKey, memberURI: member, nodeName: node, dnsNames: names.names,
            addresses: names.addresses,
            notBefore: begins, notAfter: ends)
    }
}

import FoundationEssentials
import SwiftASN1
@_spi(FixedExpiryValidationTime) import X509

/// Who may connect, by one charter and the rosters held under it: a value, replaced as a whole when either changes.
public struct PeerTrust: Sendable {
    /// A member as far as connections are concerned.
    public struct Member: Sendable, Hashable {
        /// The member's id in the charter.
        public let id: String
        /// SHA-256 of the DER SubjectPublicKeyInfo of the member's CA, 32 bytes, from the charter.
        public let authorityKeyDigest: [UInt8]
        public let roster: Roster

        public init(id: String, authorityKeyDigest: [UInt8], roster: Roster) {
            self.id = id
            self.authorityKeyDigest = authorityKeyDigest
            self.roster = roster
        }
    }

    /// What the newest roster held of a member says about its nodes' TLS keys (SHA-256 of SubjectPublicKeyInfo).
    public enum Roster: Sendable, Hashable {
        case notHeld
        /// A key that is in both sets is revoked.
        case held(nodes: Set<[UInt8]>, revoked: Set<[UInt8]>)
    }

    /// Which end of the connection the certificates come from.
    public enum Role: Sendable, Hashable {
        /// They were presented to our listener.
        case client
        /// They were presented by a node that we dialled.
        case server
    }

    /// Exactly a leaf and its member CA.
    public static let chainLength = 2
    static let digestByteCount = 32

    /// Nobody may connect.
    public static let empty = PeerTrust()

    private let membersByAuthority: [[UInt8]: Member]
    private let membersByID: [String: Member]

    private init() {
        self.membersByAuthority = [:]
        self.membersByID = [:]
    }

    /// - Parameter members: the active members, the own one included if nodes of one member talk to each other.
    /// - Throws: ``PeerTrustError`` if two members share an id or a CA key, or a digest has not 32 bytes.
    public init(members: [Member]) throws(PeerTrustError) {
        var byAuthority: [[UInt8]: Member] = [:]
        var byID: [String: Member] = [:]
        for member in members {
            guard member.authorityKeyDigest.count == Self.digestByteCount else {
                throw PeerTrustError(.digestLength, member.id)
            }
            guard byID.updateValue(member, forKey: member.id) == nil else {
                throw PeerTrustError(.duplicateMember, member.id)
            }
            guard byAuthority.updateValue(member, forKey: member.authorityKeyDigest) == nil else {
                throw PeerTrustError(.duplicateAuthority, member.id)
            }
        }
        self.membersByAuthority = byAuthority
        self.membersByID = byID
    }

    public func member(_ id: String) -> Member? { self.membersByID[id] }

    /// Decides about the certificates that the other side presented. Cheap checks come first; at most two signatures
    /// are verified, both with a key that the charter names.
    ///
    /// - Parameters:
    ///   - chain: DER, the leaf first, as presented.
    ///   - now: seconds since 1970.
    @concurrent
    public func evaluate(
        chain: [[UInt8]], role: Role = .client, now: Int64
    ) async -> Result<PeerIdentity, PeerRejection> {
        do {
            guard !chain.isEmpty else { throw PeerRejection.none }
            guard chain.count == Self.chainLength else { throw PeerRejection.chainLength }
            let leaf = try PeerCertificate(der: chain[0])
            let authority = try PeerCertificate(der: chain[1])
            guard let member = self.membersByAuthority[authority.keyDigest] else {
                throw PeerRejection.unknownAuthority
            }
            try Self.checkAuthority(authority, now: now)
            try Self.checkLeaf(leaf, of: member, role: role, now: now)
            try await Self.checkSignatures(leaf: leaf, authority: authority, now: now)
            return .success(
                PeerIdentity(
                    memberID: member.id, keyDigest: leaf.keyDigest, authorityKeyDigest: authority.keyDigest,
                    notAfter: min(leaf.notAfter, authority.notAfter),
                    access: try Self.access(of: leaf.keyDigest, in: member.roster)))
        } catch let rejection as PeerRejection {
            return .failure(rejection)
        } catch {
            return .failure(.policy)
        }
    }

    /// Decides anew about a peer whose certificates were verified before, after the charter, a roster or the time moved
    /// on.
    public func recheck(_ identity: PeerIdentity, now: Int64) -> Result<PeerIdentity, PeerRejection> {
        guard let member = self.membersByAuthority[identity.authorityKeyDigest], member.id == identity.memberID else {
            return .failure(.unknownAuthority)
        }
        guard now <= identity.notAfter else { return .failure(.expired) }
        do {
            return .success(
                PeerIdentity(
                    memberID: member.id, keyDigest: identity.keyDigest,
                    authorityKeyDigest: identity.authorityKeyDigest, notAfter: identity.notAfter,
                    access: try Self.access(of: identity.keyDigest, in: member.roster)))
        } catch {
            return .failure(error)
        }
    }

    /// Decides about a node that we dialled, once more than BoringSSL did: by the charter and roster in force when the
    /// handshake ended.
    func evaluateDialled(
        leaf der: [UInt8], memberID: String, authority: PeerCertificate, now: Int64
    ) -> Result<PeerIdentity, PeerRejection> {
        do throws(PeerRejection) {
            let leaf = try PeerCertificate(der: der)
            guard let member = self.membersByAuthority[authority.keyDigest] else { throw .unknownAuthority }
            guard member.id == memberID else { throw .wrongMember }
            try Self.checkLeaf(leaf, of: member, role: .server, now: now)
            // The charter may have named another CA when the connection was started.
            let certificate = leaf.certificate
            guard authority.certificate.publicKey.isValidSignature(certificate.signature, for: certificate) else {
                throw .badSignature
            }
            return .success(
                PeerIdentity(
                    memberID: member.id, keyDigest: leaf.keyDigest, authorityKeyDigest: authority.keyDigest,
                    notAfter: min(leaf.notAfter, authority.notAfter),
                    access: try Self.access(of: leaf.keyDigest, in: member.roster)))
        } catch {
            return .failure(error)
        }
    }

    /// The authority's certificate must be what it claims to be. Its key is in the charter, but the rest of it is only
    /// what the other side sent: so it must be signed by that same key.
    private static func checkAuthority(_ authority: PeerCertificate, now: Int64) throws(PeerRejection) {
        let certificate = authority.certificate
        guard case .isCertificateAuthority? = try? certificate.extensions.basicConstraints,
            let usage = try? certificate.extensions.keyUsage, usage.keyCertSign,
            certificate.issuer == certificate.subject
        else { throw .issuerNotAuthority }
        try Self.checkPeriod(authority, now: now)
    }

    private static func checkLeaf(
        _ leaf: PeerCertificate, of member: Member, role: Role, now: Int64
    ) throws(PeerRejection) {
        guard leaf.uris == [member.id] else { throw .nameMismatch }
        try Self.checkPeriod(leaf, now: now)
        let extensions = leaf.certificate.extensions
        guard let usage = try? extensions.keyUsage, usage.digitalSignature, !usage.keyCertSign,
            let purposes = try? extensions.extendedKeyUsage,
            purposes.contains(role == .client ? .clientAuth : .serverAuth)
        else { throw .wrongUsage }
        // Absent or false; an extension that cannot be parsed must not pass for absent.
        switch Result(catching: { try extensions.basicConstraints }) {
        case .success(nil), .success(.notCertificateAuthority): break
        case .success(.isCertificateAuthority), .failure: throw .wrongUsage
        }
    }

    private static func checkPeriod(_ certificate: PeerCertificate, now: Int64) throws(PeerRejection) {
        guard certificate.notBefore <= now else { throw .notYetValid }
        guard now <= certificate.notAfter else { throw .expired }
    }

    private static func checkSignatures(
        leaf: PeerCertificate, authority: PeerCertificate, now: Int64
    ) async throws(PeerRejection) {
        let root = authority.certificate
        guard root.publicKey.isValidSignature(root.signature, for: root) else { throw .badSignature }
        var verifier = Verifier(rootCertificates: CertificateStore([root])) {
            RFC5280Policy(fixedExpiryValidationTime: Date(timeIntervalSince1970: Double(now)))
            CheckedExtensions()
        }
        switch await verifier.validate(leaf: leaf.certificate, intermediates: CertificateStore([])) {
        case .validCertificate(let chain):
            // Never a chain that ends elsewhere, however it was built.
            guard chain.count == Self.chainLength, Array(chain)[1] == root else { throw .policy }
        case .couldNotValidate(let failures):
            // No chain could be built: the leaf is not signed by this authority. Else a rule was broken.
            guard failures.isEmpty else { throw .policy }
            let isSigned = root.publicKey.isValidSignature(leaf.certificate.signature, for: leaf.certificate)
            throw isSigned ? .policy : .badSignature
        }
    }

    private static func access(
        of keyDigest: [UInt8], in roster: Roster
    ) throws(PeerRejection) -> PeerIdentity.Access {
        switch roster {
        case .notHeld: return .restricted(.rosterNotHeld)
        case .held(let nodes, let revoked):
            guard !revoked.contains(keyDigest) else { throw .revoked }
            return nodes.contains(keyDigest) ? .full : .restricted(.notInRoster)
        }
    }
}

/// Tells the verifier which extensions `PeerTrust` has looked at itself, so that they may be marked critical.
private struct CheckedExtensions: VerifierPolicy, Sendable {
    let verifyingCriticalExtensions: [ASN1ObjectIdentifier] = [
        .X509ExtensionID.subjectAlternativeName, .X509ExtensionID.extendedKeyUsage, .X509ExtensionID.keyUsage,
    ]

    func chainMeetsPolicyRequirements(chain: UnverifiedCertificateChain) async -> PolicyEvaluationResult {
        .meetsPolicy
    }
}

/// Why a list of members cannot be trusted as a whole.
public struct PeerTrustError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        case digestLength, duplicateMember, duplicateAuthority
    }

    public let code: Code
    public let memberID: String

    init(_ code: Code, _ memberID: String) {
        self.code = code
        self.memberID = memberID
    }

    public var description: String {
        switch self.code {
        case .digestLength: "\(self.memberID): the digest of a CA key has 32 bytes"
        case .duplicateMember: "\(self.memberID) stands twice in the list of members"
        case .duplicateAuthority: "\(self.memberID) has the CA key of another member"
        }
    }
}

public import Crypto
import FoundationEssentials
import NIOCore
import NIOSSL
import X509

/// What this node shows of itself in TLS, replaceable while connections are open: new connections use the new one.
public final class TLSIdentity: Sendable {
    /// A leaf, its authority, and the leaf's private key.
    public struct Material: Sendable {
        public let leaf: PeerCertificate
        public let authority: PeerCertificate
        fileprivate let privateKey: P256.Signing.PrivateKey

        /// - Throws: ``TransportError`` with code `identity` if the key is not the leaf's.
        public init(
            leaf: PeerCertificate, authority: PeerCertificate, privateKey: P256.Signing.PrivateKey
        ) throws(TransportError) {
            guard leaf.certificate.publicKey == .init(privateKey.publicKey) else {
                throw TransportError(.identity, "the node's certificate is not that of its private key")
            }
            guard authority.certificate.publicKey.isValidSignature(leaf.certificate.signature, for: leaf.certificate)
            else {
                throw TransportError(.identity, "the node's certificate is not signed by the authority beside it")
            }
            self.leaf = leaf
            self.authority = authority
            self.privateKey = privateKey
        }

        /// The same private key with other certificates.
        ///
        /// - Throws: as ``init(leaf:authority:privateKey:)``.
        public func renewed(leaf: PeerCertificate, authority: PeerCertificate) throws(TransportError) -> Material {
            try Material(leaf: leaf, authority: authority, privateKey: self.privateKey)
        }
    }

    private struct State {
        var material: Material
        var serverContext: NIOSSLContext
        var chain: [NIOSSLCertificateSource]
        var key: NIOSSLPrivateKeySource
        /// Counts replacements, so that clients know when to build their configuration anew.
        var generation = 0
    }

    /// How long closing waits for the other side's close_notify. NIOSSL's default, 5 s, would delay every shutdown.
    static let shutdownTimeoutMilliseconds: Int64 = 300

    private let state: Mutexed<State>

    /// - Throws: ``TransportError`` with code `identity` if BoringSSL refuses the certificates or the key.
    public init(_ material: Material) throws(TransportError) {
        self.state = Mutexed(try Self.prepare(material))
    }

    /// Takes up a renewed certificate. Open connections keep the old one; both ends recheck them at its expiry.
    ///
    /// - Throws: as ``init(_:)``; what was in use then stays.
    public func replace(with material: Material) throws(TransportError) {
        let prepared = try Self.prepare(material)
        self.state.withLock { state in
            let generation = state.generation + 1
            state = prepared
            state.generation = generation
        }
    }

    /// What is in use now.
    public var material: Material { self.state.withLock { $0.material } }

    var generation: Int { self.state.withLock { $0.generation } }

    var serverContext: NIOSSLContext { self.state.withLock { $0.serverContext } }

    /// For dialling a member whose CA is `authority`. Names of hosts say nothing here: the CA alone identifies.
    func clientConfiguration(trusting authority: PeerCertificate) throws -> TLSConfiguration {
        var configuration = self.clientConfiguration()
        let root = try NIOSSLCertificate(bytes: authority.der, format: .der)
        configuration.trustRoots = .certificates([root])
        return configuration
    }

    /// For dialling with a verification callback, which replaces the trust roots.
    func clientConfiguration() -> TLSConfiguration {
        let (chain, key) = self.state.withLock { ($0.chain, $0.key) }
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = .certificates([])
        configuration.certificateChain = chain
        configuration.privateKey = key
        configuration.applicationProtocols = ["http/1.1"]
        configuration.shutdownTimeout = .milliseconds(Self.shutdownTimeoutMilliseconds)
        return configuration
    }

    private static func prepare(_ material: Material) throws(TransportError) -> State {
        do {
            let chain: [NIOSSLCertificateSource] = [
                .certificate(try NIOSSLCertificate(bytes: material.leaf.der, format: .der)),
                .certificate(try NIOSSLCertificate(bytes: material.authority.der, format: .der)),
            ]
            let der = Array(material.privateKey.derRepresentation)
            let key = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(bytes: der, format: .der))
            var configuration = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: key)
            configuration.minimumTLSVersion = .tlsv13
            // Asks for a certificate and fails without one; the callback of `PeerChannel` decides about it.
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates([])
            configuration.applicationProtocols = ["http/1.1"]
            configuration.shutdownTimeout = .milliseconds(Self.shutdownTimeoutMilliseconds)
            let context = try NIOSSLContext(configuration: configuration)
            return State(material: material, serverContext: context, chain: chain, key: key)
        } catch {
            throw TransportError(.identity, "the node's certificate or key cannot be used: \(error)")
        }
    }
}

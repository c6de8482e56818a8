import AsyncHTTPClient
public import HTTPTypes
public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// An HTTP proxy that tunnels by CONNECT (RFC 9110, section 9.3.6).
public struct PeerProxy: Sendable, Hashable, CustomStringConvertible {
    public let address: PeerAddress
    /// For Basic authorization; both or neither.
    let userName: String?
    let password: String?

    public init(address: PeerAddress, userName: String? = nil, password: String? = nil) {
        self.address = address
        self.userName = userName
        self.password = userName == nil ? nil : password ?? ""
    }

    /// Without the user name and password.
    public var description: String { "proxy \(self.address)" }

    var authorization: HTTPClient.Authorization? {
        guard let userName, let password else { return nil }
        return .basic(username: userName, password: password)
    }
}

/// The limits of one peer's client, checked when made. Times are in milliseconds.
public struct PeerClientConfiguration: Sendable {
    /// For each of connecting, the proxy's answer, and the handshake.
    public let connectTimeout: Int64
    /// From asking to the head of the answer, connecting included.
    public let answerTimeout: Int64
    /// The longest silence within an answer. A long-lived answer must bring something within this time.
    public let readTimeout: Int64
    /// How long an unused connection is kept.
    public let idleTimeout: Int64
    /// Connections to the peer at once; each open stream takes one. Further requests wait for one to be free.
    public let maximumConnections: Int
    public let proxy: PeerProxy?

    /// - Throws: ``TransportError`` with code `configuration`.
    public init(
        connectTimeout: Int64 = 5_000, answerTimeout: Int64 = 15_000, readTimeout: Int64 = 45_000,
        idleTimeout: Int64 = 50_000, maximumConnections: Int = 8, proxy: PeerProxy? = nil
    ) throws(TransportError) {
        guard connectTimeout > 0, answerTimeout > 0, readTimeout > 0, idleTimeout > 0, maximumConnections > 0 else {
            throw TransportError(.configuration, "the limits of a peer's client are positive")
        }
        self.connectTimeout = connectTimeout
        self.answerTimeout = answerTimeout
        self.readTimeout = readTimeout
        self.idleTimeout = idleTimeout
        self.maximumConnections = maximumConnections
        self.proxy = proxy
    }
}

/// Asks one node of one member, over HTTP/1.1 and mutual TLS 1.3.
///
/// The member's CA is the only trust root of its connections. The charter has just that CA's key digest, so the first
/// request makes a handshake of its own that learns the CA's certificate, unless it was given. Every connection is then
/// checked against the trust store and watched by it like an inbound one: a member that leaves the charter loses the
/// connections that we dialled too. Call ``shutdown()`` when done.
public final class PeerClient: Sendable {
    /// What the next connection is made with; nil until the member's authority is known.
    private final class Prepared: Sendable {
        struct Value {
            let authority: PeerCertificate
            let generation: Int
            let configuration: TLSConfiguration
        }

        private let state = Mutexed<Value?>(nil)

        var value: Value? {
            get { self.state.withLock { $0 } }
            set { self.state.withLock { $0 = newValue } }
        }
    }

    public let memberID: String
    public let address: PeerAddress
    private let identity: TLSIdentity
    private let trust: TrustStore
    private let configuration: PeerClientConfiguration
    private let logger: Logger
    private let http: HTTPClient
    private let given: PeerCertificate?
    private let prepared: Prepared

    /// - Parameter authority: the certificate of the member's CA, if it is known already.
    public init(
        memberID: String, address: PeerAddress, authority: PeerCertificate? = nil, identity: TLSIdentity,
        trust: TrustStore, configuration: PeerClientConfiguration, logger: Logger
    ) {
        self.memberID = memberID
        self.address = address
        self.given = authority
        self.identity = identity
        self.trust = trust
        self.configuration = configuration
        self.logger = logger
        let prepared = Prepared()
        self.prepared = prepared
        var clientConfiguration = Self.clientConfiguration(configuration)
        // Called after the handshake and before the first request: the one place where the peer can still be refused.
        clientConfiguration.http1_1ConnectionDebugInitializer = { channel in
            Self.admit(channel, memberID: memberID, authority: prepared.value?.authority, trust: trust)
        }
        self.http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: clientConfiguration)
    }

    // A path that throws before it comes to `shutdown()` must not end the process, as HTTPClient's deinit would.
    deinit {
        self.http.shutdown { _ in }
    }

    /// Closes all connections and fails the requests that run.
    public func shutdown() async {
        // Shutting down twice is the only way to fail.
        try? await self.http.shutdown()
    }

    /// Asks for a path, which begins with a slash and may have a query.
    ///
    /// - Throws: ``PeerClientError``. An answer with any status is an answer.
    public func get(_ path: String, headers: HTTPFields = [:]) async throws(PeerClientError) -> PeerResponse {
        try await self.send(.get, path, headers: headers, body: .none)
    }

    /// Sends a body. Returns when the head of the answer is there, which may be long before the body was sent.
    ///
    /// - Throws: ``PeerClientError``.
    public func post(
        _ path: String, headers: HTTPFields = [:], body: PeerRequestBody
    ) async throws(PeerClientError) -> PeerResponse {
        try await self.send(.post, path, headers: headers, body: body)
    }

    /// - Throws: ``PeerClientError``.
    public func send(
        _ method: HTTPRequest.Method, _ path: String, headers: HTTPFields, body: PeerRequestBody
    ) async throws(PeerClientError) -> PeerResponse {
        guard HTTPPath.isValid(path) else { throw self.error(.invalidRequest, "'\(path)' is not a path") }
        let tls: TLSConfiguration
        do {
            tls = try await self.tlsConfiguration()
        } catch {
            throw PeerClientError.from(error, memberID: self.memberID, address: self.address.description)
        }
        do {
            var request = HTTPClientRequest(url: "https://\(self.address)\(path)")
            request.tlsConfiguration = tls
            request.method = HTTPMethod(rawValue: method.rawValue)
            for field in headers { request.headers.add(name: field.name.rawName, value: field.value) }
            request.body = body.base
            let timeout = TimeAmount.milliseconds(self.configuration.answerTimeout)
            let response = try await self.http.execute(request, timeout: timeout, logger: self.logger)
            return PeerResponse(response, memberID: self.memberID, address: self.address.description)
        } catch {
            let error = PeerClientError.from(error, memberID: self.memberID, address: self.address.description)
            guard error.code == .wrongPeer else { throw error }
            // The member may have renewed its CA's certificate: learn it again next time.
            self.prepared.value = nil
            throw error.rejection == nil ? await self.explained(error) : error
        }
    }

    /// BoringSSL says only that it does not trust a chain. A handshake of our own finds out why, and counts it.
    private func explained(_ error: PeerClientError) async -> PeerClientError {
        do {
            _ = try await self.discovery.run()
            return error
        } catch let reason {
            let found = PeerClientError.from(reason, memberID: self.memberID, address: self.address.description)
            return found.rejection == nil ? error : found
        }
    }

    private var discovery: AuthorityDiscovery {
        AuthorityDiscovery(
            memberID: self.memberID, address: self.address, identity: self.identity, trust: self.trust,
            configuration: self.configuration)
    }

    /// The configuration for the authority that the charter names now and for our newest certificate.
    private func tlsConfiguration() async throws -> TLSConfiguration {
        guard let member = self.trust.current.member(self.memberID) else {
            throw self.error(.notInCharter, "it is no active member of the charter in force")
        }
        let known = self.prepared.value
        let generation = self.identity.generation
        if let known, known.authority.keyDigest == member.authorityKeyDigest, known.generation == generation {
            return known.configuration
        }
        let authority =
            if let certificate = known?.authority ?? self.given, certificate.keyDigest == member.authorityKeyDigest {
                certificate
            } else {
                try await self.discovery.run()
            }
        let configuration = try self.identity.clientConfiguration(trusting: authority)
        self.prepared.value = .init(authority: authority, generation: generation, configuration: configuration)
        return configuration
    }

    private func error(_ code: PeerClientError.Code, _ reason: String) -> PeerClientError {
        PeerClientError(code, memberID: self.memberID, address: self.address.description, reason: reason)
    }

    private static func clientConfiguration(_ limits: PeerClientConfiguration) -> HTTPClient.Configuration {
        var pool = HTTPClient.Configuration.ConnectionPool(
            idleTimeout: .milliseconds(limits.idleTimeout),
            concurrentHTTP1ConnectionsPerHostSoftLimit: limits.maximumConnections)
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: .milliseconds(limits.connectTimeout), read: .milliseconds(limits.readTimeout)),
            connectionPool: pool,
            proxy: limits.proxy.map {
                .server(host: $0.address.host, port: $0.address.port, authorization: $0.authorization)
            },
            decompression: .disabled)
        configuration.httpVersion = .http1Only
        return configuration
    }

    /// BoringSSL has verified the leaf against the member's CA; this checks its name, its usage and the roster.
    private static func admit(
        _ channel: any Channel, memberID: String, authority: PeerCertificate?, trust: TrustStore
    ) -> EventLoopFuture<Void> {
        let result: Result<PeerIdentity, PeerRejection>
        do {
            guard let leaf = try channel.pipeline.syncOperations.nioSSL_peerCertificate(), let authority else {
                throw PeerRejection.none
            }
            result = trust.current.evaluateDialled(
                leaf: try leaf.toDERBytes(), memberID: memberID, authority: authority, now: trust.now)
        } catch {
            result = .failure(error as? PeerRejection ?? .malformed)
        }
        let rejection: PeerRejection
        switch result {
        case .success(let identity):
            let connection = PeerConnection(channel: channel, direction: .outbound, identity: identity)
            guard let refused = trust.admit(connection, identity: identity) else {
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            rejection = refused
        case .failure(let refused):
            trust.count(refused, of: memberID)
            rejection = refused
        }
        // The pool must hear of the failure before it hears of the closing.
        channel.eventLoop.execute { channel.close(promise: nil) }
        return channel.eventLoop.makeFailedFuture(PeerClientError.Rejected(rejection: rejection))
    }
}

/// What may stand after a method in a request line.
enum HTTPPath {
    static let maximumByteCount = 4096

    static func isValid(_ path: String) -> Bool {
        path.utf8.first == UInt8(ascii: "/") && path.utf8.count <= Self.maximumByteCount
            && path.utf8.allSatisfy { 0x21...0x7E ~= $0 && $0 != UInt8(ascii: "#") }
    }
}

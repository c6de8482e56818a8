public import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// The limits of the peer listener, all of them set here and checked when made.
public struct PeerListenerConfiguration: Sendable {
    /// The address to listen on: an IP address or a host name.
    public let host: String
    /// 0 lets the system choose; ``PeerListener`` tells which.
    public let port: Int
    /// Connections of all peers together, those in their handshake included. Further ones wait in the backlog.
    public let maximumConnections: Int
    /// Inbound connections of one member; a further one is closed after its handshake.
    public let maximumConnectionsPerMember: Int
    /// Milliseconds from accepting a connection to the end of its handshake.
    public let handshakeTimeout: Int64
    /// Milliseconds without a byte between requests, or within a request's body. A long-lived answer is not cut; a
    /// long-lived request body must bring something within this time.
    public let idleTimeout: Int64
    /// Bytes of all header fields of a request together.
    public let maximumHeaderBytes: Int
    public let maximumHeaderFields: Int
    /// Milliseconds that open requests have to end in a graceful shutdown before their connections are closed.
    public let shutdownGrace: Int64
    /// Connections that the system holds before they are accepted.
    public let backlog: Int

    /// - Throws: ``TransportError`` with code `configuration`.
    public init(
        host: String, port: Int, maximumConnections: Int = 512, maximumConnectionsPerMember: Int = 32,
        handshakeTimeout: Int64 = 5_000, idleTimeout: Int64 = 60_000, maximumHeaderBytes: Int = 16 << 10,
        maximumHeaderFields: Int = 64, shutdownGrace: Int64 = 2_000, backlog: Int = 256
    ) throws(TransportError) {
        guard 0...65_535 ~= port, maximumConnections > 0, maximumConnectionsPerMember > 0, handshakeTimeout > 0,
            idleTimeout > 0, maximumHeaderBytes > 0, maximumHeaderFields > 0, shutdownGrace >= 0, backlog > 0
        else {
            throw TransportError(.configuration, "the limits of the peer listener are positive, its port below 65536")
        }
        self.host = host
        self.port = port
        self.maximumConnections = maximumConnections
        self.maximumConnectionsPerMember = maximumConnectionsPerMember
        self.handshakeTimeout = handshakeTimeout
        self.idleTimeout = idleTimeout
        self.maximumHeaderBytes = maximumHeaderBytes
        self.maximumHeaderFields = maximumHeaderFields
        self.shutdownGrace = shutdownGrace
        self.backlog = backlog
    }
}

/// Serves peers: HTTP/1.1 over mutual TLS 1.3. Runs until a graceful shutdown, or ends with an error.
public struct PeerListener<Responder: HTTPResponder>: Service, CustomStringConvertible
where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
    /// What service groups log; never what is inside.
    public var description: String { "the peer listener" }

    private let responder: Responder
    private let configuration: PeerListenerConfiguration
    private let identity: TLSIdentity
    private let trust: TrustStore
    private let logger: Logger
    private let onListening: @Sendable (Int) async -> Void

    /// - Parameters:
    ///   - responder: what answers; its context is ``PeerRequestContext`` to learn who asks.
    ///   - onListening: called once with the port, when connections are accepted.
    public init(
        responder: Responder, configuration: PeerListenerConfiguration, identity: TLSIdentity, trust: TrustStore,
        logger: Logger, onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in }
    ) {
        self.responder = responder
        self.configuration = configuration
        self.identity = identity
        self.trust = trust
        self.logger = logger
        self.onListening = onListening
    }

    /// - Throws: ``TransportError`` with code `bind` if the address cannot be listened on, `stopped` if the listener
    ///   died; `CancellationError` if the task was cancelled.
    public func run() async throws {
        let open = OpenChannels()
        let application = self.application(open)
        try await ListenerLifetime(
            name: "peer listener on \(self.configuration.host):\(self.configuration.port)",
            grace: self.configuration.shutdownGrace, open: open, logger: self.logger
        ).run(application)
    }

    private func application(_ open: OpenChannels) -> some ApplicationProtocol {
        let configuration = self.configuration
        let http = HTTP1Channel.Configuration(
            idleTimeout: .milliseconds(configuration.idleTimeout),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: configuration.maximumHeaderBytes,
                maxHeaderListSize: configuration.maximumHeaderBytes,
                maxHeaderFieldCount: configuration.maximumHeaderFields))
        return Application(
            responder: self.responder,
            server: HTTPServerBuilder { [identity, trust] responder in
                PeerChannel(
                    base: HTTP1Channel(responder: responder, configuration: http), identity: identity, trust: trust,
                    open: open, handshakeTimeout: .milliseconds(configuration.handshakeTimeout),
                    maximumConnectionsPerMember: configuration.maximumConnectionsPerMember)
            },
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port),
                backlog: configuration.backlog,
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maximumConnections)),
            onServerRunning: { [onListening] channel in await onListening(channel.localAddress?.port ?? 0) },
            logger: self.logger)
    }
}

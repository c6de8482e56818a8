public import Hummingbird

/// The context of a request on the peer listener: it knows who asks.
public struct PeerRequestContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    /// The connection that the request came over; nil behind any other listener.
    public let connection: PeerConnection?
    private let fixed: PeerIdentity?

    public init(source: ApplicationRequestContextSource) {
        self.coreContext = .init(source: source)
        self.connection = PeerConnection.current
        self.fixed = Self.testIdentity
    }

    /// Who asks, by the charter and roster in force now.
    ///
    /// - Throws: `HTTPError` 403 if the connection was closed meanwhile, or if this is no peer connection.
    public var peer: PeerIdentity {
        get throws {
            guard let identity = self.connection?.identity ?? self.fixed else { throw HTTPError(.forbidden) }
            return identity
        }
    }

    /// Who asks, if the member has full access.
    ///
    /// - Throws: `HTTPError` 403 also if it is restricted.
    public var fullPeer: PeerIdentity {
        get throws {
            let identity = try self.peer
            guard !identity.isRestricted else {
                throw HTTPError(.forbidden, message: "this node's key is in no roster that is held here")
            }
            return identity
        }
    }

    /// An identity for requests without any connection, in tests of routes.
    @TaskLocal static var testIdentity: PeerIdentity?

    /// Runs routes without a socket as if that peer asked. For tests only.
    public static func withIdentity<Value>(
        _ identity: PeerIdentity, _ body: () async throws -> Value
    ) async rethrows -> Value {
        try await Self.$testIdentity.withValue(identity, operation: body)
    }
}

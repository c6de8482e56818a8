import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Synchronization
import Testing

@testable import Node

let quiet: Logger = {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    return logger
}()

/// Runs a service while the body runs, then shuts it down gracefully and waits for its end.
func withService<Value: Sendable>(
    _ service: any Service, _ body: @Sendable () async throws -> Value
) async throws -> Value {
    let group = ServiceGroup(configuration: .init(services: [service], logger: quiet))
    return try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        let value: Value
        do {
            value = try await body()
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
        return value
    }
}

/// Runs a peer listener of `server` with those routes; the body gets its port. When this returns, all connections are
/// closed, so that every rejection has been counted.
func withListener<Value: Sendable>(
    _ server: TestMember, trust: TrustStore, identity: TLSIdentity? = nil,
    configuration: PeerListenerConfiguration? = nil,
    routes: (Router<PeerRequestContext>) -> Void = answerWithIdentity,
    _ body: @escaping @Sendable (Int) async throws -> Value
) async throws -> Value {
    let router = Router(context: PeerRequestContext.self)
    routes(router)
    let (ports, port) = AsyncStream<Int>.makeStream()
    let listener = PeerListener(
        responder: router.buildResponder(),
        configuration: try configuration ?? PeerListenerConfiguration(host: "127.0.0.1", port: 0),
        identity: try identity ?? TLSIdentity(server.material), trust: trust, logger: quiet,
        onListening: {
            port.yield($0)
            port.finish()
        })
    return try await withService(listener) {
        for await number in ports { return try await body(number) }
        throw CancellationError()
    }
}

@Sendable func answerWithIdentity(_ router: Router<PeerRequestContext>) {
    router.get("who") { _, context in
        let peer = try context.peer
        return "\(peer.memberID) \(peer.access)"
    }
}

/// A client of `member` that dials `server` at that port.
func withClient<Value>(
    of member: TestMember, to server: TestMember, port: Int, trust: TrustStore? = nil, identity: TLSIdentity? = nil,
    authority: PeerCertificate? = nil, configuration: PeerClientConfiguration? = nil, host: String = "127.0.0.1",
    _ body: (PeerClient) async throws -> Value
) async throws -> Value {
    let client = PeerClient(
        memberID: server.id, address: try #require(PeerAddress(host: host, port: port)), authority: authority,
        identity: try identity ?? TLSIdentity(member.material),
        trust: try trust ?? TrustStore(PeerTrust(members: [server.trusted()])),
        configuration: try configuration ?? PeerClientConfiguration(), logger: quiet)
    do {
        let value = try await body(client)
        await client.shutdown()
        return value
    } catch {
        await client.shutdown()
        throw error
    }
}

/// What a client that does as it likes got: application bytes, until the server closed the connection.
struct RawClient {
    static let request = "GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    /// - Parameter configuration: nil for plain TCP.
    static func exchange(
        port: Int, configuration: TLSConfiguration?, send text: String = RawClient.request
    ) async throws -> String {
        let context = try configuration.map { try NIOSSLContext(configuration: $0) }
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let received = loop.makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: loop).connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                if let context {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: nil))
                }
                try channel.pipeline.syncOperations.addHandler(Collector(received))
                return channel
            }
        }
        channel.writeAndFlush(ByteBuffer(string: text), promise: nil)
        return try await received.futureResult.get()
    }

    static func configuration(
        chain: [PeerCertificate], key: NIOSSLPrivateKeySource?
    ) throws -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.certificateChain = try chain.map {
            .certificate(try NIOSSLCertificate(bytes: $0.der, format: .der))
        }
        configuration.privateKey = key
        configuration.shutdownTimeout = .milliseconds(100)
        return configuration
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let received: EventLoopPromise<String>
        private var text = ""

        init(_ received: EventLoopPromise<String>) { self.received = received }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.text += String(buffer: self.unwrapInboundIn(data))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            self.received.succeed(self.text)
        }
    }
}

/// A proxy that does nothing but CONNECT, one tunnel per connection.
struct ConnectProxy: Sendable {
    let port: Int
    private let channel: any Channel
    private let tunnels = Tunnels()

    /// The targets asked for so far.
    var targets: [String] { self.tunnels.list }

    /// - Parameter authorization: what `Proxy-Authorization` must say.
    init(authorization: String? = nil) async throws {
        let tunnels = self.tunnels
        self.channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ConnectHandler(tunnels: tunnels, authorization: authorization))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.port = self.channel.localAddress?.port ?? 0
    }

    func stop() async throws { try await self.channel.close() }

    final class Tunnels: Sendable {
        private let state = Mutex<[String]>([])
        var list: [String] { self.state.withLock { $0 } }
        func append(_ target: String) { self.state.withLock { $0.append(target) } }
    }

    private final class ConnectHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let tunnels: Tunnels
        private let authorization: String?
        private var head = ""
        private var waiting: [ByteBuffer] = []
        private var other: (any Channel)?
        private var isConnecting = false

        init(tunnels: Tunnels, authorization: String?) {
            self.tunnels = tunnels
            self.authorization = authorization
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data)
            if let other {
                other.writeAndFlush(bytes, promise: nil)
                return
            }
            guard !self.isConnecting else { return self.waiting.append(bytes) }
            self.head += String(buffer: bytes)
            guard self.head.hasSuffix("\r\n\r\n") else { return }
            let lines = self.head.split(separator: "\r\n")
            let target = lines[0].split(separator: " ")[1]
            let authorized =
                self.authorization.map {
                    lines.map { $0.lowercased() }.contains("proxy-authorization: \($0)".lowercased())
                }
                ?? true
            guard authorized, let address = PeerAddress(String(target)) else {
                let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                context.writeAndFlush(NIOAny(ByteBuffer(string: refusal)), promise: nil)
                return
            }
            self.tunnels.append(String(target))
            self.connect(context, to: address)
        }

        func channelInactive(context: ChannelHandlerContext) { self.other?.close(promise: nil) }

        private func connect(_ context: ChannelHandlerContext, to address: PeerAddress) {
            self.isConnecting = true
            let ours = context.channel
            let me = NIOLoopBound(self, eventLoop: context.eventLoop)
            ClientBootstrap(group: context.eventLoop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Back(to: ours))
                    }
                }
                .connect(host: address.host, port: address.port)
                .whenComplete { result in
                    guard case .success(let other) = result else { return ours.close(promise: nil) }
                    ours.writeAndFlush(ByteBuffer(string: "HTTP/1.1 200 Connected\r\n\r\n"), promise: nil)
                    me.value.other = other
                    for bytes in me.value.waiting { other.writeAndFlush(bytes, promise: nil) }
                }
        }
    }

    private final class Back: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let channel: any Channel

        init(to channel: any Channel) { self.channel = channel }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.channel.writeAndFlush(self.unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.channel.close(promise: nil) }
    }
}

/// A signal that tests wait for.
final class Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (self.stream, self.continuation) = AsyncStream.makeStream() }

    func fire() { self.continuation.finish() }

    /// Returns also when the task is cancelled.
    func wait() async { for await _ in self.stream {} }
}

/// A clock that tests set.
final class TestClock: Sendable {
    private let seconds: Mutex<Int64>

    init(_ seconds: Int64 = TrustStore.systemClock()) { self.seconds = Mutex(seconds) }

    var now: Int64 { self.seconds.withLock { $0 } }

    func advance(by seconds: Int64) { self.seconds.withLock { $0 += seconds } }
}

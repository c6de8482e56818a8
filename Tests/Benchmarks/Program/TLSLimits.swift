import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS

/// What TLS 1.3 with certificates on both sides gives on loopback, by the library that nodes use.
struct TLSLimits {
    /// Megabytes a second from one connection to another.
    let throughput: Double
    /// Milliseconds from dialling to the end of the handshake.
    let connect: Spread
    /// Milliseconds for 256 bytes there and back.
    let roundTrip: Spread

    static func measure(in folder: String, seconds: Double) throws -> TLSLimits {
        let (key, certificate) = ("\(folder)/limits.key", "\(folder)/limits.pem")
        defer { for path in [key, certificate] { unlink(path) } }
        try Command.run(
            "/usr/bin/env",
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-subj", "/CN=localhost", "-days", "2", "-keyout", key, "-out", certificate,
            ])
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        defer { try? group.syncShutdownGracefully() }
        let endpoint = try Endpoint(group: group, key: key, certificate: certificate)
        let server = try endpoint.listen()
        defer { try? server.close().wait() }
        guard let port = server.localAddress?.port else { throw BenchmarkError("no port") }
        var connects: [Double] = []
        for _ in 0..<max(50, Int(seconds * 100)) {
            let watch = Stopwatch()
            let (channel, _) = try endpoint.connect(port)
            connects.append(watch.milliseconds)
            try channel.close().wait()
        }
        let (channel, replies) = try endpoint.connect(port)
        let trips = try (0..<max(300, Int(seconds * 1_000))).map { _ in
            try roundTrip(256, channel, replies)
        }
        // What the other side sends back is as much again.
        let watch = Stopwatch()
        var sent = 0
        while watch.seconds < seconds {
            _ = try roundTrip(8 << 20, channel, replies)
            sent += 16 << 20
        }
        let throughput = Double(sent) / watch.seconds / 1e6
        try channel.close().wait()
        return TLSLimits(throughput: throughput, connect: Spread(connects), roundTrip: Spread(trips))
    }

    /// Milliseconds until so many bytes have come back.
    private static func roundTrip(_ count: Int, _ channel: any Channel, _ replies: Replies) throws -> Double {
        let promise = channel.eventLoop.makePromise(of: Void.self)
        let watch = Stopwatch()
        channel.eventLoop.execute {
            replies.value.expect(count, promise)
            channel.writeAndFlush(ByteBuffer(repeating: 1, count: count), promise: nil)
        }
        try promise.futureResult.wait()
        return watch.milliseconds
    }

    private typealias Replies = NIOLoopBound<ReplyHandler>

    /// Both sides' contexts.
    private struct Endpoint {
        let group: MultiThreadedEventLoopGroup
        let server: NIOSSLContext
        let client: NIOSSLContext

        init(group: MultiThreadedEventLoopGroup, key: String, certificate: String) throws {
            self.group = group
            let chain = try NIOSSLCertificate.fromPEMFile(certificate)
            let privateKey = NIOSSLPrivateKeySource.privateKey(try NIOSSLPrivateKey(file: key, format: .pem))
            var server = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: privateKey)
            server.minimumTLSVersion = .tlsv13
            server.certificateVerification = .noHostnameVerification
            server.trustRoots = .certificates(chain)
            var client = TLSConfiguration.makeClientConfiguration()
            client.minimumTLSVersion = .tlsv13
            client.certificateChain = chain.map { .certificate($0) }
            client.privateKey = privateKey
            client.certificateVerification = .noHostnameVerification
            client.trustRoots = .certificates(chain)
            self.server = try NIOSSLContext(configuration: server)
            self.client = try NIOSSLContext(configuration: client)
        }

        func listen() throws -> any Channel {
            try ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { [server] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: server))
                        try channel.pipeline.syncOperations.addHandler(EchoHandler())
                    }
                }
                .bind(host: "127.0.0.1", port: 0).wait()
        }

        /// A connection whose handshake is done.
        func connect(_ port: Int) throws -> (any Channel, Replies) {
            let channel = try ClientBootstrap(group: group)
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelInitializer { [client] channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: client, serverHostname: nil))
                        try channel.pipeline.syncOperations.addHandler(ReplyHandler(channel.eventLoop))
                    }
                }
                .connect(host: "127.0.0.1", port: port).wait()
            let replies = try channel.eventLoop.submit {
                NIOLoopBound(
                    try channel.pipeline.syncOperations.handler(type: ReplyHandler.self), eventLoop: channel.eventLoop)
            }.wait()
            try channel.eventLoop.flatSubmit { replies.value.handshake }.wait()
            return (channel, replies)
        }
    }
}

/// Sends back what comes.
private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

/// Tells of the handshake's end, and counts what comes back.
private final class ReplyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let shaken: EventLoopPromise<Void>
    private var missing = 0
    private var promise: EventLoopPromise<Void>?

    var handshake: EventLoopFuture<Void> { shaken.futureResult }

    init(_ loop: any EventLoop) { shaken = loop.makePromise() }

    func expect(_ count: Int, _ promise: EventLoopPromise<Void>) {
        missing = count
        self.promise = promise
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { shaken.succeed() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        missing -= unwrapInboundIn(data).readableBytes
        if missing == 0 {
            promise?.succeed()
            promise = nil
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        shaken.fail(error)
        promise?.fail(error)
        promise = nil
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        shaken.fail(ChannelError.eof)
        promise?.fail(ChannelError.eof)
        promise = nil
    }
}

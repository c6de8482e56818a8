import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle

/// How a listener ends: gracefully within its grace, or with an error that ends the service.
///
/// Cancelling a NIO accept loop can trap (swift-nio #2813, #3481). So the accept loop runs in a task of its own that is
/// never cancelled: a cancellation of ``run(_:)`` becomes a graceful shutdown without any grace.
struct ListenerLifetime {
    /// For errors: what listens, and where.
    let name: String
    /// Milliseconds that open requests have to end before their connections are closed.
    let grace: Int64
    let open: OpenChannels
    let logger: Logger

    /// Runs the application until it is shut down.
    ///
    /// - Throws: ``TransportError`` with code `bind` or `stopped`, or `CancellationError`.
    func run(_ application: some ApplicationProtocol) async throws {
        let group = ServiceGroup(configuration: .init(services: [application], logger: self.logger))
        let listener = Task { try await group.run() }
        let (stopping, stop) = AsyncStream<Void>.makeStream()
        let closer = Task { [grace, open] in
            for await _ in stopping {
                try await Task.sleep(for: .milliseconds(grace))
                open.closeAll()
            }
        }
        defer { closer.cancel() }
        do {
            try await withTaskCancellationHandler {
                try await withGracefulShutdownHandler {
                    try await listener.value
                } onGracefulShutdown: {
                    stop.yield()
                }
            } onCancel: { [open] in
                Task {
                    await group.triggerGracefulShutdown()
                    open.closeAll()
                }
            }
        } catch let error as ServiceGroupError {
            throw TransportError(.stopped, "the \(self.name) stopped by itself: \(error)")
        } catch {
            throw TransportError(.bind, "the \(self.name) cannot listen: \(error)")
        }
        try Task.checkCancellation()
    }
}

/// The channels that a listener has accepted and that are not closed yet, so that a shutdown can end them.
final class OpenChannels: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosing = false
    }

    private let state = Mutexed(State())

    func insert(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let isClosing = self.state.withLock { state in
            state.channels[id] = channel
            return state.isClosing
        }
        channel.closeFuture.whenComplete { _ in
            self.state.withLock { _ = $0.channels.removeValue(forKey: id) }
        }
        if isClosing { channel.close(promise: nil) }
    }

    /// Closes all channels, and those that are still accepted after them.
    func closeAll() {
        let channels = self.state.withLock { state in
            state.isClosing = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.close(promise: nil) }
    }
}

extension Channel {
    /// Runs the handling of a connection, and cancels it when the connection closes: a handler must not outlive a peer
    /// that died or was shut out. The body ends by closing the channel.
    func untilClosed(_ body: @escaping @Sendable () async -> Void) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await body() }
            try? await self.closeFuture.get()
            group.cancelAll()
        }
    }
}

/// HTTP/1.1 without TLS, for the control socket: ``HTTP1Channel`` whose connections a shutdown can close, and whose
/// handlers end with their connection.
struct TrackedChannel: ServerChildChannel, HTTPChannelHandler {
    let base: HTTP1Channel
    let open: OpenChannels

    var responder: HTTPChannelHandler.Responder { self.base.responder }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<HTTP1Channel.Value> {
        self.open.insert(channel)
        return channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(CloseWithPeer())
        }.flatMap {
            self.base.setup(channel: channel, logger: logger)
        }
    }

    func handle(value: HTTP1Channel.Value, logger: Logger) async {
        await value.channel.untilClosed { await self.base.handle(value: value, logger: logger) }
    }
}

/// Closes a connection when its other side closes its direction, as a program does that ends.
private final class CloseWithPeer: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}

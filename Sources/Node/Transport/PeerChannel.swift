import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import NIOSSL
import NIOTLS

/// HTTP/1.1 over mutual TLS 1.3, for connections that peers dial. No byte reaches HTTP before the peer is identified.
struct PeerChannel: ServerChildChannel, HTTPChannelHandler {
    struct Value: ServerChildChannelValue {
        let http: HTTP1Channel.Value
        let handshake: PeerHandshake

        var channel: any Channel { self.http.channel }
    }

    let base: HTTP1Channel
    let identity: TLSIdentity
    let trust: TrustStore
    let open: OpenChannels
    let handshakeTimeout: TimeAmount
    let maximumConnectionsPerMember: Int

    var responder: HTTPChannelHandler.Responder { self.base.responder }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let handshake = PeerHandshake(trust: self.trust, limit: self.maximumConnectionsPerMember)
        self.open.insert(channel)
        return channel.eventLoop.makeCompletedFuture {
            let tls = NIOSSLServerHandler(
                context: self.identity.serverContext,
                customVerificationCallbackWithMetadata: { certificates, promise in
                    promise.completeWithTask { try await handshake.verify(certificates) }
                })
            try channel.pipeline.syncOperations.addHandler(tls)
            try channel.pipeline.syncOperations.addHandler(
                PeerHandshakeHandler(handshake, timeout: self.handshakeTimeout, logger: logger))
        }.flatMap {
            self.base.setup(channel: channel, logger: logger)
        }.map { http in
            Value(http: http, handshake: handshake)
        }
    }

    func handle(value: Value, logger: Logger) async {
        await value.channel.untilClosed {
            // The handshake ends with an identity, or with a closed channel that brings no request.
            guard let connection = await value.handshake.connection() else {
                await self.base.handle(value: value.http, logger: logger)
                return
            }
            await PeerConnection.$current.withValue(connection) {
                await self.base.handle(value: value.http, logger: logger)
            }
        }
    }
}

/// What one handshake has found out so far. Shared by the verification callback, the handler, and the request task.
final class PeerHandshake: Sendable {
    private enum State {
        case running
        /// The certificates are good, but the handshake is not complete: the peer has not proven that it has the key.
        case verified(PeerIdentity)
        case admitted(PeerConnection)
        case rejected
    }

    private let trust: TrustStore
    private let limit: Int
    private let state = Mutexed(State.running)
    private let outcome: AsyncStream<PeerConnection?>
    private let settle: AsyncStream<PeerConnection?>.Continuation

    init(trust: TrustStore, limit: Int) {
        self.trust = trust
        self.limit = limit
        (self.outcome, self.settle) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// Waits for the end of the handshake; nil if the peer was turned away. May be called once.
    func connection() async -> PeerConnection? {
        for await connection in self.outcome { return connection }
        return nil
    }

    /// Decides about the presented certificates, off the event loop.
    func verify(_ certificates: [NIOSSLCertificate]) async throws -> NIOSSLVerificationResultWithMetadata {
        // Before anything is copied: a chain may have been made long on purpose.
        guard certificates.count <= PeerTrust.chainLength else {
            self.reject(.chainLength)
            return .failed
        }
        let chain = try certificates.map { try $0.toDERBytes() }
        switch await self.trust.evaluate(chain: chain, role: .client) {
        case .failure(let rejection):
            self.reject(rejection)
            return .failed
        case .success(let identity):
            self.state.withLock { if case .running = $0 { $0 = .verified(identity) } }
            return .certificateVerified(.init(NIOSSL.ValidatedCertificateChain(certificates)))
        }
    }

    /// Ends the handshake on the event loop.
    ///
    /// - Returns: the connection if the peer is let in.
    func complete(_ channel: any Channel, hasValidatedChain: Bool) -> PeerConnection? {
        guard hasValidatedChain, case .verified(let identity) = self.state.withLock({ $0 }) else {
            self.reject(.noValidatedChain)
            return nil
        }
        let connection = PeerConnection(channel: channel, direction: .inbound, identity: identity)
        guard self.trust.admit(connection, identity: identity, limit: self.limit) == nil else {
            self.finish(.rejected)
            return nil
        }
        self.finish(.admitted(connection))
        return connection
    }

    /// Counts why the handshake failed, once; later reasons are consequences of the first.
    func reject(_ rejection: PeerRejection) {
        let isFirst = self.state.withLock { state in
            switch state {
            case .running, .verified:
                state = .rejected
                return true
            case .admitted, .rejected: return false
            }
        }
        guard isFirst else { return }
        self.trust.count(rejection)
        self.finish(.rejected)
    }

    private func finish(_ state: State) {
        self.state.withLock { $0 = state }
        if case .admitted(let connection) = state {
            self.settle.yield(connection)
        }
        self.settle.finish()
    }
}

/// Stands between TLS and HTTP: ends handshakes that take too long, and lets nothing pass before the peer is admitted
/// or after it was shut out.
final class PeerHandshakeHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let handshake: PeerHandshake
    private let timeout: TimeAmount
    private let logger: Logger
    private var deadline: Scheduled<Void>?
    private var connection: PeerConnection?

    init(_ handshake: PeerHandshake, timeout: TimeAmount, logger: Logger) {
        self.handshake = handshake
        self.timeout = timeout
        self.logger = logger
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        self.deadline = context.eventLoop.scheduleTask(in: self.timeout) { [handshake] in
            handshake.reject(.handshakeTimeout)
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.deadline?.cancel()
        // Releases the request task if the channel is gone before the handshake ended.
        if self.connection == nil { self.handshake.reject(.handshakeFailed) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            self.deadline?.cancel()
            let chain = try? context.pipeline.syncOperations.nioSSL_peerValidatedCertificateChain()
            self.connection = self.handshake.complete(context.channel, hasValidatedChain: chain != nil)
            if self.connection == nil { context.close(promise: nil) }
        }
        if case .inputClosed? = event as? ChannelEvent {
            // Peers do not close one direction alone: this one has gone, and its handlers must end.
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.connection?.isOpen == true else { return }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.deadline?.cancel()
        if self.connection == nil { self.handshake.reject(.handshakeFailed) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.connection == nil {
            let rejection = PeerRejection(handshakeError: error)
            self.logger.debug(
                "a peer's handshake failed", metadata: ["reason": "\(rejection.rawValue)", "error": "\(error)"])
            self.handshake.reject(rejection)
            context.close(promise: nil)
        }
        context.fireErrorCaught(error)
    }
}

extension PeerRejection {
    /// Why BoringSSL ended a handshake, on either side. It names its errors only in their text; a test holds each of
    /// these to what it says.
    init(handshakeError error: any Error) {
        let text = String(describing: error)
        if text.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") {
            self = .none
        } else if text.contains("UNSUPPORTED_PROTOCOL") || text.contains("PROTOCOL_VERSION") {
            self = .protocolVersion
        } else if text.contains("KEY_USAGE_BIT_INCORRECT") {
            // BoringSSL looks at a leaf's key usage before we do.
            self = .wrongUsage
        } else {
            self = .handshakeFailed
        }
    }
}

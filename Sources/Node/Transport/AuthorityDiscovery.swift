import AsyncHTTPClient
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOTLS

/// Learns the certificate of a member's CA from a handshake with its node: the charter names the CA by its key's
/// digest alone, and the HTTP client has to be told its trust root beforehand. The certificate is taken only if the
/// node's whole chain is in order, so nothing is trusted here that the charter does not name.
struct AuthorityDiscovery {
    let memberID: String
    let address: PeerAddress
    let identity: TLSIdentity
    let trust: TrustStore
    let configuration: PeerClientConfiguration

    /// - Throws: ``PeerClientError/Rejected``, and the errors of NIO and NIOSSL.
    func run() async throws -> PeerCertificate {
        let context = try NIOSSLContext(configuration: self.identity.clientConfiguration())
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let target = self.configuration.proxy?.address ?? self.address
        let timeout = TimeAmount.milliseconds(self.configuration.connectTimeout)
        let learned = loop.makePromise(of: PeerCertificate.self)
        let deadline = loop.scheduleTask(in: timeout * 3) { learned.fail(HTTPClientError.tlsHandshakeTimeout) }
        defer { deadline.cancel() }
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .connectTimeout(timeout)
                .connect(host: target.host, port: target.port)
                .get()
        } catch {
            learned.fail(error)
            throw error
        }
        do {
            if let proxy = self.configuration.proxy { try await self.tunnel(channel, proxy: proxy, timeout: timeout) }
            try await channel.eventLoop.submit { try self.startTLS(channel, context: context, learned: learned) }.get()
        } catch {
            learned.fail(error)
        }
        defer { channel.close(promise: nil) }
        do {
            return try await withTaskCancellationHandler {
                try await learned.futureResult.get()
            } onCancel: {
                learned.fail(CancellationError())
            }
        } catch let error as NIOSSLError {
            throw self.counted(error)
        }
    }

    /// A handshake that BoringSSL ended before the certificates were looked at.
    private func counted(_ error: NIOSSLError) -> any Error {
        guard case .handshakeFailed = error else { return error }
        let rejection = PeerRejection(handshakeError: error)
        // What has no name of its own is told in BoringSSL's words.
        if rejection == .handshakeFailed {
            self.trust.count(rejection, of: self.memberID)
            return error
        }
        return self.rejected(rejection)
    }

    private func tunnel(_ channel: any Channel, proxy: PeerProxy, timeout: TimeAmount) async throws {
        let established = channel.eventLoop.makePromise(of: Void.self)
        var headers = HTTPHeaders([("host", self.address.description)])
        if let authorization = proxy.authorization {
            headers.add(name: "proxy-authorization", value: authorization.headerValue)
        }
        let host = self.address.host.contains(":") ? "[\(self.address.host)]" : self.address.host
        try await channel.eventLoop.submit { [headers] in
            let encoder = HTTPRequestEncoder()
            let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes))
            let connect = NIOHTTP1ProxyConnectHandler(
                targetHost: host, targetPort: self.address.port, headers: headers,
                deadline: .now() + timeout, promise: established)
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandlers([encoder, decoder])
            // The connect request is written when the handler is added.
            try pipeline.addHandler(connect)
            established.futureResult.assumeIsolated().whenSuccess {
                pipeline.removeHandler(decoder, promise: nil)
                pipeline.removeHandler(encoder, promise: nil)
            }
        }.get()
        try await established.futureResult.get()
    }

    private func startTLS(
        _ channel: any Channel, context: NIOSSLContext, learned: EventLoopPromise<PeerCertificate>
    ) throws {
        let verified = channel.eventLoop.makePromise(of: PeerCertificate.self)
        let tls = try NIOSSLClientHandler(
            context: context, serverHostname: nil,
            customVerificationCallback: { certificates, promise in
                promise.completeWithTask {
                    do {
                        verified.succeed(try await self.verify(certificates))
                        return .certificateVerified
                    } catch {
                        verified.fail(error)
                        learned.fail(error)
                        return .failed
                    }
                }
            })
        let outcome = OutcomeHandler(verified: verified, learned: learned)
        try channel.pipeline.syncOperations.addHandlers([tls, outcome])
    }

    private func verify(_ certificates: [NIOSSLCertificate]) async throws -> PeerCertificate {
        guard certificates.count == PeerTrust.chainLength else {
            throw self.rejected(certificates.isEmpty ? .none : .chainLength)
        }
        let chain = try certificates.map { try $0.toDERBytes() }
        switch await self.trust.evaluate(chain: chain, role: .server) {
        case .failure(let rejection): throw self.rejected(rejection)
        case .success(let identity) where identity.memberID != self.memberID: throw self.rejected(.wrongMember)
        case .success: return try PeerCertificate(der: chain[1])
        }
    }

    private func rejected(_ rejection: PeerRejection) -> PeerClientError.Rejected {
        self.trust.count(rejection, of: self.memberID)
        return .init(rejection: rejection)
    }

    /// Hands over the result when the handshake is complete, so that the node does not count a failed one, or when the
    /// connection ends.
    private final class OutcomeHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let verified: EventLoopPromise<PeerCertificate>
        private let learned: EventLoopPromise<PeerCertificate>

        init(verified: EventLoopPromise<PeerCertificate>, learned: EventLoopPromise<PeerCertificate>) {
            self.verified = verified
            self.learned = learned
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if case .handshakeCompleted? = event as? TLSUserEvent {
                self.verified.futureResult.cascade(to: self.learned)
            }
            context.fireUserInboundEventTriggered(event)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            self.fail(error)
            context.close(promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.fail(HTTPClientError.remoteConnectionClosed)
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            self.fail(HTTPClientError.remoteConnectionClosed)
        }

        /// Completing a promise again changes nothing.
        private func fail(_ error: any Error) {
            self.learned.fail(error)
            self.verified.fail(error)
        }
    }
}

import AsyncHTTPClient
import NIOCore
import NIOExtras
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Why a peer could not be asked, or its answer not be read: names the peer, the address, and what to do.
public struct PeerClientError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The path is not one.
        case invalidRequest
        /// The member is in no charter that is in force.
        case notInCharter
        /// No connection came about.
        case connect
        /// The proxy refused, or did not speak HTTP.
        case proxy
        /// Nothing came in time: connecting, the answer's head, or its next byte.
        case timeout
        /// The other side is not the member that was dialled, or its certificates are not in order.
        case wrongPeer
        /// The other side turned us away in the handshake.
        case refused
        /// The connection ended before the answer did.
        case closed
        /// The answer's body is longer than asked for.
        case tooLarge
        case cancelled
        /// The client was shut down.
        case shutdown
        case other
    }

    public let code: Code
    /// The member's id; for the control socket, the node itself.
    public let memberID: String
    public let address: String
    public let reason: String
    public let advice: String
    /// With code `wrongPeer`: what is wrong with the certificates, if that was found by us rather than by TLS.
    public let rejection: PeerRejection?

    init(
        _ code: Code, memberID: String, address: String, reason: String, advice: String? = nil,
        rejection: PeerRejection? = nil
    ) {
        self.code = code
        self.memberID = memberID
        self.address = address
        self.reason = reason
        self.advice = advice ?? Self.advice(for: code, address: address)
        self.rejection = rejection
    }

    public var description: String {
        "\(self.memberID) at \(self.address): \(self.reason)\(self.advice.isEmpty ? "" : "; \(self.advice)")"
    }

    /// What our own checks throw inside of the HTTP client.
    struct Rejected: Error {
        let rejection: PeerRejection
    }

    static func from(_ error: any Error, memberID: String, address: String) -> PeerClientError {
        func make(_ code: Code, _ reason: String, _ rejection: PeerRejection? = nil) -> PeerClientError {
            PeerClientError(code, memberID: memberID, address: address, reason: reason, rejection: rejection)
        }
        switch error {
        case let error as PeerClientError: return error
        case let error as Rejected:
            return make(.wrongPeer, "it was not accepted (\(error.rejection.rawValue))", error.rejection)
        case is CancellationError: return make(.cancelled, "the request was cancelled")
        case let error as HTTPClientError: return Self.from(error, make)
        case is NIOHTTP1ProxyConnectHandler.Error: return make(.proxy, "the proxy did not connect to it")
        case let error as NIOConnectionError:
            let reason = error.connectionErrors.first.map { "\($0.error)" } ?? "its name has no address"
            return make(.connect, "no connection: \(reason)")
        case let error as ChannelError:
            if case .connectTimeout = error { return make(.timeout, "connecting took too long") }
            return make(.closed, "the connection was closed")
        case let error as IOError:
            return make(error.errnoCode == 104 ? .closed : .connect, "no connection: \(error)")
        case let error as HTTPParserError:
            if error == .invalidEOFState { return make(.closed, "the connection was closed") }
            return make(.other, "its answer is no HTTP: \(error)")
        case is NIOTooManyBytesError: return make(.tooLarge, "its answer is longer than allowed here")
        default: return Self.fromTLS(String(describing: error), make)
        }
    }

    private static func from(
        _ error: HTTPClientError, _ make: (Code, String, PeerRejection?) -> PeerClientError
    ) -> PeerClientError {
        switch error {
        case .connectTimeout, .tlsHandshakeTimeout, .getConnectionFromPoolTimeout:
            make(.timeout, "connecting took too long", nil)
        case .deadlineExceeded: make(.timeout, "its answer did not begin in time", nil)
        case .readTimeout: make(.timeout, "its answer fell silent", nil)
        case .writeTimeout: make(.timeout, "it takes nothing in", nil)
        case .cancelled, .requestStreamCancelled: make(.cancelled, "the request was cancelled", nil)
        case .remoteConnectionClosed, .uncleanShutdown: make(.closed, "the connection was closed", nil)
        case .alreadyShutdown: make(.shutdown, "this client was shut down", nil)
        case .proxyAuthenticationRequired: make(.proxy, "the proxy asks for a user name and password", nil)
        case .invalidProxyResponse, .httpProxyHandshakeTimeout:
            make(.proxy, "the proxy did not connect to it", nil)
        default: make(.other, "\(error)", nil)
        }
    }

    /// BoringSSL tells its errors apart only in their text.
    private static func fromTLS(
        _ text: String, _ make: (Code, String, PeerRejection?) -> PeerClientError
    ) -> PeerClientError {
        if text.contains("ALERT") { return make(.refused, "it turned us away in the handshake", nil) }
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return make(.wrongPeer, "its certificate is not from the CA that the charter names", nil)
        }
        if text.contains("handshakeFailed") || text.contains("SSL") {
            return make(.wrongPeer, "no TLS 1.3 handshake with it: \(text)", nil)
        }
        return make(.other, text, nil)
    }

    private static func advice(for code: Code, address: String) -> String {
        switch code {
        case .connect: "check that the node runs and that \(address) can be reached from here"
        case .proxy: "check the proxy's address, user name and password, and that it allows this address"
        case .timeout: "check the network between here and \(address)"
        case .wrongPeer:
            "check the address in the charter or roster, and ask the member whether its certificate is valid"
        case .refused:
            "check that this node's certificate is valid and that the member holds the newest charter and roster"
        case .notInCharter: "fetch the newest charter, or correct the address book"
        case .invalidRequest, .closed, .tooLarge, .cancelled, .shutdown, .other: ""
        }
    }
}

import AsyncHTTPClient
public import HTTPTypes
public import Logging
import NIOCore
import NIOHTTP1

/// Asks the node on this machine over its control socket. Call ``shutdown()`` when done.
public final class LocalClient: Sendable {
    private let path: String
    private let answerTimeout: Int64
    private let logger: Logger
    private let http: HTTPClient

    /// - Parameters:
    ///   - path: of the socket.
    ///   - answerTimeout: milliseconds until the head of the answer.
    ///   - readTimeout: milliseconds of silence within an answer.
    public init(path: String, answerTimeout: Int64 = 60_000, readTimeout: Int64 = 60_000, logger: Logger) {
        self.path = path
        self.answerTimeout = answerTimeout
        self.logger = logger
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .milliseconds(answerTimeout), read: .milliseconds(readTimeout)),
            decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.connectionPool.retryConnectionEstablishment = false
        self.http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
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

    /// - Throws: ``PeerClientError`` with the node itself as the peer; code `connect` if no node runs there.
    public func get(_ path: String, headers: HTTPFields = [:]) async throws(PeerClientError) -> PeerResponse {
        try await self.send(.get, path, headers: headers, body: .none)
    }

    /// - Throws: as ``get(_:headers:)``.
    public func post(
        _ path: String, headers: HTTPFields = [:], body: PeerRequestBody
    ) async throws(PeerClientError) -> PeerResponse {
        try await self.send(.post, path, headers: headers, body: body)
    }

    private static let me = "the node on this machine"

    /// - Throws: as ``get(_:headers:)``.
    public func send(
        _ method: HTTPRequest.Method, _ path: String, headers: HTTPFields, body: PeerRequestBody
    ) async throws(PeerClientError) -> PeerResponse {
        guard HTTPPath.isValid(path) else {
            throw PeerClientError(
                .invalidRequest, memberID: Self.me, address: self.path, reason: "'\(path)' is not a path")
        }
        do {
            var request = HTTPClientRequest(url: "http+unix://\(Self.percentEncoded(self.path))\(path)")
            request.method = HTTPMethod(rawValue: method.rawValue)
            for field in headers { request.headers.add(name: field.name.rawName, value: field.value) }
            request.body = body.base
            let response = try await self.http.execute(
                request, timeout: .milliseconds(self.answerTimeout), logger: self.logger)
            return PeerResponse(response, memberID: Self.me, address: self.path)
        } catch {
            let error = PeerClientError.from(error, memberID: Self.me, address: self.path)
            guard error.code == .connect else { throw error }
            throw PeerClientError(
                .connect, memberID: Self.me, address: self.path, reason: error.reason,
                advice: "start it with: entente run")
        }
    }

    /// The socket's path as the host of a URL: all but unreserved characters (RFC 3986) as `%XX`.
    private static func percentEncoded(_ path: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return path.utf8.reduce(into: "") { text, byte in
            let scalar = Character(UnicodeScalar(byte))
            if byte < 0x80, scalar.isLetter || scalar.isNumber || "-._~".contains(scalar) {
                text.append(scalar)
            } else {
                text += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
    }
}

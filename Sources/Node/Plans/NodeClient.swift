public import Alliance
import HTTPTypes
import Logging
import NIOCore

/// Asks the node on this machine over its control socket, in the terms of its local interface. Call ``shutdown()`` when
/// done.
public struct NodeClient: Sendable {
    private let settings: NodeSettings
    private let client: LocalClient

    /// Bytes of an answer, and milliseconds until one begins or goes on: a wait for receipts lasts up to a minute.
    private static let answerLimit = 512 << 20
    private static let timeout: Int64 = 120_000

    public init(settings: NodeSettings) {
        self.settings = settings
        var logger = Logger(label: "entente", factory: { _ in SwiftLogNoOpLogHandler() })
        logger.logLevel = .critical
        client = LocalClient(
            path: settings.controlSocket, answerTimeout: Self.timeout, readTimeout: Self.timeout, logger: logger)
    }

    /// Closes the connection.
    public func shutdown() async { await client.shutdown() }

    /// Asks for JSON.
    ///
    /// - Parameter query: parameters; those without a value are left out.
    /// - Throws: ``NodeRefusal``, ``PeerClientError``, or ``SetupError`` where no node runs.
    public func get(_ path: String, _ query: [(String, String?)] = []) async throws -> JSONValue {
        try json(await send(.get, Self.path(path, query), body: .none))
    }

    /// Asks for bytes.
    ///
    /// - Throws: as ``get(_:_:)``.
    public func bytes(_ path: String, _ query: [(String, String?)] = []) async throws -> [UInt8] {
        try await send(.get, Self.path(path, query), body: .none)
    }

    /// Lets a restored node publish without a member's word.
    ///
    /// - Throws: as ``get(_:_:)``.
    public func waive(_ member: String) async throws -> JSONValue {
        try await post(Self.path("/v1/waive", [("member", member)]), .bytes([]))
    }

    /// Writes a copy of the node's database, as of one moment, into a new file.
    ///
    /// - Parameter progress: told how many bytes the node has copied, and of how many.
    /// - Throws: as ``get(_:_:)``.
    func copyDatabase(to path: String, progress: (_ done: Int64, _ total: Int64) -> Void) async throws {
        let response = try await open(.get, "/v1/snapshot", body: .none)
        guard response.status.kind == .successful else {
            let bytes = Array(buffer: try await response.collect(upTo: Self.answerLimit))
            throw NodeRefusal(bytes, status: response.status.code)
        }
        var receiver = try SnapshotReceiver(path: path, node: settings.controlSocket)
        for try await buffer in response.body { try receiver.take(Array(buffer: buffer), progress) }
        try receiver.finish()
    }

    func post(_ path: String, _ body: PeerRequestBody) async throws -> JSONValue {
        try json(await send(.post, path, body: body))
    }

    private static func path(_ path: String, _ query: [(String, String?)]) -> String {
        let parts = query.compactMap { name, value in value.map { "\(name)=\(PercentCoding.encode($0))" } }
        return parts.isEmpty ? path : "\(path)?\(parts.joined(separator: "&"))"
    }

    private func json(_ bytes: [UInt8]) throws -> JSONValue {
        guard let tape = try? JSONTape(bytes, limit: Self.answerLimit) else {
            throw SetupError(
                .malformed, settings.controlSocket, "the node's answer is no JSON; is it of this version of Entente?")
        }
        return tape.root.value
    }

    private func send(_ method: HTTPRequest.Method, _ path: String, body: PeerRequestBody) async throws -> [UInt8] {
        let response = try await open(method, path, body: body)
        let bytes = Array(buffer: try await response.collect(upTo: Self.answerLimit))
        guard response.status.kind == .successful else { throw NodeRefusal(bytes, status: response.status.code) }
        return bytes
    }

    private func open(
        _ method: HTTPRequest.Method, _ path: String, body: PeerRequestBody
    ) async throws -> PeerResponse {
        do {
            return try await client.send(method, path, headers: [:], body: body)
        } catch {
            guard error.code == .connect else { throw error }
            throw SetupError(
                .missing, settings.controlSocket,
                "no node answers here; start it with: entente node --data \(settings.data)")
        }
    }
}

import Alliance
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Store
import TransparencyLog

/// What a node answers to its own operators and officers, over a Unix socket that file permissions guard.
struct LocalRoutes: Sendable, CustomStringConvertible {
    var description: String { "the local interface" }
    let identity: NodeIdentity
    let store: Store
    let driver: ReplicationDriver
    let network: PeerNetwork
    let publisher: Publisher
    let trust: TrustStore
    let tls: TLSIdentity
    let charters: CharterKeeper
    let startedAt: Int64

    var charter: Charter { identity.charter.charter }

    typealias Handler = @Sendable (LocalQuery, Request, BasicRequestContext) async throws -> Response

    func router() -> Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: LocalErrors())
        func get(_ path: RouterPath, _ handler: @escaping Handler) {
            router.get(path) { request, context in try await handler(query(request), request, context) }
        }
        func post(_ path: RouterPath, _ handler: @escaping @Sendable (Request) async throws -> Response) {
            router.post(path) { request, _ in try await handler(request) }
        }
        get("/v1/status") { _, _, _ in LocalAnswer.json(try await status()) }
        get("/v1/peers") { _, _, _ in LocalAnswer.json(["peers": .array(try await peers())]) }
        get("/v1/members") { _, _, _ in
            LocalAnswer.json(["members": .array(charter.members.map(Self.member))])
        }
        get("/v1/charter") { query, _, _ in try charterFile(query) }
        get("/v1/charters") { _, _, _ in LocalAnswer.json(chartersView) }
        get("/v1/cuts") { _, _, _ in LocalAnswer.json(["cuts": .array(try await cuts())]) }
        post("/v1/charter") { request in try await adopt(request) }
        get("/v1/context") { query, _, _ in LocalAnswer.json(try await context(query)) }
        get("/v1/definitions") { query, _, _ in LocalAnswer.json(try await definitions(query)) }
        get("/v1/registers") { query, _, _ in LocalAnswer.json(try await registers(query)) }
        get("/v1/rows") { query, _, _ in LocalAnswer.json(try await rows(query)) }
        get("/v1/history") { query, _, _ in LocalAnswer.json(try await history(query)) }
        get("/v1/endorsements") { query, _, _ in LocalAnswer.json(try await endorsements(query)) }
        get("/v1/joined") { query, _, _ in LocalAnswer.json(try await joined(query)) }
        get("/v1/conflicts") { query, _, _ in LocalAnswer.json(try await conflicts(query)) }
        get("/v1/why") { query, _, _ in LocalAnswer.json(try await why(query)) }
        get("/v1/entries") { query, _, _ in LocalAnswer.json(try await entries(query)) }
        get("/v1/entry") { query, _, _ in LocalAnswer.json(try await entry(query)) }
        get("/v1/documents") { query, _, _ in LocalAnswer.json(try await documents(query)) }
        get("/v1/documents/{digest}") { _, _, context in try document(context) }
        get("/v1/forks") { _, _, _ in LocalAnswer.json(try await forks()) }
        get("/v1/set-aside") { query, _, _ in LocalAnswer.json(try await setAside(query)) }
        get("/v1/snapshot") { _, _, _ in snapshot() }
        get("/v1/receipts") { query, _, _ in LocalAnswer.json(try await receipts(query)) }
        get("/v1/prove") { query, _, _ in try await prove(query) }
        post("/v1/documents") { request in try await storeDocument(request) }
        post("/v1/waive") { request in try await waive(request) }
        post("/v1/submit") { request in try await submit(request) }
        return router
    }

    /// The operator goes on without a member's word.
    private func waive(_ request: Request) async throws -> Response {
        let member = try query(request).member()
        do { try await driver.waive(member) } catch let error as NodeError {
            throw LocalError(.conflict, "not-waiting", error.reason)
        }
        return LocalAnswer.json(["waived": .string(member.name)])
    }

    func query(_ request: Request) -> LocalQuery {
        LocalQuery(request: request, charter: charter, own: identity.member)
    }

    static func member(_ member: CharterMember) -> JSONValue {
        [
            "id": .string(member.id), "name": .string(member.name), "title": .string(member.title),
            "country": .string(member.country), "zone": .string(member.zone), "role": .string(member.role.rawValue),
            "standing": .string(member.standing.rawValue),
        ]
    }

    static func timeText(_ seconds: Int64) -> Logger.MetadataValue { "\(Timestamp(seconds: seconds).text)" }

    static func time(_ seconds: Int64) -> JSONValue { .string(Timestamp(seconds: seconds).text) }

    // MARK: Publishing

    /// Bytes of one submission.
    private static let submissionLimit = 1 << 30

    private func submit(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: Self.submissionLimit)
        let entries = try Self.entries(of: Array(buffer: body))
        try await refuseInvalidRows(entries)
        switch await publisher.submit(entries) {
        case .published(let first, let last, let size, let root):
            return LocalAnswer.json([
                "first": .integer(Int64(first)), "last": .integer(Int64(last)), "size": .integer(Int64(size)),
                "root": .string(root.base64), "time": Self.time(Clock.seconds),
                "replicas": .integer(Int64(charter.replicas(of: identity.member.id).count)), "already": false,
            ])
        case .already(let first, let last):
            return LocalAnswer.json([
                "first": .integer(Int64(first)), "last": .integer(Int64(last)), "already": true,
                "replicas": .integer(Int64(charter.replicas(of: identity.member.id).count)),
            ])
        case .refused(let refused):
            var error = LocalError(
                .conflict, "refused",
                "nothing was published: \(refused.count) of \(entries.count) statements would not count")
            error.extra["refused"] = .array(
                refused.prefix(100).map {
                    [
                        "position": .integer(Int64($0.position)), "code": .string($0.reason.rawValue),
                        "reason": .string($0.reason.text),
                    ]
                })
            throw error
        case .failed(let error): throw LocalError(.serviceUnavailable, "failed", error.reason)
        }
    }

    private static func entries(of body: [UInt8]) throws -> [[UInt8]] {
        let tape: JSONTape
        do { tape = try JSONTape(body, limit: submissionLimit) } catch {
            throw LocalError(.badRequest, "malformed", "\(error)")
        }
        guard let views = tape.root["statements"]?.elements else {
            throw LocalError(.badRequest, "malformed", "a list is due", at: "statements")
        }
        return try views.enumerated().map { position, view in
            guard let bytes = view.utf8, !bytes.isEmpty, bytes.count <= Statement.byteLimit else {
                throw LocalError(
                    .badRequest, "malformed", "a JWS of at most \(Statement.byteLimit) bytes is due",
                    at: "statements[\(position)]")
            }
            return bytes
        }
    }

    private func storeDocument(_ request: Request) async throws -> Response {
        do { try store.makeSureOfRoom(for: request.headers[.contentLength].flatMap { Int($0) } ?? 0) } catch {
            throw LocalError(.serviceUnavailable, "failed", "\(error)")
        }
        let staging = try store.documents.stage()
        for try await buffer in request.body { try staging.append(Array(buffer: buffer)) }
        let (digest, size) = try staging.finish()
        return LocalAnswer.json(["sha256": .string(digest.hex), "size": .integer(size)])
    }

    private func document(_ context: BasicRequestContext) throws -> Response {
        guard let digest = HashValue(hex: try context.parameters.require("digest")) else {
            throw LocalError(.badRequest, "invalid", "a SHA-256 in hexadecimal is due")
        }
        guard store.documents.holds(digest) else {
            throw LocalError(.notFound, "unknown", "the bytes of that document are not held here")
        }
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: ResponseBody(asyncSequence: DocumentBytes(folder: store.documents, digest: digest, offset: 0)))
    }
}

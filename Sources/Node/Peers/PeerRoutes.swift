import Alliance
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Replication
import Store
import TransparencyLog

/// What a node answers to other members' nodes, over mutual TLS.
struct PeerRoutes: Sendable {
    let store: Store
    let driver: ReplicationDriver
    let network: PeerNetwork
    let identity: NodeIdentity
    let logger: Logger

    func router() -> Router<PeerRequestContext> {
        let router = Router(context: PeerRequestContext.self)
        router.post("/peer/v1/session") { request, context in try await session(request, context) }
        router.get("/peer/v1/range/**") { request, context in try await range(request, context) }
        router.post("/peer/v1/pushed-range/**") { request, context in try await pushedRange(request, context) }
        router.get("/peer/v1/document/{digest}") { request, context in try document(request, context) }
        router.post("/peer/v1/document/{digest}") { request, context in try await pushedDocument(request, context) }
        router.post("/peer/v1/missing-document/{digest}") { _, context in try await missingDocument(context) }
        router.get("/logs/**") { request, context in try await log(request, context) }
        return router
    }

    // MARK: Sessions

    private func session(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        let peer = try context.peer
        guard peer.memberID != identity.member.id else {
            throw HTTPError(.conflict, message: "this is a node of the same member")
        }
        let outbox = Outbox()
        let canFetch = await network.canDial(peer.memberID)
        let ended = Mutexed<Task<Void, Never>?>(nil)
        let id = await driver.open(
            member: peer.memberID, isOutbound: false, canFetch: canFetch, restricted: peer.isRestricted,
            outbox: outbox, end: { ended.withLock { $0?.cancel() } })
        guard let id else { throw HTTPError(.conflict, message: "there is a session with this member already") }
        await network.note(clock: request.headers[.date], of: peer.memberID)
        let body = ResponseBody { writer in
            let reading = Task {
                var reader = SessionReader(id: id, driver: driver)
                do {
                    for try await buffer in request.body {
                        guard await reader.receive(buffer) else { break }
                    }
                } catch {}
                await driver.close(id)
            }
            ended.withLock { $0 = reading }
            do {
                for await buffer in outbox { try await writer.write(buffer) }
                reading.cancel()
                await driver.close(id)
                try await writer.finish(nil)
            } catch {
                reading.cancel()
                await driver.close(id)
                throw error
            }
        }
        let headers: HTTPFields = [
            .contentType: "application/octet-stream", .date: PeerClock.text(Clock.seconds),
        ]
        return Response(status: .ok, headers: headers, body: body)
    }

    // MARK: Bulk

    private func range(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        _ = try context.peer
        let origin = context.parameters.getCatchAll().joined(separator: "/")
        guard let from = Self.number(request, "from"), let head = Self.number(request, "head"),
            let root = request.uri.queryParameters["root"].flatMap({ HashValue(base64url: $0) })
        else { throw HTTPError(.badRequest, message: "from, head and root are due: two numbers and a base64url hash") }
        do {
            let wanted = RangeRequest(
                request: RequestID(0), origin: origin, from: from, headSize: head, headRoot: root)
            let answer = try await store.answer(wanted)
            return Self.bytes(answer.encoded)
        } catch let error as StoreError where error.code == .unknown {
            throw HTTPError(.notFound, message: error.reason)
        }
    }

    private func pushedRange(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        let peer = try context.peer
        let origin = context.parameters.getCatchAll().joined(separator: "/")
        guard let number = Self.number(request, "request") else {
            throw HTTPError(.badRequest, message: "request is due, as a decimal number")
        }
        guard await driver.expects(range: RequestID(number), origin: origin, from: peer.memberID) else {
            throw HTTPError(.conflict, message: "this was not asked for")
        }
        let body = try await request.body.collect(upTo: RangeAnswer.maximumEncodedBytes)
        guard body.readableBytes > 0 else {
            await driver.failed(RequestID(number), .notFound)
            return Response(status: .noContent)
        }
        let answer: RangeAnswer
        do throws(Rejection) { answer = try RangeAnswer(decoding: Array(buffer: body)) } catch {
            await driver.failed(RequestID(number), .rejected(error))
            throw HTTPError(.badRequest, message: "\(error)")
        }
        guard await driver.receive(range: answer, for: RequestID(number), from: peer.memberID) else {
            throw HTTPError(.conflict, message: "this was not asked for")
        }
        return Response(status: .noContent)
    }

    private func document(_ request: Request, _ context: PeerRequestContext) throws -> Response {
        _ = try context.fullPeer
        let (digest, offset) = try Self.document(request, context)
        guard store.documents.holds(digest) else {
            throw HTTPError(.notFound, message: "that document is not held here")
        }
        let bytes = DocumentBytes(folder: store.documents, digest: digest, offset: offset)
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream"], body: ResponseBody(asyncSequence: bytes))
    }

    private func pushedDocument(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        let peer = try context.fullPeer
        var (digest, offset) = try Self.document(request, context)
        guard let asked = await driver.asked(for: digest, of: peer.memberID),
            let size = try await store.documentSize(digest)
        else { throw HTTPError(.conflict, message: "this was not asked for") }
        do {
            for try await buffer in request.body {
                let (bytes, place, digest) = (Array(buffer: buffer), offset, digest)
                try await BulkThreads.shared.run { [documents = store.documents] in
                    try documents.receive(bytes, of: digest, at: place, size: size, from: peer.memberID)
                }
                offset += Int64(buffer.readableBytes)
            }
            try await BulkThreads.shared.run { [documents = store.documents, digest] in
                try documents.finish(digest, from: peer.memberID)
            }
        } catch let error as StoreError where error.code == .damaged {
            await driver.documentFailed(digest, .rejected(Rejection(.wrongDocument, error.reason)), from: asked)
            throw HTTPError(.badRequest, message: error.reason)
        } catch is StoreError {
            await driver.documentFailed(digest, .local, from: asked)
            throw HTTPError(.conflict, message: "the document cannot be taken now")
        } catch {
            await driver.documentFailed(digest, .unreachable, from: asked)
            throw error
        }
        await driver.documentArrived(digest, from: asked)
        return Response(status: .noContent)
    }

    /// A peer that was asked for a document does not hold it.
    private func missingDocument(_ context: PeerRequestContext) async throws -> Response {
        let peer = try context.fullPeer
        guard let digest = HashValue(hex: try context.parameters.require("digest")),
            let asked = await driver.asked(for: digest, of: peer.memberID)
        else { throw HTTPError(.conflict, message: "this was not asked for") }
        await driver.documentFailed(digest, .notFound, from: asked)
        return Response(status: .noContent)
    }

    private static func document(
        _ request: Request, _ context: PeerRequestContext
    ) throws -> (digest: HashValue, offset: Int64) {
        guard let digest = HashValue(hex: try context.parameters.require("digest")),
            let offset = number(request, "offset"), offset <= UInt64(DocumentFolder.sizeLimit)
        else { throw HTTPError(.badRequest, message: "a SHA-256 in hexadecimal and an offset are due") }
        return (digest, Int64(offset))
    }

    // MARK: Logs (C2SP tlog-tiles)

    private func log(_ request: Request, _ context: PeerRequestContext) async throws -> Response {
        _ = try context.peer
        let path = context.parameters.getCatchAll().joined(separator: "/")
        return try await LogFiles(store: store, charter: identity.charter.charter).serve(path)
    }

    static func number(_ request: Request, _ name: Substring) -> UInt64? {
        request.uri.queryParameters[name].flatMap { Decimal64.parse(String($0).utf8) }
    }

    static func bytes(_ bytes: [UInt8], type: String = "application/octet-stream") -> Response {
        Response(
            status: .ok, headers: [.contentType: type, .contentLength: String(bytes.count)],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// Serves logs as C2SP tlog-tiles has them: `<origin>/checkpoint`, `<origin>/tile/…`.
struct LogFiles: Sendable {
    let store: Store
    let charter: Charter

    func serve(_ path: String) async throws -> Response {
        guard let member = charter.members.first(where: { path.utf8.starts(with: "\($0.log.name)/".utf8) }) else {
            throw HTTPError(.notFound, message: "no such log")
        }
        let rest = String(path.dropFirst(member.log.name.count + 1))
        if rest == "checkpoint" { return try await checkpoint(of: member.log.name) }
        guard let tile = try? TilePath(parsing: rest) else { throw HTTPError(.notFound, message: "no such tile") }
        guard let bytes = try await store.tile(tile, of: member.log.name) else {
            throw HTTPError(.notFound, message: "that tile is not held (yet)")
        }
        var response = PeerRoutes.bytes(bytes)
        response.headers[.cacheControl] = tile.isPartial ? "max-age=60" : "public, max-age=31536000, immutable"
        return response
    }

    private func checkpoint(of origin: String) async throws -> Response {
        guard let head = try await store.checkpoints(of: origin).head else {
            throw HTTPError(.notFound, message: "no checkpoint is held of this log yet")
        }
        var response = PeerRoutes.bytes(try head.fullNote(), type: "text/plain; charset=utf-8")
        response.headers[.cacheControl] = "no-cache"
        return response
    }
}

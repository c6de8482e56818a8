import Alliance
import HTTPTypes
import Hummingbird
import NIOCore
import Store

/// An error of the local interface: a status and one sentence, as JSON.
struct LocalError: Error, HTTPResponseError {
    let status: HTTPResponse.Status
    let code: String
    let reason: String
    var place: String?
    var extra: JSONObject = [:]

    init(_ status: HTTPResponse.Status, _ code: String, _ reason: String, at place: String? = nil) {
        self.status = status
        self.code = code
        self.reason = reason
        self.place = place
    }

    /// The error that some failure of the layers below is.
    init(_ error: any Error) {
        switch error {
        case let error as LocalError: self = error
        case let error as AllianceError: self.init(.badRequest, error.code.rawValue, error.reason, at: error.place)
        case let error as StoreError:
            let status: HTTPResponse.Status =
                switch error.code {
                case .unknown: .notFound
                case .limit: .conflict
                default: .internalServerError
                }
            self.init(status, error.code.rawValue, error.reason)
        case let error as HTTPError: self.init(error.status, "request", error.body ?? error.status.reasonPhrase)
        default: self.init(.internalServerError, "internal", "\(error)")
        }
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        var inner: JSONObject = ["code": .string(code), "reason": .string(reason)]
        inner["place"] = place.map { .string($0) } ?? .null
        for member in extra.members { inner[member.name] = member.value }
        return LocalAnswer.json(["error": .object(inner)], status: status)
    }
}

/// Makes every failure an answer in JSON, a path that there is not included.
struct LocalErrors: RouterMiddleware {
    func handle(
        _ request: Request, context: BasicRequestContext,
        next: @concurrent (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do { return try await next(request, context) } catch { throw LocalError(error) }
    }
}

/// Answers of the local interface.
enum LocalAnswer {
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        bytes(value.encoded() + [0x0A], type: "application/json", status: status)
    }

    static func bytes(_ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: type, .contentLength: String(bytes.count)],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

import AsyncHTTPClient
public import HTTPTypes
public import NIOCore
import NIOHTTP1

/// An answer whose body arrives while it is read. Not reading on holds the sender back; dropping it closes the
/// connection.
public struct PeerResponse: Sendable {
    public let status: HTTPResponse.Status
    public let headers: HTTPFields
    public let body: PeerResponseBody

    init(_ response: HTTPClientResponse, memberID: String, address: String) {
        self.status = .init(code: Int(response.status.code), reasonPhrase: response.status.reasonPhrase)
        var headers = HTTPFields()
        for (name, value) in response.headers {
            if let name = HTTPField.Name(name) { headers.append(HTTPField(name: name, value: value)) }
        }
        self.headers = headers
        self.body = PeerResponseBody(base: response.body, memberID: memberID, address: address)
    }

    /// The whole body.
    ///
    /// - Throws: ``PeerClientError``; code `tooLarge` if it has more than `limit` bytes.
    public func collect(upTo limit: Int) async throws(PeerClientError) -> ByteBuffer {
        do {
            return try await self.body.base.collect(upTo: limit)
        } catch {
            throw PeerClientError.from(error, memberID: self.body.memberID, address: self.body.address)
        }
    }
}

/// The bytes of an answer, in pieces of no meaning. Iterating throws ``PeerClientError``. May be read once.
public struct PeerResponseBody: AsyncSequence, Sendable {
    public typealias Element = ByteBuffer

    let base: HTTPClientResponse.Body
    let memberID: String
    let address: String

    public struct AsyncIterator: AsyncIteratorProtocol {
        private var base: HTTPClientResponse.Body.AsyncIterator
        private let memberID: String
        private let address: String

        init(_ body: PeerResponseBody) {
            self.base = body.base.makeAsyncIterator()
            self.memberID = body.memberID
            self.address = body.address
        }

        @concurrent
        public mutating func next() async throws -> ByteBuffer? {
            do {
                return try await self.base.next()
            } catch {
                throw PeerClientError.from(error, memberID: self.memberID, address: self.address)
            }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}

/// The body of a request.
public struct PeerRequestBody: Sendable {
    let base: HTTPClientRequest.Body?

    public static let none = PeerRequestBody(base: nil)

    public static func bytes(_ bytes: ByteBuffer) -> PeerRequestBody { .init(base: .bytes(bytes)) }

    public static func bytes(_ bytes: [UInt8]) -> PeerRequestBody { .init(base: .bytes(ByteBuffer(bytes: bytes))) }

    /// Sends what the sequence brings, piece by piece, while the answer is already being read. If the sequence throws,
    /// the request fails and its connection closes.
    ///
    /// - Parameter length: bytes in total, if known; else the body is sent in chunks.
    public static func stream<Bytes: AsyncSequence & Sendable>(
        _ bytes: Bytes, length: Int64? = nil
    ) -> PeerRequestBody where Bytes.Element == ByteBuffer {
        .init(base: .stream(bytes, length: length.map { .known($0) } ?? .unknown))
    }
}

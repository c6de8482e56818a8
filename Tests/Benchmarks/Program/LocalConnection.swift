import Alliance
import Foundation
import Glibc

/// One connection to a node's control socket that blocks its thread: the leanest client there is, so that the node is
/// measured and not its client. For one thread.
final class LocalConnection {
    private let descriptor: Int32
    private var received: [UInt8] = []
    private var piece = [UInt8](repeating: 0, count: 64 << 10)

    /// - Throws: ``BenchmarkError`` if nothing listens there.
    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected == 0 else {
            close(descriptor)
            throw BenchmarkError("nothing answers at \(path)")
        }
    }

    deinit { close(descriptor) }

    struct Answer {
        let status: Int
        let body: [UInt8]
    }

    /// Asks and waits for the answer, whatever its status.
    func ask(_ method: String, _ target: String, body: [UInt8] = []) throws -> Answer {
        try send(Self.request(method, target, body: body))
    }

    /// Asks for JSON; an answer that is no success is an error.
    func json(_ target: String) throws -> JSONValue {
        let answer = try ask("GET", target)
        guard answer.status == 200 else {
            throw BenchmarkError("\(target): \(answer.status) \(String(decoding: answer.body, as: UTF8.self))")
        }
        return try JSONValue.parse(answer.body)
    }

    /// Publishes statements. Once it returns they are durable.
    ///
    /// - Returns: the log's size with them, and with the state leaf behind them.
    @discardableResult
    func publish(_ request: [UInt8]) throws -> UInt64 {
        let answer = try send(request)
        guard answer.status == 200, let size = try JSONValue.parse(answer.body)["size"]?.integer else {
            throw BenchmarkError("refused: \(answer.status) \(String(decoding: answer.body, as: UTF8.self))")
        }
        return UInt64(size)
    }

    /// The bytes of a request.
    static func request(_ method: String, _ target: String, body: [UInt8] = []) -> [UInt8] {
        let length = body.isEmpty ? "" : "content-length: \(body.count)\r\n"
        return Array("\(method) \(target) HTTP/1.1\r\nhost: node\r\n\(length)\r\n".utf8) + body
    }

    /// The bytes of a request that publishes statements.
    static func publication(_ statements: [[UInt8]]) -> [UInt8] {
        let body: JSONValue = ["statements": .array(statements.map { .string(String(decoding: $0, as: UTF8.self)) })]
        return request("POST", "/v1/submit", body: body.encoded())
    }

    func send(_ request: [UInt8]) throws -> Answer {
        var sent = 0
        while sent < request.count {
            let count = request.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw BenchmarkError("the node has gone") }
            sent += count
        }
        return try answer()
    }

    private func answer() throws -> Answer {
        var end: Int?
        while end == nil {
            end = headEnd()
            if end == nil { try receive() }
        }
        let head = String(decoding: received[..<(end ?? 0)], as: UTF8.self).lowercased()
        let lines = head.split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }),
            let length = lines.first(where: { $0.hasPrefix("content-length:") })
                .flatMap({ Int($0.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces)) })
        else { throw BenchmarkError("an answer without a length: \(head)") }
        let start = (end ?? 0) + 4
        while received.count < start + length { try receive() }
        let body = Array(received[start..<start + length])
        received.removeSubrange(..<(start + length))
        return Answer(status: status, body: body)
    }

    /// Where the head's last line ends.
    private func headEnd() -> Int? {
        guard received.count >= 4 else { return nil }
        return (0...received.count - 4).first { received[$0..<$0 + 4].elementsEqual([13, 10, 13, 10]) }
    }

    private func receive() throws {
        let count = read(descriptor, &piece, piece.count)
        guard count > 0 else { throw BenchmarkError("the node ended the connection") }
        received += piece[..<count]
    }
}

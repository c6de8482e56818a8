import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPCompression

/// Inflates a member of a ZIP archive.
///
/// A deflated member is a gzip member (RFC 1952) without its header and trailer, and the archive's directory has what the
/// trailer holds. With both put around it, it goes through swift-nio-extras' decompressor of HTTP bodies, which is zlib, and
/// zlib checks length and checksum (Docs/decisions/0026-workbooks.md).
enum Inflation {
    /// Bytes that go in at once: what comes out of one step is at most a small multiple.
    private static let step = 32 << 10

    /// The content, or nil where it is damaged, or longer or shorter than `size`.
    static func inflate(_ packed: ArraySlice<UInt8>, size: Int, checksum: UInt32) -> [UInt8]? {
        let channel = EmbeddedChannel(handler: NIOHTTPResponseDecompressor(limit: .size(size)))
        defer { _ = try? channel.finish() }
        var gzip: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]
        gzip.reserveCapacity(packed.count + 18)
        gzip += packed
        for value in [checksum, UInt32(truncatingIfNeeded: size)] {
            withUnsafeBytes(of: value.littleEndian) { gzip += $0 }
        }
        var content: [UInt8] = []
        content.reserveCapacity(size)
        func drain() throws {
            while let part = try channel.readInbound(as: HTTPClientResponsePart.self) {
                if case .body(let buffer) = part { content += buffer.readableBytesView }
            }
        }
        do {
            let headers: HTTPHeaders = ["content-encoding": "gzip", "content-length": "\(gzip.count)"]
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            try channel.writeInbound(HTTPClientResponsePart.head(head))
            for start in stride(from: 0, to: gzip.count, by: step) {
                let slice = gzip[start..<min(start + step, gzip.count)]
                try channel.writeInbound(HTTPClientResponsePart.body(ByteBuffer(bytes: slice)))
                try drain()
            }
            try channel.writeInbound(HTTPClientResponsePart.end(nil))
            try drain()
        } catch {
            return nil
        }
        return content.count == size ? content : nil
    }
}

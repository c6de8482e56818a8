/// Turns a stream of bytes, in pieces of any size, into messages.
///
/// Append what arrives and take messages until there is none. It holds at most one unfinished frame beyond the piece
/// appended last, and frames of a type that is not known are dropped as they come. A violation is final: every further
/// call throws it again, and the session is to be ended by ``Event/violation(_:_:)``.
public struct FrameDecoder: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0
    private var skipping = 0
    private var violation: Rejection?

    /// A decoder at the start of a stream.
    public init() {}

    /// How many bytes are held; less than ``WireLimits/frameBytes`` and the last piece together.
    public var bufferedBytes: Int {
        buffer.count - start
    }

    /// Whether the stream may end here without a frame being cut off.
    public var isAtBoundary: Bool {
        bufferedBytes == 0 && skipping == 0
    }

    /// Takes the next bytes of the stream. Take all messages before appending more.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        guard violation == nil else { return }
        let skipped = min(skipping, bytes.count)
        skipping -= skipped
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes.dropFirst(skipped))
    }

    /// The next whole message; nil until more bytes come.
    public mutating func next() throws(Rejection) -> Message? {
        if let violation { throw violation }
        do throws(Rejection) {
            while true {
                guard let length = try frameLength() else { return nil }
                guard let kind = Message.Kind(rawValue: buffer[start + 4]) else {
                    skip(4 + length)
                    continue
                }
                guard bufferedBytes >= 4 + length else { return nil }
                var reader = FieldReader(buffer, from: start + 5, to: start + 4 + length)
                let message = try Message(kind, &reader)
                start += 4 + length
                return message
            }
        } catch {
            violation = error
            buffer = []
            start = 0
            throw error
        }
    }

    /// The length of the frame at the start, once its first five bytes are there.
    private func frameLength() throws(Rejection) -> Int? {
        guard bufferedBytes >= 4 else { return nil }
        let length = buffer[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        guard length >= 1 else { throw Rejection(.malformedFrame, "a frame is empty") }
        guard length <= WireLimits.frameBytes else {
            throw Rejection(.oversizedFrame, "a frame has \(length) bytes of at most \(WireLimits.frameBytes)")
        }
        return bufferedBytes >= 5 ? length : nil
    }

    private mutating func skip(_ count: Int) {
        let now = min(count, bufferedBytes)
        start += now
        skipping = count - now
    }
}

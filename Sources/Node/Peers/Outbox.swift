import NIOCore

/// What waits to be sent in one session: frames in order, bounded in bytes. A peer that does not read loses the
/// session; nobody waits for it.
final class Outbox: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// Bytes that may wait.
    static let byteLimit = 16 << 20
    /// Frames are joined up to this size, so that many small ones cost one write.
    private static let joinLimit = 256 << 10

    private struct State {
        var waiting = ByteBuffer()
        var isClosed = false
        var reader: CheckedContinuation<ByteBuffer?, Never>?
    }

    private let state = Mutexed(State())

    /// Adds a frame.
    ///
    /// - Returns: false where the peer has let too much wait, or the session is over.
    func send(_ frame: [UInt8]) -> Bool {
        let (reader, buffer): (CheckedContinuation<ByteBuffer?, Never>?, ByteBuffer?) = state.withLock { state in
            guard !state.isClosed, state.waiting.readableBytes + frame.count <= Self.byteLimit else {
                return (nil, nil)
            }
            state.waiting.writeBytes(frame)
            guard let reader = state.reader else { return (nil, ByteBuffer()) }
            state.reader = nil
            let buffer = state.waiting
            state.waiting = ByteBuffer()
            return (reader, buffer)
        }
        guard let buffer else { return false }
        reader?.resume(returning: buffer)
        return true
    }

    /// Ends the session's sending side, after what waits.
    func close() {
        let reader = state.withLock { state in
            state.isClosed = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    private func next() async -> ByteBuffer? {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready: ByteBuffer?? = state.withLock { state in
                    if state.waiting.readableBytes > 0 {
                        let buffer = state.waiting.readSlice(
                            length: Swift.min(state.waiting.readableBytes, Self.joinLimit))
                        if state.waiting.readableBytes == 0 { state.waiting = ByteBuffer() }
                        return .some(buffer)
                    }
                    if state.isClosed { return .some(nil) }
                    state.reader = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            close()
        }
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        let outbox: Outbox

        mutating func next() async -> ByteBuffer? { await outbox.next() }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(outbox: self) }
}

import Replication

extension FuzzTarget {
    static let fromPeers: [FuzzTarget] = [
        FuzzTarget("frames", seeds: ["frames"]) { bytes in
            let whole = outcome(of: [bytes[...]])
            // The first byte chooses the pieces, so that a fuzzer can try all of them.
            let size = Int(bytes.first ?? 0) % 37 + 1
            let pieces = stride(from: 0, to: bytes.count, by: size).map { bytes[$0..<min($0 + size, bytes.count)] }
            require(outcome(of: pieces) == whole, "in pieces says the same as at once")
            for message in whole.messages {
                require(outcome(of: [message.frame[...]]).messages == [message], "a message reads back as itself")
            }
        },
        FuzzTarget("ranges", seeds: ["ranges"]) { bytes in
            guard let answer = try? RangeAnswer(decoding: bytes) else { return }
            require(answer.encoded == bytes, "a range is written as it was read")
        },
    ]

    /// What a decoder makes of a stream in pieces.
    private struct StreamOutcome: Equatable {
        var messages: [Message] = []
        var rejection: Rejection?
        var isWhole = false
    }

    private static func outcome(of pieces: [ArraySlice<UInt8>]) -> StreamOutcome {
        var decoder = FrameDecoder()
        var outcome = StreamOutcome()
        for piece in pieces {
            decoder.append(piece)
            do throws(Rejection) {
                while let message = try decoder.next() { outcome.messages.append(message) }
            } catch {
                outcome.rejection = error
                return outcome
            }
        }
        outcome.isWhole = decoder.isAtBoundary
        return outcome
    }
}

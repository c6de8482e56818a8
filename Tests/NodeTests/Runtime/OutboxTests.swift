import NIOCore
import Testing

@testable import Node

@Suite("A session's outbox", .timeLimit(.minutes(1)))
struct OutboxTests {
    @Test("Frames leave in order, joined, and all of them before the end")
    func order() async {
        let outbox = Outbox()
        for number in 0..<3 { #expect(outbox.send([UInt8(number)])) }
        outbox.close()
        #expect(!outbox.send([9]))
        var received: [UInt8] = []
        for await buffer in outbox { received += Array(buffer: buffer) }
        #expect(received == [0, 1, 2])
        // Its end stays its end.
        for await _ in outbox { Issue.record("more") }
    }

    @Test("A reader that waits gets what comes, then the end")
    func waiting() async {
        let outbox = Outbox()
        let reader = Task { () -> [UInt8] in
            var received: [UInt8] = []
            for await buffer in outbox { received += Array(buffer: buffer) }
            return received
        }
        for number in 0..<1_000 { #expect(outbox.send([UInt8(truncatingIfNeeded: number)])) }
        outbox.close()
        outbox.close()
        #expect(await reader.value == (0..<1_000).map { UInt8(truncatingIfNeeded: $0) })
    }

    @Test("A peer that does not read is not waited for: more than the limit is refused")
    func limit() async {
        let outbox = Outbox()
        let frame = [UInt8](repeating: 7, count: 1 << 20)
        for _ in 0..<(Outbox.byteLimit >> 20) { #expect(outbox.send(frame)) }
        #expect(!outbox.send([1]))
        var iterator = outbox.makeAsyncIterator()
        let first = await iterator.next()
        #expect(first?.readableBytes == 256 << 10)
        #expect(outbox.send([1]))
        outbox.close()
        var total = first?.readableBytes ?? 0
        while let buffer = await iterator.next() { total += buffer.readableBytes }
        #expect(total == Outbox.byteLimit + 1)
    }

    @Test("A reader that is cancelled closes it, and never hangs")
    func cancelled() async {
        for isEarly in [true, false] {
            let outbox = Outbox()
            let task = Task {
                if isEarly { withUnsafeCurrentTask { $0?.cancel() } }
                for await _ in outbox {}
            }
            if !isEarly {
                #expect(outbox.send([1]))
                task.cancel()
            }
            await task.value
            #expect(!outbox.send([1]))
        }
    }
}

import Alliance
import Foundation
import Synchronization
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: large writes give way to small ones")
struct WriteTurnsTests {
    /// What a hook inside the writer's queue needs.
    private final class Interruption: Sendable {
        let store = Mutex<Store?>(nil)
        let turn = Mutex<WriteTurns.Turn?>(nil)
        let (arrivals, arrived) = AsyncStream.makeStream(of: Void.self)

        /// A small write comes just when the range's first entry is written.
        func heard(_ sql: String) {
            guard sql.hasPrefix("INSERT INTO entry"), turn.withLock({ $0 == nil }) else { return }
            let begun = store.withLock { $0?.turns.begin() }
            turn.withLock { $0 = begun }
            if begun != nil { arrived.yield() }
        }
    }

    @Test("A range that gives way is stored behind a write that came after it began, whole", arguments: [true, false])
    func givesWay(_ gives: Bool) async throws {
        let alliance = try TestAlliance()
        var history = try RandomHistory(alliance, seed: 3)
        for _ in 0..<8 { try history.grow() }
        let (log, batches) = (history.log, history.batches)
        let name = log.member.log.name
        try await withFolder { folder in
            let interruption = Interruption()
            let store = try Store(folder: folder, onStatement: { interruption.heard($0) })
            try await store.install(alliance.charter)
            interruption.store.withLock { $0 = store }
            async let range = store.follow(log, batches, givesWay: gives)
            for await _ in interruption.arrivals { break }
            let before = try await store.write { _, writer in
                interruption.turn.withLock { $0?.end() }
                return writer.logs[name]?.size ?? 0
            }
            #expect(before == (gives ? 0 : UInt64(log.entries.count)))
            #expect(try await range.size == UInt64(log.entries.count))
            try await store.expectSame(as: log, history: history.history)
            #expect(!store.turns.isSomebodyWaiting)
            interruption.store.withLock { $0 = nil }
            try store.close()
        }
    }

    @Test("Who does not give way is not interrupted, and a write that fails waits no longer")
    func others() async throws {
        let turns = WriteTurns()
        let giving = GivingWay(turns)
        let turn = turns.begin()
        try giving.check()
        giving.isOn = true
        #expect(throws: StoreError.self) { try giving.check() }
        turn.end()
        turn.end()
        try giving.check()
        #expect(!turns.isSomebodyWaiting)
    }
}

import Replication
import Testing
import TransparencyLog

@testable import Node

/// A peer that sends without end is read more slowly, and nothing of it is dropped.
struct PeerTollTests {
    private let now = Instant(milliseconds: 1_000_000)
    private let signatures = Message.signatures(
        SignatureSet(origin: "pk.example/log", size: 1, root: HashValue.sha256("root"), lines: [[1]]))

    @Test func whatAnAllianceSaysIsReadAtOnce() {
        var toll = PeerToll()
        // A member that cosigns 400 heads a second, for a minute.
        for number in 0..<24_000 {
            let (pause, isNew) = toll.take(signatures.cost, now + Int64(number) * 5 / 2)
            #expect(pause == 0 && !isNew)
        }
    }

    @Test func aFloodIsHeldBackToItsRate() {
        var toll = PeerToll()
        var (time, words) = (now, 0)
        let count = 60_000
        for _ in 0..<count {
            let (pause, isNew) = toll.take(signatures.cost, time)
            time = time + pause
            words += isNew ? 1 : 0
        }
        let units = Int64(count) * signatures.cost
        let due = (units - PeerToll.limit.units) * PeerToll.limit.window / PeerToll.limit.units
        #expect(abs(time - now - due) < 2_000)
        #expect(words == 1)
    }

    @Test func aPageOfHeadsOfALargeAllianceFits() {
        // 200 logs with 64 signatures each, on several pages of at most 512 kB.
        let note = [UInt8](repeating: 1, count: 64 * 110)
        let pages = (0..<4).map { _ in
            Message.heads(HeadsPage(after: "", through: "", notes: Array(repeating: note, count: 50)))
        }
        var toll = PeerToll()
        for page in pages { #expect(toll.take(page.cost, now).pause == 0) }
    }
}

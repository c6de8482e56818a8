import Synchronization

/// Who waits for the one writer. A large write that can be made later looks here now and then, and gives way.
///
/// SQLite has one writer, and a range of another member's log keeps it for as long as a hundred publications of others do.
/// So such a write is begun anew once those that wait are done: what it had written is rolled back, nothing of it was
/// visible, and nothing is lost but time.
final class WriteTurns: Sendable {
    private let count = Atomic<Int>(0)

    /// Whether a write waits that does not give way itself.
    var isSomebodyWaiting: Bool { count.load(ordering: .relaxed) > 0 }

    /// Counts one write as waiting until it ends.
    func begin() -> Turn {
        count.wrappingAdd(1, ordering: .relaxed)
        return Turn(turns: self)
    }

    /// A write that waits. Ended once, however often it is told: when it has begun, or could not begin.
    final class Turn: Sendable {
        private let turns: WriteTurns
        private let isOver = Atomic<Bool>(false)

        init(turns: WriteTurns) { self.turns = turns }

        func end() {
            guard !isOver.exchange(true, ordering: .relaxed) else { return }
            turns.count.wrappingSubtract(1, ordering: .relaxed)
        }
    }
}

/// Whether the write under way gives way; only touched inside the writer's queue.
final class GivingWay {
    private let turns: WriteTurns
    var isOn = false

    init(_ turns: WriteTurns) { self.turns = turns }

    /// - Throws: ``StoreError`` with code `interrupted` where somebody waits and the write under way gives way.
    func check() throws {
        if isOn, turns.isSomebodyWaiting { throw StoreError(.interrupted, "a smaller write goes first") }
    }
}

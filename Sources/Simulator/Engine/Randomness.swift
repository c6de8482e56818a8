import Replication

/// Draws from the seed; every draw is part of the run, so their order matters.
struct Randomness {
    private var generator: SplitMix64

    init(seed: UInt64) {
        generator = SplitMix64(seed: seed)
    }

    mutating func bits() -> UInt64 {
        generator.next()
    }

    mutating func number(_ range: ClosedRange<Int64>) -> Int64 {
        Int64.random(in: range, using: &generator)
    }

    mutating func index(_ count: Int) -> Int {
        Int(number(0...Int64(count - 1)))
    }

    /// True so many times in a million.
    mutating func happens(_ perMillion: Int64) -> Bool {
        perMillion > 0 && number(0...999_999) < perMillion
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 32) }
    }
}

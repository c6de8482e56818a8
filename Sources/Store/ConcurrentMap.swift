import Dispatch

/// What a function gives for each of `0 ..< count`, computed on all cores at once, in this order.
///
/// Blocks its thread meanwhile. Each result has a place of its own in memory, so that nothing waits for a lock.
public func concurrentMap<Result: Sendable>(_ count: Int, _ transform: @Sendable (Int) -> Result) -> [Result] {
    [Result](unsafeUninitializedCapacity: count) { places, initialized in
        guard let first = places.baseAddress else { return }
        nonisolated(unsafe) let start = first
        DispatchQueue.concurrentPerform(iterations: count) { position in
            (start + position).initialize(to: transform(position))
        }
        initialized = count
    }
}

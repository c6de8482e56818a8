import NIOConcurrencyHelpers

/// A value behind a lock, in a class so that several owners can share it.
///
/// The lock is NIO's and not the standard library's `Mutex`: ThreadSanitizer does not see how threads that wait for that
/// one hand over to each other, and reports races that are none (`Tests/run --races`).
final class Mutexed<Value: Sendable>: Sendable {
    private let box: NIOLockedValueBox<Value>

    init(_ value: Value) { box = NIOLockedValueBox(value) }

    func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try box.withLockedValue(body)
    }
}

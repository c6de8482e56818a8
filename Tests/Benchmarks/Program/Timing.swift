import Dispatch
import Foundation
import Glibc
import Synchronization

/// Seconds since it was made, by a clock that never jumps.
struct Stopwatch: Sendable {
    private let start = DispatchTime.now().uptimeNanoseconds

    var seconds: Double { Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9 }
    var milliseconds: Double { seconds * 1e3 }

    /// Seconds from when this was made to when another was.
    func seconds(until other: Stopwatch) -> Double { (Double(other.start) - Double(start)) / 1e9 }
}

/// What several measurements of the same say together.
struct Spread: Sendable, Encodable {
    let count: Int
    let least: Double
    let median: Double
    let p99: Double
    let most: Double

    /// Of at least one measurement.
    init(_ values: [Double]) {
        precondition(!values.isEmpty)
        let ordered = values.sorted()
        count = ordered.count
        least = ordered[0]
        most = ordered[ordered.count - 1]
        median =
            ordered.count % 2 == 1
            ? ordered[ordered.count / 2] : (ordered[ordered.count / 2 - 1] + ordered[ordered.count / 2]) / 2
        // The nearest rank.
        p99 = ordered[max(0, Int((Double(ordered.count) * 0.99).rounded(.up)) - 1)]
    }
}

/// Runs a body on threads of its own, all at once, and returns what each gave. Threads, not tasks: they may block, and
/// measuring shares no executor with anything.
func onThreads<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Value) throws -> [Value] {
    try ThreadGroup(count, body).wait()
}

/// Threads that run a body, to be waited for later.
final class ThreadGroup<Value: Sendable>: Sendable {
    private let results: Mutex<[Result<Value, any Error>?]>
    private let group = DispatchGroup()

    init(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Value) {
        results = Mutex(Array(repeating: nil, count: count))
        for number in 0..<count {
            group.enter()
            let thread = Thread { [self] in
                let result = Result { try body(number) }
                results.withLock { $0[number] = result }
                group.leave()
            }
            thread.start()
        }
    }

    /// - Throws: the first body's error.
    func wait() throws -> [Value] {
        group.wait()
        return try results.withLock { try $0.compactMap { try $0?.get() } }
    }
}

/// Does something over and over for about so many seconds.
///
/// - Returns: how often a second.
func rate(seconds: Double, batch: Int = 100, _ body: () throws -> Void) rethrows -> Double {
    let watch = Stopwatch()
    var count = 0
    repeat {
        for _ in 0..<batch { try body() }
        count += batch
    } while watch.seconds < seconds
    return Double(count) / watch.seconds
}

/// Seconds of processor time, which other users of the machine disturb less than they do a clock.
enum ProcessorTime {
    /// Of this process, which relays and measures.
    static var own: Double { of(RUSAGE_SELF) }
    /// Of commands that have ended.
    static var commands: Double { of(RUSAGE_CHILDREN) }
    /// Of this thread.
    static var thread: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func of(_ who: __rusage_who) -> Double {
        var usage = rusage()
        getrusage(Int32(who.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}

/// Why a benchmark could not be made.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

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

/// Does something over and over for about so many seconds, while no other thread of ours does anything.
///
/// - Returns: microseconds of processor time that it takes once.
func cost(seconds: Double, _ body: () throws -> Void) rethrows -> Double {
    let before = ProcessorTime.exact
    var count = 0.0
    _ = try rate(seconds: seconds, batch: 10) {
        try body()
        count += 1
    }
    return (ProcessorTime.exact - before) * 1e6 / count
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
    static var own: Double { of("self", [11, 12]) }
    /// Of commands that this process has started and that have ended.
    static var commands: Double { of("self", [13, 14]) }
    /// Of a process.
    static func of(_ process: Int32) -> Double { of(String(process), [11, 12]) }
    /// Of this process, to the microsecond.
    static var exact: Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

    /// The sum of some fields of `/proc/PID/stat`, counted behind the command's name.
    private static func of(_ process: String, _ fields: [Int]) -> Double {
        let found = text("\(process)/stat").split(separator: ")").last?.split(separator: " ") ?? []
        let ticks = fields.reduce(0) { $0 + (found.indices.contains($1) ? Double(found[$1]) ?? 0 : 0) }
        return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func text(_ path: String) -> String {
        FileManager.default.contents(atPath: "/proc/\(path)").map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}

/// Why a benchmark could not be made.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

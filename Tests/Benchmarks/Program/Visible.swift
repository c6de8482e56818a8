import Dispatch
import Foundation
import Glibc
import Synchronization

/// Publishes single statements and takes the time until other nodes show them. Each other node is asked by a thread of
/// its own, before the publication, for the entry that is coming, and answers once it holds it: nobody polls.
struct Watching {
    let publisher: SampleNode
    let others: [SampleNode]
    let officer: SampleOfficer

    struct Result {
        /// Milliseconds from submitting to the acknowledgement, which says that it is durable.
        let acknowledged: Spread
        /// Milliseconds from submitting to the answer of the first other node in the list.
        let first: Spread
        /// Milliseconds from submitting to the last other node's answer.
        let last: Spread
        /// Milliseconds that a question for an entry that is there takes.
        let asking: Spread
    }

    /// Microseconds from asking to publishing, and from one publication to the next: officers do not publish in bursts.
    private static let pause: UInt32 = 5_000

    func measure(_ count: Int) throws -> Result {
        var next = try publisher.size(of: "pk")
        let connection = try publisher.connection()
        let askers = others.map { Asker($0) }
        defer { for asker in askers { asker.stop() } }
        let requests = try (0..<count).map { LocalConnection.publication([try officer.licence("VI-\($0)")]) }
        var acknowledged: [Double] = []
        var arrivals: [[Double]] = []
        for request in requests {
            for asker in askers { asker.ask(next) }
            usleep(Self.pause)
            let watch = Stopwatch()
            next = try connection.publish(request)
            acknowledged.append(watch.milliseconds)
            arrivals.append(try askers.map { watch.seconds(until: try $0.answer()) * 1_000 })
            usleep(Self.pause)
        }
        let asking = try others[0].connection()
        let costs = try (0..<200).map { _ in
            let watch = Stopwatch()
            try SampleNode.awaitEntry(next - 1, of: "pk", on: asking)
            return watch.milliseconds
        }
        return Result(
            acknowledged: Spread(acknowledged), first: Spread(arrivals.map { $0[0] }),
            last: Spread(arrivals.map { $0.max() ?? 0 }), asking: Spread(costs))
    }
}

/// A thread that asks one node for entries.
private final class Asker: Sendable {
    private let wanted = Mutex<UInt64?>(nil)
    private let answered = Mutex<Swift.Result<Stopwatch, any Error>?>(nil)
    private let go = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)

    init(_ node: SampleNode) {
        Thread { [self] in
            let connection = Swift.Result { try node.connection() }
            while true {
                go.wait()
                guard let index = wanted.withLock({ $0 }) else { return }
                let result = Swift.Result {
                    try SampleNode.awaitEntry(index, of: "pk", on: connection.get())
                    return Stopwatch()
                }
                answered.withLock { $0 = result }
                done.signal()
            }
        }.start()
    }

    func ask(_ index: UInt64) {
        wanted.withLock { $0 = index }
        go.signal()
    }

    /// When the answer came.
    func answer() throws -> Stopwatch {
        done.wait()
        guard let result = answered.withLock({ $0 }) else { throw BenchmarkError("no answer") }
        return try result.get()
    }

    func stop() {
        wanted.withLock { $0 = nil }
        go.signal()
    }
}

extension TwoNodes {
    func visible() throws {
        try receiver.stop()
        try receiver.start(Self.quiet)
        try receiver.connected(to: ["pk"])
        try SampleNode.awaitEntry(try publisher.size(of: "pk") - 1, of: "pk", on: try receiver.connection())
        let before = try MachineLimits.syncs(in: work.folder, seconds: work.size.limitSeconds / 2)
        let processor = publisher.processorTime() + receiver.processorTime()
        let result = try Watching(publisher: publisher, others: [receiver], officer: officer)
            .measure(work.size.watchedPublications)
        let cost = publisher.processorTime() + receiver.processorTime() - processor
        let after = try MachineLimits.syncs(in: work.folder, seconds: work.size.limitSeconds / 2)
        let sync = Measurement.Limit(about: "one sync", value: (before.median + after.median) / 2)
        report.add(
            Measurement(
                name: "visible.acknowledged", about: "published at A: acknowledged, median",
                value: result.acknowledged.median, unit: "ms", limit: sync, spread: result.acknowledged))
        report.add(
            Measurement(
                name: "visible.median", about: "published at A, visible at B, median", value: result.first.median,
                unit: "ms", limit: sync, target: .atMost(1.3), spread: result.first,
                note: "the watcher waits in a question; a question for what is there takes "
                    + "\(Report.number(result.asking.median)) ms, and is part of the figure"))
        report.add(
            Measurement(
                name: "visible.p99", about: "published at A, visible at B, p99", value: result.first.p99, unit: "ms",
                limit: .init(about: "one sync, p99", value: max(before.p99, after.p99)), target: .atMost(4)))
        report.add(
            Measurement(
                name: "visible.processor", about: "both nodes' processor time for each of them",
                value: cost * 1e6 / Double(work.size.watchedPublications), unit: "µs",
                limit: .init(about: "of one verification", value: limits.verificationCost),
                note: "two verifications, two signatures, the watcher's question and 200 more included"))
    }
}

/// Eight nodes, all connected to each other.
enum EightNodes {
    static func measure(_ work: Workplace, _ limits: MachineLimits, _ report: Report) throws {
        report.progress("eight nodes")
        let alliance = try SampleAlliance(work, folder: "eight", count: 8, quorum: 4)
        defer { for node in alliance.nodes { node.kill() } }
        for node in alliance.nodes { try node.launch(TwoNodes.quiet) }
        for node in alliance.nodes { try node.ready() }
        let publisher = alliance.nodes[0]
        let others = Array(alliance.nodes.dropFirst())
        for node in alliance.nodes {
            try node.connected(to: alliance.nodes.map(\.name).filter { $0 != node.name })
        }
        let officer = try alliance.officer(of: publisher)
        // The first row also publishes the register's definition.
        let (table, plan) = ("\(work.folder)/first.csv", "\(work.folder)/first.plan")
        try SampleOfficer.table(1).write(toFile: table, atomically: false, encoding: .utf8)
        let entente = Entente(program: work.program)
        try entente.run(["import", "vasp-licences", table, "--plan", plan, "--data", publisher.folder])
        try entente.run(["sign", plan, "--key", "ayesha", "--keys", publisher.keys])
        try entente.run(["submit", plan, "--data", publisher.folder])
        let size = try publisher.size(of: "pk")
        for node in others { try SampleNode.awaitEntry(size - 1, of: "pk", on: try node.connection()) }
        let result = try Watching(publisher: publisher, others: others, officer: officer)
            .measure(work.size.watchedPublications)
        report.add(
            Measurement(
                name: "eight.last", about: "published at A, visible at the last of 8 nodes, median",
                value: result.last.median, unit: "ms", limit: .init(about: "one sync", value: limits.sync.median),
                target: .atMost(3), spread: result.last,
                note: "eight nodes share \(ProcessInfo.processInfo.activeProcessorCount) cores; seven of them verify, "
                    + "store and sync each publication, and sign for it"))
    }
}

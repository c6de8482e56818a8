import Foundation
import Glibc

/// What passes between two nodes, seen by a relay that counts.
extension TwoNodes {
    func through(_ relay: Relay) -> [String] { Self.quiet + ["--peer", "pk=127.0.0.1:\(relay.port)"] }

    /// A node that holds nothing yet fetches everything, and verifies every signature.
    func coldSync(_ relay: Relay, _ entry: Double) throws {
        let size = try publisher.size(of: "pk")
        let before = try MachineLimits.verifications(
            ProcessInfo.processInfo.activeProcessorCount, seconds: work.size.limitSeconds)
        relay.hold()
        try receiver.start(through(relay))
        let connection = try receiver.connection()
        try eventually("the receiver dials") { relay.waiting > 0 }
        _ = relay.takeTraffic()
        let processor = (publisher.processorTime(), receiver.processorTime(), ProcessorTime.own)
        let watch = Stopwatch()
        relay.release()
        try SampleNode.awaitEntry(size - 1, of: "pk", on: connection)
        let seconds = watch.seconds
        let bytes = relay.takeTraffic().reduce(0) { $0 + $1.bytes }
        let memory = try receiver.memory()
        let used = (
            publisher.processorTime() - processor.0, receiver.processorTime() - processor.1,
            ProcessorTime.own - processor.2
        )
        let after = try MachineLimits.verifications(
            ProcessInfo.processInfo.activeProcessorCount, seconds: work.size.limitSeconds)
        guard work.parts.contains(.sync) else { return }
        report.add(
            Measurement(
                name: "sync.cold", about: "cold sync of \(size) entries, every signature verified",
                value: Double(size) / seconds, unit: "entries/s",
                limit: .init(about: "verify, all cores, before and after", value: (before + after) / 2),
                target: .ratioAtLeast(0.8),
                note: "\(Report.number(seconds)) s; the relay took \(Report.number(used.2)) s of processor time"))
        let each = 1e6 / Double(size)
        report.add(
            Measurement(
                name: "sync.processor", about: "processor time of that per entry, both nodes",
                value: (used.0 + used.1) * each, unit: "µs",
                limit: .init(about: "of one verification", value: limits.verificationCost), target: .ratioAtMost(1.25),
                note: "receiver \(Report.number(used.1 * each)) µs, sender \(Report.number(used.0 * each)) µs; where "
                    + "others use the machine, this says more than the clock does"))
        report.add(
            Measurement(
                name: "sync.wire", about: "bytes on the wire per entry", value: Double(bytes) / Double(size),
                unit: "bytes", limit: .init(about: "an entry", value: entry), target: .ratioAtMost(1.1),
                note: "TLS and both directions included; nothing is compressed yet"))
        report.add(
            Measurement(
                name: "sync.memory", about: "the receiver's resident memory, at most", value: memory.most, unit: "MB",
                target: .atMost(150)))
    }

    func disk(_ entry: Double) throws {
        let size = try receiver.size(of: "pk")
        try receiver.stop()
        report.add(
            Measurement(
                name: "disk", about: "bytes on disk per entry", value: receiver.diskBytes() / Double(size),
                unit: "bytes", limit: .init(about: "an entry", value: entry), target: .ratioAtMost(1.25)))
        let times = try (0..<work.size.repetitions).map { _ in
            let seconds = try receiver.start(Self.quiet + ["--peer", "pk=127.0.0.1:1"])
            return (seconds, try receiver.memory().now, try receiver.stop()).0
        }
        try receiver.start(Self.quiet + ["--peer", "pk=127.0.0.1:1"])
        let memory = try receiver.memory()
        try receiver.stop()
        report.add(
            Measurement(
                name: "start", about: "start with \(size) entries, to the first answer", value: Spread(times).median,
                unit: "s", target: .atMost(1), spread: Spread(times),
                note:
                    "unlocking the node's three key files (scrypt, slow on purpose) is part of it; the target is for 1,000,000 entries"
            ))
        report.add(
            Measurement(
                name: "start.memory", about: "resident memory after that", value: memory.now, unit: "MB",
                target: .atMost(200)))
    }

    // MARK: Differences

    /// The link is cut, entries are published, the link is there again: time and bytes from then on, the new
    /// connection's handshake included.
    func difference(of count: Int, _ relay: Relay, _ entry: Double) throws {
        try receiver.stop()
        try receiver.start(through(relay))
        try receiver.connected(to: ["pk"])
        let local = try publisher.connection()
        let watching = try receiver.connection()
        var times: [Double] = []
        var traffic: [Double] = []
        var settled: [Double] = []
        var connections: [Double] = []
        for repetition in 0..<work.size.repetitions {
            let statements = try (0..<count).map { try officer.licence("DI-\(count)-\(repetition)-\($0)") }
            relay.hold()
            relay.cut()
            let last = try local.publish(LocalConnection.publication(statements)) - 1
            try eventually("the receiver dials again") { relay.waiting > 0 }
            _ = relay.takeTraffic()
            let before = relay.connections
            let (equal, released) = try released(relay, last, watching)
            times.append(released.seconds(until: equal) * 1_000)
            let (until, all) = try bytes(relay, until: equal)
            traffic.append(until)
            settled.append(all)
            connections.append(Double(relay.connections - before))
        }
        let floor = limits.connect + Double(count) / limits.verifications * 1_000 + limits.sync.median
        report.add(
            Measurement(
                name: "difference.\(count).time",
                about: "\(count) entries of \(work.entries) differ: until equal, median",
                value: Spread(times).median, unit: "ms",
                limit: .init(about: "connect, verify them, one sync", value: floor),
                target: .atMost(count == 10 ? 4 : 80), spread: Spread(times),
                note: "from a link that is there again, through a relay; the TLS handshake is part of it"))
        report.add(
            Measurement(
                name: "difference.\(count).bytes", about: "\(count) differ: bytes until equal, median",
                value: Spread(traffic).median, unit: "bytes",
                limit: .init(about: "the entries", value: entry * Double(count)),
                target: count == 10 ? .atMost(12_000) : nil, spread: Spread(traffic),
                note:
                    "handshakes of \(Report.number(Spread(connections).median)) connections included; with what follows "
                    + "(cosignatures): \(Report.number(Spread(settled).median))"
            ))
    }

    /// Lets connections through, and waits until the receiver holds an entry.
    private func released(
        _ relay: Relay, _ last: UInt64, _ watching: LocalConnection
    ) throws -> (equal: Stopwatch, released: Stopwatch) {
        let path = receiver.socket
        let watcher = ThreadGroup(1) { _ in
            try SampleNode.awaitEntry(last, of: "pk", on: try LocalConnection(path))
            return Stopwatch()
        }
        // Time for the question to reach the node, so that it does not stand in the way of the exchange.
        usleep(20_000)
        let released = Stopwatch()
        relay.release()
        return (try watcher.wait()[0], released)
    }

    /// Bytes that passed until the nodes were equal, and until nothing passed for 300 ms.
    private func bytes(_ relay: Relay, until equal: Stopwatch) throws -> (Double, Double) {
        var chunks = relay.takeTraffic()
        var more = 1
        while more > 0 {
            usleep(300_000)
            let next = relay.takeTraffic()
            more = next.count
            chunks += next
        }
        let until = chunks.filter { $0.time.seconds(until: equal) >= 0 }
        return (Double(until.reduce(0) { $0 + $1.bytes }), Double(chunks.reduce(0) { $0 + $1.bytes }))
    }

    // MARK: Equal

    /// Exchanges of heads between nodes that hold the same, on a connection that has been there for a while.
    func equal(_ relay: Relay) throws {
        try receiver.stop()
        try receiver.start(through(relay) + ["--exchange-interval", "2"])
        try receiver.connected(to: ["pk"])
        // What follows connecting is over, and then some exchanges come.
        usleep(3_000_000)
        _ = relay.takeTraffic()
        usleep(UInt32(work.size == .short ? 10 : 20) * 1_000_000)
        // A digest is one small message without an answer, each way: whoever gets it knows that both hold the same.
        let digests = relay.takeTraffic().filter { $0.bytes <= 500 }.map { Double($0.bytes) }
        guard !digests.isEmpty else { throw BenchmarkError("no exchange of heads was seen") }
        let bytes = Spread(digests.map { $0 * 2 })
        report.add(
            Measurement(
                name: "equal.bytes", about: "equal: bytes until both know, median", value: bytes.median, unit: "bytes",
                target: .atMost(500), spread: bytes, note: "one digest each way, TLS included"))
        report.add(
            Measurement(
                name: "equal.time", about: "equal: one digest on a warm connection", value: limits.roundTrip / 2,
                unit: "ms", target: .atMost(1),
                note: "half a round trip over TLS, as measured above: the digest is compared with one that is "
                    + "kept, and nothing is answered that could be timed from outside"))
    }
}

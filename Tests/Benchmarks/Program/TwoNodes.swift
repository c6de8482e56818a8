import Alliance
import Foundation
import Glibc
import Node
import TransparencyLog

/// Two real nodes, one of which publishes: bulk, single publications, cold sync, differences, latency, disk.
struct TwoNodes {
    let work: Workplace
    let limits: MachineLimits
    let report: Report
    let alliance: SampleAlliance
    let officer: SampleOfficer
    let publisher: SampleNode
    let receiver: SampleNode

    init(_ work: Workplace, _ limits: MachineLimits, _ report: Report) throws {
        self.work = work
        self.limits = limits
        self.report = report
        report.progress("two nodes, \(work.entries) entries")
        alliance = try SampleAlliance(work, folder: "two", count: 2, quorum: 1, hidden: ["sv"])
        publisher = alliance.nodes[0]
        receiver = alliance.nodes[1]
        officer = try alliance.officer(of: publisher)
    }

    func measure() throws {
        defer { for node in alliance.nodes { node.kill() } }
        try publisher.start(Self.quiet)
        try bulk()
        if work.parts.contains(.clients) { try clients() }
        if work.parts.contains(.query) { try query() }
        guard !work.parts.isDisjoint(with: [.sync, .disk, .difference, .equal, .visible]) else { return }
        guard let port = publisher.port else { throw BenchmarkError("the publisher listens nowhere") }
        let relay = try Relay(to: port)
        defer { relay.stop() }
        let entry = try entryBytes()
        try coldSync(relay, entry)
        if work.parts.contains(.query) { try proofs() }
        if work.parts.contains(.disk) { try disk(entry) }
        if work.parts.contains(.difference) {
            try difference(of: 10, relay, entry)
            try difference(of: 1_000, relay, entry)
        }
        if work.parts.contains(.equal) { try equal(relay) }
        if work.parts.contains(.visible) { try visible() }
    }

    /// A node's log tells of warnings only.
    static let quiet = ["--log-level", "warning"]

    // MARK: Publishing

    private func bulk() throws {
        let (table, plan) = ("\(work.folder)/rows.csv", "\(work.folder)/rows.plan")
        defer { for path in [table, plan] { unlink(path) } }
        try SampleOfficer.table(work.entries).write(toFile: table, atomically: false, encoding: .utf8)
        let entente = Entente(program: work.program)
        var costs: [Double] = []
        func time(_ arguments: [String]) throws -> Double {
            let watch = Stopwatch()
            let before = ProcessorTime.commands
            try entente.run(arguments)
            costs.append((ProcessorTime.commands - before) * 1e6 / Double(work.entries))
            return watch.seconds
        }
        let data = ["--data", publisher.folder]
        let before = publisher.processorTime()
        let importing = try time(["import", "vasp-licences", table, "--plan", plan] + data)
        let signing = try time(["sign", plan, "--key", "ayesha", "--keys", publisher.keys])
        let submitting = try time(["submit", plan] + data)
        costs.append((publisher.processorTime() - before) * 1e6 / Double(work.entries))
        let memory = try publisher.memory()
        guard work.parts.contains(.bulk) else { return }
        let entries = Double(work.entries)
        let floor = 1 / (1 / limits.signatures + 1 / limits.verifications)
        report.add(
            Measurement(
                name: "bulk.publication", about: "import, sign and submit in bulk",
                value: entries / (importing + signing + submitting), unit: "entries/s",
                limit: .init(about: "sign and verify each once, all cores", value: floor), target: .atLeast(25_000),
                note: "import \(Report.number(entries / importing)), sign \(Report.number(entries / signing)), "
                    + "submit \(Report.number(entries / submitting)) entries/s, each command by itself"))
        report.add(
            Measurement(
                name: "bulk.submit", about: "submit in bulk, verified and durable", value: entries / submitting,
                unit: "entries/s", limit: .init(about: "verify, all cores", value: limits.verifications),
                target: .atLeast(25_000),
                note: "the node's memory: \(Report.number(memory.most)) MB at most"))
        report.add(
            Measurement(
                name: "bulk.processor", about: "processor time of all that per entry, commands and node",
                value: costs.reduce(0, +), unit: "µs",
                limit: .init(about: "of one verification", value: limits.verificationCost),
                note: zip(["import", "sign", "submit", "the node"], costs)
                    .map { "\($0) \(Report.number($1)) µs" }.joined(separator: ", ")))
    }

    private static let clientCount = 16

    /// Clients at once, each of which publishes one statement after the other and waits for each to be durable.
    private func clients() throws {
        let each = work.size.clientPublications / Self.clientCount
        let requests = try onThreads(Self.clientCount) { [officer] client in
            try (0..<each).map { LocalConnection.publication([try officer.licence("CL-\(client)-\($0)")]) }
        }
        let before = try MachineLimits.syncs(in: work.folder, seconds: work.size.limitSeconds / 2)
        let processor = publisher.processorTime()
        let watch = Stopwatch()
        let times = try onThreads(Self.clientCount) { [publisher] client in
            let connection = try publisher.connection()
            return try requests[client].map { request in
                let one = Stopwatch()
                try connection.publish(request)
                return one.milliseconds
            }
        }
        let rate = Double(each * Self.clientCount) / watch.seconds
        let cost = (publisher.processorTime() - processor) * 1e6 / Double(each * Self.clientCount)
        let after = try MachineLimits.syncs(in: work.folder, seconds: work.size.limitSeconds / 2)
        let syncs = 2_000 / (before.median + after.median)
        report.add(
            Measurement(
                name: "single.rate", about: "single acknowledged publications, \(Self.clientCount) clients",
                value: rate, unit: "/s", limit: .init(about: "one sync after the other", value: syncs),
                target: .ratioAtLeast(2)))
        report.add(
            Measurement(
                name: "single.latency", about: "a client's wait in that, median",
                value: Spread(times.flatMap(\.self)).median,
                unit: "ms", limit: .init(about: "one sync", value: 1_000 / syncs), spread: Spread(times.flatMap(\.self))
            ))
        report.add(
            Measurement(
                name: "single.processor", about: "the node's processor time for each of them", value: cost, unit: "µs",
                limit: .init(about: "of one verification", value: limits.verificationCost)))
    }

    // MARK: Looking

    private func query() throws {
        let connection = try publisher.connection()
        func times(_ count: Int, _ target: () -> String) throws -> Spread {
            Spread(
                try (0..<count).map { _ in
                    let question = target()
                    let watch = Stopwatch()
                    _ = try connection.json(question)
                    return watch.milliseconds
                })
        }
        let least = try times(300) { "/v1/members" }
        let rows = try times(500) {
            let key = SampleOfficer.rowKey(Int.random(in: 0..<work.entries))
            return "/v1/rows?register=vasp-licences&key=\(key)&member=pk"
        }
        report.add(
            Measurement(
                name: "query.row", about: "a row by its key, median", value: rows.median, unit: "ms",
                limit: .init(about: "the smallest question", value: least.median), target: .atMost(2), spread: rows))
        report.add(
            Measurement(
                name: "query.row.p99", about: "a row by its key, p99", value: rows.p99, unit: "ms",
                limit: .init(about: "the smallest question, p99", value: least.p99)))
    }

    /// Makes a proof of a real row and verifies it, once the receiver's cosignature of the newest state is here.
    private func proofs() throws {
        let connection = try publisher.connection()
        var file: [UInt8] = []
        try eventually("a proof can be made") {
            let answer = try connection.ask("GET", "/v1/prove?register=vasp-licences&key=\(SampleOfficer.rowKey(7))")
            file = answer.body
            return answer.status == 200
        }
        try FunctionBenchmarks.verify(file, alliance.charter, limits, into: report)
    }

    /// The mean of a sample of the publisher's entries.
    private func entryBytes() throws -> Double {
        let connection = try publisher.connection()
        let size = try publisher.size(of: "pk")
        let step = max(1, Int(size) / 500)
        let lengths = try stride(from: 0, to: Int(size), by: step).map { index in
            try connection.json("/v1/entry?member=pk&index=\(index)")["raw"]?.string?.utf8.count ?? 0
        }
        return Double(lengths.reduce(0, +)) / Double(lengths.count)
    }
}

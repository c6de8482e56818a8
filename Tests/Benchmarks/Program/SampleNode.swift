import Alliance
import Foundation
import Glibc
import Synchronization

/// A member's node: its folder, and its process while it runs. Nodes are started from the main thread only, because
/// they die with the thread that started them.
final class SampleNode: Sendable {
    let name: String
    let folder: String
    let keys: String
    let port: Int?
    /// The other members, whose word on its starts the node does without: they are not always there.
    private let others: [String]
    private let entente: Entente
    private let process = Mutex<Process?>(nil)

    init(name: String, folder: String, keys: String, port: Int?, others: [String], entente: Entente) {
        self.name = name
        self.folder = folder
        self.keys = keys
        self.port = port
        self.others = others
        self.entente = entente
    }

    var socket: String { "\(folder)/control.sock" }
    private var log: String { "\(folder).log" }

    /// Starts the node and waits until it answers.
    ///
    /// - Returns: seconds from starting the process to its first answer.
    @discardableResult
    func start(_ arguments: [String] = []) throws -> Double {
        let watch = Stopwatch()
        try launch(arguments)
        try ready()
        return watch.seconds
    }

    /// Starts the process.
    func launch(_ arguments: [String] = []) throws {
        if !FileManager.default.fileExists(atPath: log) {
            _ = FileManager.default.createFile(atPath: log, contents: nil)
        }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        try output.seekToEnd()
        let process = Process()
        // However this program ends, its nodes end too.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        process.arguments = ["--pdeathsig", "KILL", entente.program, "node", "--data", folder] + arguments
        process.arguments? += others.flatMap { ["--waive", $0] }
        process.environment = Command.environment()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        self.process.withLock { $0 = process }
    }

    /// Waits until the node answers.
    func ready() throws {
        try eventually("\(name)'s node answers") {
            guard isRunning else { throw BenchmarkError("\(name)'s node ended: \(logTail)") }
            return (try? connection().json("/v1/members")) != nil
        }
    }

    /// Stops the node, which folds its database's log into the database.
    func stop() throws {
        guard let process = process.withLock({ $0 }), process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("\(name)'s node ended with \(process.terminationStatus): \(logTail)")
        }
    }

    func kill() {
        guard let process = process.withLock({ $0 }), process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private var isRunning: Bool { process.withLock { $0?.isRunning ?? false } }

    private var logTail: String {
        let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        return String(text.suffix(2_000))
    }

    // MARK: Asking

    func connection() throws -> LocalConnection { try LocalConnection(socket) }

    /// Entries of a member's log that this node holds.
    func size(of member: String) throws -> UInt64 {
        let logs = try connection().json("/v1/status")["logs"]?.array ?? []
        return UInt64(logs.first { $0["member"]?.string == member }?["entries"]?.integer ?? 0)
    }

    /// Waits until this node has a session with every one of these members.
    func connected(to members: [String]) throws {
        try eventually("\(name) is connected to \(members)") {
            let peers = try connection().json("/v1/peers")["peers"]?.array ?? []
            let up = peers.filter { $0["state"]?.string == "connected" }.compactMap { $0["member"]?.string }
            return Set(members).isSubset(of: up)
        }
    }

    /// Waits until this node holds an entry, by one question that the node answers once it does.
    static func awaitEntry(_ index: UInt64, of member: String, on connection: LocalConnection) throws {
        let question = "/v1/entry?member=\(member)&index=\(index)&timeout=60"
        for _ in 0..<10 where try connection.ask("GET", question).status == 200 { return }
        throw BenchmarkError("entry \(index) of \(member) did not come within ten minutes")
    }

    // MARK: What it costs

    /// Megabytes that the process holds now, and held at the most.
    func memory() throws -> (now: Double, most: Double) {
        let text = try proc("status")
        func megabytes(_ name: String) -> Double {
            let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
            return (line?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0) / 1_024
        }
        return (megabytes("VmRSS"), megabytes("VmHWM"))
    }

    /// Seconds of processor time that the process has had.
    func processorTime() -> Double { ProcessorTime.of(process.withLock { $0?.processIdentifier ?? 0 }) }

    private func proc(_ file: String) throws -> String {
        let pid = process.withLock { $0?.processIdentifier ?? 0 }
        guard let data = FileManager.default.contents(atPath: "/proc/\(pid)/\(file)") else {
            throw BenchmarkError("\(name)'s node does not run")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// Bytes of the database and its log.
    func diskBytes() -> Double {
        ["", "-wal", "-shm"].reduce(0) { total, suffix in
            let facts = try? FileManager.default.attributesOfItem(atPath: "\(folder)/entente.sqlite\(suffix)")
            return total + ((facts?[.size] as? Int).map(Double.init) ?? 0)
        }
    }
}

/// Asks until something holds; gives up after a minute.
func eventually(_ what: String, _ condition: () throws -> Bool) throws {
    let watch = Stopwatch()
    while try !condition() {
        guard watch.seconds < 60 else { throw BenchmarkError("not within a minute: \(what)") }
        usleep(2_000)
    }
}

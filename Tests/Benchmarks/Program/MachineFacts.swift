import Foundation

/// What the figures were measured on.
struct MachineFacts: Encodable, Sendable {
    let cores: Int
    let processor: String
    let memory: Int
    let kernel: String
    let swift: String
    let commit: String
    let date: String
    /// Processes that wanted a core in the minute before: how quiet the machine was.
    let load: Double

    init(commit: String) {
        func text(_ path: String) -> String {
            FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
        }
        cores = ProcessInfo.processInfo.activeProcessorCount
        processor =
            text("/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("model name") }
            .flatMap { $0.split(separator: ":").last }.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
        memory = Int(ProcessInfo.processInfo.physicalMemory >> 20)
        kernel = text("/proc/sys/kernel/osrelease").trimmingCharacters(in: .whitespacesAndNewlines)
        swift =
            ((try? Command.run("/usr/bin/env", ["swift", "--version"])) ?? "unknown")
            .split(separator: "\n").first { $0.contains("Swift version") }.map(String.init) ?? "unknown"
        self.commit = commit
        date = ISO8601DateFormatter().string(from: Date())
        load = text("/proc/loadavg").split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    /// One line for people.
    var text: String {
        "\(date), commit \(commit): \(cores) cores (\(processor)), \(memory) MB, Linux \(kernel), \(swift), load \(load)"
    }
}

import Foundation

/// Commands that run to their end.
enum Command {
    /// Runs a command and returns its standard output.
    ///
    /// - Throws: ``BenchmarkError`` with its standard error where it fails.
    @discardableResult
    static func run(_ path: String, _ arguments: [String], environment: [String: String]? = nil) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        if let environment { process.environment = environment }
        let output = Pipe()
        // A file takes the errors: two pipes would have to be read at once.
        let errors = FileManager.default.temporaryDirectory.appendingPathComponent("benchmark-\(UUID().uuidString)")
        _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let text = (try? String(contentsOf: errors, encoding: .utf8)) ?? ""
            throw BenchmarkError(
                "\(path) \(arguments.joined(separator: " ")) ended with \(process.terminationStatus): "
                    + text.suffix(2_000))
        }
        return String(decoding: answer, as: UTF8.self)
    }

    /// The caller's environment without settings of Entente, and the passphrase of the sample keys.
    static func environment() -> [String: String] {
        var kept = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("ENTENTE_") }
        kept["ENTENTE_PASSPHRASE"] = passphrase
        return kept
    }

    static let passphrase = "correct horse battery staple"
}

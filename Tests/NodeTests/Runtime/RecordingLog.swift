import Logging

@testable import Node

/// Keeps what a node would log.
final class RecordingLog: Sendable {
    private let kept = Mutexed<[String]>([])

    /// `<level> <message> <reason>`, the oldest first.
    var lines: [String] { kept.withLock { $0 } }

    /// The lines since the last call.
    func take() -> [String] {
        kept.withLock { lines in
            defer { lines = [] }
            return lines
        }
    }

    var logger: Logger { Logger(label: "recording") { [kept] _ in Handler(kept: kept) } }

    private struct Handler: LogHandler {
        let kept: Mutexed<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let reason = event.metadata?["reason"].map { " \($0)" } ?? ""
            kept.withLock { $0.append("\(event.level.rawValue) \(event.message)\(reason)") }
        }
    }
}

import Alliance
public import Logging

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Writes log messages to standard error, one line each: for people, or as JSON. Control characters never get through.
public struct NodeLogHandler: LogHandler {
    private let format: NodeSettings.LogFormat
    public var metadata: Logger.Metadata = [:]
    public var logLevel: Logger.Level

    /// - Parameter level: messages below it are dropped.
    public init(format: NodeSettings.LogFormat, level: Logger.Level) {
        self.format = format
        self.logLevel = level
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        var value = timespec()
        clock_gettime(CLOCK_REALTIME, &value)
        let time = Timestamp(seconds: Int64(value.tv_sec)).text.dropLast()
        let milliseconds = String(1_000 + value.tv_nsec / 1_000_000).dropFirst()
        let stamp = "\(time).\(milliseconds)Z"
        let line: String
        switch format {
        case .text:
            let pairs = all.map { " \($0.key)=\(Self.quoted("\($0.value)"))" }.joined()
            line = "\(stamp) \(event.level.rawValue) \(Self.plain("\(event.message)"))\(pairs)\n"
        case .json:
            var object: JSONObject = [
                "time": .string(stamp), "level": .string(event.level.rawValue), "message": .string("\(event.message)"),
            ]
            for (key, value) in all { object[key] = .string("\(value)") }
            line = String(decoding: JSONValue.object(object).encoded(), as: UTF8.self) + "\n"
        }
        // One write for one line, so that lines of several threads do not mix.
        let bytes = Array(line.utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private static func plain(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            result.append(isControl ? " " : scalar)
        }
        return String(result)
    }

    private static func quoted(_ text: String) -> String {
        let plain = plain(text)
        return plain.contains(" ") || plain.isEmpty ? "\"\(plain)\"" : plain
    }
}

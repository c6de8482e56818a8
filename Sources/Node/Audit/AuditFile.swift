import Alliance
import Foundation
import Logging
import TransparencyLog

/// The node's audit file, `audit.jsonl` in its folder: opened once, written by one process, only ever longer.
final class AuditFile: Sendable {
    private struct State {
        var descriptor: Int32
        var sequence: UInt64
        var digest: HashValue
        var throttle = AuditThrottle()
        /// Records that could not be written since the last that was.
        var lost: UInt64 = 0
    }

    private let state: Mutexed<State>
    private let path: String
    private let logger: Logger
    private let now: @Sendable () -> Int64

    /// Opens the file, or makes it. A line that a power failure tore is ended, and a record says so.
    ///
    /// - Throws: ``NodeError`` where the file cannot be opened, or its last whole line is no record.
    init(path: String, logger: Logger, now: @escaping @Sendable () -> Int64 = { Clock.seconds }) throws {
        self.path = path
        self.logger = logger
        self.now = now
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw NodeError("\(path): \(String(cString: strerror(errno)))") }
        do {
            let (last, torn) = try Self.end(of: descriptor, path)
            var state = State(descriptor: descriptor, sequence: 1, digest: .zero)
            if let last {
                let record: AuditRecord
                do { record = try AuditRecord(parsing: last, place: path) } catch {
                    throw NodeError(
                        "\(path): its last line is no record (\(error.reason)); look at it, and move the file away")
                }
                state.sequence = record.sequence + 1
                state.digest = HashValue.sha256(last)
            }
            self.state = Mutexed(state)
            if torn > 0 {
                guard Foundation.write(descriptor, "\n", 1) == 1 else { throw NodeError("\(path): cannot be written") }
                append(
                    .recovered, "the last line was not whole, as after a power failure",
                    ["bytes": .integer(Int64(torn))])
            }
        } catch {
            Foundation.close(descriptor)
            throw error
        }
    }

    deinit { _ = state.withLock { Foundation.close($0.descriptor) } }

    /// The last whole line, and how many bytes stand behind it.
    private static func end(of descriptor: Int32, _ path: String) throws -> (line: [UInt8]?, torn: Int) {
        let size = lseek(descriptor, 0, SEEK_END)
        let count = Int(min(size, off_t(2 * AuditRecord.byteLimit + 2)))
        var bytes = [UInt8](repeating: 0, count: count)
        guard size >= 0, pread(descriptor, &bytes, count, size - off_t(count)) == count else {
            throw NodeError("\(path): cannot be read")
        }
        guard let newline = bytes.lastIndex(of: 0x0A) else {
            guard count <= AuditRecord.byteLimit else { throw NodeError("\(path): is no audit file") }
            return (nil, count)
        }
        var torn = count - newline - 1
        var end = newline
        while true {
            let start = bytes[..<end].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
            let line = Array(bytes[start..<end])
            // A line that was torn and ended, where the node then stopped before it could say so.
            if line.first != UInt8(ascii: "{") || line.last != UInt8(ascii: "}"), torn == 0, start > 0 {
                torn = -1
                end = start - 1
                continue
            }
            return (line, max(0, torn))
        }
    }

    /// Adds a record.
    ///
    /// - Parameter durable: whether it is on the disk when this returns. What stands in a log anyway need not be.
    func append(_ kind: AuditRecord.Kind, _ text: String, _ details: JSONObject = [:], durable: Bool = false) {
        state.withLock { state in
            if state.lost > 0 {
                let lost: JSONObject = ["records": .integer(Int64(state.lost))]
                guard write(.lost, "\(state.lost) records could not be written", lost, &state) else {
                    state.lost += 1
                    return
                }
                state.lost = 0
            }
            guard write(kind, text, details, &state) else {
                state.lost += 1
                return
            }
            if durable { fsync(state.descriptor) }
        }
    }

    /// Adds a record of something that outsiders can cause: the first in a minute at once, then a count.
    func count(_ kind: AuditRecord.Kind, reason: String, member: String?, _ text: String, _ details: JSONObject = [:]) {
        let key = AuditThrottle.Key(kind: kind, reason: reason, member: member)
        let time = now()
        guard state.withLock({ $0.throttle.records(key, at: time) }) else { return }
        append(kind, text, details.merging(Self.details(key)))
    }

    /// Writes the counts of the minutes that are over, or all of them.
    func flush(all: Bool = false) {
        let time = now()
        for (key, count) in state.withLock({ $0.throttle.due(at: all ? nil : time) }) {
            var details = Self.details(key)
            details["count"] = .integer(Int64(count))
            let who = key.member.map { " of \($0)" } ?? ""
            append(key.kind, "\(count) more\(who) within a minute: \(key.reason)", details)
        }
    }

    private static func details(_ key: AuditThrottle.Key) -> JSONObject {
        var details: JSONObject = ["reason": .string(key.reason)]
        details["member"] = key.member.map { .string($0) }
        return details
    }

    private func write(_ kind: AuditRecord.Kind, _ text: String, _ details: JSONObject, _ state: inout State) -> Bool {
        let record = AuditRecord(
            sequence: state.sequence, time: now(), kind: kind, text: String(text.prefix(1_000)), details: details,
            previous: state.digest)
        var line = record.line
        if line.count > AuditRecord.byteLimit {
            line =
                AuditRecord(
                    sequence: state.sequence, time: record.time, kind: kind, text: String(text.prefix(1_000)),
                    details: ["cut": true], previous: state.digest
                ).line
        }
        let bytes = line + [0x0A]
        let before = lseek(state.descriptor, 0, SEEK_END)
        let written = bytes.withUnsafeBytes { Foundation.write(state.descriptor, $0.baseAddress, $0.count) }
        guard written == bytes.count else {
            // Half a line is taken back, so that the next record stands by itself.
            if written > 0 { ftruncate(state.descriptor, before) }
            if state.lost == 0 {
                let reason = String(cString: strerror(errno))
                logger.error("the audit file cannot be written", metadata: ["file": "\(path)", "reason": "\(reason)"])
            }
            return false
        }
        state.sequence += 1
        state.digest = HashValue.sha256(line)
        return true
    }
}

extension JSONObject {
    fileprivate func merging(_ other: JSONObject) -> JSONObject {
        var result = self
        for name in other.names { result[name] = other[name] }
        return result
    }
}

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
        /// Whether the last line has no end yet; the next record's begins with it, so that both are there or none.
        var isOpen: Bool
        var throttle = AuditThrottle()
        /// Records that could not be written since the last that was.
        var lost: UInt64 = 0
        /// Bytes that were appended since the last sync.
        var unsynced = 0
    }

    /// The newest entry of each of this member's logs that the file named when it was opened. One that the database does
    /// not have was lost below it.
    let newestEntries: [String: UInt64]
    private let state: Mutexed<State>
    private let path: String
    private let logger: Logger
    private let now: @Sendable () -> Int64

    /// Opens the file, or makes it. What a power failure tore is passed over, and a record says so.
    ///
    /// - Throws: ``NodeError`` where the file cannot be opened, or its last line is no record.
    init(path: String, logger: Logger, now: @escaping @Sendable () -> Int64 = { Clock.seconds }) throws {
        self.path = path
        self.logger = logger
        self.now = now
        let descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw NodeError("\(path): \(String(cString: strerror(errno)))") }
        do {
            let tail = try Self.tail(of: descriptor, path)
            if tail.record == nil { try PrivateFile.sync(folder: PrivateFile.folder(of: path)) }
            newestEntries = tail.newestEntries
            let sequence = (tail.record?.sequence ?? 0) + 1
            state = Mutexed(
                State(descriptor: descriptor, sequence: sequence, digest: tail.digest, isOpen: tail.isOpen))
            if tail.passedOver > 0 {
                append(
                    .recovered, "the file did not end with whole records, as after a power failure",
                    ["bytes": .integer(Int64(tail.passedOver))], durable: true)
            }
        } catch {
            Foundation.close(descriptor)
            throw error
        }
    }

    deinit { _ = state.withLock { Foundation.close($0.descriptor) } }

    private static func tail(of descriptor: Int32, _ path: String) throws -> AuditTail {
        let size = lseek(descriptor, 0, SEEK_END)
        let count = Int(min(size, off_t(AuditTail.window)))
        var bytes = [UInt8](repeating: 0, count: max(0, count))
        guard size >= 0, pread(descriptor, &bytes, count, size - off_t(count)) == count else {
            throw NodeError("\(path): cannot be read")
        }
        do { return try AuditTail(bytes, isWhole: count == Int(size), path: path) } catch {
            throw NodeError("\(path): its last line is no record (\(error.reason)); look at it, and move the file away")
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
            if durable || state.unsynced >= AuditTail.byteLimit {
                guard fsync(state.descriptor) == 0 else {
                    let reason = String(cString: strerror(errno))
                    return logger.error(
                        "the audit file cannot be synced", metadata: ["file": "\(path)", "reason": "\(reason)"])
                }
                state.unsynced = 0
            }
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
        let bytes = (state.isOpen ? [0x0A] : []) + line + [0x0A]
        let before = lseek(state.descriptor, 0, SEEK_END)
        let written = bytes.withUnsafeBytes { Foundation.write(state.descriptor, $0.baseAddress, $0.count) }
        guard written == bytes.count else {
            // Half a line is taken back, so that the next record stands by itself.
            if written > 0, ftruncate(state.descriptor, before) != 0 { state.isOpen = true }
            if state.lost == 0 {
                let reason = String(cString: strerror(errno))
                logger.error("the audit file cannot be written", metadata: ["file": "\(path)", "reason": "\(reason)"])
            }
            return false
        }
        state.isOpen = false
        state.sequence += 1
        state.unsynced += bytes.count
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

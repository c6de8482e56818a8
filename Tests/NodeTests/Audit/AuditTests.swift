import Alliance
import Foundation
import Logging
import Testing
import TransparencyLog

@testable import Node

/// The audit file only grows, says what it lost, and shows when somebody changed it.
struct AuditTests {
    private static let quiet = Logger(label: "audit") { _ in SwiftLogNoOpLogHandler() }

    private func withFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("audit-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body("\(folder)/audit.jsonl")
    }

    private func open(_ path: String, now: TestTime = TestTime()) throws -> AuditFile {
        try AuditFile(path: path, logger: Self.quiet, now: { now.seconds })
    }

    private func lines(_ path: String) -> [[UInt8]] {
        [UInt8](FileManager.default.contents(atPath: path) ?? Data()).split(separator: 0x0A).map { Array($0) }
    }

    private func read(_ lines: [[UInt8]]) throws -> [AuditRecord] {
        var chain = AuditChain()
        let records = try lines.compactMap { try chain.read($0, file: "x") }
        _ = try chain.finish()
        return records
    }

    @Test func recordsFollowOneAnotherAcrossStarts() throws {
        try withFolder { path in
            var file = try open(path)
            file.append(.started, "started", ["version": "1"], durable: true)
            file.append(.published, "published", ["first": 4])
            file = try open(path)
            file.append(.stopped, "stopped")
            let records = try read(lines(path))
            #expect(records.map(\.kind) == [.started, .published, .stopped])
            #expect(records.map(\.sequence) == [1, 2, 3])
            #expect(records[0].previous == .zero && records[2].previous == HashValue.sha256(lines(path)[1]))
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        }
    }

    @Test func whatWasChangedTakenOutOrPutInIsFound() throws {
        try withFolder { path in
            let file = try open(path)
            for number in 0..<5 { file.append(.published, "entry \(number)", ["first": .integer(Int64(number))]) }
            let good = lines(path)
            #expect(try read(good).count == 5)
            for position in 0..<4 {
                var changed = good
                changed[position] = Array(
                    String(decoding: good[position], as: UTF8.self)
                        .replacingOccurrences(of: "entry \(position)", with: "entry 9").utf8)
                #expect(changed[position] != good[position])
                #expect(throws: SetupError.self) { try read(changed) }
                var shorter = good
                shorter.remove(at: position)
                // Older records may have been moved away; what is left still has to hang together.
                if position > 0 { #expect(throws: SetupError.self) { try read(shorter) } }
                var longer = good
                longer.insert(good[position], at: position)
                #expect(throws: SetupError.self) { try read(longer) }
            }
            #expect(throws: SetupError.self) { try read([Array("{}".utf8), Array("{}".utf8)]) }
        }
    }

    /// A power failure may leave zeros in the place of any part of what was written last, with whole records behind them.
    @Test func zerosAmongTheLastRecordsArePassedOver() throws {
        try withFolder { path in
            let file = try open(path)
            file.append(.started, "started", durable: true)
            let first = try #require(FileManager.default.contents(atPath: path)).count
            for number in 0..<3 { file.append(.published, "entry \(number)") }
            let whole = [UInt8](try #require(FileManager.default.contents(atPath: path)))
            for start in stride(from: first, to: whole.count - 1, by: 7) {
                var bytes = whole
                for position in start..<min(start + 100, bytes.count) { bytes[position] = 0 }
                try Data(bytes).write(to: URL(fileURLWithPath: path))
                try open(path).append(.stopped, "stopped")
                // The next start finds nothing to say.
                try open(path).append(.started, "again")
                let kinds = try read(lines(path)).map(\.kind)
                #expect(kinds.first == .started && kinds.suffix(3) == [.recovered, .stopped, .started])
                #expect(kinds.dropFirst().dropLast(3).allSatisfy { $0 == .published })
            }
        }
    }

    @Test func theNewestEntryOfEachLogIsKnownAgain() throws {
        try withFolder { path in
            let file = try open(path)
            #expect(file.newestEntries.isEmpty)
            for (log, last) in [("a/log1", 3), ("a/log2", 1), ("a/log1", 5)] {
                file.append(.published, "published", ["log": .string(log), "last": .integer(Int64(last))])
            }
            #expect(try open(path).newestEntries == ["a/log1": 5, "a/log2": 1])
        }
    }

    /// Only the end of the last line is missing: the record counts.
    @Test func anEndThatIsMissingIsAdded() throws {
        try withFolder { path in
            let file = try open(path)
            file.append(.started, "started")
            let whole = try #require(FileManager.default.contents(atPath: path))
            try whole.dropLast().write(to: URL(fileURLWithPath: path))
            try open(path).append(.stopped, "stopped")
            #expect(try read(lines(path)).map(\.kind) == [.started, .stopped])
        }
    }

    /// Only as much as may not have reached the disk is ever passed over, and it stands there that it was.
    @Test func whatIsPassedOverIsBounded() throws {
        try withFolder { path in
            let file = try open(path)
            file.append(.started, "started")
            for number in 0..<80 {
                file.append(.published, "entry \(number)", ["a": .string(String(repeating: "y", count: 15_500))])
            }
            var all = lines(path)
            all[1] = [0]
            let gap = all[1..<80].reduce(-1) { $0 + $1.count + 1 }
            let record = try AuditRecord(parsing: all[0], place: path)
            all[80] =
                AuditRecord(
                    sequence: 2, time: 0, kind: .recovered, text: "", details: ["bytes": .integer(Int64(gap))],
                    previous: HashValue.sha256(all[0])
                ).line
            #expect(record.sequence == 1 && gap > AuditTail.window)
            #expect(throws: SetupError.self) { try read(all) }
        }
    }

    /// As a power failure leaves it, at every byte of the last line.
    @Test func aTornLineIsEndedAndNamed() throws {
        try withFolder { path in
            let file = try open(path)
            file.append(.started, "started")
            let first = [UInt8](try #require(FileManager.default.contents(atPath: path)))
            file.append(.published, "published")
            let whole = [UInt8](try #require(FileManager.default.contents(atPath: path)))
            for end in (first.count + 1)..<whole.count - 1 {
                try Data(whole[..<end]).write(to: URL(fileURLWithPath: path))
                try open(path).append(.stopped, "stopped")
                let kinds = try read(lines(path)).map(\.kind)
                #expect(kinds == [.started, .recovered, .stopped])
            }
        }
    }

    @Test func whatIsNoAuditFileIsLeftAlone() throws {
        try withFolder { path in
            for content in ["{\"sequence\":1}\n", "something else\n"] {
                try Data(content.utf8).write(to: URL(fileURLWithPath: path))
                #expect(throws: NodeError.self) { try open(path) }
                #expect(FileManager.default.contents(atPath: path) == Data(content.utf8))
            }
        }
    }

    @Test func whatOutsidersCauseTakesFewRecords() throws {
        try withFolder { path in
            let now = TestTime()
            let file = try open(path, now: now)
            for _ in 0..<1_000 { file.count(.turnedAway, reason: "expired", member: nil, "turned away") }
            file.count(.rejected, reason: "falseLeaf", member: "did:web:sv", "rejected")
            file.flush()
            #expect(try read(lines(path)).count == 2)
            now.advance(60)
            file.flush()
            let records = try read(lines(path))
            #expect(records.count == 3 && records[2].details["count"] == 999)
            // The next minute begins with a record again.
            file.count(.turnedAway, reason: "expired", member: nil, "turned away")
            file.count(.turnedAway, reason: "expired", member: nil, "turned away")
            file.flush(all: true)
            #expect(try read(lines(path)).count == 5)
            // However many reasons somebody thinks of, a minute's memory is bounded.
            for number in 0..<5_000 { file.count(.rejected, reason: "r\(number)", member: nil, "rejected") }
            #expect(lines(path).count < 1_100)
        }
    }

    @Test func longTextsAreCut() throws {
        try withFolder { path in
            let file = try open(path)
            file.append(
                .refused, String(repeating: "x", count: 50_000), ["a": .string(String(repeating: "y", count: 50_000))])
            file.append(.stopped, "stopped")
            let records = try read(lines(path))
            #expect(records.count == 2 && records[0].details["cut"] == true)
        }
    }
}

/// A clock that stands still until it is told to go on.
private final class TestTime: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Int64 = 1_790_000_000

    var seconds: Int64 { lock.withLock { value } }

    func advance(_ seconds: Int64) { lock.withLock { value += seconds } }
}

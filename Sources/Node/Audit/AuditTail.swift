import Alliance
import TransparencyLog

/// Where an audit file goes on, read from its last bytes.
///
/// Records are appended without waiting for the disk, at most ``byteLimit`` at a time. A power failure may therefore have
/// left any part of the last ones: a file that is too short, or one that is long enough with zeros where sectors never came,
/// and whole records behind those. What stands behind the last whole record before that is passed over, and the next
/// record says how many bytes.
struct AuditTail: Equatable {
    /// The last record that counts; nil where there is none.
    private(set) var record: AuditRecord?
    /// The digest of its line.
    private(set) var digest = HashValue.zero
    /// Bytes that are passed over, without the end of their last line; 0 for none.
    private(set) var passedOver = 0
    /// Whether the last line has no end.
    private(set) var isOpen = false

    /// The newest entry of each log of this member that these records name.
    private(set) var newestEntries: [String: UInt64] = [:]

    /// Bytes that are appended between two syncs.
    static let byteLimit = 1 << 20

    /// Bytes at the end of a file that tell where it goes on.
    static let window = byteLimit + 4 * AuditRecord.byteLimit

    /// - Parameters:
    ///   - bytes: the last ``window`` bytes of a file, or all of it.
    ///   - isWhole: whether that is all of it.
    /// - Throws: ``SetupError`` where the last line is no record, and nothing that a power failure leaves.
    init(_ bytes: [UInt8], isWhole: Bool, path: String) throws(SetupError) {
        var start = 0
        if !isWhole { start = (bytes.firstIndex(of: 0x0A) ?? bytes.count) + 1 }
        var gap: Int?
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
            let line = Array(bytes[start..<end])
            do throws(SetupError) {
                let record = try AuditRecord(parsing: line, place: path)
                if let first = gap, self.record != nil || isWhole {
                    if follows(record, passedOver: start - 1 - first) { gap = nil }
                } else {
                    gap = nil
                }
                if gap == nil { take(record, HashValue.sha256(line)) }
            } catch {
                let isLast = end >= bytes.count - 1
                if gap == nil {
                    if Self.isTorn(line) || end == bytes.count {
                        gap = start
                    } else if isLast {
                        throw error
                    }
                }
            }
            isOpen = end == bytes.count
            start = end + 1
        }
        guard let gap else { return }
        guard record != nil || isWhole else {
            throw SetupError(.malformed, path, "has no record in its last \(Self.window) bytes")
        }
        passedOver = bytes.count - gap - (isOpen ? 0 : 1)
    }

    private mutating func take(_ record: AuditRecord, _ digest: HashValue) {
        (self.record, self.digest) = (record, digest)
        if let log = record.details["log"]?.string, let last = record.details["last"]?.integer, last >= 0 {
            newestEntries[log] = UInt64(last)
        }
    }

    private func follows(_ record: AuditRecord, passedOver: Int) -> Bool {
        record.kind == .recovered && record.details["bytes"]?.integer == Int64(passedOver) && record.previous == digest
            && record.sequence == (self.record?.sequence ?? 0) + 1
    }

    /// Whether a line lost its beginning, its end or sectors of it. Records have no zeros.
    static func isTorn(_ line: [UInt8]) -> Bool {
        line.contains(0) || (line.first == UInt8(ascii: "{")) != (line.last == UInt8(ascii: "}"))
    }
}

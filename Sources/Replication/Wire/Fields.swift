internal import TransparencyLog

/// Writes the fields of frames and answers: big-endian integers, and byte strings after a uint32 of their length.
struct FieldWriter {
    private(set) var bytes: [UInt8] = []

    init(reserving capacity: Int = 64) {
        bytes.reserveCapacity(capacity)
    }

    mutating func write(_ value: UInt8) {
        bytes.append(value)
    }

    mutating func write(_ value: UInt32) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ value: UInt64) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ value: HashValue) {
        value.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    mutating func write(_ value: [UInt8]) {
        write(UInt32(value.count))
        bytes.append(contentsOf: value)
    }

    mutating func write(_ value: String) {
        write(Array(value.utf8))
    }

    mutating func write(_ values: [HashValue]) {
        write(UInt32(values.count))
        for value in values { write(value) }
    }

    /// Puts the number of bytes that follow it into the first four, which were left for it.
    mutating func patchLength() {
        let length = UInt32(bytes.count - 4)
        for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * index)) }
    }
}

/// Reads what ``FieldWriter`` wrote, strictly: every length against its limit first, and nothing may be left over.
struct FieldReader {
    private let bytes: [UInt8]
    private var position: Int
    private let end: Int

    init(_ bytes: [UInt8]) {
        self.init(bytes, from: 0, to: bytes.count)
    }

    /// Reads a part of an array without copying it.
    init(_ bytes: [UInt8], from start: Int, to end: Int) {
        precondition(start >= 0 && start <= end && end <= bytes.count)
        self.bytes = bytes
        self.position = start
        self.end = end
    }

    var remaining: Int {
        end - position
    }

    private mutating func take(_ count: Int) throws(Rejection) -> Int {
        guard count <= remaining else { throw Rejection(.malformedFrame, "a field is cut off") }
        defer { position += count }
        return position
    }

    mutating func uint8() throws(Rejection) -> UInt8 {
        bytes[try take(1)]
    }

    mutating func uint32() throws(Rejection) -> UInt32 {
        let start = try take(4)
        return bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    mutating func uint64() throws(Rejection) -> UInt64 {
        let start = try take(8)
        return bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }

    mutating func hash() throws(Rejection) -> HashValue {
        let start = try take(HashValue.byteCount)
        guard let hash = HashValue(bytes[start..<start + HashValue.byteCount]) else {
            preconditionFailure("32 bytes are a hash")
        }
        return hash
    }

    mutating func byteString(limit: Int) throws(Rejection) -> [UInt8] {
        let count = Int(try uint32())
        guard count <= limit else { throw Rejection(.oversizedFrame, "a field has \(count) bytes of at most \(limit)") }
        let start = try take(count)
        return Array(bytes[start..<start + count])
    }

    /// A text of valid UTF-8 without control characters.
    mutating func text(limit: Int) throws(Rejection) -> String {
        let raw = try byteString(limit: limit)
        guard !raw.contains(where: { $0 < 0x20 || $0 == 0x7f }), let text = String(validating: raw, as: UTF8.self)
        else {
            throw Rejection(.malformedFrame, "a text is no UTF-8 or has control characters")
        }
        return text
    }

    mutating func count(limit: Int) throws(Rejection) -> Int {
        let count = Int(try uint32())
        guard count <= limit else { throw Rejection(.oversizedFrame, "a list has \(count) items of at most \(limit)") }
        return count
    }

    mutating func hashes(limit: Int) throws(Rejection) -> [HashValue] {
        let count = try count(limit: limit)
        var result: [HashValue] = []
        for _ in 0..<count { result.append(try hash()) }
        return result
    }

    func finish() throws(Rejection) {
        guard remaining == 0 else { throw Rejection(.malformedFrame, "\(remaining) bytes are left over") }
    }
}

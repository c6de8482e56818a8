/// Writes a ZIP archive (PKWARE APPNOTE 6.3) whose members are stored as they are.
struct ZipWriter {
    private var output: [UInt8] = []
    private var directory: [UInt8] = []
    private var count: UInt16 = 0

    /// The first day that the format can name: archives of the same content are the same bytes.
    private static let date: UInt16 = 0x0021

    /// Adds a member. Names are ASCII here; contents are small.
    mutating func add(_ name: String, _ content: [UInt8]) {
        let offset = UInt32(output.count)
        var entry: [UInt8] = []
        // Version 2.0, no flags, stored, midnight.
        for value in [20, 0, 0, 0, Self.date] as [UInt16] { Self.append(value, to: &entry) }
        let size = UInt32(content.count)
        for value in [CRC32.checksum(of: content), size, size] { Self.append(value, to: &entry) }
        Self.append(UInt16(name.utf8.count), to: &entry)
        Self.append(0 as UInt16, to: &entry)
        output += [0x50, 0x4B, 0x03, 0x04] + entry + Array(name.utf8) + content
        directory += [0x50, 0x4B, 0x01, 0x02, 20, 0] + entry
        // No comment, disk 0, no attributes.
        directory += [UInt8](repeating: 0, count: 10)
        Self.append(offset, to: &directory)
        directory += Array(name.utf8)
        count += 1
    }

    /// The whole archive.
    consuming func finish() -> [UInt8] {
        let offset = UInt32(output.count)
        output += directory + [0x50, 0x4B, 0x05, 0x06, 0, 0, 0, 0]
        Self.append(count, to: &output)
        Self.append(count, to: &output)
        Self.append(UInt32(directory.count), to: &output)
        Self.append(offset, to: &output)
        Self.append(0 as UInt16, to: &output)
        return output
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }
}

/// The checksum of ZIP and gzip: CRC-32 of ISO 3309, reflected, polynomial 0xEDB88320.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map {
        (0..<8).reduce(UInt32($0)) { value, _ in
            value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320
        }
    }

    static func checksum(of bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(0xFFFF_FFFF) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
    }
}

/// Entries one after the other, each behind its length as a big-endian uint16 (section 3, C2SP tlog-tiles).
public enum EntryBundle {
    /// The most bytes of an entry.
    public static let maximumEntryByteCount = 65_535
    /// The most entries of a bundle.
    public static let maximumCount = TilePath.fullWidth

    /// Puts entries together.
    /// - Throws: ``TransparencyLogError/Code/invalidEntryBundle`` for an entry above ``maximumEntryByteCount``.
    public static func encode(_ entries: some Sequence<[UInt8]>) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries { try append(entry, to: &bytes) }
        return bytes
    }

    /// Appends an entry behind its length.
    /// - Throws: ``TransparencyLogError/Code/invalidEntryBundle`` for an entry above ``maximumEntryByteCount``.
    public static func append(_ entry: some Collection<UInt8>, to bytes: inout [UInt8]) throws {
        guard entry.count <= maximumEntryByteCount else {
            throw TransparencyLogError(.invalidEntryBundle, "an entry has \(entry.count) bytes")
        }
        bytes.append(UInt8(entry.count >> 8))
        bytes.append(UInt8(entry.count & 255))
        bytes.append(contentsOf: entry)
    }

    /// Takes entries apart.
    /// - Parameter limit: The most entries accepted; more than ``maximumCount`` only for what is no tile.
    /// - Throws: ``TransparencyLogError/Code/invalidEntryBundle`` unless the bytes are whole entries,
    ///   ``TransparencyLogError/Code/limitExceeded`` if they are more than the limit.
    public static func decode(_ bytes: [UInt8], limit: Int = maximumCount) throws -> [[UInt8]] {
        try ranges(in: bytes, limit: limit).map { Array(bytes[$0]) }
    }

    /// Finds the entries without copying any: their bytes' positions, without the lengths.
    /// - Throws: As ``decode(_:limit:)``.
    public static func ranges(in bytes: [UInt8], limit: Int = maximumCount) throws -> [Range<Int>] {
        try bytes.withUnsafeBytes { try ranges(in: $0, limit: limit) }
    }

    /// Finds the entries of a buffer without copying any: their bytes' positions, without the lengths.
    /// - Throws: As ``decode(_:limit:)``.
    public static func ranges(in buffer: UnsafeRawBufferPointer, limit: Int = maximumCount) throws -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var position = 0
        while position < buffer.count {
            guard buffer.count - position >= 2 else {
                throw TransparencyLogError(.invalidEntryBundle, "a length is cut off", at: "byte \(position)")
            }
            let length = Int(buffer[position]) << 8 | Int(buffer[position + 1])
            position += 2
            guard buffer.count - position >= length else {
                throw TransparencyLogError(.invalidEntryBundle, "an entry is cut off", at: "byte \(position)")
            }
            guard ranges.count < limit else {
                throw TransparencyLogError(.limitExceeded, "more than \(limit) entries")
            }
            ranges.append(position..<position + length)
            position += length
        }
        return ranges
    }

    /// The leaf hashes of all entries, in order.
    /// - Throws: As ``decode(_:limit:)``.
    public static func leafHashes(of bytes: [UInt8], limit: Int = maximumCount) throws -> [HashValue] {
        try bytes.withUnsafeBytes { buffer in
            try ranges(in: buffer, limit: limit).map { range in
                MerkleTree.leafHash(UnsafeRawBufferPointer(rebasing: buffer[range]))
            }
        }
    }
}

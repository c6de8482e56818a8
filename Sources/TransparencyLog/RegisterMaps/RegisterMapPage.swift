/// A page of a register map, as a store keeps it.
public struct RegisterMapPage: Hashable, Sendable {
    /// Which rows it holds.
    public let id: RegisterMapPageID
    /// The hash of the subtree over its rows; kept apart from the blob, to be loaded first.
    public let hash: HashValue
    /// The page's bytes: for each row k and v, 32 bytes each, sorted by k, and 8 bytes of checksum.
    ///
    /// The checksum covers the rows, the page's ID and its hash: a damaged, misplaced or outdated blob is noticed when
    /// it is next read. It is against accidents; against malice stand the hashes.
    public let blob: [UInt8]

    static let rowByteCount = 2 * HashValue.byteCount
    static let checksumByteCount = 8

    /// Makes the page of rows that are sorted and belong into it.
    init(id: RegisterMapPageID, hash: HashValue, rows: Slice<UnsafeBufferPointer<RegisterMapRow>>) {
        self.id = id
        self.hash = hash
        let rowBytes = rows.count * Self.rowByteCount
        blob = [UInt8](unsafeUninitializedCapacity: rowBytes + Self.checksumByteCount) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            var position = 0
            for row in rows {
                row.key.store(into: raw, at: position)
                row.value.store(into: raw, at: position + HashValue.byteCount)
                position += Self.rowByteCount
            }
            let sum = Self.checksum(UnsafeRawBufferPointer(raw), count: rowBytes, id: id, hash: hash)
            raw.storeBytes(of: sum.bigEndian, toByteOffset: rowBytes, as: UInt64.self)
            count = rowBytes + Self.checksumByteCount
        }
    }

    /// Reads a blob's rows, replacing those in `rows`.
    /// - Throws: ``TransparencyLogError/Code/invalidPage`` if it is not the blob of this page with this hash.
    static func read(
        _ blob: [UInt8],
        id: RegisterMapPageID,
        hash: HashValue,
        into rows: inout [RegisterMapRow]
    ) throws {
        rows.removeAll(keepingCapacity: true)
        let rowBytes = blob.count - checksumByteCount
        guard rowBytes > 0, rowBytes % rowByteCount == 0 else {
            throw TransparencyLogError(.invalidPage, "a page has \(blob.count) bytes", at: id.description)
        }
        try blob.withUnsafeBytes { buffer in
            let sum = UInt64(bigEndian: buffer.loadUnaligned(fromByteOffset: rowBytes, as: UInt64.self))
            guard sum == checksum(buffer, count: rowBytes, id: id, hash: hash) else {
                throw TransparencyLogError(.invalidPage, "a page is damaged or outdated", at: id.description)
            }
            for position in stride(from: 0, to: rowBytes, by: rowByteCount) {
                let key = HashValue(loading: buffer, at: position)
                guard id.contains(key), rows.last.map({ $0.key < key }) ?? true else {
                    throw TransparencyLogError(.invalidPage, "a page's rows are not in order", at: id.description)
                }
                let value = HashValue(loading: buffer, at: position + HashValue.byteCount)
                rows.append(RegisterMapRow(key: key, value: value))
            }
        }
    }

    /// Recomputes the hash of a page from its blob, to audit a store.
    /// - Returns: The number of rows.
    /// - Throws: ``TransparencyLogError/Code/invalidPage`` if the blob is damaged or the hash is not that of its rows.
    @discardableResult
    public static func audit(_ blob: [UInt8], id: RegisterMapPageID, hash: HashValue) throws -> Int {
        var rows: [RegisterMapRow] = []
        try read(blob, id: id, hash: hash, into: &rows)
        guard rows.withUnsafeBufferPointer({ $0.subtreeHash($0.indices, depth: id.depth) }) == hash else {
            throw TransparencyLogError(.invalidPage, "a page's hash is not that of its rows", at: id.description)
        }
        return rows.count
    }

    /// Mixes a page's words in four lanes. Each step is one-to-one in the word, so that no single changed word can
    /// leave the sum as it was. In the machine's byte order, little-endian wherever this runs: blobs stay on a machine.
    private static func checksum(
        _ buffer: UnsafeRawBufferPointer,
        count: Int,
        id: RegisterMapPageID,
        hash: HashValue
    ) -> UInt64 {
        var lanes = SIMD4<UInt64>(id.rawValue, hash.words.0, hash.words.1, UInt64(count))
        let factor = SIMD4<UInt64>(repeating: 0x9E37_79B9_7F4A_7C15)
        for position in stride(from: 0, to: count, by: 32) {
            lanes ^= buffer.loadUnaligned(fromByteOffset: position, as: SIMD4<UInt64>.self)
            lanes = lanes &* factor
            lanes ^= lanes &>> 29
        }
        var sum: UInt64 = 0
        for lane in 0..<4 {
            sum = (sum ^ lanes[lane]) &* 0xBF58_476D_1CE4_E5B9
            sum ^= sum &>> 31
        }
        return sum
    }
}

/// What an update of a register map asks its store to do, in the transaction that the update belongs to.
public struct RegisterMapChanges: Hashable, Sendable {
    /// The pages to write, new or in place of their former selves; sorted by ID.
    public internal(set) var written: [RegisterMapPage] = []
    /// The pages to delete; none of them is written.
    public internal(set) var removed: [RegisterMapPageID] = []

    /// Nothing to do.
    public init() {}

    /// Whether nothing has to be stored.
    public var isEmpty: Bool {
        written.isEmpty && removed.isEmpty
    }
}

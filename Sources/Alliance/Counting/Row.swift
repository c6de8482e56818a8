public import TransparencyLog

/// What one map of one log says of one key: the statements in force there, or the last that emptied it.
///
/// Its bytes are what the map's leaf hashes: for each statement, by index, the index (uint64, big-endian) and the
/// leaf hash (32 bytes).
public struct Row: Hashable, Sendable {
    /// One statement of the row.
    public struct Item: Hashable, Sendable {
        /// Where it stands in the log.
        public let index: UInt64
        public let leaf: HashValue

        /// Names an entry of the log.
        public init(index: UInt64, leaf: HashValue) {
            self.index = index
            self.leaf = leaf
        }
    }

    /// By index; never empty.
    public let items: [Item]
    /// Whether nothing is in force any more; the one item is then the retraction or superseder that emptied the row.
    public let isEmptied: Bool

    /// Statements of one row.
    public static let limit = 1_024

    /// A row of statements in force.
    public init(inForce items: [Item]) {
        self.items = items
        self.isEmptied = false
    }

    /// A row that `last` emptied.
    public init(emptiedBy last: Item) {
        self.items = [last]
        self.isEmptied = true
    }

    /// The statements in force: none in an emptied row.
    public var inForce: [Item] { isEmptied ? [] : items }

    /// The row's bytes.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(items.count * 40)
        for item in items {
            withUnsafeBytes(of: item.index.bigEndian) { bytes.append(contentsOf: $0) }
            item.leaf.withUnsafeBytes { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Reads a row's bytes.
    ///
    /// - Parameter isEmptied: what the bytes do not say: the kind of the statement decides it.
    public init?(bytes: [UInt8], isEmptied: Bool) {
        guard !bytes.isEmpty, bytes.count % 40 == 0, bytes.count <= Self.limit * 40, !isEmptied || bytes.count == 40
        else { return nil }
        var items: [Item] = []
        for start in stride(from: 0, to: bytes.count, by: 40) {
            let index = bytes[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard items.last.map({ $0.index < index }) ?? true, let leaf = HashValue(bytes[(start + 8)..<(start + 40)])
            else { return nil }
            items.append(Item(index: index, leaf: leaf))
        }
        self.items = items
        self.isEmptied = isEmptied
    }
}

/// A key of one map of one log.
public struct RowKey: Hashable, Sendable {
    /// The map's name.
    public let map: String
    /// The key's UTF-8 bytes.
    public let key: [UInt8]

    /// Names a row.
    public init(map: String, key: [UInt8]) {
        self.map = map
        self.key = key
    }

    /// Names a row.
    public init(map: String, key: String) { self.init(map: map, key: Array(key.utf8)) }

    /// All bytes at once: what the standard library would do feeds them one by one.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(map)
        key.withUnsafeBytes { hasher.combine(bytes: $0) }
    }
}

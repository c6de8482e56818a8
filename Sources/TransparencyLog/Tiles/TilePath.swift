/// The name of a tile or of a bundle of entries, such as `tile/0/x001/x234/067.p/8` (section 3, C2SP tlog-tiles).
public struct TilePath: Hashable, Sendable, CustomStringConvertible {
    /// The number of hashes of a full tile, and of entries of a full bundle.
    public static let fullWidth = 256
    /// The greatest level that a path can name.
    public static let maximumLevel = 63
    /// The most bytes of a path.
    public static let maximumByteCount = 64

    /// What is under the path.
    public enum Content: Hashable, Sendable {
        /// Hashes, each of the root of 256^level leaves.
        case hashes(level: Int)
        /// Entries.
        case entries
    }

    /// What is under the path.
    public let content: Content
    /// The position of the tile within its level.
    public let index: UInt64
    /// How many hashes or entries the tile has, 1 to 256.
    public let width: Int

    /// Whether the tile is not full.
    public var isPartial: Bool {
        width < Self.fullWidth
    }

    /// The same tile, filled.
    public var full: TilePath {
        TilePath(content: content, index: index, uncheckedWidth: Self.fullWidth)
    }

    /// Names a tile.
    /// - Returns: nil for a level outside of 0 to 63 or a width outside of 1 to 256.
    public init?(_ content: Content, index: UInt64, width: Int = fullWidth) {
        if case .hashes(let level) = content, !(0...Self.maximumLevel).contains(level) { return nil }
        guard (1...Self.fullWidth).contains(width) else { return nil }
        self.init(content: content, index: index, uncheckedWidth: width)
    }

    init(content: Content, index: UInt64, uncheckedWidth width: Int) {
        self.content = content
        self.index = index
        self.width = width
    }

    /// The numbers of the leaves under the tile's hashes, or nil if they lie beyond the greatest tree.
    ///
    /// Of a full tile; a partial one ends earlier.
    public var fullLeafRange: Range<UInt64>? {
        var shift: UInt64 = 8
        if case .hashes(let level) = content { shift = 8 * (UInt64(level) + 1) }
        guard shift < 63, index < MerkleTree.maximumSize >> shift else { return nil }
        return index << shift..<(index + 1) << shift
    }

    // MARK: Text

    /// Parses a path, without a leading slash.
    /// - Throws: ``TransparencyLogError/Code/invalidTilePath`` for anything but the one form of a path.
    public init(parsing path: String) throws {
        guard let tile = Self.parse(Array(path.utf8)), tile.description.utf8.elementsEqual(path.utf8) else {
            throw TransparencyLogError(.invalidTilePath, "no tile's path")
        }
        self = tile
    }

    /// Reads a path leniently in some details: the caller compares it with how it is written properly.
    private static func parse(_ bytes: [UInt8]) -> TilePath? {
        guard bytes.count <= maximumByteCount else { return nil }
        var parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)[...]
        guard let tile = parts.popFirst(), tile.elementsEqual("tile".utf8), let kind = parts.popFirst() else {
            return nil
        }
        var content = Content.entries
        if !kind.elementsEqual("entries".utf8) {
            guard let level = Decimal64.parse(kind), level <= UInt64(maximumLevel) else { return nil }
            content = .hashes(level: Int(level))
        }
        var width = fullWidth
        if parts.count >= 2, let end = parts.dropLast().last, end.suffix(2).elementsEqual(".p".utf8) {
            guard let number = Decimal64.parse(parts.removeLast()), (1..<256).contains(number) else { return nil }
            width = Int(number)
            parts[parts.endIndex - 1] = end.dropLast(2)
        }
        guard let index = index(of: parts) else { return nil }
        return TilePath(content: content, index: index, uncheckedWidth: width)
    }

    private static func index(of groups: ArraySlice<ArraySlice<UInt8>>) -> UInt64? {
        guard !groups.isEmpty else { return nil }
        var index: UInt64 = 0
        for (position, group) in zip(groups.indices, groups) {
            let isLast = position == groups.endIndex - 1
            let digits = isLast ? group : group.dropping(prefix: "x") ?? []
            guard digits.count == 3 else { return nil }
            for digit in digits {
                guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
                let (product, overflow) = index.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
                guard !overflow, !carry else { return nil }
                index = sum
            }
        }
        return index
    }

    /// The path, without a leading slash.
    public var description: String {
        var groups: [String] = []
        var rest = index
        repeat {
            let group = String(rest % 1_000)
            let padded = String(repeating: "0", count: 3 - group.utf8.count) + group
            groups.append(groups.isEmpty ? padded : "x" + padded)
            rest /= 1_000
        } while rest > 0
        let kind =
            switch content {
            case .hashes(let level): String(level)
            case .entries: "entries"
            }
        let suffix = isPartial ? ".p/\(width)" : ""
        return "tile/\(kind)/\(groups.reversed().joined(separator: "/"))\(suffix)"
    }
}

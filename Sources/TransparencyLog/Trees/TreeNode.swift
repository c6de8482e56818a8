/// A complete subtree's place in the tree: node `index` of `level` covers the leaves
/// [index × 2^level, (index + 1) × 2^level).
public struct TreeNode: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The height above the leaves, which are level 0.
    public let level: Int
    /// The position within the level.
    public let index: UInt64

    /// Names a node.
    public init(level: Int, index: UInt64) {
        self.level = level
        self.index = index
    }

    /// By level, then by index.
    public static func < (left: TreeNode, right: TreeNode) -> Bool {
        (left.level, left.index) < (right.level, right.index)
    }

    /// `level/index`.
    public var description: String {
        "\(level)/\(index)"
    }

    /// The complete subtrees that make up the leaves of a range, largest first; the range starts at a multiple of a
    /// power of two that is not less than its length, as all ranges in a tree do.
    static func covering(_ range: Range<UInt64>) -> [TreeNode] {
        var nodes: [TreeNode] = []
        var start = range.lowerBound
        var length = range.upperBound - range.lowerBound
        while length > 0 {
            let level = 63 - length.leadingZeroBitCount
            nodes.append(TreeNode(level: level, index: start >> UInt64(level)))
            start += 1 << UInt64(level)
            length -= 1 << UInt64(level)
        }
        return nodes
    }
}

/// What can read the hashes of complete subtrees: a store, or ``TileHashReader`` on top of tiles.
public protocol TreeHashReader {
    /// The hashes of the nodes, in the order asked. All of them are complete in the tree that is read.
    func hashes(at nodes: [TreeNode]) throws -> [HashValue]
}

extension TreeHashReader {
    /// Reads, and makes sure of the number of the answers.
    func checkedHashes(at nodes: [TreeNode]) throws -> [HashValue] {
        guard !nodes.isEmpty else { return [] }
        let hashes = try hashes(at: nodes)
        guard hashes.count == nodes.count else {
            throw TransparencyLogError(.wrongRead, "asked for \(nodes.count) hashes, got \(hashes.count)")
        }
        return hashes
    }
}

/// The right edge of a tree: enough to append leaves and to know the root, in at most 63 hashes.
public struct TreeFrontier: Hashable, Sendable {
    /// The number of leaves.
    public private(set) var size: UInt64
    /// The roots of the complete subtrees that make up the tree, largest first: one for each bit set in the size.
    public private(set) var hashes: [HashValue]

    /// The empty tree.
    public init() {
        size = 0
        hashes = []
    }

    /// Resumes a tree.
    /// - Throws: ``TransparencyLogError/Code/invalidTree`` if the number of hashes is not that of the bits set in the
    ///   size, or the size is above 2^63 - 1.
    public init(size: UInt64, hashes: [HashValue]) throws {
        guard size <= MerkleTree.maximumSize, hashes.count == size.nonzeroBitCount else {
            throw TransparencyLogError(.invalidTree, "\(hashes.count) hashes cannot be the edge of \(size) leaves")
        }
        self.size = size
        self.hashes = hashes
    }

    /// Appends a leaf's hash (``MerkleTree/leafHash(_:)-([UInt8])``).
    public mutating func append(_ leaf: HashValue) {
        append(leaf) { _, _, _ in }
    }

    /// Appends a leaf's hash and tells of every node that became complete, the leaf first, then upward.
    ///
    /// Node `index` of `level` covers the leaves [index × 2^level, (index + 1) × 2^level). Levels 0, 8, 16, … are
    /// the hashes of tiles.
    @inlinable
    public mutating func append(
        _ leaf: HashValue,
        completed: (_ level: Int, _ index: UInt64, _ hash: HashValue) throws -> Void
    ) rethrows {
        let index = appending
        var hash = leaf
        var level = 0
        var edge = edgeCount
        try completed(0, index, leaf)
        while index >> UInt64(level) & 1 == 1 {
            edge -= 1
            hash = MerkleTree.nodeHash(edgeHash(edge), hash)
            level += 1
            try completed(level, index >> UInt64(level), hash)
        }
        commit(keeping: edge, hash)
    }

    @usableFromInline var appending: UInt64 { size }
    @usableFromInline var edgeCount: Int { hashes.count }
    @usableFromInline func edgeHash(_ position: Int) -> HashValue { hashes[position] }

    /// Ends an append; nothing has changed before, so that a callback that throws leaves the tree as it was.
    @usableFromInline
    mutating func commit(keeping edge: Int, _ hash: HashValue) {
        hashes.removeSubrange(edge...)
        hashes.append(hash)
        size += 1
    }

    /// The root of the tree.
    public var root: HashValue {
        guard var hash = hashes.last else { return MerkleTree.emptyRoot }
        for left in hashes.dropLast().reversed() { hash = MerkleTree.nodeHash(left, hash) }
        return hash
    }
}

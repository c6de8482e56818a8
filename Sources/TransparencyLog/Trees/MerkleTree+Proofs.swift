extension MerkleTree {
    /// Makes the proof that the leaf at `index` is in the tree of `size` leaves (RFC 6962 section 2.1.1).
    /// - Returns: The siblings, from the leaf's to the root's child. All nodes are read at once.
    /// - Throws: ``TransparencyLogError/Code/outOfRange`` unless index < size < 2^63, and what the reader throws.
    public static func inclusionProof(
        index: UInt64,
        size: UInt64,
        reader: some TreeHashReader
    ) throws -> [HashValue] {
        guard index < size, size <= maximumSize else {
            throw TransparencyLogError(.outOfRange, "no leaf \(index) in a tree of \(size)")
        }
        var siblings: [Range<UInt64>] = []
        var part = 0..<size
        while part.count > 1 {
            let middle = part.lowerBound + split(part)
            if index < middle {
                siblings.append(middle..<part.upperBound)
                part = part.lowerBound..<middle
            } else {
                siblings.append(part.lowerBound..<middle)
                part = middle..<part.upperBound
            }
        }
        return try roots(of: siblings.reversed(), reader)
    }

    /// Makes the proof that the tree of `size` leaves begins with that of `oldSize` (RFC 6962 section 2.1.2).
    /// - Returns: The proof; empty from size 0 and between equal sizes. All nodes are read at once.
    /// - Throws: ``TransparencyLogError/Code/outOfRange`` unless oldSize ≤ size < 2^63, and what the reader throws.
    public static func consistencyProof(
        from oldSize: UInt64,
        to size: UInt64,
        reader: some TreeHashReader
    ) throws -> [HashValue] {
        guard oldSize <= size, size <= maximumSize else {
            throw TransparencyLogError(.outOfRange, "no tree of \(oldSize) leaves in one of \(size)")
        }
        guard oldSize > 0, oldSize < size else { return [] }
        var parts: [Range<UInt64>] = []
        var part = 0..<size
        while part.upperBound != oldSize {
            let middle = part.lowerBound + split(part)
            if oldSize <= middle {
                parts.append(middle..<part.upperBound)
                part = part.lowerBound..<middle
            } else {
                parts.append(part.lowerBound..<middle)
                part = middle..<part.upperBound
            }
        }
        // A verifier who holds the old tree has its root already where the old tree is one whole left subtree.
        if part.lowerBound > 0 { parts.append(part) }
        return try roots(of: parts.reversed(), reader)
    }

    /// The root of the tree of `size` leaves.
    /// - Throws: ``TransparencyLogError/Code/outOfRange`` from 2^63 on, and what the reader throws.
    public static func root(size: UInt64, reader: some TreeHashReader) throws -> HashValue {
        try frontier(size: size, reader: reader).root
    }

    /// The right edge of the tree of `size` leaves, to append to.
    /// - Throws: ``TransparencyLogError/Code/outOfRange`` from 2^63 on, and what the reader throws.
    public static func frontier(size: UInt64, reader: some TreeHashReader) throws -> TreeFrontier {
        guard size <= maximumSize else {
            throw TransparencyLogError(.outOfRange, "a tree has fewer than 2^63 leaves")
        }
        return try TreeFrontier(size: size, hashes: reader.checkedHashes(at: TreeNode.covering(0..<size)))
    }

    /// The largest power of two below the length of a part, which is at least 2.
    private static func split(_ part: Range<UInt64>) -> UInt64 {
        let length = part.upperBound - part.lowerBound
        return 1 << UInt64(63 - (length - 1).leadingZeroBitCount)
    }

    /// The roots of parts of the tree, reading all their complete subtrees at once.
    private static func roots(of parts: [Range<UInt64>], _ reader: some TreeHashReader) throws -> [HashValue] {
        let covers = parts.map(TreeNode.covering)
        var hashes = try reader.checkedHashes(at: covers.flatMap(\.self))[...]
        return covers.compactMap { cover in
            let own = hashes.prefix(cover.count)
            hashes = hashes.dropFirst(cover.count)
            guard var hash = own.last else { return nil }
            for left in own.dropLast().reversed() { hash = nodeHash(left, hash) }
            return hash
        }
    }
}

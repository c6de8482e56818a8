/// The Merkle tree of RFC 6962: hashes, and the verification of proofs (section 3).
///
/// leaf = SHA-256(0x00 + entry), node = SHA-256(0x01 + left + right), split at the largest power of two below n.
public enum MerkleTree {
    /// The greatest number of leaves: 2^63 - 1.
    public static let maximumSize = UInt64(Int64.max)
    /// The most hashes that a proof can have.
    public static let maximumProofCount = 64

    /// The root of the tree without leaves: SHA-256 of nothing.
    public static let emptyRoot = HashValue.sha256([] as [UInt8])

    /// The hash of an entry.
    public static func leafHash(_ entry: UnsafeRawBufferPointer) -> HashValue {
        HashValue.sha256(prefix: 0, entry)
    }

    /// The hash of an entry.
    public static func leafHash(_ entry: [UInt8]) -> HashValue {
        entry.withUnsafeBytes { leafHash($0) }
    }

    /// The hash of an entry that is part of something longer.
    public static func leafHash(_ entry: ArraySlice<UInt8>) -> HashValue {
        entry.withUnsafeBytes { leafHash($0) }
    }

    /// The hash of an inner node.
    public static func nodeHash(_ left: HashValue, _ right: HashValue) -> HashValue {
        HashValue.sha256(prefix: 1, left, right)
    }

    /// Whether a proof shows that `leaf` stands at `index` in the tree of `size` leaves with that root.
    ///
    /// RFC 9162 section 2.1.3.2. A proof of any other length than the position demands does not verify.
    /// - Parameter proof: The siblings, from the leaf's to the root's child.
    public static func verifyInclusion(
        leaf: HashValue,
        index: UInt64,
        size: UInt64,
        proof: [HashValue],
        root: HashValue
    ) -> Bool {
        guard index < size, size <= maximumSize, proof.count <= maximumProofCount else { return false }
        var node = index
        var last = size - 1
        var hash = leaf
        for sibling in proof {
            guard last != 0 else { return false }
            if node & 1 == 1 || node == last {
                hash = nodeHash(sibling, hash)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                hash = nodeHash(hash, sibling)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 && hash == root
    }

    /// Whether a proof shows that the tree (`size`, `root`) begins with the tree (`oldSize`, `oldRoot`).
    ///
    /// RFC 9162 section 2.1.4.2. From the empty tree, whose root has to be ``emptyRoot``, and between equal sizes,
    /// whose roots have to be equal, the proof is empty.
    public static func verifyConsistency(
        from oldSize: UInt64,
        root oldRoot: HashValue,
        to size: UInt64,
        root: HashValue,
        proof: [HashValue]
    ) -> Bool {
        guard oldSize <= size, size <= maximumSize, proof.count <= maximumProofCount else { return false }
        guard size > 0 || root == emptyRoot else { return false }
        if oldSize == size { return proof.isEmpty && oldRoot == root }
        if oldSize == 0 { return proof.isEmpty && oldRoot == emptyRoot }
        var path = proof[...]
        if oldSize.nonzeroBitCount == 1 { path = [oldRoot] + path }
        guard let first = path.popFirst() else { return false }
        var node = oldSize - 1
        var last = size - 1
        while node & 1 == 1 {
            node >>= 1
            last >>= 1
        }
        var (oldHash, hash) = (first, first)
        for sibling in path {
            guard last != 0 else { return false }
            if node & 1 == 1 || node == last {
                oldHash = nodeHash(sibling, oldHash)
                hash = nodeHash(sibling, hash)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                hash = nodeHash(hash, sibling)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 && oldHash == oldRoot && hash == root
    }
}

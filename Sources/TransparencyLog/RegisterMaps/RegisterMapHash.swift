/// The hashes of a register map (section 7): a binary prefix tree over k = SHA-256(key), with v = SHA-256(row).
///
/// leaf = SHA-256(0x02 + k + v), parent = SHA-256(0x03 + left + right), an absent child is 32 zero bytes. Bits count
/// from the most significant, 0 is left. The root, at depth 0, is always a parent.
public enum RegisterMapHash {
    /// The root of the map without rows.
    public static let emptyRoot = parent(.zero, .zero)

    /// The hash of a row's leaf.
    public static func leaf(key: HashValue, value: HashValue) -> HashValue {
        HashValue.sha256(prefix: 2, key, value)
    }

    /// The hash of an inner node.
    public static func parent(_ left: HashValue, _ right: HashValue) -> HashValue {
        HashValue.sha256(prefix: 3, left, right)
    }

    /// A parent of a child on the key's side and its sibling.
    static func parent(of child: HashValue, sibling: HashValue, isRight: Bool) -> HashValue {
        isRight ? parent(sibling, child) : parent(child, sibling)
    }
}

/// A row of a map: its key's and its content's hash.
struct RegisterMapRow {
    var key: HashValue
    var value: HashValue
}

extension UnsafeBufferPointer<RegisterMapRow> {
    /// The hash of the subtree at a depth over these rows, which are sorted and agree in the first `depth` bits.
    func subtreeHash(_ range: Range<Int>, depth: Int) -> HashValue {
        guard let first = range.first, let last = range.last else {
            return depth == 0 ? RegisterMapHash.emptyRoot : .zero
        }
        if first == last {
            let leaf = RegisterMapHash.leaf(key: self[first].key, value: self[first].value)
            // The root is always a parent, also of a lone leaf.
            return depth > 0 ? leaf : RegisterMapHash.parent(of: leaf, sibling: .zero, isRight: self[first].key.bit(0))
        }
        let fork = self[first].key.commonPrefixLength(with: self[last].key)
        let middle = firstRight(in: range, bit: fork)
        var hash = RegisterMapHash.parent(
            subtreeHash(range.lowerBound..<middle, depth: fork + 1),
            subtreeHash(middle..<range.upperBound, depth: fork + 1)
        )
        for level in (depth..<fork).reversed() {
            hash = RegisterMapHash.parent(of: hash, sibling: .zero, isRight: self[first].key.bit(level))
        }
        return hash
    }

    /// The first position in a range of rows, agreeing in all bits before, whose key has a bit set.
    func firstRight(in range: Range<Int>, bit: Int) -> Int {
        range.partitionPoint { self[$0].key.bit(bit) }
    }
}

extension Range<Int> {
    /// The first number for which a predicate holds that holds for all after it too; the upper bound if for none.
    func partitionPoint(_ predicate: (Int) -> Bool) -> Int {
        var (low, high) = (lowerBound, upperBound)
        while low < high {
            let middle = (low + high) >> 1
            if predicate(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

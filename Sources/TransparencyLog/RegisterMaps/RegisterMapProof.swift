/// A proof of what a register map says of one key (section 7).
///
/// Layout:
///
///     uint16 (big-endian)  depth d, 1 to 256
///     uint8                terminal: 0 empty, 1 this leaf, 2 another leaf
///     32 + 32 bytes        k' and v', for another leaf only
///     ceil(d / 8) bytes    bitmap: bit j, from the first byte's most significant, is set if the j-th sibling, counted
///                          from the bottom, is not zero; bits beyond d are zero
///     32 bytes each        those siblings, bottom to root
///
/// Example, the proof of absence in the empty map: `0001 00 00`.
///
/// A proof holds neither the key nor the row: whoever asks knows the key, and the row comes beside it.
public struct RegisterMapProof: Hashable, Sendable {
    /// The greatest depth of a leaf.
    public static let maximumDepth = 256
    /// The most bytes of a proof.
    public static let maximumByteCount = 2 + 1 + 64 + 32 + maximumDepth * HashValue.byteCount

    /// What stands at the end of the key's path.
    public enum Terminal: Hashable, Sendable {
        /// Nothing: the key has no row.
        case empty
        /// The key's own leaf.
        case thisLeaf
        /// The leaf of another key whose path is the same so far: the key has no row.
        case otherLeaf(key: HashValue, value: HashValue)
    }

    /// What stands at the end of the path.
    public let terminal: Terminal
    /// The siblings, bottom to root, zero for absent ones; as many as the terminal is deep.
    public let siblings: [HashValue]

    /// The depth of the terminal, 1 to 256.
    public var depth: Int {
        siblings.count
    }

    /// Puts a proof together.
    /// - Parameter siblings: Bottom to root, zero for absent ones.
    /// - Throws: ``TransparencyLogError/Code/invalidProof`` unless the depth is 1 to 256 and, below depth 1, the bottom
    ///   sibling is there: a lone leaf, and an empty place, never stand beside nothing.
    public init(terminal: Terminal, siblings: [HashValue]) throws {
        guard (1...Self.maximumDepth).contains(siblings.count) else {
            throw TransparencyLogError(.invalidProof, "a map proof's depth is not from 1 to \(Self.maximumDepth)")
        }
        guard siblings.count == 1 || siblings[0] != .zero else {
            throw TransparencyLogError(.invalidProof, "a map proof ends beside nothing")
        }
        self.terminal = terminal
        self.siblings = siblings
    }

    /// A proof made from a map, whose siblings were gathered downward.
    init(terminal: Terminal, fromRoot siblings: [HashValue]) {
        self.terminal = terminal
        self.siblings = siblings.reversed()
    }

    /// Parses a proof.
    /// - Throws: ``TransparencyLogError/Code/invalidProof`` for anything but the one encoding of a proof.
    public init(parsing bytes: [UInt8]) throws {
        guard bytes.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.invalidProof, "a map proof has more than \(Self.maximumByteCount) bytes")
        }
        var rest = bytes[...]
        func take(_ count: Int) throws -> ArraySlice<UInt8> {
            guard rest.count >= count else { throw TransparencyLogError(.invalidProof, "a map proof is cut off") }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }
        func takeHash() throws -> HashValue {
            guard let hash = HashValue(try take(HashValue.byteCount)) else {
                throw TransparencyLogError(.invalidProof, "a map proof is cut off")
            }
            return hash
        }
        let head = try Array(take(3))
        let depth = Int(head[0]) << 8 | Int(head[1])
        guard (1...Self.maximumDepth).contains(depth) else {
            throw TransparencyLogError(.invalidProof, "a map proof's depth is not from 1 to \(Self.maximumDepth)")
        }
        let terminal: Terminal
        switch head[2] {
        case 0: terminal = .empty
        case 1: terminal = .thisLeaf
        case 2: terminal = .otherLeaf(key: try takeHash(), value: try takeHash())
        default: throw TransparencyLogError(.invalidProof, "a map proof's end is of an unknown kind")
        }
        let bitmap = try Array(take((depth + 7) / 8))
        var siblings: [HashValue] = []
        for position in 0..<bitmap.count * 8 {
            let isThere = bitmap[position / 8] & (0x80 >> UInt8(position % 8)) != 0
            let sibling = isThere ? try takeHash() : .zero
            guard isThere == (sibling != .zero), position < depth || !isThere else {
                throw TransparencyLogError(.invalidProof, "a map proof's bitmap does not fit")
            }
            if position < depth { siblings.append(sibling) }
        }
        guard rest.isEmpty else { throw TransparencyLogError(.invalidProof, "a map proof has bytes after its end") }
        try self.init(terminal: terminal, siblings: siblings)
    }

    /// The proof's bytes: exactly those that it was parsed from.
    public var bytes: [UInt8] {
        var bytes = UInt16(depth).bigEndianBytes
        switch terminal {
        case .empty: bytes.append(0)
        case .thisLeaf: bytes.append(1)
        case .otherLeaf(let key, let value): bytes += [2] + key.bytes + value.bytes
        }
        var bitmap = [UInt8](repeating: 0, count: (depth + 7) / 8)
        for (position, sibling) in siblings.enumerated() where sibling != .zero {
            bitmap[position / 8] |= 0x80 >> UInt8(position % 8)
        }
        bytes += bitmap
        for sibling in siblings where sibling != .zero { bytes += sibling.bytes }
        return bytes
    }
}

// MARK: - Verification

extension RegisterMapProof {
    /// Whether this proves that the map with that root has exactly this row for the key.
    public func verifyPresence(key: [UInt8], row: [UInt8], root: HashValue) -> Bool {
        guard terminal == .thisLeaf else { return false }
        let hashedKey = HashValue.sha256(key)
        return climb(from: RegisterMapHash.leaf(key: hashedKey, value: .sha256(row)), along: hashedKey) == root
    }

    /// Whether this proves that the map with that root has no row for the key.
    ///
    /// It cannot hold of a root of which ``verifyPresence(key:row:root:)`` holds with another proof.
    public func verifyAbsence(key: [UInt8], root: HashValue) -> Bool {
        let hashedKey = HashValue.sha256(key)
        switch terminal {
        case .thisLeaf:
            return false
        case .empty:
            return climb(from: .zero, along: hashedKey) == root
        case .otherLeaf(let otherKey, let value):
            guard otherKey != hashedKey, otherKey.commonPrefixLength(with: hashedKey) >= depth else { return false }
            return climb(from: RegisterMapHash.leaf(key: otherKey, value: value), along: hashedKey) == root
        }
    }

    /// The root that the siblings lead to.
    private func climb(from terminal: HashValue, along key: HashValue) -> HashValue {
        var hash = terminal
        for (position, sibling) in siblings.enumerated() {
            let isRight = key.bit(depth - 1 - position)
            hash = RegisterMapHash.parent(of: hash, sibling: sibling, isRight: isRight)
        }
        return hash
    }
}

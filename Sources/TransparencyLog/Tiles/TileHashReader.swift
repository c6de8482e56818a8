/// Reads the hashes of complete subtrees from tiles, for proofs over a log that is stored or served as tiles.
///
/// A partial tile is asked for in the width that it has in the tree of the size given; a source that no longer has it
/// may answer with the full tile, or with any longer part of it. A tile is loaded once per call.
public struct TileHashReader: TreeHashReader {
    private let size: UInt64
    private let load: (TilePath) throws -> [UInt8]

    /// Reads the tree of `size` leaves through `load`, which returns a tile's bytes.
    public init(size: UInt64, load: @escaping (TilePath) throws -> [UInt8]) {
        self.size = size
        self.load = load
    }

    /// The hashes of complete nodes of the tree.
    /// - Throws: ``TransparencyLogError/Code/outOfRange`` for a node that is not complete in the tree,
    ///   ``TransparencyLogError/Code/invalidTile`` for a tile that is too short or no whole number of hashes.
    public func hashes(at nodes: [TreeNode]) throws -> [HashValue] {
        var tiles: [TilePath: [UInt8]] = [:]
        return try nodes.map { node in
            guard (0..<63).contains(node.level), node.index < size >> UInt64(node.level) else {
                throw TransparencyLogError(.outOfRange, "no such node in a tree of \(size)", at: node.description)
            }
            let height = node.level & 7
            let first = node.index << UInt64(height)
            let tileLevel = node.level >> 3
            let index = first >> 8
            let count = size >> UInt64(tileLevel * 8)
            let width = index < count >> 8 ? TilePath.fullWidth : Int(count & 255)
            let path = TilePath(content: .hashes(level: tileLevel), index: index, uncheckedWidth: width)
            if tiles[path] == nil { tiles[path] = try checked(load(path), path) }
            return Self.root(of: tiles[path] ?? [], first: Int(first & 255), count: 1 << height)
        }
    }

    private func checked(_ bytes: [UInt8], _ path: TilePath) throws -> [UInt8] {
        let widths = path.width...TilePath.fullWidth
        guard bytes.count % HashValue.byteCount == 0, widths.contains(bytes.count / HashValue.byteCount) else {
            throw TransparencyLogError(.invalidTile, "a tile has \(bytes.count) bytes", at: path.description)
        }
        return bytes
    }

    /// The root of a power of two of a tile's hashes, which are there.
    private static func root(of tile: [UInt8], first: Int, count: Int) -> HashValue {
        var hashes = tile.withUnsafeBytes { buffer in
            (first..<first + count).map { HashValue(loading: buffer, at: $0 * HashValue.byteCount) }
        }
        while hashes.count > 1 {
            hashes = stride(from: 0, to: hashes.count, by: 2).map { position in
                MerkleTree.nodeHash(hashes[position], hashes[position + 1])
            }
        }
        return hashes[0]
    }
}

import Testing
import TransparencyLog

@Suite struct TileTests {
    @Test func paths() throws {
        let examples: [(String, TilePath?)] = [
            ("tile/0/000", TilePath(.hashes(level: 0), index: 0)),
            ("tile/0/x001/x234/067", TilePath(.hashes(level: 0), index: 1_234_067)),
            ("tile/63/999.p/255", TilePath(.hashes(level: 63), index: 999, width: 255)),
            ("tile/entries/x001/000.p/1", TilePath(.entries, index: 1_000, width: 1)),
            ("tile/5/x018/x446/x744/x073/x709/x551/615", TilePath(.hashes(level: 5), index: .max)),
        ]
        for (text, path) in examples {
            #expect(try TilePath(parsing: text) == path)
            #expect(path?.description == text)
        }
        #expect(TilePath(.hashes(level: 64), index: 0) == nil)
        #expect(TilePath(.hashes(level: -1), index: 0) == nil)
        #expect(TilePath(.entries, index: 0, width: 0) == nil)
        #expect(TilePath(.entries, index: 0, width: 257) == nil)
        #expect(TilePath(.entries, index: 3, width: 9)?.full.description == "tile/entries/003")
        #expect(TilePath(.entries, index: 3)?.fullLeafRange == 768..<1_024)
        #expect(TilePath(.hashes(level: 1), index: 2)?.fullLeafRange == 131_072..<196_608)
        #expect(TilePath(.hashes(level: 63), index: 2)?.fullLeafRange == nil)
        #expect(TilePath(.hashes(level: 0), index: .max)?.fullLeafRange == nil)
    }

    @Test(arguments: [
        "", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000",
        "tile/0/x000/001", "tile/0/001/002", "tile/0/x1/002", "tile/00/000", "tile/01/000", "tile/+1/000",
        "tile/64/000", "tile/-1/000", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256",
        "tile/0/000.p/01", "tile/0/000.p/+1", "tile/0/000/p/1", "tile/0/000.p/1/", "tile/0/000.p/1.p/1", "tile/0/000/",
        "tile/0//000", "tile/Entries/000", "tile/entries", "tile/entries/../000", "tile/0/x001/../002", "tile/0/٠٠٠",
        "tile/0/x018/x446/x744/x073/x709/x551/616", "tile/0/x999/x999/x999/x999/x999/x999/x999/999", "tile/0/X001/000",
        "tile/0/000\n", "tile/0/000%2ep/1", "tile/0/000.p/١",
    ])
    func pathsAreStrict(_ text: String) {
        #expect(isRefused { _ = try TilePath(parsing: text) })
    }

    /// The example of C2SP tlog-tiles: a tree of 70,000.
    @Test func tilesOfATree() {
        let paths = TileSequence(to: 70_000, options: .withoutEntries).map(\.description)
        #expect(paths.count == 273 + 1 + 1 + 1 + 1)
        #expect(paths.suffix(4) == ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"])
        #expect(TileSequence(to: 256).map(\.description) == ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"])
        #expect(Array(TileSequence(to: 0)).isEmpty)
        #expect(Array(TileSequence(from: 5, to: 5)).isEmpty)
        #expect(Array(TileSequence(from: 6, to: 5)).isEmpty)
        var huge = TileSequence(to: .max).makeIterator()
        #expect(huge.next()?.description == "tile/entries/000")
        let top = TileSequence(from: .max - 1, to: .max)
        #expect(Array(top).count == 2)
        let last = UInt64(Int64.max)
        #expect(TileSequence(from: last - 1, to: last).map(\.width) == [255, 255])
    }

    @Test func newTilesAreTheDifference() {
        let sizes: [UInt64] = [0, 1, 2, 255, 256, 257, 511, 512, 700, 65_535, 65_536, 65_537, 66_000, 131_072]
        for oldSize in sizes {
            let former = Set(TileSequence(to: oldSize))
            for size in sizes where size >= oldSize {
                let added = Array(TileSequence(from: oldSize, to: size))
                #expect(Set(added).count == added.count)
                #expect(Set(added) == Set(TileSequence(to: size)).subtracting(former))
                let full = TileSequence(from: oldSize, to: size, options: [.withoutPartials, .withoutHashes])
                #expect(Array(full) == added.filter { !$0.isPartial && $0.content == .entries })
            }
        }
    }

    @Test func proofsFromTiles() throws {
        let size = 700
        let reference = ReferenceTree(size)
        let table = NodeTable(reference.leaves)
        var generator = Seeded(4)
        for treeSize in [1, 2, 255, 256, 257, 300, 511, 512, 513, 699, 700] {
            var loaded: [TilePath] = []
            let reader = TileHashReader(size: UInt64(treeSize)) { path in
                loaded.append(path)
                return try Self.tile(path, table)
            }
            #expect(try MerkleTree.root(size: UInt64(treeSize), reader: reader) == reference.root(0..<treeSize))
            for _ in 0..<30 {
                let index = Int.random(in: 0..<treeSize, using: &generator)
                loaded = []
                let proof = try MerkleTree.inclusionProof(
                    index: UInt64(index),
                    size: UInt64(treeSize),
                    reader: reader
                )
                #expect(proof == reference.path(index, in: 0..<treeSize))
                #expect(Set(loaded).count == loaded.count)
                #expect(Set(loaded).isSubset(of: Set(TileSequence(to: UInt64(treeSize)))))
                guard index > 0 else { continue }
                let link = try MerkleTree.consistencyProof(
                    from: UInt64(index),
                    to: UInt64(treeSize),
                    reader: reader
                )
                #expect(link == reference.proof(index, in: 0..<treeSize))
            }
        }
    }

    /// The bytes of a tile, from the nodes of a table.
    static func tile(_ path: TilePath, _ table: NodeTable) throws -> [UInt8] {
        guard case .hashes(let level) = path.content else { return [] }
        let nodes = (0..<path.width).map { TreeNode(level: level * 8, index: path.index * 256 + UInt64($0)) }
        return try table.hashes(at: nodes).flatMap(\.bytes)
    }

    @Test func damagedTilesAreRefused() throws {
        let table = NodeTable(ReferenceTree(300).leaves)
        for bytes in [
            [], [UInt8](repeating: 0, count: 31), [UInt8](repeating: 0, count: 43 * 32),
            [UInt8](repeating: 0, count: 257 * 32),
        ] {
            let reader = TileHashReader(size: 300) { _ in bytes }
            expectThrows(.invalidTile) { _ = try MerkleTree.root(size: 300, reader: reader) }
        }
        // A full tile in place of a partial one is fine.
        let reader = TileHashReader(size: 300) { path in
            let bytes = try Self.tile(path, table)
            return bytes + [UInt8](repeating: 9, count: 256 * 32 - bytes.count)
        }
        #expect(try MerkleTree.root(size: 300, reader: reader) == table.frontier.root)
        for node in [
            TreeNode(level: 0, index: 300), TreeNode(level: 8, index: 1), TreeNode(level: -1, index: 0),
            TreeNode(level: 63, index: 0), TreeNode(level: 200, index: 0), TreeNode(level: 1, index: .max),
        ] {
            expectThrows(.outOfRange) { _ = try reader.hashes(at: [node]) }
        }
    }

    @Test func bundles() throws {
        let entries: [[UInt8]] = [[], [1], [UInt8](repeating: 2, count: 255), [UInt8](repeating: 3, count: 65_535)]
        let bytes = try EntryBundle.encode(entries)
        #expect(bytes.starts(with: [0, 0, 0, 1, 1, 0, 255]))
        #expect(try EntryBundle.decode(bytes) == entries)
        #expect(try EntryBundle.ranges(in: bytes) == [2..<2, 4..<5, 7..<262, 264..<65_799])
        #expect(try EntryBundle.leafHashes(of: bytes) == entries.map { MerkleTree.leafHash($0) })
        #expect(try EntryBundle.decode([]) == [])
        expectThrows(.invalidEntryBundle) {
            _ = try EntryBundle.encode([[UInt8](repeating: 3, count: 65_536)])
        }
        let small = try EntryBundle.encode([[], [1], [2, 3]])
        let ends = [0, 2, 5, 9]
        for count in 0...small.count {
            let part = Array(small[..<count])
            #expect(isRefused { _ = try EntryBundle.decode(part) } == !ends.contains(count))
        }
        let full = try EntryBundle.encode([[UInt8]](repeating: [7], count: 256))
        #expect(try EntryBundle.decode(full).count == 256)
        expectThrows(.limitExceeded) { _ = try EntryBundle.decode(full + [0, 0]) }
        expectThrows(.limitExceeded) { _ = try EntryBundle.ranges(in: small, limit: 2) }
        #expect(try EntryBundle.decode(full + full, limit: 512).count == 512)
        #expect(MerkleTree.leafHash(small[4..<5]) == MerkleTree.leafHash([1]))
    }
}

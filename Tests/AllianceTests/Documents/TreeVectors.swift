import TransparencyLog

@testable import Alliance

/// A tree of the entries `entry 0`, `entry 1` and so on, hashed as RFC 6962 defines it.
private struct SampleTree: TreeHashReader {
    static func entry(_ index: Int) -> [UInt8] { Array("entry \(index)".utf8) }

    func hashes(at nodes: [TreeNode]) -> [HashValue] {
        nodes.map { node in
            let width = 1 << node.level
            return Self.root(Int(node.index) * width..<(Int(node.index) + 1) * width)
        }
    }

    /// The recursive definition, independent of the code that makes proofs.
    static func root(_ range: Range<Int>) -> HashValue {
        switch range.count {
        case 0: return MerkleTree.emptyRoot
        case 1: return HashValue.sha256([0] + entry(range.lowerBound))
        default:
            var left = 1
            while left * 2 < range.count { left *= 2 }
            let middle = range.lowerBound + left
            return HashValue.sha256(
                [1] + root(range.lowerBound..<middle).bytes + root(middle..<range.upperBound).bytes)
        }
    }
}

extension VectorFile {
    static let trees = VectorFile(
        name: "trees",
        about: """
            Merkle trees (notes-and-trees.md, section 5) over entries `entry 0`, `entry 1`, …: roots, inclusion and \
            consistency proofs. Hashes are base64.
            """
    ) {
        let tree = SampleTree()
        let sizes = Array(0...17) + [255, 256, 257, 300]
        let roots: [JSONValue] = try sizes.map { size in
            let root = try MerkleTree.root(size: UInt64(size), reader: tree)
            try VectorError.require(root == SampleTree.root(0..<size), "the root of \(size)")
            return ["size": .integer(Int64(size)), "root": .string(root.base64)]
        }
        return [
            "leaves": .array(
                (0..<3).map { index in
                    [
                        "entry": text(SampleTree.entry(index)),
                        "hash": .string(MerkleTree.leafHash(SampleTree.entry(index)).base64),
                    ]
                }), "roots": .array(roots), "inclusion": .array(try inclusion(tree)),
            "consistency": .array(try consistency(tree)),
        ]
    }

    private static func inclusion(_ tree: SampleTree) throws -> [JSONValue] {
        var cases: [JSONValue] = []
        for (index, size) in [(0, 1), (0, 2), (1, 2), (2, 3), (4, 7), (6, 7), (0, 8), (7, 8), (12, 13), (299, 300)] {
            let proof = try MerkleTree.inclusionProof(index: UInt64(index), size: UInt64(size), reader: tree)
            func input(_ index: Int, _ proof: [HashValue]) -> JSONObject {
                ["index": .integer(Int64(index)), "size": .integer(Int64(size)), "proof": base64(proof)]
            }
            func verifies(_ index: Int, _ proof: [HashValue]) -> Bool {
                MerkleTree.verifyInclusion(
                    leaf: MerkleTree.leafHash(SampleTree.entry(index)), index: UInt64(index), size: UInt64(size),
                    proof: proof, root: SampleTree.root(0..<size))
            }
            try VectorError.require(verifies(index, proof), "inclusion of \(index) in \(size)")
            cases.append(accepted(input(index, proof)))
            guard size == 7 else { continue }
            let wrong: [(Int, [HashValue], String)] = [
                (index - 1, proof, "the proof of another index"), (index, proof.dropLast(), "a hash is missing"),
                (index, proof + [.zero], "a hash too many"), (index, proof.reversed(), "another order"),
            ]
            for (index, proof, why) in wrong {
                try VectorError.require(!verifies(index, proof), why)
                cases.append(refused(input(index, proof), why))
            }
        }
        return cases
    }

    private static func consistency(_ tree: SampleTree) throws -> [JSONValue] {
        var cases: [JSONValue] = []
        for (old, size) in [(0, 8), (1, 1), (1, 2), (2, 3), (3, 7), (4, 8), (6, 8), (8, 8), (8, 13), (256, 300)] {
            let proof = try MerkleTree.consistencyProof(from: UInt64(old), to: UInt64(size), reader: tree)
            func input(_ old: Int, _ proof: [HashValue]) -> JSONObject {
                ["from": .integer(Int64(old)), "size": .integer(Int64(size)), "proof": base64(proof)]
            }
            func verifies(_ old: Int, _ proof: [HashValue]) -> Bool {
                MerkleTree.verifyConsistency(
                    from: UInt64(old), root: SampleTree.root(0..<old), to: UInt64(size),
                    root: SampleTree.root(0..<size), proof: proof)
            }
            try VectorError.require(verifies(old, proof), "consistency of \(old) and \(size)")
            cases.append(accepted(input(old, proof)))
            let wrong: [(Int, [HashValue], String)] =
                switch (old, size) {
                case (3, 7):
                    [
                        (2, proof, "the proof of another size"), (old, proof.dropLast(), "a hash is missing"),
                        (old, proof + [.zero], "a hash too many"),
                    ]
                case (0, 8), (8, 8): [(old, [.zero], "a proof where none is due")]
                default: []
                }
            for (old, proof, why) in wrong {
                try VectorError.require(!verifies(old, proof), why)
                cases.append(refused(input(old, proof), why))
            }
        }
        return cases
    }

    static let tiles = VectorFile(
        name: "tiles",
        about: "Paths of tiles and bundles of entries (notes-and-trees.md, section 6). level -1 is a bundle of entries."
    ) {
        let good = [
            "tile/0/000", "tile/0/x001/x234/067", "tile/1/000.p/1", "tile/63/999.p/255", "tile/entries/000",
            "tile/entries/x001/000.p/17",
        ]
        let wrong = [
            ("tile/0/0", "not three digits"), ("tile/64/000", "no such level"), ("tile/0/000.p/0", "no such width"),
            ("tile/0/000.p/256", "a full tile has no width"), ("tile/0/x000/001", "a superfluous group"),
            ("tile/00/000", "a leading zero"), ("tile/0/001/067", "a group without x"), ("/tile/0/000", "a slash"),
        ]
        var paths: [JSONValue] = []
        for path in good {
            let tile = try TilePath(parsing: path)
            let level: Int64 = if case .hashes(let level) = tile.content { Int64(level) } else { -1 }
            paths.append(
                accepted([
                    "path": .string(path), "level": .integer(level), "index": .integer(Int64(tile.index)),
                    "width": .integer(Int64(tile.width)),
                ]))
        }
        for (path, why) in wrong {
            try VectorError.require((try? TilePath(parsing: path)) == nil, why)
            paths.append(refused(["path": .string(path)], why))
        }
        let entries = (0..<3).map(SampleTree.entry)
        let bundle = try EntryBundle.encode(entries)
        let broken: [([UInt8], String)] = [
            (bundle.dropLast(), "the last entry is cut off"), (bundle + [0], "half a length"),
        ]
        return [
            "paths": .array(paths),
            "bundles": .array(
                try [accepted(["bundle": hex(bundle), "entries": .array(entries.map { text($0) })])]
                    + broken.map { bytes, why in
                        try VectorError.require((try? EntryBundle.decode(Array(bytes))) == nil, why)
                        return refused(["bundle": hex(bytes)], why)
                    }),
        ]
    }
}

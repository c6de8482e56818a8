import Testing
import TransparencyLog

@Suite struct TreeTests {
    static let largest = 300
    let reference = ReferenceTree(TreeTests.largest)
    let table: NodeTable

    init() {
        table = NodeTable(reference.leaves)
    }

    @Test func rootsAndFrontiers() throws {
        var frontier = TreeFrontier()
        #expect(frontier.root == MerkleTree.emptyRoot)
        #expect(MerkleTree.emptyRoot.hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        for size in 0...Self.largest {
            #expect(frontier.size == UInt64(size))
            #expect(frontier.root == reference.root(0..<size))
            #expect(try TreeFrontier(size: frontier.size, hashes: frontier.hashes) == frontier)
            #expect(try MerkleTree.frontier(size: UInt64(size), reader: table) == frontier)
            #expect(try MerkleTree.root(size: UInt64(size), reader: table) == frontier.root)
            if size < Self.largest { frontier.append(reference.leaves[size]) }
        }
    }

    @Test func completedNodes() {
        var count = 0
        for (node, hash) in table.nodes {
            let width = 1 << node.level
            #expect(hash == reference.root(Int(node.index) * width..<(Int(node.index) + 1) * width))
            count += 1
        }
        #expect(count == (0...8).reduce(0) { $0 + Self.largest >> $1 })
    }

    @Test func aThrowingCallbackLeavesTheFrontier() throws {
        var frontier = TreeFrontier()
        for leaf in reference.leaves[..<7] { frontier.append(leaf) }
        let before = frontier
        expectThrows(.wrongRead) {
            try frontier.append(reference.leaves[7]) { level, _, _ in
                if level == 2 { throw TransparencyLogError(.wrongRead, "") }
            }
        }
        #expect(frontier == before)
    }

    @Test func everyInclusionProof() throws {
        var generator = Seeded(2)
        for size in 1...Self.largest {
            let root = reference.root(0..<size)
            for index in 0..<size {
                let proof = try MerkleTree.inclusionProof(index: UInt64(index), size: UInt64(size), reader: table)
                #expect(proof == reference.path(index, in: 0..<size))
                let leaf = reference.leaves[index]
                func verifies(_ proof: [HashValue], leaf: HashValue, index: Int, size: Int, root: HashValue) -> Bool {
                    MerkleTree.verifyInclusion(
                        leaf: leaf,
                        index: UInt64(index),
                        size: UInt64(size),
                        proof: proof,
                        root: root
                    )
                }
                #expect(verifies(proof, leaf: leaf, index: index, size: size, root: root))
                guard size < 20 || generator.next() % 64 == 0 else { continue }
                let bit = Int.random(in: 0..<256, using: &generator)
                #expect(!verifies(proof, leaf: leaf.flipping(bit: bit), index: index, size: size, root: root))
                #expect(!verifies(proof, leaf: leaf, index: index, size: size, root: root.flipping(bit: bit)))
                #expect(!verifies(proof + [.zero], leaf: leaf, index: index, size: size, root: root))
                #expect(!verifies([leaf] + proof, leaf: leaf, index: index, size: size, root: root))
                #expect(!verifies(proof, leaf: leaf, index: index ^ 1, size: size, root: root) || size == 1)
                #expect(!verifies(proof, leaf: leaf, index: size, size: size, root: root))
                for position in proof.indices {
                    var changed = proof
                    changed[position] = proof[position].flipping(bit: bit)
                    #expect(!verifies(changed, leaf: leaf, index: index, size: size, root: root))
                    changed = proof
                    changed.remove(at: position)
                    #expect(!verifies(changed, leaf: leaf, index: index, size: size, root: root))
                }
            }
        }
    }

    @Test func everyConsistencyProof() throws {
        var generator = Seeded(3)
        for size in 0...Self.largest {
            let root = reference.root(0..<size)
            for oldSize in 0...size {
                let proof = try MerkleTree.consistencyProof(
                    from: UInt64(oldSize),
                    to: UInt64(size),
                    reader: table
                )
                let isTrivial = oldSize == 0 || oldSize == size
                #expect(proof == (isTrivial ? [] : reference.proof(oldSize, in: 0..<size)))
                let oldRoot = reference.root(0..<oldSize)
                func verifies(_ proof: [HashValue], _ from: HashValue, _ to: HashValue) -> Bool {
                    MerkleTree.verifyConsistency(
                        from: UInt64(oldSize),
                        root: from,
                        to: UInt64(size),
                        root: to,
                        proof: proof
                    )
                }
                #expect(verifies(proof, oldRoot, root))
                guard size < 20 || generator.next() % 64 == 0 else { continue }
                let bit = Int.random(in: 0..<256, using: &generator)
                #expect(!verifies(proof, oldRoot.flipping(bit: bit), root))
                // From the empty tree every tree follows; a proof says nothing of its root.
                #expect(!verifies(proof, oldRoot, root.flipping(bit: bit)) || (oldSize == 0 && size > 0))
                #expect(!verifies(proof + [.zero], oldRoot, root))
                for position in proof.indices {
                    var changed = proof
                    changed[position] = proof[position].flipping(bit: bit)
                    #expect(!verifies(changed, oldRoot, root))
                    changed = proof
                    changed.remove(at: position)
                    #expect(!verifies(changed, oldRoot, root))
                }
            }
        }
    }

    @Test func everyBitOfSmallProofs() throws {
        for (oldSize, size) in [(1, 2), (3, 7), (6, 8), (5, 13)] {
            let root = reference.root(0..<size)
            let proof = try MerkleTree.inclusionProof(index: UInt64(oldSize), size: UInt64(size), reader: table)
            let link = try MerkleTree.consistencyProof(from: UInt64(oldSize), to: UInt64(size), reader: table)
            for bit in 0..<256 {
                for position in proof.indices {
                    var changed = proof
                    changed[position] = changed[position].flipping(bit: bit)
                    #expect(
                        !MerkleTree.verifyInclusion(
                            leaf: reference.leaves[oldSize],
                            index: UInt64(oldSize),
                            size: UInt64(size),
                            proof: changed,
                            root: root
                        )
                    )
                }
                for position in link.indices {
                    var changed = link
                    changed[position] = changed[position].flipping(bit: bit)
                    #expect(
                        !MerkleTree.verifyConsistency(
                            from: UInt64(oldSize),
                            root: reference.root(0..<oldSize),
                            to: UInt64(size),
                            root: root,
                            proof: changed
                        )
                    )
                }
            }
        }
    }

    @Test func wrongAndHugeNumbersAreRefused() throws {
        expectThrows(.outOfRange) { _ = try MerkleTree.inclusionProof(index: 5, size: 5, reader: table) }
        expectThrows(.outOfRange) { _ = try MerkleTree.inclusionProof(index: 0, size: 1 << 63, reader: table) }
        expectThrows(.outOfRange) { _ = try MerkleTree.consistencyProof(from: 6, to: 5, reader: table) }
        expectThrows(.outOfRange) { _ = try MerkleTree.frontier(size: .max, reader: table) }
        // The table answers with what it has, which is less than was asked for.
        expectThrows(.wrongRead) { _ = try MerkleTree.inclusionProof(index: 0, size: 1 << 62 + 1, reader: table) }
        expectThrows(.wrongRead) { _ = try MerkleTree.root(size: UInt64(Int64.max), reader: table) }
        let some = [HashValue](repeating: .zero, count: 70)
        for size in [1 << 62, UInt64(Int64.max), 1 << 63, .max] {
            for count in [0, 1, 62, 63, 64, 65] {
                let proof = Array(some[..<count])
                for other in [0, 1, size / 2, size - 1, size] {
                    #expect(
                        !MerkleTree.verifyInclusion(
                            leaf: .zero,
                            index: other,
                            size: size,
                            proof: proof,
                            root: .zero
                        )
                    )
                    let isSame = other == size && count == 0 && size < 1 << 63
                    #expect(
                        MerkleTree.verifyConsistency(
                            from: other,
                            root: .zero,
                            to: size,
                            root: .zero,
                            proof: proof
                        ) == isSame
                    )
                }
            }
        }
        expectThrows(.invalidTree) { _ = try TreeFrontier(size: 3, hashes: [.zero]) }
        expectThrows(.invalidTree) { _ = try TreeFrontier(size: 1 << 63, hashes: [.zero]) }
        var edge = try TreeFrontier(size: UInt64(Int64.max), hashes: Array(some[..<63]))
        edge.append(.zero)
        #expect(edge.hashes.count == 1)
    }

    @Test func consistencyWithTheEmptyTree() {
        let root = reference.root(0..<5)
        let empty = MerkleTree.emptyRoot
        #expect(MerkleTree.verifyConsistency(from: 0, root: empty, to: 5, root: root, proof: []))
        #expect(!MerkleTree.verifyConsistency(from: 0, root: empty, to: 5, root: root, proof: [root]))
        #expect(!MerkleTree.verifyConsistency(from: 0, root: root, to: 5, root: root, proof: []))
        #expect(!MerkleTree.verifyConsistency(from: 0, root: root, to: 0, root: root, proof: []))
        #expect(!MerkleTree.verifyConsistency(from: 5, root: root, to: 4, root: root, proof: []))
    }
}

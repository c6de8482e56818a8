import Alliance
import Replication
import TestSupport
import Testing
import TransparencyLog

@testable import Store

@Suite("Store: what it serves equals recomputation from the entries")
struct ServingTests {
    /// 700 entries in four batches, most of them no statements.
    private func log(_ alliance: TestAlliance) throws -> (log: MemoryLog, batches: [[[UInt8]]]) {
        var log = try alliance.log()
        try log.begin()
        var batches = [log.entries]
        for (number, count) in [250, 8, 437].enumerated() {
            let start = log.entries.count
            try log.publish((1..<count).map { Array("entry \(number) \($0)".utf8) })
            batches.append(Array(log.entries[start...]))
        }
        return (log, batches)
    }

    /// The root of entries, by the definition of RFC 6962.
    private func root(_ leaves: ArraySlice<HashValue>) -> HashValue {
        guard leaves.count > 1 else { return leaves.first ?? MerkleTree.emptyRoot }
        var split = 1
        while split * 2 < leaves.count { split *= 2 }
        return MerkleTree.nodeHash(
            root(leaves[..<(leaves.startIndex + split)]), root(leaves[(leaves.startIndex + split)...]))
    }

    @Test("Tiles, bundles, roots and consistency proofs")
    func tiles() async throws {
        try await withStore { store, alliance in
            let (log, batches) = try log(alliance)
            for batch in batches { try await store.follow(log, [batch]) }
            let name = log.member.log.name
            let size = UInt64(log.entries.count)
            let leaves = log.entries.map { MerkleTree.leafHash($0) }
            var count = 0
            for path in TileSequence(to: size) {
                count += 1
                let bytes = try #require(try await store.tile(path, of: name))
                switch path.content {
                case .entries:
                    let start = Int(path.index) * 256
                    #expect(bytes == (try EntryBundle.encode(log.entries[start..<start + path.width])))
                case .hashes(let level):
                    var width = 1
                    for _ in 0..<level { width *= 256 }
                    let expected = (0..<path.width).flatMap { slot in
                        let start = (Int(path.index) * 256 + slot) * width
                        return root(leaves[start..<start + width]).bytes
                    }
                    #expect(bytes == expected)
                }
            }
            #expect(count == 7)
            for size in [0, 1, 7, 255, 256, 257, 600, leaves.count] {
                #expect(try await store.root(of: name, at: UInt64(size)) == root(leaves[..<size]))
            }
            for (from, to) in [(1, 700), (255, 257), (256, 512), (300, 300)] where to <= leaves.count {
                let proof = try await store.consistencyProof(of: name, from: UInt64(from), to: UInt64(to))
                #expect(
                    MerkleTree.verifyConsistency(
                        from: UInt64(from), root: root(leaves[..<from]), to: UInt64(to), root: root(leaves[..<to]),
                        proof: proof))
            }
            let head = try #require(try await store.checkpoints(of: name).head)
            #expect(head.root == root(leaves[...]) && head.size == size)
        }
    }

    @Test("What the tree does not have is nothing, whatever number stands in the path")
    func noSuchTile() async throws {
        try await withStore { store, alliance in
            let (log, batches) = try log(alliance)
            try await store.follow(log, batches)
            let name = log.member.log.name
            for path in [
                "tile/0/003", "tile/0/002.p/255", "tile/1/001", "tile/2/000", "tile/8/000", "tile/63/000",
                "tile/entries/003", "tile/entries/002.p/255",
                // 2^44, where numbers of level 0 would run into level 1 and other logs, and the largest numbers.
                "tile/0/x017/x592/x186/x044/416", "tile/0/x281/x474/x976/x710/656",
                "tile/0/x009/x223/x372/x036/x854/x775/808", "tile/0/x018/x446/x744/x073/x709/x551/615",
                "tile/7/x018/x446/x744/x073/x709/x551/615", "tile/entries/x018/x446/x744/x073/x709/x551/615",
            ] {
                #expect(try await store.tile(TilePath(parsing: path), of: name) == nil, "\(path)")
            }
            await #expect(throws: StoreError.self) { try await store.root(of: name, at: 100_000) }
            await #expect(throws: StoreError.self) { try await store.consistencyProof(of: name, from: 5, to: 4) }
            await #expect(throws: StoreError.self) { try await store.entries(of: name, in: 0..<100_000) }
        }
    }

    @Test("Ranges are whole batches, whose proofs lead from what a peer has to the head")
    func ranges() async throws {
        try await withStore { store, alliance in
            let (log, batches) = try log(alliance)
            try await store.follow(log, batches)
            let name = log.member.log.name
            let head = try log.head().checkpoint
            var ends: [UInt64] = [0]
            for batch in batches { ends.append(ends[ends.count - 1] + UInt64(batch.count)) }
            for from in ends.dropLast() {
                for to in ends where to > from {
                    let range = try await store.range(of: name, from: from, headSize: to)
                    #expect(range.from == from && range.to == to && range.entries.count == Int(to - from))
                    let headAt = try log.head(Int(to)).checkpoint
                    let answer = try RangeAnswer(
                        from: from, to: range.to, remainderProof: range.proof,
                        entries: EntryBundle.encodeAll(range.entries))
                    var frontier = TreeFrontier()
                    for entry in log.entries[..<Int(from)] { frontier.append(MerkleTree.leafHash(entry)) }
                    let reached = try verifyRange(
                        frontier: frontier, answer: answer, leafHashes: range.entries.map { MerkleTree.leafHash($0) },
                        head: headAt)
                    #expect(reached.root == headAt.root)
                }
            }
            for (from, size) in [(head.size, head.size), (0, head.size + 1), (5, 3), (.max, .max)] {
                let error = await #expect(throws: StoreError.self) {
                    try await store.range(of: name, from: from, headSize: size)
                }
                #expect(error?.code == .unknown)
            }
        }
    }

    @Test("A range ends behind the batch that reaches its aim, and its proof leads on to the head")
    func longRanges() async throws {
        try await withStore { store, alliance in
            var log = try alliance.log()
            try log.begin()
            var batches = [log.entries]
            for number in 0..<3 {
                let start = log.entries.count
                try log.publish((0..<60).map { Array("\(number) \($0) ".utf8) + Array(repeating: 0x41, count: 60_000) })
                batches.append(Array(log.entries[start...]))
            }
            try await store.follow(log, batches)
            let head = try log.head().checkpoint
            var frontier = TreeFrontier()
            var rounds = 0
            while frontier.size < head.size {
                let range = try await store.range(of: log.member.log.name, from: frontier.size, headSize: head.size)
                #expect(range.entries.last?.starts(with: StateLeaf.familyPrefix) == true)
                // No batch is begun once the aim is reached.
                let last = range.entries.dropLast().lastIndex { $0.starts(with: StateLeaf.familyPrefix) } ?? 0
                #expect(range.entries[..<last].reduce(0) { $0 + $1.count + 2 } < Store.rangeByteAim)
                let answer = try RangeAnswer(
                    from: range.from, to: range.to, remainderProof: range.proof,
                    entries: EntryBundle.encodeAll(range.entries))
                frontier = try verifyRange(
                    frontier: frontier, answer: answer, leafHashes: range.entries.map { MerkleTree.leafHash($0) },
                    head: head)
                rounds += 1
            }
            #expect(rounds > 1)
            #expect(frontier.root == head.root)
        }
    }
}

extension EntryBundle {
    static func encodeAll(_ entries: [[UInt8]]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries { try append(entry, to: &bytes) }
        return bytes
    }
}

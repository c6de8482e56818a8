import Replication
import TransparencyLog

/// A log as it is durable on one node: entries, the tree over them, and the notes that go with it.
struct SimulatedLog {
    private(set) var entries: [[UInt8]] = []
    private(set) var frontier = TreeFrontier()
    /// All complete nodes: level, then index.
    private var levels: [[HashValue]] = []
    /// The root at every size.
    private(set) var roots: [HashValue] = [MerkleTree.emptyRoot]

    var head: [UInt8] = []
    var acceptedSize: UInt64 = 0
    var isTrustworthy = true
    var isContradicted = false
    /// What this node has cosigned of it, in order.
    var cosigned: [(size: UInt64, root: HashValue)] = []

    var size: UInt64 { frontier.size }
    var root: HashValue { frontier.root }

    mutating func append(_ new: [[UInt8]]) {
        for entry in new {
            entries.append(entry)
            var completed: [(Int, HashValue)] = []
            frontier.append(MerkleTree.leafHash(entry)) { level, _, hash in completed.append((level, hash)) }
            for (level, hash) in completed {
                if level == levels.count { levels.append([]) }
                levels[level].append(hash)
            }
            roots.append(frontier.root)
        }
    }

    /// Whether the tree has this root at this size.
    func has(_ size: UInt64, _ root: HashValue) -> Bool {
        size <= self.size && roots[Int(size)] == root
    }

    /// Answers a request for entries: so many at most, up to the end of a batch where one ends.
    func answer(from: UInt64, headSize: UInt64, limit: Int) -> RangeAnswer? {
        guard from < headSize, headSize <= size else { return nil }
        let furthest = min(headSize, from + UInt64(limit))
        var to = furthest
        while to > from && !StateLeaf.isStateLeaf(entries[Int(to) - 1]) { to -= 1 }
        if to == from { to = furthest }
        guard let bundle = try? EntryBundle.encode(entries[Int(from)..<Int(to)]),
            let before = try? MerkleTree.consistencyProof(from: from, to: headSize, reader: self),
            let after = try? MerkleTree.consistencyProof(from: to, to: headSize, reader: self)
        else { return nil }
        return try? RangeAnswer(from: from, to: to, extensionProof: before, remainderProof: after, entries: bundle)
    }

    /// Adds cosignatures to the stored head's note, if it is of that checkpoint: one a key, the newest.
    mutating func keep(_ lines: [NoteSignature], checkpoint: [UInt8]) {
        guard let note = try? SignedNote(parsing: head), note.text == checkpoint else { return }
        var kept = note.signatures
        for line in lines {
            kept.removeAll { $0.name == line.name && $0.keyID == line.keyID && Self.time($0) <= Self.time(line) }
            if !kept.contains(where: { $0.name == line.name && $0.keyID == line.keyID }) { kept.append(line) }
        }
        if let renewed = try? SignedNote(text: note.text, signatures: kept) { head = renewed.bytes }
    }

    private static func time(_ line: NoteSignature) -> UInt64 {
        (try? Cosignature(parsing: line).timestamp) ?? 0
    }
}

extension SimulatedLog: TreeHashReader {
    func hashes(at nodes: [TreeNode]) throws -> [HashValue] {
        nodes.map { levels[$0.level][Int($0.index)] }
    }
}

import TransparencyLog

/// What must never change, recorded beside the run: the one telling of each honest log.
struct Ledger {
    /// The roots of each honest node's own log at every size that was ever durable.
    private var roots: [[HashValue]] = []
    /// The heads that honest nodes signed: node, size, root.
    private var heads: [(node: Int, size: UInt64, root: HashValue)] = []

    mutating func extend(_ node: Int, with log: SimulatedLog) -> Bool {
        while roots.count <= node { roots.append([]) }
        let known = roots[node]
        guard log.roots.count >= known.count, Array(log.roots[..<known.count]) == known else { return false }
        roots[node] = log.roots
        return true
    }

    func root(_ node: Int, at size: UInt64) -> HashValue? {
        guard node < roots.count, size < UInt64(roots[node].count) else { return nil }
        return roots[node][Int(size)]
    }

    mutating func signed(_ node: Int, _ head: Checkpoint) -> Bool {
        if let before = heads.first(where: { $0.node == node && $0.size == head.size }) {
            return before.root == head.root
        }
        heads.append((node, head.size, head.root))
        return true
    }
}

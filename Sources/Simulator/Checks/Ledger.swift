import Alliance
import Replication
import TransparencyLog

/// What must never change, recorded beside the run.
struct Ledger {
    /// What two honest nodes must agree on: one state of one log.
    struct State: Hashable {
        let origin: Int
        let size: UInt64
        let root: HashValue
        /// What is decided of the charters.
        let charters: HashValue
    }

    /// The roots of each honest node's own log at every size that was ever published.
    private var roots: [[HashValue]]
    /// What each honest replica cosigned last, by node and log.
    private var receipts: [[Int: (size: UInt64, root: HashValue)]]
    /// Who cosigned which heads, by log.
    private var cosigners: [Int: [CosignedHead: Set<Int>]] = [:]
    /// The heads that a quorum cosigned, by log.
    private var finals: [Int: [FinalHead]] = [:]
    /// The logs that each honest node has evidence against.
    private(set) var evidence: [Set<Int>]
    /// The cosignatures that were really made.
    private var genuine: Set<[UInt8]> = []
    /// The view of each state of each log, as the first honest node derived it.
    private var views: [State: HashValue] = [:]
    /// The charters that each node has acted upon.
    private var charters: [Set<HashValue>]
    /// What is decided where these charters are known, as the first node found it.
    private var decisions: [HashValue: HashValue] = [:]

    init(nodes: Int) {
        roots = Array(repeating: [MerkleTree.emptyRoot], count: nodes)
        receipts = Array(repeating: [:], count: nodes)
        evidence = Array(repeating: [], count: nodes)
        charters = Array(repeating: [], count: nodes)
    }

    // MARK: Publications

    /// An honest node's own log as it is now; false if it does not begin with all that was published before.
    mutating func extend(_ node: Int, with log: SimulatedLog) -> Bool {
        let known = roots[node]
        guard log.roots.count >= known.count, log.roots[known.count - 1] == known[known.count - 1] else { return false }
        roots[node] = log.roots
        return true
    }

    /// A node's disk was put back: what it cosigned and knew against others is forgotten there.
    mutating func forget(_ node: Int) {
        receipts[node] = [:]
        evidence[node] = []
        for origin in cosigners.keys {
            cosigners[origin] = cosigners[origin]?.mapValues { $0.subtracting([node]) }
        }
    }

    /// A copy of a node was made: what it cosigned and knows is what its disk says.
    mutating func addCopy(of node: Int, isOld: Bool) {
        roots.append([MerkleTree.emptyRoot])
        receipts.append(isOld ? [:] : receipts[node])
        evidence.append(isOld ? [] : evidence[node])
        charters.append(charters[node])
    }

    /// What was published and never reached anybody is gone with its disk: the log goes on without it.
    mutating func goesOn(_ node: Int, with log: SimulatedLog) { roots[node] = log.roots }

    func root(_ node: Int, at size: UInt64) -> HashValue? {
        size < UInt64(roots[node].count) ? roots[node][Int(size)] : nil
    }

    func published(by node: Int) -> UInt64 { UInt64(roots[node].count - 1) }

    // MARK: Cosignatures

    /// A cosignature was made; perhaps nobody will ever see it.
    mutating func made(_ line: NoteSignature) { genuine.insert(line.signature) }

    /// A cosignature is durable, and leaves its node.
    mutating func cosigned(_ head: Checkpoint, _ origin: Int, by node: Int) {
        receipts[node][origin] = (head.size, head.root)
        cosigners[origin, default: [:]][CosignedHead(size: head.size, root: head.root), default: []].insert(node)
    }

    /// The nodes that cosigned a head.
    func cosigners(of origin: Int, _ head: Checkpoint) -> Set<Int> {
        cosigners[origin]?[CosignedHead(size: head.size, root: head.root)] ?? []
    }

    /// The heads of a log that had a quorum at some moment.
    func finals(of origin: Int) -> [FinalHead] { finals[origin] ?? [] }

    /// Takes note of a head with a quorum.
    ///
    /// - Returns: one that contradicts it, if it is new.
    mutating func add(_ head: FinalHead, of origin: Int) -> FinalHead? {
        let known = finals(of: origin)
        guard !known.contains(where: { $0.size == head.size && $0.root == head.root }) else { return nil }
        finals[origin] = known + [head]
        return known.first { !$0.agrees(with: head) }
    }

    /// A head that replicas cosigned.
    struct CosignedHead: Hashable {
        let size: UInt64
        let root: HashValue
    }

    /// The heads of a log that at least so many of these nodes cosigned, by size.
    func heads(of origin: Int, cosignedBy nodes: Set<Int>, _ needed: Int) -> [CosignedHead] {
        (cosigners[origin] ?? [:]).filter { $0.value.intersection(nodes).count >= needed }.keys
            .sorted { ($0.size, $0.root) < ($1.size, $1.root) }
    }

    func receipt(of origin: Int, by node: Int) -> (size: UInt64, root: HashValue)? { receipts[node][origin] }

    func isGenuine(_ line: NoteSignature) -> Bool { genuine.contains(line.signature) }

    // MARK: Charters

    /// A node acts on charters: it must know them for ever.
    mutating func actsOn(_ chain: CharterChain, _ node: Int) { charters[node].formUnion(chain.all.map(\.digest)) }

    func hasLost(_ chain: CharterChain, _ node: Int) -> Bool { !charters[node].isSubset(of: chain.all.map(\.digest)) }

    /// Takes note of what is decided; false if the same charters led to something else at another node.
    mutating func agrees(on held: HeldCharters) -> Bool {
        guard let known = decisions[held.digest] else {
            decisions[held.digest] = held.decided
            return true
        }
        return known == held.decided
    }

    // MARK: Evidence and views

    mutating func convicted(_ origin: Int, by node: Int) { evidence[node].insert(origin) }

    /// Takes note of a view; false if another node had another one of the same state.
    mutating func agrees(on view: HashValue, of state: State) -> Bool {
        guard let known = views[state] else {
            views[state] = view
            return true
        }
        return known == view
    }
}

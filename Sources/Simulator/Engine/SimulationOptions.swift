/// What a run is made of; everything else comes from the seed.
struct SimulationOptions: Sendable {
    /// The number of nodes, one a member; nil: drawn, 3 to 40.
    var nodes: Int?
    /// How many of them misbehave, at most; which, and how, is drawn; nil: drawn.
    var byzantine: Int?
    /// How long things go wrong; milliseconds.
    var chaos: Int64 = 10_000
    /// Within how long everything must agree once nothing goes wrong any more; milliseconds; nil: ``Bounds``.
    var bound: Int64?
    /// nil: drawn.
    var faults: Faults?
    /// nil: drawn.
    var topology: Topology?
    /// How the misbehaving nodes misbehave; nil: drawn.
    var misbehaviours: [Misbehaviour]?
    /// Whether an honest member publishes without end; nil: drawn.
    var spams: Bool?
    /// How often the regulators meet to change the charter; nil: drawn, never in half of the runs.
    var charters: Int?
    /// How often a node's disk is put back to what it held before; nil: drawn, never in three of four runs.
    var restores: Int?
    /// How often a copy of one member's node is started beside it, at most 3; nil: drawn, rarely.
    var twins: Int?
    /// How many members collude with one that forks its log, also more than the charter allows for; nil: drawn, rarely, and
    /// never so many.
    var colluders: Int?
    /// How many cosignatures make a quorum; nil: as few as a charter may ask for.
    var quorum: Int?
    /// A mistake that the nodes' shells make.
    var shellBug: ShellBug?
    /// Whether every line of the trace is kept, besides its digest.
    var keepsTrace = false

    /// Where members collude, nothing else is to blame for what becomes of it.
    var completed: SimulationOptions {
        guard colluders != nil else { return self }
        var options = self
        (options.charters, options.restores, options.twins, options.byzantine) = (0, 0, 0, 0)
        return options
    }
}

/// Which nodes connect to which.
enum Topology: String, CaseIterable, Sendable {
    /// Everyone to everyone.
    case mesh
    /// Each to the next.
    case line
    /// All to the first.
    case star
    /// Each to the next two, round.
    case ring

    func connects(_ a: Int, _ b: Int, of count: Int) -> Bool {
        switch self {
        case .mesh: true
        case .line: abs(a - b) == 1
        case .star: min(a, b) == 0
        case .ring: [1, 2, count - 1, count - 2].contains(abs(a - b))
        }
    }

    /// The longest of the shortest ways between some nodes by themselves; nil where they are not all connected.
    func diameter(of part: [Int], of count: Int) -> Int? {
        var longest = 0
        for start in part {
            var distances: [Int?] = Array(repeating: nil, count: count)
            distances[start] = 0
            var queue = [start]
            while let node = queue.first, let distance = distances[node] {
                queue.removeFirst()
                longest = max(longest, distance)
                for next in part where distances[next] == nil && connects(node, next, of: count) {
                    distances[next] = distance + 1
                    queue.append(next)
                }
            }
            guard part.allSatisfy({ distances[$0] != nil }) else { return nil }
        }
        return longest
    }
}

/// Within how long nodes that nothing hinders must agree; milliseconds.
struct Bounds {
    /// After healing, by whatever way: the longest wait of a retry and of an exchange for every hop, and a start.
    let convergence: Int64
    /// When all is quiet, from a publication until every honest node has it whole, with every honest member's
    /// cosignature: every hop's messages, its wait before passing on, and the writes of all the signatures, but no
    /// periodic exchange.
    let publication: Int64

    init(_ faults: Faults, diameter: Int, nodes: Int, charters: Int, hasSpammer: Bool, copies: Int) {
        let hops = Int64(diameter)
        convergence =
            40_000 + hops * 8_000 + (charters > 0 ? 20_000 : 0) + (hasSpammer ? 30_000 : 0)
            // Copies that are all started outbid each other, at ever longer waits, until one is left.
            + Int64(copies) * 30_000
        publication =
            1_000 + hops * (300 + 4 * faults.latency.upperBound) + (2 * Int64(nodes) + 4 * hops + 10)
            * faults.disk.upperBound
    }
}

/// Counts of a run.
struct Statistics {
    var steps = 0
    var milliseconds: Int64 = 0
    var entries = 0
    var crashes = 0
    var partitions = 0
    var connections = 0
    var messages = 0
    var bytes = 0
    var cosignatures = 0
    var contradictions = 0
    var forks = 0
    /// How often a forked log was made what counts of it.
    var settled = 0
    var probes = 0
    /// How often a cap held up a log.
    var delays = 0
    /// Disks that were put back.
    var restores = 0
    /// Copies of nodes that were started, and how often one stood down.
    var twins = 0
    var standDowns = 0
    /// Proofs that partners were shown, accepted, and accepted though they contradict another.
    var proofs = 0
    var acceptedProofs = 0
    var contradictoryProofs = 0
    /// Charters that were made after the first, and how many of them contradict another.
    var charters = 0
    var contests = 0
    /// How often a node took up a charter, and how many logs were counted again.
    var adoptions = 0
    var recounts = 0
    var rejections: [(String, Int)] = []

    mutating func count(_ reason: String) {
        if let index = rejections.firstIndex(where: { $0.0 == reason }) {
            rejections[index].1 += 1
        } else {
            rejections.append((reason, 1))
        }
    }
}

/// What a run came to.
struct SimulationReport {
    let seed: UInt64
    let nodes: Int
    let topology: String
    let misbehaviours: [String]
    let faults: String
    let violations: [String]
    /// Logs with two quorums, where more members collude than the charter allows for: what is documented then happens.
    let splits: [String]
    /// Milliseconds from healing until all agreed.
    let convergedAfter: Int64?
    /// The most that was allowed.
    let bound: Int64
    let traceDigest: UInt64
    let statistics: Statistics
}

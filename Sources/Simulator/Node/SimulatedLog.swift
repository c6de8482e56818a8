import Alliance
import Replication
import TransparencyLog

/// A log as it is durable on one node: entries, the tree over them, all that is derived from them, and the notes that
/// go with it. A value, so that a write that may or may not have reached the disk is simply another copy.
struct SimulatedLog {
    private(set) var entries: [[UInt8]] = []
    private(set) var leaves: [HashValue] = []
    private(set) var frontier = TreeFrontier()
    /// All complete nodes: level, then index.
    private var levels: [[HashValue]] = []
    /// The root at every size.
    private(set) var roots: [HashValue] = [MerkleTree.emptyRoot]

    /// What counting has led to; the real thing.
    private(set) var state: LogState
    private(set) var rows: [RowKey: Row] = [:]
    private(set) var identities: [HashValue: UInt64] = [:]
    private(set) var verdicts: [Verdict] = []
    private(set) var documents: [PolicyDocument] = []
    /// A digest of everything that was derived so far, batch by batch.
    private(set) var viewDigest = HashValue.zero
    private var maps: [String: RegisterMap] = [:]
    private var pages: [String: [RegisterMapPageID: [UInt8]]] = [:]

    var head: [UInt8] = []
    var acceptedSize: UInt64 = 0
    /// The largest size that this node cosigned.
    var cosigned: UInt64 = 0
    /// The first note with a quorum that this node stored.
    var firstQuorum: [UInt8]?
    var isContradicted = false
    /// The proof that the log is forked.
    var fork: [UInt8] = []
    /// What Replication stored of a forked log's heads.
    var forkHeads: [[UInt8]] = []
    /// Notes of the heads that were held, from the newest with a quorum on, by size.
    private(set) var checkpoints: [[UInt8]] = []
    /// The newest head with a quorum.
    private(set) var quorum: Checkpoint?
    /// Whether all that is held lies within a quorum, since the log is forked and was settled.
    private(set) var isSettled = false
    /// What lay beyond, or on other branches.
    private(set) var setAside: [SetAside] = []

    var size: UInt64 { frontier.size }
    var root: HashValue { frontier.root }
    var isTrustworthy: Bool { state.end == nil }

    init(_ state: LogState) {
        self.state = state
    }

    /// The root key that signs the next roster.
    var rootKeyName: String {
        (state.governance.member(at: size) ?? state.member).rootKeys[0].name
    }

    /// Whether its owner may publish, as far as the charters go.
    var isOpen: Bool {
        state.end == nil && state.charterVersion <= state.charter.charter.version && state.governance.isActive(at: size)
    }

    /// Whether a leaf that names the charter in force is due before anything else.
    var needsLeaf: Bool { size > 0 && !state.isJudged && isOpen }

    /// Whether the leaf that ends at a size was compared with what the entries before it give.
    func isJudged(at size: UInt64) -> Bool {
        guard size > 0, let leaf = try? StateLeaf(parsing: entries[Int(size) - 1]) else { return state.isJudged }
        return state.isJudged(leaf)
    }

    /// The state leaves with the size that each batch ends at.
    var stateLeaves: [(end: UInt64, leaf: StateLeaf)] {
        entries.indices.compactMap { index in
            guard entries[index].starts(with: StateLeaf.familyPrefix),
                let leaf = try? StateLeaf(parsing: entries[index])
            else { return nil }
            return (UInt64(index + 1), leaf)
        }
    }

    /// Whether the tree has this root at this size.
    func has(_ size: UInt64, _ root: HashValue) -> Bool {
        size <= self.size && roots[Int(size)] == root
    }

    // MARK: Growing

    /// Appends a batch of our own, and the leaf that ends it, or another one in its place.
    ///
    /// - Returns: the verdicts of the statements.
    mutating func publish(_ statements: [CheckedEntry], _ bytes: [[UInt8]], leaf: [UInt8]? = nil) -> [Verdict] {
        let outcome = unfailing { try state.seal(statements, reader: self) }
        let leaf = leaf ?? outcome.leaf.bytes
        append(bytes + [leaf], statements.map(\.leaf) + [MerkleTree.leafHash(leaf)])
        derive(outcome, statements)
        return outcome.verdicts
    }

    /// What would become of statements, without publishing them.
    func verdicts(of statements: [CheckedEntry]) -> [Verdict] {
        var state = state
        return unfailing { try state.seal(statements, reader: self) }.verdicts
    }

    /// Appends a batch that another published.
    mutating func receive(_ batch: [CheckedEntry], _ bytes: [[UInt8]]) {
        let outcome = unfailing { try state.process(batch, reader: self) }
        append(bytes, batch.map(\.leaf))
        derive(outcome, batch)
    }

    /// Counts a batch of entries that are held.
    mutating func count(_ batch: [CheckedEntry]) {
        derive(unfailing { try state.process(batch, reader: self) }, batch)
    }

    /// Lets go of the tree beyond a size.
    mutating func cut(at size: UInt64) {
        let count = Int(size)
        (entries, leaves) = (Array(entries.prefix(count)), Array(leaves.prefix(count)))
        roots = Array(roots.prefix(count + 1))
        for level in levels.indices { levels[level] = Array(levels[level].prefix(count >> level)) }
        frontier = TreeFrontier()
        for leaf in leaves { frontier.append(leaf) }
    }

    /// Takes what storage holds of a forked log.
    mutating func settled(_ asides: [SetAside], head note: [UInt8], checkpoints: [[UInt8]]) {
        (isSettled, setAside, head, acceptedSize) = (true, asides, note, size)
        self.checkpoints = checkpoints
    }

    /// Goes on from another state with the same entries.
    mutating func resume(_ state: LogState) { self.state = state }

    /// Forgets everything that was derived, and nothing else.
    mutating func forgetDerived(_ empty: LogState) {
        state = empty
        (rows, identities, verdicts, documents, maps, pages) = ([:], [:], [], [], [:], [:])
        viewDigest = .zero
    }

    private func unfailing<Result>(_ body: () throws -> Result) -> Result {
        do { return try body() } catch { preconditionFailure("memory does not fail: \(error)") }
    }

    private mutating func append(_ new: [[UInt8]], _ hashes: [HashValue]) {
        for (entry, hash) in zip(new, hashes) {
            entries.append(entry)
            leaves.append(hash)
            var completed: [(Int, HashValue)] = []
            frontier.append(hash) { level, _, hash in completed.append((level, hash)) }
            for (level, hash) in completed {
                if level == levels.count { levels.append([]) }
                levels[level].append(hash)
            }
            roots.append(frontier.root)
        }
    }

    private mutating func derive(_ outcome: BatchOutcome, _ batch: [CheckedEntry]) {
        for (key, row) in outcome.rows { rows[key] = row }
        for (name, map, changes) in outcome.maps {
            maps[name] = map
            for id in changes.removed { pages[name, default: [:]][id] = nil }
            for page in changes.written { pages[name, default: [:]][page.id] = page.blob }
        }
        for (offset, checked) in batch.enumerated() {
            guard case .statement(let statement) = checked.entry else { continue }
            if identities[statement.identity] == nil {
                identities[statement.identity] = UInt64(verdicts.count + offset)
            }
        }
        verdicts += outcome.verdicts
        documents += outcome.documents
        viewDigest = ViewDigest.next(after: viewDigest, outcome, lines: state.lines)
    }

    // MARK: Notes

    /// Adds cosignatures to the stored head's note, if it is of that checkpoint: one a key, the newest.
    mutating func keep(_ lines: [NoteSignature], checkpoint: [UInt8], quorum: Int) {
        // The newest comes last, and most signatures are of it.
        let place = checkpoints.lastIndex { (try? SignedNote(parsing: $0))?.text == checkpoint }
        guard let place, let note = try? SignedNote(parsing: checkpoints[place]) else { return }
        var kept = note.signatures
        for line in lines {
            kept.removeAll { $0.name == line.name && $0.keyID == line.keyID && Self.time($0) <= Self.time(line) }
            if !kept.contains(where: { $0.name == line.name && $0.keyID == line.keyID }) { kept.append(line) }
        }
        guard let renewed = try? SignedNote(text: note.text, signatures: kept) else { return }
        if head == checkpoints[place] { head = renewed.bytes }
        checkpoints[place] = renewed.bytes
        noteQuorum(renewed, quorum)
    }

    /// Stores a head's note.
    mutating func keepHead(_ note: [UInt8], quorum: Int) {
        head = note
        checkpoints.append(note)
        if let parsed = try? SignedNote(parsing: note) { noteQuorum(parsed, quorum) }
    }

    /// The log's own line is one of them.
    private mutating func noteQuorum(_ note: SignedNote, _ quorum: Int) {
        guard note.signatures.count > quorum else { return }
        if firstQuorum == nil { firstQuorum = note.bytes }
        guard let checkpoint = try? Checkpoint(parsing: note.text), checkpoint.size > self.quorum?.size ?? 0 else {
            return
        }
        self.quorum = checkpoint
        checkpoints.removeAll { (Simulation.checkpoint(of: $0)?.size ?? 0) < checkpoint.size }
    }

    private static func time(_ line: NoteSignature) -> UInt64 {
        (try? Cosignature(parsing: line).timestamp) ?? 0
    }
}

// MARK: - Serving

extension SimulatedLog: TreeHashReader {
    func hashes(at nodes: [TreeNode]) throws -> [HashValue] {
        nodes.map { levels[$0.level][Int($0.index)] }
    }

    /// Answers a request for entries: so many at most, in whole batches; at least one batch.
    func answer(from: UInt64, headSize: UInt64, limit: Int) -> RangeAnswer? {
        guard from < headSize, headSize <= size else { return nil }
        var to = from
        for index in from..<headSize where entries[Int(index)].starts(with: StateLeaf.familyPrefix) {
            if to > from && index + 1 - from > UInt64(limit) { break }
            to = index + 1
        }
        guard to > from, let bundle = try? EntryBundle.encode(entries[Int(from)..<Int(to)]),
            let before = try? MerkleTree.consistencyProof(from: from, to: headSize, reader: self),
            let after = try? MerkleTree.consistencyProof(from: to, to: headSize, reader: self)
        else { return nil }
        return try? RangeAnswer(from: from, to: to, extensionProof: before, remainderProof: after, entries: bundle)
    }
}

extension SimulatedLog: LogReader {
    func row(_ key: RowKey) -> Row? { rows[key] }
    func index(of identity: HashValue) -> UInt64? { identities[identity] }
    func entry(at index: UInt64) -> [UInt8] { entries[Int(index)] }
    func map(_ name: String) -> RegisterMap { maps[name] ?? RegisterMap() }
    func page(_ id: RegisterMapPageID, of map: String) throws -> [UInt8] {
        guard let blob = pages[map]?[id] else { throw AllianceError(.unknown, "no page \(id) of \(map)") }
        return blob
    }
}

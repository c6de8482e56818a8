import Alliance
import Dispatch
import GRDB
import Synchronization
import TransparencyLog

/// Publishes submissions inside the writer's transaction. Small ones share a batch; a large one is cut into several,
/// each read and checked only when its turn comes, so that memory holds one batch.
struct Press {
    let db: Database
    var log: OpenLog
    private let statements: HotStatements
    let documents: DocumentFolder
    let check: @Sendable ([[UInt8]], LogState) -> [NewEntry]
    private var results: [SubmissionResult] = []
    /// Everything that was appended, state leaves included; empty once it is more than ``keptEntries``.
    private(set) var appended: [[UInt8]] = []
    private var appendedCount = 0

    /// Appended entries that are handed back, for an announcement.
    static let keptEntries = 256

    /// Statements and bytes of one batch that is cut from a large submission, or put together from small ones.
    static let batch = (statements: 511, bytes: 1 << 20)

    init(
        db: Database, log: OpenLog, statements: HotStatements, documents: DocumentFolder,
        check: @escaping @Sendable ([[UInt8]], LogState) -> [NewEntry]
    ) {
        self.db = db
        self.log = log
        self.statements = statements
        self.documents = documents
        self.check = check
    }

    mutating func publish(_ submissions: [[[UInt8]]]) throws -> [SubmissionResult] {
        results = submissions.map { _ in .tooLarge }
        var together: [(number: Int, entries: [[UInt8]])] = []
        var count = 0
        var bytes = 0
        for (number, entries) in submissions.enumerated() {
            let size = entries.reduce(0) { $0 + $1.count }
            if count + entries.count > Self.batch.statements || bytes + size > Self.batch.bytes {
                try publish(together)
                together = []
                (count, bytes) = (0, 0)
            }
            guard entries.count <= Self.batch.statements, size <= Self.batch.bytes else {
                try publishLarge(entries, number)
                continue
            }
            together.append((number, entries))
            count += entries.count
            bytes += size
        }
        try publish(together)
        return results
    }

    /// Publishes a state leaf alone, which names the charter in force.
    mutating func publishLeaf() throws {
        var state = log.state
        guard state.governance.isActive(at: state.size), state.isBegun, state.end == nil else { return }
        let reader = TransactionReader(db: db, log: log, statements: statements)
        let outcome = try state.seal([], reader: reader)
        guard state.size > log.size else { return }
        try store([], outcome, state, reader)
    }

    /// Publishes several submissions as one batch; those that would not count are refused, and the rest tried again.
    private mutating func publish(_ submissions: [(number: Int, entries: [[UInt8]])]) throws {
        var together = submissions.map { ($0.number, check($0.entries, log.state)) }
        while !together.isEmpty {
            let entries = together.flatMap(\.1)
            var state = log.state
            let reader = TransactionReader(db: db, log: log, statements: statements)
            let outcome = try state.seal(entries.map(\.checked), reader: reader)
            var position = 0
            var accepted: [(Int, [NewEntry])] = []
            for (number, own) in together {
                let refused = Self.refusals(outcome.verdicts[position..<position + own.count])
                position += own.count
                if refused.isEmpty { accepted.append((number, own)) } else { results[number] = .refused(refused) }
            }
            guard accepted.count == together.count else {
                together = accepted
                continue
            }
            var next = log.size
            for (number, own) in together {
                results[number] = .published(first: next, last: next + UInt64(own.count) - 1)
                next += UInt64(own.count)
            }
            return try store(entries, outcome, state, reader)
        }
    }

    /// Publishes one submission as several batches; a refusal takes all of them back. Where all that was read so far stands in
    /// the log already, the rest is read as well: only the same submission once more is refused whole for that.
    private mutating func publishLarge(_ entries: [[UInt8]], _ number: Int) throws {
        let parts = Self.split(entries)
        guard parts.allSatisfy(Self.canBeReplicated) else { return }
        let before = (log, appended, appendedCount)
        var refused: [(position: Int, reason: Verdict.Reason)] = []
        var position = 0
        var last = log.size
        var isRepeated = true
        // The next batch is checked on the other cores while this one is stored.
        var ahead = CheckedAhead(parts[0], log.state, check)
        try db.inSavepoint {
            for number in parts.indices {
                let isCurrent = ahead.rosterIndex == log.state.roster?.index
                let batch = isCurrent ? ahead.wait() : check(parts[number], log.state)
                if number + 1 < parts.count { ahead = CheckedAhead(parts[number + 1], log.state, check) }
                var state = log.state
                let reader = TransactionReader(db: db, log: log, statements: statements)
                let outcome = try state.seal(batch.map(\.checked), reader: reader)
                let refusedNow = Self.refusals(outcome.verdicts.dropLast())
                refused += refusedNow.map { (position + $0.position, $0.reason) }
                position += batch.count
                isRepeated =
                    isRepeated && refusedNow.count == batch.count
                    && refusedNow.allSatisfy { $0.reason == .repeated }
                guard !isRepeated else { continue }
                guard refused.isEmpty else { return .rollback }
                last = log.size + UInt64(batch.count) - 1
                try store(batch, outcome, state, reader, isInSavepoint: true)
            }
            return refused.isEmpty ? .commit : .rollback
        }
        guard refused.isEmpty else {
            (log, appended, appendedCount) = before
            results[number] = .refused(refused)
            return
        }
        var appender = Appender(db: db, log: log, statements: statements)
        try appender.settle()
        log = appender.log
        results[number] = .published(first: before.0.size, last: last)
    }

    /// Whether one batch of these fits into a range, with room for the longest state leaf.
    private static func canBeReplicated(_ entries: [[UInt8]]) -> Bool {
        entries.count < LogState.batchLimit
            && entries.reduce(0) { $0 + $1.count + 2 } + EntryBundle.maximumEntryByteCount < LogState.batchByteLimit
    }

    private static func refusals(
        _ verdicts: some Sequence<Verdict>
    ) -> [(position: Int, reason: Verdict.Reason)] {
        verdicts.enumerated().compactMap { position, verdict in
            if case .ignored(let reason) = verdict { (position, reason) } else { nil }
        }
    }

    private mutating func store(
        _ entries: [NewEntry], _ outcome: BatchOutcome, _ state: LogState, _ reader: TransactionReader,
        isInSavepoint: Bool = false
    ) throws {
        let leafBytes = outcome.leaf.bytes
        let leaf = NewEntry(
            bytes: leafBytes,
            checked: CheckedEntry(
                entry: .stateLeaf(outcome.leaf), leaf: MerkleTree.leafHash(leafBytes), size: leafBytes.count,
                keys: KeyCandidates([])))
        let start = log.size
        log.state = state
        var appender = Appender(db: db, log: log, statements: statements, isInSavepoint: isInSavepoint)
        try appender.store(entries + [leaf])
        appendedCount += entries.count + 1
        appended = appendedCount <= Self.keptEntries ? appended + entries.map(\.bytes) + [leafBytes] : []
        try appender.store(outcome, from: start, reader: reader, documents: documents)
        try appender.finish()
        log = appender.log
    }

    /// Cuts a large submission into batches. Approvals stand after what they approve, so where there are any, a batch
    /// ends only behind one.
    static func split(_ entries: [[UInt8]]) -> [[[UInt8]]] {
        let hasApprovals = containsApproval(entries)
        var batches: [[[UInt8]]] = [[]]
        var size = 0
        var pending: [[UInt8]] = []
        for entry in entries {
            pending.append(entry)
            guard !hasApprovals || isApproval(entry) else { continue }
            let more = pending.reduce(0) { $0 + $1.count }
            let count = batches[batches.count - 1].count
            if count > 0, count + pending.count > batch.statements || size + more > batch.bytes {
                batches.append([])
                size = 0
            }
            batches[batches.count - 1] += pending
            size += more
            pending = []
        }
        batches[batches.count - 1] += pending
        return batches
    }

    /// Whether there is an approval; one officer's entries of one kind all have the same header, which is read once.
    private static func containsApproval(_ entries: [[UInt8]]) -> Bool {
        var known: ArraySlice<UInt8> = []
        for entry in entries {
            if !known.isEmpty, entry.starts(with: known) { continue }
            if isApproval(entry) { return true }
            known = entry.firstIndex(of: UInt8(ascii: ".")).map { entry[...$0] } ?? []
        }
        return false
    }

    /// Whether it is worth reading an entry to see if it is an approval; a header that is unusually long may be anything.
    static func mayBeApproval(_ entry: [UInt8]) -> Bool {
        let end = entry.firstIndex(of: UInt8(ascii: ".")) ?? entry.count
        return end >= headerLimit || isApproval(entry)
    }

    /// Bytes of a protected header as our own signers make it.
    private static let headerLimit = 1_024

    /// Whether the protected header states the type of an approval.
    static func isApproval(_ entry: [UInt8]) -> Bool {
        guard let end = entry.firstIndex(of: UInt8(ascii: ".")), end < headerLimit,
            let header = Base64.decodeURL(entry[..<end])
        else { return false }
        return (try? JSONTape(header))?.root["typ"]?.string == StatementKind.approval.type
    }
}

/// A batch that is being checked on another thread.
final class CheckedAhead: Sendable {
    /// The roster under whose keys the signatures are checked; another one in force by then makes the result worthless.
    let rosterIndex: UInt64?
    private let entries = Mutex<[NewEntry]>([])
    private let group = DispatchGroup()

    init(_ part: [[UInt8]], _ state: LogState, _ check: @escaping @Sendable ([[UInt8]], LogState) -> [NewEntry]) {
        rosterIndex = state.roster?.index
        DispatchQueue.global().async(group: group) {
            let checked = check(part, state)
            self.entries.withLock { $0 = checked }
        }
    }

    /// Waits for the entries; the caller is the database's writer, whose thread is its own.
    func wait() -> [NewEntry] {
        group.wait()
        return entries.withLock { $0 }
    }
}

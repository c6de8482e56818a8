import Alliance
import Foundation
import Logging
import Replication
import Store
import TransparencyLog

/// Carries out what Replication asks for one log, in order: storing, cosigning, keeping signatures.
struct LogWorker: Sendable {
    let origin: String
    let store: Store
    let identity: NodeIdentity
    let logger: Logger
    let checked: CheckedRanges
    let verified: VerifiedSignatures
    var audit: AuditFile?

    /// What has more entries or bytes than this gives way to other writes.
    private static let promptEntries = UInt64(EntryChecking.bulkFrom)
    private static let promptBytes = 128 << 10

    /// What can be asked; see ``Replication/Effect``.
    enum Job: Sendable {
        case ingest(RequestID, RangeAnswer, head: [UInt8])
        case checkOldHead(RequestID, size: UInt64, root: HashValue)
        case cosign(checkpoint: [UInt8])
        case persistHead(note: [UInt8])
        case persistSignatures(checkpoint: [UInt8], [NoteSignature])
        case recordContradiction(ours: [UInt8]?, other: [UInt8])
        case proveFork(ours: [UInt8], other: [UInt8])
        case persistFork(proof: [UInt8])
        case persistForkHeads([[UInt8]])
        case settleFork(end: [UInt8])
        case recordIncarnation(note: [UInt8])
    }

    /// Does one job and says what happened.
    func perform(_ job: Job) async -> Event? {
        do {
            switch job {
            case .ingest(let request, let answer, let head):
                return .ingested(request, await ingest(answer, head))
            case .checkOldHead(let request, let size, let root):
                let ours = try? await store.root(of: origin, at: size)
                return .oldHeadChecked(request, isConsistent: ours.map { $0 == root })
            case .cosign(let checkpoint): return await cosign(checkpoint)
            case .persistHead(let note):
                let parsed = try SignedNote(parsing: note)
                let checkpoint = try Checkpoint(parsing: parsed.text)
                let own = try ownLine(of: parsed)
                try await store.keepHead(own, of: origin, size: checkpoint.size, root: checkpoint.root)
                try await keepSignatures(of: parsed, checkpoint)
                return nil
            case .persistSignatures(let text, let lines):
                let checkpoint = try Checkpoint(parsing: text)
                try await store.keep(
                    stored(lines, under: text), of: origin, size: checkpoint.size, root: checkpoint.root,
                    own: identity.memberID)
                return nil
            case .recordContradiction(let ours, let other):
                logger.error("a log signed two heads that cannot both be true", metadata: ["log": "\(origin)"])
                try await store.keepContradiction(origin, ours: ours, other: other)
                return nil
            case .proveFork(let ours, let other):
                return .forkProven(origin: origin, proof: try await proveFork(ours, other))
            case .persistFork(let proof):
                try await store.keepFork(try ForkProof(parsing: proof))
                return nil
            case .persistForkHeads(let notes):
                try await store.keepForkHeads(notes, of: origin)
                return nil
            case .settleFork(let end): return .forkSettled(origin: origin, await settleFork(end))
            case .recordIncarnation(let note): return await record(note)
            }
        } catch {
            logger.error("storage failed", metadata: ["log": "\(origin)", "reason": "\(error)"])
            warnOfDamage(error)
            return nil
        }
    }

    /// The proof that two heads contradict each other, of which the larger is ours.
    private func proveFork(_ ours: [UInt8], _ other: [UInt8]) async throws -> [UInt8] {
        let (ours, other) = (try SignedNote(parsing: ours), try SignedNote(parsing: other))
        let (large, small) = (try Checkpoint(parsing: ours.text), try Checkpoint(parsing: other.text))
        var branch: ForkProof.Branch?
        if small.size < large.size {
            branch = ForkProof.Branch(
                root: try await store.root(of: origin, at: small.size),
                proof: try await store.consistencyProof(of: origin, from: small.size, to: large.size))
        }
        guard let key = identity.charter.charter.member(origin: origin)?.log else {
            throw NodeError("\(origin) is no member's log any more")
        }
        return try ForkProof(of: other, ours, branch: branch, key: key).bytes
    }

    /// Makes the forked log what counts of it.
    private func settleFork(_ note: [UInt8]) async -> ForkOutcome {
        do {
            // What is set back without its proof would grow again after a restart.
            guard try await store.forks().contains(where: { $0.origin == origin }) else {
                throw NodeError("its proof could not be stored; that is tried again first")
            }
            let settled = try await store.settleFork(
                origin, end: try end(note), own: identity.memberID, check: EntryChecking.checkNow)
            if settled.hasChanged { tell(settled) }
            return .held(size: settled.size, root: settled.root, head: settled.head, waiting: settled.waiting)
        } catch {
            logger.error("a forked log could not be set back", metadata: ["log": "\(origin)", "reason": "\(error)"])
            warnOfDamage(error)
            return .failed
        }
    }

    private func tell(_ settled: SettledLog) {
        logger.notice(
            "counting in a forked log ends",
            metadata: [
                "log": "\(origin)", "entries": "\(settled.size)", "set-aside": "\(settled.setAside)",
            ])
        audit?.append(
            .fork, "counting in \(origin), which is forked, ends at \(settled.size) entries",
            [
                "log": .string(origin), "size": .integer(Int64(settled.size)),
                "setAside": .integer(Int64(settled.setAside)),
            ], durable: true)
    }

    private func end(_ bytes: [UInt8]) throws -> Store.ForkEnd? {
        guard !bytes.isEmpty else { return nil }
        let note = try SignedNote(parsing: bytes)
        let checkpoint = try Checkpoint(parsing: note.text)
        return Store.ForkEnd(
            size: checkpoint.size, root: checkpoint.root, note: try ownLine(of: note), full: bytes,
            cosignatures: stored(note.signatures, under: note.text))
    }

    /// Records the start of the log's node, and signs a receipt.
    private func record(_ bytes: [UInt8]) async -> Event {
        do {
            let receipt = try await store.recordIncarnation(try IncarnationNote(parsing: bytes)) { [identity] text in
                try identity.receipt(text)
            }
            return .incarnationRecorded(
                origin: origin, note: receipt == nil ? nil : bytes, receipt: receipt ?? [])
        } catch {
            logger.error("a node's start could not be recorded", metadata: ["log": "\(origin)", "reason": "\(error)"])
            warnOfDamage(error)
            return .incarnationRecorded(origin: origin, note: nil, receipt: [])
        }
    }

    /// What is stored contradicts itself: this log stands still here until somebody has looked.
    private func warnOfDamage(_ error: any Error) {
        let isDamage =
            (error as? StoreError)?.code == .damaged || (error as? TransparencyLogError)?.code == .invalidPage
        guard isDamage else { return }
        logger.critical(
            "what is stored of a log is damaged: stop the node and run entente fsck", metadata: ["log": "\(origin)"])
    }

    // MARK: Ranges

    private func ingest(_ answer: RangeAnswer, _ headNote: [UInt8]) async -> IngestOutcome {
        do {
            let note = try SignedNote(parsing: headNote)
            let head = try Checkpoint(parsing: note.text)
            let entries = try await checkedEntries(answer)
            let held = try store.frontier(of: origin)
            let frontier: TreeFrontier
            do throws(Rejection) {
                frontier = try verifyRange(
                    frontier: held, answer: answer, leafHashes: entries.map(\.checked.leaf), head: head)
            } catch {
                return .rejected(error)
            }
            guard let batches = Self.batches(of: entries) else {
                return .rejected(
                    Rejection(.malformedRange, origin: origin, "the range does not end with a batch's state leaf"))
            }
            if let unknown = unknownCharter(batches) { return .waitingForCharter(version: unknown) }
            let result = try await store.append(
                batches, to: origin, at: answer.from, root: frontier.root,
                head: answer.to == head.size ? try ownLine(of: note) : nil,
                givesWay: answer.to - answer.from > Self.promptEntries || answer.entries.count > Self.promptBytes)
            if answer.to == head.size { try await keepSignatures(of: note, head) }
            if let end = result.end {
                logger.error(
                    "counting in a log has ended: its entries are stored without effect and not cosigned",
                    metadata: ["log": "\(origin)", "index": "\(end.index)", "reason": "\(end.reason.rawValue)"])
            }
            let documents = result.documents.filter { !store.documents.holds($0.digest) }
                .map { DocumentNeed(digest: $0.digest, size: UInt64($0.size)) }
            return .stored(
                size: result.size, root: result.root, isTrustworthy: result.end == nil, documents: documents)
        } catch let error as StoreError where error.code == .moved {
            return .failed
        } catch is CancellationError {
            return .failed
        } catch {
            logger.error("a range could not be stored", metadata: ["log": "\(origin)", "reason": "\(error)"])
            warnOfDamage(error)
            return .failed
        }
    }

    /// The range's entries, checked when they arrived, or now.
    private func checkedEntries(_ answer: RangeAnswer) async throws -> [NewEntry] {
        let state = try await store.state(of: origin)
        if let early = checked.take(answer, of: origin), early.rosterDigest == state.roster?.digest {
            return try await early.entries.value
        }
        return try await EntryChecking.check(bundle: answer.entries, after: state)
    }

    /// The entries cut behind each state leaf; nil where something follows the last.
    private static func batches(of entries: [NewEntry]) -> [[NewEntry]]? {
        var batches: [[NewEntry]] = []
        var start = 0
        for (position, entry) in entries.enumerated() where entry.bytes.starts(with: StateLeaf.familyPrefix) {
            if start == 0, position == entries.count - 1 { return [entries] }
            batches.append(Array(entries[start...position]))
            start = position + 1
        }
        return start == entries.count ? batches : nil
    }

    private func unknownCharter(_ batches: [[NewEntry]]) -> UInt64? {
        for batch in batches {
            guard case .stateLeaf(let leaf)? = batch.last?.checked.entry else { continue }
            if leaf.charterVersion > identity.charter.charter.version { return UInt64(leaf.charterVersion) }
        }
        return nil
    }

    // MARK: Signatures

    private func cosign(_ text: [UInt8]) async -> Event? {
        guard let checkpoint = try? Checkpoint(parsing: text) else { return nil }
        do {
            let signature = try await store.cosign(origin, size: checkpoint.size, root: checkpoint.root) {
                guard let signature = try identity.cosign(text) else { throw NodeError("no replica key here") }
                return signature
            }
            return .cosigned(
                origin: origin, size: checkpoint.size, root: checkpoint.root, signature.line)
        } catch {
            logger.debug("not cosigned", metadata: ["log": "\(origin)", "reason": "\(error)"])
            return .cosigningFailed(origin: origin, size: checkpoint.size)
        }
    }

    /// Keeps the cosignatures that came with a head.
    private func keepSignatures(of note: SignedNote, _ head: Checkpoint) async throws {
        let cosignatures = stored(note.signatures, under: note.text)
        guard !cosignatures.isEmpty else { return }
        try await store.keep(
            cosignatures, of: origin, size: head.size, root: head.root, own: identity.memberID)
    }

    /// The note with the log's own signature alone.
    private func ownLine(of note: SignedNote) throws -> [UInt8] {
        guard let key = identity.charter.charter.member(origin: origin)?.log,
            let line = note.signatures.first(where: { $0.isAttributed(to: key) })
        else { throw NodeError("a head of \(origin) without the log's signature") }
        return try SignedNote(text: note.text, signatures: [line]).bytes
    }

    /// The lines that are replica signatures of members that count for this log, verified.
    private func stored(_ lines: [NoteSignature], under text: [UInt8]) -> [StoredCosignature] {
        guard let owner = identity.charter.charter.member(origin: origin) else { return [] }
        return identity.charter.charter.replicas(of: owner.id).compactMap { member in
            guard let key = member.replica, let line = lines.first(where: { $0.isAttributed(to: key) }),
                let claimed = try? Cosignature(parsing: line)
            else { return nil }
            let claim = SignatureClaim(key: key, text: text, line: line)
            guard verified.isTrue(claim) || claim.isTrue else { return nil }
            return StoredCosignature(member: member.id, time: claimed.timestamp, line: line)
        }
    }
}

/// Ranges whose entries are checked from when they arrive, while the range before is still being stored.
///
/// Only a memory of work done: what is dropped is checked again. A range is known by its very bytes, since a peer may
/// send any under any request.
final class CheckedRanges: Sendable {
    struct Range: Sendable {
        let origin: String
        let answer: RangeAnswer
        /// The entries, or the promise of them.
        let entries: Task<[NewEntry], any Error>
        /// The roster under whose keys the signatures were checked.
        let rosterDigest: HashValue?
    }

    /// Ranges kept at the most, and bytes of their entries; one range that is longer is kept alone.
    static let limit = (ranges: 8, bytes: 32 << 20)

    /// The oldest first.
    private let ranges = Mutexed<[Range]>([])

    /// How many are kept.
    var count: Int { ranges.withLock { $0.count } }

    /// Begins to check a range's entries, on all cores.
    func begin(_ answer: RangeAnswer, of origin: String, after state: LogState) {
        let entries = Task { try await EntryChecking.check(bundle: answer.entries, after: state) }
        put(Range(origin: origin, answer: answer, entries: entries, rosterDigest: state.roster?.digest))
    }

    func put(_ range: Range) {
        let dropped = ranges.withLock { ranges in
            ranges.append(range)
            var dropped: [Range] = []
            while ranges.count > Self.limit.ranges
                || ranges.count > 1 && ranges.reduce(0, { $0 + $1.answer.entries.count }) > Self.limit.bytes
            {
                dropped.append(ranges.removeFirst())
            }
            return dropped
        }
        for range in dropped { range.entries.cancel() }
    }

    /// Hands out what was checked of this answer, and forgets all of the log that begins no later.
    func take(_ answer: RangeAnswer, of origin: String) -> Range? {
        let (found, dropped) = ranges.withLock { ranges in
            // Comparing is cheap: usually both are one array.
            let found = ranges.firstIndex { $0.origin == origin && $0.answer == answer }.map { ranges.remove(at: $0) }
            let dropped = ranges.filter { $0.origin == origin && $0.answer.from <= answer.from }
            ranges.removeAll { $0.origin == origin && $0.answer.from <= answer.from }
            return (found, dropped)
        }
        for range in dropped { range.entries.cancel() }
        return found
    }
}

import Alliance
import Foundation
import Logging
import Replication
import Store
import TransparencyLog

/// What became of one submission.
enum Publication: Sendable {
    case published(first: UInt64, last: UInt64, size: UInt64, root: HashValue)
    /// The very same statements stand in the log already.
    case already(first: UInt64, last: UInt64)
    case refused([(position: Int, reason: Verdict.Reason)])
    case failed(NodeError)
}

/// Publishes in this member's own log. Submissions that arrive while one is being made durable go together into the
/// next transaction, so that many officers at once share one sync.
actor Publisher {
    private let identity: NodeIdentity
    private let store: Store
    private let driver: ReplicationDriver
    private let logger: Logger
    private let audit: AuditFile?
    private var waiting: [(entries: [[UInt8]], answer: @Sendable (Publication) -> Void)] = []
    private var isRunning = false
    /// Whether the charter in force is to be named by a leaf before anything else.
    private var needsLeaf = false
    private var keys: SigningKeyFiles?
    private var beginning: Task<Void, Never>?
    /// How often ``followCharter()`` was asked for, and up to which of these it was done.
    private var (wishes, fulfilled) = (0, 0)
    /// The log that is being begun: nothing else is published meanwhile.
    private var begun: String?
    /// Why nothing can be published under the charter in force; nil where nothing is wrong.
    private(set) var problem: String?
    /// Submissions taken in since the start.
    private(set) var accepted = 0
    private let startedAt = ContinuousClock.now
    /// How long after the start a submission waits for others' answers before it is refused.
    private static let startTime = Duration.seconds(10)

    /// Submissions that may wait, and statements that one may have.
    static let waitingLimit = 1_024
    static let statementLimit = 1_000_000
    /// Entries that are sent along with an announcement.
    private static let inlineLimit = (entries: 256, bytes: 256 << 10)

    init(identity: NodeIdentity, store: Store, driver: ReplicationDriver, logger: Logger, audit: AuditFile? = nil) {
        self.identity = identity
        self.store = store
        self.driver = driver
        self.logger = logger
        self.audit = audit
    }

    /// Publishes statements, all or none, and returns once they are durable.
    func submit(_ entries: [[UInt8]]) async -> Publication {
        guard !entries.isEmpty else { return .failed(NodeError("nothing to publish")) }
        guard entries.count <= Self.statementLimit, waiting.count < Self.waitingLimit else {
            return .failed(NodeError("too much at once; try again later or with less"))
        }
        await wait { await driver.isStarting }
        if let reason = await objection() { return .failed(NodeError(reason)) }
        let origin = identity.origin
        if begun != origin, (try? await store.state(of: origin))?.governance.predecessor != nil {
            return .failed(NodeError(problem ?? "the log under the new key is being begun: try again in a moment"))
        }
        do { try store.makeSureOfRoom(for: entries.reduce(0) { $0 + $1.count }) } catch {
            return .failed(NodeError("nothing was published: \(error)"))
        }
        return await withCheckedContinuation { answer in
            waiting.append((entries, { answer.resume(returning: $0) }))
            accepted += 1
            if !isRunning {
                isRunning = true
                Task { await run() }
            }
        }
    }

    func attach(_ keys: SigningKeyFiles) { self.keys = keys }

    /// Why nothing of the own log may be signed now; nil where nothing stands in the way.
    private func objection() async -> String? {
        let standing = await driver.incarnationStanding
        if let reason = standing.objection(under: identity.charter.charter) { return reason }
        if await driver.ownLogIsLonger {
            return
                "a peer holds more of this member's log than this node; it is being taken back: try again in a moment"
        }
        return await driver.ownLogIsForked ? IncarnationStanding.forkedLog : nil
    }

    /// Waits for a moment where the node has just started: others answer within milliseconds if they are there.
    ///
    /// - Parameter isDue: whether to wait on.
    private func wait(while isDue: () async -> Bool) async {
        guard ContinuousClock.now - startedAt < Self.startTime, await isDue() else { return }
        for await _ in await driver.changes() {
            guard ContinuousClock.now - startedAt < Self.startTime, await isDue() else { return }
        }
    }

    /// Waits for the first roster for a moment, where the node has just started.
    ///
    /// - Returns: why there is none yet; nil where nothing is known to stand in its way.
    func waitForRoster() async -> String? {
        await wait { ((try? store.size(of: identity.origin)) ?? 0) == 0 }
        return await objection()
    }

    /// Does what the charter in force asks of this member: finds the keys that it names, begins the log under a new key,
    /// and names the charter there. Where something is missing, ``problem`` says what; it is to be called again then.
    func followCharter() async {
        wishes += 1
        let mine = wishes
        // What is running may have begun under the charter before, or before this start could sign.
        while fulfilled < mine {
            if let beginning {
                await beginning.value
            } else {
                beginning = Task { await self.followNow() }
            }
        }
    }

    private func followNow() async {
        let upTo = wishes
        await follow()
        fulfilled = upTo
        beginning = nil
    }

    private func follow() async {
        keys?.look(for: identity)
        let missing = identity.missing
        problem =
            missing.log.map {
                "the charter names the log key \($0.name), which is not here: put its file into the node's keys folder as "
                    + "log-2\(KeyFile.privateSuffix), or the like"
            }
            ?? missing.replica.map {
                "the charter names the replica key \($0.name), which is not here: put its file into the node's keys folder "
                    + "as replica-2\(KeyFile.privateSuffix), or the like; until then this node cosigns nothing"
            }
        guard missing.log == nil else { return }
        // Called again once this start may sign; never in a forked log, which problem is to say.
        let standing = await driver.incarnationStanding
        guard standing == .established || standing == .forked else { return }
        if let reason = await objection() { return problem = reason }
        do {
            try await begin(identity.origin)
        } catch {
            problem = "\(error)"
            logger.error("the log under the new key cannot begin yet", metadata: ["reason": "\(error)"])
            return
        }
        await nameCharter()
    }

    /// Begins a log under a new key, and publishes there again what was acknowledged in the log before beyond its cut,
    /// before anything else.
    ///
    /// - Throws: where that cannot be done now. Nothing is published then, and it goes on from there the next time.
    private func begin(_ origin: String) async throws {
        guard begun != origin else { return }
        let log = LogBeginning(origin: origin, store: store, logger: logger)
        guard let carried = try await log.run() else { return begun = origin }
        let size = try store.size(of: origin)
        var next = carried.size
        if size > next { next = try await firstMissing(log, carried.source, from: next) }
        if size == carried.size {
            logger.notice("the log goes on under a new key", metadata: ["log": "\(origin)"])
            audit?.append(.published, "the log goes on as \(origin)", ["log": .string(origin)], durable: true)
        }
        while let page = try await log.late(from: next, of: carried.source) {
            try await publishAgain(page.batches)
            next = page.next
        }
        begun = origin
    }

    /// Where a crash interrupted publishing again what stood beyond the cut: behind the last page of which anything is here.
    private func firstMissing(_ log: LogBeginning, _ source: String, from start: UInt64) async throws -> UInt64 {
        var (next, found) = (start, start)
        var isAnyHere = false
        while let page = try await log.late(from: next, of: source) {
            for entry in page.batches.joined() where await index(of: entry) != nil {
                isAnyHere = true
                found = next
                break
            }
            next = page.next
        }
        // None at all: it was all refused, or there was none.
        return isAnyHere ? found : next
    }

    /// Publishes batches of the log before; of one that is refused, every statement that counts by itself.
    private func publishAgain(_ batches: [[[UInt8]]]) async throws {
        for (entries, publication) in zip(batches, await publishNow(batches)) {
            switch publication {
            case .published, .already: continue
            case .failed(let error): throw error
            case .refused(let refused):
                let isKnown = refused.allSatisfy { $0.reason == .repeated }
                guard entries.count > 1 else {
                    if !isKnown { report(refused.count, refused.first?.reason) }
                    continue
                }
                for single in await publishNow(entries.map { [$0] }) {
                    if case .failed(let error) = single { throw error }
                    if case .refused(let refused) = single, refused.first?.reason != .repeated {
                        report(1, refused.first?.reason)
                    }
                }
            }
        }
    }

    private func report(_ count: Int, _ reason: Verdict.Reason?) {
        logger.error(
            "what was published after the cut of the log before does not count in the new one",
            metadata: ["statements": "\(count)", "reason": "\(reason?.text ?? "")"])
    }

    /// Publishes submissions in their order, whatever else waits, and says what became of each.
    private func publishNow(_ submissions: [[[UInt8]]]) async -> [Publication] {
        guard !submissions.isEmpty else { return [] }
        let results = Mutexed<[Int: Publication]>([:])
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            for (number, entries) in submissions.enumerated() {
                waiting.append(
                    (
                        entries,
                        { publication in
                            let count = results.withLock { results in
                                results[number] = publication
                                return results.count
                            }
                            if count == submissions.count { done.resume() }
                        }
                    ))
            }
            guard !isRunning else { return }
            isRunning = true
            Task { await run() }
        }
        return results.withLock { results in submissions.indices.compactMap { results[$0] } }
    }

    /// Ends the log with a state leaf that names the charter in force, where a cut of it lies below the log's end: until
    /// then nobody can compare the log's maps with what counts. Also where no head of it was signed yet.
    private func nameCharter() async {
        guard let state = try? await store.state(of: identity.origin), state.size > 0, state.end == nil,
            state.isBegun, state.governance.isActive(at: state.size), await objection() == nil,
            begun == identity.origin, let record = try? await store.log(identity.origin),
            !state.isJudged || record.head == nil
        else { return }
        needsLeaf = true
        guard !isRunning else { return }
        isRunning = true
        await run()
    }

    private func run() async {
        while !waiting.isEmpty || needsLeaf {
            if needsLeaf {
                needsLeaf = false
                await publish([])
            }
            let batch = waiting
            waiting = []
            if !batch.isEmpty { await publish(batch) }
        }
        isRunning = false
    }

    /// What had to be published by the node itself was not.
    func report(problem error: NodeError) { problem = "\(error)" }

    private func publish(_ batch: [(entries: [[UInt8]], answer: @Sendable (Publication) -> Void)]) async {
        let origin = identity.origin
        do {
            let published = try await store.publish(
                batch.map(\.entries), in: origin,
                check: { entries, state in EntryChecking.checkNow(entries, after: state) },
                // Not where what waited has become another copy's to publish.
                sign: { [identity] checkpoint in try identity.sign(checkpoint) })
            for (submission, result) in zip(batch, published.results) {
                let publication = await publication(result, submission.entries, published.frontier)
                record(publication, of: submission.entries)
                submission.answer(publication)
            }
            if let note = published.note { await announce(note, published) }
        } catch {
            logger.error("publishing failed", metadata: ["reason": "\(error)"])
            for submission in batch {
                record(.failed(NodeError("\(error)")), of: submission.entries)
                submission.answer(.failed(NodeError("\(error)")))
            }
        }
    }

    /// Puts what became of a submission on the audit record: who signed it, and which entries it became.
    private func record(_ publication: Publication, of entries: [[UInt8]]) {
        guard let audit else { return }
        let first = entries.first.flatMap { try? Statement(parsing: $0) }
        var details: JSONObject = ["statements": .integer(Int64(entries.count))]
        details["signedBy"] = first.map { .array($0.signatures.map { .string($0.keyName) }) }
        let signers = first?.signatures.map(\.keyName).joined(separator: ", ") ?? "nobody"
        switch publication {
        case .published(let from, let to, _, _):
            details["log"] = .string(identity.origin)
            details["first"] = .integer(Int64(from))
            details["last"] = .integer(Int64(to))
            guard case .roster(let roster)? = first?.body else {
                let range = from == to ? "entry \(from)" : "entries \(from) to \(to)"
                return audit.append(.published, "published \(range), signed by \(signers)", details)
            }
            details["ordinal"] = .integer(Int64(roster.ordinal))
            details["officers"] = .array(roster.officers.map { .string($0.name) })
            audit.append(.roster, "roster \(roster.ordinal), signed by \(signers)", details, durable: true)
        case .refused(let refused):
            details["reason"] = refused.first.map { .string($0.reason.rawValue) }
            details["refused"] = .integer(Int64(refused.count))
            let reason = refused.first?.reason.text ?? "refused"
            audit.append(.refused, "refused what \(signers) signed: \(reason)", details)
        case .failed(let error):
            details["reason"] = .string(error.reason)
            audit.append(.refused, "could not publish what \(signers) signed: \(error.reason)", details)
        case .already: break
        }
    }

    private func publication(
        _ result: SubmissionResult, _ entries: [[UInt8]], _ after: TreeFrontier
    ) async -> Publication {
        switch result {
        case .published(let first, let last):
            return .published(first: first, last: last, size: after.size, root: after.root)
        case .tooLarge: return .failed(NodeError("the submission is too large for one transaction"))
        case .refused(let refused):
            let isRepeated = refused.count == entries.count && refused.allSatisfy { $0.reason == .repeated }
            guard isRepeated, let first = await index(of: entries[0]),
                let last = await index(of: entries[entries.count - 1])
            else { return .refused(refused) }
            return .already(first: first, last: last)
        }
    }

    private func index(of entry: [UInt8]) async -> UInt64? {
        try? await store.index(of: HashValue.sha256(entry), in: identity.origin)
    }

    private func announce(_ note: [UInt8], _ published: PublishResult) async {
        var bundle: [UInt8] = []
        let entries = published.appended
        if entries.count <= Self.inlineLimit.entries, entries.reduce(0, { $0 + $1.count }) <= Self.inlineLimit.bytes {
            bundle = (try? EntryBundle.encode(entries)) ?? []
        }
        await driver.handle(.published(note: note, from: published.start, entries: bundle))
    }
}

import Alliance
import Foundation
import Logging
import Replication
import Store
import TransparencyLog

/// Runs the replication protocol: feeds events to the pure ``Replication/Replication`` value and carries out its
/// effects. An event is handled without suspending; effects are handed to workers, and come back as events.
actor ReplicationDriver {
    private var replication: Replication
    let identity: NodeIdentity
    let store: Store
    let logger: Logger
    let audit: AuditFile?
    private let peers: any PeerAccess
    private let checked = CheckedRanges()
    private var sessions: [PeerID: PeerSession] = [:]
    private var lastSession: UInt64 = 0
    private var jobs: [String: LogJobs] = [:]
    nonisolated let verified: VerifiedSignatures
    private var timers: [TimerID: Instant] = [:]
    private var waker: Task<Void, Never>?
    private var fetches: [RequestID: Task<Void, Never>] = [:]
    private var tasks: [UInt64: Task<Void, Never>] = [:]
    private var lastTask: UInt64 = 0
    private var isStopped = false
    /// Requests that a peer answers by sending to us, with the member that may.
    private var awaited: [RequestID: (member: String, origin: String)] = [:]
    private var awaitedDocuments: [HashValue: (peer: PeerID, member: String)] = [:]
    private var watchers: [UInt64: AsyncStream<Void>.Continuation] = [:]
    private var lastWatcher: UInt64 = 0
    /// The largest size of our own log that a peer holds, with the log: a charter may give us another.
    private var ownTarget: (origin: String, size: UInt64) = ("", 0)
    /// Whether a peer holds more of our own log than we do.
    var ownLogIsLonger: Bool {
        let origin = identity.origin
        // What others hold of a forked log is not taken back.
        return !ownLogIsForked && ownTarget.origin == origin && ((try? store.size(of: origin)) ?? 0) < ownTarget.size
    }
    /// Whether it is known that our own log signed what cannot be.
    var ownLogIsForked: Bool { replication.status(ofLog: identity.origin)?.isContradicted ?? false }
    /// How far this start of the node is: whether it may sign in its own log.
    var incarnationStanding: IncarnationStanding { replication.incarnationStanding }
    /// One for every time that this start may sign in a log.
    nonisolated let establishments: AsyncStream<String>
    let newEstablishment: AsyncStream<String>.Continuation
    let restored: RestoredFolder?
    /// Whether replication has begun.
    private var hasStarted = false
    /// What paces Replication.
    private let clock = SteadyClock()
    /// ``SteadyClock/wallAhead`` as Replication knows it.
    private var clockAhead: Int64 = 0
    private var charters: CharterKeeper?
    /// By member, so that a new session does not begin anew.
    private var tolls: [String: PeerToll] = [:]
    /// Logs that need a worker.
    private let (origins, newOrigins) = AsyncStream.makeStream(of: String.self)

    init(
        identity: NodeIdentity, store: Store, snapshots: [LogSnapshot], peers: any PeerAccess,
        settings: ReplicationSettings, logger: Logger, audit: AuditFile? = nil, restored: RestoredFolder? = nil
    ) {
        self.identity = identity
        self.store = store
        self.peers = peers
        self.logger = logger
        self.audit = audit
        (establishments, newEstablishment) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        let verified = VerifiedSignatures()
        self.verified = verified
        replication = Replication(
            settings: settings, me: identity.member.id, membership: Membership(identity.chain), logs: snapshots,
            seed: UInt64.random(in: 0...UInt64.max), memory: verified, isRestored: restored?.isMarked ?? false)
        self.restored = restored
    }

    // MARK: Running

    /// Carries out storage work, log by log, until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            addWorkers()
            handle(.started)
            for await origin in origins {
                guard let waiting = jobs[origin] else { continue }
                let worker = LogWorker(
                    origin: origin, store: store, identity: identity, logger: logger, checked: checked,
                    verified: verified, audit: audit)
                group.addTask {
                    for await job in waiting {
                        let event = await worker.perform(job)
                        switch event {
                        case .ingested(_, .stored), .forkSettled(_, .held): await self.peers.logAdvanced(worker.origin)
                        default: break
                        }
                        if let event { await self.handle(event) } else { await self.changed() }
                    }
                }
            }
        }
        stop()
    }

    /// Gives every log of the charter in force a place for what is to be done for it.
    private func addWorkers() {
        for member in identity.charter.charter.members where jobs[member.log.name] == nil {
            jobs[member.log.name] = LogJobs()
            newOrigins.yield(member.log.name)
        }
    }

    func attach(_ charters: CharterKeeper) { self.charters = charters }

    /// Other charters are in force, or known.
    ///
    /// - Parameter logs: what the store holds of all logs.
    func chartersChanged(_ chain: CharterChain, holding logs: [LogSnapshot]) async {
        // Logs may have been counted anew: what was false may be true now, and name documents.
        let records = (try? await store.logs()) ?? []
        let wanted = (try? await store.wantedDocuments(limit: 10_000)) ?? []
        guard !isStopped else { return }
        addWorkers()
        for record in records { handle(.recounted(origin: record.origin, isTrustworthy: record.end == nil)) }
        if !wanted.isEmpty {
            handle(.documentsMissing(wanted.map { DocumentNeed(digest: $0.digest, size: UInt64($0.size)) }))
        }
        handle(.membershipChanged(Membership(chain), logs: logs))
        // What could not begin under the charter before may begin now.
        if incarnationStanding == .established { newEstablishment.yield(identity.origin) }
    }

    /// Ends the sessions with a member that may not connect any more.
    func expel(_ member: String) {
        for session in sessions.values.filter({ $0.member == member }) { close(session.id) }
    }

    private func stop() {
        newOrigins.finish()
        newEstablishment.finish()
        isStopped = true
        for waiting in jobs.values { waiting.end() }
        for task in fetches.values { task.cancel() }
        for task in tasks.values { task.cancel() }
        waker?.cancel()
        for session in sessions.values {
            session.outbox.close()
            session.end()
        }
        for watcher in watchers.values { watcher.finish() }
    }

    /// Handles an event and begins what follows from it.
    func handle(_ event: Event) {
        guard !isStopped else { return }
        let now = Instant(milliseconds: clock.milliseconds)
        let ahead = clock.wallAhead
        if abs(ahead - clockAhead) > 1_000 {
            logger.warning("the clock was set", metadata: ["seconds": "\((ahead - clockAhead) / 1_000)"])
            clockAhead = ahead
            for effect in replication.handle(.clockSet(ahead: ahead), now: now) { perform(effect) }
        }
        if event == .started { hasStarted = true }
        let effects = replication.handle(event, now: now)
        for effect in effects { perform(effect) }
        switch event {
        case .message, .timer, .rangeFetched: break
        default: changed()
        }
    }

    /// A message has come.
    ///
    /// - Returns: milliseconds to wait before more is read of that session.
    func receive(_ message: Message, from id: PeerID) -> Int64 {
        guard let member = sessions[id]?.member else { return 0 }
        handle(.message(id, message))
        let now = Instant(milliseconds: clock.milliseconds)
        let (pause, isNew) = tolls[member, default: PeerToll()].take(message.cost, now)
        if isNew {
            logger.warning(
                "a peer sends more than this node has to read; its session is read more slowly",
                metadata: ["member": "\(member)"])
            audit?.count(
                .quota, reason: "messages", member: member,
                "\(member) sends more than a peer may; it is read more slowly")
        }
        return pause
    }

    /// The signatures that a message will have verified.
    func claims(of message: Message) -> [SignatureClaim] {
        replication.claims(of: message, now: Instant(milliseconds: clock.milliseconds))
    }

    // MARK: Effects

    private func perform(_ effect: Effect) {
        switch effect {
        case .send(let id, let message): send(message, to: id)
        case .fetchRange(let request, let peer, let wanted, _): fetchRange(request, from: peer, wanted)
        case .cancelFetch(let request):
            fetches.removeValue(forKey: request)?.cancel()
            awaited[request] = nil
        case .ingest(let request, let origin, _, let answer, let head):
            enqueue(.ingest(request, answer, head: head), origin)
        case .checkOldHead(let request, let origin, let size, let root):
            enqueue(.checkOldHead(request, size: size, root: root), origin)
        case .cosign(let origin, let checkpoint): enqueue(.cosign(checkpoint: checkpoint), origin)
        case .persistHead(let origin, let note): enqueue(.persistHead(note: note), origin)
        case .persistSignatures(let origin, let checkpoint, let lines):
            enqueue(.persistSignatures(checkpoint: checkpoint, lines), origin)
        case .recordContradiction(let origin, let ours, let other):
            audit?.append(
                .contradiction, "\(origin) signed two heads that cannot both be true", ["log": .string(origin)],
                durable: true)
            enqueue(.recordContradiction(ours: ours, other: other), origin)
        case .proveFork(let origin, let ours, let other): enqueue(.proveFork(ours: ours, other: other), origin)
        case .persistFork(let origin, let proof):
            audit?.append(
                .fork, "\(origin) is forked: a proof is held",
                [
                    "log": .string(origin), "sha256": .string(HashValue.sha256(proof).hex),
                ], durable: true)
            logger.critical("a log is forked: it is cosigned no further", metadata: ["log": "\(origin)"])
            enqueue(.persistFork(proof: proof), origin)
        case .persistForkHeads(let origin, let notes): enqueue(.persistForkHeads(notes), origin)
        case .settleFork(let origin, let end): enqueue(.settleFork(end: end), origin)
        case .ownLogIsLonger(let origin, let note):
            let size = (try? SignedNote(parsing: note)).flatMap { try? Checkpoint(parsing: $0.text) }?.size ?? 0
            ownTarget = (origin, ownTarget.origin == origin ? max(ownTarget.size, size) : size)
            logger.critical(
                "a peer holds more of this member's own log than this node: the data folder looks restored from a backup; nothing is published until its entries are taken back"
            )
        case .beginIncarnation, .recordIncarnation, .folderIsOlder, .established, .superseded, .twinSeen:
            performIncarnation(effect)
        case .quotaReached(let origin, let cap): quotaReached(origin, cap)
        case .setTimer(let timer, let time): set(timer, time)
        case .cancelTimer(let timer): timers[timer] = nil
        case .reject(let id, let rejection): note(rejection, by: id)
        case .disconnect(let id, _):
            sessions[id]?.outbox.close()
            sessions[id]?.end()
        case .fetchDocument, .listMissingDocuments, .serveRange, .serveDocument, .serveCharter, .considerCharter:
            performInBackground(effect)
        }
    }

    private func performInBackground(_ effect: Effect) {
        switch effect {
        case .fetchDocument(let id, let digest, let size): fetchDocument(digest, size: size, from: id)
        case .listMissingDocuments(let limit):
            spawn {
                guard let wanted = try? await $0.store.wantedDocuments(limit: limit), !wanted.isEmpty else { return }
                await $0.handle(
                    .documentsMissing(wanted.map { DocumentNeed(digest: $0.digest, size: UInt64($0.size)) }))
            }
        case .serveRange(let id, let request):
            guard let member = sessions[id]?.member else { return }
            spawn { driver in
                await driver.peers.push(range: request, to: member)
                await driver.handle(.served(id))
            }
        case .serveDocument(let id, let digest, let offset):
            guard let member = sessions[id]?.member else { return }
            spawn { driver in
                await driver.peers.push(document: digest, from: offset, to: member)
                await driver.handle(.served(id))
            }
        case .serveCharter(let id, let version):
            for charter in identity.chain.all where UInt64(charter.charter.version) == version {
                send(.charter(version: version, bytes: charter.file), to: id)
            }
        case .considerCharter(let id, let version, let bytes):
            spawn { driver in
                let outcome = await driver.considered(bytes, version)
                await driver.handle(.charterConsidered(id, version: version, outcome))
            }
        default: break
        }
    }

    private func considered(_ file: [UInt8], _ version: UInt64) async -> CharterOutcome {
        switch await charters?.take(file, as: version) {
        case .adopted, .held, nil: return .held
        case .failed: return .failed
        case .refused(let refusal) where [.skipped, .otherPrevious, .rolledBack].contains(refusal.code):
            return .unconnected
        case .refused(let refusal):
            return .rejected(Rejection(.invalidCharter, "\(refusal.code.rawValue): \(refusal.reason)"))
        }
    }

    private func quotaReached(_ origin: String, _ cap: QuotaCap) {
        logger.warning(
            "a log grows faster than this node takes in; what is beyond waits, and nothing is lost",
            metadata: ["log": "\(origin)", "setting": "\(cap.setting.name)", "hint": "\(cap.advice)"])
        audit?.append(
            .quota, "\(origin) grows faster than \(cap.setting.name) allows: what is beyond waits",
            ["log": .string(origin), "setting": .string(cap.setting.name)])
    }

    func enqueue(_ job: LogWorker.Job, _ origin: String) { jobs[origin]?.add(job) }

    /// Runs a short task that is ended with the driver.
    func spawn(_ body: @escaping @Sendable (ReplicationDriver) async -> Void) {
        lastTask += 1
        let number = lastTask
        tasks[number] = Task {
            await body(self)
            self.tasks[number] = nil
        }
    }

    private func send(_ message: Message, to id: PeerID) {
        guard let session = sessions[id] else { return }
        if case .wantRange(let wanted) = message { awaited[wanted.request] = (session.member, wanted.origin) }
        if !session.outbox.send(message.frame) {
            logger.warning(
                "a peer does not read fast enough; its session ends", metadata: ["member": "\(session.member)"])
            session.outbox.close()
            session.end()
        }
    }

    private func note(_ rejection: Rejection, by id: PeerID) {
        let member = sessions[id]?.member ?? "?"
        logger.warning(
            "refused what a peer sent",
            metadata: [
                "member": "\(member)", "reason": "\(rejection.reason.rawValue)", "log": "\(rejection.origin ?? "-")",
                "detail": "\(rejection.detail)",
            ])
        let log: JSONObject = rejection.origin.map { ["log": .string($0)] } ?? [:]
        audit?.count(
            .rejected, reason: rejection.reason.rawValue, member: member,
            "refused what \(member) sent: \(rejection.detail)", log)
    }

    // MARK: Fetching

    private func fetchRange(_ request: RequestID, from id: PeerID, _ wanted: RangeRequest) {
        guard let session = sessions[id] else { return handle(.rangeFailed(request, .unreachable)) }
        do { try store.makeSureOfRoom(for: 0) } catch {
            logger.error("no log is fetched", metadata: ["log": "\(wanted.origin)", "reason": "\(error)"])
            return handle(.rangeFailed(request, .local))
        }
        fetches[request] = Task {
            let result = await peers.fetch(range: wanted, from: session.member)
            fetches[request] = nil
            await arrived(request, wanted.origin, result)
        }
    }

    /// A range has come, whichever way: its entries are checked at once, while the range before is still being stored
    /// and the next one is asked for.
    private func arrived(_ request: RequestID, _ origin: String, _ result: Result<RangeAnswer, FetchFailure>) async {
        switch result {
        case .failure(let failure): handle(.rangeFailed(request, failure))
        case .success(let answer):
            if let state = try? await store.state(of: origin) { checked.begin(answer, of: origin, after: state) }
            handle(.rangeFetched(request, answer))
        }
    }

    /// A peer that cannot be dialled sends a range that it was asked for.
    ///
    /// - Returns: false where this was not asked of that member.
    func receive(range answer: RangeAnswer, for request: RequestID, from member: String) async -> Bool {
        guard let asked = awaited[request], asked.member == member else { return false }
        awaited[request] = nil
        await arrived(request, asked.origin, .success(answer))
        return true
    }

    /// Whether this member was asked to send that range.
    func expects(range request: RequestID, origin: String, from member: String) -> Bool {
        awaited[request].map { $0.member == member && $0.origin == origin } ?? false
    }

    /// A range that a peer was to send is no range.
    func failed(_ request: RequestID, _ failure: FetchFailure) {
        awaited[request] = nil
        handle(.rangeFailed(request, failure))
    }

    private func fetchDocument(_ digest: HashValue, size: UInt64, from id: PeerID) {
        guard let session = sessions[id] else { return handle(.documentFailed(digest, .unreachable, from: id)) }
        guard (try? store.makeSureOfRoom(for: Int(clamping: size))) != nil else {
            return handle(.documentFailed(digest, .local, from: id))
        }
        guard session.canFetch else {
            awaitedDocuments[digest] = (id, session.member)
            let offset = UInt64(store.documents.resume(digest, from: session.member))
            return send(.wantDocument(digest: digest, offset: offset), to: id)
        }
        spawn { driver in
            switch await driver.peers.fetch(document: digest, size: size, from: session.member) {
            case .success: await driver.documentArrived(digest, from: id)
            case .failure(let failure): await driver.handle(.documentFailed(digest, failure, from: id))
            }
        }
    }

    /// The session in which this member was asked to send that document; nil where it was not.
    func asked(for digest: HashValue, of member: String) -> PeerID? {
        awaitedDocuments[digest].flatMap { $0.member == member ? $0.peer : nil }
    }

    /// A document is whole and right.
    func documentArrived(_ digest: HashValue, from peer: PeerID) async {
        forget(digest, peer)
        do {
            try await store.markHeld(digest)
            handle(.documentFetched(digest))
        } catch {
            handle(.documentFailed(digest, .local, from: peer))
        }
    }

    /// A document did not come, or is wrong.
    func documentFailed(_ digest: HashValue, _ failure: FetchFailure, from peer: PeerID) {
        forget(digest, peer)
        handle(.documentFailed(digest, failure, from: peer))
    }

    private func forget(_ digest: HashValue, _ peer: PeerID) {
        if awaitedDocuments[digest]?.peer == peer { awaitedDocuments[digest] = nil }
    }
}

// MARK: - Timers

extension ReplicationDriver {
    private func set(_ timer: TimerID, _ time: Instant) {
        let isEarliest = timers.values.allSatisfy { time < $0 }
        timers[timer] = time
        if isEarliest { wake(at: time) }
    }

    private func wake(at time: Instant) {
        waker?.cancel()
        let wait = max(0, time.milliseconds - clock.milliseconds)
        waker = Task {
            do { try await Task.sleep(for: .milliseconds(wait)) } catch { return }
            fire()
        }
    }

    private func fire() {
        let now = Instant(milliseconds: clock.milliseconds)
        let due = timers.filter { $0.value <= now }.sorted { $0.value < $1.value }
        for (timer, _) in due { timers[timer] = nil }
        for (timer, _) in due { handle(.timer(timer)) }
        if let next = timers.values.min() { wake(at: next) }
    }
}

// MARK: - Sessions

extension ReplicationDriver {
    /// Begins a session.
    ///
    /// - Returns: nil where there is one with this member already, unless ours is to make way: of two sessions that
    ///   cross, the one that the lower id dialled stays.
    func open(
        member: String, isOutbound: Bool, canFetch: Bool, restricted: Bool, outbox: Outbox,
        end: @escaping @Sendable () -> Void
    ) -> PeerID? {
        guard !isStopped, !isSuperseded else { return nil }
        if let other = sessions.values.first(where: { $0.member == member }) {
            let dialler = isOutbound ? identity.member.id : member
            let mayReplace = other.isOutbound != isOutbound && dialler == min(identity.member.id, member)
            guard mayReplace || !isOutbound && !other.isOutbound else { return nil }
            close(other.id)
        }
        lastSession += 1
        let id = PeerID(lastSession)
        sessions[id] = PeerSession(
            id: id, member: member, outbox: outbox, isOutbound: isOutbound, canFetch: canFetch,
            startedAt: Clock.seconds, end: end)
        logger.info("connected", metadata: ["member": "\(member)", "dialled": "\(isOutbound)"])
        handle(.peerConnected(id, member: member, canFetch: canFetch, restricted: restricted))
        return id
    }

    /// Ends a session.
    func close(_ id: PeerID) {
        guard let session = sessions.removeValue(forKey: id) else { return }
        session.outbox.close()
        session.end()
        logger.info("disconnected", metadata: ["member": "\(session.member)"])
        awaited = awaited.filter { $0.value.member != session.member }
        awaitedDocuments = awaitedDocuments.filter { $0.value.member != session.member }
        spawn { await $0.peers.sessionEnded(session.member) }
        handle(.peerDisconnected(id))
    }

    /// Rosters have changed: this member's nodes may do everything now, or only a little.
    func rosterChanged(of member: String, isRestricted: Bool) {
        for session in sessions.values.filter({ $0.member == member }).sorted(by: { $0.id < $1.id }) {
            handle(.peerRestricted(session.id, isRestricted))
        }
    }

    /// Whether a session with this member is up.
    func isConnected(_ member: String) -> Bool { sessions.values.contains { $0.member == member } }

    /// Members with a session, and since when.
    var connected: [String: Int64] {
        Dictionary(sessions.values.map { ($0.member, $0.startedAt) }, uniquingKeysWith: min)
    }

    /// Whether others' answers to this start are due.
    var isStarting: Bool {
        switch incarnationStanding {
        case .waiting, .takingBack: true
        case .none: !hasStarted
        case .established, .superseded, .forked, .contradicted: false
        }
    }
    /// Whether another copy of this node was started later.
    var isSuperseded: Bool { if case .superseded = incarnationStanding { true } else { false } }

    var logStatuses: [LogStatus] { replication.logStatuses }
    var peerStatuses: [PeerStatus] { replication.peerStatuses }
    /// Refusals since the start, by reason.
    var rejectionCounts: [(reason: Rejection.Reason, count: Int)] { replication.rejectionCounts }

    /// Tells of every change from now on, and twice a second besides so that a deadline is noticed, until the stream is
    /// let go.
    func changes() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        lastWatcher += 1
        let number = lastWatcher
        watchers[number] = continuation
        let clock = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(500))
                continuation.yield()
            }
        }
        continuation.onTermination = { _ in
            clock.cancel()
            Task { await self.forget(watcher: number) }
        }
        return stream
    }

    private func forget(watcher: UInt64) { watchers[watcher] = nil }

    private func changed() {
        for watcher in watchers.values { watcher.yield() }
    }
}

/// What the driver asks of the transport.
protocol PeerAccess: Sendable {
    /// Asks a member for a range.
    func fetch(range: RangeRequest, from member: String) async -> Result<RangeAnswer, FetchFailure>
    /// Asks a member for the rest of a document, and stores it.
    func fetch(document: HashValue, size: UInt64, from member: String) async -> Result<Void, FetchFailure>
    /// Sends a range that a member asked for and cannot fetch.
    func push(range: RangeRequest, to member: String) async
    /// Sends a document that a member asked for and cannot fetch.
    func push(document: HashValue, from offset: UInt64, to member: String) async
    /// A session with a member has ended.
    func sessionEnded(_ member: String) async
    /// A log has more entries: perhaps a new roster.
    func logAdvanced(_ origin: String) async
}

internal import Alliance
internal import TransparencyLog

// Incarnations: a node that starts says so to everybody, and signs nothing of its own log before a quorum of replicas has
// recorded it and told what they hold. They accept no older start from then on; so of two copies of one node only the one
// that started later goes on (formats 12).

// MARK: - Our own

extension Replication {
    /// The charter in force gives us a log: this start is told there, unless it was.
    mutating func beginIncarnation(_ now: Instant) {
        guard let log = logs.firstIndex(where: \.isOwn) else {
            own = nil
            return emit(.cancelTimer(.incarnation))
        }
        guard own?.origin != logs[log].origin else { return reviewIncarnation(now) }
        heardOfOwnLog = []
        own = OwnIncarnation(
            origin: logs[log].origin, history: logs[log].ownStarts, publishedSize: logs[log].publishedSize)
        incarnationDue(now)
    }

    /// Has another note made, or sends the one that there is again to whoever may not have had it.
    mutating func incarnationDue(_ now: Instant) {
        guard let own, !own.isEstablished, own.successor == nil else { return }
        if own.note == nil || own.isRefused {
            emit(.beginIncarnation(origin: own.origin, above: own.highest))
        } else {
            for peer in peers.indices where peers[peer].isUsable { tellOwnIncarnation(to: peer) }
        }
        setIncarnationTimer(own, now)
        // A comparison may have failed, or the log turned out forked.
        reviewIncarnation(now)
    }

    private mutating func setIncarnationTimer(_ held: OwnIncarnation, _ now: Instant) {
        let wait = min(settings.incarnationInterval << Int64(min(held.repeats, 10)), settings.exchangeInterval)
        own?.repeats += 1
        emit(.setTimer(.incarnation, at: now + wait))
    }

    /// The shell has stored this start, and signed its note.
    mutating func incarnationBegun(_ origin: String, _ bytes: [UInt8], _ now: Instant) {
        guard var begun = own, begun.origin.isExactly(origin), !begun.isEstablished, begun.successor == nil,
            let note = try? IncarnationNote(parsing: bytes)
        else { return }
        begun.history.insert(note.incarnation)
        begun.highest = max(begun.highest, note.incarnation.number)
        guard begun.note == nil || begun.isRefused else { return own = begun }
        begun.note = note
        #if DEBUG
        if !PlantedBug.countsOldReceipts.isPlanted { begun.answers = [] }
        #else
        begun.answers = []
        #endif
        begun.isRefused = false
        begun.repeats = 0
        own = begun
        for peer in peers.indices where !peers[peer].isEnded { send(peer, .hello(hello)) }
        incarnationDue(now)
        reviewIncarnation(now)
    }

    mutating func tellOwnIncarnation(to peer: Int) {
        guard let note = own?.note, own?.isRefused == false else { return }
        send(peer, .incarnation(IncarnationNews(note: note.bytes)))
    }

    /// A peer speaks of a start of our node: of this one, with answers, or of another.
    private mutating func ownReceived(
        _ note: IncarnationNote, _ receipts: [IncarnationReceipt], of log: Int, _ now: Instant
    ) throws(Rejection) {
        guard let held = own else { return }
        if held.note?.incarnation == note.incarnation {
            for receipt in receipts {
                let known = (own?.answers ?? []).map(\.member)
                guard let member = try replica(of: receipt, log, known: known) else { continue }
                own?.answers.append(StartAnswer(member: member, receipt: receipt))
                if let before = receipt.before, !held.history.contains(before) {
                    becomeRestored()
                }
            }
            return reviewIncarnation(now)
        }
        guard !held.history.contains(note.incarnation), held.successor == nil else { return }
        try verify(note, log)
        noteTwin(note)
        if held.isEstablished {
            guard let number = held.note?.incarnation.number, note.incarnation.number > number else { return }
            return standDown(for: note)
        }
        becomeRestored()
        own?.highest = max(held.highest, note.incarnation.number)
        guard !held.isRefused, held.note.map({ note.incarnation.number >= $0.incarnation.number }) ?? false else {
            return
        }
        // Two copies that start together must not outbid each other for ever.
        own?.isRefused = true
        own?.refusals += 1
        let wait = backoff(held.refusals + 1)
        emit(.setTimer(.incarnation, at: now + wait + Int64.random(in: 0...wait, using: &random)))
    }

    /// Somebody knows what this folder does not: it stays so until everybody was heard, also after another start.
    private mutating func becomeRestored() {
        guard !isRestored else { return }
        isRestored = true
        emit(.folderIsOlder)
    }

    private mutating func noteTwin(_ note: IncarnationNote) {
        guard let held = own, held.twins.count < OwnIncarnation.twinLimit, !held.twins.contains(note.incarnation) else {
            return
        }
        own?.twins.append(note.incarnation)
        emit(.twinSeen(origin: held.origin, incarnation: note.incarnation))
    }

    /// Another copy of this node was started later and replicas have recorded it: this one is done.
    private mutating func standDown(for note: IncarnationNote) {
        #if DEBUG
        if PlantedBug.goesOnWhenTold.isPlanted { return }
        #endif
        own?.successor = note.incarnation
        emit(.cancelTimer(.incarnation))
        emit(.superseded(origin: note.origin, by: note.incarnation))
        for peer in peers.indices { leave(peer) }
    }

    /// Ends a session of which nobody is to blame: another copy of this node speaks for the member now.
    mutating func leave(_ peer: Int) {
        guard !peers[peer].isEnded else { return }
        peers[peer].isEnded = true
        emit(.disconnect(peers[peer].id, Rejection(.superseded, "another copy of this node was started later")))
    }

    /// Looks whether this start may sign now.
    mutating func reviewIncarnation(_ now: Instant) {
        compareAnswers()
        guard let held = own, !held.isEstablished, held.successor == nil, let log = logIndex(held.origin),
            progress(held, log) == .established
        else { return }
        own?.isEstablished = true
        isRestored = false
        emit(.cancelTimer(.incarnation))
        emit(.established(origin: held.origin))
    }

    /// The operator goes on without a member's word.
    mutating func waive(_ member: String, _ now: Instant) {
        if !waived.containsExactly(member) { waived.append(member) }
        reviewIncarnation(now)
    }
}

// MARK: - Others'

extension Replication {
    /// A peer speaks of a node's start.
    mutating func incarnationReceived(_ news: IncarnationNews, from peer: Int, _ now: Instant) throws(Rejection) {
        guard let note = try? IncarnationNote(parsing: news.note) else {
            throw Rejection(.malformedNote, "an incarnation cannot be read")
        }
        guard let log = logIndex(note.origin) else {
            if peers[peer].charterVersion > membership.version { return }
            throw Rejection(.unknownLog, "an incarnation of a log that no member has")
        }
        var receipts: [IncarnationReceipt] = []
        for bytes in news.receipts {
            guard let receipt = try? IncarnationReceipt(parsing: bytes), receipt.origin.isExactly(note.origin),
                receipt.incarnation == note.incarnation
            else { throw Rejection(.malformedNote, origin: logs[log].origin, "a receipt does not fit its incarnation") }
            receipts.append(receipt)
        }
        guard !logs[log].isOwn else { return try ownReceived(note, receipts, of: log, now) }
        let isOwners = peers[peer].member.isExactly(logs[log].owner)
        if isOwners { peers[peer].incarnation = note.incarnation }
        if let held = logs[log].incarnation?.note.incarnation, held.number >= note.incarnation.number {
            guard held == note.incarnation else {
                // An older copy, which goes on without knowing.
                guard peers[peer].incarnationsToldAt.map({ now < $0 || now - $0 >= settings.headsInterval }) ?? true
                else { return }
                peers[peer].incarnationsToldAt = now
                return tellIncarnation(log, to: peer, now)
            }
            try takeReceipts(receipts, of: log, from: peers[peer].id)
            peers[peer].logs[log].heardIncarnation = held
            // What it does not know of that is known here.
            let isBehind = receiptsFor(peer, log).contains { !receipts.contains($0) }
            let isDue = isOwners ? mayAnswerOwner(log, peer, now) : isBehind && mayTellAgain(log, peer, now)
            if peers[peer].logs[log].toldIncarnation != held || isDue {
                tellIncarnation(log, to: peer, now)
            }
            if receipts.count < membership.quorum { passOnAgain(log, besides: peer, now) }
            // Our key was not here, or the charter names another since.
            if ours(log) == nil, mayCosign(log), mayRecord(log, now) {
                record(note, receipts, of: log, from: peers[peer].id, now)
            }
            return
        }
        guard mayRecord(log, now) else { return }
        try verify(note, log)
        record(note, receipts, of: log, from: peers[peer].id, now)
    }

    /// The shell has stored a start and signed a receipt; neither where it could not, and no receipt without a replica key.
    mutating func incarnationRecorded(_ origin: String, _ note: [UInt8]?, _ receipt: [UInt8], _ now: Instant) {
        guard let log = logIndex(origin), let recording = logs[log].recording else { return }
        logs[log].recording = nil
        defer {
            for id in logs[log].heldBack {
                if let peer = peerIndex(id), peers[peer].isUsable { send(peer, .wantHead(origin: logs[log].origin)) }
            }
            logs[log].heldBack = []
        }
        guard note == recording.note.bytes else { return }
        var known: [(member: String, receipt: IncarnationReceipt)] = []
        if let own = try? IncarnationReceipt(parsing: receipt) { known = [(me, own)] }
        // Others' receipts of the same start stay.
        if logs[log].incarnation?.note == recording.note {
            known += (logs[log].incarnation?.receipts ?? []).filter { !$0.member.isExactly(me) }
        }
        logs[log].incarnation = RecordedIncarnation(note: recording.note, receipts: known)
        try? takeReceipts(recording.receipts, of: log, from: recording.source, isPassedOn: false)
        for peer in peers.indices where peers[peer].isUsable {
            let isOwners = peers[peer].member.isExactly(logs[log].owner)
            guard isOwners || peers[peer].id == recording.source || !hears(logs[log].owner, peer) else { continue }
            tellIncarnation(log, to: peer, now)
        }
    }

    /// Whether a start may be recorded now: the owner, or whoever passes it on, sends it again.
    private func mayRecord(_ log: Int, _ now: Instant) -> Bool {
        let isTooSoon = logs[log].recordedAt.map { now >= $0 && now - $0 < settings.incarnationSpacing } ?? false
        return !isTooSoon && logs[log].recording == nil
    }

    private mutating func record(
        _ note: IncarnationNote, _ receipts: [IncarnationReceipt], of log: Int, from source: PeerID, _ now: Instant
    ) {
        logs[log].recordedAt = now
        logs[log].recording = RecordingIncarnation(note: note, receipts: receipts, source: source)
        // What an older copy offered is not taken behind the receipt's back; whoever offered it is asked again.
        logs[log].heldBack = Array(Set(logs[log].offers.flatMap(\.peers))).sorted()
        forgetOffers(log)
        emit(.recordIncarnation(origin: logs[log].origin, note: note.bytes))
        scheduleAll(now)
    }

    /// While a start is being recorded nothing further of the log is taken in.
    ///
    /// - Returns: whether an offer was held back.
    mutating func holdsBack(_ log: Int, from peer: Int) -> Bool {
        guard logs[log].recording != nil else { return false }
        let id = peers[peer].id
        if !logs[log].heldBack.contains(id), logs[log].heldBack.count < settings.peers { logs[log].heldBack.append(id) }
        return true
    }

    private func mayAnswerOwner(_ log: Int, _ peer: Int, _ now: Instant) -> Bool {
        peers[peer].logs[log].incarnationToldAt.map { now < $0 || now - $0 >= settings.incarnationSpacing } ?? true
    }

    /// Whether a peer may be told of the same start once more.
    private func mayTellAgain(_ log: Int, _ peer: Int, _ now: Instant) -> Bool {
        let state = peers[peer].logs[log]
        guard state.incarnationTellings < Self.incarnationTellings, let last = state.incarnationToldAt else {
            return state.incarnationToldAt == nil
        }
        return now < last || now - last >= settings.incarnationInterval
    }

    private static let incarnationTellings = 64

    /// Somebody still lacks receipts: asks those on who hear of the start from nobody else.
    private mutating func passOnAgain(_ log: Int, besides source: Int, _ now: Instant) {
        for peer in peers.indices where peer != source && peers[peer].isUsable && mayTellAgain(log, peer, now) {
            guard !peers[peer].member.isExactly(logs[log].owner), !hears(logs[log].owner, peer) else { continue }
            tellIncarnation(log, to: peer, now)
        }
    }

    /// Our own receipt of the start that is recorded.
    private func ours(_ log: Int) -> IncarnationReceipt? {
        logs[log].incarnation?.receipts.first { $0.member.isExactly(me) }?.receipt
    }

    /// Whether a peer is connected with that member, by its word.
    private func hears(_ member: String, _ peer: Int) -> Bool { peers[peer].neighbours.containsExactly(member) }

    /// Takes receipts of the start that is recorded, and passes on what is new: to its owner, else to everybody.
    private mutating func takeReceipts(
        _ receipts: [IncarnationReceipt], of log: Int, from source: PeerID, isPassedOn: Bool = true
    ) throws(Rejection) {
        var news: [IncarnationReceipt] = []
        for receipt in receipts {
            let known = (logs[log].incarnation?.receipts ?? []).map(\.member)
            guard let member = try replica(of: receipt, log, known: known) else { continue }
            logs[log].incarnation?.receipts.append((member, receipt))
            news.append(receipt)
        }
        guard isPassedOn, !news.isEmpty, let note = logs[log].incarnation?.note else { return }
        let usable = peers.indices.filter { peers[$0].isUsable && peers[$0].id != source }
        let owners = usable.filter { peers[$0].member.isExactly(logs[log].owner) }
        for peer in owners.isEmpty ? usable : owners {
            send(peer, .incarnation(IncarnationNews(note: note.bytes, receipts: news.map(\.bytes))))
        }
    }

    /// Tells a peer of the start that is recorded here, with the receipts that are known.
    private mutating func tellIncarnation(_ log: Int, to peer: Int, _ now: Instant) {
        guard let held = logs[log].incarnation else { return }
        if peers[peer].logs[log].toldIncarnation != held.note.incarnation {
            peers[peer].logs[log].toldIncarnation = held.note.incarnation
            peers[peer].logs[log].incarnationTellings = 0
        }
        peers[peer].logs[log].incarnationTellings += 1
        peers[peer].logs[log].incarnationToldAt = now
        let receipts = receiptsFor(peer, log).prefix(WireLimits.incarnationReceipts).map(\.bytes)
        send(peer, .incarnation(IncarnationNews(note: held.note.bytes, receipts: Array(receipts))))
    }

    /// The receipts that a peer may lack: where it hears the node itself, not those of members that it hears too.
    private func receiptsFor(_ peer: Int, _ log: Int) -> [IncarnationReceipt] {
        let known = logs[log].incarnation?.receipts ?? []
        let isOwner = peers[peer].member.isExactly(logs[log].owner)
        guard !isOwner, hears(logs[log].owner, peer) else { return known.map(\.receipt) }
        return known.filter { $0.member.isExactly(me) || !hears($0.member, peer) }.map(\.receipt)
    }

    /// As a peer lacks something, or knows something else: tells it of all starts of which it has not spoken itself.
    mutating func tellIncarnations(to peer: Int, _ now: Instant) {
        for log in logs.indices where !logs[log].isOwn {
            guard let held = logs[log].incarnation, peers[peer].logs[log].heardIncarnation != held.note.incarnation,
                !peers[peer].member.isExactly(logs[log].owner)
            else { continue }
            tellIncarnation(log, to: peer, now)
        }
    }

    /// The newest start of a log's node that is known here.
    func newestIncarnation(_ log: Int) -> Incarnation? {
        (logs[log].isOwn ? own?.note : logs[log].incarnation?.note)?.incarnation
    }

    /// Whether a head of its own log comes from a copy of a node that another has replaced.
    func isSuperseded(_ peer: Int, as log: Int) -> Bool {
        guard peers[peer].member.isExactly(logs[log].owner), let start = peers[peer].incarnation,
            let newest = (logs[log].recording?.note ?? logs[log].incarnation?.note)?.incarnation
        else { return false }
        return start != newest && start.number <= newest.number
    }

    private func verify(_ note: IncarnationNote, _ log: Int) throws(Rejection) {
        do { try note.verify(by: logs[log].key) } catch {
            throw Rejection(.badSignature, origin: logs[log].origin, "the log did not sign this incarnation")
        }
    }

    /// Whose receipt it is, verified; nil where it is nobody's who counts, or no news.
    private func replica(
        of receipt: IncarnationReceipt, _ log: Int, known: [String]
    ) throws(Rejection) -> String? {
        guard let (member, key) = membership.replica(receipt.note.signatures[0], of: logs[log].origin),
            !known.containsExactly(member.id)
        else { return nil }
        do { try receipt.verify(by: key) } catch {
            throw Rejection(.badSignature, origin: logs[log].origin, "a member's receipt does not verify")
        }
        return member.id
    }

    /// Receipts count while the charter names the key that made them.
    mutating func keepReceipts() {
        for log in logs.indices {
            let (origin, membership) = (logs[log].origin, membership)
            logs[log].incarnation?.receipts.removeAll {
                membership.replica($0.receipt.note.signatures[0], of: origin) == nil
            }
        }
    }
}

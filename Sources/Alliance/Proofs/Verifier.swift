import TransparencyLog

/// What a caller asks of a proof beside its being genuine.
public struct VerificationOptions: Hashable, Sendable {
    /// The question that the caller has in mind; what is nil may be anything.
    public struct Asked: Hashable, Sendable {
        /// The member's id or short name.
        public var member: String?
        /// `register`, `register/field` or `@documents`.
        public var map: String?
        /// The key; it is brought into canonical form before it is compared.
        public var key: String?

        /// States what was asked.
        public init(member: String? = nil, map: String? = nil, key: String? = nil) {
            self.member = member
            self.map = map
            self.key = key
        }
    }

    /// The instant that the answer is wanted for; nil for the proof's own, and if it has none for now.
    public var on: Timestamp?
    /// What the answer should be; anything else is status 3.
    public var expectation: ProofExpectation?
    /// What the question should be; anything else is status 3.
    public var asked: Asked
    /// How old the newest quorum may be in questions about now, in seconds.
    public var maximumAge: Int64
    /// Proofs that logs are forked; those of other logs, and those that do not hold, make no difference.
    public var forks: [ForkProof] = []

    /// A day.
    public static let defaultMaximumAge: Int64 = 86_400

    /// Options; without any, the proof's own question is answered.
    public init(
        on: Timestamp? = nil, expectation: ProofExpectation? = nil, asked: Asked = Asked(),
        maximumAge: Int64 = Self.defaultMaximumAge
    ) {
        self.on = on
        self.expectation = expectation
        self.asked = asked
        self.maximumAge = maximumAge
    }
}

/// Verifies proof files: pure code that needs nothing but the file, a charter and the time.
public struct Verifier: Sendable {
    /// A verifier has no state.
    public init() {}

    /// Makes every check of a proof, also after one has failed, and draws the conclusion.
    ///
    /// - Parameters:
    ///   - proof: the proof as read.
    ///   - charter: the charter that the caller trusts.
    ///   - now: the caller's clock.
    ///   - options: what the caller asks beside.
    public func verify(
        _ proof: ProofFile, charter: VerifiedCharter, at now: Timestamp, options: VerificationOptions = .init()
    ) -> VerificationReport {
        verify(proof, charters: CharterChain(charter), at: now, options: options)
    }

    /// The same for a caller that has several versions of the charter: proofs made under any of them can be told.
    public func verify(
        _ proof: ProofFile, charters: CharterChain, at now: Timestamp, options: VerificationOptions = .init()
    ) -> VerificationReport {
        var work = Verification(proof: proof, chain: charters, now: now.seconds, options: options)
        work.checkCharter()
        work.checkLog()
        work.checkQuorum()
        work.checkFork()
        work.checkDefinition()
        work.checkRow()
        work.checkRosters()
        work.checkStatements()
        work.readAnswer()
        work.checkFirst()
        return work.report()
    }
}

/// One verification under way.
struct Verification {
    let proof: ProofFile
    let chain: CharterChain
    /// The newest that the caller has.
    let charter: VerifiedCharter
    /// Which version governs which index of the member's log.
    let governance: LogGovernance?
    let now: Int64
    let options: VerificationOptions
    /// The instant asked about; nil for now.
    let on: Timestamp?
    /// The member, if the charter has it.
    let member: CharterMember?
    var checks: [VerificationReport.Check] = []
    var judgement: QuorumJudgement?
    var definition: RegisterDefinition?
    /// The rosters that passed all checks.
    var rosters: [(proof: ProofRoster, roster: Roster)] = []
    /// The statements that the row names, by index; only where all of them passed.
    var statements: [(index: UInt64, statement: Statement)]?
    var answer: ProofAnswer?
    var publishedBy: Int64?

    init(proof: ProofFile, chain: CharterChain, now: Int64, options: VerificationOptions) {
        self.proof = proof
        self.chain = chain
        charter = chain.current
        self.now = now
        self.options = options
        on = options.on ?? proof.question.on
        member = charter.charter.members.first { $0.id.utf8.elementsEqual(proof.question.member.utf8) }
        governance = member.flatMap { LogGovernance(of: $0.log.name, under: chain) }
    }

    var time: Int64 { on?.seconds ?? now }

    mutating func note(_ name: VerificationReport.CheckName, _ result: VerificationReport.Result, _ text: String) {
        checks.append(VerificationReport.Check(name: name, result: result, text: text))
    }

    /// Notes one check that passes where nothing is wrong.
    mutating func note(_ name: VerificationReport.CheckName, _ passed: String, unless wrong: String?) {
        note(name, wrong == nil ? .passed : .failed, wrong ?? passed)
    }
}

// MARK: - The charter

extension Verification {
    mutating func checkCharter() {
        note(
            .alliance, "The proof is of the alliance \(charter.charter.alliance).",
            unless: proof.question.alliance == charter.alliance
                ? nil : "The proof is of another alliance than your charter.")
        let (result, text) = judgeCharter()
        note(.charter, result, text)
        guard let member else {
            note(.member, .failed, "\(proof.question.member) is no member in your charter.")
            return
        }
        let isActive = governance?.isActive(at: proof.log.index) ?? false
        if member.standing == .active, isActive {
            note(.member, .passed, "\(member.title) is an active member.")
        } else if isActive {
            note(
                .member, .passed, "\(member.title) is \(member.standing.rawValue) now; what it said up to there stands."
            )
        } else {
            let standing = governance?.member(at: proof.log.index)?.standing ?? member.standing
            note(
                .member, .cannotTell,
                "\(member.title) is \(standing.rawValue) in your charter at entry \(proof.log.index): nothing counts there."
            )
        }
    }

    private func judgeCharter() -> (VerificationReport.Result, String) {
        let (leaf, own) = (proof.state, charter.charter.version)
        guard proof.charterVersion == leaf.charterVersion, proof.charterDigest == leaf.charterDigest else {
            return (.failed, "The proof names another charter than the log does.")
        }
        if let held = chain.version(leaf.charterVersion) {
            guard leaf.charterDigest == held.digest else {
                return (.failed, "The log is under another version \(leaf.charterVersion) of the charter than yours.")
            }
            if let governing = governance?.charter(at: proof.log.index, naming: leaf.charterVersion).charter.version,
                governing > leaf.charterVersion
            {
                return (
                    .cannotTell,
                    "The log is under version \(leaf.charterVersion) of the charter, and version \(governing) governs it "
                        + "there: get a newer proof."
                )
            }
            return leaf.charterVersion == own
                ? (.passed, "The log is under your charter, version \(own).")
                : (.passed, "The log is under version \(leaf.charterVersion), which your charter follows.")
        }
        if leaf.charterVersion > own {
            return (
                .cannotTell,
                "The log is under version \(leaf.charterVersion) of the charter, yours is version \(own): get the newer."
            )
        }
        guard leaf.charterVersion == own - 1 else {
            return (
                .cannotTell,
                "The log is under version \(leaf.charterVersion) of the charter: the versions up to yours, \(own), are "
                    + "missing."
            )
        }
        return leaf.charterDigest == charter.charter.previous
            ? (.passed, "The log is under version \(leaf.charterVersion), which your charter follows.")
            : (.failed, "The log is under a version \(leaf.charterVersion) that your charter does not follow.")
    }
}

// MARK: - The log

extension Verification {
    mutating func checkLog() {
        let log = proof.log
        let checkpoint = log.checkpoint
        if let member {
            var wrong: String?
            if !checkpoint.origin.utf8.elementsEqual(member.log.name.utf8) {
                wrong = "The checkpoint is of \(checkpoint.origin), not of \(member.title)'s log."
            } else if !checkpoint.extensions.isEmpty {
                wrong = "The checkpoint has lines that no log of the alliance writes."
            } else if (try? log.note.verify([member.log])) == nil {
                wrong = "The log key of \(member.title) did not sign the checkpoint."
            } else if let before = governance?.predecessor, checkpoint.size < before.size {
                wrong = "The log begins with the \(before.size) entries of \(before.origin), and this is shorter."
            }
            note(.log, "\(member.title)'s log key signed the checkpoint of \(checkpoint.size) entries.", unless: wrong)
        } else {
            note(.log, .failed, "Without the member, its log's key is not known.")
        }
        var wrong: String?
        if checkpoint.size != log.index + 1 {
            wrong = "The state leaf is not the checkpoint's last entry."
        } else if proof.state.entryCount != log.index {
            wrong = "The state leaf states \(proof.state.entryCount) entries before it, not \(log.index)."
        } else if !log.provesInclusion(of: MerkleTree.leafHash(proof.state.bytes)) {
            wrong = "The state leaf is not in the checkpoint's tree."
        }
        note(.state, "The state leaf is the last entry of the log at that checkpoint.", unless: wrong)
    }

    mutating func checkQuorum() {
        let note = proof.log.note
        let judge = QuorumJudge(charter: charter.charter, owner: proof.question.member)
        let judged = judge.judge(note.text, signatures: note.signatures, now: now)
        judgement = judged
        let count = judged.holders.count
        if let bad = judged.invalid.first {
            self.note(.quorum, .failed, "A cosignature in the name of \(bad) does not verify.")
        } else {
            self.note(
                .quorum, "\(count) other members hold and checked it; \(judged.needed) are needed.",
                unless: judged.isReached
                    ? nil : "Only \(count) of \(judged.needed) needed other members hold and checked it.")
        }
        if on == nil, now >= charter.charter.expires.seconds {
            self.note(
                .expiry, .cannotTell,
                "Your charter expired on \(charter.charter.expires.dateText): get the newer version.")
        } else {
            self.note(
                .expiry, .passed,
                on == nil
                    ? "Your charter is valid until \(charter.charter.expires.dateText)."
                    : "The question is about a date, for which the charter's expiry does not matter.")
        }
        checkFreshness(judged)
    }

    private mutating func checkFreshness(_ judged: QuorumJudgement) {
        guard let stillSo = judged.stillSo else {
            note(
                .freshness, .cannotTell,
                judged.isReached
                    ? "Too many cosignatures are more than \(QuorumJudge.clockTolerance) s ahead of your clock."
                    : "Without a quorum there is no time at which it was still so.")
            return
        }
        let shown = HumanTime.utc.text(stillSo)
        if let on {
            if on.seconds <= stillSo {
                note(.freshness, .passed, "A quorum still held it at \(shown), not before the date asked.")
            } else {
                note(.freshness, .cannotTell, "The newest quorum is of \(shown), before the date asked.")
            }
        } else if now - stillSo <= options.maximumAge {
            note(.freshness, .passed, "A quorum still held it at \(shown), \(HumanTime.age(now - stillSo)).")
        } else {
            note(.freshness, .cannotTell, "The newest quorum is of \(shown): too old to tell what holds now.")
        }
    }

    /// What follows where the caller can prove that the log is forked: what had a quorum stays final, and nobody says any more
    /// that it is still so (formats, section 11).
    mutating func checkFork() {
        #if DEBUG
        if PlantedBug.ignoresForkProof.isPlanted { return }
        #endif
        guard let member, let fork = options.forks.first(where: { (try? $0.verify(by: member.log)) != nil }) else {
            return
        }
        let told = "\(member.title) signed two stories, of \(fork.sizes.smaller) and \(fork.sizes.larger) entries"
        guard judgement?.isReached ?? false else {
            return note(.fork, .failed, "\(told), and no quorum held this one: it counts nowhere.")
        }
        guard on == nil else {
            return note(.fork, .passed, "\(told); a quorum held this one, and what had a quorum stays.")
        }
        note(
            .fork, .cannotTell,
            "\(told): nobody cosigns that log any more, so what holds now cannot be told. What a quorum held stays: ask about "
                + "a date (--on).")
    }

    /// The first quorum's checkpoint, where the proof has one.
    mutating func checkFirst() {
        var bounds = [judgement?.heldSince].compactMap(\.self)
        if let first = proof.first {
            let wrong = judgeFirst(first, &bounds)
            note(.first, "The first quorum's checkpoint is genuine.", unless: wrong)
        }
        publishedBy = bounds.min()
    }

    private func judgeFirst(_ first: SignedNote, _ bounds: inout [Int64]) -> String? {
        guard let member, let checkpoint = try? Checkpoint(parsing: first.text),
            checkpoint.origin.utf8.elementsEqual(member.log.name.utf8), checkpoint.extensions.isEmpty,
            (try? first.verify([member.log])) != nil
        else { return "The first quorum's checkpoint is not signed by the member's log key." }
        let newest = proof.log.checkpoint
        guard checkpoint.size < newest.size || checkpoint.size == newest.size && checkpoint.root == newest.root else {
            return "The first quorum's checkpoint contradicts the newest."
        }
        // A first quorum is judged under the leaf's charter: only where the verifier has that can it be told.
        guard let named = chain.version(proof.state.charterVersion) else { return nil }
        let judge = QuorumJudge(charter: named.charter, owner: member.id)
        let judged = judge.judge(first.text, signatures: first.signatures, now: now)
        guard judged.isReached else { return "The first quorum's checkpoint has no quorum." }
        if let since = judged.heldSince, let needed = restsOn.max(), checkpoint.size > needed { bounds.append(since) }
        return nil
    }

    /// The indices of what the answer rests on.
    var restsOn: [UInt64] {
        switch answer {
        case .present(let entries): entries.map(\.placed.index)
        default: (statements ?? []).map(\.index)
        }
    }
}

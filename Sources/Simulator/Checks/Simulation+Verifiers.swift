import Alliance
import Replication
import TransparencyLog

// Partners: they hold the charter and nothing else, are shown proofs that nodes made, and must never be made to believe two
// things of one log that contradict each other. Real proofs, the real verifier.

/// What a partner accepted.
struct AcceptedProof {
    let head: FinalHead
    let question: ProofQuestion
    let answer: String
}

/// When partners ask; drawn apart from everything else.
struct Partners {
    var random: Randomness
    /// What was accepted of each log, as far as it differs.
    var accepted: [Int: [AcceptedProof]] = [:]

    init(seed: UInt64) { random = Randomness(seed: seed ^ 0x7061_7274_6e65_72) }
}

extension Simulation {
    /// A partner asks some node of some log now and then; of a log that may be forked more often.
    func askForProof() {
        guard plan.meetings == 0, violations.isEmpty else { return }
        let suspect = origins.indices.filter { !isSound($0) }
        guard partners.random.happens(suspect.isEmpty ? 30_000 : 200_000) else { return }
        let isSuspect = !suspect.isEmpty && partners.random.happens(800_000)
        let origin = isSuspect ? suspect[partners.random.index(suspect.count)] : partners.random.index(origins.count)
        let node = partners.random.index(nodes.count)
        guard let (log, note) = shown(origin, by: node), let question = question(about: log, origin),
            let file = proof(of: question, in: log, note, origin)
        else { return }
        verify(file, question, log, origin)
    }

    /// What a node can show of a log: with the newest head, and all cosignatures that it has of it. One that lies shows whatever
    /// is best for it: either branch, everything that anybody signed, twice where that might help.
    private func shown(_ origin: Int, by node: Int) -> (SimulatedLog, [UInt8])? {
        var log = nodes[node].logs[origin]
        guard !nodes[node].isHonest else {
            guard nodes[node].isUp, log.size > 0, log.quorum?.size == log.size else { return nil }
            return (log, log.head)
        }
        if nodes[node].isColluding, let fork = nodes[origin].fork, partners.random.happens(500_000) { log = fork.log }
        guard log.size > 0, let head = try? Checkpoint(origin: origins[origin], size: log.size, root: log.root) else {
            return nil
        }
        let notes = nodes.flatMap { [$0.logs[origin].head] + $0.logs[origin].checkpoints }
            .compactMap { try? SignedNote(parsing: $0) }.filter { $0.text == head.text }
        guard var lines = try? SignedNote(parsing: signedHead(log.size, log.root, by: origin)).signatures else {
            return nil
        }
        let seconds = now / 1_000
        for member in origins.indices where nodes[member].isColluding || member == origin && !nodes[member].isHonest {
            lines.append(cosignature(head, by: member, at: seconds))
            if nodes[member].isColluding { lines.append(cosignature(head, by: member, at: seconds - 1)) }
        }
        for line in notes.flatMap(\.signatures) where !lines.contains(where: { $0.name == line.name }) {
            lines.append(line)
        }
        return (try? SignedNote(text: head.text, signatures: lines)).map { (log, $0.bytes) }
    }

    /// About a key of which the log says something, as of now or of a moment that has passed.
    private func question(about log: SimulatedLog, _ origin: Int) -> ProofQuestion? {
        let keys = log.rows.keys.filter { $0.map == SimulatedAlliance.register }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
        guard !keys.isEmpty else { return nil }
        let key = keys[partners.random.index(keys.count)]
        let seconds = SimulatedAlliance.start + (now - start) / 1_000
        let isPast = partners.random.happens(300_000)
        return ProofQuestion(
            alliance: alliance.charter.alliance, member: alliance.members[origin].id, register: key.map,
            key: String(decoding: key.key, as: UTF8.self),
            on: isPast ? Timestamp(seconds: seconds - 1_000) : nil)
    }

    /// Makes a proof as a node does.
    private func proof(of question: ProofQuestion, in log: SimulatedLog, _ note: [UInt8], _ origin: Int) -> ProofFile? {
        guard log.state.isJudged, let row = log.row(question.row), let last = log.entries.last,
            let definition = BuiltInRegisters.definition(named: question.register),
            let inclusion = try? MerkleTree.inclusionProof(index: log.size - 1, size: log.size, reader: log)
        else { return nil }
        let statements = row.items.map { item in
            ProofStatement(
                entry: ProofEntry(index: item.index, bytes: log.entries[Int(item.index)]),
                approvals: log.approvals(behind: item.index))
        }
        let material = ProofMaterial(
            charter: alliance.charter, question: question, note: note, stateLeaf: last, stateIndex: log.size - 1,
            inclusion: inclusion, rowProof: log.prove(question.row), row: row, statements: statements,
            rosters: log.rosters(before: row.items.map(\.index)),
            definition: ProofDefinition(shared: definition.descriptor))
        do throws(AllianceError) {
            return try ProofFile(parsing: ProofFile.make(from: material).encoded())
        } catch {
            // Under a false state leaf nothing can be proven, also not by whoever would like to.
            guard nodes[origin].misbehaviour != .liesAboutState else { return nil }
            violate("no proof can be made of \(question.key) in \(log.origin): \(error)")
            return nil
        }
    }

    private func verify(_ file: ProofFile, _ question: ProofQuestion, _ log: SimulatedLog, _ origin: Int) {
        statistics.proofs += 1
        let seconds = Timestamp(seconds: now / 1_000)
        let report = Verifier().verify(file, charter: alliance.charter, at: seconds)
        let fork = nodes.lazy.compactMap { try? ForkProof(parsing: $0.logs[origin].fork) }.first
        if let fork {
            var options = VerificationOptions()
            options.forks = [fork]
            let warned = Verifier().verify(file, charter: alliance.charter, at: seconds, options: options)
            if question.on == nil, warned.conclusion == .good {
                violate("a verifier tells what log \(origin) says now, though it has a proof that the log is forked")
            }
        }
        guard report.conclusion == .good else { return }
        statistics.acceptedProofs += 1
        let head = FinalHead(size: log.size, root: log.root, roots: log.roots, began: now)
        let answer = report.answer.map { "\($0)" } ?? ""
        note("a partner accepts \(question.key) of log \(origin) at \(log.size) \(log.root.hex.prefix(8))")
        if isSound(origin), ledger.root(origin, at: log.size) != log.root {
            return violate("a verifier accepts what member \(origin) never published")
        }
        var known = partners.accepted[origin] ?? []
        if let other = known.first(where: { !$0.head.agrees(with: head) }) {
            statistics.contradictoryProofs += 1
            let sizes = "\(other.head.size) and \(head.size)"
            let text = "two proofs of log \(origin) are accepted that contradict each other, of \(sizes) entries"
            if isWithinBound(origin) { return violate(text) }
            note(text)
            if splits[origin] == nil { splits[origin] = text }
        }
        if let same = known.first(where: {
            $0.head.size == head.size && $0.head.root == head.root && $0.question == question && $0.answer != answer
        }) {
            violate("two proofs of one state of log \(origin) answer \(same.answer) and \(answer)")
        }
        if known.count < 200 {
            known.append(AcceptedProof(head: head, question: question, answer: answer))
            partners.accepted[origin] = known
        }
    }
}

// MARK: - What a proof is made of

extension SimulatedLog {
    var origin: String { state.governance.origin }

    /// Proves a row, or that there is none; nil without such a map.
    fileprivate func prove(_ key: RowKey) -> RegisterMapProof? {
        guard state.lines[key.map] != nil else { return nil }
        return try? map(key.map).prove(key: key.key) { try page($0, of: key.map) }
    }

    /// Approvals of a statement stand behind it, before its batch ends.
    fileprivate func approvals(behind index: UInt64) -> [ProofEntry] {
        let identity = HashValue.sha256(entries[Int(index)])
        var found: [ProofEntry] = []
        for next in (Int(index) + 1)..<entries.count {
            if entries[next].starts(with: StateLeaf.familyPrefix) { break }
            guard case .statement(let statement) = LogEntry(entries[next]),
                case .approval(let approved) = statement.body, approved.contains(identity)
            else { continue }
            found.append(ProofEntry(index: UInt64(next), bytes: entries[next]))
        }
        return found
    }

    /// The rosters that govern these entries, with their proofs.
    fileprivate func rosters(before indices: [UInt64]) -> [ProofRoster] {
        func key(_ ordinal: Int) -> RowKey { RowKey(map: ReservedMap.rosters, key: String(ordinal)) }
        var items: [Row.Item] = []
        while let item = row(key(items.count))?.items.first { items.append(item) }
        let needed = Set(indices.compactMap { index in items.lastIndex { $0.index < index } })
        return needed.sorted().compactMap { place in
            guard let proof = prove(key(place)), let nextProof = prove(key(place + 1)) else { return nil }
            return ProofRoster(
                entry: ProofEntry(index: items[place].index, bytes: entries[Int(items[place].index)]),
                ordinal: UInt64(place), proof: proof, next: place + 1 < items.count ? items[place + 1] : nil,
                nextProof: nextProof)
        }
    }
}

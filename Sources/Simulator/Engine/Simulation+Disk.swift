import Alliance
import Replication
import TransparencyLog

// What the shell and the store of a node do: a write becomes durable as a whole, or not at all.

extension Simulation {
    /// The disk has done something: from now on it is durable, and the node hears of it.
    func complete(_ operation: DiskOperation, on node: Int) {
        switch operation {
        case .ingest(let request, let origin, let answer, let head):
            ingest(request, answer, head, origin, on: node)
        case .cosign(let origin, let checkpoint): cosign(checkpoint, origin, on: node)
        case .persistHead(let origin, let note):
            guard let checkpoint = Self.checkpoint(of: note), nodes[node].logs[origin].size == checkpoint.size else {
                return
            }
            checkGenuine(note, on: node)
            nodes[node].logs[origin].keepHead(note, quorum: nodes[node].charter.quorum)
        case .persistSignatures(let origin, let checkpoint):
            guard
                let waiting = nodes[node].signatures.firstIndex(where: {
                    $0.origin == origin && $0.checkpoint == checkpoint
                })
            else { return }
            let lines = nodes[node].signatures.remove(at: waiting).lines
            nodes[node].logs[origin].keep(lines, checkpoint: checkpoint, quorum: nodes[node].charter.quorum)
        case .contradiction(let origin):
            nodes[node].logs[origin].isContradicted = true
            checkEvidence(of: origin, on: node)
        case .fork(let origin, let proof):
            nodes[node].logs[origin].fork = proof
            nodes[node].logs[origin].isContradicted = true
            checkFork(proof, of: origin, on: node)
        case .forkHeads(let origin, let notes):
            for note in notes { checkGenuine(note, on: node) }
            nodes[node].logs[origin].forkHeads = notes
        case .settleFork(let origin, let end): settleFork(origin, end, on: node)
        case .begin(let known): begin(above: known, on: node)
        case .record(let origin, let note): record(note, origin, on: node)
        case .publish(let statements, let charters): finishPublishing(statements, under: charters, on: node)
        case .charter(let file, let source): consider(file, from: source, on: node)
        case .document(let digest, let bytes):
            nodes[node].documents[digest] = bytes
            checkDocument(digest, on: node)
            report(node, .documentFetched(digest))
        }
    }

    /// Signatures to be made durable: those of one checkpoint that wait together take one write.
    func plan(_ lines: [NoteSignature], of origin: Int, _ checkpoint: [UInt8], on node: Int) {
        if let waiting = nodes[node].signatures.firstIndex(where: {
            $0.origin == origin && $0.checkpoint == checkpoint
        }) {
            nodes[node].signatures[waiting].lines += lines
        } else {
            nodes[node].signatures.append((origin, checkpoint, lines))
            plan(.persistSignatures(origin: origin, checkpoint: checkpoint), on: node)
        }
    }

    static func checkpoint(of note: [UInt8]) -> Checkpoint? {
        (try? SignedNote(parsing: note)).flatMap { try? Checkpoint(parsing: $0.text) }
    }

    /// Makes something durable; or fails, whereupon a crash may bring it to light all the same.
    func write(_ write: Write, on node: Int) -> Bool {
        if random.happens(faults.failedWrites) {
            note("\(node) fails to write")
            nodes[node].doubtful = random.happens(500_000) ? write : nil
            return false
        }
        nodes[node].doubtful = nil
        make(write, on: node)
        return true
    }

    func make(_ write: Write, on node: Int) {
        switch write {
        case .log(let origin, let log): nodes[node].logs[origin] = log
        case .charters(let charters): nodes[node].charters = charters
        }
    }

    // MARK: Others' logs

    private func ingest(
        _ request: RequestID, _ answer: RangeAnswer, _ note: [UInt8], _ origin: Int, on node: Int
    ) {
        guard let head = Self.checkpoint(of: note) else { preconditionFailure("Replication hands over verified notes") }
        var log = nodes[node].logs[origin]
        let before = log
        checkGenuine(note, on: node)
        do throws(Rejection) {
            if let version = try receive(answer, head, &log) {
                return report(node, .ingested(request, .waitingForCharter(version: version)))
            }
        } catch {
            return report(node, .ingested(request, .rejected(error)))
        }
        if answer.to == head.size && log.root != head.root {
            return violate("node \(node) is about to store what is not under the head of log \(origin)")
        }
        log.acceptedSize = max(log.acceptedSize, head.size)
        if answer.to == head.size { log.keepHead(note, quorum: nodes[node].charter.quorum) }
        if options.shellBug == .storesLate {
            // What is reported is not on the disk yet, and a crash takes it back.
            nodes[node].doubtful = .log(origin, before)
        } else if !write(.log(origin, log), on: node) {
            return report(node, .ingested(request, .failed))
        }
        nodes[node].logs[origin] = log
        checkStored(origin, since: before, on: node)
        report(
            node,
            .ingested(
                request,
                .stored(
                    size: log.size, root: log.root, isTrustworthy: log.isTrustworthy,
                    documents: nodes[node].missing(Array(log.documents[before.documents.count...])))))
        if before.state.roster == nil && log.state.roster != nil { lift(origin, at: node) }
    }

    /// Ties a range to its head, and counts its batches.
    ///
    /// - Returns: the version of a charter that is due before, if any.
    private func receive(
        _ answer: RangeAnswer, _ head: Checkpoint, _ log: inout SimulatedLog
    ) throws(Rejection) -> UInt64? {
        guard let entries = try? EntryBundle.decode(answer.entries, limit: WireLimits.rangeEntries) else {
            preconditionFailure("Replication hands over well-formed answers")
        }
        let leaves = entries.map { MerkleTree.leafHash($0) }
        let edge = try verifyRange(frontier: log.frontier, answer: answer, leafHashes: leaves, head: head)
        guard let last = entries.last, last.starts(with: StateLeaf.familyPrefix) else {
            throw Rejection(.malformedRange, origin: head.origin, "the range does not end with a batch's state leaf")
        }
        for entry in entries where entry.starts(with: StateLeaf.familyPrefix) {
            guard let leaf = try? StateLeaf(parsing: entry) else { continue }
            if leaf.charterVersion > log.state.charter.charter.version { return UInt64(leaf.charterVersion) }
        }
        let checked = checks.check(entries, leaves, after: log.state)
        var start = 0
        for index in entries.indices where entries[index].starts(with: StateLeaf.familyPrefix) {
            log.receive(Array(checked[start...index]), Array(entries[start...index]))
            start = index + 1
        }
        guard log.frontier == edge else { preconditionFailure("two ways to the same edge") }
        return nil
    }

    /// A member's roster has come: its sessions may do everything now.
    private func lift(_ member: Int, at node: Int) {
        for index in nodes[node].sessions where sessions[index].isOpen(at: node) {
            let isFirst = sessions[index].first == node
            guard nodes[other(index, isFirst: isFirst)].number == member else { continue }
            feed(node, .peerRestricted(isFirst ? sessions[index].idAtFirst : sessions[index].idAtSecond, false))
        }
    }

    private func cosign(_ text: [UInt8], _ origin: Int, on node: Int) {
        guard let checkpoint = try? Checkpoint(parsing: text) else { preconditionFailure("no checkpoint to cosign") }
        var log = nodes[node].logs[origin]
        let before = log
        // The store has the last word.
        guard checkpoint.size >= log.cosigned, log.has(checkpoint.size, checkpoint.root), log.isTrustworthy,
            log.isJudged(at: checkpoint.size),
            !log.isContradicted || options.shellBug == .forgetsEvidence
        else { return report(node, .cosigningFailed(origin: origins[origin], size: checkpoint.size)) }
        let seconds = UInt64(nodes[node].clock(now).milliseconds / 1000)
        guard let line = try? nodes[node].member.replica.sign(text, at: seconds) else {
            preconditionFailure("a checkpoint can be cosigned")
        }
        // A write that fails may come to light after a crash, with the signature.
        ledger.made(line)
        log.cosigned = checkpoint.size
        log.keep([line], checkpoint: text, quorum: nodes[node].charter.quorum)
        if options.shellBug == .storesLate {
            if case .log(origin, _)? = nodes[node].doubtful {} else { nodes[node].doubtful = .log(origin, before) }
            nodes[node].logs[origin] = log
        } else if !write(.log(origin, log), on: node) {
            return report(node, .cosigningFailed(origin: origins[origin], size: checkpoint.size))
        }
        checkCosigned(checkpoint, origin, before, on: node)
        ledger.cosigned(checkpoint, origin, by: node)
        countCosigner(checkpoint, log, origin, by: node)
        statistics.cosignatures += 1
        report(node, .cosigned(origin: origins[origin], size: checkpoint.size, root: checkpoint.root, line))
    }

    // MARK: Our own log

    private func finishPublishing(_ statements: [[UInt8]], under charters: HashValue, on node: Int) {
        nodes[node].isPublishing = false
        // Another copy may have been started since.
        guard !nodes[node].isRetired || options.shellBug == .signsWhenReplaced else { return }
        // Nothing is published in a forked log, by those who do not fork it themselves.
        guard !nodes[node].isHonest || nodes[node].ownLog.fork.isEmpty else { return }
        let life = nodes[node].life
        defer { if nodes[node].life == life { nameCharter(node) } }
        let (before, number) = (nodes[node].ownLog, nodes[node].number)
        var log = before
        // What was drafted under other charters may mean something else by now: its officer submits it again, or not.
        let isStale = nodes[node].isCareless && charters != nodes[node].charterDigest
        let batch = isStale ? [] : accepted(statements, log, on: node)
        guard log.isOpen, !batch.isEmpty || log.needsLeaf else { return }
        let leaf = nodes[node].misbehaviour == .liesAboutState && random.happens(300_000) ? falseLeaf(log) : nil
        _ = log.publish(batch, batch.map { bytes(of: $0, among: statements) }, leaf: leaf)
        let note = signedHead(log.size, log.root, by: node)
        log.keepHead(note, quorum: nodes[node].charter.quorum)
        (log.acceptedSize, log.cosigned) = (log.size, log.size)
        // Documents are there before anything names them.
        keepDocuments(of: log, on: node)
        if options.shellBug == .announcesEarly {
            nodes[node].doubtful = .log(number, before)
            nodes[node].logs[number] = log
        } else if !write(.log(number, log), on: node) {
            if before.size == 0 { publish(node) }
            return
        }
        if before.size == 0 || random.happens(100_000) { nodes[node].backup = before }
        release(note, log, since: before, on: node)
    }

    /// The publication leaves the node: only from here on it is told to anyone.
    private func release(_ note: [UInt8], _ log: SimulatedLog, since before: SimulatedLog, on node: Int) {
        let entries = Array(log.entries[Int(before.size)...])
        if nodes[node].isRetired { violate("node \(node) publishes after it stood down") }
        checkPublished(since: before, on: node)
        tellTwoStories(after: before, on: node)
        guard let bundle = try? EntryBundle.encode(entries) else { preconditionFailure("entries are short") }
        report(node, .published(note: note, from: before.size, entries: bundle))
    }

    /// What a member publishes of what was submitted: a careful one nothing that would not count.
    private func accepted(_ statements: [[UInt8]], _ log: SimulatedLog, on node: Int) -> [CheckedEntry] {
        var batch = checks.check(statements, statements.map { MerkleTree.leafHash($0) }, after: log.state)
        guard !nodes[node].isCareless else { return batch }
        while true {
            let verdicts = log.verdicts(of: batch)
            let kept = zip(batch, verdicts).filter { $0.1 == .counted }.map(\.0)
            if kept.count == batch.count { return batch }
            batch = kept
        }
    }

    private func bytes(of checked: CheckedEntry, among statements: [[UInt8]]) -> [UInt8] {
        guard let found = statements.first(where: { MerkleTree.leafHash($0) == checked.leaf }) else {
            preconditionFailure("a checked entry is one of those submitted")
        }
        return found
    }

    func keepDocuments(of log: SimulatedLog, on node: Int) {
        for need in nodes[node].missing(log.documents) {
            nodes[node].documents[need.digest] = workload.documents[need.digest]
        }
    }

    /// A leaf that claims an empty register.
    private func falseLeaf(_ log: SimulatedLog) -> [UInt8] {
        StateLeaf(
            entryCount: log.size + 7, charterVersion: log.state.charter.charter.version,
            charterDigest: log.state.charter.digest, lines: []
        ).bytes
    }

    /// A note with a node's own signature over a head of its log.
    func signedHead(_ size: UInt64, _ root: HashValue, by node: Int) -> [UInt8] {
        guard let checkpoint = try? Checkpoint(origin: nodes[node].origin, size: size, root: root),
            let line = try? nodes[node].member.log.sign(checkpoint.text),
            let note = try? SignedNote(text: checkpoint.text, signatures: [line])
        else { preconditionFailure("a node can sign heads of its log") }
        return note.bytes
    }
}

import Replication
import TransparencyLog

extension Simulation {
    func carryOut(_ effect: Effect, on node: Int) {
        switch effect {
        case .send(let peer, let message):
            for bytes in outgoing(message, from: node) { send(bytes, from: node, to: peer) }
        case .fetchRange(_, let peer, let wanted, _):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            let request = Request(
                asker: node, life: nodes[node].life, server: other(index, isFirst: isFirst), wanted: wanted)
            queue.plan(.request(request), at: now + delay())
        case .serveRange(let peer, let wanted):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            let asker = other(index, isFirst: isFirst)
            let request = Request(asker: asker, life: nodes[asker].life, server: node, wanted: wanted)
            queue.plan(.request(request), at: now)
            feed(node, .served(peer))
        case .fetchDocument(let peer, let digest, _):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            let server = other(index, isFirst: isFirst)
            if random.happens(faults.silentRequests) { return }
            queue.plan(.document(node: node, life: nodes[node].life, from: server, digest), at: now + delay())
        case .ingest(let request, let origin, _, let answer, let head):
            plan(.ingest(request, origin: originIndex(origin), answer, head: head), on: node)
        case .checkOldHead(let request, let origin, let size, let root):
            let log = nodes[node].logs[originIndex(origin)]
            feed(node, .oldHeadChecked(request, isConsistent: size <= log.size ? log.roots[Int(size)] == root : nil))
        case .cosign(let origin, let checkpoint):
            plan(.cosign(origin: originIndex(origin), checkpoint: checkpoint), on: node)
        case .persistHead(let origin, let note): plan(.persistHead(origin: originIndex(origin), note), on: node)
        case .persistSignatures(let origin, let checkpoint, let lines):
            plan(.persistSignatures(origin: originIndex(origin), checkpoint: checkpoint, lines), on: node)
        case .recordContradiction(let origin, _, _): plan(.contradiction(origin: originIndex(origin)), on: node)
        case .setTimer(let timer, let moment): setTimer(timer, moment, on: node)
        case .cancelTimer(let timer): nodes[node].timers.removeAll { $0.id == timer }
        case .reject(let peer, let rejection): checkRejection(rejection, of: peer, by: node)
        case .disconnect(let peer, _):
            guard let (index, isFirst) = session(of: node, peer) else { return }
            sessions[index].isBroken = true
            queue.plan(.end(session: index, first: isFirst), at: now)
            queue.plan(.end(session: index, first: !isFirst), at: now + delay())
        case .ownLogIsLonger(let origin, _):
            if nodes[node].isHonest { violate("node \(node) is told of a longer \(origin)") }
        case .cancelFetch, .listMissingDocuments, .serveDocument, .serveCharter, .considerCharter: break
        }
    }

    func originIndex(_ origin: String) -> Int {
        guard let index = origins.firstIndex(of: origin) else { preconditionFailure("an effect names an unknown log") }
        return index
    }

    private func setTimer(_ timer: TimerID, _ moment: Instant, on node: Int) {
        nodes[node].timers.removeAll { $0.id == timer }
        nodes[node].timerNumber += 1
        let number = nodes[node].timerNumber
        let at = max(now, moment.milliseconds - nodes[node].skew)
        nodes[node].timers.append((timer, at, number))
        queue.plan(.timer(node: node, life: nodes[node].life, number: number), at: at)
    }
}

// MARK: - Disks

extension Simulation {
    /// The disk has done something: from now on it is durable, and the node hears of it.
    func complete(_ operation: DiskOperation, on node: Int) {
        switch operation {
        case .ingest(let request, let origin, let answer, let head):
            feed(node, .ingested(request, ingest(answer, head, origin, on: node)))
        case .cosign(let origin, let checkpoint): cosign(checkpoint, origin, on: node)
        case .persistHead(let origin, let note):
            nodes[node].logs[origin].head = note
        case .persistSignatures(let origin, let checkpoint, let lines):
            nodes[node].logs[origin].keep(lines, checkpoint: checkpoint)
        case .contradiction(let origin):
            nodes[node].logs[origin].isContradicted = true
        case .publish(let statements): finishPublishing(statements, on: node)
        case .document(let digest):
            nodes[node].documents.insert(digest)
            feed(node, .documentFetched(digest))
        }
    }

    private func ingest(_ answer: RangeAnswer, _ note: [UInt8], _ origin: Int, on node: Int) -> IngestOutcome {
        if random.happens(faults.failedWrites) { return .failed }
        var log = nodes[node].logs[origin]
        guard let parsed = try? SignedNote(parsing: note), let head = try? Checkpoint(parsing: parsed.text),
            let entries = try? EntryBundle.decode(answer.entries, limit: WireLimits.rangeEntries)
        else { preconditionFailure("Replication hands over verified notes and answers") }
        do throws(Rejection) {
            let hashes = entries.map { MerkleTree.leafHash($0) }
            let edge = try verifyRange(frontier: log.frontier, answer: answer, leafHashes: hashes, head: head)
            let from = Int(log.size)
            log.append(entries)
            guard log.frontier == edge else { preconditionFailure("two ways to the same edge") }
            let verdict = judge.judge(log.entries, from: from)
            if verdict == .isFalse { log.isTrustworthy = false }
            log.acceptedSize = max(log.acceptedSize, head.size)
            if answer.to == head.size { log.head = note }
            nodes[node].logs[origin] = log
            checkStored(origin, on: node)
            let needs = entries.compactMap(DocumentEntry.digest).filter { !nodes[node].documents.contains($0) }
            return .stored(
                size: log.size, root: log.root, isTrustworthy: verdict == .isTrue,
                documents: needs.map { DocumentNeed(digest: $0, size: 1) })
        } catch {
            return .rejected(error)
        }
    }

    private func cosign(_ text: [UInt8], _ origin: Int, on node: Int) {
        guard let checkpoint = try? Checkpoint(parsing: text) else { preconditionFailure("no checkpoint to cosign") }
        let log = nodes[node].logs[origin]
        // The store has the last word.
        guard checkpoint.size >= log.acceptedSize, log.isTrustworthy, !log.isContradicted else {
            feed(node, .cosigningFailed(origin: origins[origin], size: checkpoint.size))
            return
        }
        let seconds = UInt64(nodes[node].clock(now).milliseconds / 1000)
        guard let line = try? nodes[node].cosigner.sign(text, at: seconds) else {
            preconditionFailure("a checkpoint can be cosigned")
        }
        checkCosigned(checkpoint, origin, on: node)
        statistics.cosignatures += 1
        nodes[node].logs[origin].cosigned.append((checkpoint.size, checkpoint.root))
        nodes[node].logs[origin].keep([line], checkpoint: text)
        feed(node, .cosigned(origin: origins[origin], size: checkpoint.size, root: checkpoint.root, line))
    }

    private func finishPublishing(_ statements: [[UInt8]], on node: Int) {
        nodes[node].isPublishing = false
        var log = nodes[node].logs[node]
        let from = log.size
        var batch = judge.batch(statements, after: log.entries)
        if nodes[node].misbehaviour == .liesAboutState, random.happens(300_000) {
            batch[batch.count - 1] = StateLeaf.make(before: log.entries.count, batch: [])
        }
        log.append(batch)
        let note = signedHead(log.size, log.root, by: node)
        log.head = note
        log.acceptedSize = log.size
        nodes[node].logs[node] = log
        nodes[node].acknowledged = log.size
        tellTwoStories(batch, from: from, on: node)
        checkPublished(on: node)
        guard let bundle = try? EntryBundle.encode(batch) else { preconditionFailure("entries are short") }
        feed(node, .published(note: note, from: from, entries: bundle))
    }

    /// A note with a node's own signature over a head of its log.
    func signedHead(_ size: UInt64, _ root: HashValue, by node: Int) -> [UInt8] {
        guard let checkpoint = try? Checkpoint(origin: nodes[node].origin, size: size, root: root),
            let line = try? nodes[node].signer.sign(checkpoint.text),
            let note = try? SignedNote(text: checkpoint.text, signatures: [line])
        else { preconditionFailure("a node can sign heads of its log") }
        checkSigned(checkpoint, by: node)
        return note.bytes
    }
}

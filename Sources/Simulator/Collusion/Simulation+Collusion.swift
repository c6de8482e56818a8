import Alliance
import Replication
import TransparencyLog

// A member that forks its log, and others that help it: they cosign both branches whatever they know, each side is told and
// served but one of them, and the proof that would give them away goes no further through them.

extension Simulation {
    /// The members that collude, the owner of the log last.
    private var colluders: [Int] { origins.indices.filter { nodes[$0].isColluding } }

    /// The owner publishes on both branches; from the first time on nobody of one side is to hear of the other.
    func collude(after before: SimulatedLog, on node: Int) {
        let isNew = nodes[node].fork == nil
        if isNew {
            guard before.size > 0, !isHealed, collusion.random.happens(400_000) else { return }
            let honest = origins.indices.filter { nodes[$0].isHonest }
            var side = honest.filter { _ in collusion.random.happens(500_000) }
            if side.isEmpty { side = [honest[0]] }
            if side.count == honest.count { side.removeLast() }
            nodes[node].fork = Branch(log: before, audience: side)
            note("log \(node) is forked at \(before.size), the other branch is for \(side)")
            part(side, from: honest.filter { !side.contains($0) })
        }
        guard var fork = nodes[node].fork, fork.log.isOpen else { return }
        let statements = workload.batch(
            for: node, fork.log, others: nodes[node].logs, isCareless: false, &collusion.random)
        if !statements.isEmpty {
            let checked = checks.check(statements, statements.map { MerkleTree.leafHash($0) }, after: fork.log.state)
            _ = fork.log.publish(checked, statements)
            keepDocuments(of: fork.log, on: node)
            let note = signedHead(fork.log.size, fork.log.root, by: node)
            fork.log.keepHead(note, quorum: nodes[node].charter.quorum)
            nodes[node].fork = fork
            tell(note, to: fork.audience, by: node)
        }
        cosignTogether(fork.log, for: fork.audience, node)
        let main = nodes[node].ownLog
        cosignTogether(main, for: origins.indices.filter { nodes[$0].isHonest && !fork.audience.contains($0) }, node)
    }

    /// Whoever colludes can hold up what others send to one another, for a while.
    private func part(_ side: [Int], from rest: [Int]) {
        guard collusion.random.happens(700_000) else { return }
        let until = min(now + collusion.random.number(1_000...8_000), start + options.chaos)
        for a in side {
            for b in rest {
                blockedUntil[a][b] = max(blockedUntil[a][b], until)
                blockedUntil[b][a] = max(blockedUntil[b][a], until)
            }
        }
    }

    /// All that collude cosign the head of a branch, and tell those that are to believe it.
    private func cosignTogether(_ log: SimulatedLog, for audience: [Int], _ owner: Int) {
        guard let head = Self.checkpoint(of: log.head) else { return }
        for helper in colluders where helper != owner && nodes[helper].isUp {
            let line = cosignature(head, by: helper, at: nodes[helper].clock(now).milliseconds / 1_000)
            ledger.cosigned(head, owner, by: helper)
            countCosigner(head, log, owner, by: helper)
            let set = SignatureSet(
                origin: origins[owner], size: head.size, root: head.root, lines: [Array("\(line.line)\n".utf8)])
            tell(.signatures(set), to: audience, by: helper)
        }
    }

    /// A cosignature that a member makes without looking.
    func cosignature(_ head: Checkpoint, by member: Int, at seconds: Int64) -> NoteSignature {
        guard let line = try? alliance.members[member].replica.sign(head.text, at: UInt64(max(0, seconds))) else {
            preconditionFailure("a checkpoint can be cosigned")
        }
        return line
    }

    /// What members that collude let through to a peer: of the log that they fork only its side's branch, and no proof.
    func censored(_ message: Message, from node: Int, to peer: Int) -> Message? {
        guard nodes[node].isColluding, nodes[peer].isHonest, !isHealed, let owner = colluders.last,
            let fork = nodes[owner].fork
        else { return message }
        let isOther = fork.audience.contains(peer)
        let branch = isOther ? fork.log : nodes[owner].ownLog
        func isShown(_ note: [UInt8]) -> Bool {
            guard let head = Self.checkpoint(of: note), head.origin == origins[owner] else { return true }
            return branch.has(head.size, head.root)
        }
        switch message {
        case .head(let head): return isShown(head.note) ? message : nil
        case .heads(let page):
            return .heads(HeadsPage(after: page.after, through: page.through, notes: page.notes.filter(isShown)))
        case .signatures(let set) where set.origin == origins[owner]:
            return branch.has(set.size, set.root) ? message : nil
        case .forkProof, .forkHeads: return nil
        default: return message
        }
    }

    /// The branch of the forked log that a member serves which colludes, if the head is of it.
    func colludingBranch(_ server: Int, _ origin: Int, _ wanted: RangeRequest) -> SimulatedLog? {
        guard nodes[server].isColluding, colluders.last == origin, let fork = nodes[origin].fork,
            fork.log.has(wanted.headSize, wanted.headRoot)
        else { return nil }
        return fork.log
    }
}

extension SimulatedNode {
    var isColluding: Bool { misbehaviour == .forksWithOthers || misbehaviour == .colludes }
}

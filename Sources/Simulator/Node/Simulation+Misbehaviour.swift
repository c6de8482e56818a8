import Replication
import TransparencyLog

extension Simulation {
    /// What a node puts on the wire for a message.
    func outgoing(_ message: Message, from node: Int, to peer: Int) -> [[UInt8]] {
        guard let message = censored(message, from: node, to: peer) else { return [] }
        let frame = message.frame
        guard let misbehaviour = nodes[node].misbehaviour, !isHealed || misbehaviour != .sendsGarbage else {
            return [frame]
        }
        switch misbehaviour {
        case .sendsGarbage where random.happens(20_000):
            var garbage = frame
            garbage[random.index(garbage.count)] ^= UInt8(1 << random.index(8))
            return [garbage]
        case .sendsNonsense where random.happens(50_000): return [frame, nonsense(node).frame]
        case .forgesCosignatures where random.happens(200_000): return [frame, forgery(node).frame]
        default: return [frame]
        }
    }

    /// Answers a request for a range; nil for no answer at all.
    func answer(_ request: Request) -> Result<RangeAnswer, FetchFailure>? {
        let (server, wanted) = (request.server, request.wanted)
        // A node with nonsense in its requests may name any log.
        guard let origin = origins.firstIndex(of: wanted.origin) else { return .failure(.notFound) }
        var log = nodes[server].logs[origin]
        if origin == nodes[server].number, nodes[server].misbehaviour != .withholdsBranch,
            let fork = nodes[server].fork,
            fork.log.has(wanted.headSize, wanted.headRoot)
        {
            log = fork.log
        } else if let branch = colludingBranch(server, origin, wanted) {
            log = branch
        }
        guard log.has(wanted.headSize, wanted.headRoot),
            let answer = log.answer(from: wanted.from, headSize: wanted.headSize, limit: rangeLimit)
        else { return .failure(.notFound) }
        switch nodes[server].misbehaviour {
        case .withholds where random.happens(500_000): return nil
        case .tampersEntries where random.happens(500_000): return tamperedEntries(answer)
        case .tampersProofs where random.happens(500_000):
            let proof = answer.remainderProof + [HashValue.sha256(random.bytes(4))]
            return decoded(answer.from, answer.to, answer.extensionProof, proof, answer.entries)
        case .servesOtherRanges where random.happens(500_000):
            return decoded(answer.from + 1, answer.to + 1, [], [], answer.entries)
        default: return .success(answer)
        }
    }

    private func tamperedEntries(_ answer: RangeAnswer) -> Result<RangeAnswer, FetchFailure> {
        var entries = answer.entries
        let place = random.index(entries.count)
        entries[place] ^= 1
        return decoded(answer.from, answer.to, answer.extensionProof, answer.remainderProof, entries)
    }

    /// What a shell makes of an answer that is not what it should be.
    private func decoded(
        _ from: UInt64, _ to: UInt64, _ before: [HashValue], _ after: [HashValue], _ entries: [UInt8]
    ) -> Result<RangeAnswer, FetchFailure> {
        do throws(Rejection) {
            return .success(
                try RangeAnswer(from: from, to: to, extensionProof: before, remainderProof: after, entries: entries))
        } catch {
            return .failure(.rejected(error))
        }
    }

    /// What a node does out of malice, every 100 ms. A head of a size that a later one has counts as a story of its own,
    /// so after healing no new ones are told, or the others would never have heard the last.
    func misbehave(_ node: Int) {
        guard let misbehaviour = nodes[node].misbehaviour, nodes[node].isUp, random.happens(100_000) else { return }
        let log = nodes[node].ownLog
        switch misbehaviour {
        case .boasts:
            guard !isHealed else { return }
            let root = HashValue.sha256(random.bytes(4))
            tell(signedHead(log.size + UInt64(random.number(1...1 << 40)), root, by: node), to: nil, by: node)
        case .shrinks:
            guard log.size > 1, !isHealed else { return }
            let size = 1 + UInt64(random.index(Int(log.size) - 1))
            tell(signedHead(size, HashValue.sha256(random.bytes(4)), by: node), to: nil, by: node)
        default: break
        }
    }

    /// A node that equivocates keeps a second telling of its log, and gives it to half of the others.
    func tellTwoStories(after before: SimulatedLog, on node: Int) {
        let isAtOnce = nodes[node].misbehaviour == .forksAtOnce
        switch nodes[node].misbehaviour {
        case .forksAtOnce: break
        case .forksWithOthers: return collude(after: before, on: node)
        case .equivocates, .withholdsBranch, .floodsForks: guard before.size > 0 else { return }
        default: return
        }
        var fork = nodes[node].fork
        if fork == nil || nodes[node].misbehaviour == .floodsForks {
            guard isAtOnce ? before.size == 0 : random.happens(300_000) else { return }
            fork = Branch(log: before, audience: nodes.indices.filter { $0 != node && random.happens(500_000) })
        }
        guard var fork, fork.log.isOpen else { return }
        let statements =
            fork.log.size == 0
            ? workload.beginning(of: node, fork.log, &random)
            : workload.batch(for: node, fork.log, others: nodes[node].logs, isCareless: false, &random)
        guard !statements.isEmpty else { return }
        let checked = checks.check(statements, statements.map { MerkleTree.leafHash($0) }, after: fork.log.state)
        _ = fork.log.publish(checked, statements)
        keepDocuments(of: fork.log, on: node)
        let note = signedHead(fork.log.size, fork.log.root, by: node)
        nodes[node].fork = fork
        tell(note, to: fork.audience, by: node)
    }

    func tell(_ note: [UInt8], to audience: [Int]?, by node: Int) {
        tell(.head(Announcement(note: note)), to: audience, by: node)
    }

    /// Sends a message past the protocol, to all or some.
    func tell(_ message: Message, to audience: [Int]?, by node: Int) {
        let bytes = message.frame
        for index in sessions.indices where sessions[index].isUp {
            let session = sessions[index]
            guard session.first == node || session.second == node else { continue }
            let isFirst = session.first == node
            guard audience?.contains(other(index, isFirst: isFirst)) ?? true else { continue }
            send(bytes, from: node, to: isFirst ? session.idAtFirst : session.idAtSecond)
        }
    }

    private func nonsense(_ node: Int) -> Message {
        let origin = random.happens(500_000) ? origins[random.index(origins.count)] : "nowhere.example/log"
        let root = HashValue.sha256(random.bytes(4))
        switch random.index(12) {
        case 0: return .head(Announcement(note: random.bytes(50)))
        case 1:
            return .head(Announcement(note: nodes[node].ownLog.head, inlineFrom: 1, inlineEntries: random.bytes(9)))
        case 2:
            return .signatures(
                SignatureSet(origin: origin, size: random.bits() >> 40, root: root, lines: [random.bytes(9)]))
        case 3: return .digest(root)
        case 4: return .heads(HeadsPage(after: "", through: "", notes: [random.bytes(30)]))
        case 5:
            return .wantRange(
                RangeRequest(
                    request: RequestID(random.bits()), origin: origin, from: 0, headSize: 1 << 50, headRoot: root))
        case 6: return .wantHead(origin: origin)
        case 7: return .charterOffer(version: 1 + UInt64(random.index(3)), digest: root)
        case 8: return .charter(version: 2, bytes: random.bytes(9))
        case 9: return .wantFresh(origin: origin)
        case 10: return .refused(Refusal(request: RequestID(random.bits() >> 56), reason: .busy, text: "no"))
        default: return .neighbours(alliance.members.map(\.id))
        }
    }

    /// A cosignature in another member's name, or of a time far ahead.
    private func forgery(_ node: Int) -> Message {
        let victim = random.index(origins.count)
        let origin = random.index(origins.count)
        let log = nodes[node].logs[origin]
        let seconds = UInt64(now / 1000)
        guard let text = try? Checkpoint(origin: origins[origin], size: log.size, root: log.root).text else {
            preconditionFailure("a held head is a checkpoint")
        }
        var line: NoteSignature?
        if random.happens(500_000) {
            line = try? nodes[node].member.replica.sign(text, at: seconds + 100_000)
        } else if let own = try? nodes[node].member.replica.sign(text, at: seconds) {
            let key = nodes[victim].member.replica.verifierKey
            line = try? NoteSignature(name: key.name, keyID: key.keyID, signature: own.signature)
        }
        let lines = line.map { [Array("\($0.line)\n".utf8)] } ?? []
        return .signatures(SignatureSet(origin: origins[origin], size: log.size, root: log.root, lines: lines))
    }
}

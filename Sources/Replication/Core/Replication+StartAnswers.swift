internal import Alliance
internal import TransparencyLog

// What replicas answered to this start of the node, and how far it is by that (formats 12).

extension Replication {
    /// How far this start is, as to our own log.
    public var incarnationStanding: IncarnationStanding {
        guard let own, let log = logIndex(own.origin) else { return .none }
        if let successor = own.successor { return .superseded(by: successor) }
        return logs[log].fork == nil ? progress(own, log) : .forked
    }

    /// How far this start is recorded. In a forked log as well, so that one copy of a node replaces another; but there nothing is
    /// signed behind its end, so that nothing is compared or taken back.
    func progress(_ own: OwnIncarnation, _ log: Int) -> IncarnationStanding {
        if own.isEstablished { return .established }
        let isForked = logs[log].fork != nil
        let others = own.answers.filter { $0.isOurs == false && isCounted($0.member) }
        if !isForked, let size = others.map(\.receipt.size).min() {
            return .contradicted(size: size, by: others.map(\.member))
        }
        let missing = unheard(own)
        let due = isRestored ? missing.count : max(0, membership.quorum - answered(own))
        #if DEBUG
        if PlantedBug.signsAtOnce.isPlanted { return .established }
        if PlantedBug.noTakingBack.isPlanted, own.note != nil, !own.isRefused, due == 0 { return .established }
        #endif
        if own.note == nil || own.isRefused || due > 0 {
            return .waiting(needed: max(due, 1), missing: missing, isRestored: isRestored)
        }
        if isForked { return .established }
        let size = logs[log].size
        let longer = own.answers.filter { $0.receipt.size > size && isCounted($0.member) }
        let longest = max(longer.map(\.receipt.size).max() ?? 0, own.offered)
        return longest > size ? .takingBack(size: longest, from: longer.map(\.member)) : .established
    }

    /// How many replicas have answered, or are done without.
    private func answered(_ own: OwnIncarnation) -> Int {
        membership.replicas(of: own.origin).count { member in
            waived.containsExactly(member.id) || hasAnswered(member.id, own)
        }
    }

    /// The members whose word is missing: with a replica key that is their receipt, else what they hold of our log.
    private func unheard(_ own: OwnIncarnation) -> [String] {
        membership.members.filter { member in
            guard member.isActive, !member.id.isExactly(me), !waived.containsExactly(member.id) else { return false }
            guard member.replicaKey != nil else { return isRestored && !heardOfOwnLog.containsExactly(member.id) }
            return !hasAnswered(member.id, own)
        }.map(\.id)
    }

    /// Whether a replica's receipt is here, and was compared with what is held here as far as that can be.
    private func hasAnswered(_ member: String, _ own: OwnIncarnation) -> Bool {
        guard let log = logIndex(own.origin) else { return false }
        return own.answers.contains { answer in
            answer.member.isExactly(member) && (logs[log].fork != nil || !answer.isOpen(at: logs[log].size))
        }
    }

    /// Whether a member's word on how long our log is stands: not where the operator does without it, or it is none any more.
    private func isCounted(_ member: String) -> Bool {
        !waived.containsExactly(member) && membership.members.contains { $0.isActive && $0.id.isExactly(member) }
    }

    /// Who holds no more than is held here must hold the beginning of it: of a size alone that cannot be told.
    mutating func compareAnswers() {
        guard let held = own, !held.isEstablished, held.successor == nil, let log = logIndex(held.origin),
            logs[log].fork == nil
        else { return }
        for index in held.answers.indices where held.answers[index].isOpen(at: logs[log].size) {
            let receipt = held.answers[index].receipt
            if receipt.size == logs[log].size || receipt.size == 0 {
                compared(index, receipt.root == (receipt.size == 0 ? MerkleTree.emptyRoot : logs[log].root))
            } else if held.answers[index].check == nil {
                let request = newRequest()
                own?.answers[index].check = request
                emit(.checkOldHead(request, origin: held.origin, size: receipt.size, root: receipt.root))
            }
        }
    }

    private mutating func compared(_ index: Int, _ isOurs: Bool) {
        guard let held = own else { return }
        own?.answers[index].isOurs = isOurs
        guard !isOurs else { return }
        // A receipt is a replica's word alone: the head that it holds, which our key signed, proves the fork.
        for peer in peers.indices where peers[peer].isUsable && peers[peer].member.isExactly(held.answers[index].member)
        {
            send(peer, .wantHead(origin: held.origin))
        }
    }

    /// The shell has compared what a replica holds of our own log with what is here.
    ///
    /// - Returns: false where it was asked for something else.
    mutating func answerCompared(_ request: RequestID, _ isOurs: Bool?, _ now: Instant) -> Bool {
        guard let index = own?.answers.firstIndex(where: { $0.check == request }) else { return false }
        own?.answers[index].check = nil
        // Where the shell could not tell, the timer asks again.
        guard let isOurs else { return true }
        compared(index, isOurs)
        reviewIncarnation(now)
        return true
    }
}

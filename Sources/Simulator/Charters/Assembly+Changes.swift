import Alliance
import TransparencyLog

// What the regulators decide to change.

extension Assembly {
    /// Changes something or other; false if nothing could be changed.
    ///
    /// - Parameter mayMove: whether somebody may be admitted.
    mutating func change(
        _ draft: inout Charter, _ logs: [SimulatedLog], mayMove: Bool, _ random: inout Randomness
    ) -> Bool {
        var done: [String] = []
        for _ in 0...(random.happens(300_000) ? 1 : 0) {
            for _ in 0..<6 {
                guard let text = changeOne(&draft, logs, mayMove: mayMove, &random) else { continue }
                done.append(text)
                break
            }
        }
        settleNumbers(&draft)
        changes = done.joined(separator: ", ")
        return !done.isEmpty
    }

    private func changeOne(
        _ draft: inout Charter, _ logs: [SimulatedLog], mayMove: Bool, _ random: inout Randomness
    ) -> String? {
        switch random.index(12) {
        case 0: return "renews"
        case 1, 2: return changeNumbers(&draft, &random)
        case 3, 4: return changeStanding(of: random.index(logs.count), to: .suspended, &draft, logs, &random)
        case 5, 6, 7: return changeStanding(of: random.index(logs.count), to: .active, &draft, logs, &random)
        case 8:
            guard let leaver else { return nil }
            return changeStanding(of: leaver, to: .removed, &draft, logs, &random)
        case 9, 10:
            let missing = alliance.newcomers.filter { draft.member(id: alliance.members[$0].id) == nil }
            guard mayMove, !missing.isEmpty else { return nil }
            let newcomer = missing[random.index(missing.count)]
            draft.members.append(SimulatedAlliance.charterMember(alliance.members[newcomer]))
            return "admits \(newcomer)"
        default: return rotate(random.index(logs.count), &draft, logs, &random)
        }
    }

    private func changeNumbers(_ draft: inout Charter, _ random: inout Randomness) -> String {
        let regulators = draft.regulators.count
        draft.threshold = regulators / 2 + 1 + random.index(2)
        draft.quorum = (regulators - 1) / 2 + 1 + random.index(2)
        settleNumbers(&draft)
        return "threshold \(draft.threshold), quorum \(draft.quorum)"
    }

    /// The quorum and the threshold as near to what they are as they may be.
    private func settleNumbers(_ draft: inout Charter) {
        let regulators = draft.regulators.count
        draft.threshold = min(max(draft.threshold, regulators / 2 + 1), regulators)
        draft.quorum = min(max(draft.quorum, (regulators - 1) / 2 + 1), regulators - 1)
    }

    private func changeStanding(
        of number: Int, to standing: MemberStanding, _ draft: inout Charter, _ logs: [SimulatedLog],
        _ random: inout Randomness
    ) -> String? {
        let id = alliance.members[number].id
        guard let place = draft.members.firstIndex(where: { $0.id == id }), draft.members[place].standing != standing,
            draft.members[place].standing != .removed,
            // Enough stay to make a quorum and to decide.
            draft.regulators.count > 2 || standing == .active, cut(number, &draft, logs, &random)
        else { return nil }
        draft.members[place].standing = standing
        return "\(number) \(standing.rawValue)"
    }

    private func rotate(
        _ number: Int, _ draft: inout Charter, _ logs: [SimulatedLog], _ random: inout Randomness
    ) -> String? {
        let member = alliance.members[number]
        guard let place = draft.members.firstIndex(where: { $0.id == member.id }),
            draft.members[place].standing == .active, cut(number, &draft, logs, &random)
        else { return nil }
        let name = "root-\(counter)"
        draft.members[place].rootKeys = [RootKey(name: name, key: member.publicKey(name))]
        return "\(number) has \(name)"
    }

    // MARK: Cuts

    private func cut(
        _ number: Int, _ draft: inout Charter, _ logs: [SimulatedLog], _ random: inout Randomness
    ) -> Bool {
        let origin = alliance.members[number].origin
        if draft.cut(of: origin) != nil { return true }
        guard let previous = draft.previous, let parent = chain.charter(previous), logs[number].size > 0,
            parent.charter.member(origin: origin) != nil,
            let cut = cut(of: number, logs[number], after: parent, isNewest: random.happens(500_000), &random)
        else { return false }
        draft.cuts.append(cut)
        return true
    }

    /// A cut of a log: not before those that were stated, nor before its first roster is in, nor behind a batch that
    /// names a charter which this one does not follow; nil where nothing is left.
    func cut(
        of number: Int, _ log: SimulatedLog, after parent: VerifiedCharter, isNewest: Bool,
        _ random: inout Randomness
    ) -> CharterCut? {
        let origin = alliance.members[number].origin
        let path = path(to: parent)
        let least = path.compactMap { $0.charter.cut(of: origin)?.size }.max() ?? 0
        var sizes: [UInt64] = least == 0 && log.size > 0 ? [] : [least]
        var start: UInt64 = 0
        for (end, leaf) in log.stateLeaves {
            let isForeign = path.contains {
                $0.charter.version == leaf.charterVersion && $0.digest != leaf.charterDigest
            }
            if isForeign || leaf.charterVersion > parent.charter.version {
                if start == 0 { sizes = [0] }
                break
            }
            start = end
            if end > least { sizes.append(end) }
        }
        guard let newest = sizes.last else { return nil }
        let size = isNewest ? newest : sizes[random.index(sizes.count)]
        return CharterCut(origin: origin, size: size, root: log.roots[Int(min(size, log.size))])
    }

    /// The charters from the first to this one.
    private func path(to last: VerifiedCharter) -> [VerifiedCharter] {
        var path = [last]
        while let previous = path[path.count - 1].charter.previous, let parent = chain.charter(previous) {
            path.append(parent)
        }
        return path.reversed()
    }
}

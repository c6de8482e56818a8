import Alliance
import TransparencyLog

/// The regulators of a virtual alliance as they make charters: everything that they have made, and what they may still
/// change. A value: what it makes follows from what it is given and from the draws.
struct Assembly {
    /// A charter that was made, as it is handed over.
    struct Made {
        let version: Int
        let digest: HashValue
        let parent: HashValue
        let file: [UInt8]
        /// The members whose regulators signed, by number.
        let signers: [Int]
    }

    let alliance: SimulatedAlliance
    /// A contradiction that was not settled though enough signed.
    private(set) var unsettled: String?
    /// The member that may be removed, if any.
    let leaver: Int?
    /// Every charter made; a node that holds all of them has the same in force.
    private(set) var chain: CharterChain
    private(set) var made: [Made] = []
    /// What the newest charters change, for the trace.
    var changes = ""
    /// The logs that were cut before what names a charter that lost; once is enough.
    private(set) var mended: Set<Int> = []
    /// Makes every charter another one.
    private(set) var counter: Int64 = 0

    init(_ alliance: SimulatedAlliance, leaver: Int?) {
        self.alliance = alliance
        self.leaver = leaver
        chain = CharterChain(alliance.charter)
    }

    /// Members of a charter that take part, by number.
    func active(_ charter: Charter) -> [Int] {
        charter.members.filter { $0.standing == .active }.compactMap { alliance.number(of: $0.id) }
    }

    /// Whether two charters of one version were made.
    var hasContradicted: Bool { chain.all.count > chain.versions.count }

    // MARK: Making

    /// Makes the next charter, or one that contradicts the newest, or settles a contradiction.
    ///
    /// - Parameter logs: every member's log as its owner has it.
    /// - Returns: the place of what was made in ``made``; nil for nothing.
    mutating func convene(_ logs: [SimulatedLog], _ random: inout Randomness) -> Int? {
        if chain.isContested { return settle(logs, &random) }
        if random.happens(300_000), let rival = contradict(logs, &random) { return rival }
        var draft = successor(of: chain.current)
        guard change(&draft, logs, mayMove: true, &random) else { return nil }
        return pass(draft, after: chain.current, preferring: [], &random)
    }

    /// Settles a contradiction: names one of the versions, and cuts every log before what names another one.
    mutating func settle(_ logs: [SimulatedLog], _ random: inout Randomness) -> Int? {
        guard chain.isContested else { return nil }
        let named = chain.alternatives[random.index(chain.alternatives.count)]
        var draft = successor(of: named)
        changes = "settles on \(named.digest.hex.prefix(8))"
        for number in logs.indices where named.charter.member(id: alliance.members[number].id) != nil {
            guard let cut = cut(of: number, logs[number], after: named, isNewest: true, &random) else { continue }
            draft.cuts.append(cut)
        }
        return pass(draft, after: named, preferring: active(chain.current.charter), signedByAll: true, &random)
    }

    /// Cuts these logs before what names a charter that was not decided.
    mutating func mend(_ ended: [Int], _ logs: [SimulatedLog], _ random: inout Randomness) -> Int? {
        mended.formUnion(ended)
        var draft = successor(of: chain.current)
        changes = "mends \(ended)"
        for number in ended {
            guard let cut = cut(of: number, logs[number], after: chain.current, isNewest: true, &random) else {
                continue
            }
            draft.cuts.append(cut)
        }
        return pass(draft, after: chain.current, preferring: [], &random)
    }

    /// Another successor of the version before the one in force, or before that, which others signed.
    private mutating func contradict(_ logs: [SimulatedLog], _ random: inout Randomness) -> Int? {
        let depth = random.happens(300_000) ? 2 : 1
        let version = chain.current.charter.version
        guard let parent = chain.version(version - depth), let sibling = chain.version(version - depth + 1),
            let last = made.last(where: { $0.digest == sibling.digest }),
            parent.charter.members.count == chain.current.charter.members.count
        else { return nil }
        var draft = successor(of: parent)
        guard change(&draft, logs, mayMove: false, &random) else { return nil }
        let regulators = active(parent.charter)
        let others = regulators.filter { !last.signers.contains($0) }
        let before = self
        changes = "contradicts \(last.digest.hex.prefix(8)): \(changes)"
        guard let rival = pass(draft, after: parent, preferring: others, &random) else { return nil }
        // Who signed two has no say in settling it: what nobody could settle is not made.
        let siblings = made.filter { $0.parent == parent.digest }
        let single = regulators.filter { number in siblings.count { $0.signers.contains(number) } < 2 }
        guard single.count >= parent.charter.threshold else {
            self = before
            return nil
        }
        return rival
    }

    private mutating func successor(of parent: VerifiedCharter) -> Charter {
        counter += 1
        var draft = parent.charter
        draft.version += 1
        draft.previous = parent.digest
        draft.issued = Timestamp(seconds: SimulatedAlliance.start + counter)
        draft.expires = Timestamp(seconds: SimulatedAlliance.start + 365 * 86_400 + counter)
        draft.cuts = []
        return draft
    }

    /// Has a draft signed by as many as it takes, those that are preferred first.
    private mutating func pass(
        _ draft: Charter, after parent: VerifiedCharter, preferring preferred: [Int], signedByAll: Bool = false,
        _ random: inout Randomness
    ) -> Int? {
        let before = signedByAll ? chain.current.charter : parent.charter
        var waiting = active(before) + active(draft).filter { !active(before).contains($0) }
        for index in waiting.indices { waiting.swapAt(index, random.index(index + 1)) }
        waiting = waiting.filter { preferred.contains($0) } + waiting.filter { !preferred.contains($0) }
        guard let payload = try? draft.payload() else { preconditionFailure("a draft that breaks a rule: \(draft)") }
        var (file, signers): ([UInt8]?, [Int]) = (nil, [])
        var (old, new) = (0, 0)
        for number in waiting {
            let (isOld, isNew) = (active(parent.charter).contains(number), active(draft).contains(number))
            let isDue = isOld && old < parent.charter.threshold || isNew && new < draft.threshold || signedByAll
            guard isDue else { continue }
            (old, new) = (old + (isOld ? 1 : 0), new + (isNew ? 1 : 0))
            signers.append(number)
            for signer in alliance.roots(of: number, in: [before, parent.charter, draft]) {
                file = try? SignedCharter.sign(payload: payload, by: signer, adding: file)
            }
        }
        guard let file, let signed = try? SignedCharter(parsing: file) else { preconditionFailure("nobody signs") }
        var next = chain
        do throws(CharterRefusal) { try next.add(signed) } catch { preconditionFailure("\(error): \(draft)") }
        let settles = !signedByAll || !next.isContested
        if !settles { unsettled = changes }
        chain = next
        made.append(
            Made(
                version: draft.version, digest: signed.digest, parent: parent.digest, file: file, signers: signers))
        return made.count - 1
    }
}

import Alliance
import Replication
import TransparencyLog

// Two copies of one member's node, with the same keys and the same log, that run at the same time.

extension Simulation {
    /// Whether a second copy of this member's node was ever started: its log may be forked by mistake.
    func isTwinned(_ member: Int) -> Bool { twins.member == member && nodes.count > origins.count }

    /// Whether nothing can be wrong with a member's log: nobody lies in it, and one node alone signs it.
    func isSound(_ origin: Int) -> Bool { nodes[origin].isHonest && !isTwinned(origin) }

    /// Whether two nodes connect; copies of one node never do.
    func isNeighbour(_ a: Int, _ b: Int) -> Bool {
        let (first, second) = (nodes[a].number, nodes[b].number)
        return first != second && topology.connects(first, second, of: origins.count)
    }

    /// All copies of a member's node.
    func copies(of member: Int) -> [Int] { nodes.indices.filter { nodes[$0].number == member } }

    /// The copy that goes on; the first where none does.
    func living(_ member: Int) -> Int { copies(of: member).first { !nodes[$0].isRetired } ?? member }

    /// Copies a disk now and then; and starts such a copy while the node that it was taken of goes on.
    func tickTwins() {
        guard twins.left > 0, !isHealed else { return }
        let member = twins.member ?? twins.random.index(origins.count)
        let source = living(member)
        guard nodes[source].isUp, !nodes[source].isSpamming else { return }
        if twins.member == nil || twins.random.happens(100_000) {
            twins.member = member
            nodes[source].saved = disk(of: source)
        }
        guard nodes[source].maySign, twins.random.happens(60_000) else { return }
        startTwin(of: source)
    }

    private func disk(of node: Int) -> DiskCopy {
        DiskCopy(
            charters: nodes[node].charters, documents: nodes[node].documents, starts: nodes[node].starts,
            recorded: nodes[node].recorded)
    }

    /// Starts a copy, of the disk as it is or as it was some time ago; and sometimes parts the two at once.
    private func startTwin(of source: Int) {
        let isOld = twins.random.happens(500_000)
        let copy = isOld ? nodes[source].saved ?? disk(of: source) : disk(of: source)
        twins.left -= 1
        statistics.twins += 1
        let twin = nodes.count
        var node = SimulatedNode(
            index: twin, number: nodes[source].number, member: nodes[source].member, skew: nodes[source].skew,
            isDialOutOnly: nodes[source].isDialOutOnly, isCareless: nodes[source].isCareless, misbehaviour: nil,
            charters: copy.charters, hasJoined: true)
        node.documents = copy.documents
        node.starts = copy.starts
        node.recorded = copy.recorded
        // A folder that was copied says so; a snapshot of the whole machine does not.
        node.isRestored = twins.random.happens(500_000)
        node.wasRestored = true
        nodes.append(node)
        ledger.addCopy(of: source, isOld: isOld)
        note("node \(twin) is a copy of node \(source), \(isOld ? "older" : "as it is"), restored \(node.isRestored)")
        if twins.random.happens(500_000) { part(source, twin) }
        queue.plan(.start(twin), at: now + 1)
    }

    /// Two halves of the alliance with a copy each lose sight of one another for a while.
    private func part(_ one: Int, _ other: Int) {
        var sides = nodes.indices.map { _ in twins.random.happens(500_000) }
        (sides[one], sides[other]) = (false, true)
        let until = now + twins.random.number(1_000...6_000)
        note("copies are parted until \(until - start): \(sides.map { $0 ? "1" : "0" }.joined())")
        for a in nodes.indices {
            for b in nodes.indices where sides[a] != sides[b] { blockedUntil[a][b] = max(blockedUntil[a][b], until) }
        }
        for index in sessions.indices where sessions[index].isUp && !sessions[index].isBroken {
            guard sides[sessions[index].first] != sides[sessions[index].second] else { continue }
            breakSession(index)
        }
    }

    /// A member has one session with another: a copy of its node takes the place of the other copy, or is refused.
    func makeRoom(for node: Int, at peer: Int) -> Bool {
        guard isTwinned(nodes[node].number) else { return true }
        for index in nodes[peer].sessions where sessions[index].isOpen(at: peer) && !sessions[index].isBroken {
            let there = other(index, isFirst: sessions[index].first == peer)
            guard there != node, nodes[there].number == nodes[node].number else { continue }
            guard twins.random.happens(250_000) else { return false }
            breakSession(index)
        }
        return true
    }

    // MARK: What must hold

    /// A later start was told to a node: it stands down at once.
    func checkTold(_ node: Int, _ message: Message) {
        guard !drawnFaults.garblesOrder, case .incarnation(let news) = message, nodes[node].isUp, nodes[node].isHonest,
            let note = try? IncarnationNote(parsing: news.note), note.origin == nodes[node].origin,
            let own = nodes[node].starts.last, note.incarnation.number > own.number, nodes[node].maySign
        else { return }
        violate("node \(node) goes on after it was told of start \(note.incarnation), its own is \(own)")
    }

    /// A copy was started later, and this one knows: it stays up, and its operator leaves it alone.
    func standDown(_ node: Int, for later: Incarnation) {
        guard isTwinned(nodes[node].number) else {
            if nodes[node].isHonest { violate("node \(node) is told that start \(later) replaces it") }
            return
        }
        statistics.standDowns += 1
        nodes[node].isRetired = true
        guard !copies(of: nodes[node].number).contains(where: { !nodes[$0].isRetired }) else { return }
        violate("all copies of node \(nodes[node].number) have stood down")
    }

    /// Whoever signs has its start recorded by a quorum, and holds what a quorum held before it started.
    func checkEstablished(_ node: Int) {
        guard nodes[node].isHonest, plan.meetings == 0, let own = nodes[node].starts.last else { return }
        let member = nodes[node].number
        let recording = origins.indices.filter { other in
            other != member
                && copies(of: other).contains { copy in
                    !nodes[copy].isHonest || nodes[copy].wasRestored
                        || nodes[copy].recorded[member].map { $0.note.incarnation.number >= own.number } ?? false
                }
        }
        if recording.count < nodes[node].charter.quorum {
            violate("node \(node) signs though only \(recording.count) others have recorded its start")
        }
        // A start is recorded in a forked log as well, but nothing is taken back there.
        guard isTwinned(member), nodes[node].maySign else { return }
        for head in ledger.finals(of: member) where head.began < nodes[node].begun {
            if !nodes[node].ownLog.has(head.size, head.root) {
                violate("node \(node) signs without \(head.size) entries that a quorum held before it started")
            }
        }
    }
}

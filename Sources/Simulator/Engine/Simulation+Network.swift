import Replication

/// What is under way in one direction, in order.
struct Stream {
    private var pieces: [(bytes: [UInt8], isWhole: Bool)] = []

    /// Adds a message, or a piece of one; a whole one may overtake another whole one.
    mutating func add(_ bytes: [UInt8], isWhole: Bool, overtakes: Bool) {
        let place = overtakes && isWhole && pieces.last?.isWhole == true ? pieces.count - 1 : pieces.count
        pieces.insert((bytes, isWhole), at: place)
    }

    mutating func next() -> [UInt8] { pieces.removeFirst().bytes }
}

/// A connection between two nodes, each of which names it by a number of its own.
struct Session {
    let first: Int
    let second: Int
    let idAtFirst: PeerID
    let idAtSecond: PeerID
    var firstOpen = true
    var secondOpen = true
    /// Nothing that is sent from now on arrives.
    var isBroken = false
    /// What is under way, in order, and when the last of it is due.
    var toFirst = Stream()
    var toSecond = Stream()
    var lastToFirst: Int64 = 0
    var lastToSecond: Int64 = 0
    var decoderAtFirst = FrameDecoder()
    var decoderAtSecond = FrameDecoder()

    var isUp: Bool { firstOpen && secondOpen }

    func isOpen(at node: Int) -> Bool { first == node ? firstOpen : second == node && secondOpen }
}

extension Simulation {
    func isBlocked(_ from: Int, _ to: Int) -> Bool {
        blockedUntil[from][to] > now
    }

    func delay() -> Int64 {
        random.number(faults.latency)
    }

    func dial(_ a: Int, _ b: Int) {
        queue.plan(.dial(a, b), at: now + random.number(200...400))
        let pair = a * places + b
        if let index = currentSessions[pair], sessions[index].firstOpen || sessions[index].secondOpen { return }
        guard nodes[a].isUp, nodes[b].isUp, !nodes[a].isRetired, !nodes[b].isRetired, !isBlocked(a, b),
            !isBlocked(b, a), nodes[a].admits(nodes[b].member),
            nodes[b].admits(nodes[a].member), makeRoom(for: a, at: b), makeRoom(for: b, at: a)
        else { return }
        let session = Session(
            first: a, second: b, idAtFirst: PeerID(UInt64(nodes[a].sessions.count)),
            idAtSecond: PeerID(UInt64(nodes[b].sessions.count)))
        currentSessions[pair] = sessions.count
        nodes[a].sessions.append(sessions.count)
        nodes[b].sessions.append(sessions.count)
        sessions.append(session)
        statistics.connections += 1
        feed(a, connected(session.idAtFirst, b, at: a))
        feed(b, connected(session.idAtSecond, a, at: b))
    }

    private func connected(_ id: PeerID, _ other: Int, at node: Int) -> Event {
        .peerConnected(
            id, member: nodes[other].member.id, canFetch: !nodes[other].isDialOutOnly,
            restricted: !nodes[node].knowsRoster(of: nodes[other].number))
    }

    /// The session that a node calls so, and whether the node is its first end.
    func session(of node: Int, _ id: PeerID) -> (Int, isFirst: Bool)? {
        guard id.number < UInt64(nodes[node].sessions.count) else { return nil }
        let index = nodes[node].sessions[Int(id.number)]
        return (index, sessions[index].first == node)
    }

    func other(_ session: Int, isFirst: Bool) -> Int {
        isFirst ? sessions[session].second : sessions[session].first
    }

    func send(_ bytes: [UInt8], from node: Int, to id: PeerID) {
        guard let (index, isFirst) = session(of: node, id), !sessions[index].isBroken,
            isFirst ? sessions[index].firstOpen : sessions[index].secondOpen
        else { return }
        statistics.messages += 1
        statistics.bytes += bytes.count
        if random.happens(faults.breaks) { return breakSession(index) }
        if random.happens(faults.losses) { return }
        let isSwapped = random.happens(faults.swaps)
        if random.happens(faults.duplicates) { plan(bytes, on: index, toFirst: !isFirst, isWhole: true) }
        // Sometimes in two pieces, as streams have no message boundaries.
        let cut = random.happens(100_000) && bytes.count > 1 ? 1 + random.index(bytes.count - 1) : bytes.count
        plan(Array(bytes[..<cut]), on: index, toFirst: !isFirst, isWhole: cut == bytes.count, isSwapped: isSwapped)
        if cut < bytes.count { plan(Array(bytes[cut...]), on: index, toFirst: !isFirst, isWhole: false) }
    }

    private func plan(_ bytes: [UInt8], on index: Int, toFirst: Bool, isWhole: Bool, isSwapped: Bool = false) {
        let moment = max(toFirst ? sessions[index].lastToFirst : sessions[index].lastToSecond, now + delay())
        if toFirst {
            sessions[index].lastToFirst = moment
            sessions[index].toFirst.add(bytes, isWhole: isWhole, overtakes: isSwapped)
        } else {
            sessions[index].lastToSecond = moment
            sessions[index].toSecond.add(bytes, isWhole: isWhole, overtakes: isSwapped)
        }
        queue.plan(.deliver(session: index, toFirst: toFirst), at: moment)
    }

    /// Delivers the next piece of a stream.
    func deliver(_ index: Int, toFirst: Bool) {
        // Not a copy of the session: what is under way would be copied too.
        let (first, second) = (sessions[index].first, sessions[index].second)
        let (from, to) = toFirst ? (second, first) : (first, second)
        guard sessions[index].isOpen(at: to) else { return }
        if isBlocked(from, to) {
            queue.plan(.deliver(session: index, toFirst: toFirst), at: blockedUntil[from][to])
            return
        }
        let bytes = toFirst ? sessions[index].toFirst.next() : sessions[index].toSecond.next()
        let id = toFirst ? sessions[index].idAtFirst : sessions[index].idAtSecond
        if toFirst {
            sessions[index].decoderAtFirst.append(bytes)
        } else {
            sessions[index].decoderAtSecond.append(bytes)
        }
        while true {
            do throws(Rejection) {
                let message =
                    toFirst ? try sessions[index].decoderAtFirst.next() : try sessions[index].decoderAtSecond.next()
                guard let message else { return }
                let before = nodes[to].life
                feed(to, .message(id, message))
                if nodes[to].life == before, !sessions[index].isBroken { checkTold(to, message) }
            } catch {
                feed(to, .violation(id, error))
                return
            }
            guard toFirst ? sessions[index].firstOpen : sessions[index].secondOpen else { return }
        }
    }

    /// A connection breaks: its ends notice at different moments.
    func breakSession(_ index: Int) {
        sessions[index].isBroken = true
        queue.plan(.end(session: index, first: true), at: now + random.number(0...500))
        queue.plan(.end(session: index, first: false), at: now + random.number(0...500))
    }

    /// One end notices that a connection is over.
    func endSession(_ index: Int, first: Bool) {
        let session = sessions[index]
        guard first ? session.firstOpen : session.secondOpen else { return }
        if first { sessions[index].firstOpen = false } else { sessions[index].secondOpen = false }
        feed(first ? session.first : session.second, .peerDisconnected(first ? session.idAtFirst : session.idAtSecond))
    }

    /// A link goes down for a while, in one direction or both.
    func partition() {
        let (a, b) = (random.index(nodes.count), random.index(nodes.count))
        guard a != b else { return }
        statistics.partitions += 1
        let until = now + random.number(100...6_000)
        let isOneWay = random.happens(faults.oneWay)
        note("partition \(a) \(b) until \(until - start) oneWay \(isOneWay)")
        blockedUntil[a][b] = max(blockedUntil[a][b], until)
        if !isOneWay { blockedUntil[b][a] = max(blockedUntil[b][a], until) }
        guard until - now > 2_000 else { return }
        for index in sessions.indices where sessions[index].isUp && !sessions[index].isBroken {
            let ends = [sessions[index].first, sessions[index].second]
            if ends.contains(a) && ends.contains(b) {
                sessions[index].isBroken = true
                queue.plan(.end(session: index, first: true), at: now + random.number(500...2_000))
                queue.plan(.end(session: index, first: false), at: now + random.number(500...2_000))
            }
        }
    }
}

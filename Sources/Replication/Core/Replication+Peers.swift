internal import Alliance
internal import TransparencyLog

// Sessions: who is there, under which charter, and what may be said.

extension Replication {
    mutating func connected(_ peer: PeerState, _ now: Instant) {
        let index = peers.firstIndex { peer.id < $0.id } ?? peers.count
        precondition(peerIndex(peer.id) == nil, "a session that is up has connected again")
        peers.insert(peer, at: index)
        recall(index)
        guard peers.count <= settings.peers else {
            end(index, Rejection(.tooMany, "more than \(settings.peers) sessions"))
            return
        }
        guard own?.successor == nil else { return leave(index) }
        send(index, .hello(hello))
        tellOwnIncarnation(to: index)
        tellNeighbours()
        send(index, .digest(digest()))
        setExchangeTimer(index, now)
    }

    mutating func disconnected(_ id: PeerID, _ now: Instant) {
        guard let index = peerIndex(id) else { return }
        remember(index)
        peers.remove(at: index)
        emit(.cancelTimer(.exchange(id)))
        for log in logs.indices {
            logs[log].removeOffers(by: id)
            if let fetch = logs[log].fetch, fetch.peer == id {
                logs[log].fetch = nil
                emit(.cancelTimer(.request(fetch.request)))
                logs[log].removeOffers(by: id)
            }
        }
        documents.peerLost(id)
        if charter.asked?.peer == id {
            charter.asked = nil
            emit(.cancelTimer(.charter))
            askForCharter(now)
        }
        tellNeighbours()
        scheduleAll(now)
        fetchDocuments(now)
    }

    var hello: Hello {
        Hello(
            alliance: membership.alliance, charterVersion: membership.version, charterDigest: membership.digest,
            member: me, node: node, incarnation: own?.note?.incarnation.value ?? [])
    }

    /// Tells everyone whom we are connected to, so that nobody passes on to us what we hear directly.
    private mutating func tellNeighbours() {
        for index in peers.indices {
            send(index, .neighbours(connectedMembers(besides: peers[index].member)))
        }
    }

    /// The members that a session is up with, once each, sorted.
    private func connectedMembers(besides other: String) -> [String] {
        var result: [String] = []
        for peer in peers where !peer.isEnded && !peer.member.isExactly(other) {
            if !result.containsExactly(peer.member) { result.append(peer.member) }
        }
        return Array(result.sorted { $0.precedes($1) }.prefix(WireLimits.neighbours))
    }
}

// MARK: - Messages

extension Replication {
    mutating func received(_ message: Message, from id: PeerID, _ now: Instant) {
        guard let peer = peerIndex(id), !peers[peer].isEnded else { return }
        if case .hello(let hello) = message {
            greeted(peer, hello, now)
            return
        }
        guard peers[peer].isGreeted else {
            end(peer, Rejection(.unexpectedMessage, "the first message is no hello"))
            return
        }
        do throws(Rejection) {
            try take(message, from: peer, now)
        } catch {
            reject(id, error)
        }
    }

    private mutating func take(_ message: Message, from peer: Int, _ now: Instant) throws(Rejection) {
        switch message {
        case .hello: preconditionFailure("a hello is dealt with before")
        case .head(let head): try announced(head, by: peer, now)
        case .signatures(let set): try signaturesReceived(set, from: peer, now)
        case .digest(let digest): digestReceived(digest, from: peer, now)
        case .heads(let page): try headsReceived(page, from: peer, now)
        case .summary(let heads): summaryReceived(heads, from: peer, now)
        case .wantRange(let request): rangeWanted(request, by: peer)
        case .wantDocument(let digest, let offset): documentWanted(digest, offset, by: peer)
        case .wantHead(let origin): headWanted(origin, by: peer)
        case .charterOffer(let version, let digest): charterOffered(version, digest, by: peer, now)
        case .wantCharter(let version): charterWanted(version, by: peer)
        case .charter(let version, let bytes): try charterReceived(version, bytes, from: peer)
        case .refused(let refusal): refused(refusal, by: peer, now)
        case .wantFresh(let origin): freshnessAsked(origin, by: peer, now)
        case .forkProof(let bytes): try forkReceived(bytes, from: peer)
        case .forkHeads(let notes): try forkHeadsReceived(notes, from: peer, now)
        case .incarnation(let news): try incarnationReceived(news, from: peer, now)
        case .neighbours(let members):
            peers[peer].neighbours = membership.members.map(\.id).filter { members.containsExactly($0) }
        }
    }

    private mutating func greeted(_ peer: Int, _ hello: Hello, _ now: Instant) {
        guard hello.protocolVersion >= 1 else {
            return end(peer, Rejection(.unsupportedVersion, "protocol version \(hello.protocolVersion)"))
        }
        guard hello.alliance == membership.alliance else {
            return end(peer, Rejection(.foreignAlliance, "the peer belongs to another alliance"))
        }
        guard hello.member.isExactly(peers[peer].member) else {
            return end(peer, Rejection(.wrongMember, "the peer says that it is another member"))
        }
        peers[peer].isGreeted = true
        peers[peer].node = hello.node
        offerContested(to: peer)
        charterOffered(hello.charterVersion, hello.charterDigest, by: peer, now)
        scheduleAll(now)
        fetchDocuments(now)
    }

    private mutating func rangeWanted(_ request: RangeRequest, by peer: Int) {
        guard let log = logIndex(request.origin), request.from < request.headSize, request.headSize <= logs[log].size
        else { return refuse(peer, request.request, .unknown, "no such range here") }
        guard peers[peer].served < settings.servedRangesPerPeer else {
            return refuse(peer, request.request, .busy, "too many ranges at once")
        }
        peers[peer].served += 1
        emit(.serveRange(peers[peer].id, request))
    }

    private mutating func documentWanted(_ digest: HashValue, _ offset: UInt64, by peer: Int) {
        guard !peers[peer].isRestricted else {
            return refuse(peer, RequestID(0), .notPermitted, "documents are for members whose roster is held")
        }
        guard peers[peer].served < settings.servedRangesPerPeer else {
            return refuse(peer, RequestID(0), .busy, "too much at once")
        }
        peers[peer].served += 1
        emit(.serveDocument(peers[peer].id, digest: digest, offset: offset))
    }

    private mutating func headWanted(_ origin: String, by peer: Int) {
        guard let log = logIndex(origin), let head = logs[log].head else {
            return refuse(peer, RequestID(0), .unknown, "no head of this log here")
        }
        sendHead(head, of: log, to: peer)
    }

    private mutating func refuse(_ peer: Int, _ request: RequestID, _ reason: Refusal.Reason, _ text: String) {
        send(peer, .refused(Refusal(request: request, reason: reason, text: text)))
    }

    private mutating func refused(_ refusal: Refusal, by peer: Int, _ now: Instant) {
        if refusal.request == RequestID(0) { return charterRefused(by: peer, now) }
        guard let log = logs.firstIndex(where: { $0.fetch?.request == refusal.request }),
            logs[log].fetch?.peer == peers[peer].id
        else { return }
        rangeFailed(refusal.request, refusal.reason == .unknown ? .notFound : .refused, now)
    }
}

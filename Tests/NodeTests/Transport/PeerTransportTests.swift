import Crypto
import Hummingbird
import Logging
import NIOCore
import NIOSSL
import ServiceLifecycle
import Synchronization
import Testing
import X509

@testable import Node

@Suite(.timeLimit(.minutes(2))) struct PeerTransportTests {
    private let server: TestMember
    private let member: TestMember

    init() throws {
        self.server = try TestMember("ae")
        self.member = try TestMember("pk")
    }

    private func store(_ roster: PeerTrust.Roster? = nil) throws -> TrustStore {
        TrustStore(try PeerTrust(members: [self.member.trusted(roster: roster)]))
    }

    @Test func aMemberGetsAnAnswerAndIsKnown() async throws {
        let trust = try self.store()
        try await withListener(self.server, trust: trust) { [member, server] port in
            let ours = TrustStore(try PeerTrust(members: [server.trusted()]))
            try await withClient(of: member, to: server, port: port, trust: ours) { client in
                for _ in 0..<3 {
                    let response = try await client.get("/who")
                    #expect(response.status == .ok)
                    #expect(String(buffer: try await response.collect(upTo: 1000)) == "\(member.id) full")
                }
                #expect(trust.connections.map { $0.identity?.keyDigest } == [member.leaf.keyDigest])
                #expect(ours.connections.map { $0.identity?.memberID } == [server.id])
                #expect(ours.connections.map { $0.direction } == [.outbound])
                let error = await #expect(throws: PeerClientError.self) { try await client.get("no slash") }
                #expect(error?.code == .invalidRequest)
            }
        }
        #expect(trust.rejections == [:])
        #expect(trust.connections.isEmpty)
    }

    @Test(arguments: [
        (PeerTrust.Roster.notHeld, PeerIdentity.Restriction.rosterNotHeld),
        (.held(nodes: [], revoked: []), .notInRoster),
    ])
    func withoutARosterThatListsItAMemberIsRestricted(
        roster: PeerTrust.Roster, restriction: PeerIdentity.Restriction
    ) async throws {
        let trust = try self.store(roster)
        let routes: @Sendable (Router<PeerRequestContext>) -> Void = { router in
            answerWithIdentity(router)
            router.get("full") { _, context in try context.fullPeer.memberID }
        }
        try await withListener(self.server, trust: trust, routes: routes) { [member, server] port in
            try await withClient(of: member, to: server, port: port) { client in
                let text = String(buffer: try await client.get("/who").collect(upTo: 1000))
                #expect(text == "\(member.id) \(PeerIdentity.Access.restricted(restriction))")
                #expect(try await client.get("/full").status == .forbidden)
                // A newer roster lists the node: the open connection has full access from here on.
                trust.update(try PeerTrust(members: [member.trusted()]))
                #expect(try await client.get("/full").status == .ok)
            }
        }
        #expect(trust.rejections == [:])
    }

    enum Change: CaseIterable { case removed, revoked, accessReduced, expired, byOurselves }

    /// An endless answer ends, and its handler with it, when the member may no longer connect.
    @Test(arguments: Change.allCases) func anOpenConnectionEnds(change: Change) async throws {
        let clock = TestClock()
        let trust = TrustStore(try PeerTrust(members: [self.member.trusted()]), clock: { clock.now })
        let ours = TrustStore(try PeerTrust(members: [self.server.trusted()]))
        let ended = Signal()
        try await withListener(self.server, trust: trust, routes: endless(ended)) { [member, server] port in
            try await withClient(of: member, to: server, port: port, trust: ours) { client in
                let response = try await client.get("/endless")
                var pieces = response.body.makeAsyncIterator()
                #expect(try await pieces.next() == ByteBuffer(string: "first"))
                let digest = member.leaf.keyDigest
                switch change {
                case .removed: #expect(trust.update(.empty) == 1)
                case .revoked:
                    #expect(
                        trust.update(
                            try PeerTrust(
                                members: [member.trusted(roster: .held(nodes: [digest], revoked: [digest]))])) == 1)
                case .accessReduced:
                    #expect(
                        trust.update(
                            try PeerTrust(
                                members: [member.trusted(roster: .held(nodes: [], revoked: []))])) == 1)
                case .expired:
                    #expect(trust.recheck() == 0)
                    clock.advance(by: MemberCA.leafLifetime + 1)
                    #expect(trust.recheck() == 1)
                case .byOurselves: #expect(ours.update(.empty) == 1)
                }
                await ended.wait()
                let error = await #expect(throws: PeerClientError.self) { _ = try await pieces.next() }
                #expect(error?.code == .closed)
            }
        }
        let expected: [PeerRejection: UInt64] =
            switch change {
            case .removed: [.unknownAuthority: 1]
            case .revoked: [.revoked: 1]
            case .accessReduced: [.accessReduced: 1]
            case .expired: [.expired: 1]
            case .byOurselves: [:]
            }
        #expect(trust.rejections == expected)
        #expect(trust.connections.isEmpty && ours.connections.isEmpty)
    }

    /// By the clock alone: nobody asks for a recheck.
    @Test func aConnectionEndsWhenItsLeafExpires() async throws {
        let clock = TestClock(self.member.leaf.notAfter)
        let trust = TrustStore(try PeerTrust(members: [self.member.trusted()]), clock: { clock.now })
        let ended = Signal()
        try await withListener(self.server, trust: trust, routes: endless(ended)) { [member, server] port in
            try await withClient(of: member, to: server, port: port) { client in
                let response = try await client.get("/endless")
                // It was let in within its last second, so it is checked a second later.
                clock.advance(by: 1)
                await #expect(throws: PeerClientError.self) { for try await _ in response.body {} }
                await ended.wait()
            }
        }
        #expect(trust.rejections == [.expired: 1])
    }

    @Test func bothDirectionsAtOnce() async throws {
        let routes: @Sendable (Router<PeerRequestContext>) -> Void = { router in
            router.post("echo") { request, _ in
                Response(
                    status: .ok,
                    body: ResponseBody { writer in
                        try await writer.write(ByteBuffer(string: "ready"))
                        for try await piece in request.body { try await writer.write(piece) }
                        try await writer.finish(nil)
                    })
            }
        }
        try await withListener(self.server, trust: try self.store(), routes: routes) { [member, server] port in
            try await withClient(of: member, to: server, port: port) { client in
                let (pieces, send) = AsyncStream<ByteBuffer>.makeStream()
                let response = try await client.post("/echo", body: .stream(pieces))
                var answer = response.body.makeAsyncIterator()
                #expect(try await answer.next() == ByteBuffer(string: "ready"))
                for number in 0..<20 {
                    send.yield(ByteBuffer(string: "piece \(number)"))
                    #expect(try await answer.next() == ByteBuffer(string: "piece \(number)"))
                }
                send.finish()
                #expect(try await answer.next() == nil)
            }
        }
    }

    @Test func aNewCertificateWithoutRestart() async throws {
        let identity = try TLSIdentity(self.server.material)
        let ours = TrustStore(try PeerTrust(members: [self.server.trusted(roster: .notHeld)]))
        try await withListener(self.server, trust: try self.store(), identity: identity) { [member, server] port in
            try await withClient(of: member, to: server, port: port, trust: ours) { client in
                _ = try await client.get("/who").collect(upTo: 1000)
                #expect(ours.connections.map { $0.identity?.keyDigest } == [server.leaf.keyDigest])
            }
            let renewed = try server.authority.issueLeaf(
                for: member.nodeKey.publicKey, memberURI: server.id, nodeName: "ae-2",
                notBefore: TrustStore.systemClock())
            #expect(throws: TransportError.self) {
                try TLSIdentity.Material(
                    leaf: renewed, authority: server.authority.certificate, privateKey: server.nodeKey)
            }
            try identity.replace(
                with: .init(leaf: renewed, authority: server.authority.certificate, privateKey: member.nodeKey))
            try await withClient(of: member, to: server, port: port, trust: ours) { client in
                _ = try await client.get("/who").collect(upTo: 1000)
                #expect(ours.connections.contains { $0.identity?.keyDigest == renewed.keyDigest })
            }
        }
    }

    @Test(arguments: [true, false]) func anotherMemberThanDialledIsRefused(authorityIsKnown: Bool) async throws {
        let other = try TestMember("za")
        let ours = TrustStore(try PeerTrust(members: [other.trusted(), self.server.trusted()]))
        try await withListener(self.server, trust: try self.store()) { [member] port in
            try await withClient(
                of: member, to: other, port: port, trust: ours,
                authority: authorityIsKnown ? other.authority.certificate : nil
            ) { client in
                let error = await #expect(throws: PeerClientError.self) { try await client.get("/who") }
                #expect(error?.code == .wrongPeer)
                #expect(error?.description.contains(other.id) == true)
                #expect(error?.description.contains("127.0.0.1:\(port)") == true)
            }
        }
        #expect(ours.rejections == [.wrongMember: 1])
    }

    /// The server's own certificates are held to the same rules.
    @Test(arguments: [PeerRejection.nameMismatch, .wrongUsage, .revoked]) func serversAreChecked(
        rejection: PeerRejection
    ) async throws {
        var certificate = TestCertificate.leaf(of: self.server, "ae")
        if rejection == .nameMismatch { certificate.uris = [self.member.id] }
        if rejection == .wrongUsage { certificate.purposes = [.clientAuth] }
        let leaf = try certificate.make()
        let roster = PeerTrust.Roster.held(nodes: [], revoked: rejection == .revoked ? [leaf.keyDigest] : [])
        let ours = TrustStore(try PeerTrust(members: [self.server.trusted(roster: roster)]))
        let identity = try TLSIdentity(
            .init(leaf: leaf, authority: self.server.authority.certificate, privateKey: certificate.key))
        try await withListener(self.server, trust: try self.store(), identity: identity) { [member, server] port in
            for authority in [server.authority.certificate, nil] {
                try await withClient(of: member, to: server, port: port, trust: ours, authority: authority) { client in
                    let error = await #expect(throws: PeerClientError.self) { try await client.get("/who") }
                    #expect(error?.code == .wrongPeer)
                    #expect(error?.rejection == rejection)
                }
            }
        }
        #expect(ours.rejections == [rejection: 2])
        #expect(ours.connections.isEmpty)
    }

    @Test func aStrangerLearnsThatItIsRefused() async throws {
        try await withListener(self.server, trust: TrustStore(.empty)) { [member, server] port in
            try await withClient(
                of: member, to: server, port: port, authority: server.authority.certificate
            ) { client in
                let error = await #expect(throws: PeerClientError.self) { try await client.get("/who") }
                #expect(error?.code == .refused)
            }
        }
    }

    @Test func nobodyThere() async throws {
        try await withClient(of: self.member, to: self.server, port: 1) { client in
            let error = await #expect(throws: PeerClientError.self) { try await client.get("/who") }
            #expect(error?.code == .connect)
        }
        try await withClient(of: self.member, to: self.server, port: 1, trust: TrustStore(.empty)) { client in
            let error = await #expect(throws: PeerClientError.self) { try await client.get("/who") }
            #expect(error?.code == .notInCharter)
        }
    }

    @Test func throughAProxy() async throws {
        let proxy = try await ConnectProxy(authorization: "Basic dXNlcjpwYXNz")
        let address = try #require(PeerAddress(host: "127.0.0.1", port: proxy.port))
        try await withListener(self.server, trust: try self.store()) { [member, server] port in
            let good = try PeerClientConfiguration(
                proxy: PeerProxy(address: address, userName: "user", password: "pass"))
            try await withClient(of: member, to: server, port: port, configuration: good) { client in
                let text = String(buffer: try await client.get("/who").collect(upTo: 1000))
                #expect(text == "\(member.id) full")
            }
            // Once to learn the authority, once to ask.
            #expect(proxy.targets == ["127.0.0.1:\(port)", "127.0.0.1:\(port)"])
            for authority in [server.authority.certificate, nil] {
                let bad = try PeerClientConfiguration(proxy: PeerProxy(address: address))
                try await withClient(
                    of: member, to: server, port: port, authority: authority, configuration: bad
                ) { client in
                    let error = await #expect(throws: PeerClientError.self) { try await client.get("/who") }
                    #expect(error?.code == .proxy)
                }
            }
        }
        try await proxy.stop()
    }

    @Test func oneMemberCannotTakeAllConnections() async throws {
        let trust = try self.store()
        let configuration = try PeerListenerConfiguration(host: "127.0.0.1", port: 0, maximumConnectionsPerMember: 1)
        let ended = Signal()
        try await withListener(
            self.server, trust: trust, configuration: configuration, routes: endless(ended)
        ) { [member, server] port in
            try await withClient(
                of: member, to: server, port: port, authority: server.authority.certificate
            ) { client in
                var pieces = try await client.get("/endless").body.makeAsyncIterator()
                #expect(try await pieces.next() == ByteBuffer(string: "first"))
                let error = await #expect(throws: PeerClientError.self) { try await client.get("/endless") }
                #expect(error?.code == .closed)
            }
        }
        #expect(trust.rejections == [.tooManyConnections: 1])
    }

    @Test func headersHaveALimit() async throws {
        try await withListener(self.server, trust: try self.store()) { [member, server] port in
            try await withClient(of: member, to: server, port: port) { client in
                let large = String(repeating: "x", count: 20_000)
                let response = try? await client.get("/who", headers: [.userAgent: large])
                #expect(response?.status != .ok)
            }
        }
    }

    @Test func anAddressInUse() async throws {
        try await withListener(self.server, trust: try self.store()) { [member, server] port in
            let listener = PeerListener(
                responder: Router(context: PeerRequestContext.self).buildResponder(),
                configuration: try PeerListenerConfiguration(host: "127.0.0.1", port: port),
                identity: try TLSIdentity(member.material), trust: TrustStore(.empty), logger: quiet)
            let error = await #expect(throws: TransportError.self) { try await listener.run() }
            #expect(error?.code == .bind)
            _ = server
        }
    }

    /// One stream ends by itself when asked to, two never do: they are given time, and do not hold the end up for ever.
    /// How long it takes is printed and not judged: on a machine that others use, seconds say nothing.
    @Test(.timeLimit(.minutes(2))) func aGracefulShutdownEndsThoughStreamsDoNot() async throws {
        let ended = Signal()
        let routes: @Sendable (Router<PeerRequestContext>) -> Void = { router in
            endless(ended)(router)
            router.get("polite") { _, _ in
                Response(
                    status: .ok,
                    body: ResponseBody { writer in
                        try await writer.write(ByteBuffer(string: "first"))
                        for await _ in AsyncStream<Void>(unfolding: { await Signal().wait() })
                            .cancelOnGracefulShutdown()
                        {}
                        try await writer.finish(nil)
                    })
            }
        }
        let clock = ContinuousClock()
        let begin = Mutex(clock.now)
        let client = Mutex<PeerClient?>(nil)
        // An answer that nobody holds is given up.
        let held = Mutex<[PeerResponse]>([])
        try await withListener(self.server, trust: try self.store(), routes: routes) { [member, server] port in
            let made = PeerClient(
                memberID: server.id, address: try #require(PeerAddress(host: "127.0.0.1", port: port)),
                identity: try TLSIdentity(member.material),
                trust: TrustStore(try PeerTrust(members: [server.trusted()])),
                configuration: try PeerClientConfiguration(), logger: quiet)
            client.withLock { $0 = made }
            for path in ["/endless", "/polite", "/endless"] {
                let response = try await made.get(path)
                held.withLock { $0.append(response) }
            }
            begin.withLock { $0 = clock.now }
        }
        let duration = clock.now - begin.withLock { $0 }
        print("graceful shutdown with open streams: \(duration)")
        #expect(duration > .seconds(1))
        await client.withLock { $0 }?.shutdown()
    }

    /// A cancellation must not cancel the accept loop.
    @Test func cancellationEndsItToo() async throws {
        let ended = Signal()
        let router = Router(context: PeerRequestContext.self)
        endless(ended)(router)
        let (ports, port) = AsyncStream<Int>.makeStream()
        let listener = PeerListener(
            responder: router.buildResponder(),
            configuration: try PeerListenerConfiguration(host: "127.0.0.1", port: 0),
            identity: try TLSIdentity(self.server.material), trust: try self.store(), logger: quiet,
            onListening: { port.yield($0) })
        let running = Task { try await listener.run() }
        var iterator = ports.makeAsyncIterator()
        let number = try #require(await iterator.next())
        try await withClient(of: self.member, to: self.server, port: number) { client in
            var pieces = try await client.get("/endless").body.makeAsyncIterator()
            #expect(try await pieces.next() == ByteBuffer(string: "first"))
            running.cancel()
            await ended.wait()
            await #expect(throws: CancellationError.self) { try await running.value }
        }
    }

    @Test func handshakes() async throws {
        try await withListener(self.server, trust: try self.store()) { [member, server] port in
            let configuration = try RawClient.configuration(
                chain: [member.leaf, member.authority.certificate],
                key: .privateKey(try NIOSSLPrivateKey(bytes: Array(member.nodeKey.derRepresentation), format: .der)))
            _ = server
            let begin = ContinuousClock.now
            for _ in 0..<50 {
                #expect(try await RawClient.exchange(port: port, configuration: configuration).contains(member.id))
            }
            print("connect, mutual handshake, request and close: \((ContinuousClock.now - begin) / 50)")
        }
    }
}

/// An answer that never ends by itself; the signal fires when its handler does.
func endless(_ ended: Signal) -> @Sendable (Router<PeerRequestContext>) -> Void {
    { router in
        router.get("endless") { _, _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    defer { ended.fire() }
                    try await writer.write(ByteBuffer(string: "first"))
                    await Signal().wait()
                    try Task.checkCancellation()
                })
        }
    }
}

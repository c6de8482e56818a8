import Alliance
import HTTPTypes
import Logging
import NIOCore
import Replication
import Store
import TransparencyLog

/// The way to the other members: who is dialled where, who may connect, and what is asked of them.
actor PeerNetwork: PeerAccess {
    private let identity: NodeIdentity
    private let store: Store
    private let tls: TLSIdentity
    private let trust: TrustStore
    private let configuration: PeerClientConfiguration
    /// Addresses that the operator set, which come before those of charter and roster.
    private let configured: [String: [PeerAddress]]
    private let logger: Logger
    private var clients: [String: (address: PeerAddress, client: PeerClient)] = [:]
    /// Addresses from rosters.
    private var rosters: [String: [PeerAddress]] = [:]
    private let clock = SteadyClock()
    /// By how many milliseconds the clocks of members were ahead of ``clock`` when their sessions began.
    private var clocksAhead: [String: Int64] = [:]
    /// By how many seconds the clocks of members are ahead of ours.
    var clocks: [String: Int64] {
        let ours = clock.wallAhead
        return clocksAhead.mapValues { ($0 - ours) / 1_000 }
    }
    private(set) var problems: [String: String] = [:]
    /// When a session with each member last ended, in seconds since 1970.
    private(set) var lastSeen: [String: Int64] = [:]
    private var driver: ReplicationDriver?
    /// Wakes ``dialAll()``.
    private var membersChanged: AsyncStream<Void>.Continuation?

    init(
        identity: NodeIdentity, store: Store, tls: TLSIdentity, trust: TrustStore,
        configuration: PeerClientConfiguration, configured: [String: [PeerAddress]], logger: Logger
    ) {
        self.identity = identity
        self.store = store
        self.tls = tls
        self.trust = trust
        self.configuration = configuration
        self.configured = configured
        self.logger = logger
    }

    func attach(_ driver: ReplicationDriver) { self.driver = driver }

    // MARK: Trust

    /// Takes note of the time that a peer named when a session began.
    func note(clock text: String?, of member: String) {
        clocksAhead[member] = text.flatMap { PeerClock.seconds($0) }.map { $0 * 1_000 - clock.milliseconds }
    }

    /// Reads every log's newest roster and says anew who may connect.
    func refreshTrust() async {
        var members: [PeerTrust.Member] = []
        // A suspended member still holds and fetches; nothing of it counts.
        for member in identity.charter.charter.members where member.standing != .removed {
            let roster = try? await store.state(of: store.speaking(for: member.log.name)).roster?.roster
            members.append(
                PeerTrust.Member(
                    id: member.id, authorityKeyDigest: member.authority.bytes,
                    roster: roster.map {
                        .held(
                            nodes: Set($0.nodes.flatMap(\.tlsKeys).map(\.bytes)), revoked: Set($0.revoked.map(\.bytes)))
                    }
                        ?? .notHeld))
            if let roster {
                rosters[member.id] = roster.nodes.flatMap(\.addresses).compactMap { PeerAddress(url: $0) }
            }
        }
        do {
            let closed = trust.update(try PeerTrust(members: members))
            if closed > 0 { logger.notice("connections ended by a change of trust", metadata: ["count": "\(closed)"]) }
        } catch {
            logger.error("the charter's authorities cannot be used", metadata: ["reason": "\(error)"])
        }
    }

    /// Another charter is in force: who is no member any more is let go, and the others are dialled where they are now.
    func chartersChanged() async {
        await refreshTrust()
        for member in identity.charter.charter.members {
            if member.standing == .removed {
                await driver?.expel(member.id)
                if let old = clients.removeValue(forKey: member.id) { await old.client.shutdown() }
                problems[member.id] = nil
            }
            await driver?.rosterChanged(of: member.id, isRestricted: isRestricted(member.id))
        }
        membersChanged?.yield()
    }

    /// Keeps sessions with all other members of the charter in force, until cancelled.
    func dialAll() async {
        let (changes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        membersChanged = wake
        wake.yield()
        await withDiscardingTaskGroup { group in
            var dialled: Set<String> = []
            for await _ in changes {
                for member in identity.charter.charter.members
                where member.id != identity.memberID && dialled.insert(member.id).inserted {
                    group.addTask { await self.dial(member.id) }
                }
            }
            group.cancelAll()
        }
    }

    /// A log has more entries; where its roster changed, so has trust.
    func logAdvanced(_ origin: String) async {
        guard let member = identity.charter.charter.member(origin: origin) else { return }
        let index = try? await store.state(of: origin).roster?.index
        guard index != rosterIndexes[member.id] else { return }
        rosterIndexes[member.id] = index
        await refreshTrust()
        await driver?.rosterChanged(of: member.id, isRestricted: isRestricted(member.id))
    }

    private var rosterIndexes: [String: UInt64] = [:]

    /// Whether a connection with this member is of a node that the rosters held here do not list.
    private func isRestricted(_ memberID: String) -> Bool {
        trust.connections.contains { connection in
            connection.identity.map { $0.memberID == memberID && $0.isRestricted } ?? false
        }
    }

    // MARK: Addresses

    /// Where a member is dialled, in the order to try.
    func addresses(of member: CharterMember) -> [PeerAddress] {
        if let configured = configured[member.id] { return configured }
        // A member that has moved may be able to say so by a charter only.
        let named = rosters[member.id] ?? []
        return named + member.addresses.compactMap { PeerAddress(url: $0) }.filter { !named.contains($0) }
    }

    /// The client for a member, or nil where it has no address.
    private func client(_ memberID: String) -> PeerClient? {
        if let known = clients[memberID] { return known.client }
        guard let member = identity.charter.charter.member(id: memberID), let address = addresses(of: member).first
        else { return nil }
        return client(memberID, at: address)
    }

    private func client(_ memberID: String, at address: PeerAddress) -> PeerClient {
        if let known = clients[memberID], known.address == address { return known.client }
        let old = clients[memberID]?.client
        let client = PeerClient(
            memberID: memberID, address: address, identity: tls, trust: trust, configuration: configuration,
            logger: logger)
        clients[memberID] = (address, client)
        if let old { Task { await old.shutdown() } }
        return client
    }

    func canDial(_ memberID: String) -> Bool {
        identity.charter.charter.member(id: memberID).map { !addresses(of: $0).isEmpty } ?? false
    }

    func address(of memberID: String) -> PeerAddress? {
        clients[memberID]?.address
            ?? identity.charter.charter.member(id: memberID).flatMap { addresses(of: $0).first }
    }

    func shutdown() async {
        for (_, client) in clients.values { await client.shutdown() }
        clients = [:]
    }

    /// A session with a member has ended.
    func sessionEnded(_ memberID: String) { lastSeen[memberID] = Clock.seconds }

    // MARK: Dialling

    /// First and longest wait between two tries to reach a member, in milliseconds.
    private static let backoff: (first: Int64, most: Int64) = (200, 30_000)
    /// How long a session has to last before the next try comes at once again: a peer that ends each session as
    /// soon as it begins is not to be dialled five times a second.
    private static let steady: Duration = .seconds(10)

    /// Keeps a session with one member, unless the member keeps one with us, until cancelled.
    func dial(_ id: String) async {
        var failures = 0
        while !Task.isCancelled {
            let listed = identity.charter.charter.member(id: id)
            guard let member = listed, member.standing != .removed else {
                // It may come back; nobody is asked meanwhile.
                try? await Task.sleep(for: .milliseconds(Self.backoff.most))
                continue
            }
            let addresses = addresses(of: member)
            let isConnected = await driver?.isConnected(member.id) ?? true
            // Another copy of this node speaks for the member now; a charter may give this one another log.
            if await driver?.isSuperseded ?? true {
                try? await Task.sleep(for: .milliseconds(Self.backoff.most))
                continue
            }
            // Reached from the other side: once that session ends, the first try is due soon again.
            if isConnected { failures = 0 }
            if !addresses.isEmpty, !isConnected {
                let address = addresses[failures % addresses.count]
                let begun = ContinuousClock.now
                let wasUp = await session(with: member, at: address)
                failures = wasUp && ContinuousClock.now - begun >= Self.steady ? 0 : failures + 1
            }
            let doubled = Self.backoff.first << Int64(min(failures, 10))
            let wait = min(doubled, Self.backoff.most)
            try? await Task.sleep(for: .milliseconds(wait / 2 + Int64.random(in: 0...wait / 2)))
        }
    }

    /// One session from dialling to its end.
    ///
    /// - Returns: whether it was up at all.
    private func session(with member: CharterMember, at address: PeerAddress) async -> Bool {
        guard let driver else { return false }
        let client = client(member.id, at: address)
        let outbox = Outbox()
        do {
            let response = try await client.post(
                PeerPath.session, headers: [.date: PeerClock.text(Clock.seconds)], body: .stream(outbox))
            guard response.status == .ok else {
                outbox.close()
                if response.status != .conflict {
                    problems[member.id] = "\(address) answered \(response.status.code)"
                }
                return response.status == .conflict
            }
            problems[member.id] = nil
            note(clock: response.headers[.date], of: member.id)
            let restricted = isRestricted(member.id)
            let reading = Task { await Self.read(response, member.id, restricted, driver, outbox) }
            await withTaskCancellationHandler {
                await reading.value
            } onCancel: {
                reading.cancel()
            }
            return true
        } catch {
            outbox.close()
            if !Task.isCancelled, problems[member.id] != error.reason {
                problems[member.id] = error.reason
                logger.info(
                    "cannot reach a member",
                    metadata: ["member": "\(member.name)", "address": "\(address)", "reason": "\(error.reason)"])
            }
            return false
        }
    }

    private static func read(
        _ response: PeerResponse, _ member: String, _ restricted: Bool, _ driver: ReplicationDriver, _ outbox: Outbox
    ) async {
        let reader = Mutexed<Task<Void, Never>?>(nil)
        let id = await driver.open(
            member: member, isOutbound: true, canFetch: true, restricted: restricted, outbox: outbox,
            end: { reader.withLock { $0?.cancel() } })
        guard let id else {
            outbox.close()
            return
        }
        let task = Task {
            var incoming = SessionReader(id: id, driver: driver)
            do {
                for try await buffer in response.body {
                    guard await incoming.receive(buffer) else { break }
                }
            } catch {}
            await driver.close(id)
        }
        reader.withLock { $0 = task }
        await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }
}

// MARK: - Asking

extension PeerNetwork {
    func fetch(range: RangeRequest, from member: String) async -> Result<RangeAnswer, FetchFailure> {
        guard let client = client(member) else { return .failure(.unreachable) }
        do {
            let response = try await client.get(PeerPath.range(range))
            if let failure = Self.failure(response.status) { return .failure(failure) }
            let body = try await response.collect(upTo: RangeAnswer.maximumEncodedBytes)
            return Self.decode(Array(buffer: body))
        } catch {
            return .failure(error.code == .timeout ? .timedOut : .unreachable)
        }
    }

    private nonisolated static func decode(_ bytes: [UInt8]) -> Result<RangeAnswer, FetchFailure> {
        do throws(Rejection) { return .success(try RangeAnswer(decoding: bytes)) } catch {
            return .failure(.rejected(error))
        }
    }

    private nonisolated static func failure(_ status: HTTPResponse.Status) -> FetchFailure? {
        switch status.code {
        case 200..<300: nil
        case 404: .notFound
        default: .refused
        }
    }

    // Off the actor: a document is up to 1 GiB to write, sync and hash.
    @concurrent
    nonisolated func fetch(
        document digest: HashValue, size: UInt64, from member: String
    ) async -> Result<Void, FetchFailure> {
        if store.documents.holds(digest) { return .success(()) }
        guard let client = await client(member) else { return .failure(.unreachable) }
        do {
            var offset = store.documents.resume(digest, from: member)
            let response = try await client.get(PeerPath.document(digest, from: UInt64(offset)))
            if let failure = Self.failure(response.status) { return .failure(failure) }
            for try await buffer in response.body {
                let (bytes, place) = (Array(buffer: buffer), offset)
                try await BulkThreads.shared.run { [documents = store.documents] in
                    try documents.receive(bytes, of: digest, at: place, size: Int64(size), from: member)
                }
                offset += Int64(buffer.readableBytes)
            }
            try await BulkThreads.shared.run { [documents = store.documents] in
                if size == 0 { _ = try documents.store([]) } else { try documents.finish(digest, from: member) }
            }
            return .success(())
        } catch let error as PeerClientError {
            return .failure(error.code == .timeout ? .timedOut : .unreachable)
        } catch let error as StoreError where error.code == .damaged {
            return .failure(.rejected(Rejection(.wrongDocument, error.reason)))
        } catch {
            return .failure(.local)
        }
    }

    func push(range request: RangeRequest, to member: String) async {
        guard let client = client(member) else { return }
        // An empty body says that it cannot be had here, so that nobody waits in vain.
        let answer = try? await store.answer(request)
        _ = try? await client.post(PeerPath.pushedRange(request), body: .bytes(answer?.encoded ?? []))
            .collect(upTo: 1_024)
    }

    func push(document digest: HashValue, from offset: UInt64, to member: String) async {
        guard let client = client(member) else { return }
        guard store.documents.holds(digest) else {
            _ = try? await client.post(PeerPath.missingDocument(digest), body: .bytes([UInt8]())).collect(upTo: 1_024)
            return
        }
        let body = DocumentBytes(folder: store.documents, digest: digest, offset: Int64(offset))
        _ = try? await client.post(PeerPath.document(digest, from: offset), body: .stream(body)).collect(upTo: 1_024)
    }
}

extension Store {
    /// The answer to a peer that asks for a range.
    func answer(_ request: RangeRequest) async throws -> RangeAnswer {
        guard try await root(of: request.origin, at: request.headSize) == request.headRoot else {
            throw StoreError(.unknown, "the tree that is held here has another root at \(request.headSize)")
        }
        let range = try await range(of: request.origin, from: request.from, headSize: request.headSize)
        var bundle: [UInt8] = []
        bundle.reserveCapacity(range.entries.reduce(0) { $0 + $1.count + 2 })
        for entry in range.entries { try EntryBundle.append(entry, to: &bundle) }
        let extensionProof = try await consistencyProof(of: request.origin, from: request.from, to: request.headSize)
        return try RangeAnswer(
            from: range.from, to: range.to, extensionProof: extensionProof, remainderProof: range.proof,
            entries: bundle)
    }
}

/// A document's bytes from an offset on, read a piece at a time.
struct DocumentBytes: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    let folder: DocumentFolder
    let digest: HashValue
    let offset: Int64
    static let piece = 256 << 10

    struct AsyncIterator: AsyncIteratorProtocol {
        let folder: DocumentFolder
        let digest: HashValue
        var offset: Int64

        mutating func next() async throws -> ByteBuffer? {
            let bytes = try folder.read(digest, at: offset, count: DocumentBytes.piece)
            offset += Int64(bytes.count)
            return bytes.isEmpty ? nil : ByteBuffer(bytes: bytes)
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(folder: folder, digest: digest, offset: offset) }
}

/// The paths that peers use among themselves; Docs/ has them as the protocol's own.
enum PeerPath {
    static let session = "/peer/v1/session"

    static func range(_ request: RangeRequest) -> String {
        "/peer/v1/range/\(request.origin)?from=\(request.from)&head=\(request.headSize)&root=\(request.headRoot.base64url)"
    }

    static func pushedRange(_ request: RangeRequest) -> String {
        "/peer/v1/pushed-range/\(request.origin)?request=\(request.request.number)"
    }

    static func missingDocument(_ digest: HashValue) -> String { "/peer/v1/missing-document/\(digest.hex)" }

    static func document(_ digest: HashValue, from offset: UInt64) -> String {
        "/peer/v1/document/\(digest.hex)?offset=\(offset)"
    }
}

extension PeerAddress {
    /// The address of `https://host:port`.
    init?(url: String) {
        guard url.utf8.starts(with: "https://".utf8) else { return nil }
        self.init(String(url.dropFirst("https://".count)))
    }
}

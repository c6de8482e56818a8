import Alliance
import Crypto
import Foundation
import Hummingbird
public import Logging
import NIOCore
import Replication
import ServiceLifecycle
import Store
import TransparencyLog
import UnixSignals

#if canImport(CMalloc)
import CMalloc
#endif

/// One running node: its store, its replication, its listeners, its peers. Ends on SIGTERM or SIGINT, or with the
/// reason why one of its parts died.
public struct NodeRuntime: Sendable {
    private let settings: NodeSettings
    private let passphrase: Passphrase
    private let logger: Logger
    private let waived: [String]

    /// A node with these settings, whose keys this passphrase opens.
    ///
    /// - Parameter waived: members, by name, whose word is not waited for before the node publishes.
    public init(settings: NodeSettings, passphrase: Passphrase, logger: Logger, waived: [String] = []) {
        self.settings = settings
        self.waived = waived
        self.passphrase = passphrase
        self.logger = logger
    }

    /// Seconds that open work has to end in when the node is told to stop.
    private static let shutdown = (graceful: 3, cancelled: 1)

    /// Runs the node until it is told to stop.
    ///
    /// - Parameter onReady: called once all listeners accept connections.
    /// - Throws: ``NodeError``, or an error of keys, storage or transport, each one clear line.
    public func run(onReady: @escaping @Sendable () async -> Void = {}) async throws {
        Self.limitArenas()
        let parts = try await NodeParts(settings: settings, passphrase: passphrase, logger: logger)
        let others = try waived.map { try parts.member(named: $0) }
        let ready = Readiness(waitingFor: settings.listen == nil ? 1 : 2, then: onReady)
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: DriverService(parts: parts), successTerminationBehavior: .gracefullyShutdownGroup),
            .init(service: DialService(parts: parts), successTerminationBehavior: .gracefullyShutdownGroup),
            .init(
                service: CertificateService(watch: parts.certificates),
                successTerminationBehavior: .gracefullyShutdownGroup),
            .init(
                service: LocalListener(
                    responder: parts.localRoutes.router().buildResponder(), path: settings.controlSocket,
                    logger: logger, onListening: { await ready.one() })),
        ]
        if let listen = settings.listen {
            let configuration = try PeerListenerConfiguration(
                host: listen.host, port: listen.port, maximumConnections: settings.maximumConnections,
                maximumConnectionsPerMember: settings.maximumConnectionsPerMember)
            services.append(
                .init(
                    service: PeerListener(
                        responder: parts.peerRoutes.router().buildResponder(), configuration: configuration,
                        identity: parts.tls, trust: parts.trust, logger: logger,
                        onListening: { port in
                            logger.info("listening", metadata: ["host": "\(listen.host)", "port": "\(port)"])
                            await ready.one()
                        })))
        }
        var configuration = ServiceGroupConfiguration(
            services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(Self.shutdown.graceful)
        configuration.maximumCancellationDuration = .seconds(Self.shutdown.cancelled)
        parts.audit.append(
            .started, "started, version \(Entente.version)",
            [
                "version": .string(Entente.version), "member": .string(parts.identity.member.id),
                "charter": .integer(Int64(parts.identity.charter.charter.version)),
            ], durable: true)
        for member in others { await parts.driver.waive(atStart: member) }
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch {
            parts.audit.flush(all: true)
            parts.audit.append(.stopped, "ended: \(error)", durable: true)
            await parts.network.shutdown()
            try? parts.store.close()
            guard error is ServiceGroupError else { throw error }
            throw NodeError("a part of the node ended unexpectedly: \(error)")
        }
        parts.audit.flush(all: true)
        parts.audit.append(.stopped, "told to stop", durable: true)
        await parts.network.shutdown()
        try parts.store.close()
    }
}

extension NodeRuntime {
    /// Gives threads few heaps to share. By default glibc makes up to eight a core, and each keeps what was freed in it:
    /// a node that takes in a million entries would hold three times the memory that it uses.
    fileprivate static func limitArenas() {
        #if canImport(CMalloc)
        // M_ARENA_MAX of <malloc.h>.
        let arenaMax: Int32 = -8
        _ = mallopt(arenaMax, Int32(max(2, ProcessInfo.processInfo.activeProcessorCount)))
        #endif
    }
}

/// Counts parts that are up, and tells when all are.
private actor Readiness {
    private var waiting: Int
    private let then: @Sendable () async -> Void

    init(waitingFor count: Int, then: @escaping @Sendable () async -> Void) {
        waiting = count
        self.then = then
    }

    func one() async {
        waiting -= 1
        if waiting == 0 { await then() }
    }
}

/// Runs replication.
private struct DriverService: Service, CustomStringConvertible {
    let parts: NodeParts
    // Service groups log their services; what is inside is nobody's business.
    var description: String { "replication" }

    func run() async throws {
        await cancelWhenGracefulShutdown { await parts.driver.run() }
    }
}

/// Keeps sessions with all other members, publishes the first roster, and rechecks connections as certificates expire.
private struct DialService: Service, CustomStringConvertible {
    let parts: NodeParts
    var description: String { "peers" }

    func run() async throws {
        try await publishRoster()
        try await cancelWhenGracefulShutdown {
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { await parts.network.dialAll() }
                group.addTask {
                    for await _ in parts.driver.establishments { try await publishRoster() }
                }
                group.addTask {
                    while !Task.isCancelled {
                        await parts.charters.warn()
                        try? await Task.sleep(for: .seconds(30))
                        _ = parts.trust.recheck()
                        parts.audit.flush()
                    }
                }
                group.addTask {
                    while !Task.isCancelled {
                        try? await Task.sleep(for: .seconds(CertificateWatch.interval))
                        if await parts.publisher.problem != nil { try? await parts.publishRoster() }
                    }
                }
            }
        }
    }
}

extension DialService {
    /// What is interrupted because the node was told to stop has not failed.
    fileprivate func publishRoster() async throws {
        do { try await parts.publishRoster() } catch {
            guard !Task.isCancelled else { return }
            throw error
        }
    }
}

/// What a node is made of.
struct NodeParts: Sendable, CustomStringConvertible {
    let settings: NodeSettings
    let identity: NodeIdentity
    let store: Store
    let tls: TLSIdentity
    let trust: TrustStore
    let network: PeerNetwork
    let driver: ReplicationDriver
    let charters: CharterKeeper
    let publisher: Publisher
    let audit: AuditFile
    let logger: Logger
    let certificates: CertificateWatch
    let localRoutes: LocalRoutes
    let peerRoutes: PeerRoutes

    var description: String { "the node of \(identity.member.name)" }

    init(settings: NodeSettings, passphrase: Passphrase, logger: Logger) async throws {
        self.settings = settings
        self.logger = logger
        let store = try Store(folder: settings.data, reserve: UInt64(settings.diskReserve) << 20)
        let identity = try Self.identity(settings, passphrase, try await Self.charters(settings, store))
        let files = try CertificateFiles(settings)
        let tls = try TLSIdentity(try files.material(settings, passphrase))
        let audit = try AuditFile(path: settings.auditPath, logger: logger)
        let trust = TrustStore(onRejection: { rejection, member in
            let whose = member.map { " of \($0)" } ?? ""
            audit.count(
                .turnedAway, reason: rejection.rawValue, member: member,
                "turned a connection\(whose) away: \(rejection.rawValue)")
        })
        let configured = try Self.configured(settings, identity.charter.charter)
        let network = PeerNetwork(
            identity: identity, store: store, tls: tls, trust: trust,
            configuration: try PeerClientConfiguration(proxy: settings.proxy?.proxy), configured: configured,
            logger: logger)
        var replication = ReplicationSettings()
        replication.exchangeInterval = Int64(settings.exchangeInterval) * 1_000
        replication.exchangeJitter = replication.exchangeInterval / 5
        // A range that waits is held checked, at some five times its bytes.
        replication.readyRangesPerLog = 2
        replication.readyBytesPerLog = 8 << 20
        let restored = RestoredFolder(path: settings.restoredMarkPath, identity: identity, store: store)
        if try await store.isCopied(since: identity.origin) { restored.mark(logger) }
        replication.quota = QuotaSettings(settings.memberLimits)
        var snapshots = try await Self.snapshots(store)
        let published = try await restored.publishedSize(audit, logger)
        for log in snapshots.indices where snapshots[log].origin == identity.origin {
            snapshots[log].publishedSize = published
        }
        let driver = ReplicationDriver(
            identity: identity, store: store, snapshots: snapshots, peers: network,
            settings: replication, logger: logger, audit: audit,
            restored: restored)
        await network.attach(driver)
        await network.refreshTrust()
        let publisher = Publisher(identity: identity, store: store, driver: driver, logger: logger, audit: audit)
        let charters = CharterKeeper(identity: identity, store: store, logger: logger, audit: audit)
        let keys = SigningKeyFiles(folder: settings.keysFolder, passphrase: passphrase, logger: logger)
        keys.look(for: identity)
        await publisher.attach(keys)
        await charters.attach { chain in
            await network.chartersChanged()
            await driver.chartersChanged(chain, holding: await Self.held(store, logger))
            await publisher.followCharter()
        }
        await driver.attach(charters)
        localRoutes = LocalRoutes(
            identity: identity, store: store, driver: driver, network: network, publisher: publisher, trust: trust,
            tls: tls, charters: charters, startedAt: Clock.seconds)
        certificates = CertificateWatch(
            settings: settings, passphrase: passphrase, member: identity.member.id, files: files, tls: tls,
            trust: trust, logger: logger, audit: audit)
        peerRoutes = PeerRoutes(store: store, driver: driver, network: network, identity: identity, logger: logger)
        self.identity = identity
        self.audit = audit
        self.store = store
        self.tls = tls
        self.trust = trust
        self.network = network
        self.driver = driver
        self.charters = charters
        self.publisher = publisher
    }

    /// The member of the charter in force with this short name.
    ///
    /// - Throws: ``NodeError`` where there is none, or it is this node's own.
    func member(named name: String) throws -> CharterMember {
        let charter = identity.charter.charter
        guard let member = charter.member(named: name), member.id != identity.memberID else {
            let names = charter.members.filter { $0.id != identity.memberID }.map(\.name).joined(separator: ", ")
            throw NodeError("no other member is called \(name); the others are \(names)")
        }
        return member
    }

    /// Publishes the member's first roster where the log is still empty, once this start may sign.
    func publishRoster() async throws {
        await publisher.followCharter()
        guard await driver.incarnationStanding == .established, await publisher.problem == nil,
            try await store.state(of: identity.origin).isBegun,
            try await store.log(identity.origin).size == 0
        else { return }
        guard let roster = FileManager.default.contents(atPath: settings.rosterPath) else {
            throw NodeError("\(settings.rosterPath) cannot be read: the log's first entry is the member's roster")
        }
        switch await publisher.submit([[UInt8](roster)]) {
        case .published: logger.info("published the first roster")
        case .already: break
        case .failed where FileFacts.exists(settings.restoredMarkPath):
            // The others have it, and are asked first.
            return
        case .refused(let refused):
            throw NodeError(
                "\(settings.rosterPath) is not this member's first roster: \(refused.first?.reason.text ?? "refused")")
        case .failed(let error):
            // It is tried again.
            await publisher.report(problem: error)
        }
        await network.refreshTrust()
    }

    /// The charters that the folder was made with, and those that came since, put in force in the store.
    private static func charters(_ settings: NodeSettings, _ store: Store) async throws -> CharterChain {
        let stored = try held(try await store.charterFiles(), settings)
        try await store.install(stored, check: EntryChecking.checkNow)
        let chain = try later(stored, settings)
        if chain != stored { try await store.install(chain, check: EntryChecking.checkNow) }
        return chain
    }

    private static func held(_ files: [[UInt8]], _ settings: NodeSettings) throws -> CharterChain {
        var chain = CharterChain(try CharterFolder.first(settings))
        for file in files {
            do { try chain.add(try SignedCharter(parsing: file)) } catch {
                throw NodeError("a stored charter is damaged (\(error)): run entente fsck")
            }
        }
        return chain
    }

    private static func later(_ stored: CharterChain, _ settings: NodeSettings) throws -> CharterChain {
        var chain = stored
        for (path, file) in try CharterFolder.later(settings) {
            do { try chain.add(file) } catch { throw NodeError("\(path): \(error)") }
        }
        return chain
    }

    private static func identity(
        _ settings: NodeSettings, _ passphrase: Passphrase, _ chain: CharterChain
    ) throws -> NodeIdentity {
        guard let member = chain.current.charter.member(named: settings.member) else {
            throw NodeError("charter version \(chain.current.charter.version) has no member \(settings.member)")
        }
        // What lies here may be a key that the charter in force does not name any more: the one that it names is looked
        // for among the other files.
        let versions = chain.versions.reversed().compactMap { $0.charter.member(id: member.id) }
        let logKey = try signingKey(settings.logKeyPath, .log, passphrase)
        let log = versions.first { $0.log.publicKey == logKey.publicKey }?.log ?? member.log
        let replicaSigner = try member.replica.map { replica in
            let key = try signingKey(settings.replicaKeyPath, .replica, passphrase)
            let named = versions.compactMap(\.replica).first { $0.publicKey == key.publicKey } ?? replica
            return try CosignatureSigner(name: named.name, key: key)
        }
        return try NodeIdentity(
            charters: chain, member: member, nodeName: settings.node,
            logSigner: try NoteSigner(name: log.name, key: logKey), replicaSigner: replicaSigner)
    }

    /// Where a node whose keys are in hardware would ask that for them.
    private static func signingKey(
        _ path: String, _ kind: KeyKind, _ passphrase: Passphrase
    ) throws -> any PrivateSigningKey {
        guard let key = try KeyFile.open(path, kind: kind, passphrase: passphrase).signing else {
            throw NodeError("\(path) is no Ed25519 key")
        }
        return key
    }

    static func configured(_ settings: NodeSettings, _ charter: Charter) throws -> [String: [PeerAddress]] {
        var result: [String: [PeerAddress]] = [:]
        for override in settings.peers {
            guard let member = charter.member(named: override.member) else {
                let names = charter.members.map(\.name).joined(separator: ", ")
                throw NodeError("peers: no member is called \(override.member); the members are \(names)")
            }
            result[member.id, default: []].append(override.address)
        }
        return result
    }

    /// What the store holds of all logs; nothing where it cannot be read, which everything else will say as well.
    private static func held(_ store: Store, _ logger: Logger) async -> [LogSnapshot] {
        do { return try await snapshots(store) } catch {
            logger.error("the store cannot be read", metadata: ["reason": "\(error)"])
            return []
        }
    }

    private static func snapshots(_ store: Store) async throws -> [LogSnapshot] {
        let contradicted = try await store.contradictedOrigins()
        let forks = try await store.forks()
        let starts = try await store.incarnations()
        let heads = try await store.forkHeads()
        var snapshots: [LogSnapshot] = []
        for record in try await store.logs() {
            let head = try await store.checkpoints(of: record.origin).head
            var snapshot = LogSnapshot(
                origin: record.origin, size: record.size, root: record.frontier.root,
                head: try head?.fullNote() ?? [], isTrustworthy: record.end == nil,
                isContradicted: contradicted.contains(record.origin),
                fork: forks.first { $0.origin == record.origin }?.bytes ?? [],
                incarnations: starts[record.origin] ?? IncarnationRecord())
            snapshot.forkHeads = heads[record.origin] ?? []
            snapshots.append(snapshot)
        }
        if var first = snapshots.first {
            let wanted = try await store.wantedDocuments(limit: 10_000)
            first.missingDocuments = wanted.map { DocumentNeed(digest: $0.digest, size: UInt64($0.size)) }
            snapshots[0] = first
        }
        return snapshots
    }
}

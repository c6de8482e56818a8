import Alliance
import Hummingbird
import Logging
import Replication
import Store
import TestSupport
import Testing
import TransparencyLog

@testable import Node

/// What a node is made of, in a fresh folder, without keys on disk.
struct TestNode: Sendable {
    let identity: NodeIdentity
    let store: Store
    let trust: TrustStore
    let tls: TLSIdentity
    let network: PeerNetwork
    let driver: ReplicationDriver
    let publisher: Publisher
    let charters: CharterKeeper
    let checked = CheckedRanges()

    init(
        _ name: String, _ alliance: TestAlliance, folder: String, certificates: TestMember,
        configured: [String: [PeerAddress]] = [:], logKey: (any PrivateSigningKey)? = nil,
        replicaKey: (any PrivateSigningKey)? = nil
    ) async throws {
        let (log, replica) = (try TestAlliance.noteSigner(name), try TestAlliance.cosigner(name))
        store = try Store(folder: folder)
        identity = try NodeIdentity(
            charters: CharterChain(alliance.charter), member: try alliance.member(name), nodeName: "node-1",
            logSigner: try logKey.map { try NoteSigner(name: log.name, key: $0) } ?? log,
            replicaSigner: try replicaKey.map { try CosignatureSigner(name: replica.name, key: $0) } ?? replica)
        try await store.install(alliance.charter)
        trust = TrustStore()
        tls = try TLSIdentity(certificates.material)
        network = PeerNetwork(
            identity: identity, store: store, tls: tls, trust: trust,
            configuration: try PeerClientConfiguration(), configured: configured, logger: quiet)
        let snapshots = try await store.logs().map {
            LogSnapshot(origin: $0.origin, size: $0.size, root: $0.frontier.root, head: $0.head ?? [])
        }
        driver = ReplicationDriver(
            identity: identity, store: store, snapshots: snapshots, peers: network, settings: ReplicationSettings(),
            logger: quiet)
        await network.attach(driver)
        await network.refreshTrust()
        publisher = Publisher(identity: identity, store: store, driver: driver, logger: quiet)
        charters = CharterKeeper(identity: identity, store: store, logger: quiet)
        await charters.attach { [network, driver, publisher] chain in
            await network.chartersChanged()
            await driver.chartersChanged(chain, holding: [])
            await publisher.followCharter()
        }
        await driver.attach(charters)
        // What is tested with these nodes is not how they start.
        for member in alliance.charter.charter.members { await driver.waive(atStart: member) }
        await driver.handle(.started)
        for await _ in driver.establishments { break }
    }

    func worker(_ origin: String) -> LogWorker {
        LogWorker(
            origin: origin, store: store, identity: identity, logger: quiet, checked: checked,
            verified: VerifiedSignatures())
    }

    var localRoutes: LocalRoutes {
        LocalRoutes(
            identity: identity, store: store, driver: driver, network: network, publisher: publisher, trust: trust,
            tls: tls, charters: charters, startedAt: 0)
    }

    var peerRoutes: PeerRoutes {
        PeerRoutes(store: store, driver: driver, network: network, identity: identity, logger: quiet)
    }
}

/// A node of `pk`, and the log of `sv` that it follows.
func withNode<Value>(
    _ body: (TestNode, TestAlliance) async throws -> Value
) async throws -> Value {
    let alliance = try TestAlliance()
    return try await withFolder { folder in
        let node = try await TestNode("pk", alliance, folder: folder, certificates: TestMember("pk"))
        let value = try await body(node, alliance)
        await node.network.shutdown()
        try node.store.close()
        return value
    }
}

/// Entries, however many.
func bundle(_ entries: some Sequence<[UInt8]>) throws -> [UInt8] {
    var bytes: [UInt8] = []
    for entry in entries { try EntryBundle.append(entry, to: &bytes) }
    return bytes
}

extension MemoryLog {
    /// What an honest peer answers.
    func answer(from: Int, to: Int? = nil, head: Int? = nil, entries replaced: [[UInt8]]? = nil) throws -> RangeAnswer {
        let size = UInt64(head ?? entries.count)
        let to = UInt64(to ?? entries.count)
        return try RangeAnswer(
            from: UInt64(from), to: to,
            extensionProof: from == 0
                ? [] : MerkleTree.consistencyProof(from: UInt64(from), to: size, reader: self),
            remainderProof: to == size ? [] : MerkleTree.consistencyProof(from: to, to: size, reader: self),
            entries: bundle(replaced ?? Array(entries[from..<Int(to)])))
    }
}

import Alliance
import Crypto
import Hummingbird
import Replication
import ServiceLifecycle
import Store
import TestSupport
import Testing
import TransparencyLog

@testable import Node

/// Two nodes of different members over real TLS, without keys on disk.
@Suite("Two nodes", .timeLimit(.minutes(2)))
struct TwoNodesTests {
    /// Waits for a change that makes it so.
    private func until(_ node: TestNode, _ condition: () async throws -> Bool) async throws {
        let changes = await node.driver.changes()
        if try await condition() { return }
        for await _ in changes where try await condition() { return }
        throw NodeError("the node ended before")
    }

    private func roster(of name: String, _ member: TestMember) throws -> Roster {
        var roster = try Roster.sample(of: name)
        roster.nodes = [
            RosterNode(name: "node-1", addresses: [], tlsKeys: [try #require(HashValue(member.leaf.keyDigest))])
        ]
        return roster
    }

    @Test("What one publishes, the other that dials it holds, checks and cosigns; documents come along")
    func replicate() async throws {
        let members = ["pk": try TestMember("pk"), "sv": try TestMember("sv")]
        let alliance = try TestAlliance { charter in
            for index in charter.members.indices {
                guard let member = members[charter.members[index].name] else { continue }
                charter.members[index].authority =
                    try #require(HashValue(member.authority.certificate.keyDigest))
                charter.members[index].addresses = []
            }
        }
        let (pk, sv) = (try #require(members["pk"]), try #require(members["sv"]))
        try await withFolder { folder in
            let one = try await TestNode("pk", alliance, folder: "\(folder)/pk", certificates: pk)
            let (ports, port) = AsyncStream<Int>.makeStream()
            let listener = PeerListener(
                responder: one.peerRoutes.router().buildResponder(),
                configuration: try PeerListenerConfiguration(host: "127.0.0.1", port: 0),
                identity: try TLSIdentity(pk.material), trust: one.trust, logger: quiet,
                onListening: {
                    port.yield($0)
                    port.finish()
                })
            var log = try alliance.log()
            try log.begin(roster: try roster(of: "pk", pk))
            let bytes = Array("the act".utf8)
            let digest = try one.store.documents.store(bytes)
            let document = try log.context().document(
                PolicyDocument(
                    work: "/akn/pk/act/2026/one", language: "eng", date: "2026-11-21", title: "Act",
                    mediaType: "text/plain", size: Int64(bytes.count), digest: digest, relations: [], supersedes: [])
            ).signed(by: TestAlliance.officer("ayesha"))
            let beginning = Array(log.entries.dropLast())
            let licence = try log.licence("PK-1")
            let late = try log.licence("PK-2")
            try await withService(listener) { [log] in
                var number = 0
                for await chosen in ports { number = chosen }
                let address = try #require(PeerAddress(host: "127.0.0.1", port: number))
                let other = try await TestNode(
                    "sv", alliance, folder: "\(folder)/sv", certificates: sv,
                    configured: [TestAlliance.id("pk"): [address]])
                let name = log.member.log.name
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    tasks.addTask { await one.driver.run() }
                    tasks.addTask { await other.driver.run() }
                    guard case .published = await one.publisher.submit(beginning) else { throw NodeError("refused") }
                    var own = try alliance.log(of: "sv")
                    try own.begin(roster: try roster(of: "sv", sv))
                    guard case .published = await other.publisher.submit(Array(own.entries.dropLast())) else {
                        throw NodeError("refused")
                    }
                    tasks.addTask { await other.network.dial(other.identity.charter.charter.members[0].id) }
                    guard case .published = await one.publisher.submit([licence, document]) else {
                        throw NodeError("refused")
                    }
                    let size = try await one.store.log(name).size
                    try await until(other) {
                        let isHeld = try await other.store.log(name).cosigned >= size
                        return isHeld && other.store.documents.holds(digest)
                    }
                    #expect(try other.store.documents.read(digest, at: 0, count: 100) == bytes)
                    // The other way too, though nobody dials sv.
                    try await until(one) { try await one.store.log(own.member.log.name).cosigned > 0 }
                    // Announced while the session is up.
                    guard case .published(_, _, let last, let root) = await one.publisher.submit([late]) else {
                        throw NodeError("refused")
                    }
                    try await until(other) { try await other.store.log(name).cosigned == last }
                    let held = try await other.store.log(name)
                    #expect(held.size == last && held.frontier.root == root)
                    try await until(one) {
                        try await one.store.cosignatures(of: name, over: last - 1).kept.contains {
                            $0.member == TestAlliance.id("sv")
                        }
                    }
                    #expect(await one.driver.rejectionCounts.isEmpty)
                    #expect(await other.driver.rejectionCounts.isEmpty)
                    tasks.cancelAll()
                }
                await other.network.shutdown()
                try other.store.close()
            }
            await one.network.shutdown()
            try one.store.close()
        }
    }
}

import Alliance
import HTTPTypes
import Logging
import NIOCore
import Replication
import Store
import TransparencyLog

/// The other members' nodes as a repair asks them, over the peers' mutual TLS. What they answer is verified by whoever
/// asked: a repair trusts no peer.
struct PeerSource: RepairSource {
    /// Short names, in the charter's order.
    let members: [String]
    private let clients: [String: PeerClient]

    init(settings: NodeSettings, charter: VerifiedCharter, passphrase: Passphrase, logger: Logger) throws {
        let tls = try TLSIdentity(try CertificateFiles(settings).material(settings, passphrase))
        let trust = TrustStore()
        // Rosters are in the database that is being repaired. Without them a peer is known by its authority alone, which
        // is enough for what is only taken with a proof.
        let active = charter.charter.members.filter { $0.standing == .active }
        _ = trust.update(
            try PeerTrust(
                members: active.map {
                    PeerTrust.Member(id: $0.id, authorityKeyDigest: $0.authority.bytes, roster: .notHeld)
                }))
        let configured = try NodeParts.configured(settings, charter.charter)
        let configuration = try PeerClientConfiguration(proxy: settings.proxy?.proxy)
        var members: [String] = []
        var clients: [String: PeerClient] = [:]
        for member in active where member.name != settings.member {
            let addresses = configured[member.id] ?? member.addresses.compactMap { PeerAddress(url: $0) }
            guard let address = addresses.first else { continue }
            members.append(member.name)
            clients[member.name] = PeerClient(
                memberID: member.id, address: address, identity: tls, trust: trust, configuration: configuration,
                logger: logger)
        }
        self.members = members
        self.clients = clients
    }

    func shutdown() async {
        for client in clients.values { await client.shutdown() }
    }

    func range(
        of origin: String, from: UInt64, headSize: UInt64, headRoot: HashValue, at member: String
    ) async -> Result<FetchedRange, RepairFailure> {
        let request = RangeRequest(
            request: RequestID(0), origin: origin, from: from, headSize: headSize, headRoot: headRoot)
        let body = await bytes(PeerPath.range(request), limit: RangeAnswer.maximumEncodedBytes, at: member)
        return body.flatMap { Self.decode($0) }
    }

    private static func decode(_ bytes: [UInt8]) -> Result<FetchedRange, RepairFailure> {
        do {
            let answer = try RangeAnswer(decoding: bytes)
            let entries = try EntryBundle.decode(answer.entries, limit: WireLimits.rangeEntries)
            return .success(FetchedRange(from: answer.from, entries: entries, remainderProof: answer.remainderProof))
        } catch {
            return .failure(RepairFailure("its answer is no range: \(error)"))
        }
    }

    func checkpoint(of origin: String, at member: String) async -> Result<[UInt8], RepairFailure> {
        await bytes("/logs/\(origin)/checkpoint", limit: SignedNote.maximumByteCount, at: member)
    }

    func document(
        _ digest: HashValue, size: Int64, into folder: DocumentFolder, from member: String
    ) async -> Result<Void, RepairFailure> {
        guard let client = clients[member] else { return .failure(RepairFailure("it has no address")) }
        do {
            let response = try await client.get(PeerPath.document(digest, from: 0))
            guard response.status == .ok else {
                return .failure(RepairFailure("it answered \(response.status.code)"))
            }
            var offset: Int64 = 0
            for try await buffer in response.body {
                try folder.receive(Array(buffer: buffer), of: digest, at: offset, size: size)
                offset += Int64(buffer.readableBytes)
            }
            if size == 0 { _ = try folder.store([]) } else { try folder.finish(digest) }
            return .success(())
        } catch let error as PeerClientError {
            return .failure(RepairFailure(error.reason))
        } catch let error as StoreError {
            return .failure(RepairFailure(error.reason))
        } catch {
            return .failure(RepairFailure("\(error)"))
        }
    }

    private func bytes(_ path: String, limit: Int, at member: String) async -> Result<[UInt8], RepairFailure> {
        guard let client = clients[member] else { return .failure(RepairFailure("it has no address")) }
        do {
            let response = try await client.get(path)
            guard response.status == .ok else {
                return .failure(RepairFailure("it answered \(response.status.code)"))
            }
            return .success(Array(buffer: try await response.collect(upTo: limit)))
        } catch {
            return .failure(RepairFailure(error.reason))
        }
    }
}

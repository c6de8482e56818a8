import Alliance
import Foundation
import HTTPTypes
import Replication
import Store
import TransparencyLog

extension LocalRoutes {
    func status() async throws -> JSONValue {
        var logs: [JSONValue] = []
        let statuses = await driver.logStatuses
        for member in charter.members {
            logs.append(try await log(member, statuses.first { $0.origin == member.log.name }))
        }
        let peers = try await peers()
        let free = store.free
        let declarations = try await declarations()
        var health = try await health(logs, peers, statuses, free: free)
        health.judge(declarations: declarations.filter { $0.member.id == identity.memberID }, now: Clock.seconds)
        return [
            "version": .string(Entente.version), "now": Self.time(Clock.seconds),
            "state": .string(health.level.word), "concerns": health.json,
            "disk": ["free": free.map { .integer(Int64(clamping: $0)) } ?? .null],
            "member": Self.member(identity.member),
            "alliance": [
                "name": .string(charter.alliance), "digest": .string(identity.charter.alliance.hex),
                "version": .integer(Int64(charter.version)), "fingerprint": .string(identity.charter.fingerprint),
                "expires": .string(charter.expires.text), "quorum": .integer(Int64(charter.quorum)),
            ],
            "logs": .array(logs), "peers": .array(peers),
            "declarations": .array(declarations.map { $0.json(now: Clock.seconds) }),
            "documents": ["wanted": .integer(Int64(try await store.wantedDocuments(limit: 10_000).count))],
            "certificate": certificate, "rejections": .array(await rejections()), "startedAt": Self.time(startedAt),
        ]
    }

    private func health(
        _ logs: [JSONValue], _ peers: [JSONValue], _ statuses: [LogStatus], free: UInt64?
    ) async throws -> NodeHealth {
        let now = Clock.seconds
        var health = NodeHealth()
        health.judge(tls.material.term, now: now)
        if let roster = try await store.state(of: identity.origin).roster?.roster,
            let key = HashValue(tls.material.leaf.keyDigest)
        {
            health.judge(KeyStanding(key, in: roster))
        }
        health.judge(
            charter, isContested: identity.chain.isContested, own: charter.member(id: identity.memberID)?.standing,
            now: now)
        for log in logs {
            let isContradicted = statuses.first { $0.origin == log["origin"]?.string }?.isContradicted ?? false
            health.judge(
                log: log["title"]?.string ?? "?", isContradicted: isContradicted, problem: log["problem"]?.string)
        }
        func titles(_ state: String) -> [String] {
            peers.filter { $0["state"]?.string == state }.compactMap { $0["title"]?.string }
        }
        health.judge(
            connected: titles("connected").count, unreachable: titles("unreachable"),
            restricted: titles("restricted"), quorum: charter.quorum, uptime: now - startedAt)
        let standing = await driver.incarnationStanding
        health.judge(standing, under: charter, uptime: now - startedAt)
        if standing == .established { health.judge(ownLogIsLonger: await driver.ownLogIsLonger) }
        if let problem = await publisher.problem { health.judge(publishing: problem) }
        if let free { health.judge(free: free, reserve: store.reserve) }
        let clocks = await network.clocks
        health.judge(
            clocks: charter.members.compactMap { member in clocks[member.id].map { (member.title, $0) } })
        return health
    }

    /// The node's own, as it is in use.
    private var certificate: JSONValue {
        let material = tls.material
        let term = material.term
        return [
            "begins": Self.time(term.begins), "ends": Self.time(term.ends),
            "key": .string(HashValue(material.leaf.keyDigest)?.hex ?? ""),
            "warning": term.warning(at: Clock.seconds).map { .string($0.word) } ?? .null,
        ]
    }

    private func log(_ member: CharterMember, _ status: LogStatus?) async throws -> JSONValue {
        let record = try await store.log(member.log.name)
        let checkpoints = try await store.checkpoints(of: member.log.name)
        let holders = checkpoints.head?.cosignatures ?? []
        return [
            "member": .string(member.name), "title": .string(member.title), "origin": .string(member.log.name),
            "entries": .integer(Int64(record.size)), "root": .string(record.frontier.root.base64),
            "head": .integer(Int64(record.headSize)), "quorum": .integer(Int64(record.quorum)),
            "heldBy": .array(
                holders.compactMap { holder in
                    charter.member(id: holder.member).map {
                        ["member": .string($0.name), "time": Self.time(Int64(holder.time))]
                    }
                }),
            "needed": .integer(Int64(charter.quorum)),
            "offered": .integer(Int64(status?.target ?? record.size)),
            "problem": problem(record, status).map { .string($0) } ?? .null,
        ]
    }

    private func problem(_ record: LogRecord, _ status: LogStatus?) -> String? {
        if let end = record.end { return "counting ended at entry \(end.index): \(end.reason.rawValue)" }
        guard let status else { return nil }
        if status.isForked {
            let missing = (status.end ?? 0) > record.size ? ", of which \(record.size) are held" : ""
            return
                "the log signed two heads that cannot both be true: it counts up to \(status.end ?? 0) entries\(missing) "
                + "(entente fork show)"
        }
        if status.isContradicted { return "the log signed two heads that cannot both be true" }
        switch status.state {
        case .current, .fetching: return nil
        case .stalled: return "\(status.target - status.size) entries are missing and no peer can be asked now"
        case .waitingForCharter(let version): return "waits for charter version \(version)"
        case .delayed(let cap, _):
            return "\(status.target - status.size) entries wait: the log grows faster than \(cap.setting.name) allows; "
                + cap.advice
        }
    }

    func peers() async throws -> [JSONValue] {
        let connected = await driver.connected
        let statuses = await driver.peerStatuses
        let problems = await network.problems
        let held = Dictionary(try await store.logs().map { ($0.origin, $0.size) }, uniquingKeysWith: max)
        var result: [JSONValue] = []
        for member in charter.members where member.id != identity.member.id {
            let status = statuses.first { $0.member == member.id }
            let address = await network.address(of: member.id)
            let state =
                switch (connected[member.id], status?.isRestricted) {
                case (nil, _) where member.standing == .removed: "removed"
                case (nil, _): problems[member.id] == nil ? "connecting" : "unreachable"
                case (_, true?): "restricted"
                default: "connected"
                }
            let behind = lag(status, held)
            result.append([
                "member": .string(member.name), "title": .string(member.title),
                "address": address.map { .string("\($0)") } ?? .null, "state": .string(state),
                "since": connected[member.id].map { Self.time($0) } ?? .null,
                "problem": connected[member.id] == nil ? problems[member.id].map { .string($0) } ?? .null : .null,
                "lag": .integer(Int64(behind)),
                "clock": await network.clocks[member.id].map { .integer($0) } ?? .null,
            ])
        }
        return result
    }

    /// Entries that the peer says it holds and we do not.
    private func lag(_ status: PeerStatus?, _ held: [String: UInt64]) -> UInt64 {
        guard let status else { return 0 }
        return status.logs.reduce(0) { lag, log in
            let size = held[log.origin] ?? 0
            return lag + (log.known > size ? log.known - size : 0)
        }
    }

    private func rejections() async -> [JSONValue] {
        var counts: [String: Int64] = [:]
        for (reason, count) in await driver.rejectionCounts { counts[reason.rawValue, default: 0] += Int64(count) }
        for (reason, count) in trust.rejections { counts[reason.rawValue, default: 0] += Int64(count) }
        return counts.sorted { $0.key < $1.key }.map { ["reason": .string($0.key), "count": .integer($0.value)] }
    }

    func context(_ query: LocalQuery) async throws -> JSONValue {
        let waiting = try store.size(of: identity.origin) == 0 ? await publisher.waitForRoster() : nil
        let state = try await store.state(of: identity.origin)
        var object: JSONObject = [
            "waiting": waiting.map { .string($0) } ?? .null,
            "member": Self.member(identity.member), "alliance": .string(identity.charter.alliance.hex),
            "now": Self.time(Clock.seconds), "logSize": .integer(Int64(state.size)),
        ]
        object["roots"] = [
            "threshold": .integer(Int64(identity.member.rootThreshold)),
            "keys": .array(
                identity.member.rootKeys.map {
                    ["name": .string($0.name), "key": .string(Base64.encodeURL($0.key.bytes))]
                }),
        ]
        if let index = state.roster?.index, let roster = state.roster?.roster {
            let entry = try await store.entries(of: identity.origin, in: index..<index + 1).first ?? []
            object["roster"] = [
                "ordinal": .integer(Int64(roster.ordinal)), "index": .integer(Int64(index)),
                "statement": .string(Base64.encodeURL(entry)),
                "officers": .array(
                    roster.officers.map { officer in
                        [
                            "name": .string(officer.name), "key": .string(Base64.encodeURL(officer.key.bytes)),
                            "kinds": .array(officer.kinds.map(\.rawValue).sorted().map { .string($0) }),
                            "registers": officer.registers.map { .array($0.map { .string($0) }) } ?? .null,
                        ]
                    }),
                "twoOfficers": .array(roster.twoOfficers.map { .string($0) }),
            ]
        }
        if let register = query.text("register") { object["definition"] = definition(register, state) ?? .null }
        object["known"] = .string(try othersSizes().text)
        object["joined"] = .bool(query.text("register").map(isJoined) ?? false)
        return .object(object)
    }

    /// Whether other members' statements of a register change what this member's do.
    private func isJoined(_ register: String) -> Bool {
        switch charter.register(register)?.merge {
        case nil, .each?: false
        case .joint?, .by?: true
        }
    }

    /// What this node holds of the other members' logs.
    private func othersSizes() throws -> KnownSizes {
        let sizes = try charter.members.filter { $0.id != identity.member.id }.map {
            KnownSizes.Size(member: $0.name, entries: try store.size(of: log(of: $0)))
        }
        guard let known = KnownSizes(sizes) else {
            throw LocalError(.internalServerError, "internal", "members' names")
        }
        return known
    }

    private func definition(_ name: String, _ state: LogState) -> JSONValue? {
        let published = state.definitions[name]
        let shared = charter.register(name)
        let builtIn = BuiltInRegisters.definition(named: name).flatMap { definition in
            shared.map { $0.definition == HashValue.sha256(definition.descriptor) } == true ? definition : nil
        }
        guard let definition = published ?? builtIn else { return nil }
        return [
            "register": .string(name), "version": .integer(Int64(definition.version)),
            "digest": .string(HashValue.sha256(definition.descriptor).hex), "published": .bool(published != nil),
            "shared": .bool(shared != nil), "descriptor": .string(Base64.encodeURL(definition.descriptor)),
        ]
    }
}

/// This software.
public enum Entente {
    /// The version that `entente --version` tells.
    public static let version = "0.1.0"
}

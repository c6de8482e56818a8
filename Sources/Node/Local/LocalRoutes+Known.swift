import Alliance
import HTTPTypes
import Store
import TransparencyLog

/// A past state of the logs that a question is answered from.
struct Knowledge: Sendable {
    /// The instant that was asked about, in seconds since 1970; nil where sizes were.
    let at: Int64?
    /// By the member's short name.
    let logs: [String: Log]
    /// The version of the charter by which it is judged now.
    let charterVersion: Int

    /// One member's log.
    struct Log: Sendable {
        /// Entries that were known.
        let size: UInt64
        /// By when a quorum held them, in seconds since 1970.
        let heldSince: Int64?
    }

    func size(of member: CharterMember) -> UInt64 { logs[member.name]?.size ?? 0 }

    var json: JSONValue {
        let names = logs.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let sizes = KnownSizes(names.map { KnownSizes.Size(member: $0, entries: logs[$0]?.size ?? 0) })
        return [
            "at": at.map { LocalRoutes.time($0) } ?? .null, "sizes": .string(sizes?.text ?? ""),
            "charter": .integer(Int64(charterVersion)),
            "logs": .array(
                names.map { name in
                    [
                        "member": .string(name), "entries": .integer(Int64(logs[name]?.size ?? 0)),
                        "heldSince": logs[name]?.heldSince.map { LocalRoutes.time($0) } ?? .null,
                    ]
                }),
        ]
    }
}

extension LocalRoutes {
    /// First quorums that are read at once.
    private static let quorumsAtOnce = 256

    /// What `known` asks for: the state of these members' logs at an instant or at sizes; nil where it is not asked for.
    ///
    /// At an instant, a log is known up to the largest checkpoint that a quorum held by then: the q-th earliest time of the
    /// cosignatures that this node kept when it first saw a quorum, by the charter that the state leaf before the checkpoint
    /// names. The state leaf makes each size a state of every register that replicas recomputed and signed, with a time.
    func knowledge(_ query: LocalQuery, of members: [CharterMember]) async throws -> Knowledge? {
        guard let text = query.text("known") else { return nil }
        guard let wanted = KnownAt(parsing: text) else {
            throw LocalError(
                .badRequest, "invalid",
                "known must be an RFC 3339 time such as 2026-11-24T00:00:00+05:00, or sizes such as pk:1853,sv:120")
        }
        switch wanted {
        case .sizes(let sizes): return try knowledge(of: sizes, members, query)
        case .time(let time): return try await knowledge(at: time, members)
        }
    }

    private func knowledge(
        of sizes: KnownSizes, _ members: [CharterMember], _ query: LocalQuery
    ) throws -> Knowledge {
        for one in sizes.sizes {
            let member = try query.member(one.member)
            let held = try store.size(of: log(of: member))
            guard one.entries <= held else {
                throw LocalError(
                    .conflict, "not-held",
                    "known: \(one.entries) entries of \(member.name)'s log are asked for, and this node holds \(held)")
            }
        }
        let logs = members.map { ($0.name, Knowledge.Log(size: sizes.entries(of: $0.name), heldSince: nil)) }
        return Knowledge(
            at: nil, logs: Dictionary(uniqueKeysWithValues: logs), charterVersion: charter.version)
    }

    private func knowledge(at time: Int64, _ members: [CharterMember]) async throws -> Knowledge {
        let now = Clock.seconds
        guard time <= now else {
            throw LocalError(
                .badRequest, "future",
                "known: \(Timestamp(seconds: time).text) is still to come; what will be known then cannot be said")
        }
        var logs: [String: Knowledge.Log] = [:]
        var first: Int64?
        for member in members {
            let found = try await held(member, by: time, now: now)
            logs[member.name] = found.log ?? Knowledge.Log(size: 0, heldSince: nil)
            first = [first, found.earliest].compactMap(\.self).min()
        }
        guard logs.values.contains(where: { $0.size > 0 }) else {
            let whose = members.count == 1 ? "\(members[0].title)'s log" : "any log"
            let since = first.map { "; the first known quorum was at \(Timestamp(seconds: $0).text)" }
            throw LocalError(
                .notFound, "before-beginning",
                "known: at \(Timestamp(seconds: time).text) no quorum held anything of \(whose)\(since ?? "")")
        }
        return Knowledge(at: time, logs: logs, charterVersion: charter.version)
    }

    /// The largest size of a member's log that a quorum held by an instant; where there is none, the earliest time at which
    /// a quorum held any.
    ///
    /// Clocks of replicas differ, so that a larger size may have been held at an earlier time: the largest counts. Where a log
    /// begins with another one, whose key was replaced, the quorums of that one count as far as the trees are the same.
    private func held(
        _ member: CharterMember, by time: Int64, now: Int64
    ) async throws -> (log: Knowledge.Log?, earliest: Int64?) {
        let speaking = log(of: member)
        let size = try store.size(of: speaking)
        var origins = [speaking]
        for before in identity.chain.versions.reversed() {
            if let name = before.charter.member(id: member.id)?.log.name, !origins.contains(name) {
                origins.append(name)
            }
        }
        var best: Knowledge.Log?
        var earliest: Int64?
        for origin in origins {
            var below: UInt64? = size + 1
            while let next = below {
                let page = try await store.firstQuorums(of: origin, below: next, limit: Self.quorumsAtOnce)
                below = page.count < Self.quorumsAtOnce ? nil : page.last?.size
                for quorum in page where quorum.size > best?.size ?? 0 {
                    guard let since = heldSince(quorum, member, now: now),
                        try await isPart(quorum, of: speaking, origin)
                    else { continue }
                    earliest = min(earliest ?? since, since)
                    if since <= time { best = Knowledge.Log(size: quorum.size, heldSince: since) }
                }
                if best != nil { below = nil }
            }
        }
        return (best, best == nil ? earliest : nil)
    }

    private func isPart(_ quorum: FirstQuorum, of speaking: String, _ origin: String) async throws -> Bool {
        if origin == speaking { return true }
        return try await store.root(of: speaking, at: quorum.size) == quorum.root
    }

    private func heldSince(_ quorum: FirstQuorum, _ member: CharterMember, now: Int64) -> Int64? {
        let governing = identity.chain.version(quorum.charterVersion)?.charter ?? charter
        return QuorumJudge(charter: governing, owner: member.id)
            .heldSince(unchecked: quorum.signatures, now: now)
    }
}

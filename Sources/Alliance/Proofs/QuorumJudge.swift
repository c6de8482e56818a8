public import TransparencyLog

/// Judges who holds and checked a checkpoint of one member's log: node and verifier ask the same judge (formats,
/// section 4).
///
/// A quorum is q of the *other* active members' replica cosignatures over the checkpoint's text; the owner never counts
/// and each member counts once, however many lines it has.
public struct QuorumJudge: Sendable {
    /// The members whose cosignatures count, in the charter's order.
    public let replicas: [CharterMember]
    /// How many are needed.
    public let needed: Int

    /// How far a cosignature's time may be ahead of the judge's clock, in seconds, and still count as a time.
    public static let clockTolerance: Int64 = 300

    /// The judge of the log of `owner` (a member's id) under a charter.
    public init(charter: Charter, owner: String) {
        #if DEBUG
        if PlantedBug.countsTheOwner.isPlanted {
            (replicas, needed) = (charter.members.filter { $0.standing == .active }, charter.quorum)
            return
        }
        #endif
        replicas = charter.replicas(of: owner)
        needed = charter.quorum
    }

    /// Judges the signature lines of a checkpoint's text. Costs one Ed25519 verification for each line of a replica key.
    ///
    /// - Parameter now: the judge's clock, in seconds since 1970.
    public func judge(_ text: [UInt8], signatures: [NoteSignature], now: Int64) -> QuorumJudgement {
        var holders: [QuorumJudgement.Holder] = []
        var invalid: [String] = []
        for member in replicas {
            guard let key = member.replica else { continue }
            var times: [Int64] = []
            for line in signatures where line.isAttributed(to: key) {
                if let time = try? CosignatureSigner.verify(line, key: key, text: text) {
                    times.append(Int64(clamping: time))
                } else {
                    invalid.append(member.id)
                }
            }
            guard !times.isEmpty else { continue }
            let (limit, overflow) = now.addingReportingOverflow(Self.clockTolerance)
            let credible = times.filter { overflow || $0 <= limit }
            #if DEBUG
            if PlantedBug.countsLinesTwice.isPlanted {
                let again = QuorumJudgement.Holder(member: member, newest: credible.max(), earliest: credible.min())
                holders += Array(repeating: again, count: times.count - 1)
            }
            #endif
            holders.append(
                QuorumJudgement.Holder(member: member, newest: credible.max(), earliest: credible.min()))
        }
        return QuorumJudgement(holders: holders, needed: needed, invalid: invalid)
    }
}

/// Who holds and checked one checkpoint, and since when.
public struct QuorumJudgement: Sendable {
    /// A member that cosigned.
    public struct Holder: Hashable, Sendable {
        /// Who.
        public let member: CharterMember
        /// The newest time of its lines, in seconds since 1970; nil if all of them are too far ahead of the judge's clock.
        public let newest: Int64?
        /// The earliest time of its lines; nil as ``newest``.
        public let earliest: Int64?
    }

    /// The members that cosigned, in the charter's order.
    public let holders: [Holder]
    /// How many are needed.
    public let needed: Int
    /// The ids of members of whose lines one does not verify: the note is then to be rejected.
    public let invalid: [String]

    /// Whether enough hold it, and no line of a known key fails.
    public var isReached: Bool { invalid.isEmpty && needed >= 1 && holders.count >= needed }

    /// The time of the q-th newest cosignature: at this time a quorum still held the checkpoint and knew no fork. Nil
    /// without a quorum, or where too many times are ahead of the judge's clock.
    public var stillSo: Int64? { isReached ? Self.place(needed, holders.compactMap(\.newest).sorted(by: >)) : nil }

    /// The time of the q-th earliest cosignature: by then a quorum held the checkpoint. Nil as ``stillSo``.
    public var heldSince: Int64? { isReached ? Self.place(needed, holders.compactMap(\.earliest).sorted()) : nil }

    private static func place(_ count: Int, _ times: [Int64]) -> Int64? {
        times.count >= count ? times[count - 1] : nil
    }
}

extension TLogPolicy {
    /// The policy by which a foreign tool checks the log part of a member's proofs: the member's log key, and q of the
    /// other members' replica keys.
    ///
    /// - Throws: ``AllianceError`` with code `unknown` where the charter has no such active member.
    public init(charter: Charter, owner: String) throws(AllianceError) {
        guard let member = charter.member(id: owner), member.standing == .active else {
            throw AllianceError(.unknown, "\(owner) is no active member")
        }
        let witnesses = charter.replicas(of: owner).compactMap { replica in
            // A short name has no point, so these names never meet the group's.
            replica.replica.map { Witness(name: "\(replica.name).replica", key: $0) }
        }
        let group = Group(
            name: "quorum", threshold: charter.quorum,
            members: witnesses.map {
                String(decoding: $0.name, as: UTF8.self)
            })
        do {
            try self.init(
                logs: [Log(key: member.log)], witnesses: witnesses, groups: [group], quorum: "quorum")
        } catch {
            throw AllianceError(.invalidField, "\(error)")
        }
    }
}

import Alliance
import TransparencyLog

/// What the virtual officers submit, and what must become of it whatever the network does.
struct Workload {
    let alliance: SimulatedAlliance
    /// Statements that must count wherever they first stand in a log whose counting goes on.
    var mustCount: Set<HashValue> = []
    /// Statements that must never count.
    var mustNotCount: Set<HashValue> = []
    /// Bytes of documents, by digest.
    private(set) var documents: [HashValue: [UInt8]] = [:]
    /// Makes every statement another one.
    private var counter: Int64 = 0

    /// The key of an officer that rosters name and leave out by turns.
    static let leaver = "leaver"
    /// The key of an officer whom rosters limit to another register.
    static let clerk = "clerk"

    init(_ alliance: SimulatedAlliance) {
        self.alliance = alliance
    }

    /// Takes note of what must become of an entry.
    mutating func expect(_ counts: Bool, _ entry: [UInt8]) -> [UInt8] {
        if counts { mustCount.insert(HashValue.sha256(entry)) } else { mustNotCount.insert(HashValue.sha256(entry)) }
        return entry
    }

    mutating func context(_ member: SimulatedMember) -> DraftContext {
        counter += 1
        return DraftContext(
            member: member.id, alliance: alliance.charter.alliance, issuedAt: SimulatedAlliance.start + counter)
    }

    func sign(_ draft: Draft, _ signer: Signer) -> [UInt8] {
        do { return try draft.signed(by: signer) } catch {
            preconditionFailure("the simulator drafts statements: \(error)")
        }
    }
}

// MARK: - Batches

extension Workload {
    /// A batch for a log that has begun, drawn at random.
    ///
    /// - Parameters:
    ///   - others: what this node holds of the other logs.
    ///   - isCareless: whether what cannot count is among it, as other software's owners may let through.
    mutating func batch(
        for number: Int, _ log: SimulatedLog, others: [SimulatedLog], isCareless: Bool, _ random: inout Randomness
    ) -> [[UInt8]] {
        let member = alliance.members[number]
        guard let newest = log.state.roster else { return [] }
        if random.happens(60_000) { return handOver(member, log, newest, isCareless: isCareless, &random) }
        var batch: [[UInt8]] = []
        for _ in 0...random.index(random.happens(100_000) ? 20 : 4) {
            if isCareless && random.happens(200_000) {
                if let entry = unfit(member, log, others, &random) { batch.append(entry) }
            } else {
                batch.append(fit(member, log, others, &random))
            }
        }
        guard !batch.isEmpty else { return [] }
        if newest.roster.needsTwo(SimulatedAlliance.register) {
            if !isCareless || random.happens(800_000) {
                batch.append(approval(of: batch, member))
            } else {
                expectUnapproved(batch, after: log)
                // Nobody approves what they wrote themselves.
                if random.happens(500_000) { batch.append(approval(of: batch, member, by: "first")) }
            }
        }
        return batch
    }

    /// A statement that must count.
    private mutating func fit(
        _ member: SimulatedMember, _ log: SimulatedLog, _ others: [SimulatedLog], _ random: inout Randomness
    ) -> [UInt8] {
        let entry =
            switch random.index(12) {
            case 0, 1: retraction(member, log, &random)
            case 2, 3: licence(member, replacing: inForce(log, &random), &random)
            case 4: document(member, &random)
            case 5: endorsement(member, others, &random)
            case 6: declaration(member, &random)
            default: licence(member, &random)
            }
        return expect(true, entry)
    }

    /// A statement that must not count; nil if there is nothing yet to make one of.
    private mutating func unfit(
        _ member: SimulatedMember, _ log: SimulatedLog, _ others: [SimulatedLog], _ random: inout Randomness
    ) -> [UInt8]? {
        switch random.index(8) {
        case 0: return expect(false, Array("no statement \(random.bits())".utf8))
        case 1: return expect(false, licence(member, by: "first", key: "stolen", &random))
        case 2 where log.state.roster?.roster.officer(named: Self.leaver) == nil:
            return expect(false, licence(member, by: Self.leaver, &random))
        case 3:
            let other = others[random.index(others.count)]
            let foreign = statements(of: other).filter { $0.issuer != member.id }
            guard !foreign.isEmpty else { return nil }
            // Another member's statement counts in that member's log alone; there it is expected already.
            return foreign[random.index(foreign.count)].bytes
        case 4: return expect(false, licence(member, by: Self.clerk, &random))
        case 5, 6: return misplacedRoster(member, log, &random)
        default:
            // Counts where it stands first, and not again.
            let own = statements(of: log)
            return own.isEmpty ? nil : own[random.index(own.count)].bytes
        }
    }

    private func statements(of log: SimulatedLog) -> [Statement] {
        log.entries.suffix(20).compactMap { entry in
            if case .statement(let statement) = LogEntry(entry) { statement } else { nil }
        }
    }
}

// MARK: - Statements

extension Workload {
    mutating func licence(
        _ member: SimulatedMember, by officer: String = "first", key: String? = nil,
        replacing old: (identity: HashValue, key: String)? = nil, _ random: inout Randomness
    ) -> [UInt8] {
        let number = random.index(12)
        let name = old?.key ?? "L-\(number)"
        // Few moments, so that several statements of one key begin at the same one.
        let from = SimulatedAlliance.start + [-3, 0, 0, 10][random.index(4)] * 86_400
        let statuses = ["authorised", "authorised", "conditional", "suspended", "revoked"]
        var fields: JSONObject = ["legalName": .string("Firm \(number)"), "licenceNumber": .string(name)]
        fields["domains"] = .array((0..<random.index(3)).map { .string("d\($0 + number % 5).example") })
        let until = random.happens(200_000) ? Timestamp(seconds: from + 20 * 86_400) : nil
        let draft = context(member).attestation(
            register: SimulatedAlliance.register, key: name, status: statuses[random.index(statuses.count)],
            validFrom: Timestamp(seconds: from), validUntil: until, fields: fields,
            supersedes: old.map { [$0.identity] } ?? [])
        return sign(draft, member.officer(officer, key: key))
    }

    /// A statement of the register that is in force, or a retracted or replaced one now and then.
    private func inForce(_ log: SimulatedLog, _ random: inout Randomness) -> (identity: HashValue, key: String)? {
        let rows = log.rows.filter { $0.key.map == SimulatedAlliance.register }
            .sorted { $0.key.key.lexicographicallyPrecedes($1.key.key) }
        guard !rows.isEmpty else { return nil }
        let (key, row) = rows[random.index(rows.count)]
        guard let item = row.items.last else { return nil }
        let identity = HashValue.sha256(log.entries[Int(item.index)])
        return (identity, String(decoding: key.key, as: UTF8.self))
    }

    private mutating func retraction(
        _ member: SimulatedMember, _ log: SimulatedLog, _ random: inout Randomness
    ) -> [UInt8] {
        guard let old = inForce(log, &random) else { return licence(member, &random) }
        let target = Retraction.Target(identity: old.identity, register: SimulatedAlliance.register, key: old.key)
        let draft = context(member).retraction(Retraction(targets: [target], reason: .enteredInError))
        return sign(draft, member.officer("first"))
    }

    private mutating func document(_ member: SimulatedMember, _ random: inout Randomness) -> [UInt8] {
        let bytes = random.bytes(1 + random.index(60))
        let digest = HashValue.sha256(bytes)
        documents[digest] = bytes
        let document = PolicyDocument(
            work: "/akn/zz/act/2026/\(random.index(6))", language: "en", date: "2026-11-21", title: "An act",
            mediaType: "text/plain", size: Int64(bytes.count), digest: digest)
        return sign(context(member).document(document), member.officer("first"))
    }

    private mutating func endorsement(
        _ member: SimulatedMember, _ others: [SimulatedLog], _ random: inout Randomness
    ) -> [UInt8] {
        let other = others[random.index(others.count)]
        guard let old = inForce(other, &random), other.state.member.id != member.id else {
            return licence(member, &random)
        }
        let draft = context(member).endorsement(
            Endorsement(
                identity: old.identity, member: other.state.member.id, register: SimulatedAlliance.register,
                key: old.key, type: .recognises))
        return sign(draft, member.officer("first"))
    }

    private mutating func declaration(_ member: SimulatedMember, _ random: inout Randomness) -> [UInt8] {
        let draft = context(member).declaration(
            Declaration(
                register: SimulatedAlliance.register, rows: UInt64(random.index(12)),
                validUntil: Timestamp(seconds: SimulatedAlliance.start + 30 * 86_400)))
        return sign(draft, member.officer("first"))
    }
}

// MARK: - Floods

extension Workload {
    /// As many statements as a member publishes at once that knows no end; all of them must count.
    mutating func flood(of number: Int, _ log: SimulatedLog, _ random: inout Randomness) -> [[UInt8]] {
        let member = alliance.members[number]
        guard let newest = log.state.roster else { return [] }
        var batch = (0..<20).map { _ in expect(true, licence(member, &random)) }
        if newest.roster.needsTwo(SimulatedAlliance.register) { batch.append(approval(of: batch, member)) }
        return batch
    }
}

// MARK: - Probes

extension Workload {
    /// A few statements that must count; no document, since who asks for one too early waits before it asks again.
    mutating func probe(of number: Int, _ log: SimulatedLog, _ random: inout Randomness) -> [[UInt8]] {
        let member = alliance.members[number]
        guard let newest = log.state.roster else { return [] }
        var batch = [expect(true, licence(member, &random)), expect(true, retraction(member, log, &random))]
        if newest.roster.needsTwo(SimulatedAlliance.register) { batch.append(approval(of: batch, member)) }
        return batch
    }
}

import Alliance
import TransparencyLog

// Rosters: who may speak for a member, and who only pretends to say so.

extension Workload {
    /// A log's first batch: its roster and the definition of its register.
    mutating func beginning(of number: Int, _ log: SimulatedLog, _ random: inout Randomness) -> [[UInt8]] {
        let member = alliance.members[number]
        guard let definition = BuiltInRegisters.definition(named: SimulatedAlliance.register) else {
            preconditionFailure("the register is built in")
        }
        let needsTwo = random.happens(200_000)
        let first = roster(of: member, log, after: nil, withLeaver: random.happens(700_000), needsTwo: needsTwo)
        let descriptor = sign(
            context(member).definition(
                name: definition.name, version: definition.version, descriptor: definition.descriptor),
            member.officer("first"))
        var batch = [expect(true, first), expect(true, descriptor)]
        if needsTwo { batch.append(approval(of: [descriptor], member)) }
        return batch
    }

    private mutating func roster(
        of member: SimulatedMember, _ log: SimulatedLog,
        after newest: (roster: Roster, digest: HashValue, index: UInt64)?,
        withLeaver: Bool, needsTwo: Bool
    ) -> [UInt8] {
        let kinds = Set(StatementKind.allCases).subtracting([.roster])
        let names = ["first", "second", Self.clerk] + (withLeaver ? [Self.leaver] : [])
        let next = Roster(
            ordinal: newest.map { $0.roster.ordinal + 1 } ?? 0, previous: newest?.digest,
            officers: names.map { name in
                Officer(
                    name: name, key: member.publicKey(name), kinds: kinds,
                    registers: name == Self.clerk ? ["agreements"] : nil)
            },
            twoOfficers: needsTwo ? [SimulatedAlliance.register] : [],
            nodes: [RosterNode(name: "node", addresses: [], tlsKeys: [HashValue.sha256("tls of \(member.name)")])])
        return sign(context(member).roster(next), member.root(log.rootKeyName))
    }

    mutating func approval(
        of entries: [[UInt8]], _ member: SimulatedMember, by officer: String = "second"
    ) -> [UInt8] {
        // A careless batch may hold one statement twice; an approval names each once.
        var named: [HashValue] = []
        for identity in entries.map({ HashValue.sha256($0) }) where !named.contains(identity) { named.append(identity) }
        return sign(context(member).approval(of: named), member.officer(officer))
    }

    /// A roster with or without the one officer; a careless member lets it sign in the batch that takes it out.
    mutating func handOver(
        _ member: SimulatedMember, _ log: SimulatedLog, _ newest: (roster: Roster, digest: HashValue, index: UInt64),
        isCareless: Bool, _ random: inout Randomness
    ) -> [[UInt8]] {
        let stays = newest.roster.officer(named: Self.leaver) == nil
        let needsTwo = random.happens(200_000)
        let next = roster(of: member, log, after: newest, withLeaver: stays, needsTwo: needsTwo)
        var batch = [expect(true, next)]
        if isCareless && !stays { batch.append(expect(false, licence(member, by: Self.leaver, &random))) }
        return batch
    }

    /// A roster that is not the next: an old one signed again, one that skips an ordinal or follows another, the newest a
    /// second time, or one that no root key signed.
    mutating func misplacedRoster(
        _ member: SimulatedMember, _ log: SimulatedLog, _ random: inout Randomness
    ) -> [UInt8]? {
        guard let newest = log.state.roster else { return nil }
        var next = newest.roster
        let name = log.rootKeyName
        switch random.index(5) {
        case 0: return log.entries[Int(newest.index)]
        case 1: return expect(false, sign(context(member).roster(next), member.root(name)))
        case 2: (next.ordinal, next.previous) = (next.ordinal + 2, newest.digest)
        case 3: (next.ordinal, next.previous) = (next.ordinal + 1, HashValue.sha256(random.bytes(4)))
        default:
            (next.ordinal, next.previous) = (next.ordinal + 1, newest.digest)
            return expect(false, sign(context(member).roster(next), member.officer("first")))
        }
        return expect(false, sign(context(member).roster(next), member.root(name)))
    }

    /// Without a second officer nothing of a register counts that needs one; of the rest nobody says anything here.
    mutating func expectUnapproved(_ batch: [[UInt8]], after log: SimulatedLog) {
        for entry in batch where log.identities[HashValue.sha256(entry)] == nil {
            guard case .statement(let statement) = LogEntry(entry), statement.issuer == log.state.member.id,
                mustCount.remove(HashValue.sha256(entry)) != nil, statement.kind == .attestation
            else { continue }
            mustNotCount.insert(HashValue.sha256(entry))
        }
    }
}

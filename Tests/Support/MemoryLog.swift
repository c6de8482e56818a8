public import Alliance
public import TransparencyLog

/// One member's log with all that is derived from it, in memory. A value, like the state that it keeps.
public struct MemoryLog: LogReader, Sendable {
    public var state: LogState
    public private(set) var entries: [[UInt8]] = []
    public private(set) var rows: [RowKey: Row] = [:]
    public private(set) var identities: [HashValue: UInt64] = [:]
    public private(set) var maps: [String: RegisterMap] = [:]
    public private(set) var pages: [String: [RegisterMapPageID: [UInt8]]] = [:]
    /// The verdict of every entry.
    public private(set) var verdicts: [Verdict] = []
    private var counter: Int64 = 0

    public var member: CharterMember { state.member }
    public var charter: VerifiedCharter { state.charter }

    public init(member: CharterMember, charter: VerifiedCharter) { state = LogState(member: member, charter: charter) }

    /// The log of a chain of charters that has this origin.
    public init(origin: String, chain: CharterChain) throws { state = try LogState(origin: origin, chain: chain) }

    // MARK: LogReader

    public func row(_ key: RowKey) -> Row? { rows[key] }
    public func index(of identity: HashValue) -> UInt64? { identities[identity] }
    public func entry(at index: UInt64) -> [UInt8] { entries[Int(index)] }
    public func map(_ name: String) -> RegisterMap { maps[name] ?? RegisterMap() }
    public func page(_ id: RegisterMapPageID, of map: String) throws -> [UInt8] {
        guard let blob = pages[map]?[id] else { throw AllianceError(.unknown, "no page \(id) of \(map)") }
        return blob
    }

    // MARK: Publishing and receiving

    /// Statements that are well formed or not, checked against every roster that may be in force.
    public func checked(_ batch: [[UInt8]]) -> [CheckedEntry] {
        let keys = state.candidates(with: batch.map { LogEntry($0) })
        return batch.map { CheckedEntry($0, keys: keys) }
    }

    /// Appends statements and the leaf that they give.
    @discardableResult
    public mutating func publish(_ statements: [[UInt8]]) throws -> BatchOutcome {
        let outcome = try state.seal(checked(statements), reader: self)
        commit(outcome, statements + [outcome.leaf.bytes])
        return outcome
    }

    /// Appends a batch that another published.
    @discardableResult
    public mutating func receive(_ batch: [[UInt8]]) throws -> BatchOutcome {
        let outcome = try state.process(checked(batch), reader: self)
        commit(outcome, batch)
        return outcome
    }

    private mutating func commit(_ outcome: BatchOutcome, _ batch: [[UInt8]]) {
        for (row, content) in outcome.rows.map({ ($0.key, $0.row) }) { rows[row] = content }
        for one in outcome.maps {
            maps[one.name] = one.map
            for id in one.changes.removed { pages[one.name, default: [:]][id] = nil }
            for page in one.changes.written { pages[one.name, default: [:]][page.id] = page.blob }
        }
        for entry in batch {
            let identity = HashValue.sha256(entry)
            if identities[identity] == nil { identities[identity] = UInt64(entries.count) }
            entries.append(entry)
        }
        verdicts += outcome.verdicts
    }

    // MARK: Drafting

    /// A context in which every draft is another statement.
    public mutating func context() -> DraftContext {
        counter += 1
        return DraftContext(member: member.id, alliance: charter.alliance, issuedAt: TestAlliance.start + counter)
    }

    /// Publishes the first roster and these registers' built-in definitions.
    public mutating func begin(
        _ registers: [String] = ["vasp-licences"], twoOfficers: [String] = [], roster: Roster? = nil
    ) throws {
        let first = try roster ?? Roster.sample(of: member.name, twoOfficers: twoOfficers)
        var batch = [try context().roster(first).signed(by: TestAlliance.root(member.name))]
        for name in registers {
            let definition = try definition(name)
            batch.append(definition)
            if first.needsTwo(name) { batch.append(try approval(of: [definition])) }
        }
        let outcome = try publish(batch)
        guard outcome.verdicts.dropLast().allSatisfy({ $0 == .counted }) else {
            throw AllianceError(.notPermitted, "the beginning does not count: \(outcome.verdicts)")
        }
    }

    public mutating func definition(_ name: String, by officer: String = "ayesha") throws -> [UInt8] {
        guard let definition = BuiltInRegisters.definition(named: name) else { throw AllianceError(.unknown, name) }
        return try context().definition(
            name: definition.name, version: definition.version, descriptor: definition.descriptor
        ).signed(by: TestAlliance.officer(officer, of: member.name))
    }

    /// A licence, signed.
    public mutating func licence(
        _ key: String, _ status: String = "authorised", from: Int64 = TestAlliance.start, until: Int64? = nil,
        lei: String? = nil, domains: [String] = [], supersedes: [HashValue] = [], by officer: String = "ayesha",
        offset: Int = 300
    ) throws -> [UInt8] {
        var fields: JSONObject = ["competentAuthority": "PVARA", "legalName": .string("Firm \(key)")]
        fields["licenceNumber"] = .string(key)
        fields["lei"] = lei.map { .string($0) }
        if !domains.isEmpty { fields["domains"] = .array(domains.map { .string($0) }) }
        return try context().attestation(
            register: "vasp-licences", key: key, status: status,
            validFrom: Timestamp(seconds: from, offsetMinutes: offset),
            validUntil: until.map { Timestamp(seconds: $0, offsetMinutes: offset) }, fields: fields,
            supersedes: supersedes
        ).signed(by: TestAlliance.officer(officer, of: member.name))
    }

    public mutating func retraction(
        of targets: [(entry: [UInt8], key: String)], register: String = "vasp-licences",
        reason: Retraction.Reason = .enteredInError, by officer: String = "ayesha"
    ) throws -> [UInt8] {
        let list = targets.map {
            Retraction.Target(identity: HashValue.sha256($0.entry), register: register, key: $0.key)
        }
        return try context().retraction(Retraction(targets: list, reason: reason))
            .signed(by: TestAlliance.officer(officer, of: member.name))
    }

    public mutating func approval(of entries: [[UInt8]], by officer: String = "bilal") throws -> [UInt8] {
        try context().approval(of: entries.map { HashValue.sha256($0) })
            .signed(by: TestAlliance.officer(officer, of: member.name))
    }

    /// The next roster, signed by the member's root keys.
    public mutating func nextRoster(_ edit: (inout Roster) -> Void) throws -> [UInt8] {
        guard let newest = state.roster else { throw AllianceError(.unknown, "no roster yet") }
        var roster = newest.roster
        roster.ordinal += 1
        roster.previous = newest.digest
        edit(&roster)
        return try context().roster(roster).signed(by: TestAlliance.root(member.name))
    }
}

// MARK: - The tree

extension MemoryLog: TreeHashReader {
    public func hashes(at nodes: [TreeNode]) -> [HashValue] {
        nodes.map { node in
            let width = 1 << node.level
            let start = Int(node.index) * width
            var level = entries[start..<start + width].map { MerkleTree.leafHash($0) }
            while level.count > 1 {
                level = stride(from: 0, to: level.count, by: 2).map { MerkleTree.nodeHash(level[$0], level[$0 + 1]) }
            }
            return level[0]
        }
    }

    /// A checkpoint of the log's first entries, signed by its log key and cosigned by members at times.
    public func note(size: Int? = nil, cosigned: [(member: String, time: Int64)]) throws -> SignedNote {
        let count = UInt64(size ?? entries.count)
        let checkpoint = try Checkpoint(
            origin: member.log.name, size: count, root: MerkleTree.root(size: count, reader: self))
        var lines = [try TestAlliance.noteSigner(member.name).sign(checkpoint.text)]
        for (name, time) in cosigned {
            lines.append(try TestAlliance.cosigner(name).sign(checkpoint.text, at: UInt64(time)))
        }
        return try SignedNote(text: checkpoint.text, signatures: lines)
    }

    public func prove(_ map: String, _ key: String) throws -> RegisterMapProof? {
        guard let found = maps[map] else { return nil }
        return try found.prove(key: Array(key.utf8)) { try page($0, of: map) }
    }
}

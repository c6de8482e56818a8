import TransparencyLog

extension LogState {
    /// Processes the next batch of a log that another member published: derives its effects and compares the leaf.
    ///
    /// Where the leaf is not what the entries give, the outcome has an ``BatchOutcome/end`` and no effect, and nothing
    /// of the log counts from there on; the entries are still to be stored.
    ///
    /// - Parameter batch: statements and, last, the state leaf.
    /// - Throws: only what `reader` throws.
    public mutating func process(_ batch: [CheckedEntry], reader: some LogReader) throws -> BatchOutcome {
        guard end == nil else { return ignore(batch, nil) }
        guard batch.count <= Self.batchLimit else { return ignore(batch, .longBatch) }
        guard begins(with: batch) else { return ignore(batch, .otherBeginning) }
        guard case .stateLeaf(let claimed)? = batch.last?.entry else { return ignore(batch, .unknownLeaf) }
        let index = size + UInt64(batch.count) - 1
        let version = Int(clamping: claimed.charterVersion)
        guard version >= charterVersion else { return ignore(batch, .otherCharter) }
        guard let governing = governing(at: index, naming: version) else { return pass(batch, claimed) }
        // A leaf that names an older charter than the one that governs it can't be compared: what that one would give
        // is not what counts here.
        var named = governing
        let isJudged = governing.charter.version <= version
        if isJudged {
            guard let found = chain.version(version), claimed.charterDigest == found.digest else {
                return ignore(batch, .otherCharter)
            }
            named = found
        }
        var next = self
        var work = BatchWork(state: next, governing: governing)
        let outcome = try work.run(batch.dropLast(), naming: named, reader: reader)
        next = work.state
        guard next.roster != nil else { return ignore(batch, .noRoster) }
        guard !isJudged || outcome.leaf == claimed else { return ignore(batch, .falseLeaf) }
        var complete = outcome
        complete.verdicts.append(.stateLeaf)
        next.size = size + UInt64(batch.count)
        next.note(claimed)
        self = next
        return complete
    }

    /// Whether the log still begins with what the log before had up to its cut, as far as a batch tells.
    private mutating func begins(with batch: [CheckedEntry]) -> Bool {
        guard var tree = beginning, let cut = governance.predecessor else { return true }
        for entry in batch {
            tree.append(entry.leaf)
            guard tree.size < cut.size else {
                beginning = nil
                return tree.root == cut.root
            }
        }
        beginning = tree
        return true
    }

    /// Stores what a member says while nothing of it counts.
    private mutating func pass(_ batch: [CheckedEntry], _ leaf: StateLeaf) -> BatchOutcome {
        var outcome = BatchOutcome(leaf: leaf)
        outcome.verdicts = batch.dropLast().map { _ in .ignored(.notActive) } + [.stateLeaf]
        size += UInt64(batch.count)
        charterVersion = Int(clamping: leaf.charterVersion)
        isJudged = false
        return outcome
    }

    /// Processes statements that this member is about to publish, and gives the leaf that must end their batch.
    ///
    /// The caller refuses to publish where a verdict is not ``Verdict/counted``.
    public mutating func seal(_ statements: [CheckedEntry], reader: some LogReader) throws -> BatchOutcome {
        // Of the own log: it names a version that was in force here, and is contested now.
        if end?.reason == .otherCharter { return refuse(statements, .undecidedCharter) }
        guard end == nil else { return ignore(statements, nil) }
        guard isBegun else { return refuse(statements, .notBegun) }
        guard statements.count < Self.batchLimit else { return ignore(statements, .longBatch) }
        let index = size + UInt64(statements.count)
        guard charterVersion <= charter.charter.version else { return refuse(statements, .undecidedCharter) }
        guard let governing = governing(at: index, naming: charter.charter.version) else {
            return refuse(statements, .notActive)
        }
        var work = BatchWork(state: self, governing: governing)
        var outcome = try work.run(statements[...], naming: charter, reader: reader)
        self = work.state
        outcome.verdicts.append(.stateLeaf)
        size = index + 1
        note(outcome.leaf)
        return outcome
    }

    /// Publishes nothing.
    private func refuse(_ statements: [CheckedEntry], _ reason: Verdict.Reason) -> BatchOutcome {
        var outcome = BatchOutcome(leaf: leaf(before: size, naming: charter))
        outcome.verdicts = statements.map { _ in .ignored(reason) }
        return outcome
    }

    /// Stores without effect.
    private mutating func ignore(_ batch: [CheckedEntry], _ reason: CountingEnd.Reason?) -> BatchOutcome {
        if let reason { end = CountingEnd(index: size, reason: reason) }
        var outcome = BatchOutcome(leaf: leaf(before: size, naming: charter))
        outcome.verdicts = batch.map { _ in .ignored(.afterEnd) }
        outcome.end = reason.map { CountingEnd(index: size, reason: $0) }
        size += UInt64(batch.count)
        return outcome
    }

    /// The leaf that would stand at `index` with the present maps and name that charter.
    func leaf(before index: UInt64, naming charter: VerifiedCharter) -> StateLeaf {
        StateLeaf(
            entryCount: index, charterVersion: charter.charter.version, charterDigest: charter.digest,
            lines: Array(lines.values))
    }
}

extension Statement {
    /// The registers of this statement for which a roster asks for a second officer, sorted.
    func registersNeedingTwo(in roster: Roster) -> [String] {
        guard !roster.twoOfficers.isEmpty else { return [] }
        switch body {
        case .retraction(let retraction):
            return Array(Set(retraction.targets.map(\.register))).sorted().filter { roster.needsTwo($0) }
        case .approval: return []
        default: return [register].compactMap(\.self).filter { roster.needsTwo($0) }
        }
    }
}

/// One batch being processed: rows are worked on here, and hashed into the maps at the end.
struct BatchWork {
    var state: LogState
    private let governing: VerifiedCharter
    private let member: CharterMember
    private var rows: [RowKey: Row] = [:]
    /// Rows as storage had them, and keys that it had no row of though nothing was added there: what the maps have is
    /// compared with these, since a damaged row must not lead to a false leaf, nor to blaming a true one.
    private var stored: [RowKey: Row] = [:]
    private var absent: Set<RowKey> = []
    /// Keys of ``rows`` in the order in which they were first changed.
    private var changed: [RowKey] = []
    private var newMaps: Set<String> = []
    private var indices: [HashValue: UInt64] = [:]
    private var batch: ArraySlice<CheckedEntry> = []
    private var start: UInt64 = 0
    /// The register of the last attestation: most batches are about one.
    private var counted: CountedRegister?
    private var approvals: [HashValue: [(index: Int, entry: CheckedEntry)]] = [:]
    private var outcome: BatchOutcome

    /// - Parameter governing: the charter that governs the batch.
    init(state: LogState, governing: VerifiedCharter) {
        self.state = state
        self.governing = governing
        member = governing.charter.member(id: state.member.id) ?? state.member
        outcome = BatchOutcome(leaf: state.leaf(before: 0, naming: governing))
    }

    /// - Parameter named: the charter that the batch's leaf names.
    mutating func run(
        _ batch: ArraySlice<CheckedEntry>, naming named: VerifiedCharter, reader: some LogReader
    ) throws -> BatchOutcome {
        self.batch = batch
        start = state.size
        indices.reserveCapacity(batch.count)
        rows.reserveCapacity(batch.count)
        changed.reserveCapacity(batch.count)
        outcome.verdicts.reserveCapacity(batch.count + 1)
        outcome.history.reserveCapacity(batch.count)
        collectApprovals()
        for (offset, checked) in batch.enumerated() {
            outcome.verdicts.append(try count(checked, at: start + UInt64(offset), offset: offset, reader))
        }
        try hash(reader)
        outcome.leaf = state.leaf(before: start + UInt64(batch.count), naming: named)
        return outcome
    }

    /// Approvals stand after what they approve, so they are gathered first.
    private mutating func collectApprovals() {
        for (offset, checked) in batch.enumerated() {
            guard case .statement(let statement) = checked.entry, case .approval(let identities) = statement.body else {
                continue
            }
            for identity in identities { approvals[identity, default: []].append((offset, checked)) }
        }
    }

    // MARK: Whether an entry counts

    private mutating func count(
        _ checked: CheckedEntry, at index: UInt64, offset: Int, _ reader: some LogReader
    ) throws -> Verdict {
        let statement: Statement
        switch checked.entry {
        case .statement(let known): statement = known
        case .unknown: return .ignored(.unknownKind)
        case .stateLeaf, .malformed: return .ignored(.malformed)
        }
        guard statement.alliance == state.charter.alliance else { return .ignored(.otherAlliance) }
        guard statement.issuer.hasSameBytes(as: state.member.id) else { return .ignored(.otherMember) }
        if indices[statement.identity] != nil { return .ignored(.repeated) }
        if try isRepeated(statement, reader) { return .ignored(.repeated) }
        defer { indices[statement.identity] = index }
        let item = Row.Item(index: index, leaf: checked.leaf)
        if case .roster(let roster) = statement.body { return try count(roster, statement, item, reader) }
        if let reason = permission(checked, statement, offset: offset) { return .ignored(reason) }
        switch statement.body {
        case .roster: return .ignored(.malformed)
        case .register(let definition): return try count(definition, item, reader)
        case .attestation(let attestation): return try count(attestation, statement, item, reader)
        case .document(let document): return try count(document, statement, item, reader)
        case .retraction(let retraction): return try count(retraction, statement, item, reader)
        case .endorsement(let endorsement):
            return try add(item, to: [RowKey(map: ReservedMap.endorsements, key: endorsement.identity.hex)], reader)
        case .approval: return .counted
        case .declaration(let declaration):
            let key = RowKey(map: ReservedMap.declarations, key: declaration.register)
            guard state.definitions[declaration.register] != nil else { return .ignored(.noDefinition) }
            return try replace(key, with: item, reader)
        }
    }

    /// Whether a statement stands in the log before this batch.
    private func isRepeated(_ statement: Statement, _ reader: some LogReader) throws -> Bool {
        #if DEBUG
        if PlantedBug.countsRepeats.isPlanted { return false }
        #endif
        return try reader.index(of: statement.identity) != nil
    }

    /// Why the roster in force does not let this statement count; nil where it does.
    private func permission(_ checked: CheckedEntry, _ statement: Statement, offset: Int) -> Verdict.Reason? {
        guard let roster = state.roster?.roster, let officer = roster.officer(named: statement.signer.keyName) else {
            #if DEBUG
            if PlantedBug.ignoresRevocation.isPlanted, checked.verifiedBy != nil { return nil }
            #endif
            return .notInForce
        }
        guard let key = checked.verifiedBy else { return .badSignature }
        guard key == officer.key else { return .notInForce }
        guard officer.permits(statement.kind, register: statement.register) else { return .notPermitted }
        #if DEBUG
        if PlantedBug.ignoresSecondOfficer.isPlanted { return nil }
        #endif
        for register in statement.registersNeedingTwo(in: roster) {
            guard isApproved(statement, register, offset: offset, roster, author: officer) else { return .notApproved }
        }
        return nil
    }

    private func isApproved(
        _ statement: Statement, _ register: String, offset: Int, _ roster: Roster, author: Officer
    ) -> Bool {
        (approvals[statement.identity] ?? []).contains { place, checked in
            guard place > offset, case .statement(let approval) = checked.entry, let key = checked.verifiedBy,
                approval.issuer.utf8.elementsEqual(statement.issuer.utf8), approval.alliance == statement.alliance,
                let second = roster.officer(named: approval.signer.keyName), second.key == key,
                second.key != author.key
            else { return false }
            return second.permits(.approval, register: register)
        }
    }

    // MARK: What each kind does

    private mutating func count(
        _ roster: Roster, _ statement: Statement, _ item: Row.Item, _ reader: some LogReader
    ) throws -> Verdict {
        let rootKeys = member.rootKeys
        var signed: Set<String> = []
        for signature in statement.signatures {
            guard let root = rootKeys.first(where: { $0.name == signature.keyName }) else { continue }
            guard signature.isValid(by: root.key) else { return .ignored(.badSignature) }
            signed.insert(root.name)
        }
        guard signed.count >= member.rootThreshold else { return .ignored(.notInForce) }
        if let newest = state.roster {
            #if DEBUG
            let isAnyOrdinal = PlantedBug.replaysRosters.isPlanted
            #else
            let isAnyOrdinal = false
            #endif
            guard isAnyOrdinal || roster.ordinal == newest.roster.ordinal + 1 && roster.previous == newest.digest else {
                return .ignored(.notSuccessor)
            }
        } else {
            guard roster.ordinal == 0, item.index == 0 else { return .ignored(.notSuccessor) }
        }
        let charterKeys = Set(governing.charter.members.flatMap(\.rawKeys))
        guard !roster.officers.contains(where: { charterKeys.contains($0.key.bytes) }) else {
            return .ignored(.notPermitted)
        }
        let verdict = try add(item, to: [RowKey(map: ReservedMap.rosters, key: String(roster.ordinal))], reader)
        if verdict == .counted { state.roster = (roster, HashValue.sha256(statement.payload), item.index) }
        return verdict
    }

    private mutating func count(
        _ statement: DefinitionStatement, _ item: Row.Item, _ reader: some LogReader
    ) throws -> Verdict {
        guard let definition = try? RegisterDefinition(descriptor: statement.descriptor),
            definition.name.utf8.elementsEqual(statement.name.utf8), definition.version == statement.version
        else { return .ignored(.malformed) }
        if RegisterName.isOwn(definition.name, of: member.name) {
            if let old = state.definitions[definition.name], !definition.isCompatibleSuccessor(of: old) {
                return .ignored(.incompatible)
            }
        } else {
            guard let shared = governing.charter.register(definition.name),
                shared.definition == HashValue.sha256(statement.descriptor)
            else { return .ignored(.notListed) }
        }
        let verdict = try replace(RowKey(map: ReservedMap.registers, key: definition.name), with: item, reader)
        if verdict == .counted {
            state.definitions[definition.name] = definition
            counted = nil
        }
        return verdict
    }

    private mutating func count(
        _ attestation: Attestation, _ statement: Statement, _ item: Row.Item, _ reader: some LogReader
    ) throws -> Verdict {
        guard let register = register(attestation.register) else { return .ignored(.noDefinition) }
        guard register.keyForm.isCanonical(attestation.key) else { return .ignored(.keyForm) }
        guard let lookups = register.lookupKeys(of: attestation) else { return .ignored(.lookupForm) }
        let main = RowKey(map: attestation.register, key: attestation.key)
        let replaced = try resolve(attestation.supersedes, in: main, reader)
        guard try repeatsReferences(attestation.supersedes, replaced, reader) else { return .ignored(.dropsReferences) }
        let verdict = try add(item, to: [main] + lookups, replacing: replaced.map(\.index), reader)
        guard verdict == .counted else { return verdict }
        try drop(replaced, of: register, except: lookups, by: item, reader)
        return .counted
    }

    /// What counting needs of a register's definition in force.
    private mutating func register(_ name: String) -> CountedRegister? {
        if let counted, counted.name.hasSameBytes(as: name) { return counted }
        guard let definition = state.definitions[name] else { return nil }
        let found = CountedRegister(name: name, definition)
        counted = found
        return found
    }

    private mutating func count(
        _ document: PolicyDocument, _ statement: Statement, _ item: Row.Item, _ reader: some LogReader
    ) throws -> Verdict {
        let main = RowKey(map: ReservedMap.documents, key: document.work)
        let replaced = try resolve(document.supersedes, in: main, reader)
        let verdict = try add(item, to: [main], replacing: replaced.map(\.index), reader)
        if verdict == .counted { outcome.documents.append(document) }
        return verdict
    }

    private mutating func count(
        _ retraction: Retraction, _ statement: Statement, _ item: Row.Item, _ reader: some LogReader
    ) throws -> Verdict {
        guard let officer = state.roster?.roster.officer(named: statement.signer.keyName) else {
            return .ignored(.notInForce)
        }
        for target in retraction.targets where officer.permits(.retraction, register: target.register) {
            let main = RowKey(map: target.register, key: target.key)
            guard Self.isRetractable(target.register) else { continue }
            let found = try resolve([target.identity], in: main, reader)
            guard let one = found.first else { continue }
            try remove([one.index], from: main, by: item, reader)
            if let register = register(target.register) {
                try drop(found, of: register, except: [], by: item, reader)
            }
        }
        return .counted
    }

    /// Rosters, definitions and declarations are replaced, never taken back; a lookup's map follows its register.
    private static func isRetractable(_ register: String) -> Bool {
        RegisterName.isValid(register) || register == ReservedMap.documents || register == ReservedMap.endorsements
    }
}

// MARK: - Rows

extension BatchWork {
    /// A statement of this log that is in force in a row and is referred to.
    private struct Referred {
        let index: UInt64
        let bytes: [UInt8]
    }

    /// The statements of this log among `identities` that are in force in the row. Others are ignored, one by one.
    private mutating func resolve(
        _ identities: [HashValue], in key: RowKey, _ reader: some LogReader
    ) throws -> [Referred] {
        guard !identities.isEmpty else { return [] }
        guard let row = try row(key, reader) else {
            absent.insert(key)
            return []
        }
        var found: [Referred] = []
        for identity in identities {
            let known = indices[identity]
            guard let index = try known ?? reader.index(of: identity),
                row.inForce.contains(where: { $0.index == index })
            else { continue }
            found.append(Referred(index: index, bytes: try entry(at: index, reader)))
        }
        return found
    }

    private func entry(at index: UInt64, _ reader: some LogReader) throws -> [UInt8] {
        guard index >= start else { return try reader.entry(at: index) }
        let position = batch.startIndex + Int(index - start)
        guard batch.indices.contains(position), case .statement(let statement) = batch[position].entry else {
            return []
        }
        return statement.bytes
    }

    /// Whether a superseder names every statement of other members that the replaced ones named.
    ///
    /// The member's own are those that it issued in this log; a copy of another's statement is not.
    private func repeatsReferences(
        _ references: [HashValue], _ replaced: [Referred], _ reader: some LogReader
    ) throws -> Bool {
        guard !replaced.isEmpty else { return true }
        let named = Set(references)
        for referred in replaced {
            guard case .statement(let statement) = LogEntry(referred.bytes),
                case .attestation(let old) = statement.body
            else { continue }
            for reference in old.supersedes where !named.contains(reference) {
                guard let index = try indices[reference] ?? reader.index(of: reference),
                    case .statement(let own) = LogEntry(try entry(at: index, reader)),
                    own.issuer.utf8.elementsEqual(state.member.id.utf8), own.alliance == state.charter.alliance
                else { return false }
            }
        }
        return true
    }

    /// Takes replaced or retracted statements out of the lookup rows that they stood in.
    private mutating func drop(
        _ replaced: [Referred], of register: CountedRegister, except kept: [RowKey], by item: Row.Item,
        _ reader: some LogReader
    ) throws {
        guard register.hasLookups else { return }
        for referred in replaced {
            guard case .statement(let statement) = LogEntry(referred.bytes),
                case .attestation(let attestation) = statement.body,
                let keys = register.lookupKeys(of: attestation)
            else { continue }
            for key in keys where !kept.contains(key) { try remove([referred.index], from: key, by: item, reader) }
        }
    }

    private mutating func row(_ key: RowKey, _ reader: some LogReader) throws -> Row? {
        if let row = rows[key] { return row }
        // A map without a line is empty: no need to ask storage.
        guard state.lines[key.map] != nil, let row = try reader.row(key) else { return nil }
        stored[key] = row
        return row
    }

    private mutating func set(_ key: RowKey, _ row: Row, by index: UInt64) {
        if rows.updateValue(row, forKey: key) == nil { changed.append(key) }
        if outcome.history.last.map({ $0.index != index || $0.key != key }) ?? true {
            outcome.history.append((index, key))
        }
    }

    /// Adds a statement to all of its rows, or to none.
    private mutating func add(
        _ item: Row.Item, to keys: [RowKey], replacing replaced: [UInt64] = [], _ reader: some LogReader
    ) throws -> Verdict {
        var results: [(RowKey, Row)] = []
        var opened = newMaps
        for key in keys {
            if state.lines[key.map] == nil { opened.insert(key.map) }
            var items = try row(key, reader)?.inForce ?? []
            if !replaced.isEmpty { items.removeAll { replaced.contains($0.index) } }
            guard items.count < Row.limit else { return .ignored(.rowFull) }
            items.append(item)
            results.append((key, Row(inForce: items)))
        }
        guard state.lines.count + opened.count <= StateLeaf.mapLimit else { return .ignored(.mapLimit) }
        newMaps = opened
        for (key, row) in results { set(key, row, by: item.index) }
        return .counted
    }

    /// Puts a statement in the place of all that stood in the row.
    private mutating func replace(_ key: RowKey, with item: Row.Item, _ reader: some LogReader) throws -> Verdict {
        let before = try row(key, reader)?.inForce ?? []
        return try add(item, to: [key], replacing: before.map(\.index), reader)
    }

    private mutating func remove(
        _ indices: [UInt64], from key: RowKey, by item: Row.Item, _ reader: some LogReader
    ) throws {
        guard let before = try row(key, reader) else {
            absent.insert(key)
            return
        }
        guard !before.isEmptied else { return }
        let kept = before.inForce.filter { !indices.contains($0.index) }
        guard kept.count < before.items.count else { return }
        set(key, kept.isEmpty ? Row(emptiedBy: item) : Row(inForce: kept), by: item.index)
    }

    /// Compares rows that were read, but did not change, with their maps.
    private func compare(_ reader: some LogReader) throws {
        for key in absent.union(stored.keys) where rows[key] == nil && state.lines[key.map] != nil {
            let map = try reader.map(key.map)
            let value = try map.value(ofHashedKey: HashValue.sha256(key.key)) { try reader.page($0, of: key.map) }
            guard value == stored[key].map({ HashValue.sha256($0.bytes) }) else {
                throw TransparencyLogError(.otherRow, "a map has another row than its store", at: key.map)
            }
        }
    }

    /// Hashes the changed rows into their maps.
    private mutating func hash(_ reader: some LogReader) throws {
        if rows.count < stored.count + absent.count { try compare(reader) }
        var byMap: [String: (changes: [(key: HashValue, value: HashValue?)], former: [HashValue?])] = [:]
        outcome.rows.reserveCapacity(changed.count)
        for key in changed {
            guard let row = rows[key] else { continue }
            outcome.rows.append((key, row))
        }
        // Changes of one map mostly come one after the other.
        var position = 0
        while position < outcome.rows.count {
            let name = outcome.rows[position].key.map
            let start = position
            while position < outcome.rows.count, outcome.rows[position].key.map == name { position += 1 }
            byMap[name, default: ([], [])].changes += outcome.rows[start..<position].map { key, row in
                (HashValue.sha256(key.key), HashValue.sha256(row.bytes))
            }
            byMap[name]?.former += outcome.rows[start..<position].map { key, _ in
                stored[key].map { HashValue.sha256($0.bytes) }
            }
        }
        for name in byMap.keys.sorted() {
            var map = try reader.map(name)
            guard let (rows, former) = byMap[name] else { continue }
            let changes = try map.update(rows, former: former) { try reader.page($0, of: name) }
            state.lines[name] = StateLeaf.Line(name: name, count: map.count, root: map.root)
            outcome.maps.append((name, map, changes))
        }
    }
}

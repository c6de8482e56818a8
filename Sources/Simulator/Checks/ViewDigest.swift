import Alliance
import TransparencyLog

/// Digests of what is derived from a log: equal bytes where two nodes derived the same.
enum ViewDigest {
    /// Extends a digest by what one batch changed.
    static func next(after before: HashValue, _ outcome: BatchOutcome, lines: [String: StateLeaf.Line]) -> HashValue {
        var text = Text()
        text.add(before)
        for verdict in outcome.verdicts { text.add(name(of: verdict)) }
        for (key, row) in outcome.rows { text.add(key, row) }
        for line in lines.values.sorted(by: { $0.name < $1.name }) { text.add(line) }
        for document in outcome.documents { text.add(document.digest) }
        return HashValue.sha256(text.bytes)
    }

    /// Everything that is derived from a log, and what each row says at some times.
    ///
    /// - Parameter turn: by how much the statements of a row are rotated before one is chosen, since the choice must
    ///   not depend on the order in which they come.
    static func whole(_ log: SimulatedLog, _ checks: EntryChecks, turn: Int) -> HashValue {
        var text = Text()
        for verdict in log.verdicts { text.add(name(of: verdict)) }
        let keys = log.rows.keys.sorted { one, other in
            one.map == other.map ? one.key.lexicographicallyPrecedes(other.key) : one.map < other.map
        }
        for key in keys {
            guard let row = log.rows[key] else { continue }
            text.add(key, row)
            if key.map == SimulatedAlliance.register { addChoices(log, row, checks, turn, to: &text) }
        }
        for line in log.state.lines.values.sorted(by: { $0.name < $1.name }) { text.add(line) }
        text.add("roster \(log.state.roster?.index ?? 0) end \(log.state.end?.index ?? 0)")
        return HashValue.sha256(text.bytes)
    }

    private static func addChoices(
        _ log: SimulatedLog, _ row: Row, _ checks: EntryChecks, _ turn: Int, to text: inout Text
    ) {
        guard let definition = log.state.definitions[SimulatedAlliance.register] else { return }
        let placed = row.inForce.compactMap { item -> PlacedAttestation? in
            let entry = checks.entry(log.entries[Int(item.index)], leaf: item.leaf)
            guard case .statement(let statement) = entry else { return nil }
            return PlacedAttestation(index: item.index, statement: statement)
        }
        guard !placed.isEmpty else { return }
        let middle = turn % placed.count
        let turned = Array(placed[middle...] + placed[..<middle])
        for days in [-1, 0, 1, 40] as [Int64] {
            let time = SimulatedAlliance.start + days * 86_400
            switch Choice(at: time, of: turned, definition: definition) {
            case .none: text.add("none")
            case .speaks(let one, let conflict):
                text.add(one.identity)
                for other in conflict { text.add(other.identity) }
            }
        }
    }

    private static func name(of verdict: Verdict) -> String {
        switch verdict {
        case .counted: "counted"
        case .stateLeaf: "leaf"
        case .ignored(let reason): reason.rawValue
        }
    }

    private struct Text {
        var bytes: [UInt8] = []

        mutating func add(_ text: String) {
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
        }

        mutating func add(_ hash: HashValue) { bytes.append(contentsOf: hash.bytes) }

        mutating func add(_ key: RowKey, _ row: Row) {
            add(key.map)
            bytes.append(contentsOf: key.key)
            bytes.append(row.isEmptied ? 1 : 0)
            bytes.append(contentsOf: row.bytes)
        }

        mutating func add(_ line: StateLeaf.Line) {
            add("\(line.name) \(line.count)")
            add(line.root)
        }
    }
}

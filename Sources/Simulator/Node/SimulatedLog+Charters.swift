import Alliance
import TransparencyLog

// A log under other charters than before.

extension SimulatedLog {
    /// Goes on under other charters: as it is, or counted again from its first entry where they say otherwise.
    ///
    /// - Returns: whether it was counted again.
    mutating func follow(_ chain: CharterChain, _ checks: EntryChecks, mayRecount: Bool = true) -> Bool {
        let (origin, before) = (state.governance.origin, state.chain)
        guard chain.current.charter.member(origin: origin) != nil else { return false }
        guard let same = reopened(under: chain) else { preconditionFailure("memory is not damaged") }
        guard mayRecount, same.isOutdated(since: before), let empty = try? LogState(origin: origin, chain: chain) else {
            resume(same)
            return false
        }
        forgetDerived(empty)
        countAll(checks)
        return true
    }

    /// Counts all entries, of which nothing is derived yet.
    mutating func countAll(_ checks: EntryChecks) {
        var start = 0
        for index in entries.indices where entries[index].starts(with: StateLeaf.familyPrefix) {
            let (bytes, hashes) = (Array(entries[start...index]), Array(leaves[start...index]))
            count(checks.check(bytes, hashes, after: state))
            start = index + 1
        }
    }

    /// The state as a store would read it again: from the rows of what is in force.
    private func reopened(under chain: CharterChain) -> LogState? {
        let definitions = rows.filter { $0.key.map == ReservedMap.registers }
            .sorted { $0.key.key.lexicographicallyPrecedes($1.key.key) }
            .compactMap { $0.value.items.last.map { entries[Int($0.index)] } }
        return try? LogState(
            origin: state.governance.origin, chain: chain, frontier: frontier, lines: Array(state.lines.values),
            end: state.end, roster: state.roster.map { ($0.index, entries[Int($0.index)]) },
            definitions: definitions, last: entries.last)
    }
}

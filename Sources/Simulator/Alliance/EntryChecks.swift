import Alliance
import TransparencyLog

/// What reading an entry and checking its signature gave, remembered for the whole run: a pure function of the entry
/// and the keys that may be in force, which every node would compute again.
final class EntryChecks {
    private struct Key: Hashable {
        let leaf: HashValue
        /// The rosters whose keys were tried.
        let rosters: [HashValue]
    }

    private var read: [HashValue: LogEntry] = [:]
    private var checked: [Key: CheckedEntry] = [:]

    /// Reads an entry.
    func entry(_ bytes: [UInt8], leaf: HashValue) -> LogEntry {
        if let entry = read[leaf] { return entry }
        let entry = LogEntry(bytes)
        read[leaf] = entry
        return entry
    }

    /// Checks entries that came together and follow this state.
    func check(_ entries: [[UInt8]], _ leaves: [HashValue], after state: LogState) -> [CheckedEntry] {
        let read = zip(entries, leaves).map { entry($0, leaf: $1) }
        var rosters = state.roster.map { [$0.digest] } ?? []
        for (index, entry) in read.enumerated() {
            guard case .statement(let statement) = entry, statement.kind == .roster else { continue }
            rosters.append(leaves[index])
        }
        let keys = state.candidates(with: rosters.count > 1 || state.roster == nil ? read : [])
        return entries.indices.map { index in
            let key = Key(leaf: leaves[index], rosters: rosters)
            if let known = checked[key] { return known }
            let result = CheckedEntry(
                entry: read[index], leaf: leaves[index], size: entries[index].count, keys: keys)
            checked[key] = result
            return result
        }
    }
}

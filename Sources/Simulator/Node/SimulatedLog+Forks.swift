import Alliance
import TransparencyLog

/// Entries of a forked log that do not count.
struct SetAside {
    /// Where they begin: the log that is held has a tree of that size as well.
    let base: UInt64
    let entries: [[UInt8]]
    let leaves: [HashValue]
    var end: UInt64 { base + UInt64(entries.count) }
}

// A log that turned out to be forked: what storage makes of it.

extension SimulatedLog {
    /// Whether entries up to a size, with that root, are held somewhere: in the log, or set aside.
    func holds(_ size: UInt64, _ root: HashValue) -> Bool {
        has(size, root) || setAside.contains { isWithin($0, size, root) }
    }

    private func isWithin(_ aside: SetAside, _ size: UInt64, _ root: HashValue) -> Bool {
        guard aside.base <= self.size, size >= aside.base, size <= aside.end else { return false }
        var tree = TreeFrontier()
        for leaf in leaves[..<Int(aside.base)] + aside.leaves[..<Int(size - aside.base)] { tree.append(leaf) }
        return tree.root == root
    }

    /// Becomes the checkpoint where counting ends, or what lies within a quorum of it.
    ///
    /// - Parameter keepsCounts: for the bug that does not count again.
    mutating func settle(at note: [UInt8], _ checks: EntryChecks, keepsAside: Bool = true, keepsCounts: Bool = false) {
        let floor = isSettled ? size : quorum?.size ?? 0
        var (asides, notes) = (setAside, checkpoints)
        var end = Simulation.checkpoint(of: note)
        if let own = quorum, own.size > end?.size ?? 0 { end = own } else if end != nil { notes.append(note) }
        var back = floor
        var added: SetAside?
        if let end, end.size >= floor {
            if has(end.size, end.root) {
                back = end.size
            } else if let place = asides.firstIndex(where: { $0.base >= floor && isWithin($0, end.size, end.root) }) {
                let found = asides.remove(at: place)
                let count = Int(end.size - found.base)
                back = found.base
                added = SetAside(
                    base: found.base, entries: Array(found.entries[..<count]), leaves: Array(found.leaves[..<count]))
                if count < found.entries.count {
                    asides.append(
                        SetAside(
                            base: end.size, entries: Array(found.entries[count...]),
                            leaves: Array(found.leaves[count...])))
                }
            }
        }
        if back < size {
            let rest = SetAside(base: back, entries: Array(entries[Int(back)...]), leaves: Array(leaves[Int(back)...]))
            if keepsAside { asides.append(rest) }
            cut(at: back)
            if !keepsCounts || added != nil { recount(checks) }
        }
        if let added { append(added, checks) }
        let held = notes.first { note in
            Simulation.checkpoint(of: note).map { $0.size == size && $0.root == root } ?? false
        }
        settled(asides, head: held ?? [], checkpoints: notes)
    }

    private mutating func append(_ added: SetAside, _ checks: EntryChecks) {
        var start = 0
        for index in added.entries.indices where added.entries[index].starts(with: StateLeaf.familyPrefix) {
            let bytes = Array(added.entries[start...index])
            receive(checks.check(bytes, Array(added.leaves[start...index]), after: state), bytes)
            start = index + 1
        }
    }

    /// Notes of larger heads that replicas cosigned.
    var waitingNotes: [[UInt8]] {
        checkpoints.filter { note in
            guard let parsed = try? SignedNote(parsing: note), let head = try? Checkpoint(parsing: parsed.text) else {
                return false
            }
            return head.size > size && parsed.signatures.count > 1
        }
    }

    /// Counts all entries again, from the first.
    private mutating func recount(_ checks: EntryChecks) {
        guard let empty = try? LogState(origin: state.governance.origin, chain: state.chain) else {
            preconditionFailure("a log that is held is a member's")
        }
        forgetDerived(empty)
        countAll(checks)
    }
}

import TransparencyLog

/// Makes and judges state leaves. The real one derives them from an alliance's statements; the simulator needs only
/// that they can be true, false, or of a charter that is not held.
protocol StateJudge: Sendable {
    /// The statements of a batch with the state leaf that makes them one.
    func batch(_ statements: [[UInt8]], after before: [[UInt8]]) -> [[UInt8]]
    /// Judges the entries from an index on, which end a batch or do not.
    func judge(_ entries: [[UInt8]], from: Int) -> StateVerdict
}

/// What became of the state leaves among some entries.
enum StateVerdict: Hashable, Sendable {
    /// All of them are true.
    case isTrue
    /// One is false.
    case isFalse
    /// One names a charter of this version, which is not held.
    case needsCharter(UInt64)
}

/// A stand-in for state leaves: the number of entries before it, and a digest of the batch.
enum StateLeaf {
    static let prefix = Array("state ".utf8)

    static func isStateLeaf(_ entry: [UInt8]) -> Bool {
        entry.starts(with: prefix)
    }

    static func make(before: Int, batch: [[UInt8]]) -> [UInt8] {
        let digest = HashValue.sha256(batch.flatMap { $0 + [0] })
        return Array("state \(before + batch.count) \(digest.hex)".utf8)
    }
}

/// Judges ``StateLeaf``.
struct DigestJudge: StateJudge {
    func batch(_ statements: [[UInt8]], after before: [[UInt8]]) -> [[UInt8]] {
        statements + [StateLeaf.make(before: before.count, batch: statements)]
    }

    func judge(_ entries: [[UInt8]], from: Int) -> StateVerdict {
        var start = from
        while start > 0 && !StateLeaf.isStateLeaf(entries[start - 1]) { start -= 1 }
        for index in start..<entries.count where StateLeaf.isStateLeaf(entries[index]) {
            let batch = Array(entries[start..<index])
            if entries[index] != StateLeaf.make(before: start, batch: batch) { return .isFalse }
            start = index + 1
        }
        return .isTrue
    }
}

/// Documents that statements of the simulation name.
enum DocumentEntry {
    static let prefix = Array("document ".utf8)

    static func make(_ digest: HashValue) -> [UInt8] {
        prefix + Array(digest.hex.utf8)
    }

    static func digest(_ entry: [UInt8]) -> HashValue? {
        guard entry.starts(with: prefix), let text = String(validating: entry.dropFirst(prefix.count), as: UTF8.self)
        else { return nil }
        return HashValue(hex: text)
    }
}

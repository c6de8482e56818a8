import TransparencyLog

/// What the tree of a log's entries says of the entries, of the log's row and of what the log's key signed.
struct TreeVerdict {
    private(set) var findings: [(finding: AuditFinding, count: UInt64)] = []
    /// The size that the log has, as far as that can be told.
    private(set) var size: UInt64
    /// Whether the entries are the signed ones, so that the log can be derived.
    private(set) var isWhole = true
    /// Indexes whose entries are to be fetched again.
    private(set) var damaged: [Range<UInt64>] = []
    /// Whether there are entries behind the log's end that nothing vouches for.
    private(set) var hasEntriesBehind = false
    private let log: AuditedLog
    let facts: TreeFacts

    /// - Parameter top: one past the last index that has an entry.
    init(log: AuditedLog, facts: TreeFacts, top: UInt64) {
        self.log = log
        self.facts = facts
        size = top
        judgeSize(top)
        judgeEntries()
    }

    private var edge: [HashValue] { Tables.hashes(of: log.edge) }

    private mutating func add(
        _ code: AuditFinding.Code, index: UInt64? = nil, column: String? = nil, expected: String?, found: String?,
        count: UInt64 = 1
    ) {
        let isRow = column != nil
        let place = AuditFinding.Place(
            log: log.origin, index: index, table: isRow ? "log" : nil, key: isRow ? String(log.id) : nil,
            column: column)
        findings.append((AuditFinding(code, place, expected: expected, found: found), count))
    }

    /// The row's size and edge are written with the entries, in one transaction: which of them is wrong shows where two
    /// of the three agree, or where the log's key signed for more.
    private mutating func judgeSize(_ top: UInt64) {
        let signed = facts.newest?.size ?? 0
        if log.size > top || signed > top {
            let fits = facts.frontier.hashes == edge && signed <= top
            if fits || log.size > AuditedLog.sizeLimit {
                size = max(top, signed)
                add(.logDifferent, column: "size", expected: String(size), found: String(log.size))
            } else {
                size = max(log.size, signed)
                if log.size != size {
                    add(.logDifferent, column: "size", expected: String(size), found: String(log.size))
                }
            }
            if size > top { miss(top..<size) }
        } else if log.size < top {
            if facts.atStatedSize?.hashes == edge, signed <= log.size {
                size = log.size
                add(
                    .entryUnexpected, index: log.size, expected: "nothing",
                    found: "\(top - log.size) entries behind the log's end", count: top - log.size)
                hasEntriesBehind = true
                return
            }
            add(.logDifferent, column: "size", expected: String(top), found: String(log.size))
        }
        if facts.missing.isEmpty, size == top, facts.frontier.hashes != edge, !isTailInDoubt {
            add(
                .logDifferent, column: "edge",
                expected: AuditText.hex(facts.frontier.hashes.flatMap(\.bytes)), found: AuditText.hex(log.edge))
        }
    }

    private mutating func miss(_ range: Range<UInt64>) {
        isWhole = false
        damaged.append(range)
        add(
            .entryMissing, index: range.lowerBound, expected: "\(range.count) entries from here on", found: "nothing",
            count: UInt64(range.count))
    }

    /// Entries that no signed root covers yet are vouched for by the edge alone, or by the tiles.
    private var isTailInDoubt: Bool {
        facts.frontier.hashes != edge && facts.suspects.contains { $0.upperBound > facts.signedUpTo }
            && (facts.newest?.size ?? 0) < facts.frontier.size
    }

    private mutating func judgeEntries() {
        for range in facts.missing { miss(range) }
        guard let unfit = facts.unfit ?? (isTailInDoubt ? facts.frontier.size : nil) else { return }
        isWhole = false
        let missing = facts.missing
        if let signed = facts.unfit, size >= signed {
            add(
                .rootDifferent, index: signed, expected: "the root signed at \(signed)",
                found: "another root, from some entry between \(facts.signedUpTo) and \(signed) on")
        }
        for range in facts.suspects where range.upperBound > facts.signedUpTo && range.lowerBound < unfit {
            let range = max(range.lowerBound, facts.signedUpTo)..<min(range.upperBound, unfit)
            guard !missing.contains(where: { $0.contains(range.lowerBound) }) else { continue }
            damaged.append(range)
            for index in range.prefix(AuditFindings.keptOfEachKind) {
                add(.entryDamaged, index: index, expected: "the hash in tile \(index >> 8)", found: "another")
            }
            if range.count > AuditFindings.keptOfEachKind {
                let rest = UInt64(range.count - AuditFindings.keptOfEachKind)
                add(.entryDamaged, index: range.lowerBound, expected: nil, found: nil, count: rest)
            }
        }
    }
}

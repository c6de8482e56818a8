public import TransparencyLog

/// What is asked about with `--known-at`: the past of logs, by an instant or by sizes.
public enum KnownAt: Hashable, Sendable {
    /// All that quorums held by this instant, in seconds since 1970.
    case time(Int64)
    /// This many entries of each of these members' logs, by short name; of the others nothing.
    case sizes(KnownSizes)

    /// Reads an RFC 3339 time, or sizes as ``KnownSizes/text`` writes them.
    public init?(parsing text: String) {
        if let time = Timestamp(parsing: text) {
            self = .time(time.seconds)
        } else if let sizes = KnownSizes(parsing: text) {
            self = .sizes(sizes)
        } else {
            return nil
        }
    }
}

/// How much of each log is known: one whole prefix of it, by the member's short name.
///
/// A vector of sizes names a past state exactly, whoever is asked; an instant only resolves to one, by the cosignatures that
/// the node which is asked has kept.
public struct KnownSizes: Hashable, Sendable {
    /// By the bytes of the name; each name once.
    public let sizes: [Size]

    /// Entries of one member's log.
    public struct Size: Hashable, Sendable {
        /// The member's short name.
        public let member: String
        public let entries: UInt64

        /// States a size.
        public init(member: String, entries: UInt64) {
            self.member = member
            self.entries = entries
        }
    }

    /// Sorts the sizes; nil where a member stands twice, or there are more than ``Charter/memberLimit``.
    public init?(_ sizes: [Size]) {
        let sorted = sizes.sorted { $0.member.utf8.lexicographicallyPrecedes($1.member.utf8) }
        for (one, next) in zip(sorted, sorted.dropFirst()) where one.member.hasSameBytes(as: next.member) { return nil }
        guard sorted.count <= Charter.memberLimit else { return nil }
        self.sizes = sorted
    }

    /// Reads what ``text`` writes, in any order.
    public init?(parsing text: String) {
        guard text.utf8.count <= Charter.memberLimit * 100 else { return nil }
        var sizes: [Size] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let pair = part.split(separator: ":", omittingEmptySubsequences: false)
            guard pair.count == 2, !pair[0].isEmpty, let entries = Decimal64.parse(pair[1].utf8) else { return nil }
            sizes.append(Size(member: String(pair[0]), entries: entries))
        }
        self.init(sizes)
    }

    /// Such as `pk:1853,sv:120`.
    public var text: String { sizes.map { "\($0.member):\($0.entries)" }.joined(separator: ",") }

    /// The entries known of a member's log; 0 where it is not named.
    public func entries(of member: String) -> UInt64 {
        sizes.first { $0.member.hasSameBytes(as: member) }?.entries ?? 0
    }
}

extension QuorumJudge {
    /// When a quorum held a checkpoint, by signature lines that were verified when they were kept: the q-th earliest time of
    /// different members.
    ///
    /// - Parameters:
    ///   - signatures: lines under one checkpoint; those of keys that are no replica's here are passed over.
    ///   - now: the judge's clock, in seconds since 1970: a time too far ahead of it is none.
    /// - Returns: seconds since 1970; nil where fewer than ``needed`` members signed.
    public func heldSince(unchecked signatures: [NoteSignature], now: Int64) -> Int64? {
        let (limit, overflow) = now.addingReportingOverflow(Self.clockTolerance)
        var times: [Int64] = []
        for member in replicas {
            guard let key = member.replica else { continue }
            let own = signatures.filter { $0.isAttributed(to: key) }
                .compactMap { try? Cosignature(parsing: $0) }.map { Int64(clamping: $0.timestamp) }
            if let earliest = own.filter({ overflow || $0 <= limit }).min() { times.append(earliest) }
        }
        guard needed >= 1, times.count >= needed else { return nil }
        return times.sorted()[needed - 1]
    }
}

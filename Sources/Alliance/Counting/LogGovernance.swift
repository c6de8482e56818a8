public import TransparencyLog

/// Which version of the charter governs which index of one log (formats, section 9): a pure function of the decided
/// charters.
///
/// An index is governed by the newest version whose cut is at or below it; the version that admits a member governs its
/// log from 0; a version without a cut governs from the batch whose state leaf first names it or a later one. A batch is
/// governed as a whole, by the index of its state leaf.
public struct LogGovernance: Hashable, Sendable {
    /// The log.
    public let origin: String
    /// The member whose log it is.
    public let member: String
    /// What this log begins with where its member had another before: that log's entries up to its cut, byte for byte.
    public let predecessor: CharterCut?
    private let chain: [VerifiedCharter]
    /// Where in ``chain`` the charter stands that first names this log.
    private let introduced: Int
    /// For each version from the one that admits the member, where it begins; nil where it states no cut.
    private let starts: [(position: Int, from: UInt64?)]

    /// The governance of the log that `origin` names, under a chain; nil where no member has, or had, that log.
    public init?(of origin: String, under chain: CharterChain) {
        self.init(of: origin, under: chain.versions)
    }

    init?(of origin: String, under chain: [VerifiedCharter]) {
        var owner: String?
        var introduced = 0
        for (position, charter) in chain.enumerated() where owner == nil {
            owner = charter.charter.member(origin: origin)?.id
            introduced = position
        }
        guard let owner else { return nil }
        self.introduced = introduced
        predecessor =
            introduced > 0
            ? chain[introduced - 1].charter.member(id: owner).flatMap { before in
                chain[introduced].charter.cut(of: before.log.name)
            } : nil
        self.origin = origin
        self.member = owner
        self.chain = chain
        var starts: [(Int, UInt64?)] = []
        for (position, charter) in chain.enumerated() where charter.charter.member(id: owner) != nil {
            guard !starts.isEmpty, let before = chain[position - 1].charter.member(id: owner) else {
                starts.append((position, 0))
                continue
            }
            #if DEBUG
            if PlantedBug.ignoresCuts.isPlanted {
                starts.append((position, nil))
                continue
            }
            #endif
            starts.append((position, charter.charter.cut(of: before.log.name)?.size))
        }
        self.starts = starts
    }

    /// The charter that governs a batch.
    ///
    /// - Parameters:
    ///   - index: the index of the batch's state leaf.
    ///   - version: the version that the leaf names.
    public func charter(at index: UInt64, naming version: Int) -> VerifiedCharter {
        for (position, from) in starts.reversed() {
            let charter = chain[position]
            if from.map({ $0 <= index }) ?? (charter.charter.version <= version) { return charter }
        }
        return chain[starts.first?.position ?? 0]
    }

    /// The charter whose cut governs an index, whatever the leaf names: root keys, role, standing and log key are its.
    public func cutCharter(at index: UInt64) -> VerifiedCharter { chain[cutPosition(at: index)] }

    private func cutPosition(at index: UInt64) -> Int {
        for (position, from) in starts.reversed() where from.map({ $0 <= index }) ?? false { return position }
        return starts.first?.position ?? 0
    }

    /// The member as of the charter that governs an index by its cuts.
    public func member(at index: UInt64) -> CharterMember? { cutCharter(at: index).charter.member(id: member) }

    /// Whether anything at an index counts: the member is active, and this is the log that it has, or the one that it got
    /// later, which begins with copies.
    public func isActive(at index: UInt64) -> Bool {
        let position = cutPosition(at: index)
        guard let member = chain[position].charter.member(id: member), member.standing == .active else { return false }
        return position < introduced || member.log.name.hasSameBytes(as: origin)
    }

    /// Whether a log of this size holds all that it begins with; a shorter one is on its way, and says nothing.
    public func isBegun(at size: UInt64) -> Bool { size >= predecessor?.size ?? 0 }

    /// The cuts below a size, with the digests of the charters that state them: what a derivation up to there rests on.
    public func cuts(below size: UInt64) -> [HashValue] {
        starts.dropFirst().compactMap { position, from in
            from.flatMap { $0 < size ? chain[position].digest : nil }
        }
    }

    public static func == (one: LogGovernance, other: LogGovernance) -> Bool {
        one.origin == other.origin && one.chain.map(\.digest) == other.chain.map(\.digest)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(origin) }
}

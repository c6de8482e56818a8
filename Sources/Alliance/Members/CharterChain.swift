public import TransparencyLog

/// The alliance's charters as far as they are known here, and which of them are decided: a pure function of the set of
/// charters, whatever the order in which they came (formats, section 9).
///
/// A version that has one valid successor is followed by it. Of two or more, none is in force until a version after
/// them names one and is signed by the threshold of the version before them without the members that signed several.
/// A successor that comes before the version that it follows is refused as skipped, and has to be offered again.
public struct CharterChain: Sendable {
    /// The decided charters, from the oldest that is known to the one in force, without gaps.
    public private(set) var versions: [VerifiedCharter]
    /// Valid charters of the next version that contradict each other, by digest; none of them is in force.
    public private(set) var alternatives: [VerifiedCharter] = []
    /// Every valid charter beyond the first, by version, then digest.
    private var known: [Known] = []

    private struct Known: Sendable {
        var verified: VerifiedCharter
        var signed: SignedCharter
        let parent: HashValue

        var version: Int { verified.charter.version }
        var digest: HashValue { verified.digest }
    }

    /// Charters of one version that are kept: two are a contradiction already.
    public static let alternativeLimit = 8

    /// A chain that begins with a charter that the caller trusts: version 1, or one that was pinned.
    public init(_ first: VerifiedCharter) { versions = [first] }

    /// The charter in force.
    public var current: VerifiedCharter { versions[versions.count - 1] }
    /// The oldest that is known.
    public var first: VerifiedCharter { versions[0] }
    /// The alliance's identity.
    public var alliance: HashValue { first.alliance }
    /// Whether the next version is contested.
    public var isContested: Bool { !alternatives.isEmpty }

    /// The decided charter of a version.
    public func version(_ number: Int) -> VerifiedCharter? {
        let position = number - first.charter.version
        return versions.indices.contains(position) ? versions[position] : nil
    }

    /// Every charter that is known, decided or not, by version, then digest.
    public var all: [VerifiedCharter] { [first] + known.map(\.verified) }

    /// The charter with that digest, decided or not.
    public func charter(_ digest: HashValue) -> VerifiedCharter? { all.first { $0.digest == digest } }

    /// What became of a charter that was added.
    public enum Addition: Hashable, Sendable {
        /// It is valid and new.
        case added
        /// It is known; at most it brought signatures.
        case known
    }

    /// Adds a charter that came from anywhere.
    ///
    /// - Throws: ``CharterRefusal``; nothing changed then.
    @discardableResult
    public mutating func add(_ signed: SignedCharter) throws(CharterRefusal) -> Addition {
        if signed.digest == first.digest { return .known }
        let charter = signed.unverified
        guard charter.version > first.charter.version else {
            throw CharterRefusal(
                .rolledBack, "it is another version \(charter.version) than the one that is pinned here")
        }
        let parent = try parent(of: charter)
        var verified = try signed.verifySuccessor(of: parent)
        try checkHistory(charter, after: parent)
        let index = known.firstIndex { ($0.version, $0.digest) >= (charter.version, signed.digest) } ?? known.count
        let isKnown = known.indices.contains(index) && known[index].digest == signed.digest
        let all = isKnown ? [known[index].signed] : []
        // Where this one settles a contradiction, the version before its parent counts who signed.
        let before = parent.charter.previous.flatMap { self.charter($0) }.map { [$0.charter] } ?? []
        let gathered = signed.gathered(with: all, under: before + [parent.charter, charter])
        verified = VerifiedCharter(
            charter: charter, digest: signed.digest, alliance: parent.alliance, file: gathered.bytes)
        if isKnown {
            guard known[index].verified.file != gathered.bytes else { return .known }
            known[index].verified = verified
            known[index].signed = gathered
        } else {
            guard known.count(where: { $0.version == charter.version }) < Self.alternativeLimit else {
                throw CharterRefusal(
                    .tooMany, "\(Self.alternativeLimit) charters of version \(charter.version) are known already")
            }
            known.insert(Known(verified: verified, signed: gathered, parent: parent.digest), at: index)
        }
        decide()
        return isKnown ? .known : .added
    }

    private func parent(of charter: Charter) throws(CharterRefusal) -> VerifiedCharter {
        if let previous = charter.previous, let parent = self.charter(previous) { return parent }
        let newest = all.map(\.charter.version).max() ?? 1
        guard charter.version <= newest + 1 else {
            throw CharterRefusal(
                .skipped, "it is version \(charter.version); version \(newest + 1) is due before it")
        }
        let code: CharterRefusal.Code = charter.version <= current.charter.version ? .rolledBack : .otherPrevious
        throw CharterRefusal(
            code, "version \(charter.version) follows a version \(charter.version - 1) that is not known here")
    }

    /// What a charter must not do with regard to all before it: use an origin again, or cut before an earlier cut.
    private func checkHistory(_ charter: Charter, after parent: VerifiedCharter) throws(CharterRefusal) {
        var origins: [[UInt8]: VerifierKey] = [:]
        for ancestor in path(to: parent) {
            for member in ancestor.charter.members { origins[Array(member.log.name.utf8)] = member.log }
            for cut in charter.cuts {
                guard let before = ancestor.charter.cut(of: cut.origin), cut.size < before.size else { continue }
                throw CharterRefusal(
                    .rolledBack,
                    "\(cut.origin) is cut at \(cut.size), before the cut of version \(ancestor.charter.version) at "
                        + "\(before.size)")
            }
        }
        for cut in charter.cuts {
            guard let before = beginning(of: cut.origin, upTo: parent), cut.size < before else { continue }
            throw CharterRefusal(
                .rolledBack,
                "\(cut.origin) is cut at \(cut.size), and it begins with the \(before) entries of the log before")
        }
        for member in charter.members {
            guard let key = origins[Array(member.log.name.utf8)], key != member.log else { continue }
            throw CharterRefusal(
                .selfContradicting, "\(member.name)'s log has the origin of an earlier log with another key")
        }
    }

    /// How many entries of the log before a log begins with; nil where its member had no other.
    private func beginning(of origin: String, upTo parent: VerifiedCharter) -> UInt64? {
        let path = path(to: parent)
        for (before, charter) in zip(path, path.dropFirst()) {
            guard let member = charter.charter.member(origin: origin), before.charter.member(origin: origin) == nil,
                let old = before.charter.member(id: member.id)
            else { continue }
            return charter.charter.cut(of: old.log.name)?.size
        }
        return nil
    }

    /// The charters from the first to this one.
    private func path(to last: VerifiedCharter) -> [VerifiedCharter] {
        var path = [last]
        var digest = last.charter.previous
        while let previous = digest, path[path.count - 1].digest != first.digest, let parent = charter(previous) {
            path.append(parent)
            digest = parent.charter.previous
        }
        return path.reversed()
    }

    // MARK: Deciding

    private mutating func decide() {
        #if DEBUG
        let before = versions.map(\.digest)
        #endif
        versions = [first]
        alternatives = []
        // Those that may follow; nil for all that do. After a contest only those that ended it may.
        var candidates: [Known]?
        while true {
            let parent = current
            let children = candidates ?? known.filter { $0.parent == parent.digest }
            candidates = nil
            if children.isEmpty { return }
            #if DEBUG
            if PlantedBug.decidesByArrival.isPlanted,
                let old = children.first(where: { before.contains($0.digest) })
            {
                versions.append(old.verified)
                continue
            }
            #endif
            if children.count == 1 {
                versions.append(children[0].verified)
                continue
            }
            guard let (winner, resolvers) = Self.resolve(children, after: parent, among: known) else {
                alternatives = children.map(\.verified)
                return
            }
            versions.append(winner.verified)
            candidates = resolvers
        }
    }

    /// The one of several successors that later charters name, signed by enough regulators that did not sign several.
    private static func resolve(
        _ children: [Known], after parent: VerifiedCharter, among known: [Known]
    ) -> (winner: Known, resolvers: [Known])? {
        var counts: [String: Int] = [:]
        for child in children {
            for member in child.signed.signers(under: parent.charter).complete { counts[member.id, default: 0] += 1 }
        }
        let resolvers = known.filter { one in
            guard children.contains(where: { $0.digest == one.parent }) else { return false }
            let signers = one.signed.signers(under: parent.charter)
            return signers.complete.count { counts[$0.id, default: 0] < 2 } >= parent.charter.threshold
        }
        guard let name = resolvers.first?.parent, resolvers.allSatisfy({ $0.parent == name }),
            let winner = children.first(where: { $0.digest == name })
        else { return nil }
        return (winner, resolvers)
    }
}

extension CharterChain: Hashable {
    public static func == (one: CharterChain, other: CharterChain) -> Bool {
        one.all == other.all && one.versions.map(\.digest) == other.versions.map(\.digest)
            && one.alternatives.map(\.digest) == other.alternatives.map(\.digest)
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(all.map(\.digest)) }
}

// MARK: - Pinning

extension CharterChain {
    /// A chain from files, one of which the caller pins by its digest: later versions follow the thresholds, earlier ones
    /// the digests backwards.
    ///
    /// - Parameters:
    ///   - files: in any order; version 1 is among them, for it names the alliance.
    ///   - pinned: the digest of the one that is trusted; nil for version 1, which then needs every regulator.
    /// - Throws: ``CharterRefusal``.
    public init(assembling files: [SignedCharter], pinned: HashValue? = nil) throws(CharterRefusal) {
        var files = files.sorted { ($0.unverified.version, $0.digest) < ($1.unverified.version, $1.digest) }
        guard let pinned else {
            guard let first = files.first, first.unverified.version == 1 else {
                throw CharterRefusal(.skipped, "version 1, from which trust starts, is missing")
            }
            do throws(AllianceError) { self.init(try first.verifyFirst()) } catch { throw CharterRefusal(error) }
            for file in files.dropFirst() { try add(file) }
            return
        }
        guard let trusted = files.first(where: { $0.digest == pinned }) else {
            throw CharterRefusal(.skipped, "the charter with the fingerprint that you trust is not among the files")
        }
        // Backwards, each is named by the one after it: no signature is needed.
        var path = [trusted]
        while let previous = path[path.count - 1].unverified.previous {
            guard let file = files.first(where: { $0.digest == previous }) else {
                let version = path[path.count - 1].unverified.version - 1
                throw CharterRefusal(.skipped, "version \(version), which version \(version + 1) names, is missing")
            }
            path.append(file)
        }
        path.reverse()
        path = path.indices.map { index in
            let before = path[max(0, index - 2)..<index].map(\.unverified)
            return index > 0 ? path[index].gathered(with: [], under: before + [path[index].unverified]) : path[0]
        }
        let alliance = path[0].digest
        let verified = path.map {
            VerifiedCharter(charter: $0.unverified, digest: $0.digest, alliance: alliance, file: $0.bytes)
        }
        self.init(verified[0])
        versions = verified
        known = zip(path, verified).dropFirst().map { signed, verified in
            Known(verified: verified, signed: signed, parent: verified.charter.previous ?? .zero)
        }
        files.removeAll { file in path.contains { $0.digest == file.digest } }
        // What stands beside the pinned path contradicts it and is passed over.
        for file in files where file.unverified.version > trusted.unverified.version { try add(file) }
    }
}

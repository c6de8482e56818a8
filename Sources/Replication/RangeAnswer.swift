internal import Alliance
public import TransparencyLog

/// Consecutive entries of a log, with what it takes to tie them to a head: the answer to a request for a range, and
/// what travels inline with a head.
///
/// Layout: `from` and `to` (uint64), the two proofs (each a uint32 count and 32-byte hashes), then the entries as a
/// byte string. All integers are big-endian. The entries are those at indices from ..< to, and `to` is the end of a
/// batch (a state leaf stands at to - 1), unless a single batch exceeds the limits of a range.
///
/// A value of this type has passed the limits, and holds exactly `to - from` entries; that they are true shows only
/// ``verifyRange(frontier:answer:leafHashes:head:)``.
public struct RangeAnswer: Hashable, Sendable {
    /// The first entry's index.
    public let from: UInt64
    /// The size that the entries lead to.
    public let to: UInt64
    /// Proves that the tree of size `from` begins the head's; it serves to tell a false answer from a false head, and
    /// may be empty.
    public let extensionProof: [HashValue]
    /// Proves that the tree of size `to` begins the head's; empty if it is the head's.
    public let remainderProof: [HashValue]
    /// The entries, in the encoding of a bundle (formats 3).
    public let entries: [UInt8]

    /// Puts an answer together, or takes one apart: checks every limit.
    /// - Throws: ``Rejection`` with reason `malformedRange`, `malformedEntry` or `oversizedRange`.
    public init(
        from: UInt64, to: UInt64, extensionProof: [HashValue] = [], remainderProof: [HashValue] = [], entries: [UInt8]
    ) throws(Rejection) {
        guard from < to, to <= Checkpoint.maximumSize else { throw Rejection(.malformedRange, "a range is empty") }
        guard to - from <= UInt64(WireLimits.rangeEntries), entries.count <= WireLimits.rangeBytes else {
            throw Rejection(.oversizedRange, "\(to - from) entries in \(entries.count) bytes are too much for a range")
        }
        guard max(extensionProof.count, remainderProof.count) <= WireLimits.proofHashes else {
            throw Rejection(.oversizedRange, "a proof has more than \(WireLimits.proofHashes) hashes")
        }
        guard let found = try? EntryBundle.ranges(in: entries, limit: WireLimits.rangeEntries).count else {
            throw Rejection(.malformedEntry, "the entries are no bundle, or one is longer than it may be")
        }
        guard UInt64(found) == to - from else {
            throw Rejection(.malformedRange, "\(found) entries instead of \(to - from)")
        }
        self.from = from
        self.to = to
        self.extensionProof = extensionProof
        self.remainderProof = remainderProof
        self.entries = entries
    }

    /// The answer as it is sent.
    public var encoded: [UInt8] {
        var writer = FieldWriter(reserving: entries.count + 8192)
        writer.write(from)
        writer.write(to)
        writer.write(extensionProof)
        writer.write(remainderProof)
        writer.write(entries)
        return writer.bytes
    }

    /// The most bytes that an encoded answer has: where a reader stops.
    public static let maximumEncodedBytes = 16 + 2 * (4 + 32 * WireLimits.proofHashes) + 4 + WireLimits.rangeBytes

    /// Reads an answer.
    /// - Throws: ``Rejection`` as ``init(from:to:extensionProof:remainderProof:entries:)``, and `malformedRange` for
    ///   bytes that follow no layout.
    public init(decoding bytes: [UInt8]) throws(Rejection) {
        guard bytes.count <= Self.maximumEncodedBytes else {
            throw Rejection(.oversizedRange, "an answer has more than \(Self.maximumEncodedBytes) bytes")
        }
        var reader = FieldReader(bytes)
        do throws(Rejection) {
            let (from, to) = (try reader.uint64(), try reader.uint64())
            let extensionProof = try reader.hashes(limit: WireLimits.proofHashes)
            let remainderProof = try reader.hashes(limit: WireLimits.proofHashes)
            let entries = try reader.byteString(limit: WireLimits.rangeBytes)
            try reader.finish()
            try self.init(
                from: from, to: to, extensionProof: extensionProof, remainderProof: remainderProof, entries: entries)
        } catch {
            switch error.reason {
            case .malformedFrame: throw Rejection(.malformedRange, error.detail)
            case .oversizedFrame: throw Rejection(.oversizedRange, error.detail)
            default: throw error
            }
        }
    }
}

/// Ties entries to a signed head, from the edge of a tree that is held to the tree that they lead to.
///
/// The root at `to` is computed from the edge and the leaf hashes; it has to be the head's root, or the remainder
/// proof has to lead from it to the head. Then the entries are exactly those that the head commits to, and our
/// tree is a prefix of it, whatever else the peer claims.
/// - Parameters:
///   - frontier: The edge of the tree that is held; of size `answer.from`.
///   - answer: The answer.
///   - leafHashes: The hashes of the answer's entries, in order; the shell computes them on all cores.
///   - head: The head whose signature has been verified.
/// - Returns: The edge at `answer.to`.
/// - Throws: ``Rejection`` with reason `malformedRange` if the answer does not fit the edge or the head;
///   `wrongRoot` if the entries are not the head's, although it extends our tree; `cannotExtend` if nothing shows
///   that it does.
public func verifyRange(
    frontier: TreeFrontier, answer: RangeAnswer, leafHashes: [HashValue], head: Checkpoint
) throws(Rejection) -> TreeFrontier {
    guard answer.from == frontier.size, answer.to <= head.size,
        UInt64(leafHashes.count) == answer.to - answer.from
    else { throw Rejection(.malformedRange, origin: head.origin, "a range that does not fit") }
    var extended = frontier
    for hash in leafHashes { extended.append(hash) }
    #if DEBUG
    if PlantedBug.uncheckedRanges.isPlanted { return extended }
    #endif
    if MerkleTree.verifyConsistency(
        from: answer.to, root: extended.root, to: head.size, root: head.root, proof: answer.remainderProof)
    {
        return extended
    }
    // From here on it is only about whom to blame.
    let extends = MerkleTree.verifyConsistency(
        from: frontier.size, root: frontier.root, to: head.size, root: head.root, proof: answer.extensionProof)
    if extends {
        throw Rejection(.wrongRoot, origin: head.origin, "the entries are not those under the head")
    }
    throw Rejection(.cannotExtend, origin: head.origin, "nothing shows that the head extends what we hold")
}

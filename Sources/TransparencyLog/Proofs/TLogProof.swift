/// A proof that one entry is in a log, with the checkpoint that it is proven against (section 6, C2SP tlog-proof).
///
/// Layout, each line ended by a newline:
///
///     c2sp.org/tlog-proof@v1
///     extra <base64>                 (optional, not authenticated)
///     index <decimal>
///     <base64 of a hash>             (one line for each sibling, from the leaf's to the root's child)
///                                    (an empty line)
///     <checkpoint note>
///
/// As parsed nothing of it is verified; ``verify(leaf:policy:)`` does that.
public struct TLogProof: Hashable, Sendable {
    /// The most sibling hashes: a tree of fewer than 2^63 leaves has no longer path.
    public static let maximumHashCount = 63
    /// The most bytes of the extra data.
    public static let maximumExtraByteCount = 1 << 20
    /// The most bytes of a proof file.
    public static let maximumByteCount = 4 << 20

    /// The entry's position in the log.
    public let index: UInt64
    /// The siblings, from the leaf's to the root's child.
    public let hashes: [HashValue]
    /// The checkpoint with its signatures.
    public let note: SignedNote
    /// The note's text, parsed.
    public let checkpoint: Checkpoint
    /// Unauthenticated data for an application, nil if there is none (it is never empty).
    public let extra: [UInt8]?

    /// Puts a proof together, without verifying it.
    /// - Throws: ``TransparencyLogError/Code/invalidProof`` for more than ``maximumHashCount`` hashes, an index above
    ///   2^63 - 2 or extra data that is empty or too long; ``TransparencyLogError/Code/invalidCheckpoint`` if the
    ///   note's text is none.
    public init(index: UInt64, hashes: [HashValue], note: SignedNote, extra: [UInt8]? = nil) throws {
        guard hashes.count <= Self.maximumHashCount else {
            throw TransparencyLogError(.invalidProof, "more than \(Self.maximumHashCount) hashes")
        }
        guard index < MerkleTree.maximumSize else {
            throw TransparencyLogError(.invalidProof, "an index is beyond every tree")
        }
        guard (1...Self.maximumExtraByteCount).contains(extra?.count ?? 1) else {
            throw TransparencyLogError(.invalidProof, "extra data is empty or too long")
        }
        checkpoint = try Checkpoint(parsing: note.text)
        self.index = index
        self.hashes = hashes
        self.note = note
        self.extra = extra
    }

    /// Parses a proof file.
    /// - Throws: ``TransparencyLogError/Code/invalidProof`` for anything but the one encoding of a proof, and what
    ///   ``SignedNote/init(parsing:)-([UInt8])`` and ``Checkpoint/init(parsing:)`` throw for its checkpoint.
    public init(parsing bytes: [UInt8]) throws {
        guard bytes.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.limitExceeded, "a proof has more than \(Self.maximumByteCount) bytes")
        }
        var lines = LineReader(bytes)
        guard let header = lines.next(), header.elementsEqual("c2sp.org/tlog-proof@v1".utf8) else {
            throw TransparencyLogError(.invalidProof, "no tlog-proof of version 1")
        }
        var line = lines.next()
        var extra: [UInt8]?
        if let value = line?.dropping(prefix: "extra ") {
            guard let bytes = Base64.decode(value), !bytes.isEmpty else {
                throw TransparencyLogError(.invalidProof, "extra data is not canonical base64", at: lines.place)
            }
            extra = bytes
            line = lines.next()
        }
        guard let index = line?.dropping(prefix: "index ").flatMap({ Decimal64.parse($0) }) else {
            throw TransparencyLogError(.invalidProof, "no index, or no plain decimal", at: lines.place)
        }
        let hashes = try Self.hashes(&lines, limit: Self.maximumHashCount, orThrow: .invalidProof)
        try self.init(index: index, hashes: hashes, note: SignedNote(parsing: lines.rest), extra: extra)
    }

    /// Reads lines of one hash each, up to an empty line.
    static func hashes(
        _ lines: inout LineReader,
        limit: Int,
        orThrow code: TransparencyLogError.Code
    ) throws -> [HashValue] {
        var hashes: [HashValue] = []
        while let line = lines.next() {
            if line.isEmpty { return hashes }
            guard hashes.count < limit else {
                throw TransparencyLogError(code, "more than \(limit) hashes", at: lines.place)
            }
            guard let hash = HashValue(base64Bytes: line) else {
                throw TransparencyLogError(code, "a hash is not base64 of 32 bytes", at: lines.place)
            }
            hashes.append(hash)
        }
        throw TransparencyLogError(code, "no empty line after the hashes", at: lines.place)
    }

    /// The file: exactly the bytes that it was parsed from.
    public var bytes: [UInt8] {
        var text = "c2sp.org/tlog-proof@v1\n"
        if let extra { text += "extra \(Base64.encode(extra))\n" }
        text += "index \(index)\n"
        for hash in hashes { text += hash.base64 + "\n" }
        return Array(text.utf8) + [UInt8(ascii: "\n")] + note.bytes
    }
}

// MARK: - Verification

extension TLogProof {
    /// Whether the hashes lead from the leaf to the checkpoint's root; says nothing about who signed that.
    public func provesInclusion(of leaf: HashValue) -> Bool {
        MerkleTree.verifyInclusion(
            leaf: leaf,
            index: index,
            size: checkpoint.size,
            proof: hashes,
            root: checkpoint.root
        )
    }

    /// Verifies everything: signatures, quorum, inclusion.
    /// - Parameter leaf: The entry's hash, ``MerkleTree/leafHash(_:)-([UInt8])``.
    /// - Returns: Who signed and cosigned, and when.
    /// - Throws: What ``TLogPolicy/verify(_:)`` throws; ``TransparencyLogError/Code/proofFailed`` if the entry is not
    ///   shown to be in the tree.
    public func verify(leaf: HashValue, policy: TLogPolicy) throws -> TLogPolicy.Evaluation {
        let evaluation = try policy.verify(note)
        guard provesInclusion(of: leaf) else {
            throw TransparencyLogError(.proofFailed, "the entry is not in the tree", at: "index \(index)")
        }
        return evaluation
    }

    /// Verifies signatures and inclusion, with keys of which any one suffices; for quorums, take a policy.
    /// - Parameter leaf: The entry's hash, ``MerkleTree/leafHash(_:)-([UInt8])``.
    /// - Throws: What ``SignedNote/verify(_:)`` throws; ``TransparencyLogError/Code/proofFailed``.
    public func verify(leaf: HashValue, keys: [VerifierKey]) throws -> VerifiedNote {
        let verified = try note.verify(keys)
        guard provesInclusion(of: leaf) else {
            throw TransparencyLogError(.proofFailed, "the entry is not in the tree", at: "index \(index)")
        }
        return verified
    }
}

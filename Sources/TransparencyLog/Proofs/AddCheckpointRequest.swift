/// The body of a witness's `add-checkpoint` (section 5, C2SP tlog-witness).
///
/// Layout: `old <decimal>\n`, 0 to 63 lines of a base64 hash each (the consistency proof), an empty line, the
/// checkpoint note.
public struct AddCheckpointRequest: Hashable, Sendable {
    /// The most hashes of the proof.
    public static let maximumHashCount = 63
    /// The most bytes of a body.
    public static let maximumByteCount = SignedNote.maximumByteCount + 4_096

    /// The size that the sender believes to be the last cosigned; 0 for none.
    public let oldSize: UInt64
    /// The consistency proof from that size.
    public let proof: [HashValue]
    /// The checkpoint with its signatures, not verified.
    public let note: SignedNote
    /// The note's text, parsed.
    public let checkpoint: Checkpoint

    /// Puts a request together.
    /// - Throws: ``TransparencyLogError/Code/invalidRequest`` if the old size is above the checkpoint's or there are
    ///   too many hashes; ``TransparencyLogError/Code/invalidCheckpoint`` if the note's text is none.
    public init(oldSize: UInt64, proof: [HashValue], note: SignedNote) throws {
        checkpoint = try Checkpoint(parsing: note.text)
        guard oldSize <= checkpoint.size else {
            throw TransparencyLogError(.invalidRequest, "the old size is above the checkpoint's")
        }
        guard proof.count <= Self.maximumHashCount else {
            throw TransparencyLogError(.invalidRequest, "more than \(Self.maximumHashCount) hashes")
        }
        self.oldSize = oldSize
        self.proof = proof
        self.note = note
    }

    /// Parses a body.
    /// - Throws: ``TransparencyLogError/Code/invalidRequest`` for anything but the one encoding of a request, and what
    ///   ``SignedNote/init(parsing:)-([UInt8])`` and ``Checkpoint/init(parsing:)`` throw; all are the answer 400.
    public init(parsing bytes: [UInt8]) throws {
        guard bytes.count <= Self.maximumByteCount else {
            throw TransparencyLogError(.limitExceeded, "a request has more than \(Self.maximumByteCount) bytes")
        }
        var lines = LineReader(bytes)
        guard let old = lines.next()?.dropping(prefix: "old ").flatMap({ Decimal64.parse($0) }) else {
            throw TransparencyLogError(.invalidRequest, "no old size, or no plain decimal")
        }
        let proof = try TLogProof.hashes(&lines, limit: Self.maximumHashCount, orThrow: .invalidRequest)
        try self.init(oldSize: old, proof: proof, note: SignedNote(parsing: lines.rest))
    }

    /// The body: exactly the bytes that it was parsed from.
    public var bytes: [UInt8] {
        var text = "old \(oldSize)\n"
        for hash in proof { text += hash.base64 + "\n" }
        return Array(text.utf8) + [UInt8(ascii: "\n")] + note.bytes
    }

    /// What is wrong with the tree that a request offers.
    public enum Objection: Hashable, Sendable {
        /// The answer 409: the old size is not the last one cosigned, which is this.
        case conflict(lastSize: UInt64)
        /// The answer 422: a wrong empty root, a superfluous or failing proof, or another root of the same size.
        case inconsistent
    }

    /// Checks the tree against what was cosigned last; signatures are not looked at.
    ///
    /// The caller has to do this and make the new size durable in one atomic step, before it answers.
    /// - Parameter last: The last cosigned size and root of this origin, nil if there is none.
    /// - Returns: nil if the checkpoint may be cosigned.
    public func objection(last: (size: UInt64, root: HashValue)?) -> Objection? {
        let lastSize = last?.size ?? 0
        guard oldSize == lastSize else { return .conflict(lastSize: lastSize) }
        let isConsistent = MerkleTree.verifyConsistency(
            from: lastSize,
            root: last?.root ?? MerkleTree.emptyRoot,
            to: checkpoint.size,
            root: checkpoint.root,
            proof: proof
        )
        return isConsistent ? nil : .inconsistent
    }
}

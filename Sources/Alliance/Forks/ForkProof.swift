public import TransparencyLog

/// That a log signed two heads of which at most one can be true (formats, section 11): anybody who has the log's key can
/// check it, whoever handed it over.
///
/// The file is JSON in the one encoding of a proof file:
///
///     {
///       "entente-fork": 1,
///       "smaller": "<the note of the smaller head, with the log's signature alone>",
///       "larger": "<the note of the larger head>",
///       "root": "<the root of the larger head's tree at the smaller size, base64url>",
///       "proof": [ "<the consistency proof from there to the larger head, base64url>" ]
///     }
///
/// `root` and `proof` are missing where both heads have one size; of those the note that is less by bytes comes first.
public struct ForkProof: Hashable, Sendable {
    /// The log.
    public let origin: String
    /// The heads, as the log's key signed them.
    public let smaller: SignedNote
    public let larger: SignedNote
    /// The heads' sizes.
    public let sizes: (smaller: UInt64, larger: UInt64)
    /// Why the smaller is not what the larger begins with; nil where they have one size.
    public let branch: Branch?
    /// The file.
    public let bytes: [UInt8]

    /// What the larger head's tree begins with instead.
    public struct Branch: Hashable, Sendable {
        /// Its root at the smaller head's size.
        public let root: HashValue
        /// The proof that this leads to the larger head.
        public let proof: [HashValue]

        public init(root: HashValue, proof: [HashValue]) {
            self.root = root
            self.proof = proof
        }
    }

    /// Bytes of a fork proof.
    public static let byteLimit = 16 << 10
    /// The version of the format.
    public static let version: Int64 = 1

    public static func == (one: ForkProof, other: ForkProof) -> Bool { one.bytes == other.bytes }
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}

// MARK: - Making and reading

extension ForkProof {
    /// Makes a proof of two heads of one log, and checks it.
    ///
    /// - Parameters:
    ///   - one, other: notes of the two heads; of their signatures only the log's are kept.
    ///   - branch: what the larger one's tree begins with; nil where they have one size.
    ///   - key: the log's key.
    /// - Throws: ``AllianceError`` where this proves nothing.
    public init(of one: SignedNote, _ other: SignedNote, branch: Branch?, key: VerifierKey) throws(AllianceError) {
        var notes = [try Self.bare(one, key), try Self.bare(other, key)]
        if Self.isOrdered(notes[1], notes[0]) { notes.swapAt(0, 1) }
        try self.init(parsing: Self.encode(notes[0].note, notes[1].note, branch))
        try verify(by: key)
    }

    /// The note with the log's signature alone.
    private static func bare(
        _ note: SignedNote, _ key: VerifierKey
    ) throws(AllianceError) -> (note: SignedNote, head: Checkpoint) {
        guard let line = note.signatures.first(where: { $0.isAttributed(to: key) }),
            let bare = try? SignedNote(text: note.text, signatures: [line]),
            let head = try? Checkpoint(parsing: note.text)
        else { throw AllianceError(.badSignature, "a head has no signature by \(key.name)") }
        return (bare, head)
    }

    /// Whether two heads stand in their order: by size, then by bytes.
    private static func isOrdered(
        _ one: (note: SignedNote, head: Checkpoint), _ other: (note: SignedNote, head: Checkpoint)
    ) -> Bool {
        one.head.size != other.head.size
            ? one.head.size < other.head.size : one.note.bytes.lexicographicallyPrecedes(other.note.bytes)
    }

    /// Reads a fork proof strictly; verifies nothing.
    ///
    /// - Throws: ``AllianceError``: `limit` for more than ``byteLimit`` bytes, else `malformed` or `invalidField`.
    public init(parsing bytes: [UInt8]) throws(AllianceError) {
        guard bytes.count <= Self.byteLimit else {
            throw AllianceError(.limit, "a fork proof has at most \(Self.byteLimit) bytes, this has \(bytes.count)")
        }
        let tape: JSONTape
        do { tape = try JSONTape(bytes) } catch { throw AllianceError(.malformed, "\(error)") }
        var reader = try JSONReader(tape.root, at: "")
        guard try reader.required("entente-fork").integer == Self.version else {
            throw AllianceError(
                .invalidField, "must be \(Self.version): another version of the format", at: "entente-fork")
        }
        let smaller = try Self.note("smaller", &reader)
        let larger = try Self.note("larger", &reader)
        (self.smaller, self.larger) = (smaller.note, larger.note)
        guard smaller.head.origin.utf8.elementsEqual(larger.head.origin.utf8) else {
            throw AllianceError(.invalidField, "must be of the same log as the smaller head", at: "larger")
        }
        guard Self.isOrdered(smaller, larger) else {
            throw AllianceError(.invalidField, "must be the larger head", at: "larger")
        }
        origin = smaller.head.origin
        sizes = (smaller.head.size, larger.head.size)
        if smaller.head.size < larger.head.size {
            let root = try reader.digest("root")
            var proof: [HashValue] = []
            for view in try reader.array("proof", most: 64) {
                guard let text = view.string, let hash = HashValue(base64url: text) else {
                    throw AllianceError(.invalidField, "must be a list of hashes", at: "proof")
                }
                proof.append(hash)
            }
            branch = Branch(root: root, proof: proof)
        } else {
            branch = nil
        }
        self.bytes = bytes
        try reader.finish()
        guard Self.encode(self.smaller, self.larger, branch) == bytes else {
            throw AllianceError(.malformed, "is not written as fork proofs are: its order, spaces or escapes differ")
        }
    }

    private static func note(
        _ name: StaticString, _ reader: inout JSONReader
    ) throws(AllianceError) -> (note: SignedNote, head: Checkpoint) {
        let text = Array(try reader.string(name, most: byteLimit).utf8)
        let note: SignedNote
        let head: Checkpoint
        do {
            note = try SignedNote(parsing: text)
            head = try Checkpoint(parsing: note.text)
        } catch { throw AllianceError(.malformed, "\(error)", at: "\(name)") }
        guard note.signatures.count == 1, head.extensions.isEmpty, head.size > 0 else {
            throw AllianceError(
                .invalidField, "must be a head of a log that is not empty, with one signature", at: "\(name)")
        }
        return (note, head)
    }

    private static func encode(_ smaller: SignedNote, _ larger: SignedNote, _ branch: Branch?) -> [UInt8] {
        var object: JSONObject = [
            "entente-fork": .integer(version), "smaller": .string(String(decoding: smaller.bytes, as: UTF8.self)),
            "larger": .string(String(decoding: larger.bytes, as: UTF8.self)),
        ]
        if let branch {
            object["root"] = .string(branch.root.base64url)
            object["proof"] = .array(branch.proof.map { .string($0.base64url) })
        }
        return JSONValue.object(object).encodedForReading()
    }
}

// MARK: - Verifying

extension ForkProof {
    /// Checks that the log's key signed both heads and that not both can be true.
    ///
    /// - Throws: ``AllianceError`` that says what is not so.
    public func verify(by key: VerifierKey) throws(AllianceError) {
        guard key.name.utf8.elementsEqual(origin.utf8) else {
            throw AllianceError(.badSignature, "it is of \(origin), not of \(key.name)")
        }
        for (name, note) in [("smaller", smaller), ("larger", larger)] where (try? note.verify([key])) == nil {
            throw AllianceError(.badSignature, "the key of \(origin) did not sign it", at: name)
        }
        guard let small = try? Checkpoint(parsing: smaller.text), let large = try? Checkpoint(parsing: larger.text)
        else {
            throw AllianceError(.malformed, "a head is no checkpoint")
        }
        guard let branch else {
            guard small.root != large.root else {
                throw AllianceError(.invalidField, "both heads have one root: they do not contradict each other")
            }
            return
        }
        guard branch.root != small.root else {
            throw AllianceError(.invalidField, "the larger head begins with the smaller one", at: "root")
        }
        guard
            MerkleTree.verifyConsistency(
                from: small.size, root: branch.root, to: large.size, root: large.root, proof: branch.proof)
        else { throw AllianceError(.invalidField, "does not lead from that root to the larger head", at: "proof") }
    }

    /// Whether this one is kept rather than another of the same log: the smaller head is less, or else the bytes are.
    public func isKept(ratherThan other: ForkProof) -> Bool {
        sizes.smaller != other.sizes.smaller
            ? sizes.smaller < other.sizes.smaller : bytes.lexicographicallyPrecedes(other.bytes)
    }
}

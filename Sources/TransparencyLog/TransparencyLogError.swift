/// Why something of a transparency log was refused: a code to act on, a reason to read, and where it was found.
///
/// Errors are compared by ``code``: the reason and the place are for people and may change between versions.
public struct TransparencyLogError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of a refusal.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's stable name, as it may be used in counters and records.
        public let description: String

        private init(_ name: String) {
            self.description = name
        }

        /// A key's name, encoding, type or length is not acceptable.
        public static let invalidKey = Code("invalidKey")
        /// The key is well formed, but its algorithm cannot be used here.
        public static let unsupportedKey = Code("unsupportedKey")
        /// Two different trusted keys share a name and a key ID.
        public static let ambiguousKey = Code("ambiguousKey")
        /// The bytes are no signed note (section 1 of the formats).
        public static let invalidNote = Code("invalidNote")
        /// A signature line is malformed.
        public static let invalidSignatureLine = Code("invalidSignatureLine")
        /// A trusted key's signature does not verify.
        public static let invalidSignature = Code("invalidSignature")
        /// No trusted key signed.
        public static let noTrustedSignature = Code("noTrustedSignature")
        /// The text is no checkpoint (section 2).
        public static let invalidCheckpoint = Code("invalidCheckpoint")
        /// A cosignature's length or time is not acceptable (section 4).
        public static let invalidCosignature = Code("invalidCosignature")
        /// An `add-checkpoint` request is malformed (section 5).
        public static let invalidRequest = Code("invalidRequest")
        /// A tree's size or hashes contradict each other (section 3).
        public static let invalidTree = Code("invalidTree")
        /// A position lies outside of the tree.
        public static let outOfRange = Code("outOfRange")
        /// A store returned something else than what was asked for.
        public static let wrongRead = Code("wrongRead")
        /// The text is no tile path.
        public static let invalidTilePath = Code("invalidTilePath")
        /// A tile's bytes do not fit its path.
        public static let invalidTile = Code("invalidTile")
        /// The bytes are no bundle of entries.
        public static let invalidEntryBundle = Code("invalidEntryBundle")
        /// The bytes are no proof (section 6, or section 7 for maps).
        public static let invalidProof = Code("invalidProof")
        /// A well-formed proof does not prove what it should.
        public static let proofFailed = Code("proofFailed")
        /// The bytes are no policy.
        public static let invalidPolicy = Code("invalidPolicy")
        /// The checkpoint is genuine, but its quorum is not reached.
        public static let quorumNotReached = Code("quorumNotReached")
        /// A register map's page, or the list of its pages, is damaged.
        public static let invalidPage = Code("invalidPage")
        /// A register map has another row than its store.
        public static let otherRow = Code("otherRow")
        /// A named limit is exceeded.
        public static let limitExceeded = Code("limitExceeded")
    }

    /// What kind of refusal it is; the only part that equality looks at.
    public let code: Code
    /// What is wrong, for people.
    public let reason: String
    /// Where it is wrong ("line 3", a path, an index), where that is known.
    public let place: String?

    /// Creates an error.
    public init(_ code: Code, _ reason: String, at place: String? = nil) {
        self.code = code
        self.reason = reason
        self.place = place
    }

    /// Equal when the codes are.
    public static func == (left: Self, right: Self) -> Bool {
        left.code == right.code
    }

    /// Hashes the code alone, as equality demands.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
    }

    /// `code: reason (place)`.
    public var description: String {
        "\(code): \(reason)" + (place.map { " (\($0))" } ?? "")
    }
}

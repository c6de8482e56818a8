/// The limit of every frame and of every field in it. Bytes, unless it says "most".
///
/// They are part of the protocol: a peer that exceeds one is refused, whatever its settings say.
public enum WireLimits {
    /// A frame's type byte and fields, after its length.
    public static let frameBytes = 1024 * 1024
    /// A note: a checkpoint with its signatures.
    public static let noteBytes = 32 * 1024
    /// The entries that come inline with a head, each with its two bytes of length.
    public static let inlineBytes = 512 * 1024
    /// The notes of one page of heads.
    public static let headsBytes = 512 * 1024
    /// Most notes in one page of heads, and most heads in one summary.
    public static let headsCount = 1024
    /// Most signature lines in one message.
    public static let signatureLines = 128
    /// One signature line.
    public static let signatureLineBytes = 4 * 1024
    /// All signature lines of one message.
    public static let signaturesBytes = 64 * 1024
    /// A log's origin.
    public static let originBytes = 256
    /// A member's id.
    public static let memberBytes = 256
    /// A node's name.
    public static let nodeNameBytes = 128
    /// An incarnation (formats 12); empty until a node has one.
    public static let incarnationBytes = 16
    /// The note of an incarnation, and a receipt of it.
    public static let incarnationNoteBytes = 2 * 1024
    /// Most receipts in one message.
    public static let incarnationReceipts = 64
    /// Most members that a node says it is connected to.
    public static let neighbours = 1024
    /// A fork proof.
    public static let forkProofBytes = 16 * 1024
    /// A charter.
    public static let charterBytes = 512 * 1024
    /// The text of a refusal.
    public static let refusalBytes = 256
    /// Most entries of one range: a batch has at most as many (formats 7).
    public static let rangeEntries = 16_384
    /// The entries of one range, each with its two bytes of length. A batch that has more is cut into several ranges.
    public static let rangeBytes = 16 * 1024 * 1024
    /// One entry (formats 3).
    public static let entryBytes = 65_535
    /// Most hashes of a consistency proof.
    public static let proofHashes = 64
}

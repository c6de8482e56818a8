public import TransparencyLog

/// Entries of a log as a peer sent them, not yet verified.
public struct FetchedRange: Sendable {
    public let from: UInt64
    public let entries: [[UInt8]]
    /// The consistency proof from the tree that the entries lead to, to the head that was asked for.
    public let remainderProof: [HashValue]

    /// Takes what a peer sent.
    public init(from: UInt64, entries: [[UInt8]], remainderProof: [HashValue]) {
        self.from = from
        self.entries = entries
        self.remainderProof = remainderProof
    }
}

/// Why a peer did not give what was asked for; a line for people.
public struct RepairFailure: Error, Hashable, Sendable {
    public let reason: String

    /// Creates a failure.
    public init(_ reason: String) { self.reason = reason }
}

/// Where a repair takes what cannot be derived: other members' nodes, none of which is trusted.
public protocol RepairSource: Sendable {
    /// The members that can be asked, in the order to ask them.
    var members: [String] { get }
    /// Entries from an index on, with the proof to a head.
    func range(
        of origin: String, from: UInt64, headSize: UInt64, headRoot: HashValue, at member: String
    ) async -> Result<FetchedRange, RepairFailure>
    /// The note of the newest checkpoint that the member holds of a log.
    func checkpoint(of origin: String, at member: String) async -> Result<[UInt8], RepairFailure>
    /// Fetches a document into the folder, which checks its digest.
    func document(
        _ digest: HashValue, size: Int64, into folder: DocumentFolder, from member: String
    ) async -> Result<Void, RepairFailure>
}

/// What a repair did, and what is left.
public struct RepairReport: Sendable {
    /// What was found before.
    public internal(set) var before: AuditReport
    /// What was done; a line each, for people.
    public internal(set) var actions: [String] = []
    /// What could not be done, and why.
    public internal(set) var failures: [String] = []
    /// What is still found afterwards.
    public internal(set) var after: AuditReport

    /// Lines of either kind that are kept.
    static let lineLimit = 1_000

    mutating func did(_ line: String) { if actions.count < Self.lineLimit { actions.append(line) } }
    mutating func failed(_ line: String) { if failures.count < Self.lineLimit { failures.append(line) } }
}

public import Alliance
public import TransparencyLog

/// One record of what a node did and refused: a line of JSON (RFC 8259) in an append-only file.
///
///     {"sequence":17,"time":"2026-11-21T10:00:00Z","kind":"published","text":"…","details":{…},"previous":"<base64url>"}
///
/// `previous` is the SHA-256 of the line before, without its end, so that nobody can take a record out or change one
/// without changing all that follow: whoever noted the newest line's digest elsewhere sees that.
public struct AuditRecord: Sendable, Hashable {
    /// What happened.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The node started, or was told to stop.
        case started, stopped
        /// A submission counts in this member's log, or was refused.
        case published, refused
        /// This member's roster changed.
        case roster
        /// A charter version was taken up, or refused.
        case charterAdopted = "charter-adopted"
        case charterRefused = "charter-refused"
        /// The node's certificate was changed, or a new one could not be taken up.
        case certificate
        /// A connection was turned away before its first byte.
        case turnedAway = "turned-away"
        /// A peer sent something false.
        case rejected
        /// A log signed two heads that cannot both be true.
        case contradiction
        /// A folder that was restored is complete.
        case restored
        /// The operator went on without a member's word.
        case waived
        /// Another copy of this node was started; this one was replaced by it.
        case twin, superseded
        /// A log is proven to be forked.
        case fork
        /// A member is held back: its log grows faster than a limit allows, or it sends more than a peer may.
        case quota
        /// The file did not end with whole records, as after a power failure: what stands before this one is passed over.
        case recovered
        /// Records could not be written, as on a full disk.
        case lost
    }

    /// From 1, without gaps.
    public let sequence: UInt64
    /// Seconds since 1970, by the node's clock.
    public let time: Int64
    public let kind: Kind
    /// A sentence for people.
    public let text: String
    public let details: JSONObject
    /// SHA-256 of the line before; all zero in the first.
    public let previous: HashValue

    /// Bytes of one line.
    public static let byteLimit = 16 << 10

    /// The line without its end.
    public var line: [UInt8] {
        let object: JSONObject = [
            "sequence": .integer(Int64(sequence)), "time": .string(Timestamp(seconds: time).text),
            "kind": .string(kind.rawValue), "text": .string(text), "details": .object(details),
            "previous": .string(previous.base64url),
        ]
        return JSONValue.object(object).encoded()
    }

    init(sequence: UInt64, time: Int64, kind: Kind, text: String, details: JSONObject, previous: HashValue) {
        self.sequence = sequence
        self.time = time
        self.kind = kind
        self.text = text
        self.details = details
        self.previous = previous
    }

    /// Reads a line without its end.
    ///
    /// - Parameter place: file and line, for errors.
    /// - Throws: ``SetupError`` with code `malformed`.
    public init(parsing line: [UInt8], place: String) throws(SetupError) {
        guard line.count <= Self.byteLimit else { throw SetupError(.limit, place, "is longer than any record") }
        var reader = try StrictObject(parsing: line, file: place)
        sequence = UInt64(try reader.integer("sequence", in: 1...JSONLimits.integer))
        guard let time = Timestamp(parsing: try reader.string("time", most: 64)) else {
            throw reader.error("time", "must be an RFC 3339 time")
        }
        self.time = time.seconds
        let word = try reader.string("kind", most: 32)
        guard let kind = Kind(rawValue: word) else { throw reader.error("kind", "\"\(word)\" is not known here") }
        self.kind = kind
        text = try reader.string("text", most: Self.byteLimit)
        guard let details = try reader.value("details").object else {
            throw reader.error("details", "must be an object")
        }
        self.details = details
        previous = try reader.digest("previous")
        try reader.finish()
    }
}

/// Reads an audit file's lines one after the other, and checks that each follows the one before.
public struct AuditChain: Sendable {
    /// Records that were read.
    public private(set) var count: UInt64 = 0
    /// What the next record's `previous` must be: the SHA-256 of the last whole line.
    public private(set) var digest = HashValue.zero
    private var next: UInt64?
    private var line = 0
    /// What is no record, from some line on: right only where the node found it so and the next record says how much it is.
    private var gap: Gap?

    private struct Gap {
        let error: SetupError
        var bytes: Int
        /// Whether its first line is nothing that a power failure leaves behind a whole line's end: then it has to be the
        /// last, or what the node noted.
        let isLast: Bool
        /// Whether records stand behind it.
        var isFollowed = false
    }

    public init() {}

    /// The record of the next line; nil for what a power failure left, which is passed over.
    ///
    /// - Throws: ``SetupError`` where a record was changed, taken out or put in.
    public mutating func read(_ bytes: [UInt8], file: String) throws(SetupError) -> AuditRecord? {
        line += 1
        let place = "\(file), line \(line)"
        let record: AuditRecord
        do throws(SetupError) {
            record = try AuditRecord(parsing: bytes, place: place)
        } catch {
            try passOver(bytes, isRecord: false, place)
            return nil
        }
        if let gap {
            guard record.kind == .recovered, record.details["bytes"]?.integer == Int64(gap.bytes),
                next == nil || (record.sequence == next && record.previous == digest)
            else {
                try passOver(bytes, isRecord: true, place)
                return nil
            }
            self.gap = nil
        }
        // The first line of a file that goes on from an older one is believed, as the oldest that is here.
        if let next {
            guard record.sequence == next, record.previous == digest else {
                throw SetupError(
                    .mismatch, place, "does not follow the line before: a record was changed, taken out or put in")
            }
        } else if record.sequence == 1, record.previous != .zero {
            throw SetupError(.mismatch, place, "is the first record and names one before it")
        }
        next = record.sequence + 1
        digest = HashValue.sha256(bytes)
        count += 1
        return record
    }

    private mutating func passOver(_ bytes: [UInt8], isRecord: Bool, _ place: String) throws(SetupError) {
        guard var known = gap else {
            let error = SetupError(.mismatch, place, "is no record, and none behind it says why")
            gap = Gap(error: error, bytes: bytes.count, isLast: !AuditTail.isTorn(bytes))
            return
        }
        guard !known.isLast else { throw known.error }
        known.bytes += 1 + bytes.count
        known.isFollowed = known.isFollowed || isRecord
        gap = known
        guard known.bytes <= AuditTail.window else { throw known.error }
    }

    /// To be called behind the last line.
    ///
    /// - Returns: whether the end is torn, as after a power failure: the next start of the node notes that.
    /// - Throws: ``SetupError`` where records stand behind something that is none.
    public func finish() throws(SetupError) -> Bool {
        guard let gap else { return false }
        guard !gap.isFollowed else { throw gap.error }
        return true
    }
}

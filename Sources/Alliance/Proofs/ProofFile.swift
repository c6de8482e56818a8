public import TransparencyLog

/// A proof file as read: it answers one question with no network, but nothing of it is verified (formats, section 10).
///
/// The file is JSON for people and programs: two spaces of indentation, members in the order in which they are listed
/// here. There is one encoding: what is accepted re-encodes to the same bytes.
///
///     {
///       "claim": "UNVERIFIED: Pakistan says of PK-0117 in vasp-licences: revoked since …",
///       "entente-proof": 1,
///       "question": { "alliance": …, "member": …, "register": …, "field": …, "key": …, "on": … },
///       "charter": { "version": 1, "digest": … },
///       "rosters": [ { "ordinal": 0, "index": 0, "jws": …, "proof": …, "next": { "index": …, "leaf": …, "proof": … } } ],
///       "statements": [ { "index": 17, "jws": …, "approvals": [ { "index": 18, "jws": … } ] } ],
///       "row": …,
///       "definition": { "builtIn": … } or { "descriptor": … } or { "published": { … }, "proof": … },
///       "state": "entente/state/v1\n…",
///       "log": "c2sp.org/tlog-proof@v1\n…",
///       "first": "<a note>"
///     }
///
/// Digests and map proofs are base64url. `field`, `on`, `approvals`, `row` (of a map without a line), `definition` (of
/// documents) and `first` may be missing. In `next`, `index` and `leaf` are missing where there is no next roster.
/// `statements` are newest first, and they are all that the row names.
public struct ProofFile: Hashable, Sendable {
    /// The answer in words, for people who open the file; it says itself that it is not verified.
    public let claim: String
    /// What it answers.
    public let question: ProofQuestion
    /// The charter under which the log is, as its state leaf names it.
    public let charterVersion: Int
    /// SHA-256 of that charter's payload.
    public let charterDigest: HashValue
    /// The rosters by which the statements are judged, newest first.
    public let rosters: [ProofRoster]
    /// All statements that the row names, newest first; empty where the answer is "not stated".
    public let statements: [ProofStatement]
    /// Proves the row, or its absence; nil where the state leaf has no line for the map.
    public let row: RegisterMapProof?
    /// The register's definition; nil for documents.
    public let definition: ProofDefinition?
    /// The log's last entry at the newest quorum.
    public let state: StateLeaf
    /// Proves the state leaf under the newest quorum's checkpoint.
    public let log: TLogProof
    /// The first quorum's checkpoint that covers the statement which speaks, where known.
    public let first: SignedNote?

    /// Bytes of a proof file.
    public static let byteLimit = 4 << 20
    /// The version of the format.
    public static let version: Int64 = 1
    /// Rosters of one proof: one for every statement, and those of approvals and the definition.
    public static let rosterLimit = Row.limit + 1
    /// Bytes of the claim.
    public static let claimLimit = 4_096
    static let claimMark = "UNVERIFIED: "

    init(
        claim: String, question: ProofQuestion, charterVersion: Int, charterDigest: HashValue, rosters: [ProofRoster],
        statements: [ProofStatement], row: RegisterMapProof?, definition: ProofDefinition?, state: StateLeaf,
        log: TLogProof, first: SignedNote?
    ) {
        self.claim = claim
        self.question = question
        self.charterVersion = charterVersion
        self.charterDigest = charterDigest
        self.rosters = rosters
        self.statements = statements
        self.row = row
        self.definition = definition
        self.state = state
        self.log = log
        self.first = first
    }

    /// The row that ``statements`` make up, by index; nil where there is none or where they are not in order.
    var rowBytes: [UInt8]? {
        guard !statements.isEmpty else { return nil }
        for (newer, older) in zip(statements, statements.dropFirst()) where newer.entry.index <= older.entry.index {
            return nil
        }
        return Row(inForce: statements.reversed().map(\.entry.item)).bytes
    }
}

// MARK: - Writing

extension ProofFile {
    /// The file's bytes.
    public func encoded() -> [UInt8] {
        var object: JSONObject = [
            "claim": .string(claim), "entente-proof": .integer(Self.version), "question": question.json,
            "charter": [
                "version": .integer(Int64(charterVersion)), "digest": .string(charterDigest.base64url),
            ],
            "rosters": .array(rosters.map(\.json)), "statements": .array(statements.map(\.json)),
        ]
        object["row"] = row?.json
        object["definition"] = definition?.json
        object["state"] = .string(String(decoding: state.bytes, as: UTF8.self))
        object["log"] = .string(String(decoding: log.bytes, as: UTF8.self))
        object["first"] = first.map { .string(String(decoding: $0.bytes, as: UTF8.self)) }
        return JSONValue.object(object).encodedForReading()
    }
}

// MARK: - Reading

extension ProofFile {
    /// Reads a proof file strictly; verifies nothing.
    ///
    /// - Throws: ``AllianceError``: `limit` for more than ``byteLimit`` bytes, else `malformed` or `invalidField` for
    ///   anything but the one encoding of a proof.
    public init(parsing bytes: [UInt8]) throws(AllianceError) {
        guard bytes.count <= Self.byteLimit else {
            throw AllianceError(.limit, "a proof file has at most \(Self.byteLimit) bytes, this has \(bytes.count)")
        }
        let tape: JSONTape
        do { tape = try JSONTape(bytes) } catch { throw AllianceError(.malformed, "\(error)") }
        var reader = try JSONReader(tape.root, at: "")
        guard try reader.required("entente-proof").integer == Self.version else {
            throw AllianceError(
                .invalidField, "must be \(Self.version): another version of the format", at: "entente-proof")
        }
        claim = try reader.string("claim", most: Self.claimLimit)
        guard claim.utf8.starts(with: Self.claimMark.utf8) else {
            throw AllianceError(.invalidField, "must begin with \(Self.claimMark)", at: "claim")
        }
        question = try ProofQuestion(try reader.required("question"), at: "question")
        var charter = try JSONReader(try reader.required("charter"), at: "charter")
        charterVersion = Int(try charter.integer("version", in: 1...1_000_000))
        charterDigest = try charter.digest("digest")
        try charter.finish()
        var rosters: [ProofRoster] = []
        for (position, view) in try reader.array("rosters", most: Self.rosterLimit).enumerated() {
            rosters.append(try ProofRoster(view, at: "rosters[\(position)]"))
        }
        self.rosters = rosters
        var statements: [ProofStatement] = []
        for (position, view) in try reader.array("statements", most: Row.limit).enumerated() {
            statements.append(try ProofStatement(view, at: "statements[\(position)]"))
        }
        self.statements = statements
        row = tape.root["row"] == nil ? nil : try RegisterMapProof(&reader, "row")
        if let view = reader.optional("definition") {
            definition = try ProofDefinition(view, at: "definition")
        } else {
            definition = nil
        }
        state = try StateLeaf(parsing: try Self.text("state", &reader))
        let log = try Self.text("log", &reader)
        do { self.log = try TLogProof(parsing: log) } catch { throw AllianceError(.malformed, "\(error)", at: "log") }
        guard self.log.extra == nil else { throw AllianceError(.invalidField, "must have no extra data", at: "log") }
        if tape.root["first"] != nil {
            let first = try Self.text("first", &reader)
            do { self.first = try SignedNote(parsing: first) } catch {
                throw AllianceError(.malformed, "\(error)", at: "first")
            }
        } else {
            first = nil
        }
        try reader.finish()
        guard encoded() == bytes else {
            throw AllianceError(.malformed, "is not written as proof files are: its order, spaces or escapes differ")
        }
    }

    private static func text(_ name: StaticString, _ reader: inout JSONReader) throws(AllianceError) -> [UInt8] {
        Array(try reader.string(name, most: byteLimit).utf8)
    }
}

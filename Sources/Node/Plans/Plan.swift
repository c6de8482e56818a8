public import Alliance
public import TransparencyLog

/// Changes that are to be published: exactly the bytes that officers sign, in the order in which they go into the log.
///
/// A plan is a file of one strict JSON object a line, so that a large one is read and written piece by piece. The first
/// line is the header, with `steps` lines behind it:
///
///     {"entente-plan":1,"alliance":…,"member":…,"title":…,"zone":…,"register":…,"made":…,"base":1840,"known":"sv:120",
///      "officers":[{"name":…,"key":…}],"twoOfficers":false,"summary":[…],"documents":[…],"steps":12}
///     {"kind":"attestation","payload":"<base64url>"}      before it is signed, or
///     {"entry":"<compact JWS>"}                           once it is
///
/// A plan of a new roster has that one step, which root keys sign, and in its header `roots`: how many have to, their
/// names and keys, and the roster that this one changes. With several, the entry is a JWS in general JSON form.
///
/// Approvals by a second officer are entries like the others; each stands behind the (at most 1,000) statements that it
/// approves, so that a large plan can be cut behind it.
public struct Plan: Sendable, Hashable {
    /// SHA-256 of charter version 1's payload.
    public let alliance: HashValue
    /// The member's id.
    public let member: String
    /// The member's name for people.
    public let title: String
    /// The member's time zone.
    public let zone: String
    /// The register, or `@documents`; nil where the plan is about several.
    public let register: String?
    /// When the plan was made, in seconds since 1970.
    public let made: Int64
    /// Entries of the member's log when the plan was made.
    public let base: UInt64
    /// Entries of the other members' logs that the node held then, where the plan is about what those say too: a register that
    /// is joined across members, or an endorsement.
    public let known: KnownSizes?
    /// The officers of the roster in force then: their key's names and public keys.
    public let officers: [OfficerKey]
    /// Whether a second officer has to approve.
    public let twoOfficers: Bool
    /// What the plan says of itself; nobody checked it against the steps.
    public let summary: [String]
    public var documents: [PlanDocument]
    /// Of a plan of a new roster: who signs it.
    public let roots: PlanRoots?
    public internal(set) var steps: [Step]

    /// The name and public key of an officer.
    public struct OfficerKey: Sendable, Hashable {
        public let name: String
        public let key: [UInt8]

        public init(name: String, key: [UInt8]) {
            self.name = name
            self.key = key
        }
    }

    /// One thing that goes into the log.
    public enum Step: Sendable, Hashable {
        /// Not signed yet.
        case draft(Draft)
        /// Signed.
        case entry(SignedStep)
    }

    /// A signed step: an entry's bytes, and what was read of them when the plan was.
    public struct SignedStep: Sendable, Hashable {
        public let bytes: [UInt8]
        public let kind: StatementKind
        /// The name of the key that signed.
        public let signer: String

        init(_ statement: Statement) {
            bytes = statement.bytes
            kind = statement.kind
            signer = statement.signer.keyName
        }

        /// The bytes as they stand inside a JSON text: a compact JWS holds nothing that JSON escapes.
        var escaped: [UInt8] { Plan.escaped(bytes) }
    }

    /// Steps of one plan.
    public static let stepLimit = 1_000_000
    /// Bytes of a plan's file.
    public static let byteLimit = 2 << 30
    /// Identities that one approval names.
    public static let approvalLimit = 1_000

    public init(
        context: PlanContext, register: String?, made: Int64, summary: [String], drafts: [Draft],
        documents: [PlanDocument] = []
    ) throws(SetupError) {
        guard drafts.count <= Self.stepLimit else {
            throw SetupError(.limit, "plan", "more than \(Self.stepLimit) statements; split the file")
        }
        alliance = context.alliance
        member = context.member
        title = context.title
        zone = context.zone
        self.register = register
        self.made = made
        base = context.logSize
        known = context.known
        officers = context.officers
        twoOfficers = drafts.contains { draft in
            context.twoOfficers.contains { name in PlanDescription.registers(of: draft).contains(name) }
        }
        self.summary = summary
        self.documents = documents
        roots = nil
        steps = drafts.map { .draft($0) }
    }

    /// A plan of a new roster: the successor of the one that the context names.
    ///
    /// - Throws: ``SetupError``: `mismatch` where the node told of no roster to change; `limit` for one that is too long.
    public init(context: PlanContext, roster: Roster, made: Int64) throws(SetupError) {
        guard let roots = context.roots, let old = roots.roster else {
            throw SetupError(.mismatch, "roster", "the node did not say which roster is to be changed")
        }
        var next = roster
        next.succeed(old.digest)
        let draft = DraftContext(member: context.member, alliance: context.alliance, issuedAt: made).roster(next)
        // Base64url of the payload, and a header and signature for each root key that has to sign.
        guard draft.payload.count * 4 / 3 + 400 * roots.threshold < Statement.byteLimit else {
            throw SetupError(
                .limit, "roster", "is too long for an entry (\(draft.payload.count) bytes); take out what is not needed"
            )
        }
        alliance = context.alliance
        member = context.member
        title = context.title
        zone = context.zone
        register = nil
        self.made = made
        base = context.logSize
        known = nil
        officers = context.officers
        twoOfficers = false
        summary = RosterDiff(from: old.roster, to: next).changes.map(\.text)
        documents = []
        self.roots = roots
        steps = [.draft(draft)]
    }

    init(header: Header, steps: [Step]) {
        alliance = header.alliance
        member = header.member
        title = header.title
        zone = header.zone
        register = header.register
        made = header.made
        base = header.base
        known = header.known
        officers = header.officers
        twoOfficers = header.twoOfficers
        summary = header.summary
        documents = header.documents
        roots = header.roots
        self.steps = steps
    }

    /// Puts the documents' bytes into the plan, so that it can travel without the files.
    ///
    /// - Throws: ``SetupError``; code `limit` where they are more than ``PlanDocument/embeddedLimit`` together.
    public mutating func embedDocuments() throws(SetupError) {
        guard documents.reduce(0, { $0 + $1.size }) <= Int64(PlanDocument.embeddedLimit) else {
            throw SetupError(
                .limit, "plan",
                "its documents have more than \(PlanDocument.embeddedLimit >> 20) MiB; submit it on the "
                    + "node's machine, with the files at the places where they were planned")
        }
        for position in documents.indices where documents[position].bytes == nil {
            let document = documents[position]
            let bytes = try PlainFile.read(document.path, limit: PlanDocument.embeddedLimit)
            guard HashValue.sha256(bytes) == document.digest else {
                throw SetupError(
                    .mismatch, document.path, "the file changed since the plan was made; make the plan anew")
            }
            documents[position].bytes = bytes
        }
    }

    /// Whether every step is signed.
    public var isSigned: Bool { !steps.isEmpty && steps.allSatisfy { if case .entry = $0 { true } else { false } } }

    /// Signatures of root keys that a plan of a new roster still lacks; 0 for other plans.
    public var missingRootSignatures: Int {
        guard let roots else { return 0 }
        let known = Set(roots.keys.map(\.name))
        return max(0, roots.threshold - Set(signers().signed).intersection(known).count)
    }

    /// What a plan of a new roster changes, read from the bytes that are signed; nil for other plans.
    public var rosterDiff: RosterDiff? {
        guard let old = roots?.roster, let new = roster, new.previous == old.digest else { return nil }
        return RosterDiff(from: old.roster, to: new)
    }

    /// The roster that the plan is of, read from the bytes that are signed.
    public var roster: Roster? {
        switch steps.first {
        case .draft(let draft)? where draft.kind == .roster:
            return try? Statement.roster(inPayload: draft.payload).roster
        case .entry(let signed)? where signed.kind == .roster:
            guard case .roster(let roster)? = (try? Statement(parsing: signed.bytes))?.body else { return nil }
            return roster
        default: return nil
        }
    }

    /// An entry's bytes as they stand inside a JSON text.
    static func escaped(_ entry: [UInt8]) -> [UInt8] {
        guard entry.first == UInt8(ascii: "{") else { return entry }
        return Array(JSONValue.string(String(decoding: entry, as: UTF8.self)).encoded().dropFirst().dropLast())
    }

    /// The entries of a signed plan, in their order.
    public var entries: [[UInt8]] {
        signedSteps.map(\.bytes)
    }

    /// The signed steps, in their order.
    var signedSteps: [SignedStep] {
        steps.compactMap { step in if case .entry(let signed) = step { signed } else { nil } }
    }
}

/// What a plan of a new roster says besides: whose signatures it takes, and what it changes.
public struct PlanRoots: Sendable, Hashable {
    /// How many of the keys have to sign.
    public let threshold: Int
    /// The member's root keys, as its charter entry lists them.
    public let keys: [Plan.OfficerKey]
    /// The entry with the roster that is changed.
    public let previous: [UInt8]

    public init(threshold: Int, keys: [Plan.OfficerKey], previous: [UInt8]) {
        self.threshold = threshold
        self.keys = keys
        self.previous = previous
    }

    /// The roster that is changed, and the digest that its successor names; nil where the entry is no roster.
    public var roster: (roster: Roster, digest: HashValue)? {
        guard let statement = try? Statement(parsing: previous), case .roster(let roster) = statement.body else {
            return nil
        }
        return (roster, HashValue.sha256(statement.payload))
    }
}

/// A document that a plan publishes: its bytes travel beside the statement.
public struct PlanDocument: Sendable, Hashable {
    public let digest: HashValue
    public let size: Int64
    /// The file's name, without its folder.
    public let name: String
    /// Where the file is on the machine that made the plan.
    public let path: String
    /// The bytes, where the plan is to travel without the file.
    public var bytes: [UInt8]?

    /// Bytes of all documents that may travel inside one plan.
    public static let embeddedLimit = 16 << 20

    public init(digest: HashValue, size: Int64, name: String, path: String, bytes: [UInt8]? = nil) {
        self.digest = digest
        self.size = size
        self.name = name
        self.path = path
        self.bytes = bytes
    }
}

/// What a node tells so that a plan can be made for its member.
public struct PlanContext: Sendable, Hashable {
    public var alliance: HashValue
    /// The member's id.
    public var member: String
    public var title: String
    public var zone: String
    public var logSize: UInt64
    public var officers: [Plan.OfficerKey]
    /// Registers (or `@documents`) that need two officers.
    public var twoOfficers: [String]
    /// For a plan of a new roster.
    public var roots: PlanRoots?
    /// What the node holds of the other members' logs, for a plan that is about what those say too.
    public var known: KnownSizes?

    public init(
        alliance: HashValue, member: String, title: String, zone: String, logSize: UInt64,
        officers: [Plan.OfficerKey], twoOfficers: [String], roots: PlanRoots? = nil, known: KnownSizes? = nil
    ) {
        self.alliance = alliance
        self.member = member
        self.title = title
        self.zone = zone
        self.logSize = logSize
        self.officers = officers
        self.twoOfficers = twoOfficers
        self.roots = roots
        self.known = known
    }
}

public import Alliance
public import TransparencyLog

/// Changes that are to be published: exactly the bytes that officers sign, in the order in which they go into the log.
///
/// A plan is a file of one strict JSON object a line, so that a large one is read and written piece by piece. The first
/// line is the header, with `steps` lines behind it:
///
///     {"entente-plan":1,"alliance":…,"member":…,"title":…,"zone":…,"register":…,"made":…,"base":1840,
///      "officers":[{"name":…,"key":…}],"twoOfficers":false,"summary":[…],"documents":[…],"steps":12}
///     {"kind":"attestation","payload":"<base64url>"}      before it is signed, or
///     {"entry":"<compact JWS>"}                           once it is
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
    /// The officers of the roster in force then: their key's names and public keys.
    public let officers: [OfficerKey]
    /// Whether a second officer has to approve.
    public let twoOfficers: Bool
    /// What the plan says of itself; nobody checked it against the steps.
    public let summary: [String]
    public var documents: [PlanDocument]
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
        officers = context.officers
        twoOfficers = drafts.contains { draft in
            context.twoOfficers.contains { name in PlanDescription.registers(of: draft).contains(name) }
        }
        self.summary = summary
        self.documents = documents
        steps = drafts.map { .draft($0) }
    }

    init(header: Header, steps: [Step]) {
        alliance = header.alliance
        member = header.member
        title = header.title
        zone = header.zone
        register = header.register
        made = header.made
        base = header.base
        officers = header.officers
        twoOfficers = header.twoOfficers
        summary = header.summary
        documents = header.documents
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

    /// The entries of a signed plan, in their order.
    public var entries: [[UInt8]] {
        signedSteps.map(\.bytes)
    }

    /// The signed steps, in their order.
    var signedSteps: [SignedStep] {
        steps.compactMap { step in if case .entry(let signed) = step { signed } else { nil } }
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

    public init(
        alliance: HashValue, member: String, title: String, zone: String, logSize: UInt64,
        officers: [Plan.OfficerKey], twoOfficers: [String]
    ) {
        self.alliance = alliance
        self.member = member
        self.title = title
        self.zone = zone
        self.logSize = logSize
        self.officers = officers
        self.twoOfficers = twoOfficers
    }
}

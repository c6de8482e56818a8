public import TransparencyLog

/// A statement of a member: what a log entry says, well formed, but neither verified nor counted yet.
///
/// Statements are handed on by the hundred thousand, so a copy is one reference.
public struct Statement: Sendable {
    /// What was read; never changes.
    final class Storage: Sendable {
        let identity: HashValue
        let bytes: [UInt8]
        let kind: StatementKind
        let issuer: String
        let alliance: HashValue
        let issuedAt: Int64
        let body: Body
        let jws: JWS

        init(
            identity: HashValue, bytes: [UInt8], kind: StatementKind, issuer: String, alliance: HashValue,
            issuedAt: Int64, body: Body, jws: JWS
        ) {
            self.identity = identity
            self.bytes = bytes
            self.kind = kind
            self.issuer = issuer
            self.alliance = alliance
            self.issuedAt = issuedAt
            self.body = body
            self.jws = jws
        }
    }

    let storage: Storage

    /// SHA-256 of the entry's bytes.
    public var identity: HashValue { storage.identity }
    /// The entry's bytes, as received.
    public var bytes: [UInt8] { storage.bytes }
    public var kind: StatementKind { storage.kind }
    /// Who says it: `iss`, or for an attestation `issuer`.
    public var issuer: String { storage.issuer }
    /// SHA-256 of charter version 1's payload.
    public var alliance: HashValue { storage.alliance }
    /// When it was signed, by the officer's clock, in seconds since 1970. Orders nothing.
    public var issuedAt: Int64 { storage.issuedAt }
    public var body: Body { storage.body }
    var jws: JWS { storage.jws }

    /// What a statement of each kind says.
    public enum Body: Sendable {
        case roster(Roster)
        case register(DefinitionStatement)
        case attestation(Attestation)
        case document(PolicyDocument)
        case retraction(Retraction)
        case endorsement(Endorsement)
        case approval([HashValue])
        case declaration(Declaration)
    }

    /// Bytes of one log entry (formats, section 3).
    public static let byteLimit = 65_535
    /// Identities that one statement may refer to.
    public static let referenceLimit = 1_024

    /// The member, and the name of the key, of the first signature; all signatures of one statement are one member's.
    public var signer: (member: String, keyName: String) { (jws.signatures[0].member, jws.signatures[0].keyName) }
    /// The signatures, not yet verified.
    public var signatures: [JWSSignature] { jws.signatures }
    /// The decoded payload.
    public var payload: [UInt8] { jws.payload }

    /// The register that the statement is about (`@documents` for a document); nil for those about none or several.
    public var register: String? {
        switch body {
        case .attestation(let attestation): attestation.register
        case .document: ReservedMap.documents
        case .register(let definition): definition.name
        case .endorsement(let endorsement): endorsement.register
        case .declaration(let declaration): declaration.register
        case .roster, .retraction, .approval: nil
        }
    }

    /// The key within ``register``; nil where there is none.
    public var key: String? {
        switch body {
        case .attestation(let attestation): attestation.key
        case .document(let document): document.work
        case .endorsement(let endorsement): endorsement.identity.hex
        case .declaration(let declaration): declaration.register
        case .register(let definition): definition.name
        case .roster(let roster): String(roster.ordinal)
        case .retraction, .approval: nil
        }
    }
}

/// The names of the maps that every log may have besides its registers (formats, section 7).
public enum ReservedMap {
    public static let rosters = "@rosters"
    public static let registers = "@registers"
    public static let documents = "@documents"
    public static let endorsements = "@endorsements"
    public static let declarations = "@declarations"
}

/// One subject's row in a register.
public struct Attestation: Sendable {
    public let register: String
    public let key: String
    public let status: String
    public let validFrom: Timestamp
    public let validUntil: Timestamp?
    /// Identities of the statements that this one replaces.
    public let supersedes: [HashValue]
    /// The whole payload, for its fields.
    let payload: JSONTape

    /// The row's fields, by name.
    public var fields: JSONObject { payload.root["credentialSubject"]?["fields"]?.value.object ?? [:] }

    /// The values of one field: none, one, or the strings of a list.
    public func values(of field: String) -> [JSONView] {
        guard let value = payload.root["credentialSubject"]?["fields"]?.member(field), value.kind != .null else {
            return []
        }
        return value.elements ?? [value]
    }
}

/// A register's definition, published in the member's own log before its first statement there.
public struct DefinitionStatement: Sendable {
    public let name: String
    public let version: Int
    /// The descriptor's exact bytes; their SHA-256 is what the charter lists.
    public let descriptor: [UInt8]
}

/// One version of a policy document; its bytes travel by digest.
public struct PolicyDocument: Hashable, Sendable {
    /// Work identifier, an Akoma Ntoso IRI such as `/akn/pk/act/2025/virtual-assets`.
    public let work: String
    /// BCP 47, such as `en`.
    public let language: String
    /// Date of this version, `YYYY-MM-DD`.
    public let date: String
    public let title: String
    public let mediaType: String
    /// Bytes of the document, up to ``sizeLimit``.
    public let size: Int64
    public let digest: HashValue
    public let relations: [Relation]
    public let supersedes: [HashValue]

    /// 1 GiB.
    public static let sizeLimit: Int64 = 1 << 30

    /// How a document bears on another work.
    public struct Relation: Hashable, Sendable {
        /// `amends`, `repeals`, `implements` or `translates`.
        public let type: String
        /// The other work's identifier.
        public let work: String

        /// The words that may be used.
        public static let types = ["amends", "repeals", "implements", "translates"]

        /// States a relation.
        public init(type: String, work: String) {
            self.type = type
            self.work = work
        }
    }

    /// Describes a document.
    public init(
        work: String, language: String, date: String, title: String, mediaType: String, size: Int64, digest: HashValue,
        relations: [Relation] = [], supersedes: [HashValue] = []
    ) {
        self.work = work
        self.language = language
        self.date = date
        self.title = title
        self.mediaType = mediaType
        self.size = size
        self.digest = digest
        self.relations = relations
        self.supersedes = supersedes
    }

    /// Whether `text` is a work identifier: `/akn/` and path parts, in lower case, at most 255 bytes.
    public static func isWork(_ text: String) -> Bool {
        guard text.utf8.count <= 255, text.utf8.starts(with: "/akn/".utf8) else { return false }
        let parts = text.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.count >= 3
            && parts.allSatisfy { part in
                !part.isEmpty && !part.allSatisfy { $0 == 0x2E }
                    && part.allSatisfy { byte in
                        (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
                            || byte == 0x5F
                    }
            }
    }
}

/// Statements taken back. It is not a revocation: losing a licence is a status.
public struct Retraction: Hashable, Sendable {
    public let targets: [Target]
    public let reason: Reason
    /// A sentence for people, perhaps.
    public let note: String?

    /// One statement taken back.
    public struct Target: Hashable, Sendable {
        public let identity: HashValue
        /// Its register, `@documents` or `@endorsements`.
        public let register: String
        public let key: String

        /// Names a statement.
        public init(identity: HashValue, register: String, key: String) {
            self.identity = identity
            self.register = register
            self.key = key
        }
    }

    /// Why.
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        case enteredInError = "entered-in-error"
        case supersededByCourt = "superseded-by-court"
        case other
    }

    /// Takes statements back.
    public init(targets: [Target], reason: Reason, note: String? = nil) {
        self.targets = targets
        self.reason = reason
        self.note = note
    }
}

/// Another member's statement that this member adopts, recognises or notes.
public struct Endorsement: Hashable, Sendable {
    public let identity: HashValue
    /// The member that made it.
    public let member: String
    public let register: String
    public let key: String
    public let type: Kind

    /// How strongly.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case adopts, recognises, notes
    }

    /// Endorses a statement.
    public init(identity: HashValue, member: String, register: String, key: String, type: Kind) {
        self.identity = identity
        self.member = member
        self.register = register
        self.key = key
        self.type = type
    }
}

/// "This register of mine is complete, with this many rows, until then."
public struct Declaration: Hashable, Sendable {
    public let register: String
    public let rows: UInt64
    public let validUntil: Timestamp

    /// Declares a register complete.
    public init(register: String, rows: UInt64, validUntil: Timestamp) {
        self.register = register
        self.rows = rows
        self.validUntil = validUntil
    }
}

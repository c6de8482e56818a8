public import TransparencyLog

/// A statement before it is signed: its payload's exact bytes, as a plan holds them.
public struct Draft: Hashable, Sendable {
    public let kind: StatementKind
    public let payload: [UInt8]

    /// Holds bytes that some draft had; they are checked when signed.
    public init(kind: StatementKind, payload: [UInt8]) {
        self.kind = kind
        self.payload = payload
    }

    /// Signs the payload in compact form.
    ///
    /// - Returns: the entry's bytes, which read as a ``Statement``.
    /// - Throws: ``AllianceError`` where the payload is not a statement that the signer can make.
    public func signed(by signer: Signer) throws -> [UInt8] { try statement(signedBy: signer).bytes }

    /// Signs the payload in compact form, and reads what that gives.
    ///
    /// - Throws: ``AllianceError`` where the payload is not a statement that the signer can make.
    public func statement(signedBy signer: Signer) throws -> Statement {
        try Statement(parsing: try JWS.compact(type: kind.type, payload: payload, signer: signer))
    }

    /// Adds a signature in general JSON form, as a roster has that several root keys sign.
    public func signed(by signer: Signer, adding existing: [UInt8]) throws -> [UInt8] {
        try JWS.general(type: kind.type, payload: payload, adding: signer, to: existing)
    }
}

/// What every draft of one member begins with.
public struct DraftContext: Hashable, Sendable {
    /// The member's id.
    public let member: String
    /// SHA-256 of charter version 1's payload.
    public let alliance: HashValue
    /// Seconds since 1970. Also keeps apart two statements that say the same at different times.
    public let issuedAt: Int64

    /// The context of drafts made now.
    public init(member: String, alliance: HashValue, issuedAt: Int64) {
        self.member = member
        self.alliance = alliance
        self.issuedAt = issuedAt
    }

    private var claims: JSONObject {
        ["iss": .string(member), "alliance": .string(alliance.base64url), "iat": .integer(issuedAt)]
    }

    private func draft(_ kind: StatementKind, _ members: JSONObject) -> Draft {
        Draft(kind: kind, payload: JSONValue.object(members).encoded())
    }

    /// Drafts a roster.
    public func roster(_ roster: Roster) -> Draft {
        var object = claims
        roster.writeMembers(to: &object)
        return draft(.roster, object)
    }

    /// Drafts the publication of a register's definition.
    public func definition(name: String, version: Int, descriptor: [UInt8]) -> Draft {
        var object = claims
        object["name"] = .string(name)
        object["version"] = .integer(Int64(version))
        object["descriptor"] = .string(Base64.encodeURL(descriptor))
        return draft(.register, object)
    }

    /// Drafts one subject's row, as a Verifiable Credential (VC Data Model 2.0).
    public func attestation(
        register: String, key: String, status: String, validFrom: Timestamp, validUntil: Timestamp? = nil,
        fields: JSONObject, supersedes: [HashValue] = []
    ) -> Draft {
        var object: JSONObject = [
            "@context": .array(Attestation.context.map { .string($0) }), "type": ["VerifiableCredential"],
            "issuer": .string(member), "alliance": .string(alliance.base64url), "iat": .integer(issuedAt),
            "validFrom": .string(validFrom.text),
        ]
        object["validUntil"] = validUntil.map { .string($0.text) }
        object["credentialSubject"] = [
            "id": .string(Attestation.subjectID(register: register, key: key)), "register": .string(register),
            "key": .string(key), "status": .string(status), "fields": .object(fields),
        ]
        object["supersedes"] = Self.list(supersedes)
        return draft(.attestation, object)
    }

    /// Drafts one version of a document.
    public func document(_ document: PolicyDocument) -> Draft {
        var object = claims
        object["work"] = .string(document.work)
        object["language"] = .string(document.language)
        object["date"] = .string(document.date)
        object["title"] = .string(document.title)
        object["mediaType"] = .string(document.mediaType)
        object["size"] = .integer(document.size)
        object["sha256"] = .string(document.digest.base64url)
        if !document.relations.isEmpty {
            object["relations"] = .array(
                document.relations.map { ["type": .string($0.type), "work": .string($0.work)] })
        }
        object["supersedes"] = Self.list(document.supersedes)
        return draft(.document, object)
    }

    /// Drafts a retraction.
    public func retraction(_ retraction: Retraction) -> Draft {
        var object = claims
        object["targets"] = .array(
            retraction.targets.map {
                [
                    "identity": .string($0.identity.base64url), "register": .string($0.register),
                    "key": .string($0.key),
                ]
            })
        object["reason"] = .string(retraction.reason.rawValue)
        object["note"] = retraction.note.map { .string($0) }
        return draft(.retraction, object)
    }

    /// Drafts an endorsement of another member's statement.
    public func endorsement(_ endorsement: Endorsement) -> Draft {
        var object = claims
        object["identity"] = .string(endorsement.identity.base64url)
        object["member"] = .string(endorsement.member)
        object["register"] = .string(endorsement.register)
        object["key"] = .string(endorsement.key)
        object["type"] = .string(endorsement.type.rawValue)
        return draft(.endorsement, object)
    }

    /// Drafts a second officer's approval.
    public func approval(of identities: [HashValue]) -> Draft {
        var object = claims
        object["identities"] = .array(identities.map { .string($0.base64url) })
        return draft(.approval, object)
    }

    /// Drafts the declaration that a register is complete.
    public func declaration(_ declaration: Declaration) -> Draft {
        var object = claims
        object["register"] = .string(declaration.register)
        object["rows"] = .integer(Int64(declaration.rows))
        object["validUntil"] = .string(declaration.validUntil.text)
        return draft(.declaration, object)
    }

    private static func list(_ identities: [HashValue]) -> JSONValue? {
        identities.isEmpty ? nil : .array(identities.map { .string($0.base64url) })
    }
}

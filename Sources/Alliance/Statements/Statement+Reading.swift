import TransparencyLog

/// What one entry of a log is.
public enum LogEntry: Sendable {
    /// The end of a batch.
    case stateLeaf(StateLeaf)
    /// A well-formed statement of a kind known here.
    case statement(Statement)
    /// A well-formed JWS of a kind not known here: stored, proven, shown as unknown, without effect.
    case unknown(type: String)
    /// Anything else: stored, without effect.
    case malformed(AllianceError)

    /// Reads an entry. Never fails: every entry under a validly signed root has a place in the log.
    public init(_ bytes: [UInt8]) {
        if bytes.starts(with: StateLeaf.familyPrefix) {
            do throws(AllianceError) { self = .stateLeaf(try StateLeaf(parsing: bytes)) } catch {
                self = .malformed(error)
            }
            return
        }
        do throws(AllianceError) {
            let jws = try JWS(parsing: bytes)
            guard let kind = StatementKind(type: jws.type) else {
                self = .unknown(type: jws.type)
                return
            }
            self = .statement(try Statement(bytes: bytes, kind: kind, jws: jws))
        } catch {
            self = .malformed(error)
        }
    }
}

extension Statement {
    /// Reads a statement.
    ///
    /// - Throws: ``AllianceError`` where the bytes are no well-formed statement of a known kind.
    public init(parsing bytes: [UInt8]) throws(AllianceError) {
        let jws = try JWS(parsing: bytes)
        guard let kind = StatementKind(type: jws.type) else {
            throw AllianceError(.unknown, "\(jws.type) is no kind of statement known here")
        }
        try self.init(bytes: bytes, kind: kind, jws: jws)
    }

    init(bytes: [UInt8], kind: StatementKind, jws: JWS) throws(AllianceError) {
        guard bytes.count <= Self.byteLimit else {
            throw AllianceError(.limit, "an entry has at most \(Self.byteLimit) bytes, this has \(bytes.count)")
        }
        guard kind == .roster || jws.signatures.count == 1 && bytes.first != UInt8(ascii: "{") else {
            throw AllianceError(.malformed, "only a roster may stand in general JSON form")
        }
        let tape: JSONTape
        do { tape = try JSONTape(jws.payload) } catch { throw AllianceError(.malformed, "the payload is \(error)") }
        var reader = try JSONReader(tape.root, at: "")
        let issuer = try reader.string(kind == .attestation ? "issuer" : "iss", most: MemberID.byteLimit)
        for signature in jws.signatures where !signature.member.hasSameBytes(as: issuer) {
            throw AllianceError(.notPermitted, "the signing key is of \(signature.member), not of the issuer \(issuer)")
        }
        let alliance = try reader.digest("alliance")
        let issuedAt = try reader.integer("iat", in: 0...JSONLimits.integer)
        let body: Body =
            switch kind {
            case .roster: .roster(try Roster(&reader))
            case .register: .register(try DefinitionStatement(&reader))
            case .attestation: .attestation(try Attestation(&reader, tape))
            case .document: .document(try PolicyDocument(&reader))
            case .retraction: .retraction(try Retraction(&reader))
            case .endorsement: .endorsement(try Endorsement(&reader))
            case .approval: .approval(try Self.digests("identities", &reader, least: 1))
            case .declaration: .declaration(try Declaration(&reader))
            }
        storage = Storage(
            identity: HashValue.sha256(bytes), bytes: bytes, kind: kind, issuer: issuer, alliance: alliance,
            issuedAt: issuedAt, body: body, jws: jws)
    }

    static func digests(
        _ name: StaticString, _ reader: inout JSONReader, least: Int = 0
    ) throws(AllianceError) -> [HashValue] {
        guard least > 0 || reader.view[name] != nil else { return [] }
        var result: [HashValue] = []
        for (position, view) in try reader.array(name, most: referenceLimit, least: least).enumerated() {
            result.append(try JSONReader.digest(view, at: "\(reader.path(name.description))[\(position)]"))
        }
        guard Set(result).count == result.count else {
            throw AllianceError(.invalidField, "one identity stands twice", at: reader.path(name.description))
        }
        return result
    }
}

// MARK: - Bodies

/// The forms of a key within a register that all definitions share: 1 to 1,024 bytes.
enum RegisterKey {
    static let byteLimit = 1_024
}

extension DefinitionStatement {
    fileprivate init(_ reader: inout JSONReader) throws(AllianceError) {
        name = try reader.string("name", most: 64)
        version = Int(try reader.integer("version", in: 1...1_000_000))
        guard let text = try reader.required("descriptor").utf8, let bytes = Base64.decodeURL(text) else {
            throw AllianceError(.malformed, "must be canonical base64url", at: "descriptor")
        }
        descriptor = bytes
    }
}

extension Attestation {
    static let context = [
        "https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/undefined-terms/v2",
    ]

    fileprivate init(_ reader: inout JSONReader, _ tape: JSONTape) throws(AllianceError) {
        payload = tape
        try Self.checkCredential(&reader)
        validFrom = try reader.timestamp("validFrom")
        validUntil = try reader.optionalTimestamp("validUntil")
        if let validUntil, validUntil.seconds <= validFrom.seconds {
            throw AllianceError(.invalidField, "must be after validFrom", at: "validUntil")
        }
        supersedes = try Statement.digests("supersedes", &reader)
        var subject = try JSONReader(try reader.required("credentialSubject"), at: "credentialSubject")
        register = try subject.string("register", most: 64)
        key = try subject.string("key", most: RegisterKey.byteLimit)
        status = try subject.string("status", most: 64)
        guard RegisterName.isValid(register) else {
            throw AllianceError(.invalidField, "cannot name a register", at: "credentialSubject.register")
        }
        let id = try subject.string("id", most: 4_096)
        guard Self.isSubjectID(id, register: register, key: key) else {
            throw AllianceError(
                .invalidField, "must be urn:entente:<register>:<percent-encoded key>", at: "credentialSubject.id")
        }
        guard try subject.required("fields").kind == .object else {
            throw AllianceError(.invalidField, "must be an object", at: "credentialSubject.fields")
        }
    }

    /// The rules of VC 2.0 that formats.md section 8 names.
    private static func checkCredential(_ reader: inout JSONReader) throws(AllianceError) {
        guard let contexts = try reader.required("@context").elements, contexts.count >= 2, contexts.count <= 8,
            contexts[0].isString("https://www.w3.org/ns/credentials/v2"),
            contexts[contexts.count - 1].isString("https://www.w3.org/ns/credentials/undefined-terms/v2")
        else {
            throw AllianceError(
                .invalidField, "must begin with the VC 2.0 context and end with the undefined-terms one",
                at: "@context")
        }
        let type = try reader.required("type")
        let types = type.elements ?? [type]
        guard types.count <= 8, types.contains(where: { $0.isString("VerifiableCredential") }) else {
            throw AllianceError(.invalidField, "must include VerifiableCredential", at: "type")
        }
        guard reader.view["vc"] == nil else {
            throw AllianceError(.invalidField, "VC 2.0 has no vc claim", at: "vc")
        }
    }

    private static let subjectPrefix = "urn:entente:"
    private static let upperHex = Array("0123456789ABCDEF".utf8)

    /// `urn:entente:<register>:<percent-encoded key>`; only RFC 3986's unreserved characters stand as they are.
    static func subjectID(register: String, key: String) -> String {
        var bytes = Array(subjectPrefix.utf8)
        bytes.append(contentsOf: register.utf8)
        bytes.append(UInt8(ascii: ":"))
        for byte in key.utf8 {
            if PercentCoding.isUnreserved(byte) {
                bytes.append(byte)
            } else {
                bytes.append(UInt8(ascii: "%"))
                bytes.append(upperHex[Int(byte >> 4)])
                bytes.append(upperHex[Int(byte & 15)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether `id` is ``subjectID(register:key:)``. Most keys need no escape, and then nothing is built.
    private static func isSubjectID(_ id: String, register: String, key: String) -> Bool {
        guard key.utf8.allSatisfy(PercentCoding.isUnreserved) else {
            return id.hasSameBytes(as: subjectID(register: register, key: key))
        }
        let lengths = (subjectPrefix.utf8.count, register.utf8.count, key.utf8.count)
        guard id.utf8.count == lengths.0 + lengths.1 + 1 + lengths.2, id.utf8.starts(with: subjectPrefix.utf8) else {
            return false
        }
        let rest = id.utf8.dropFirst(lengths.0)
        return rest.starts(with: register.utf8) && rest.dropFirst(lengths.1).first == UInt8(ascii: ":")
            && rest.dropFirst(lengths.1 + 1).elementsEqual(key.utf8)
    }
}

extension PolicyDocument {
    fileprivate init(_ reader: inout JSONReader) throws(AllianceError) {
        let work = try reader.string("work", most: 255)
        var relations: [Relation] = []
        for (position, view) in try reader.optionalArray("relations", most: 64).enumerated() {
            let place = "relations[\(position)]"
            var one = try JSONReader(view, at: place)
            let relation = Relation(
                type: try one.string("type", most: 32), work: try one.string("work", most: 255))
            guard Relation.types.contains(relation.type), Self.isWork(relation.work) else {
                throw AllianceError(
                    .invalidField, "must say \(Relation.types.joined(separator: ", ")) and name a work", at: place)
            }
            relations.append(relation)
        }
        self.init(
            work: work, language: try reader.string("language", most: 35), date: try reader.string("date", most: 10),
            title: try reader.string("title", most: 1_000), mediaType: try reader.string("mediaType", most: 127),
            size: try reader.integer("size", in: 0...Self.sizeLimit), digest: try reader.digest("sha256"),
            relations: relations, supersedes: try Statement.digests("supersedes", &reader))
        guard Self.isWork(work) else {
            throw AllianceError(.invalidField, "must be an Akoma Ntoso IRI such as /akn/pk/act/2025/name", at: "work")
        }
        guard Timestamp(parsing: "\(date)T00:00:00Z") != nil else {
            throw AllianceError(.invalidField, "must be YYYY-MM-DD", at: "date")
        }
    }
}

extension Retraction {
    fileprivate init(_ reader: inout JSONReader) throws(AllianceError) {
        var targets: [Target] = []
        for (position, view) in try reader.array("targets", most: Statement.referenceLimit, least: 1).enumerated() {
            var one = try JSONReader(view, at: "targets[\(position)]")
            targets.append(
                Target(
                    identity: try one.digest("identity"), register: try one.string("register", most: 64),
                    key: try one.string("key", most: RegisterKey.byteLimit)))
        }
        guard Set(targets.map(\.identity)).count == targets.count else {
            throw AllianceError(.invalidField, "one identity stands twice", at: "targets")
        }
        guard let reason = Reason(rawValue: try reader.string("reason", most: 32)) else {
            let choices = Reason.allCases.map(\.rawValue).joined(separator: ", ")
            throw AllianceError(.invalidField, "must be one of \(choices)", at: "reason")
        }
        self.init(targets: targets, reason: reason, note: try reader.optionalString("note", most: 2_000))
    }
}

extension Endorsement {
    fileprivate init(_ reader: inout JSONReader) throws(AllianceError) {
        let identity = try reader.digest("identity")
        let member = try reader.string("member", most: MemberID.byteLimit)
        guard MemberID.isValid(member) else {
            throw AllianceError(.invalidField, "must be a member's id", at: "member")
        }
        let register = try reader.string("register", most: 64)
        let key = try reader.string("key", most: RegisterKey.byteLimit)
        guard let type = Kind(rawValue: try reader.string("type", most: 32)) else {
            throw AllianceError(.invalidField, "must be adopts, recognises or notes", at: "type")
        }
        self.init(identity: identity, member: member, register: register, key: key, type: type)
    }
}

extension Declaration {
    fileprivate init(_ reader: inout JSONReader) throws(AllianceError) {
        self.init(
            register: try reader.string("register", most: 64),
            rows: UInt64(try reader.integer("rows", in: 0...JSONLimits.integer)),
            validUntil: try reader.timestamp("validUntil"))
    }
}

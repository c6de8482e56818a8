import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Statements")
struct StatementTests {
    let alliance: TestAlliance
    let context: DraftContext
    let ayesha = TestAlliance.officer("ayesha")

    init() throws {
        alliance = try TestAlliance()
        context = alliance.context()
    }

    // MARK: Every kind reads as it was written

    @Test("A roster, signed by one root key or by two")
    func roster() throws {
        var roster = try Roster.sample(twoOfficers: ["vasp-licences", "@documents"])
        roster.nodes.append(
            RosterNode(
                name: "node-2", addresses: ["https://pk.example:7443"],
                tlsKeys: [HashValue.sha256("a"), HashValue.sha256("b")]))
        roster.ordinal = 3
        roster.previous = HashValue.sha256("before")
        roster.revoked = [HashValue.sha256("stolen")]
        let draft = context.roster(roster)
        let one = try Statement(parsing: draft.signed(by: TestAlliance.root("pk")))
        guard case .roster(let read) = one.body else { throw AllianceError(.malformed, "no roster") }
        #expect(read == roster)
        #expect(one.key == "3")
        #expect(one.register == nil)
        let first = try JWS.general(
            type: draft.kind.type, payload: draft.payload, adding: TestAlliance.root("pk", 1), to: nil)
        let both = try Statement(parsing: draft.signed(by: TestAlliance.root("pk", 2), adding: first))
        #expect(both.signatures.map(\.keyName) == ["root-1", "root-2"])
        #expect(both.payload == one.payload)
    }

    @Test("A register's definition")
    func definition() throws {
        let draft = context.definition(name: "vasp-licences", version: 1, descriptor: Array("{}".utf8))
        let statement = try Statement(parsing: draft.signed(by: ayesha))
        guard case .register(let read) = statement.body else { throw AllianceError(.malformed, "no definition") }
        #expect(read.name == "vasp-licences" && read.version == 1 && read.descriptor == Array("{}".utf8))
        #expect(statement.register == "vasp-licences")
    }

    @Test("An attestation, as a Verifiable Credential 2.0")
    func attestation() throws {
        let references = [HashValue.sha256("x"), HashValue.sha256("y")]
        let from = try #require(Timestamp(parsing: "2026-11-24T00:00:00+05:00"))
        let draft = context.attestation(
            register: "vasp-licences", key: "PK 01/é", status: "revoked", validFrom: from,
            validUntil: Timestamp(seconds: from.seconds + 1),
            fields: ["legalName": "A \"B\" é", "domains": ["a.example", "b.example"], "lei": .null],
            supersedes: references)
        let statement = try Statement(parsing: draft.signed(by: ayesha))
        guard case .attestation(let read) = statement.body else { throw AllianceError(.malformed, "none") }
        #expect(read.register == "vasp-licences" && read.key == "PK 01/é" && read.status == "revoked")
        #expect(read.validFrom.text == "2026-11-24T00:00:00+05:00")
        #expect(read.validUntil?.seconds == from.seconds + 1)
        #expect(read.supersedes == references)
        #expect(read.fields["legalName"] == "A \"B\" é")
        #expect(read.values(of: "domains").map(\.string) == ["a.example", "b.example"])
        #expect(read.values(of: "legalName").count == 1)
        #expect(read.values(of: "lei").isEmpty && read.values(of: "none").isEmpty)
        #expect(statement.issuer == "did:web:pk.alliance.example")
        #expect(statement.alliance == alliance.charter.alliance)
        #expect(statement.identity == HashValue.sha256(statement.bytes))
        let payload = try JSONValue.parse(statement.payload)
        #expect(payload["credentialSubject"]?["id"]?.string == "urn:entente:vasp-licences:PK%2001%2F%C3%A9")
        #expect(payload["@context"]?.array?.first?.string == "https://www.w3.org/ns/credentials/v2")
        #expect(payload["type"]?.array == ["VerifiableCredential"])
        #expect(payload["vc"] == nil)
    }

    @Test("A document, a retraction, an endorsement, an approval, a declaration")
    func others() throws {
        let document = PolicyDocument(
            work: "/akn/pk/act/2025/virtual-assets", language: "en", date: "2025-07-08", title: "Virtual Assets Act",
            mediaType: "text/plain", size: 12, digest: HashValue.sha256("text"),
            relations: [.init(type: "amends", work: "/akn/pk/act/2020/x")], supersedes: [HashValue.sha256("old")])
        guard case .document(let readDocument) = try read(context.document(document)).body else { throw unread }
        #expect(readDocument == document)

        let target = Retraction.Target(identity: HashValue.sha256("x"), register: "vasp-licences", key: "PK-1")
        for reason in Retraction.Reason.allCases {
            let retraction = Retraction(targets: [target], reason: reason, note: "Typed twice.")
            guard case .retraction(let back) = try read(context.retraction(retraction)).body else { throw unread }
            #expect(back == retraction)
        }
        for kind in Endorsement.Kind.allCases {
            let endorsement = Endorsement(
                identity: HashValue.sha256("x"), member: TestAlliance.id("sv"), register: "vasp-licences", key: "SV-1",
                type: kind)
            let statement = try read(context.endorsement(endorsement))
            guard case .endorsement(let back) = statement.body else { throw unread }
            #expect(back == endorsement)
            #expect(statement.key == HashValue.sha256("x").hex)
        }
        guard case .approval(let identities) = try read(context.approval(of: [HashValue.sha256("a")])).body else {
            throw unread
        }
        #expect(identities == [HashValue.sha256("a")])
        let declaration = Declaration(register: "vasp-licences", rows: 7, validUntil: Timestamp(seconds: 1_800_000_000))
        guard case .declaration(let back) = try read(context.declaration(declaration)).body else { throw unread }
        #expect(back == declaration)
    }

    private func read(_ draft: Draft) throws -> Statement { try Statement(parsing: draft.signed(by: ayesha)) }
    private var unread: AllianceError { AllianceError(.malformed, "read as another kind") }

    // MARK: What is refused

    /// An attestation's payload with something changed.
    private func changed(_ edit: (inout JSONObject) -> Void) throws -> Draft {
        let draft = context.attestation(
            register: "vasp-licences", key: "PK-1", status: "authorised", validFrom: Timestamp(seconds: 1_795_000_000),
            fields: [:])
        var object = try #require(try JSONValue.parse(draft.payload).object)
        edit(&object)
        return Draft(kind: .attestation, payload: JSONValue.object(object).encoded())
    }

    @Test("Attestations that break a rule are no statements")
    func badAttestations() throws {
        #expect(throws: Never.self) { try changed { $0["extra"] = 1 }.signed(by: ayesha) }
        let edits: [(inout JSONObject) -> Void] = [
            { $0["alliance"] = nil }, { $0["alliance"] = "x" }, { $0["iat"] = nil }, { $0["iat"] = -1 },
            { $0["iat"] = "1" }, { $0["issuer"] = "did:web:sv.alliance.example" }, { $0["issuer"] = nil },
            { $0["@context"] = "https://www.w3.org/ns/credentials/v2" }, { $0["@context"] = [] },
            { $0["@context"] = ["https://www.w3.org/ns/credentials/v2"] },
            { $0["type"] = ["Other"] }, { $0["vc"] = [:] }, { $0["validFrom"] = "2026-11-24" },
            { $0["validFrom"] = nil },
            { $0["validUntil"] = $0["validFrom"] }, { $0["supersedes"] = ["x"] }, { $0["supersedes"] = "x" },
            { $0["supersedes"] = .array([.string(HashValue.zero.base64url), .string(HashValue.zero.base64url)]) },
            { $0["credentialSubject"] = [:] },
            {
                $0["credentialSubject"] = [
                    "id": "urn:entente:vasp-licences:PK-2", "register": "vasp-licences", "key": "PK-1",
                    "status": "authorised",
                    "fields": [:],
                ]
            },
            {
                $0["credentialSubject"] = [
                    "id": "urn:entente:@rosters:0", "register": "@rosters", "key": "0", "status": "authorised",
                    "fields": [:],
                ]
            },
            {
                $0["credentialSubject"] = [
                    "id": "urn:entente:vasp-licences:PK-1", "register": "vasp-licences", "key": "PK-1",
                    "status": "authorised",
                    "fields": [],
                ]
            },
        ]
        for (position, edit) in edits.enumerated() {
            #expect(throws: AllianceError.self, "edit \(position)") { try changed(edit).signed(by: ayesha) }
        }
    }

    @Test("Other kinds that break a rule are no statements")
    func badOthers() throws {
        let identity = HashValue.sha256("x").base64url
        let wrongs: [(StatementKind, JSONObject)] = [
            (.roster, ["ordinal": 0, "previous": .string(identity), "officers": [], "twoOfficers": [], "nodes": []]),
            (.roster, ["ordinal": 1, "previous": .null, "officers": [], "twoOfficers": [], "nodes": []]),
            (.roster, ["ordinal": 0, "officers": [[:]], "twoOfficers": [], "nodes": []]),
            (.register, ["name": "x", "version": 0, "descriptor": ""]),
            (.register, ["name": "x", "version": 1, "descriptor": "AB=="]),
            (.document, ["work": "x"]),
            (.retraction, ["targets": [], "reason": "other"]),
            (
                .retraction,
                ["targets": [["identity": .string(identity), "register": "r", "key": "k"]], "reason": "anger"]
            ),
            (
                .endorsement,
                ["identity": .string(identity), "member": "sv", "register": "r", "key": "k", "type": "notes"]
            ),
            (.approval, ["identities": []]),
            (.approval, ["identities": [.string(identity), .string(identity)]]),
            (.declaration, ["register": "r", "rows": -1, "validUntil": "2026-11-24T00:00:00Z"]),
            (.declaration, ["register": "r", "rows": 1, "validUntil": "2026-11-24"]),
        ]
        for (kind, members) in wrongs {
            var object: JSONObject = [
                "iss": .string(TestAlliance.id("pk")), "alliance": .string(alliance.charter.alliance.base64url),
                "iat": 1,
            ]
            for member in members.members { object[member.name] = member.value }
            let draft = Draft(kind: kind, payload: JSONValue.object(object).encoded())
            #expect(throws: AllianceError.self, "\(kind) \(members)") { try draft.signed(by: ayesha) }
        }
    }

    @Test("Headers hold exactly alg, typ and kid, and the key is the issuer's")
    func headers() throws {
        let payload = context.declaration(
            Declaration(register: "r", rows: 0, validUntil: Timestamp(seconds: 1_800_000_000))
        ).payload
        func entry(_ header: String, _ payload: [UInt8] = payload, signature: Int = 64) -> LogEntry {
            let parts = [Array(header.utf8), payload, [UInt8](repeating: 7, count: signature)].map {
                Base64.encodeURL($0)
            }
            return LogEntry(Array(parts.joined(separator: ".").utf8))
        }
        func isMalformed(_ entry: LogEntry) -> Bool { if case .malformed = entry { true } else { false } }
        let kid = "\"kid\":\"did:web:pk.alliance.example#ayesha\""
        let typ = "\"typ\":\"entente-declaration+jwt\""
        #expect(!isMalformed(entry("{\"alg\":\"EdDSA\",\(kid),\(typ)}")))
        #expect(!isMalformed(entry("{\"alg\":\"Ed25519\",\(kid),\(typ)}")))
        for header in [
            "{}", "[]", "{\"alg\":\"none\",\(kid),\(typ)}", "{\"alg\":\"ES256\",\(kid),\(typ)}",
            "{\"alg\":\"EdDSA\",\(kid)}",
            "{\"alg\":\"EdDSA\",\(typ)}", "{\"alg\":\"EdDSA\",\(kid),\(typ),\"cty\":\"x\"}",
            "{\"alg\":\"EdDSA\",\(kid),\(typ),\"crit\":[]}", "{\"alg\":\"EdDSA\",\"alg\":\"EdDSA\",\(kid),\(typ)}",
            "{\"alg\":\"EdDSA\",\"kid\":\"ayesha\",\(typ)}", "{\"alg\":\"EdDSA\",\"kid\":\"did:web:pk#a#b\",\(typ)}",
            "{\"alg\":\"EdDSA\",\"kid\":\"did:web:sv.alliance.example#ayesha\",\(typ)}",
        ] { #expect(isMalformed(entry(header)), "\(header)") }
        #expect(isMalformed(entry("{\"alg\":\"EdDSA\",\(kid),\(typ)}", signature: 63)))
        if case .unknown(let type) = entry("{\"alg\":\"EdDSA\",\(kid),\"typ\":\"entente-future+jwt\"}") {
            #expect(type == "entente-future+jwt")
        } else {
            Issue.record("a kind not known here is no error")
        }
        let credential = try changed { _ in }.payload
        #expect(!isMalformed(entry("{\"alg\":\"EdDSA\",\(kid),\"typ\":\"vc+jwt\",\"cty\":\"vc\"}", credential)))
    }

    @Test("Only rosters may stand in general form, and nothing in a longer one")
    func forms() throws {
        let draft = context.declaration(
            Declaration(register: "r", rows: 0, validUntil: Timestamp(seconds: 1_800_000_000)))
        let general = try JWS.general(type: draft.kind.type, payload: draft.payload, adding: ayesha, to: nil)
        #expect(throws: AllianceError.self) { try Statement(parsing: general) }
        let compact = try draft.signed(by: ayesha)
        for wrong in [compact + [0x0A], compact + [0x3D], [0x20] + compact, Array(compact.dropLast()), []] {
            #expect(throws: AllianceError.self) { try Statement(parsing: wrong) }
        }
        let long = context.definition(
            name: "x", version: 1, descriptor: [UInt8](repeating: 0x20, count: Statement.byteLimit))
        let error = #expect(throws: AllianceError.self) { try long.signed(by: ayesha) }
        #expect(error?.code == .limit)
    }

    @Test("A changed byte anywhere: another identity, and the signature fails")
    func everyByteIsSigned() throws {
        let bytes = try context.approval(of: [HashValue.sha256("a")]).signed(by: ayesha)
        let key = try TestKey.signingKey("pk officer ayesha")
        for position in bytes.indices {
            var changed = bytes
            changed[position] ^= 1
            guard let statement = try? Statement(parsing: changed) else { continue }
            #expect(!statement.signatures[0].isValid(by: key), "byte \(position)")
        }
        #expect(try Statement(parsing: bytes).signatures[0].isValid(by: key))
    }

    @Test("Rosters with two of one name, or one key twice, are refused; unknown kinds permit nothing")
    func badRosters() throws {
        let key = try TestKey.signingKey("pk officer ayesha")
        let other = try TestKey.signingKey("pk officer bilal")
        func officer(_ name: String, _ key: SigningKey) -> Officer {
            Officer(name: name, key: key, kinds: [.attestation], registers: nil)
        }
        for officers in [[officer("a", key), officer("a", other)], [officer("a", key), officer("b", key)]] {
            #expect(throws: AllianceError.self) {
                try context.roster(Roster(officers: officers, nodes: [])).signed(by: TestAlliance.root("pk"))
            }
        }
        let draft = context.roster(Roster(officers: [officer("a", key)], nodes: []))
        let text = String(decoding: draft.payload, as: UTF8.self)
            .replacing("[\"attestation\"]", with: "[\"attestation\",\"future\",\"roster\"]")
        let newer = try Draft(kind: .roster, payload: Array(text.utf8)).signed(by: TestAlliance.root("pk"))
        guard case .roster(let roster) = try Statement(parsing: newer).body else { throw unread }
        #expect(roster.officers[0].kinds == [.attestation])
    }
}

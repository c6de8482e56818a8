import Crypto
import TestSupport
import TransparencyLog

@testable import Alliance

/// One statement of every kind, in the name of `pk`.
enum StatementSamples {
    static let licence: JSONObject = [
        "licenceNumber": "PK-0117", "competentAuthority": "Pakistan Digital Assets Authority",
        "legalName": "Karakoram Exchange Ltd", "lei": "TESTPK00RAVIPAY00089", "domains": ["karakoram.example"],
    ]

    static func drafts() throws -> [(StatementKind, Draft)] {
        let context = try TestAlliance().context()
        guard let warnings = BuiltInRegisters.definition(named: "warnings") else { throw VectorError("no warnings") }
        let some = HashValue.sha256("some statement")
        let from = Timestamp(seconds: TestAlliance.start, offsetMinutes: 300)
        return [
            (.roster, context.roster(try Roster.sample(twoOfficers: ["warnings"]))),
            (.register, context.definition(name: "warnings", version: 1, descriptor: warnings.descriptor)),
            (
                .attestation,
                context.attestation(
                    register: "vasp-licences", key: "PK-0117", status: "authorised", validFrom: from,
                    validUntil: Timestamp(seconds: TestAlliance.start + 86_400, offsetMinutes: 300), fields: licence,
                    supersedes: [some])
            ),
            (
                .document,
                context.document(
                    PolicyDocument(
                        work: "/akn/pk/act/2025/virtual-assets", language: "en", date: "2025-08-31",
                        title: "Virtual Assets Act 2025: summary as amended", mediaType: "text/markdown", size: 512,
                        digest: HashValue.sha256("the document's bytes"),
                        relations: [.init(type: "amends", work: "/akn/pk/act/2025/virtual-assets")],
                        supersedes: [some]))
            ),
            (
                .retraction,
                context.retraction(
                    Retraction(
                        targets: [.init(identity: some, register: "vasp-licences", key: "PK-0117")],
                        reason: .enteredInError, note: "The wrong firm."))
            ),
            (
                .endorsement,
                context.endorsement(
                    Endorsement(
                        identity: some, member: TestAlliance.id("sv"), register: "recognitions",
                        key: "sv/vasp-licences",
                        type: .adopts))
            ),
            (.approval, context.approval(of: [some])),
            (
                .declaration,
                context.declaration(Declaration(register: "vasp-licences", rows: 12, validUntil: from))
            ),
        ]
    }

    static func signer(of kind: StatementKind) -> Signer {
        kind == .roster ? TestAlliance.root("pk") : TestAlliance.officer("ayesha")
    }
}

/// A key of the samples: whose it is, and its seed.
private func seed(_ owner: String, _ name: String) -> JSONValue {
    let key = TestKey.privateKey("\(owner) \(name)")
    return [
        "name": .string("\(owner) \(name)"), "seed": hex(TestKey.seed("\(owner) \(name)")),
        "publicKey": hex(key.publicKey.rawRepresentation),
    ]
}

extension VectorFile {
    static let charters = VectorFile(
        name: "charters",
        about: """
            Charters (charter.md). `file` is a charter's file. valid: it verifies as version 1. Seeds are for these vectors \
            only.
            """
    ) {
        let alliance = try TestAlliance()
        let regulators = ["pk", "sv", "us"]
        let file = try alliance.file(signers: regulators.map { TestAlliance.root($0) })
        let payload = try alliance.charter.charter.payload()
        let content = String(decoding: file, as: UTF8.self)
        let two = try alliance.file(signers: ["pk", "sv"].map { TestAlliance.root($0) })
        let observer = try alliance.file(signers: ["pk", "sv", "imf"].map { TestAlliance.root($0) })
        let other = try SignedCharter.sign(
            payload: payload,
            by: Signer(member: TestAlliance.id("us"), keyName: "root-1", key: TestKey.privateKey("stranger")),
            adding: two)
        func verifies(_ bytes: [UInt8]) -> Bool { (try? SignedCharter(parsing: bytes).verifyFirst()) != nil }
        try VectorError.require(verifies(file), "the charter")
        let wrong: [([UInt8], String)] = [
            (two, "a regulator has not signed"), (observer, "an observer's signature does not count"),
            (other, "a signature in a known key's name does not verify"),
            (Array(content.replacing("\"signatures\"", with: "\"signers\"").utf8), "another member name"),
        ]
        return [
            "seeds": .array(regulators.map { seed($0, "root-1") }),
            "charters": .array(
                try [
                    accepted([
                        "file": .string(content), "payload": text(payload),
                        "digest": .string(alliance.charter.digest.hex),
                        "fingerprint": .string(alliance.charter.fingerprint),
                    ])
                ]
                    + wrong.map { bytes, why in
                        try VectorError.require(!verifies(bytes), why)
                        return refused(["file": text(bytes)], why)
                    }),
        ]
    }

    static let statements = VectorFile(
        name: "statements",
        about: """
            Statements of every kind (statements.md) in the alliance of charters.json. `signer` names the key in `keys`. \
            valid: a well-formed statement whose signature verifies; whether it counts is another matter (logs.json). \
            identity and leaf are hexadecimal.
            """
    ) {
        let keys = [seed("pk", "root-1"), seed("pk", "officer ayesha"), seed("pk", "officer bilal")]
        var cases: [JSONValue] = []
        for (kind, draft) in try StatementSamples.drafts() {
            let bytes = try draft.signed(by: StatementSamples.signer(of: kind))
            let statement = try Statement(parsing: bytes)
            cases.append(
                accepted([
                    "kind": .string(kind.rawValue), "typ": .string(kind.type),
                    "signer": kind == .roster ? "pk root-1" : "pk officer ayesha", "entry": text(bytes),
                    "payload": text(draft.payload), "identity": .string(statement.identity.hex),
                    "leaf": .string(MerkleTree.leafHash(bytes).hex),
                ]))
        }
        let alliance = try TestAlliance().charter.alliance
        return [
            "alliance": .string(alliance.base64url), "keys": .array(keys),
            "statements": .array(try cases + general() + wrongStatements()),
        ]
    }

    /// A roster that two root keys signed.
    private static func general() throws -> [JSONValue] {
        guard let draft = try StatementSamples.drafts().first?.1 else { throw VectorError("no roster") }
        let one = try JWS.general(
            type: draft.kind.type, payload: draft.payload, adding: TestAlliance.root("pk"), to: nil)
        let both = try draft.signed(by: TestAlliance.root("pk", 2), adding: one)
        let statement = try Statement(parsing: both)
        return [
            accepted([
                "kind": "roster", "typ": .string(draft.kind.type), "signer": "pk root-1", "entry": text(both),
                "payload": text(draft.payload), "identity": .string(statement.identity.hex),
                "leaf": .string(MerkleTree.leafHash(both).hex),
            ])
        ]
    }

    private static func wrongStatements() throws -> [JSONValue] {
        guard let attestation = try StatementSamples.drafts().first(where: { $0.0 == .attestation })?.1 else {
            throw VectorError("no attestation")
        }
        let signer = TestAlliance.officer("ayesha")
        let payload = String(decoding: attestation.payload, as: UTF8.self)
        let changes: [(String, String, String)] = [
            ("\"status\":\"authorised\",", "", "no status"),
            ("\"key\":\"PK-0117\"", "\"key\":\"PK-0118\"", "the subject's id is of another key"),
            ("\"iat\":", "\"vc\":{},\"iat\":", "a vc claim"),
            ("\"VerifiableCredential\"", "\"Credential\"", "not of the type VerifiableCredential"),
            ("undefined-terms/v2", "undefined-terms/v1", "the last context is another"),
            ("2026-11-22T", "2026-11-21T", "validUntil is not after validFrom"),
            ("\"iat\":1795248000", "\"iat\":\"1795248000\"", "iat is no number"),
            ("did:web:pk", "did:web:sv", "the issuer is not the member of the key"),
        ]
        var cases: [JSONValue] = []
        for (from, to, why) in changes {
            let changed = payload.replacing(from, with: to)
            let bytes = try JWS.compact(type: attestation.kind.type, payload: Array(changed.utf8), signer: signer)
            try VectorError.require(changed != payload && (try? Statement(parsing: bytes)) == nil, why)
            cases.append(refused(["entry": text(bytes)], why))
        }
        let good = String(decoding: try attestation.signed(by: signer), as: UTF8.self)
        let parts = good.split(separator: ".").map(String.init)
        func header(_ object: JSONValue) -> String { Base64.encodeURL(object.encoded()) }
        let kid: JSONValue = .string("\(TestAlliance.id("pk"))#ayesha")
        let whole: [(String, String)] = [
            ("\(parts[0]).\(parts[1])", "two parts"),
            ("\(header(["alg": "none", "kid": kid, "typ": "vc+jwt"])).\(parts[1]).\(parts[2])", "alg none"),
            ("\(header(["alg": "EdDSA", "kid": kid])).\(parts[1]).\(parts[2])", "no typ"),
            (
                "\(header(["alg": "EdDSA", "kid": kid, "typ": "vc+jwt", "crit": []])).\(parts[1]).\(parts[2])",
                "a header member that is not known"
            ), (good + "=", "padding"), ("\(good)\n", "a line end"),
        ]
        for (text, why) in whole {
            try VectorError.require((try? Statement(parsing: Array(text.utf8))) == nil, why)
            cases.append(refused(["entry": .string(text)], why))
        }
        return cases
    }
}

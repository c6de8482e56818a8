import Alliance
import Crypto
import Foundation
import Testing
import TransparencyLog

@testable import Node

/// A plan holds exactly the bytes that are signed; whatever is done with it changes nothing else.
struct PlanTests {
    private let member = "did:web:pk.alliance.example"
    private let alliance = HashValue.sha256("alliance")
    private let now: Int64 = 1_790_000_000

    private func signer(_ name: String) -> Signer {
        Signer(member: member, keyName: name, key: Curve25519.Signing.PrivateKey())
    }

    private func plan(_ drafts: [Draft], officers: [Signer], twoOfficers: [String] = []) throws -> Plan {
        let context = PlanContext(
            alliance: alliance, member: member, title: "Pakistan", zone: "Asia/Karachi", logSize: 7,
            officers: officers.map { Plan.OfficerKey(name: $0.keyName, key: $0.publicKey) }, twoOfficers: twoOfficers)
        return try Plan(context: context, register: "agreements", made: now, summary: ["x"], drafts: drafts)
    }

    private func drafts(_ count: Int) -> [Draft] {
        let context = DraftContext(member: member, alliance: alliance, issuedAt: now)
        return (0..<count).map { number in
            context.attestation(
                register: "agreements", key: "k\(number)", status: "signed",
                validFrom: Timestamp(seconds: now, offsetMinutes: 300), fields: ["title": "Ünïcode \"\\\n é"])
        }
    }

    @Test func itsFileReadsBackToTheSameBytes() throws {
        let officer = signer("ayesha")
        var plan = try plan(drafts(3), officers: [officer])
        plan.documents = [PlanDocument(digest: .sha256([1]), size: 1, name: "a", path: "/a", bytes: [1])]
        #expect(try Plan(parsing: plan.bytes, file: "x") == plan)
        #expect(try plan.sign(by: officer, now: now) == .signed(3))
        #expect(try Plan(parsing: plan.bytes, file: "x") == plan)
        #expect(try Plan(parsing: plan.bytes, file: "x").bytes == plan.bytes)
    }

    @Test func itKeepsWhatWasKnownOfOtherLogsInOneFormOnly() throws {
        var context = PlanContext(
            alliance: alliance, member: member, title: "Pakistan", zone: "Asia/Karachi", logSize: 7, officers: [],
            twoOfficers: [])
        context.known = KnownSizes(parsing: "us:7,sv:120")
        let plan = try Plan(context: context, register: "agreements", made: now, summary: ["x"], drafts: drafts(1))
        #expect(try Plan(parsing: plan.bytes, file: "x") == plan)
        let text = String(decoding: plan.bytes, as: UTF8.self)
        #expect(text.contains("\"known\":\"sv:120,us:7\""))
        for bad in ["us:7,sv:120", "sv:0120,us:7", "sv:120,sv:7", "sv", ""] {
            let changed = text.replacingOccurrences(of: "sv:120,us:7", with: bad)
            #expect(throws: SetupError.self, "\(bad)") { try Plan(parsing: Array(changed.utf8), file: "x") }
        }
    }

    @Test func aLineIsReadHoweverItsJSONIsWritten() throws {
        let officer = signer("ayesha")
        var plan = try plan(drafts(2), officers: [officer])
        _ = try plan.sign(by: officer, now: now)
        var lines = String(decoding: plan.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        #expect(lines[1].hasPrefix("{\"entry\":\"e"))
        lines[1] = "{ \"entry\" : \"\\u0065" + lines[1].dropFirst("{\"entry\":\"e".count)
        let text = lines.joined(separator: "\n") + "\n"
        #expect(try Plan(parsing: Array(text.utf8), file: "x") == plan)
        // What is not a text that ends where the line does is no such line.
        lines[1] = lines[1].dropLast() + ",\"more\":1}"
        let longer = lines.joined(separator: "\n") + "\n"
        #expect(throws: SetupError.self) { try Plan(parsing: Array(longer.utf8), file: "x") }
    }

    @Test func ofSeveralWrongLinesTheFirstIsReported() throws {
        let officer = signer("ayesha")
        var plan = try plan(drafts(3_000), officers: [officer])
        _ = try plan.sign(by: officer, now: now)
        var lines = String(decoding: plan.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        for wrong in [2_900, 1_500, 1_501] { lines[wrong] = "{\"entry\":\"nonsense\"}" }
        let text = lines.joined(separator: "\n") + "\n"
        let error = #expect(throws: SetupError.self) { try Plan(parsing: Array(text.utf8), file: "x") }
        #expect(error?.place.contains("line 1501") == true || error?.reason.contains("line 1501") == true)
    }

    @Test func whatIsSignedIsExactlyWhatWasPlanned() throws {
        let officer = signer("ayesha")
        let drafts = drafts(5)
        var plan = try plan(drafts, officers: [officer])
        _ = try plan.sign(by: officer, now: now)
        let statements = try plan.entries.map { try Statement(parsing: $0) }
        #expect(statements.map(\.payload) == drafts.map(\.payload))
        let key = try SigningKey(officer.publicKey)
        for statement in statements { #expect(statement.signatures.allSatisfy { $0.isValid(by: key) }) }
        let before = plan
        #expect(try plan.sign(by: officer, now: now + 9) == .already)
        #expect(plan == before)
    }

    // MARK: Rosters

    private func rosterPlan(_ roots: [Signer], threshold: Int) throws -> Plan {
        let drafts = DraftContext(member: member, alliance: alliance, issuedAt: now)
        let key = try SigningKey(signer("ayesha").publicKey)
        let officer = Officer(name: "ayesha", key: key, kinds: [.attestation], registers: nil)
        var roster = Roster(
            officers: [officer], nodes: [RosterNode(name: "node1", addresses: [], tlsKeys: [.sha256("n")])])
        let context = PlanContext(
            alliance: alliance, member: member, title: "Pakistan", zone: "Asia/Karachi", logSize: 7, officers: [],
            twoOfficers: [],
            roots: PlanRoots(
                threshold: threshold, keys: roots.map { Plan.OfficerKey(name: $0.keyName, key: $0.publicKey) },
                previous: try drafts.roster(roster).signed(by: roots[0])))
        try roster.require(two: true, for: "warnings")
        return try Plan(context: context, roster: roster, made: now)
    }

    @Test(arguments: [1, 2, 3])
    func aRosterTakesAsManyRootKeysAsTheCharterSaysInAnyOrder(threshold: Int) throws {
        let roots = (1...3).map { signer("root-\($0)") }
        var plan = try rosterPlan(roots, threshold: threshold)
        #expect(try Plan(parsing: plan.bytes, file: "x") == plan)
        for (position, root) in roots.reversed().prefix(threshold).enumerated() {
            #expect(plan.missingRootSignatures == threshold - position)
            #expect(try plan.sign(by: root, now: now) == .signed(1))
            #expect(try plan.sign(by: root, now: now) == .already)
            plan = try Plan(parsing: plan.bytes, file: "x")
        }
        #expect(plan.missingRootSignatures == 0 && plan.isSigned)
        // No more are added than the charter asks for.
        #expect(try plan.sign(by: roots[0], now: now) == .already)
        let statement = try Statement(parsing: plan.entries[0])
        let keys = try Dictionary(uniqueKeysWithValues: roots.map { ($0.keyName, try SigningKey($0.publicKey)) })
        #expect(statement.signatures.count == threshold)
        for signature in statement.signatures {
            let key = try #require(keys[signature.keyName])
            #expect(signature.isValid(by: key))
        }
        #expect(plan.rosterDiff?.changes.map(\.name) == ["warnings"])
    }

    @Test func onlyRootKeysOfTheCharterSignARoster() throws {
        let roots = [signer("root-1"), signer("root-2")]
        var plan = try rosterPlan(roots, threshold: 2)
        let stranger = Signer(member: "did:web:sv.alliance.example", keyName: "root-1", key: .init())
        for other in [signer("ayesha"), signer("root-1"), stranger] {
            #expect(throws: SetupError.self) { try plan.sign(by: other, now: now) }
        }
        #expect(!plan.isSigned)
    }

    @Test func aPlanOfARosterHoldsNothingElse() throws {
        let officer = signer("ayesha")
        let roots = [signer("root-1")]
        let roster = try rosterPlan(roots, threshold: 1)
        var other = try plan(drafts(1), officers: [officer])
        _ = try other.sign(by: officer, now: now)
        func lines(_ plan: Plan) -> [String] {
            String(decoding: plan.bytes, as: UTF8.self).split(separator: "\n").map { "\($0)\n" }
        }
        for mixed in [lines(roster)[0] + lines(other)[1], lines(other)[0] + lines(roster)[1]] {
            #expect(throws: SetupError.self) { try Plan(parsing: Array(mixed.utf8), file: "x") }
        }
        let two = lines(roster)[0].replacingOccurrences(of: "\"steps\":1", with: "\"steps\":2") + lines(roster)[1]
        #expect(throws: SetupError.self) { try Plan(parsing: Array((two + lines(roster)[1]).utf8), file: "x") }
    }

    @Test func onlyOfficersOfTheRosterSign() throws {
        let officer = signer("ayesha")
        var plan = try plan(drafts(1), officers: [officer])
        let stranger = Signer(member: "did:web:sv.alliance.example", keyName: "ayesha", key: .init())
        for other in [signer("omar"), signer("ayesha"), stranger] {
            #expect(throws: SetupError.self) { try plan.sign(by: other, now: now) }
        }
        #expect(!plan.isSigned)
    }

    @Test func aSecondOfficerApprovesInPiecesBehindWhichAPlanCanBeCut() throws {
        let (first, second, third) = (signer("ayesha"), signer("omar"), signer("zara"))
        var plan = try plan(drafts(2_500), officers: [first, second, third], twoOfficers: ["agreements"])
        #expect(plan.twoOfficers)
        _ = try plan.sign(by: first, now: now)
        #expect(try plan.sign(by: second, now: now) == .approved(2_500, approvals: 3))
        #expect(try plan.sign(by: third, now: now) == .approved(2_500, approvals: 3))
        #expect(try plan.sign(by: second, now: now) == .already)
        #expect(plan.signers().signed == ["ayesha"] && plan.signers().approved.sorted() == ["omar", "zara"])
        // Every batch is complete: each statement in it is approved by both, in it and behind the statement.
        let batches = plan.batches(most: 1_100)
        #expect(batches.flatMap { $0 } == plan.entries && batches.count == 3)
        for batch in batches {
            var waiting: [HashValue: Int] = [:]
            for entry in batch {
                let statement = try Statement(parsing: entry)
                guard case .approval(let identities) = statement.body else {
                    waiting[statement.identity] = 2
                    continue
                }
                #expect(identities.count <= Plan.approvalLimit)
                for identity in identities { waiting[identity, default: 0] -= 1 }
            }
            #expect(waiting.values.allSatisfy { $0 == 0 })
        }
    }

    @Test func largePlansAreCutByCountAndBytes() throws {
        let officer = signer("ayesha")
        var plan = try plan(drafts(10), officers: [officer])
        _ = try plan.sign(by: officer, now: now)
        #expect(plan.batches(most: 4).map(\.count) == [4, 4, 2])
        let one = plan.entries[0].count
        #expect(plan.batches(bytes: one * 3 + 50).map(\.count).max() == 3)
        #expect(plan.batches(bytes: 1).map(\.count) == Array(repeating: 1, count: 10))
    }

    @Test func aChangedPlanIsRefused() throws {
        let officer = signer("ayesha")
        var plan = try plan(drafts(2), officers: [officer])
        let draft = plan.bytes
        _ = try plan.sign(by: officer, now: now)
        for good in [draft, plan.bytes] {
            let text = String(decoding: good, as: UTF8.self)
            let lines = text.split(separator: "\n").map { "\($0)\n" }
            let bad = [
                String(text.dropLast()), lines[0], lines[0] + lines[1], text + "\n", text + lines[2], "",
                text.replacingOccurrences(of: "\"base\":7", with: "\"base\":7,\"more\":1"),
                text.replacingOccurrences(of: "pk.alliance", with: "sv.alliance"),
                text.replacingOccurrences(of: "\"entente-plan\":1", with: "\"entente-plan\":2"),
                text.replacingOccurrences(of: "\"payload\":\"", with: "\"payload\":\"AB"),
                text.replacingOccurrences(of: "\"entry\":\"", with: "\"entry\":\"AB"),
            ]
            for bad in bad where bad != text {
                #expect(throws: SetupError.self) { try Plan(parsing: Array(bad.utf8), file: "x") }
            }
        }
    }

    @Test func documentsTravelInsideUpToALimitAndUnchanged() async throws {
        try await withFolder { folder in
            let path = "\(folder)/a.txt"
            try PlainFile.write(Array("text".utf8), to: path)
            let found = try DocumentFile.inspect(path)
            #expect(found.size == 4 && found.digest == .sha256("text"))
            var plan = try plan(drafts(1), officers: [])
            plan.documents = [PlanDocument(digest: found.digest, size: 4, name: "a.txt", path: path)]
            try plan.embedDocuments()
            #expect(try Plan(parsing: plan.bytes, file: "x").documents[0].bytes == Array("text".utf8))
            try PlainFile.write(Array("TEXT".utf8), to: path, overwrite: true)
            plan.documents[0].bytes = nil
            #expect(throws: SetupError.self) { try plan.embedDocuments() }
            plan.documents[0] = PlanDocument(
                digest: found.digest, size: Int64(PlanDocument.embeddedLimit) + 1, name: "a", path: path)
            #expect(throws: SetupError.self) { try plan.embedDocuments() }
        }
    }

    @Test func manyRetractionsBecomeSeveralEntriesThatFit() throws {
        var drafts = PlanDrafts(member: member, alliance: alliance, now: now)
        let targets = (0..<2_345).map { number in
            Retraction.Target(
                identity: .sha256("\(number)"), register: "agreements",
                key: String(repeating: "k", count: 1 + number % 900)
            )
        }
        drafts.add(retracting: targets, reason: .enteredInError, note: nil)
        var seen: [HashValue] = []
        let officer = signer("ayesha")
        for draft in drafts.drafts {
            let entry = try draft.signed(by: officer)
            #expect(entry.count <= Statement.byteLimit)
            guard case .retraction(let retraction) = try Statement(parsing: entry).body else { continue }
            seen += retraction.targets.map(\.identity)
        }
        #expect(seen == targets.map(\.identity))
    }

    @Test func changesOfAFileBecomeStatementsOfTheirKind() throws {
        let definition = try #require(BuiltInRegisters.definition(named: "agreements"))
        let zone = try #require(MemberZone("Asia/Karachi"))
        let from = try #require(Timestamp(parsing: "2026-01-01T00:00:00+05:00"))
        func row(_ key: String, _ title: String, _ identity: String) -> PublishedRow {
            PublishedRow(
                key: key, status: "signed", validFrom: from,
                fields: ["agreement": .string(key), "title": .string(title), "kind": "treaty", "parties": ["a"]],
                identity: HashValue.sha256(identity).hex)
        }
        let file = """
            key,status,validFrom,agreement,title,kind,parties
            corrected,signed,2026-01-01,corrected,New title,treaty,a
            moved,lapsed,2026-02-01,moved,Same,treaty,a
            new,signed,2026-03-01,new,Fresh,treaty,a

            """
        let result = try RegisterImport(into: definition, zone: zone).read(Array(file.utf8))
        #expect(result.refused.isEmpty)
        let changes = RegisterChanges.compare(
            result, published: [row("corrected", "Old", "1"), row("moved", "Same", "2"), row("gone", "Gone", "3")],
            missing: .retract, definition: definition, now: from)
        var drafts = PlanDrafts(member: member, alliance: alliance, now: now)
        drafts.add(definition: definition)
        try drafts.add(changes)
        #expect(drafts.drafts.map(\.kind) == [.register, .attestation, .attestation, .attestation, .retraction])
        let rows = try drafts.drafts[1...3].map { draft -> Attestation in
            let statement = try Statement(parsing: try draft.signed(by: signer("ayesha")))
            guard case .attestation(let row) = statement.body else { throw SetupError(.malformed, "row", "is none") }
            return row
        }
        #expect(rows.map(\.supersedes) == [[.sha256("1")], [], []])
        #expect(rows.map { $0.validFrom.dateText } == ["2026-01-01", "2026-02-01", "2026-03-01"])
        let plan = try plan(drafts.drafts, officers: [])
        let lines = PlanDescription(plan).lines
        #expect(lines.map(\.word) == ["definition", "signed", "lapsed", "signed", "retraction"])
        #expect(lines[1].replaces == 1 && lines[4].replaces == 1)
    }
}

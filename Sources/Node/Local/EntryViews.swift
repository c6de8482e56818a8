import Alliance
import Foundation
import Store
import TransparencyLog

/// How entries of a log are shown by the local interface.
enum EntryViews {
    static func entry(_ bytes: [UInt8], at index: UInt64, ignored: String?) -> JSONValue {
        var object: JSONObject = ["index": .integer(Int64(index))]
        let verdict = ignored.flatMap { Verdict.Reason(rawValue: $0) }
        switch LogEntry(bytes) {
        case .stateLeaf(let leaf):
            object["kind"] = "state-leaf"
            object["counts"] = true
            object["summary"] = .string("state of \(leaf.lines.count) maps")
        case .unknown(let type):
            object["kind"] = "unknown"
            object["counts"] = false
            object["summary"] = .string("a statement of type \(type), which this version does not know")
        case .malformed(let error):
            object["kind"] = "malformed"
            object["counts"] = false
            object["summary"] = .string(error.description)
        case .statement(let statement):
            object["kind"] = .string(statement.kind.rawValue)
            object["counts"] = .bool(ignored == nil)
            object["identity"] = .string(statement.identity.hex)
            object["signedBy"] = .string(statement.signer.keyName)
            object["register"] = statement.register.map { .string($0) }
            object["key"] = statement.key.map { .string($0) }
            object["about"] = .array(subjects(of: statement))
            object["issuedAt"] = .string(Timestamp(seconds: statement.issuedAt).text)
            if case .attestation(let attestation) = statement.body {
                object["status"] = .string(attestation.status)
                object["validFrom"] = .string(attestation.validFrom.text)
            }
            object["summary"] = .string(summary(of: statement))
        }
        object["reason"] = verdict.map { .string($0.text) } ?? .null
        return .object(object)
    }

    /// The registers and keys that a statement is about, other than rosters, definitions and declarations.
    private static func subjects(of statement: Statement) -> [JSONValue] {
        func subject(_ register: String, _ key: String) -> JSONValue {
            ["register": .string(register), "key": .string(key)]
        }
        return switch statement.body {
        case .attestation(let row): [subject(row.register, row.key)]
        case .document(let document): [subject(ReservedMap.documents, document.work)]
        case .endorsement(let endorsement): [subject(endorsement.register, endorsement.key)]
        case .retraction(let retraction): retraction.targets.map { subject($0.register, $0.key) }
        case .roster, .register, .declaration, .approval: []
        }
    }

    /// One line for people.
    static func summary(of statement: Statement) -> String {
        switch statement.body {
        case .roster(let roster):
            return "roster \(roster.ordinal): \(roster.officers.count) officers, \(roster.nodes.count) nodes"
        case .register(let definition): return "definition of \(definition.name), version \(definition.version)"
        case .attestation(let attestation):
            let name = name(of: attestation).map { " \($0)" } ?? ""
            return "\(attestation.key)\(name): \(attestation.status) from \(attestation.validFrom.dateText)"
        case .document(let document): return "\(document.title) (\(document.work), \(document.date))"
        case .retraction(let retraction):
            let targets = retraction.targets.map { "\($0.register) \($0.key)" }.prefix(3).joined(separator: ", ")
            return
                "takes back \(targets)\(retraction.targets.count > 3 ? " and more" : ""): \(retraction.reason.rawValue)"
        case .endorsement(let endorsement):
            return "\(endorsement.type.rawValue) \(endorsement.register) \(endorsement.key) of \(endorsement.member)"
        case .approval(let identities): return "approves \(identities.count) statements"
        case .declaration(let declaration):
            return
                "\(declaration.register) is complete with \(declaration.rows) rows until \(declaration.validUntil.dateText)"
        }
    }

    /// The name that a row gives its subject, where it has one of the usual fields.
    static func name(of attestation: Attestation) -> String? {
        let label = RegisterChanges.label(of: attestation.fields, key: attestation.key)
        return label.utf8.elementsEqual(attestation.key.utf8) ? nil : label
    }

    static func statement(_ placed: PlacedAttestation, _ definition: RegisterDefinition) -> JSONValue {
        let attestation = placed.attestation
        return [
            "identity": .string(placed.identity.hex), "index": .integer(Int64(placed.index)),
            "status": .string(attestation.status), "validFrom": .string(attestation.validFrom.text),
            "validUntil": attestation.validUntil.map { .string($0.text) } ?? .null,
            "fields": .object(attestation.fields), "signedBy": .string(placed.signedBy),
            "supersedes": .array(attestation.supersedes.map { .string($0.hex) }),
            "problems": .array(definition.problems(in: attestation).map { .string($0.description) }),
        ]
    }

    /// What one member says of one key at one time.
    static func row(
        _ key: String, register: String, member: CharterMember, row: RowThen, definition: RegisterDefinition,
        at time: Int64
    ) -> JSONValue {
        var object: JSONObject = [
            "member": .string(member.name), "register": .string(register), "key": .string(key),
        ]
        var speaking: PlacedAttestation?
        var conflict = false
        if row.isEmptied {
            object["answer"] = "retracted"
        } else if case .speaks(let placed, let others) = Choice(at: time, of: row.statements, definition: definition) {
            object["answer"] = "present"
            speaking = placed
            conflict = !others.isEmpty
        } else {
            object["answer"] = "none-in-force"
        }
        let attestation = speaking?.attestation
        object["status"] = attestation.map { .string($0.status) } ?? .null
        object["permitsBusiness"] =
            attestation.flatMap { definition.permitsBusiness($0.status) }.map { .bool($0) } ?? .null
        object["validFrom"] = attestation.map { .string($0.validFrom.text) } ?? .null
        object["validUntil"] = attestation?.validUntil.map { .string($0.text) } ?? .null
        object["fields"] = .object(attestation?.fields ?? [:])
        object["identity"] = speaking.map { .string($0.identity.hex) } ?? .null
        object["index"] = .integer(Int64(speaking?.index ?? row.last))
        object["signedBy"] = speaking.map { .string($0.signedBy) } ?? .null
        object["conflict"] = .bool(conflict)
        // What breaks the definition counts all the same, and is shown as not valid.
        object["problems"] = .array(
            attestation.map { definition.problems(in: $0).map { .string($0.description) } } ?? [])
        object["statements"] = .array(row.statements.map { statement($0, definition) })
        return .object(object)
    }
}

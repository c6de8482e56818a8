import TestSupport
import TransparencyLog

@testable import Alliance

/// A small log of `pk` and what it proves.
enum ProofSamples {
    /// Batches: the first roster with two definitions; two licences; one revoked from a later date, one corrected and
    /// one taken back; and some entries that cannot count.
    static func log() throws -> MemoryLog {
        var log = try TestAlliance().log()
        try log.begin(["vasp-licences", "warnings"])
        let first = try log.licence("PK-0117", domains: ["karakoram.example"])
        let second = try log.licence("PK-0098", lei: "TESTPK00RAVIPAY00089", domains: ["ravipay.example"])
        let third = try log.licence("PK-0061")
        try log.publish([first, second, third])
        let revoked = try log.licence("PK-0117", "revoked", from: TestAlliance.start + 3 * 86_400)
        let corrected = try log.licence(
            "PK-0098", lei: "TESTPK00RAVIPAY00089", supersedes: [HashValue.sha256(second)])
        let taken = try log.retraction(of: [(third, "PK-0061")])
        try log.publish([revoked, corrected, taken])
        let stranger = try log.licence("PK-0200", by: "mallory")
        let spelled = try log.licence(" PK-0117")
        let limited = try log.licence("PK-0201", by: "carla")
        try log.publish([
            stranger, spelled, limited, first, Array("no statement".utf8),
            try JWS.compact(
                type: "entente-future+jwt", payload: Array("{}".utf8), signer: TestAlliance.officer("ayesha")),
        ])
        return log
    }
}

extension Verdict {
    fileprivate var word: String {
        switch self {
        case .counted: "counted"
        case .stateLeaf: "state-leaf"
        case .ignored(let reason): reason.rawValue
        }
    }
}

extension VectorFile {
    static let logs = VectorFile(
        name: "logs",
        about: """
            A log of the member pk in the alliance of charters.json: every entry with its verdict (statements.md, section \
            6), so that the state leaves can be recomputed; its checkpoints; and its rows at the end (row bytes are \
            hexadecimal).
            """
    ) {
        let log = try ProofSamples.log()
        let notes = try [4, 8, 12, 19].map { size in
            try log.note(size: size, cosigned: MemoryLog.usual)
        }
        let keys = log.rows.keys.sorted {
            $0.map == $1.map ? $0.key.lexicographicallyPrecedes($1.key) : $0.map < $1.map
        }
        return [
            "member": .string(log.member.id),
            "entries": .array(
                zip(log.entries, log.verdicts).enumerated().map { index, entry in
                    ["index": .integer(Int64(index)), "verdict": .string(entry.1.word), "entry": text(entry.0)]
                }),
            "checkpoints": .array(notes.map { text($0.bytes) }),
            "rows": .array(
                keys.map { key in
                    [
                        "map": .string(key.map), "key": text(key.key), "bytes": hex(log.rows[key]?.bytes ?? []),
                        "emptied": .bool(log.rows[key]?.isEmptied ?? false),
                    ]
                }),
        ]
    }

    static let proofs = VectorFile(
        name: "proofs",
        about: """
            Proof files (proof-files.md) from the log of logs.json, verified with the charter of charters.json at `now` \
            (and `on`, `expect` where given). `exit` is the exit status: 0 good, 1 bad, 2 cannot tell, 3 not as expected.
            """
    ) {
        let log = try ProofSamples.log()
        let day: Int64 = 86_400
        let questions: [(String, String, Int64?, String?, Int32)] = [
            ("vasp-licences", "PK-0117", nil, nil, 0), ("vasp-licences", "PK-0117", nil, "authorised", 0),
            ("vasp-licences", "PK-0117", nil, "revoked", 3), ("vasp-licences", "PK-0117", -day, nil, 0),
            ("vasp-licences", "PK-0117", 3 * day, nil, 2), ("vasp-licences", "PK-0098", nil, "business", 0),
            ("vasp-licences", "PK-0061", nil, "retracted", 0), ("vasp-licences", "PK-0300", nil, "not-stated", 0),
            ("vasp-licences/domains", "ravipay.example", nil, "no-longer-stated", 0),
            ("vasp-licences/lei", "TESTPK00RAVIPAY00089", nil, "present", 0), ("warnings", "none", nil, nil, 0),
        ]
        var cases: [JSONValue] = []
        for (map, key, on, expect, exit) in questions {
            let proof = try log.proof(key, in: map, on: on.map { TestAlliance.start + $0 })
            var options = VerificationOptions()
            options.expectation = try expect.map { try ProofExpectation(parsing: $0) }
            let report = proof.report(log.charter, options)
            try VectorError.require(
                report.conclusion.exitStatus == exit,
                "\(map) \(key): \(report.conclusion.exitStatus) instead of \(exit)\n\(report.text(allChecks: true))")
            cases.append(proofCase(text(proof.encoded()), expect, exit, report))
        }
        return ["proofs": .array(try cases + changed(log))]
    }

    private static func proofCase(
        _ file: JSONValue, _ expect: String?, _ exit: Int32, _ report: VerificationReport
    ) -> JSONValue {
        var object: JSONObject = ["file": file, "now": .string(Timestamp(seconds: report.now).text)]
        object["expect"] = expect.map { .string($0) }
        object["exit"] = .integer(Int64(exit))
        object["answer"] = report.answer.map { .string($0.name) } ?? .null
        object["failed"] = .array(report.troubles.map { .string($0.rawValue) })
        return .object(object)
    }

    /// Proofs that say something false, or are too old.
    private static func changed(_ log: MemoryLog) throws -> [JSONValue] {
        let good = try log.proof("PK-0117")
        let late = good.report(log.charter, now: TestAlliance.start + 40 * 86_400)
        try VectorError.require(late.conclusion == .cannotTell, "an old proof")
        var cases = [proofCase(text(good.encoded()), nil, 2, late)]
        let alone = try log.proof("PK-0117", cosigned: [MemoryLog.usual[0]])
        let twice = try log.proof("PK-0117", cosigned: [MemoryLog.usual[0], ("sv", TestAlliance.start + 81_000)])
        let own = try log.proof("PK-0117", cosigned: [MemoryLog.usual[0], ("pk", TestAlliance.start + 81_000)])
        for few in [alone, twice, own] {
            let report = few.report(log.charter)
            try VectorError.require(report.conclusion == .bad, "too few members")
            cases.append(proofCase(text(few.encoded()), nil, 1, report))
        }
        let file = String(decoding: good.encoded(), as: UTF8.self)
        let edits: [(String, String)] = [
            ("\"key\": \"PK-0117\"", "\"key\": \"PK-0118\""), ("\"vasp-licences\"", "\"warnings\""),
        ]
        for (from, to) in edits {
            let edited = file.replacing(from, with: to, maxReplacements: 1)
            let proof = try ProofFile(parsing: Array(edited.utf8))
            let report = proof.report(log.charter)
            try VectorError.require(report.conclusion == .bad, to)
            cases.append(proofCase(.string(edited), nil, 1, report))
        }
        return cases
    }
}

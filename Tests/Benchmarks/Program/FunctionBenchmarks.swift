import Alliance
import Crypto
import Foundation
import TransparencyLog

/// Single functions, called over and over by one thread: processor time, which others' use of the machine disturbs least.
enum FunctionBenchmarks {
    static func measure(_ limits: MachineLimits, into report: Report) throws {
        let signer = Signer(member: "did:web:pk.alliance.example", keyName: "ayesha", key: .init())
        let officer = SampleOfficer(signer: signer, alliance: HashValue.sha256([1] as [UInt8]))
        let entry = try officer.licence("PK-0000001")
        func add(_ name: String, _ about: String, _ microseconds: Double, note: String? = nil) {
            report.add(Measurement(name: name, about: about, value: microseconds, unit: "µs", note: note))
        }
        let parse = try median { try Statement(parsing: entry) }
        add("function.parse", "parse a statement of \(entry.count) bytes", parse)
        let sign = try median { try officer.licence("PK-0000001") }
        add("function.sign", "draft and sign a statement", sign)
        let signature = try JWS(parsing: entry).signatures[0]
        let key = try SigningKey(signer.publicKey)
        let verify = median { signature.isValid(by: key) }
        add("function.verify", "verify a statement's signature", verify)
        let leaf = median { MerkleTree.leafHash(entry) }
        add("function.leaf", "hash an entry as a leaf", leaf)
        try maps(add)
    }

    /// Changes of a register map that holds 20,000 rows.
    private static func maps(_ add: (String, String, Double, String?) -> Void) throws {
        func rows(_ numbers: Range<Int>) -> [(key: HashValue, value: HashValue?)] {
            numbers.map { (HashValue.sha256(Array("k\($0)".utf8)), HashValue.sha256(Array("v\($0)".utf8))) }
        }
        var map = InMemoryRegisterMap()
        _ = try map.update(rows(0..<20_000))
        var next = 20_000
        func perChange(_ batch: Int, _ rounds: Int) throws -> Double {
            var times: [Double] = []
            for _ in 0..<rounds {
                let changes = rows(next..<next + batch)
                next += batch
                let before = ProcessorTime.exact
                _ = try map.update(changes)
                times.append((ProcessorTime.exact - before) * 1e6 / Double(batch))
            }
            return Spread(times).median
        }
        add("function.map.single", "one row in a register map of 20,000", try perChange(1, 300), nil)
        add(
            "function.map.batch", "a row in a batch of 1,000, register map of 20,000", try perChange(1_000, 7),
            "in memory, pages encoded")
    }

    /// Verifies a real proof file.
    static func verify(
        _ file: [UInt8], _ charter: VerifiedCharter, _ limits: MachineLimits, into report: Report
    ) throws {
        let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970))
        let verdict = Verifier().verify(try ProofFile(parsing: file), charter: charter, at: now)
        guard verdict.conclusion.exitStatus == 0 else {
            throw BenchmarkError("the proof is not good: \(verdict.text(allChecks: true))")
        }
        let time = try median {
            Verifier().verify(try ProofFile(parsing: file), charter: charter, at: now)
        }
        report.add(
            Measurement(
                name: "function.proof", about: "read and verify a proof file of \(file.count) bytes",
                value: time / 1_000, unit: "ms", target: .atMost(1)))
    }

    /// Microseconds of processor time of a call: the median of seven times a twentieth of a second.
    private static func median<Value>(_ body: () throws -> Value) rethrows -> Double {
        Spread(try (0..<7).map { _ in try cost(seconds: 0.05) { keep(try body()) } }).median
    }
}

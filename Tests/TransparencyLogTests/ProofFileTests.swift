import Testing
import TransparencyLog

/// A log of eight entries, cosigned by two witnesses.
struct SmallLog {
    let reference = ReferenceTree(8)
    let signer: NoteSigner
    let witnesses: [CosignatureSigner]
    let note: SignedNote

    init() throws {
        signer = try NoteSigner(name: "log.example/test", seed: Vector.seed)
        witnesses = try [cosigner(1), cosigner(2)]
        let text = try Checkpoint(origin: signer.name, size: 8, root: reference.root(0..<8)).text
        let cosignatures = try witnesses.map { try $0.sign(text, at: 1_000) }
        note = try SignedNote(text: text, signatures: [signer.sign(text)] + cosignatures)
    }

    func proof(_ index: Int, extra: [UInt8]? = nil) throws -> TLogProof {
        try TLogProof(index: UInt64(index), hashes: reference.path(index, in: 0..<8), note: note, extra: extra)
    }

    func policy() throws -> TLogPolicy {
        try TLogPolicy(
            logs: [.init(key: signer.verifierKey)],
            witnesses: [
                .init(name: "one", key: witnesses[0].verifierKey), .init(name: "two", key: witnesses[1].verifierKey),
            ],
            groups: [.init(name: "both", threshold: 2, members: ["one", "two"])],
            quorum: "both"
        )
    }
}

@Suite struct ProofFileTests {
    let log: SmallLog

    init() throws {
        log = try SmallLog()
    }

    @Test func roundTrip() throws {
        for index in 0..<8 {
            let proof = try log.proof(index)
            let parsed = try TLogProof(parsing: proof.bytes)
            #expect(parsed == proof)
            #expect(parsed.bytes == proof.bytes)
            let evaluation = try parsed.verify(leaf: log.reference.leaves[index], policy: log.policy())
            #expect(evaluation.checkpoint.size == 8)
            #expect(evaluation.cosigners.map(\.timestamp) == [1_000, 1_000])
            _ = try parsed.verify(leaf: log.reference.leaves[index], keys: [log.signer.verifierKey])
            expectThrows(.proofFailed) {
                _ = try parsed.verify(leaf: log.reference.leaves[(index + 1) % 8], policy: log.policy())
            }
            expectThrows(.proofFailed) {
                _ = try parsed.verify(leaf: .zero, keys: [log.signer.verifierKey])
            }
        }
        let proof = try log.proof(3, extra: [1, 2, 3])
        #expect(proof.bytes.starts(with: utf8("c2sp.org/tlog-proof@v1\nextra AQID\nindex 3\n")))
        #expect(try TLogProof(parsing: proof.bytes) == proof)
    }

    @Test func everyBitCounts() throws {
        let bytes = try log.proof(5).bytes
        let policy = try log.policy()
        let leaf = log.reference.leaves[5]
        for bit in 0..<bytes.count * 8 {
            let changed = bytes.flipping(bit: bit)
            #expect(isRefused { _ = try TLogProof(parsing: changed).verify(leaf: leaf, policy: policy) }, "bit \(bit)")
        }
    }

    @Test func truncation() throws {
        let bytes = try log.proof(5).bytes
        let policy = try log.policy()
        let leaf = log.reference.leaves[5]
        for count in 0..<bytes.count {
            let part = Array(bytes[..<count])
            #expect(isRefused { _ = try TLogProof(parsing: part).verify(leaf: leaf, policy: policy) })
        }
        for byte in UInt8.min...UInt8.max { #expect(isRefused { _ = try TLogProof(parsing: bytes + [byte]) }) }
    }

    @Test func strictness() throws {
        let note = String(decoding: log.note.bytes, as: UTF8.self)
        let header = "c2sp.org/tlog-proof@v1\n"
        let hash = HashValue.sha256("x").base64 + "\n"
        _ = try TLogProof(parsing: utf8(header + "index 5\n" + hash + "\n" + note))
        let bad = [
            "index 5\n\n", "c2sp.org/tlog-proof@v2\nindex 5\n\n", "c2sp.org/tlog-proof@v1\r\nindex 5\n\n",
            header + "index 05\n\n", header + "index +5\n\n", header + "index  5\n\n", header + "index 5 \n\n",
            header + "index -1\n\n", header + "index 9223372036854775807\n\n",
            header + "index 18446744073709551616\n\n",
            header + "Index 5\n\n", header + "index 5\n", header + "\nindex 5\n\n", header + "extra \nindex 5\n\n",
            header + "extra AB==\nindex 5\n\n", header + "extra AA==\nextra AA==\nindex 5\n\n",
            header + "index 5\nextra AA==\n\n", header + "index 5\nindex 5\n\n",
            header + "index 5\n" + hash.dropLast(2) + "\n\n", header + "index 5\n " + hash + "\n",
            header + "index 5\n" + hash.dropLast(3) + "B=\n\n", header + "index 5\nAA==\n\n",
            header + "index 5\n" + String(repeating: hash, count: 64) + "\n",
        ]
        for text in bad { #expect(isRefused { _ = try TLogProof(parsing: utf8(text + note)) }, "\(text)") }
        let most = header + "index 5\n" + String(repeating: hash, count: 63) + "\n"
        #expect(try TLogProof(parsing: utf8(most + note)).hashes.count == 63)
        expectThrows(.invalidProof) {
            _ = try TLogProof(index: 1, hashes: Array(repeating: .zero, count: 64), note: log.note)
        }
        expectThrows(.invalidProof) { _ = try TLogProof(index: 1, hashes: [], note: log.note, extra: []) }
        expectThrows(.invalidProof) { _ = try TLogProof(index: .max, hashes: [], note: log.note) }
    }

    @Test func witnessRequests() throws {
        let link = log.reference.proof(3, in: 0..<8)
        let request = try AddCheckpointRequest(oldSize: 3, proof: link, note: log.note)
        #expect(try AddCheckpointRequest(parsing: request.bytes) == request)
        #expect(request.bytes.starts(with: utf8("old 3\n" + link[0].base64 + "\n")))
        let old = log.reference.root(0..<3)
        #expect(request.objection(last: (3, old)) == nil)
        #expect(request.objection(last: (3, .zero)) == .inconsistent)
        #expect(request.objection(last: (2, old)) == .conflict(lastSize: 2))
        #expect(request.objection(last: nil) == .conflict(lastSize: 0))
        let first = try AddCheckpointRequest(oldSize: 0, proof: [], note: log.note)
        #expect(first.objection(last: nil) == nil)
        #expect(try AddCheckpointRequest(oldSize: 0, proof: link, note: log.note).objection(last: nil) == .inconsistent)
        let refresh = try AddCheckpointRequest(oldSize: 8, proof: [], note: log.note)
        #expect(refresh.objection(last: (8, log.reference.root(0..<8))) == nil)
        #expect(refresh.objection(last: (8, old)) == .inconsistent)
        let empty = try Checkpoint(origin: log.signer.name, size: 0, root: .zero).text
        let wrong = try SignedNote(text: empty, signatures: [log.signer.sign(empty)])
        #expect(try AddCheckpointRequest(oldSize: 0, proof: [], note: wrong).objection(last: nil) == .inconsistent)
        expectThrows(.invalidRequest) { _ = try AddCheckpointRequest(oldSize: 9, proof: [], note: log.note) }
        let note = String(decoding: log.note.bytes, as: UTF8.self)
        let hash = HashValue.sha256("x").base64 + "\n"
        for text in [
            "", "old 3\n", "old 03\n\n", "old +3\n\n", "old\n\n", "old 9\n\n", "old 3\n" + hash, "old 3\nAAAA\n\n",
            "old 3\n" + String(repeating: hash, count: 64) + "\n", "old 3\r\n\r\n", " old 3\n\n",
        ] {
            #expect(isRefused { _ = try AddCheckpointRequest(parsing: utf8(text + note)) }, "\(text)")
        }
        for count in 0..<request.bytes.count {
            let part = Array(request.bytes[..<count])
            guard let cut = try? AddCheckpointRequest(parsing: part) else { continue }
            #expect(cut.bytes == part)
        }
    }
}

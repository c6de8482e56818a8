import TestSupport
import Testing
import TransparencyLog

@testable import Alliance

@Suite("Fork proofs")
struct ForkProofTests {
    let log: MemoryLog
    let other: MemoryLog
    let key: VerifierKey

    init() throws {
        let charter = try TestAlliance().charter
        let member = try #require(charter.charter.member(id: TestAlliance.id("pk")))
        var log = MemoryLog(member: member, charter: charter)
        try log.begin()
        var other = log
        try log.publish([try log.licence("PK-1")])
        try log.publish([try log.licence("PK-2")])
        try other.publish([try other.licence("PK-9")])
        (self.log, self.other, key) = (log, other, member.log)
    }

    /// Of the larger log, and the other at its end.
    private func proof() throws -> ForkProof {
        try ForkProof(
            of: log.note(cosigned: [("sv", 5)]), other.note(cosigned: []), branch: try branch(other.entries.count),
            key: key)
    }

    private func branch(_ size: Int) throws -> ForkProof.Branch {
        ForkProof.Branch(
            root: try MerkleTree.root(size: UInt64(size), reader: log),
            proof: try MerkleTree.consistencyProof(
                from: UInt64(size), to: UInt64(log.entries.count), reader: log))
    }

    @Test("Two heads of different sizes, or of one: a proof that reads back and verifies by the log's key alone")
    func holds() throws {
        let proof = try proof()
        #expect(proof.origin == key.name && proof.sizes.smaller == UInt64(other.entries.count))
        #expect(proof.sizes.larger == UInt64(log.entries.count))
        #expect(proof.smaller.signatures.count == 1 && proof.larger.signatures.count == 1)
        let again = try ForkProof(parsing: proof.bytes)
        #expect(again == proof)
        try again.verify(by: key)
        #expect(throws: AllianceError.self) { try again.verify(by: TestAlliance.noteSigner("sv").verifierKey) }

        let size = other.entries.count
        let (one, two) = (try log.note(size: size, cosigned: []), try other.note(cosigned: []))
        let equal = try ForkProof(of: one, two, branch: nil, key: key)
        #expect(try ForkProof(of: two, one, branch: nil, key: key) == equal, "in any order")
        #expect(equal.branch == nil && equal.sizes.smaller == equal.sizes.larger)
    }

    @Test("What proves nothing is refused")
    func refused() throws {
        let size = log.entries.count - 3
        let (newest, before) = (try log.note(cosigned: []), try log.note(size: size, cosigned: []))
        // The smaller is what the larger begins with.
        #expect(throws: AllianceError.self) {
            try ForkProof(of: before, newest, branch: branch(size), key: key)
        }
        // One head twice; another log's head; a head without the log's signature; a branch where there is none.
        #expect(throws: AllianceError.self) { try ForkProof(of: newest, newest, branch: nil, key: key) }
        let foreign = try TestAlliance.noteSigner("sv")
        let stranger = try SignedNote(text: newest.text, signatures: [try foreign.sign(newest.text)])
        #expect(throws: AllianceError.self) { try ForkProof(of: stranger, newest, branch: nil, key: key) }
        #expect(throws: AllianceError.self) {
            try ForkProof(of: other.note(cosigned: []), newest, branch: nil, key: key)
        }
        // A proof that does not lead there.
        let genuine = try branch(other.entries.count)
        for wrong in [
            ForkProof.Branch(root: HashValue.sha256("another"), proof: genuine.proof),
            ForkProof.Branch(root: genuine.root, proof: Array(genuine.proof.dropLast())),
            ForkProof.Branch(root: genuine.root, proof: []),
        ] {
            #expect(throws: AllianceError.self) {
                try ForkProof(of: other.note(cosigned: []), newest, branch: wrong, key: key)
            }
        }
    }

    @Test("One encoding: whatever byte is changed, it is refused, or it is refused as unsigned")
    func oneEncoding() throws {
        let bytes = try proof().bytes
        var accepted = 0
        for position in bytes.indices {
            var changed = bytes
            changed[position] ^= 1
            guard let read = try? ForkProof(parsing: changed) else { continue }
            accepted += 1
            #expect(throws: AllianceError.self, "byte \(position)") { try read.verify(by: key) }
        }
        #expect(accepted > 100, "signatures and hashes are read, and do not verify")
        #expect(throws: AllianceError.self) { try ForkProof(parsing: bytes + [0x0A]) }
        #expect(throws: AllianceError.self) { try ForkProof(parsing: Array(bytes.dropLast())) }
        #expect(throws: AllianceError.self) {
            try ForkProof(parsing: Array(repeating: 0x20, count: ForkProof.byteLimit + 1))
        }
    }

    @Test("Of two proofs one is kept, by everybody the same: the smaller head that is less, then the bytes that are")
    func kept() throws {
        let proof = try proof()
        let size = other.entries.count
        let equal = try ForkProof(
            of: log.note(size: size, cosigned: []), other.note(cosigned: []), branch: nil, key: key)
        #expect(proof.isKept(ratherThan: equal) != equal.isKept(ratherThan: proof))
        #expect(!proof.isKept(ratherThan: proof))
        var third = other
        try third.publish([try third.licence("PK-10")])
        let later = try ForkProof(
            of: third.note(cosigned: []), log.note(size: third.entries.count, cosigned: []), branch: nil, key: key)
        #expect(proof.isKept(ratherThan: later) && !later.isKept(ratherThan: proof))
    }
}

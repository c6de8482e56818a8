import TestSupport
import TransparencyLog

@testable import Alliance

extension VectorFile {
    static let forks = VectorFile(
        name: "forks",
        about: """
            Fork proofs (forks.md) against the log of pk in logs.json, whose key is `vkey`. valid: the file is read, and \
            proves that the log told two stories.
            """
    ) {
        let log = try ProofSamples.log()
        let key = try TestAlliance.noteSigner("pk").verifierKey
        func note(_ size: Int, root: HashValue? = nil) throws -> SignedNote {
            let root = try root ?? MerkleTree.root(size: UInt64(size), reader: log)
            let text = try Checkpoint(origin: key.name, size: UInt64(size), root: root).text
            return try SignedNote(text: text, signatures: [try TestAlliance.noteSigner("pk").sign(text)])
        }
        func branch(_ from: Int, _ to: Int) throws -> ForkProof.Branch {
            ForkProof.Branch(
                root: try MerkleTree.root(size: UInt64(from), reader: log),
                proof: try MerkleTree.consistencyProof(from: UInt64(from), to: UInt64(to), reader: log))
        }
        let false8 = try note(8, root: HashValue.sha256("another story"))
        let proof = try ForkProof(of: false8, note(19), branch: branch(8, 19), key: key)
        let equal = try ForkProof(of: false8, note(8), branch: nil, key: key)
        let text = String(decoding: proof.bytes, as: UTF8.self)
        let true8 = String(decoding: try note(8).bytes, as: UTF8.self).replacing("\n", with: "\\n")
        let said8 = String(decoding: false8.bytes, as: UTF8.self).replacing("\n", with: "\\n")
        return [
            "vkey": .string(key.description),
            "forks": [
                ["file": .string(text), "valid": true, "smaller": 8, "larger": 19],
                [
                    "file": .string(String(decoding: equal.bytes, as: UTF8.self)), "valid": true, "smaller": 8,
                    "larger": 8,
                ],
                [
                    "file": .string(text.replacing(said8, with: true8)), "valid": false,
                    "why": "the larger head begins with the smaller one",
                ],
                [
                    "file": .string(text.replacing("\n19\n".replacing("\n", with: "\\n"), with: "\\n20\\n")),
                    "valid": false, "why": "the log's key did not sign the larger head",
                ],
                [
                    "file": .string(
                        text.replacing(try branch(8, 19).root.base64url, with: HashValue.sha256("x").base64url)),
                    "valid": false, "why": "the proof does not lead from that root to the larger head",
                ],
                [
                    "file": .string(text.replacing("  \"entente-fork\"", with: " \"entente-fork\"")), "valid": false,
                    "why": "another encoding",
                ],
            ],
        ]
    }
}

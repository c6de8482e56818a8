import TransparencyLog

extension FuzzTarget {
    private static let vectorLog = "log.example/test+6ffdf1c0+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    private static let vectorWitness = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    private static let keys = [vectorLog, vectorWitness].compactMap { try? VerifierKey(parsing: $0) }
    /// The leaf of the proofs among the seeds.
    private static let leaf = MerkleTree.leafHash(Array("@ABC".utf8))

    static let logFormats: [FuzzTarget] = [
        FuzzTarget("notes", seeds: ["notes", "cosignatures", "keys"]) { bytes in
            if let note = try? SignedNote(parsing: bytes) {
                require(note.bytes == bytes, "a note is written as it was read")
                if let verified = try? note.verify(keys) {
                    require(verified.text == note.text, "the text is the note's")
                }
            }
            if let line = try? NoteSignature(parsing: bytes[...]) {
                require(Array(line.line.utf8) == bytes, "a signature line is written as it was read")
                if let key = keys.last { _ = try? CosignatureSigner.verify(line, key: key, text: bytes) }
            }
            if let text = String(validating: bytes, as: UTF8.self), let key = try? VerifierKey(parsing: text) {
                require(Array(key.description.utf8) == bytes, "a key is written as it was read")
            }
        },
        FuzzTarget("checkpoints", seeds: ["checkpoints"]) { bytes in
            guard let checkpoint = try? Checkpoint(parsing: bytes) else { return }
            require(checkpoint.text == bytes, "a checkpoint is written as it was read")
            require(checkpoint.size <= Checkpoint.maximumSize, "a size is in its limit")
        },
        FuzzTarget("proofs", seeds: ["tlog-proofs", "witness-requests", "map-proofs"]) { bytes in
            if let proof = try? TLogProof(parsing: bytes) {
                require(proof.bytes == bytes, "a proof is written as it was read")
                _ = try? proof.verify(leaf: leaf, keys: keys)
            }
            if let request = try? AddCheckpointRequest(parsing: bytes) {
                require(request.bytes == bytes, "a request is written as it was read")
                _ = request.objection(last: nil)
                _ = request.objection(last: (request.oldSize, request.checkpoint.root))
            }
            if let proof = try? RegisterMapProof(parsing: bytes) {
                require(proof.bytes == bytes, "a map's proof is written as it was read")
                let root = HashValue.sha256(bytes)
                require(!proof.verifyAbsence(key: bytes, root: root), "a proof of a root that is not its own fails")
            }
        },
        FuzzTarget("tiles", seeds: ["tile-paths", "entry-bundles"]) { bytes in
            if let text = String(validating: bytes, as: UTF8.self), let path = try? TilePath(parsing: text) {
                require(Array(path.description.utf8) == bytes, "a path is written as it was read")
                _ = path.fullLeafRange
                require(!path.full.isPartial, "a filled tile is not partial")
            }
            if let entries = try? EntryBundle.decode(bytes) {
                require((try? EntryBundle.encode(entries)) == bytes, "a bundle is written as it was read")
                require((try? EntryBundle.leafHashes(of: bytes))?.count == entries.count, "each entry has a leaf")
            }
        },
        FuzzTarget("policies", seeds: ["policies"]) { bytes in
            guard let policy = try? TLogPolicy(parsing: bytes) else { return }
            require((try? TLogPolicy(parsing: policy.bytes)) == policy, "a policy reads back as itself")
        },
    ]
}

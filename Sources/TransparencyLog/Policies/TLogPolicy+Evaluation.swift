extension TLogPolicy {
    /// What a policy says of a note: a checkpoint genuinely signed by one of its logs, and whether that is enough.
    public struct Evaluation: Hashable, Sendable {
        /// A witness that cosigned, and when, by its word.
        public struct Cosigner: Hashable, Sendable {
            /// What the policy calls the witness.
            public let name: [UInt8]
            /// Its key.
            public let key: VerifierKey
            /// The newest time in its lines, in POSIX seconds.
            public let timestamp: UInt64
        }

        /// The checkpoint, signed by ``log``.
        public let checkpoint: Checkpoint
        /// The key by which it is signed, whose name is the checkpoint's origin.
        public let log: VerifierKey
        /// The policy's witnesses that cosigned it, in the policy's order.
        public let cosigners: [Cosigner]
        /// Whether they are a quorum.
        public let isQuorumReached: Bool
    }

    /// Verifies a checkpoint note's signatures and looks whether its cosigners are a quorum.
    ///
    /// Keys whose algorithm is not supported here never count. How old a cosignature may be is the caller's matter.
    /// - Throws: What ``SignedNote/verify(_:)`` throws: a failing line of any key of the policy refuses the note;
    ///   ``TransparencyLogError/Code/invalidCheckpoint`` if the text is none;
    ///   ``TransparencyLogError/Code/noTrustedSignature`` unless a log signed whose key's name is the origin.
    public func evaluate(_ note: SignedNote) throws -> Evaluation {
        let verified = try note.verify(logs.map(\.key) + witnesses.map(\.key))
        let checkpoint = try Checkpoint(parsing: note.text)
        // The newest time of each key that signed; 0 for a log's own, which carries none.
        var signers: [VerifierKey: UInt64] = [:]
        for signature in verified.signatures {
            signers[signature.key] = max(signers[signature.key] ?? 0, signature.timestamp ?? 0)
        }
        let origin = ExactText(checkpoint.origin)
        guard let log = logs.map(\.key).first(where: { signers[$0] != nil && ExactText($0.name) == origin }) else {
            throw TransparencyLogError(.noTrustedSignature, "no known log of this origin signed", at: checkpoint.origin)
        }
        let cosigners = witnesses.compactMap { witness in
            signers[witness.key].map { Evaluation.Cosigner(name: witness.name, key: witness.key, timestamp: $0) }
        }
        return Evaluation(
            checkpoint: checkpoint,
            log: log,
            cosigners: cosigners,
            isQuorumReached: isQuorum(Set(cosigners.map(\.name)))
        )
    }

    /// As ``evaluate(_:)``, but a quorum is demanded.
    /// - Throws: ``TransparencyLogError/Code/quorumNotReached`` as well.
    public func verify(_ note: SignedNote) throws -> Evaluation {
        let evaluation = try evaluate(note)
        guard evaluation.isQuorumReached else {
            throw TransparencyLogError(.quorumNotReached, "\(evaluation.cosigners.count) witnesses cosigned")
        }
        return evaluation
    }

    /// Whether these witnesses are enough. Groups refer only to what stands before them: one pass decides all.
    private func isQuorum(_ cosigners: Set<[UInt8]>) -> Bool {
        if quorum == Self.noneName { return true }
        var witnessed = cosigners
        for group in groups where group.members.filter(witnessed.contains).count >= group.threshold {
            witnessed.insert(group.name)
        }
        return witnessed.contains(quorum)
    }
}

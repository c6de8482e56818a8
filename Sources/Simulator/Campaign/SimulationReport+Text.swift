extension SimulationReport {
    /// The report for people, the seed first.
    var text: String {
        let outcome = violations.isEmpty ? "agreed \(convergedAfter ?? 0) ms after healing" : "VIOLATION"
        let misbehaving = misbehaviours.isEmpty ? "" : ", misbehaving: \(misbehaviours.joined(separator: " "))"
        let counts = statistics
        let rejections = counts.rejections.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        var lines = ["seed \(seed): \(outcome) (at most \(bound)); \(nodes) nodes, \(topology)\(misbehaving)"]
        lines.append("  \(faults)")
        lines.append("  \(counts.steps) steps, \(counts.milliseconds) ms, \(counts.messages) messages")
        lines.append(
            "  \(counts.entries) entries, \(counts.cosignatures) cosignatures, \(counts.contradictions) contradictions, "
                + "\(counts.forks) fork proofs")
        lines.append(
            "  \(counts.connections) connections, \(counts.crashes) crashes, \(counts.restores) disks put back, \(counts.twins) twins, \(counts.partitions) partitions, "
                + "\(counts.probes) quiet publications")
        if counts.charters > 0 {
            lines.append(
                "  \(counts.charters) charters, \(counts.contests) of them contradict another, taken up "
                    + "\(counts.adoptions) times, \(counts.recounts) logs counted again")
        }
        lines.append(
            "  \(counts.proofs) proofs shown, \(counts.acceptedProofs) accepted, "
                + "\(counts.contradictoryProofs) of them against another")
        for split in splits {
            lines.append("  \(split): more collude than the charter allows for; every honest node holds a fork proof")
        }
        lines.append("  rejections: \(rejections.isEmpty ? "none" : rejections)")
        lines.append("  trace \(String(traceDigest, radix: 16))")
        for violation in violations { lines.append("  \(violation)") }
        return lines.joined(separator: "\n")
    }
}

internal import Alliance
internal import TransparencyLog

// Forks: a log signed two heads of which at most one can be true. Whoever holds the larger one makes a proof, which goes to
// everybody and is never dropped; nobody who has it cosigns that log further, and all count it to the same place, as
// Replication+ForkEnds.swift has it (formats 11).

extension Replication {
    /// Has a proof made of our head and another that contradicts it, where a proof is not held yet.
    mutating func proveFork(_ log: Int, by other: Head) {
        guard logs[log].fork == nil, let ours = logs[log].head, other.size > 0, other.size <= ours.size,
            ours.key != other.key
        else { return }
        emit(.proveFork(origin: logs[log].origin, ours: ours.bareNote, other: other.bareNote))
    }

    /// Has a proof made of what was seen before our head was as large.
    mutating func proveEarlierForks(_ log: Int) {
        guard let old = logs[log].oldHeads.first(where: { $0.isConsistent == false }) else { return }
        proveFork(log, by: old.head)
    }

    /// The shell has made a proof that it was asked for.
    mutating func forkProven(_ origin: String, _ bytes: [UInt8]) {
        guard let log = logIndex(origin), let proof = try? ForkProof(parsing: bytes),
            (try? proof.verify(by: logs[log].key)) != nil
        else { return }
        learn(proof, of: log)
    }

    /// A peer passes a proof on.
    mutating func forkReceived(_ bytes: [UInt8], from peer: Int) throws(Rejection) {
        let proof: ForkProof
        do throws(AllianceError) {
            proof = try ForkProof(parsing: bytes)
        } catch {
            throw Rejection(.invalidForkProof, "it cannot be read as a fork proof: \(error.code.rawValue)")
        }
        // Of a log that only another charter names: nothing that concerns us.
        guard let log = logIndex(proof.origin) else { return }
        if let held = logs[log].fork {
            if held == proof { return peers[peer].logs[log].toldFork = true }
            guard proof.isKept(ratherThan: held), logs[log].forkReplacements < settings.forkReplacements else {
                return tellFork(log, to: peer)
            }
        }
        do throws(AllianceError) {
            try proof.verify(by: logs[log].key)
        } catch {
            throw Rejection(
                .invalidForkProof, origin: logs[log].origin, "the fork proof does not hold: \(error.code.rawValue)")
        }
        learn(proof, of: log, from: peer)
    }

    private mutating func learn(_ proof: ForkProof, of log: Int, from source: Int? = nil) {
        if let held = logs[log].fork {
            guard proof.isKept(ratherThan: held) else { return }
            logs[log].forkReplacements += 1
        }
        logs[log].fork = proof
        logs[log].isContradicted = true
        emit(.persistFork(origin: logs[log].origin, proof: proof.bytes))
        beginEnding(log)
        for peer in peers.indices {
            peers[peer].logs[log].toldFork = peer == source
            if peer == source { tellForkHeads(of: log, to: peer) }
            tellFork(log, to: peer)
        }
        settle(log)
    }

    /// Tells a peer of a log's fork, once.
    mutating func tellFork(_ log: Int, to peer: Int) {
        guard let proof = logs[log].fork, peers[peer].isUsable, !peers[peer].logs[log].toldFork else { return }
        #if DEBUG
        if PlantedBug.keepsForkProofs.isPlanted { return }
        #endif
        peers[peer].logs[log].toldFork = true
        send(peer, .forkProof(proof.bytes))
        tellForkHeads(of: log, to: peer)
    }

    /// Tells a peer of all forks, as it seems to lack something.
    mutating func tellForks(to peer: Int) {
        for log in logs.indices where logs[log].fork != nil {
            peers[peer].logs[log].toldFork = false
            tellFork(log, to: peer)
        }
    }
}

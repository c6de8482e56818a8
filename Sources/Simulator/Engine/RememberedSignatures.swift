import Replication
import Synchronization
import TransparencyLog

/// Signatures that some node of one simulation has verified: what is true at one is true at all, so it is verified once.
/// A real node's shell has such a memory of its own.
final class RememberedSignatures: SignatureMemory {
    private let digests = Mutex<Set<HashValue>>([])

    func isTrue(_ claim: SignatureClaim) -> Bool {
        let digest = claim.digest
        return digests.withLock { $0.contains(digest) }
    }

    func remember(_ claim: SignatureClaim) {
        let digest = claim.digest
        digests.withLock { _ = $0.insert(digest) }
    }
}

import Foundation
import Replication
import TransparencyLog

/// Signatures that were verified, so that the driver, which handles one event at a time, need not: pages of heads of
/// 200 logs with 64 signatures each would hold it for most of a second.
final class VerifiedSignatures: SignatureMemory {
    /// Claims of one generation; two are kept.
    static let limit = 16_384
    /// Fewer than this are verified by whoever needs them.
    static let worthwhile = 8

    private let generations = Mutexed<(young: Set<HashValue>, old: Set<HashValue>)>(([], []))

    func isTrue(_ claim: SignatureClaim) -> Bool {
        let digest = claim.digest
        return generations.withLock { $0.young.contains(digest) || $0.old.contains(digest) }
    }

    func remember(_ claim: SignatureClaim) { remember([claim.digest]) }

    /// Verifies claims on all cores, and remembers those that are true.
    @concurrent
    func verify(_ claims: [SignatureClaim]) async {
        let new = claims.filter { !isTrue($0) }
        guard !new.isEmpty else { return }
        let parts = ProcessInfo.processInfo.activeProcessorCount
        let size = (new.count + parts - 1) / parts
        await withTaskGroup(of: [HashValue].self) { group in
            for start in stride(from: 0, to: new.count, by: size) {
                group.addTask {
                    var found: [HashValue] = []
                    for claim in new[start..<min(start + size, new.count)] {
                        // One that is false ends the message in any case: the rest is not worth the time.
                        guard claim.isTrue else { break }
                        found.append(claim.digest)
                    }
                    return found
                }
            }
            for await found in group { remember(found) }
        }
    }

    private func remember(_ digests: [HashValue]) {
        generations.withLock { generations in
            for digest in digests {
                if generations.young.count >= Self.limit {
                    generations.old = generations.young
                    generations.young = []
                }
                generations.young.insert(digest)
            }
        }
    }
}

extension Message {
    /// Whether it may hold so many signatures that they are worth verifying beforehand.
    var mayHoldManySignatures: Bool {
        switch self {
        case .heads(let page): page.notes.reduce(0) { $0 + $1.count } > 1_024
        case .head(let head): head.note.count > 1_024
        case .forkHeads(let notes): notes.reduce(0) { $0 + $1.count } > 1_024
        case .signatures(let set): set.lines.count >= VerifiedSignatures.worthwhile
        default: false
        }
    }
}

import Alliance
import TransparencyLog

/// What adding a charter to others gave, remembered for the whole run: a pure function of both, which every node would
/// compute again.
final class CharterChecks {
    private struct Key: Hashable {
        let held: HashValue
        let file: HashValue
    }

    /// What became of a charter.
    enum Outcome {
        /// It is known now, whether or not it was before.
        case known(CharterChain)
        case refused(CharterRefusal)
    }

    private var outcomes: [Key: Outcome] = [:]

    /// Everything that a chain rests on: the charters that are known, with their signatures.
    static func digest(_ chain: CharterChain) -> HashValue {
        HashValue.sha256(chain.all.flatMap { $0.digest.bytes + HashValue.sha256($0.file).bytes })
    }

    /// What follows from a chain: the charters that are decided.
    static func decided(_ chain: CharterChain) -> HashValue {
        HashValue.sha256(chain.versions.flatMap(\.digest.bytes))
    }

    func add(_ file: [UInt8], to chain: CharterChain, digest: HashValue) -> Outcome {
        let key = Key(held: digest, file: HashValue.sha256(file))
        if let known = outcomes[key] { return known }
        let outcome = Self.added(file, to: chain)
        // With a bug the order of arrival may matter, which the digest does not tell.
        if remembers { outcomes[key] = outcome }
        return outcome
    }

    private var remembers: Bool {
        #if DEBUG
        return !PlantedBug.decidesByArrival.isPlanted
        #else
        return true
        #endif
    }

    private static func added(_ file: [UInt8], to chain: CharterChain) -> Outcome {
        let signed: SignedCharter
        do throws(AllianceError) { signed = try SignedCharter(parsing: file) } catch {
            return .refused(CharterRefusal(.malformed, error.description))
        }
        var next = chain
        do throws(CharterRefusal) { try next.add(signed) } catch { return .refused(error) }
        return .known(next)
    }
}

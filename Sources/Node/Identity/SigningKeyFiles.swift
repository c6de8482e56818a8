import Alliance
import Foundation
import Logging
import TransparencyLog

/// Finds the log key and the replica key that the charter in force names among the files `log*.key` and `replica*.key`
/// of the node's `keys` folder, so that a member changes them without a restart: the next one is put beside the one in
/// use before regulators sign, or afterwards.
final class SigningKeyFiles: Sendable {
    private let folder: String
    private let passphrase: Passphrase
    private let logger: Logger
    /// Files that hold another key, as they stood then: unlocking takes a tenth of a second.
    private let seen = Mutexed<Set<File>>([])

    /// Files that could not be used, so that each is complained about once.
    private let complained = Mutexed<Set<File>>([])

    /// Files of one kind that are tried.
    static let limit = 16

    private struct File: Hashable {
        let path: String
        let modified: Date?
        /// The key that was looked for.
        let wanted: VerifierKey
    }

    init(folder: String, passphrase: Passphrase, logger: Logger) {
        self.folder = folder
        self.passphrase = passphrase
        self.logger = logger
    }

    /// Gives the identity the keys that it misses and that lie here.
    func look(for identity: NodeIdentity) {
        let missing = identity.missing
        if let key = missing.log {
            find(.log, key) { if let signer = try? NoteSigner(name: key.name, key: $0) { identity.add(signer) } }
        }
        if let key = missing.replica {
            find(.replica, key) {
                if let signer = try? CosignatureSigner(name: key.name, key: $0) { identity.add(signer) }
            }
        }
    }

    private func find(_ kind: KeyKind, _ wanted: VerifierKey, _ use: (any PrivateSigningKey) -> Void) {
        let names = (FileFacts.names(in: folder) ?? []).filter {
            $0.hasPrefix(kind.rawValue) && $0.hasSuffix(KeyFile.privateSuffix)
        }
        for name in names.prefix(Self.limit) {
            let path = "\(folder)/\(name)"
            let modified = try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
            let file = File(path: path, modified: modified, wanted: wanted)
            guard !seen.withLock({ $0.contains(file) }) else { continue }
            do throws(KeyFileError) {
                let key = try KeyFile.open(path, kind: kind, passphrase: passphrase)
                guard let key = key.signing, key.publicKey == wanted.publicKey else {
                    seen.withLock { _ = $0.insert(file) }
                    continue
                }
                logger.notice("took up a key", metadata: ["file": "\(name)", "key": "\(wanted.name)"])
                return use(key)
            } catch {
                // Tried again: its mode may be put right.
                guard complained.withLock({ $0.insert(file).inserted }) else { continue }
                logger.warning("a key cannot be used", metadata: ["reason": "\(error)"])
            }
        }
    }
}

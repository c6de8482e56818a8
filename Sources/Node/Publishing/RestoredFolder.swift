import Alliance
import Logging
import Store

/// Whether the folder is older than what others may know: it came out of a backup, was copied or moved, or somebody knows a
/// later start. Its node signs nothing before every other active member has answered (formats, section 12). A file says so,
/// which goes once that is done; so a restart changes nothing.
struct RestoredFolder: Sendable {
    /// The file in the node's folder; see ``RestoredMark``.
    let path: String
    let identity: NodeIdentity
    let store: Store

    var isMarked: Bool { FileFacts.exists(path) }

    /// Makes it so, durably.
    func mark(_ logger: Logger) {
        guard !isMarked else { return }
        do {
            try write(size: try store.size(of: identity.origin))
        } catch {
            logger.error("only this start knows that the folder is not the newest", metadata: ["reason": "\(error)"])
        }
    }

    /// Makes it so where the database lacks an entry that the audit record says was published: SQLite drops the end of its
    /// log of changes from a damaged frame on, without a word.
    ///
    /// - Throws: where the file cannot be written; the node must not go on then.
    func markLoss(_ audit: AuditFile, _ logger: Logger) throws {
        let size = try store.size(of: identity.origin)
        guard let last = audit.newestEntries[identity.origin], last >= size, !isMarked else { return }
        try write(size: size)
        logger.critical(
            "the database lost entries of this member's log that were published: nothing is signed before they are back",
            metadata: ["published": "\(last)", "entries": "\(size)"])
        audit.append(
            .restored, "the database lost entries of this member's log, up to entry \(last)",
            ["log": .string(identity.origin), "entries": .integer(Int64(clamping: size))], durable: true)
    }

    private func write(size: UInt64) throws {
        let mark = RestoredMark(
            member: identity.member.name, origin: identity.origin, size: Int64(clamping: size), time: Clock.seconds)
        try PrivateFile.write(mark.bytes, to: path, mode: 0o600, overwrite: false)
    }

    /// Everybody was heard, and nobody holds more: the folder is as good as any.
    func complete(_ logger: Logger, _ audit: AuditFile?) {
        guard isMarked else { return }
        do {
            try Folders.removeFile(path)
        } catch {
            return logger.error("the next start will take the folder for restored", metadata: ["reason": "\(error)"])
        }
        logger.notice("this folder holds what the others hold of this member's log: the node publishes again")
        audit?.append(.restored, "the restored folder is complete; publishing goes on", durable: true)
    }
}

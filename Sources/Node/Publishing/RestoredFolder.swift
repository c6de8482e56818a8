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
            let mark = RestoredMark(
                member: identity.member.name, origin: identity.origin,
                size: Int64(clamping: try store.size(of: identity.origin)), time: Clock.seconds)
            try PrivateFile.write(mark.bytes, to: path, mode: 0o600, overwrite: false)
        } catch {
            logger.error("only this start knows that the folder is not the newest", metadata: ["reason": "\(error)"])
        }
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

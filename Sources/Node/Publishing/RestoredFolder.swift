import Logging

/// A folder that came out of a backup: its node signs nothing before every other active member has answered (formats,
/// section 12). A file says so, which goes once that is done; so a restart changes nothing.
struct RestoredFolder: Sendable {
    /// The file in the node's folder; see ``RestoredMark``.
    let path: String

    /// Nil where the folder was not restored.
    init?(path: String) {
        guard FileFacts.exists(path) else { return nil }
        self.path = path
    }

    /// Everybody was heard, and nobody holds more: the folder is as good as any.
    ///
    /// - Returns: whether the file is gone.
    func isComplete(_ logger: Logger, _ audit: AuditFile?) -> Bool {
        do {
            try Folders.removeFile(path)
        } catch {
            logger.error("the next start will take the folder for restored", metadata: ["reason": "\(error)"])
            return false
        }
        logger.notice("the restored folder holds what the others hold of this member's log: the node publishes again")
        audit?.append(.restored, "the restored folder is complete; publishing goes on", durable: true)
        return true
    }
}

import Alliance
import Foundation
import Logging
import TransparencyLog

/// Keeps a node whose folder was restored from a backup from signing: until every other active member has said what it
/// holds of this member's log, and the node has taken back what it lacks (formats, section 12). An old copy that went on by
/// itself would fork the log.
///
/// The folder says that it was restored by a file, which goes once that is done; so a restart changes nothing.
actor RestoreGuard {
    private let path: String
    private let logger: Logger
    private let audit: AuditFile?
    private var isRestored: Bool
    private var waived: Set<String> = []

    /// - Parameter path: the file in the node's folder; see ``RestoredMark``.
    init(path: String, logger: Logger, audit: AuditFile? = nil) {
        self.path = path
        isRestored = FileFacts.exists(path)
        self.logger = logger
        self.audit = audit
    }

    /// Why nothing may be published yet; nil where nothing stands in the way.
    ///
    /// - Parameters:
    ///   - charter: the one in force.
    ///   - own: this member's id.
    ///   - heard: the members that have said since the start what they hold of its log.
    ///   - isLonger: whether one of them holds more than this node.
    func reason(_ charter: Charter, own: String, heard: Set<String>, isLonger: Bool) -> String? {
        guard isRestored else { return nil }
        let missing = charter.members.filter {
            $0.standing == .active && $0.id != own && !heard.contains($0.id) && !waived.contains($0.id)
        }
        guard missing.isEmpty else {
            return "this node's folder was restored from a backup: before it publishes, "
                + "\(missing.map(\.name).joined(separator: ", ")) must say what they hold of its log; to go on without one: "
                + "entente node waive \(missing[0].name)"
        }
        guard !isLonger else {
            return "this node's folder was restored from a backup, and it is taking back newer entries of its own log"
        }
        return finish()
    }

    /// Everybody was heard, and nobody holds more: the folder is as good as any.
    private func finish() -> String? {
        do {
            try Folders.removeFile(path)
        } catch {
            return "\(path) cannot be removed, so the node takes itself for restored: \(error)"
        }
        isRestored = false
        logger.notice("the restored folder holds what the others hold of this member's log: the node publishes again")
        audit?.append(.restored, "the restored folder is complete; publishing goes on", durable: true)
        return nil
    }

    /// The operator goes on without one member's word.
    ///
    /// - Throws: ``NodeError`` where there is nothing to go on without.
    func waive(_ member: CharterMember) throws {
        guard isRestored else { throw NodeError("this node's folder was not restored: there is nothing to waive") }
        waived.insert(member.id)
        logger.warning("the operator goes on without a member's word", metadata: ["member": "\(member.id)"])
        audit?.append(
            .restored, "the operator goes on without the word of \(member.name)", ["member": .string(member.id)],
            durable: true)
    }
}

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
            try PrivateFile.write(try newMark().bytes, to: path, mode: 0o600, overwrite: false)
        } catch {
            logger.error("only this start knows that the folder is not the newest", metadata: ["reason": "\(error)"])
        }
    }

    /// How many entries of the own log were published, by another record than the database. Where it lacks some of them, the
    /// folder is marked: SQLite drops the end of its log of changes from a damaged frame on, without a word.
    ///
    /// - Returns: 0 where nothing else is known, or the log is forked: then entries beyond its end are set aside, and not lost.
    /// - Throws: where the mark cannot be written; the node must not go on then.
    func publishedSize(_ audit: AuditFile, _ logger: Logger) async throws -> UInt64 {
        guard try await !store.forks().contains(where: { $0.origin == identity.origin }) else { return 0 }
        // Whatever an operator wrote into it by hand, that it is there counts.
        let held = isMarked ? try? RestoredMark(parsing: PlainFile.read(path, limit: 4_096), file: path) : nil
        let marked = held.flatMap { $0.origin == identity.origin ? $0.published : nil }.map(UInt64.init) ?? 0
        let size = try store.size(of: identity.origin)
        guard let last = audit.newestEntries[identity.origin], last >= size, last + 1 > marked else { return marked }
        var mark = try held ?? newMark()
        (mark.origin, mark.published) = (identity.origin, Int64(clamping: last + 1))
        try PrivateFile.write(mark.bytes, to: path, mode: 0o600, overwrite: true)
        logger.critical(
            "the database lost entries of this member's log that were published: nothing is signed before they are back",
            metadata: ["published": "\(last + 1)", "entries": "\(size)"])
        audit.append(
            .restored, "the database lost entries of this member's log, up to entry \(last)",
            ["log": .string(identity.origin), "entries": .integer(Int64(clamping: size))], durable: true)
        return last + 1
    }

    private func newMark() throws -> RestoredMark {
        RestoredMark(
            member: identity.member.name, origin: identity.origin,
            size: Int64(clamping: try store.size(of: identity.origin)), time: Clock.seconds)
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

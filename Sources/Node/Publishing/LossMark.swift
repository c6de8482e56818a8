import Alliance
import Logging

extension NodeParts {
    /// Treats the folder as one out of a backup where the database lacks an entry that the audit record says was
    /// published: SQLite drops the end of its log of changes from a damaged frame on, without a word.
    ///
    /// - Parameter size: entries of the member's own log.
    static func markLoss(
        size: UInt64, _ settings: NodeSettings, _ identity: NodeIdentity, _ audit: AuditFile, _ logger: Logger
    ) throws {
        guard let last = audit.newestEntries[identity.origin], last >= size,
            !FileFacts.exists(settings.restoredMarkPath)
        else { return }
        let mark = RestoredMark(
            member: identity.member.name, origin: identity.origin, size: Int64(clamping: size), time: Clock.seconds)
        try PrivateFile.write(mark.bytes, to: settings.restoredMarkPath, mode: 0o600, overwrite: false)
        logger.critical(
            "the database lost entries of this member's log that were published: nothing is signed before they are back",
            metadata: ["published": "\(last)", "entries": "\(size)"])
        audit.append(
            .restored, "the database lost entries of this member's log, up to entry \(last)",
            ["log": .string(identity.origin), "entries": .integer(Int64(clamping: size))], durable: true)
    }
}

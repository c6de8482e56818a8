import Foundation

extension Store {
    /// Bytes that are left on the disk of the folder; nil where the system does not say.
    public var free: UInt64? { Self.free(folder) }

    /// Bytes that are left where a file or folder is.
    static func free(_ path: String) -> UInt64? {
        var facts = statvfs()
        guard statvfs(path, &facts) == 0 else { return nil }
        return UInt64(facts.f_bavail) * UInt64(facts.f_frsize)
    }

    /// Bytes on the disk that a byte of entries may need for a moment: the entries, what is derived of them, and both once
    /// more in the database's log.
    private static let growth: UInt64 = 4

    /// Refuses what would leave less than the reserve on the disk, so that no write fails half-way and what has to be
    /// written at all times (signatures, evidence, the audit record) finds room.
    ///
    /// - Parameter bytes: of the entries, or of the document.
    /// - Throws: ``StoreError`` with code `full`.
    public func makeSureOfRoom(for bytes: Int) throws {
        guard reserve > 0, let free, free < reserve + UInt64(bytes) * Self.growth else { return }
        throw StoreError(
            .full,
            "\(free >> 20) MiB are left on the disk of \(folder), and this takes \(UInt64(bytes) * Self.growth >> 20) beside the "
                + "\(reserve >> 20) that are kept in reserve (diskReserve): make room, and it goes on by itself")
    }

    /// What people are told where the system itself has no room left.
    func full() -> StoreError {
        StoreError(.full, "the disk of \(folder) is full, and nothing was changed: make room, and it goes on by itself")
    }
}

public import TransparencyLog

/// An entry of a log whose hash is computed and whose signature was tried against every key that may be in force.
///
/// Making one is the expensive part of replication, needs no order and no state, and so runs on all cores.
public struct CheckedEntry: Sendable {
    public let entry: LogEntry
    public let leaf: HashValue
    /// Bytes of the entry.
    public let size: Int
    /// The key under which the signature verified; counting asks whether that very key was in force.
    let verifiedBy: SigningKey?

    /// Reads an entry and checks its signature.
    ///
    /// - Parameter keys: the officers' keys that may be in force somewhere in the range at hand.
    public init(_ bytes: [UInt8], keys: KeyCandidates) {
        self.init(entry: LogEntry(bytes), leaf: MerkleTree.leafHash(bytes), size: bytes.count, keys: keys)
    }

    /// Checks the signature of an entry that was already read.
    public init(entry: LogEntry, leaf: HashValue, size: Int, keys: KeyCandidates) {
        self.entry = entry
        self.leaf = leaf
        self.size = size
        guard case .statement(let statement) = entry, statement.kind != .roster else {
            verifiedBy = nil
            return
        }
        let signature = statement.signatures[0]
        verifiedBy = keys.named(signature.keyName).first { signature.isValid(by: $0) }
    }
}

/// The officers' keys that may be in force in a range of one log: those of the roster before it, and of every roster
/// inside it.
public struct KeyCandidates: Sendable {
    private var keys: [String: [SigningKey]] = [:]

    /// The keys of these rosters.
    public init(_ rosters: [Roster]) {
        for roster in rosters {
            for officer in roster.officers where !(keys[officer.name]?.contains(officer.key) ?? false) {
                keys[officer.name, default: []].append(officer.key)
            }
        }
    }

    /// The keys that had that name, oldest first.
    func named(_ name: String) -> [SigningKey] { keys[name] ?? [] }
}

/// What has been derived from one log so far, as storage holds it.
///
/// Calls are made from inside ``LogState``'s processing; they throw only where storage fails.
public protocol LogReader {
    /// The row of a key, as of the last batch.
    func row(_ key: RowKey) throws -> Row?
    /// The first index at which that statement stands before the batch.
    func index(of identity: HashValue) throws -> UInt64?
    /// The bytes of an entry before the batch.
    func entry(at index: UInt64) throws -> [UInt8]
    /// A map as of the last batch; an empty one where there is none.
    func map(_ name: String) throws -> RegisterMap
    /// The bytes of one of a map's pages.
    func page(_ id: RegisterMapPageID, of map: String) throws -> [UInt8]
}

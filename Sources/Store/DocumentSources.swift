import TransparencyLog

/// Who sent the bytes of documents that are still arriving, so that nobody is blamed for what another sent.
///
/// A fetch that ended early goes on with whoever is asked next. Where the whole then has another digest, it cannot be told
/// which piece was wrong: nobody is blamed, and from then on what each member sends of that document is kept apart.
struct DocumentSources {
    private struct Transfer {
        var member: String
        /// Whether some of the bytes are another's, or from before this start.
        var isMixed: Bool
    }

    private var transfers: [HashValue: Transfer] = [:]
    /// Documents of which each member's bytes are kept apart. As many as logs name, at the most.
    private var spoiled: Set<HashValue> = []

    /// Whether each member's bytes of a document are kept apart.
    func areApart(_ digest: HashValue) -> Bool { spoiled.contains(digest) }

    /// A member is asked for the rest of a document; whoever was asked before may add nothing any more.
    ///
    /// - Parameter received: how many bytes are here to be gone on with.
    mutating func begin(_ digest: HashValue, from member: String, received: Int64) {
        let before = transfers[digest]
        let isMixed = received > 0 && !areApart(digest) && (before?.isMixed ?? true || before?.member != member)
        transfers[digest] = Transfer(member: member, isMixed: isMixed)
    }

    /// Whether this member is the one that is asked now.
    func isAsked(_ member: String, for digest: HashValue) -> Bool { transfers[digest]?.member == member }

    /// All of a document has arrived.
    ///
    /// - Returns: whether all of it came from the member that was asked.
    mutating func end(_ digest: HashValue) -> Bool {
        transfers.removeValue(forKey: digest).map { !$0.isMixed } ?? false
    }

    /// What several members sent is not the document.
    mutating func spoil(_ digest: HashValue) { spoiled.insert(digest) }

    /// The document is here.
    mutating func complete(_ digest: HashValue) {
        transfers[digest] = nil
        spoiled.remove(digest)
    }
}

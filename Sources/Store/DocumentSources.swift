import TransparencyLog

/// Who sent the bytes of documents that are still arriving, so that nobody is blamed for what another sent.
///
/// A fetch that ended early goes on with whoever is asked next. Where the whole then has another digest, it cannot be told
/// which piece was wrong: nobody is blamed, and from then on that document is fetched from its beginning by each who is
/// asked, until it is right.
struct DocumentSources {
    private struct Transfer {
        var member: String
        /// Whether some of the bytes are another's, or from before this start.
        var isMixed: Bool
    }

    private var transfers: [HashValue: Transfer] = [:]
    private var spoiled: Set<HashValue> = []

    /// A member is asked for the rest of a document; whoever was asked before may add nothing any more.
    ///
    /// - Parameter received: how many bytes are here.
    /// - Returns: whether these are of use.
    mutating func begin(_ digest: HashValue, from member: String, received: Int64) -> Bool {
        var isMixed = false
        if received > 0 {
            let before = transfers[digest]
            isMixed = before?.isMixed ?? true || before?.member != member
        }
        let isUseful = !isMixed || !spoiled.contains(digest)
        transfers[digest] = Transfer(member: member, isMixed: isMixed && isUseful)
        return isUseful
    }

    /// Whether this member is the one that is asked now.
    func isAsked(_ member: String, for digest: HashValue) -> Bool { transfers[digest]?.member == member }

    /// All has arrived, and is not the document.
    ///
    /// - Returns: whether all of it came from the member that was asked.
    mutating func wasWrong(_ digest: HashValue) -> Bool {
        let isOne = transfers.removeValue(forKey: digest).map { !$0.isMixed } ?? false
        if !isOne { spoiled.insert(digest) }
        return isOne
    }

    mutating func wasRight(_ digest: HashValue) {
        transfers[digest] = nil
        spoiled.remove(digest)
    }
}

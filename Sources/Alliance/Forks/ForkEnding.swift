public import TransparencyLog

/// Where counting in a forked log ends: at the largest checkpoint that a quorum of replicas holds (formats, section 11).
///
/// A value that only ever grows: it is made of the heads that replicas cosigned, whoever tells of them and in whatever order.
/// What two nodes know becomes equal once each has told the other, so counting ends at one checkpoint everywhere:
///
/// - ``end`` is the largest checkpoint that had a quorum under *some* decided charter. A later charter that takes a replica
///   out thus never takes back what was final, and it does not matter which of the two a node learnt first. A checkpoint at
///   the log's newest cut needs no quorum: the regulators' word stands for it.
/// - ``waiting`` has larger heads with fewer cosignatures. They are kept since the others may be with somebody else: those
///   that are among the largest few of *any* replica that cosigned them, with all of their lines. So one who cosigns whatever
///   its log's owner likes crowds nobody else's out, and an owner who shows a replica one head after the other does not make
///   it forget the one that another remembers.
/// - What this node's own member cosigned is remembered beside that (``own``), all of it as far as the store has it. It is
///   told where somebody else tells of the same head.
///
/// Cosignatures' times do not matter here: a clock would make the answer depend on when it is asked.
public struct ForkEnding: Hashable, Sendable {
    /// A replica's cosignature of one head.
    public struct Signature: Hashable, Sendable {
        /// Whose it is, by a key that some decided charter names.
        public let replica: ReplicaQuorum.Replica
        public let line: NoteSignature

        fileprivate func precedes(_ other: Signature) -> Bool {
            replica.key.publicKey.lexicographicallyPrecedes(other.replica.key.publicKey)
        }
    }

    /// A checkpoint that the log's key signed, with cosignatures of replicas. All of them were verified.
    public struct Head: Hashable, Sendable {
        public let checkpoint: Checkpoint
        /// The log's own signature.
        public let logSignature: NoteSignature
        /// One a key, by the public key's bytes.
        public internal(set) var cosignatures: [Signature]

        public var size: UInt64 { checkpoint.size }
        public var root: HashValue { checkpoint.root }

        /// The note: the log's signature, then the cosignatures, as many as a note may have.
        public var note: [UInt8] {
            let room = SignedNote.maximumSignatureCount - 1
            let lines = [logSignature] + cosignatures.prefix(room).map(\.line)
            guard let note = try? SignedNote(text: checkpoint.text, signatures: lines) else {
                preconditionFailure("a verified head makes a note")
            }
            return note.bytes
        }

        fileprivate func precedes(_ other: Head) -> Bool { (size, root) < (other.size, other.root) }
        fileprivate func isSame(_ other: Head) -> Bool { size == other.size && root == other.root }

        fileprivate mutating func merge(_ signatures: [Signature]) {
            for signature in signatures where !cosignatures.contains(where: { $0.replica.key == signature.replica.key })
            {
                let index = cosignatures.firstIndex { signature.precedes($0) } ?? cosignatures.count
                cosignatures.insert(signature, at: index)
            }
        }
    }

    /// The log's key.
    public let key: VerifierKey
    /// The quorums of all decided charters.
    public let quorums: [ReplicaQuorum]
    /// Where the newest charter that cuts this log cuts it.
    public let cut: CharterCut?
    /// Heads of one replica key that wait at the most.
    public let limit: Int
    /// The id of this node's member.
    public let member: String?

    /// The largest checkpoint that a quorum holds; nil while none is known: then nothing of the log is final.
    public private(set) var end: Head?
    /// Larger heads that may get a quorum, by size, then root.
    public private(set) var waiting: [Head] = []

    /// Beyond the end: heads that this node's own member cosigned and that are not among those that wait, by size, then root.
    public private(set) var own: [Head] = []

    /// Heads of one replica key that wait, where nothing else is said.
    public static let usualLimit = 16
    /// Heads of our own that are remembered at the most, the largest; as many as the store keeps of a log that has no newer
    /// quorum.
    public static let ownLimit = 1_024

    /// What is known of a log at first: nothing.
    ///
    /// - Parameters:
    ///   - quorums: one for each decided charter; equal ones may stand for each other.
    ///   - cut: the newest cut of this log, if any charter states one.
    ///   - member: the id of this node's member.
    public init(
        key: VerifierKey, quorums: [ReplicaQuorum], cut: CharterCut? = nil, limit: Int = usualLimit,
        member: String? = nil
    ) {
        var different: [ReplicaQuorum] = []
        for quorum in quorums where !different.contains(quorum) { different.append(quorum) }
        self.key = key
        self.quorums = different
        self.cut = cut
        self.limit = limit
        self.member = member
    }

    // MARK: Learning

    /// Reads a head from a note; of its signatures those of the log and of known replicas are kept.
    ///
    /// - Parameter isTrue: whether a line is a key's signature over a text. Whoever reads a note of its own store, which
    ///   verified it before, need not look again.
    /// - Throws: ``AllianceError``: `badSignature` where the log has not signed, or a known key's line does not verify;
    ///   `invalidField` for another log's head, or one of an empty log.
    public func head(
        _ note: SignedNote, isTrue: (_ key: VerifierKey, _ text: [UInt8], _ line: NoteSignature) -> Bool
    ) throws(AllianceError) -> Head {
        guard let checkpoint = try? Checkpoint(parsing: note.text), checkpoint.extensions.isEmpty, checkpoint.size > 0,
            checkpoint.origin.hasSameBytes(as: key.name)
        else { throw AllianceError(.invalidField, "is no head of \(key.name), or one without entries") }
        guard let own = note.signatures.first(where: { $0.isAttributed(to: key) }), isTrue(key, note.text, own) else {
            throw AllianceError(.badSignature, "a head has no signature by \(key.name)")
        }
        var head = Head(checkpoint: checkpoint, logSignature: own, cosignatures: [])
        for line in note.signatures {
            // One line a key counts, so one is verified.
            guard let replica = replica(of: line),
                !head.cosignatures.contains(where: { $0.replica.key == replica.key })
            else { continue }
            guard isTrue(replica.key, note.text, line) else {
                throw AllianceError(.badSignature, "a cosignature by \(replica.member) does not verify")
            }
            head.merge([Signature(replica: replica, line: line)])
        }
        return head
    }

    private func replica(of line: NoteSignature) -> ReplicaQuorum.Replica? {
        for quorum in quorums {
            if let found = quorum.replicas.first(where: { line.isAttributed(to: $0.key) }) { return found }
        }
        return nil
    }

    /// Takes note of a head, and of who cosigned it.
    ///
    /// - Returns: whether that says anything new: another end, or a cosignature that is kept.
    @discardableResult
    public mutating func add(_ head: Head) -> Bool {
        let before = known
        if let end, end.isSame(head) {
            self.end?.merge(head.cosignatures)
            return known != before
        }
        guard isPossible(head) else { return false }
        var head = head
        if let index = waiting.firstIndex(where: { $0.isSame(head) }) {
            var all = waiting.remove(at: index)
            all.merge(head.cosignatures)
            head = all
        }
        if let index = own.firstIndex(where: { $0.isSame(head) }) { head.merge(own.remove(at: index).cosignatures) }
        if isFinal(head) {
            end = head
            waiting = waiting.filter(isPossible)
            own = own.filter(isPossible)
        } else {
            waiting.insert(head, at: waiting.firstIndex { head.precedes($0) } ?? waiting.count)
            trim()
        }
        return known != before
    }

    /// Whether counting may end at a head, given the end that is known. Of two quorums at one size, which takes more members
    /// that cosign both than the charter allows for, all choose the same.
    private func isPossible(_ head: Head) -> Bool {
        if let cut, head.size < cut.size || head.size == cut.size && head.root != cut.root { return false }
        guard let end else { return true }
        #if DEBUG
        if PlantedBug.endsAtFirstQuorum.isPlanted { return false }
        #endif
        return head.size > end.size || head.size == end.size && head.root < end.root
    }

    /// Whether a quorum holds a head, by any decided charter, or the regulators cut the log there.
    private func isFinal(_ head: Head) -> Bool {
        if let cut, head.size == cut.size, head.root == cut.root { return true }
        return quorums.contains { quorum in
            quorum.isReached { replica in head.cosignatures.contains { $0.replica.key == replica.key } }
        }
    }

    /// Keeps the heads that are among the largest of any key that cosigned them, and no head that nobody did.
    ///
    /// A key's largest heads are the same whoever heard of them in whatever order, since no larger one is let go before a
    /// smaller. A line under a smaller head may be: it comes again with that head from whoever kept it.
    private mutating func trim() {
        var counts: [VerifierKey: Int] = [:]
        var kept: [Head] = []
        for head in waiting.reversed() {
            var hasRoom = false
            for signature in head.cosignatures {
                counts[signature.replica.key, default: 0] += 1
                if counts[signature.replica.key, default: 0] <= limit { hasRoom = true }
            }
            if hasRoom { kept.append(head) } else { remember(head) }
        }
        waiting = kept.reversed()
    }

    /// Remembers that we cosigned a head that waits no longer.
    private mutating func remember(_ head: Head) {
        var alone = head
        alone.cosignatures.removeAll { $0.replica.member != member }
        guard !alone.cosignatures.isEmpty else { return }
        own.insert(alone, at: own.firstIndex { alone.precedes($0) } ?? own.count)
        if own.count > Self.ownLimit { own.removeFirst() }
    }

    // MARK: Telling

    /// What is known, without the signatures themselves: equal where two have nothing to tell each other.
    public struct Known: Hashable, Sendable {
        /// A head, and the keys that cosigned it.
        public struct Head: Hashable, Sendable {
            public let size: UInt64
            public let root: HashValue
            public let keys: [VerifierKey]
        }

        /// Where counting ends.
        public let end: Head?
        /// By size, then root.
        public let waiting: [Head]
    }

    /// What is known.
    public var known: Known {
        func summary(_ head: Head) -> Known.Head {
            Known.Head(size: head.size, root: head.root, keys: head.cosignatures.map(\.replica.key))
        }
        return Known(end: end.map(summary), waiting: waiting.map(summary))
    }

    /// The heads that are told, the end first.
    public var heads: [Head] { (end.map { [$0] } ?? []) + waiting }

    /// The heads to be kept on disk: those that are told, and our own.
    public var keptHeads: [Head] { heads + own }

    /// The same heads, judged by other charters.
    public func judged(by quorums: [ReplicaQuorum], cut: CharterCut?) -> ForkEnding {
        var judged = ForkEnding(key: key, quorums: quorums, cut: cut, limit: limit, member: member)
        for head in keptHeads { judged.add(head) }
        return judged
    }
}

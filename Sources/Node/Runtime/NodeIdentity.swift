import Alliance
import Foundation
import Store
import TransparencyLog

/// Who this node is and what it signs with. The private keys stay in here. Copies share the charters in force, which
/// change while the node runs.
struct NodeIdentity: Sendable, CustomStringConvertible, CustomReflectable {
    let memberID: String
    /// The node's name in the member's roster.
    let nodeName: String
    private let signers: Mutexed<Signers>
    private let charters: Mutexed<CharterChain>

    /// Keys that lie here. Which of them signs is what the charter in force says, so that the next one can lie ready.
    private struct Signers {
        var logs: [NoteSigner]
        var replicas: [CosignatureSigner]
    }

    init(
        charters: CharterChain, member: CharterMember, nodeName: String, logSigner: NoteSigner,
        replicaSigner: CosignatureSigner?
    ) throws {
        // A key that was the member's once is no mistake: a later charter named another, which has yet to be put here.
        let earlier = charters.versions.compactMap { $0.charter.member(id: member.id) }
        guard earlier.contains(where: { $0.log == logSigner.verifierKey }) else {
            throw NodeError("the log key here is not the one that the charter states for \(member.name)")
        }
        if let replicaSigner, !earlier.contains(where: { $0.replica == replicaSigner.verifierKey }) {
            throw NodeError("the replica key here is not the one that the charter states for \(member.name)")
        }
        guard charters.current.charter.member(id: member.id) != nil else {
            throw NodeError("the charter does not list \(member.id)")
        }
        self.charters = Mutexed(charters)
        self.memberID = member.id
        self.nodeName = nodeName
        signers = Mutexed(Signers(logs: [logSigner], replicas: replicaSigner.map { [$0] } ?? []))
    }

    /// The charters that are known.
    var chain: CharterChain { charters.withLock { $0 } }
    /// The charter in force.
    var charter: VerifiedCharter { charters.withLock { $0.current } }
    /// The member, as the charter in force has it.
    var member: CharterMember {
        guard let member = charter.charter.member(id: memberID) else {
            preconditionFailure("a charter without the node's member is never taken up")
        }
        return member
    }

    /// Puts other charters in force; only ``CharterKeeper`` does, once they are durable.
    func take(_ chain: CharterChain) { charters.withLock { $0 = chain } }

    var description: String { "\(member.id) (\(nodeName))" }
    /// Nothing that reflects on values, such as a debugger's dump in a log line, sees a key.
    var customMirror: Mirror { Mirror(self, children: []) }

    /// The origin of this member's own log.
    var origin: String { member.log.name }

    /// Takes up a key that was found.
    func add(_ signer: NoteSigner) { signers.withLock { $0.logs.append(signer) } }
    /// Takes up a key that was found.
    func add(_ signer: CosignatureSigner) { signers.withLock { $0.replicas.append(signer) } }

    /// The key that the charter in force names for the own log, if it lies here.
    private var logSigner: NoteSigner? {
        let key = member.log
        return signers.withLock { $0.logs.first { $0.verifierKey == key } }
    }

    /// The key that the charter in force names for cosigning, if it names one and it lies here.
    private var replicaSigner: CosignatureSigner? {
        guard let key = member.replica else { return nil }
        return signers.withLock { $0.replicas.first { $0.verifierKey == key } }
    }

    /// Which keys that the charter in force names do not lie here.
    var missing: (log: VerifierKey?, replica: VerifierKey?) {
        (logSigner == nil ? member.log : nil, replicaSigner == nil ? member.replica : nil)
    }

    /// Signs a checkpoint of the own log; only the store calls this, inside the transaction that makes it durable.
    func sign(_ checkpoint: Checkpoint) throws -> [UInt8] {
        guard let logSigner else {
            throw NodeError(
                "the charter names another log key for \(member.name) than lies here: put its file into the node's keys"
            )
        }
        return try SignedNote(text: checkpoint.text, signatures: [try logSigner.sign(checkpoint.text)]).bytes
    }

    /// Says that this node starts; nil where the log's key does not lie here.
    func sign(_ incarnation: Incarnation) throws -> IncarnationNote? {
        try logSigner.map { try IncarnationNote(incarnation, signer: $0) }
    }

    /// Signs a receipt for another node's start, at the present time; nil without a replica key.
    func receipt(_ text: [UInt8]) throws -> NoteSignature? {
        try replicaSigner?.sign(text, at: UInt64(Date().timeIntervalSince1970))
    }

    /// Cosigns another member's checkpoint, at the present time.
    func cosign(_ text: [UInt8]) throws -> StoredCosignature? {
        guard let replicaSigner else { return nil }
        let time = UInt64(Date().timeIntervalSince1970)
        return StoredCosignature(member: member.id, time: time, line: try replicaSigner.sign(text, at: time))
    }
}

/// Why a node cannot start or go on; one line for the operator.
public struct NodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what to do.
    public let reason: String

    /// Creates an error.
    public init(_ reason: String) { self.reason = reason }

    public var description: String { reason }
}

/// The wall clock, read at the edges only.
enum Clock {
    /// Milliseconds since 1970.
    static var milliseconds: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
    /// Seconds since 1970.
    static var seconds: Int64 { Int64(Date().timeIntervalSince1970) }
}

/// Moments that go on evenly whatever the wall clock is set to: its time at the beginning, and what has passed since.
struct SteadyClock: Sendable {
    private let beginning = (instant: ContinuousClock.now, milliseconds: Clock.milliseconds)

    /// Milliseconds since 1970, if the clock was right at the beginning.
    var milliseconds: Int64 {
        let passed = (ContinuousClock.now - beginning.instant).components
        return beginning.milliseconds + passed.seconds * 1_000 + passed.attoseconds / 1_000_000_000_000_000
    }
    /// Milliseconds by which the wall clock is ahead of it.
    var wallAhead: Int64 { Clock.milliseconds - milliseconds }
}

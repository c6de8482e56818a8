import Alliance
import Foundation
import Store
import TransparencyLog

/// Who this node is and what it signs with. The private keys stay in here.
struct NodeIdentity: Sendable, CustomStringConvertible, CustomReflectable {
    let charter: VerifiedCharter
    let member: CharterMember
    /// The node's name in the member's roster.
    let nodeName: String
    private let logSigner: NoteSigner
    private let replicaSigner: CosignatureSigner?

    init(
        charter: VerifiedCharter, member: CharterMember, nodeName: String, logSigner: NoteSigner,
        replicaSigner: CosignatureSigner?
    ) throws {
        guard logSigner.verifierKey == member.log else {
            throw NodeError("the log key here is not the one that the charter states for \(member.name)")
        }
        if let replicaSigner, replicaSigner.verifierKey != member.replica {
            throw NodeError("the replica key here is not the one that the charter states for \(member.name)")
        }
        self.charter = charter
        self.member = member
        self.nodeName = nodeName
        self.logSigner = logSigner
        self.replicaSigner = replicaSigner
    }

    var description: String { "\(member.id) (\(nodeName))" }
    /// Nothing that reflects on values, such as a debugger's dump in a log line, sees a key.
    var customMirror: Mirror { Mirror(self, children: []) }

    /// The origin of this member's own log.
    var origin: String { member.log.name }

    /// Signs a checkpoint of the own log; only the store calls this, inside the transaction that makes it durable.
    func sign(_ checkpoint: Checkpoint) throws -> [UInt8] {
        try SignedNote(text: checkpoint.text, signatures: [try logSigner.sign(checkpoint.text)]).bytes
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

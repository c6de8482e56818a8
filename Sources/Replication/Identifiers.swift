/// One session with a peer: from `peerConnected` to `peerDisconnected`. The shell chooses the numbers and never reuses
/// one while the session that bore it is up.
public struct PeerID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The shell's number.
    public let number: UInt64

    /// Names a session.
    public init(_ number: UInt64) {
        self.number = number
    }

    /// By number, so that nothing depends on the order of a hash table.
    public static func < (left: PeerID, right: PeerID) -> Bool {
        left.number < right.number
    }

    /// `peer` and the number.
    public var description: String {
        "peer\(number)"
    }
}

/// A question that Replication asked of the shell and whose answer it awaits. Numbers grow and are never reused.
public struct RequestID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The number, counted from 1.
    public let number: UInt64

    /// Names a request; the shell needs this only when it decodes one from a peer's message.
    public init(_ number: UInt64) {
        self.number = number
    }

    /// By number.
    public static func < (left: RequestID, right: RequestID) -> Bool {
        left.number < right.number
    }

    /// `request` and the number.
    public var description: String {
        "request\(number)"
    }
}

/// A timer, which is data: the shell hands it back in ``Event/timer(_:)`` when it expires.
///
/// Setting a timer that is set already moves it.
public enum TimerID: Hashable, Sendable {
    /// Compare all heads with this peer.
    case exchange(PeerID)
    /// The answer to this request is overdue.
    case request(RequestID)
    /// Peers of this log may be asked again.
    case retry(origin: String)
    /// Our own next head may be announced, though the last has no quorum.
    case announce
    /// Pass this log's head and signatures on to peers that may lack them.
    case relay(origin: String)
    /// Documents may be asked for again.
    case documents
    /// A charter may be asked for again.
    case charter
    /// A refresh of this log's cosignatures that came too early is due.
    case freshness(origin: String)
    /// This start of the node is to be told again to who has not answered.
    case incarnation
}

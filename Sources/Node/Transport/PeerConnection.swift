import NIOCore

/// An open, authenticated connection to another member's node, dialled by either side.
public final class PeerConnection: Sendable {
    public enum Direction: String, Sendable, Hashable {
        /// The peer dialled us.
        case inbound
        /// We dialled the peer.
        case outbound
    }

    private enum State {
        /// With the next check against the clock.
        case open(PeerIdentity, Scheduled<Void>?)
        case closed
    }

    /// Bound while a request of the connection is handled.
    @TaskLocal static var current: PeerConnection?

    public let direction: Direction
    let channel: any Channel
    private let state: Mutexed<State>

    init(channel: any Channel, direction: Direction, identity: PeerIdentity) {
        self.channel = channel
        self.direction = direction
        self.state = Mutexed(.open(identity, nil))
    }

    /// Who the peer is, by the newest charter and roster; nil once the connection is closed.
    public var identity: PeerIdentity? {
        self.state.withLock { state in
            if case .open(let identity, _) = state { identity } else { nil }
        }
    }

    /// The peer's address, for logs.
    public var remoteAddress: String { self.channel.remoteAddress?.description ?? "unknown address" }

    var isOpen: Bool { self.identity != nil }

    /// Replaces the identity after a recheck; nothing happens once closed.
    func update(_ identity: PeerIdentity) {
        self.state.withLock { state in
            if case .open(_, let check) = state { state = .open(identity, check) }
        }
    }

    /// Remembers the next check, which closing cancels.
    func schedule(_ check: Scheduled<Void>) {
        let isClosed = self.state.withLock { state in
            guard case .open(let identity, _) = state else { return true }
            state = .open(identity, check)
            return false
        }
        if isClosed { check.cancel() }
    }

    /// Takes note that the channel is closed, by whichever side.
    func markClosed() {
        let check: Scheduled<Void>? = self.state.withLock { state in
            defer { state = .closed }
            if case .open(_, let check) = state { return check }
            return nil
        }
        check?.cancel()
    }

    /// Ends the connection. From here on no byte of the peer reaches a request handler, and the handlers that run are
    /// cancelled.
    func close() {
        self.markClosed()
        self.channel.close(promise: nil)
    }
}

import Metrics
import NIOCore

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The trust in force now, the connections open under it, and the count of what was turned away.
///
/// One store serves the listener and every client of a node. A new charter or roster goes to ``update(_:)``; every
/// connection that it no longer allows is closed there and then. Leaves are checked again when they expire.
public final class TrustStore: Sendable {
    /// The longest time between two checks of an open connection against the clock, in seconds: so long may a clock
    /// that was set forward go unnoticed.
    public static let maximumRecheckInterval: Int64 = 600

    private struct State {
        var trust: PeerTrust
        var connections: [ObjectIdentifier: PeerConnection] = [:]
        var rejections: [PeerRejection: UInt64] = [:]
    }

    private let state: Mutexed<State>
    private let clock: @Sendable () -> Int64
    private let onRejection: @Sendable (PeerRejection, _ member: String?) -> Void

    /// - Parameters:
    ///   - clock: seconds since 1970.
    ///   - onRejection: told of everybody who is turned away, with the member's id where that is certain: it was verified
    ///     before, or is the one that was dialled.
    public init(
        _ trust: PeerTrust = .empty, clock: @escaping @Sendable () -> Int64 = TrustStore.systemClock,
        onRejection: @escaping @Sendable (PeerRejection, _ member: String?) -> Void = { _, _ in }
    ) {
        self.state = Mutexed(State(trust: trust))
        self.clock = clock
        self.onRejection = onRejection
    }

    /// Seconds since 1970, by the system's clock.
    public static let systemClock: @Sendable () -> Int64 = { Int64(time(nil)) }

    /// The trust in force.
    public var current: PeerTrust { self.state.withLock { $0.trust } }

    /// How often a peer was turned away or closed, by reason, since the store was made.
    public var rejections: [PeerRejection: UInt64] { self.state.withLock { $0.rejections } }

    /// The authenticated connections that are open, in no order.
    public var connections: [PeerConnection] { self.state.withLock { Array($0.connections.values) } }

    /// Puts another trust in force and closes every connection that it does not allow, or allows less than before.
    ///
    /// - Returns: how many were closed.
    @discardableResult
    public func update(_ trust: PeerTrust) -> Int {
        self.state.withLock { $0.trust = trust }
        return self.recheck()
    }

    /// Checks every open connection against the trust in force and the clock.
    ///
    /// - Returns: how many were closed.
    @discardableResult
    public func recheck() -> Int {
        self.connections.count { self.recheck($0) }
    }

    /// Closes the connections of one member, in both directions.
    public func close(memberID: String) {
        for connection in self.connections where connection.identity?.memberID == memberID { connection.close() }
    }

    var now: Int64 { self.clock() }

    func evaluate(chain: [[UInt8]], role: PeerTrust.Role) async -> Result<PeerIdentity, PeerRejection> {
        await self.current.evaluate(chain: chain, role: role, now: self.clock())
    }

    func count(_ rejection: PeerRejection, of member: String? = nil) {
        self.state.withLock { $0.rejections[rejection, default: 0] += 1 }
        Counter(label: "entente_peer_rejections_total", dimensions: [("reason", rejection.rawValue)]).increment()
        self.onRejection(rejection, member)
    }

    /// Takes in a connection whose certificates were found good a moment ago. The trust may have changed since, so it
    /// is asked again in the same step that makes the connection visible to ``update(_:)``.
    ///
    /// - Parameter limit: the most inbound connections that one member may hold.
    /// - Returns: nil, and the connection is watched until it closes; or why it must be closed. The latter is counted.
    func admit(_ connection: PeerConnection, identity: PeerIdentity, limit: Int = .max) -> PeerRejection? {
        let now = self.clock()
        let rejection: PeerRejection? = self.state.withLock { state in
            switch state.trust.recheck(identity, now: now) {
            case .failure(let rejection): return rejection
            case .success(let renewed):
                if connection.direction == .inbound {
                    let held = state.connections.values.count {
                        $0.direction == .inbound && $0.identity?.memberID == identity.memberID
                    }
                    guard held < limit else { return .tooManyConnections }
                }
                connection.update(renewed)
                state.connections[ObjectIdentifier(connection)] = connection
                return nil
            }
        }
        if let rejection {
            self.count(rejection, of: identity.memberID)
            return rejection
        }
        self.watch(connection, until: identity.notAfter, now: now)
        connection.channel.closeFuture.whenComplete { _ in
            connection.markClosed()
            self.state.withLock { _ = $0.connections.removeValue(forKey: ObjectIdentifier(connection)) }
        }
        return nil
    }

    /// - Returns: whether the connection was closed.
    private func recheck(_ connection: PeerConnection) -> Bool {
        guard let identity = connection.identity else { return false }
        let rejection: PeerRejection
        switch self.current.recheck(identity, now: self.clock()) {
        case .success(let renewed) where renewed.isRestricted && !identity.isRestricted: rejection = .accessReduced
        case .success(let renewed):
            connection.update(renewed)
            return false
        case .failure(let reason): rejection = reason
        }
        self.count(rejection, of: identity.memberID)
        connection.close()
        return true
    }

    private func watch(_ connection: PeerConnection, until notAfter: Int64, now: Int64) {
        let interval = min(max(notAfter - now + 1, 1), Self.maximumRecheckInterval)
        let check = connection.channel.eventLoop.scheduleTask(in: .seconds(interval)) {
            guard !self.recheck(connection), connection.isOpen else { return }
            self.watch(connection, until: notAfter, now: self.clock())
        }
        connection.schedule(check)
    }
}

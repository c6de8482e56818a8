import NIOCore
import Replication

/// One session with a peer as the shell knows it.
struct PeerSession: Sendable {
    let id: PeerID
    let member: String
    let outbox: Outbox
    /// Whether we dialled it.
    let isOutbound: Bool
    /// Whether we can send requests of our own to this member.
    let canFetch: Bool
    let startedAt: Int64
    /// Ends the connection under the session.
    let end: @Sendable () -> Void
}

/// Reads a session's incoming bytes into messages for the driver.
struct SessionReader {
    let id: PeerID
    let driver: ReplicationDriver
    private var decoder = FrameDecoder()

    init(id: PeerID, driver: ReplicationDriver) {
        self.id = id
        self.driver = driver
    }

    /// Takes bytes in.
    ///
    /// - Returns: false where the peer broke the protocol and the session is to end.
    mutating func receive(_ buffer: ByteBuffer) async -> Bool {
        decoder.append(buffer.readableBytesView)
        while true {
            do {
                guard let message = try decoder.next() else { return true }
                if message.mayHoldManySignatures {
                    let claims = await driver.claims(of: message)
                    if claims.count >= VerifiedSignatures.worthwhile { await driver.verified.verify(claims) }
                }
                let pause = await driver.receive(message, from: id)
                if pause > 0 { try? await Task.sleep(for: .milliseconds(pause)) }
            } catch {
                await driver.handle(.violation(id, error))
                return false
            }
        }
    }
}

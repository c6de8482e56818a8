public import Crypto
import NIOConcurrencyHelpers
public import TransparencyLog

/// A key as a device might have it: it counts what it signs, and can be unplugged.
public final class CountingKey: PrivateSigningKey {
    /// Why it does not sign.
    public struct Unplugged: Error, CustomStringConvertible {
        public let description = "the token is not plugged in"
    }

    private struct State {
        var messages: [[UInt8]] = []
        var isPlugged = true
        var answer: [UInt8]?
    }

    private let key: SoftwareSigningKey
    private let state = NIOLockedValueBox(State())

    public init(_ key: Curve25519.Signing.PrivateKey) { self.key = SoftwareSigningKey(key) }

    public var publicKey: [UInt8] { key.publicKey }

    /// What it signed.
    public var messages: [[UInt8]] { state.withLockedValue { $0.messages } }

    public func plug(_ isPlugged: Bool) { state.withLockedValue { $0.isPlugged = isPlugged } }

    /// Has it return this instead of signatures; nil for signatures again.
    public func answer(_ bytes: [UInt8]?) { state.withLockedValue { $0.answer = bytes } }

    public func signature(for message: [UInt8]) throws -> [UInt8] {
        let answer = try state.withLockedValue { state in
            guard state.isPlugged else { throw Unplugged() }
            state.messages.append(message)
            return state.answer
        }
        return try answer ?? key.signature(for: message)
    }
}

/// Why a listener could not be set up, or ended.
public struct TransportError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable, CaseIterable {
        /// The node's own certificate or key.
        case identity
        /// A limit is zero, negative, or contradicts another one.
        case configuration
        /// The address cannot be listened on.
        case bind
        /// Another process listens on the control socket.
        case alreadyRunning
        /// The folder or the path of the control socket is not safe, or too long.
        case unsafePath
        /// The listener ended though nobody asked it to. Ends the service.
        case stopped
    }

    public let code: Code
    public let reason: String

    init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    public var description: String { self.reason }
}

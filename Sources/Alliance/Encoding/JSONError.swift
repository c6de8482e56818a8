/// Why bytes are not the strict JSON that Entente reads (RFC 8259 with RFC 7493's limits).
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let reason: String
    /// Offset of the first byte at fault, from 0.
    public let offset: Int

    /// Creates an error at a byte offset.
    public init(_ reason: String, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "not valid JSON at byte \(offset): \(reason)" }
}

/// Limits on JSON from outside.
public enum JSONLimits {
    /// Nesting of arrays and objects.
    public static let depth = 32
    /// Members of one object.
    public static let members = 4_096
    /// Bytes of one text; larger texts are refused unread.
    public static let bytes = 64 << 20
    /// Largest magnitude of an integer: what every JSON reader holds exactly (RFC 7493 section 2.2).
    public static let integer: Int64 = (1 << 53) - 1
}

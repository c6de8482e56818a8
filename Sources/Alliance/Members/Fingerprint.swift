public import TransparencyLog

// How people compare keys and charters: by the digest, in groups of four hexadecimal digits.
extension HashValue {
    /// The first 12 digits.
    public var fingerprint: String { Self.group(hex.prefix(12)) }

    /// All digits.
    public var fullFingerprint: String { Self.group(hex[...]) }

    private static func group(_ hex: Substring) -> String {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count, by: 4).map { String(digits[$0..<min($0 + 4, digits.count)]) }
            .joined(separator: " ")
    }
}

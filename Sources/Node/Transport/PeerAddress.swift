/// Where a node listens: a host name or IP address, and a port.
public struct PeerAddress: Sendable, Hashable, CustomStringConvertible {
    /// Without brackets around an IPv6 address.
    public let host: String
    public let port: Int

    /// Nil if the host is empty, longer than 253 bytes, or holds what neither a name nor an address has, or the port is
    /// not 1 to 65535.
    public init?(host: String, port: Int) {
        let isPlain = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        guard 1...253 ~= host.utf8.count, isPlain, 1...65_535 ~= port else { return nil }
        self.host = host
        self.port = port
    }

    /// Reads `host:port` or `[IPv6 address]:port`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard let port = Int(digits), String(port) == digits else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    public var description: String {
        self.host.contains(":") ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}

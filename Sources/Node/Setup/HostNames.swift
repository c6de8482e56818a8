/// The host names and addresses of a node as its certificate lists them, for browsers and curl; peers do not look at
/// them.
struct HostNames: Sendable, Hashable {
    private(set) var names: [String] = []
    /// IPv4, four bytes each.
    private(set) var addresses: [[UInt8]] = []

    /// - Parameter urls: `https://host:port` each.
    init(_ urls: [String]) {
        for host in urls.compactMap({ PeerAddress(String($0.dropFirst(8)))?.host }) {
            let parts = host.split(separator: ".").map { UInt8($0) }
            if parts.count == 4, parts.allSatisfy({ $0 != nil }) {
                addresses.append(parts.compactMap { $0 })
            } else if !host.contains(":") {
                names.append(host)
            }
        }
    }
}

public import Logging

/// What a node is told from outside: checked when made, with every default and unit stated here.
///
/// The data folder holds all else that the node needs, in fixed places: see ``charterPath`` and its neighbours.
public struct NodeSettings: Sendable, Hashable {
    /// The node's folder: configuration, keys, certificates, charter, database, documents. An absolute path.
    public var data: String
    /// The member's short name in the charter.
    public var member: String
    /// The node's name in the member's roster.
    public var node: String = "node1"
    /// Where peers connect; nil for a node that only dials out.
    public var listen: PeerAddress?
    /// Where other members reach this node, as `https://host:port`, should the roster's word be out of date.
    public var advertise: [String] = []
    /// Addresses of other members' nodes that stand before those of charter and rosters.
    public var peers: [PeerOverride] = []
    /// An HTTP proxy through which peers are dialled by CONNECT.
    public var proxy: PeerProxyURL?
    /// Where the passphrase of the node's keys comes from.
    public var passphraseSource: PassphraseSource = .terminal
    /// The member's authority key, with the passphrase of the node's keys, for a node that renews its certificate by
    /// itself; nil for one whose authority's key is elsewhere. An absolute path.
    public var authorityKey: String?
    /// Log messages below this level are dropped.
    public var logLevel: Logger.Level = .info
    /// How log messages are written to standard error.
    public var logFormat: LogFormat = .text
    /// Connections of peers that are open at once; further ones wait.
    public var maximumConnections = 512
    /// Connections of one member that are open at once; further ones are closed.
    public var maximumConnectionsPerMember = 32
    /// Seconds between two exchanges of heads with one peer while nothing is announced, from 2 to 20: they also keep
    /// the session's connection alive.
    public var exchangeInterval = 15
    /// MiB that stay free on the disk of the data folder: with less, nothing is published and no log or document is
    /// fetched, so that no write fails half-way; 0 for none.
    public var diskReserve = 64
    /// What is taken in of one member at the most, on average over 10 minutes and over a day: entries, and MiB of entries
    /// and of documents; 0 for no limit. What is beyond waits (decision 0024).
    public var memberLimits = MemberLimits()
    /// The Unix socket on which the command line asks this node.
    public var controlSocket: String

    /// Limits on what one member's log may grow by here.
    public struct MemberLimits: Sendable, Hashable {
        public var entriesPerMinute = 100_000
        public var mebibytesPerMinute = 100
        public var entriesPerDay = 5_000_000
        public var mebibytesPerDay = 8_192
    }

    /// How log messages are written.
    public enum LogFormat: String, Sendable, Hashable, CaseIterable {
        /// One readable line each.
        case text
        /// One JSON object a line.
        case json
    }

    /// The address of another member's node.
    public struct PeerOverride: Sendable, Hashable, CustomStringConvertible {
        /// The member's short name.
        public let member: String
        public let address: PeerAddress

        /// Reads `member=host:port`.
        public init?(_ text: String) {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, NodeSettings.isShortName(String(parts[0])),
                let address = PeerAddress(String(parts[1]))
            else { return nil }
            self.member = String(parts[0])
            self.address = address
        }

        public var description: String { "\(member)=\(address)" }
    }

    /// Bytes that the path of a Unix socket may have: what macOS takes too, where `sun_path` holds 104 with its NUL.
    public static let socketPathLimit = 103

    /// Settings with defaults for everything but these.
    public init(data: String, member: String, controlSocket: String? = nil) {
        self.data = data
        self.member = member
        self.controlSocket = controlSocket ?? "\(data)/control.sock"
    }

    static func isShortName(_ text: String) -> Bool {
        guard let first = text.utf8.first, (0x61...0x7A).contains(first), text.utf8.count <= 16 else { return false }
        return text.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
    }
}

// MARK: - Places in the data folder

extension NodeSettings {
    /// The configuration file.
    public var configPath: String { "\(data)/config.json" }
    /// The signed charter, version 1.
    public var charterPath: String { "\(data)/charter" }
    /// The member's first roster, signed; the node publishes it as entry 0 at its first start.
    public var rosterPath: String { "\(data)/roster.jws" }
    /// What the node did and refused.
    public var auditPath: String { "\(data)/audit.jsonl" }
    /// In a folder that came out of a backup: how long the member's own log was in it.
    public var restoredMarkPath: String { "\(data)/\(RestoredMark.path)" }
    /// Holds `log.key`, `replica.key` and `node.key`.
    public var keysFolder: String { "\(data)/keys" }
    /// The private key of the member's log.
    public var logKeyPath: String { "\(keysFolder)/log.key" }
    /// The private key that cosigns other members' logs.
    public var replicaKeyPath: String { "\(keysFolder)/replica.key" }
    /// The private key of the node's certificate.
    public var nodeKeyPath: String { "\(keysFolder)/node.key" }
    /// The node's certificate (PEM).
    public var certificatePath: String { "\(data)/tls/node.pem" }
    /// The certificate of the member's authority (PEM).
    public var authorityPath: String { "\(data)/tls/authority.pem" }
    /// The database.
    public var databasePath: String { "\(data)/entente.sqlite" }
    /// Documents' bytes by their digests.
    public var documentsFolder: String { "\(data)/documents" }
}

/// An HTTP proxy: `http://[user:password@]host:port`.
public struct PeerProxyURL: Sendable, Hashable, CustomStringConvertible {
    public let address: PeerAddress
    public let userName: String?
    public let password: String?

    /// Reads a proxy's URL; nil if it is none.
    public init?(_ text: String) {
        guard text.hasPrefix("http://") else { return nil }
        var rest = text.dropFirst(7)
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else { return nil }
            userName = String(parts[0])
            password = String(parts[1])
            rest = rest[rest.index(after: at)...]
        } else {
            userName = nil
            password = nil
        }
        guard let address = PeerAddress(String(rest)) else { return nil }
        self.address = address
    }

    /// As the transport takes it.
    public var proxy: PeerProxy { PeerProxy(address: address, userName: userName, password: password) }

    /// Without the password.
    public var description: String { "http://\(userName.map { "\($0):(hidden)@" } ?? "")\(address)" }
}

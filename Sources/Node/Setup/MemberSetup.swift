public import Alliance
import Crypto
import TransparencyLog

/// Makes a member's whole first set of keys, and the public file that the other members need.
public struct MemberSetup: Sendable {
    public let id: String
    public let name: String
    public let title: String
    public let country: String
    public let zone: String
    public let role: MemberRole
    public let addresses: [String]

    public static let rootKey = "root-1"
    public static let logKey = "log"
    public static let replicaKey = "replica"
    public static let authorityKey = "authority"
    public static let nodeKey = "node1"
    /// The authority's self-signed certificate, beside the keys.
    public static let authorityCertificate = "authority.pem"

    /// Describes a member; ``create(in:passphrase:now:)`` checks it.
    public init(
        id: String, name: String, title: String, country: String, zone: String, role: MemberRole, addresses: [String]
    ) {
        self.id = id
        self.name = name
        self.title = title
        self.country = country
        self.zone = zone
        self.role = role
        self.addresses = addresses
    }

    /// Makes the keys `root-1`, `log`, `replica`, `authority` (with its certificate) and `node1`, and `NAME.member`.
    ///
    /// All is made in a folder beside and then takes the place of `folder`, which must not exist or be empty.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: ``SetupError`` and errors of keys; nothing is then left behind.
    public func create(in folder: String, passphrase: Passphrase, now: Int64) throws -> MemberFile {
        try check()
        return try AtomicFolder.make(folder, mode: 0o700) { path in
            let keys = KeyFolder(path)
            let root = try keys.create(Self.rootKey, kind: .root, passphrase: passphrase)
            let log = try keys.create(Self.logKey, kind: .log, passphrase: passphrase)
            let replica = try keys.create(Self.replicaKey, kind: .replica, passphrase: passphrase)
            try keys.create(Self.nodeKey, kind: .node, passphrase: passphrase)
            let authority = P256.Signing.PrivateKey()
            _ = try keys.store(.p256(authority), Self.authorityKey, kind: .authority, passphrase: passphrase)
            let certificate = try MemberCA.create(shortName: name, privateKey: authority, now: now).certificate
            try PlainFile.write(Array(certificate.pem.utf8), to: "\(path)/\(Self.authorityCertificate)")
            let file = MemberFile(
                try member(root: root.key, log: log.key, replica: replica.key, authority: certificate.keyDigest))
            // Reading it back checks it by the same rules as the others will.
            _ = try MemberFile(parsing: file.bytes, file: "\(name).member")
            try PlainFile.write(file.bytes, to: "\(path)/\(name).member")
            return file
        }
    }

    private func member(root: [UInt8], log: [UInt8], replica: [UInt8], authority: [UInt8]) throws -> CharterMember {
        CharterMember(
            id: id, name: name, title: title, country: country, zone: zone, role: role,
            rootKeys: [RootKey(name: Self.rootKey, key: try SigningKey(root))],
            authority: HashValue(authority) ?? .zero,
            log: try VerifierKey(name: try MemberNames.origin(of: id), type: .ed25519, publicKey: log),
            replica: try VerifierKey(
                name: try MemberNames.replica(of: id), type: .cosignatureEd25519, publicKey: replica),
            addresses: addresses)
    }

    private func check() throws(SetupError) {
        _ = try MemberNames.host(of: id)
        guard NodeSettings.isShortName(name) else {
            throw SetupError(.badValue, "--name \(name)", "must be [a-z][a-z0-9-]{0,15}, such as pk")
        }
        guard !title.isEmpty, title.utf8.count <= 200 else {
            throw SetupError(.badValue, "--title", "must have 1 to 200 bytes")
        }
        guard country.utf8.count == 2, country.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) else {
            throw SetupError(.badValue, "--country \(country)", "must be two capital letters (ISO 3166-1), such as PK")
        }
        guard MemberZone(zone) != nil else {
            throw SetupError(.badValue, "--zone \(zone)", "is no IANA time zone; one is Asia/Karachi")
        }
        guard addresses.count <= 8 else { throw SetupError(.badValue, "--address", "at most 8") }
        for address in addresses {
            guard address.hasPrefix("https://"), PeerAddress(String(address.dropFirst(8))) != nil else {
                throw SetupError(.badValue, "--address \(address)", "must be https://host:port")
            }
        }
    }
}

/// A folder that appears whole or not at all.
enum AtomicFolder {
    /// Makes a folder beside `path`, has it filled, gives it its name, and makes the name survive a power loss. That what
    /// is in it survives is a matter of `fill`.
    ///
    /// - Throws: ``SetupError`` `exists` if something stands at `path` already, unless it is an empty folder; else what
    ///   `fill` throws. Nothing is then left behind.
    static func make<Value>(_ path: String, mode: UInt32 = 0o755, _ fill: (String) throws -> Value) throws -> Value {
        var path = path
        while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
        if FileFacts.exists(path) {
            guard FileFacts.isFolder(path), let names = FileFacts.names(in: path) else {
                throw SetupError(.exists, path, "something that is no folder stands there")
            }
            guard names.isEmpty else {
                throw SetupError(.exists, path, "the folder is not empty and was left as it is; name another one")
            }
        }
        let temporary = "\(path).new-\(String(UInt32.random(in: .min ... .max), radix: 16))"
        do {
            try Folders.make(temporary, mode: mode)
            let value = try fill(temporary)
            try Folders.rename(temporary, to: path)
            try Folders.sync(PrivateFile.folder(of: path))
            return value
        } catch {
            Folders.remove(temporary)
            throw error
        }
    }
}

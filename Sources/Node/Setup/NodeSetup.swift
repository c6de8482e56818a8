public import Alliance
import Crypto
import TransparencyLog

/// Makes a node's data folder from a signed charter and a member's keys.
public struct NodeSetup: Sendable {
    /// The charter, version 1, with every regulator's signature.
    public var charterPath: String
    /// Later versions, in any order, up to the one that the member begins with.
    public var laterCharterPaths: [String] = []
    /// The member's short name.
    public var member: String
    /// The node's name in the roster.
    public var node = MemberSetup.nodeKey
    /// Where the member's keys are.
    public var keys: String
    /// The folder to make.
    public var data: String
    /// `host:port`; nil for a node that only dials out.
    public var listen: PeerAddress?
    /// `https://host:port`; empty for those of the charter.
    public var advertise: [String] = []
    public var officers: [Officer] = []
    /// Registers (or `@documents`) that need two officers.
    public var twoOfficers: [String] = []
    public var peers: [NodeSettings.PeerOverride] = []
    public var proxy: String?
    /// Written into the configuration; nil to leave it to the environment or the terminal.
    public var passphraseSource: PassphraseSource?
    /// Written into the configuration if it is not the one in the data folder.
    public var controlSocket: String?

    public init(charterPath: String, member: String, keys: String, data: String) {
        self.charterPath = charterPath
        self.member = member
        self.keys = keys
        self.data = data
    }

    /// What was made.
    public struct Result: Sendable {
        /// The newest.
        public let charter: VerifiedCharter
        public let member: CharterMember
        public let roster: Roster
        /// When the node's certificate ends, in seconds since 1970.
        public let certificateEnds: Int64
    }

    /// The keys, unlocked and found to be those of the charter.
    private struct Unlocked {
        let roots: [Signer]
        let node: P256.Signing.PublicKey
        let authority: MemberCA
    }

    /// Checks what needs no passphrase: the control socket's path, and that something can be published at all.
    ///
    /// - Throws: ``SetupError``.
    public func check() throws(SetupError) {
        let socket = controlSocket ?? "\(data)/control.sock"
        guard socket.utf8.count <= NodeSettings.socketPathLimit else {
            throw SetupError(
                .limit, socket,
                "a socket's path has at most \(NodeSettings.socketPathLimit) bytes, and this has "
                    + "\(socket.utf8.count); choose a shorter folder, or another path with --control-socket")
        }
        for register in twoOfficers where !RegisterName.isValid(register) && register != ReservedMap.documents {
            throw SetupError(.badValue, "--two-officers \(register)", "is no register")
        }
        guard !officers.isEmpty else {
            throw SetupError(
                .badValue, "--officer", "name at least one officer's .pub file, else nobody can publish from this node")
        }
        guard KeyFile.isValid(name: node) else { throw SetupError(.badValue, "--node \(node)", "cannot name a node") }
    }

    /// Checks everything, then makes the folder in one step.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: ``SetupError`` and errors of keys and charter; nothing is then left behind.
    public func create(passphrase: Passphrase, now: Int64) throws -> Result {
        try check()
        let chain = try charters()
        let charter = chain.current
        let newest = laterCharterPaths.isEmpty ? charterPath : "charter version \(charter.charter.version)"
        guard let member = charter.charter.member(named: member) else {
            let known = charter.charter.members.map(\.name).joined(separator: ", ")
            throw SetupError(.mismatch, newest, "has no member \(self.member); its members are: \(known)")
        }
        return try AtomicFolder.make(data, mode: 0o700) { path in
            let unlocked = try unlock(member, passphrase: passphrase)
            let hosts = HostNames(addresses(member))
            let leaf = try unlocked.authority.issueLeaf(
                for: unlocked.node, memberURI: member.id, nodeName: node, dnsNames: hosts.names,
                addresses: hosts.addresses, notBefore: now)
            let roster = Roster(
                officers: officers, twoOfficers: twoOfficers,
                nodes: [
                    RosterNode(
                        name: node, addresses: addresses(member), tlsKeys: [HashValue(leaf.keyDigest) ?? .zero])
                ])
            let context = DraftContext(member: member.id, alliance: charter.alliance, issuedAt: now)
            try write(
                to: path, charters: chain, roster: try sign(context.roster(roster), unlocked.roots), leaf: leaf,
                authority: unlocked.authority.certificate)
            return Result(charter: charter, member: member, roster: roster, certificateEnds: leaf.notAfter)
        }
    }

    /// Version 1 and what follows it, without gaps.
    private func charters() throws(SetupError) -> CharterChain {
        let first = try signed(charterPath)
        var chain: CharterChain
        do throws(AllianceError) {
            chain = CharterChain(try first.verifyFirst())
        } catch {
            throw SetupError(.mismatch, charterPath, error.reason)
        }
        var later: [(path: String, file: SignedCharter)] = []
        for path in laterCharterPaths { later.append((path, try signed(path))) }
        for (path, file) in later.sorted(by: { $0.file.unverified.version < $1.file.unverified.version }) {
            do throws(CharterRefusal) { try chain.add(file) } catch { throw SetupError(.mismatch, path, error.reason) }
        }
        return chain
    }

    private func signed(_ path: String) throws(SetupError) -> SignedCharter {
        guard let signed = try CharterFile(at: path).signed else {
            throw SetupError(.mismatch, path, "nobody has signed it yet; entente charter sign does that")
        }
        return signed
    }

    private func unlock(_ member: CharterMember, passphrase: Passphrase) throws -> Unlocked {
        let folder = KeyFolder(keys)
        func check(_ key: PrivateKey, _ name: String, is expected: [UInt8]?) throws {
            guard let expected, key.publicKey == expected else {
                throw SetupError(
                    .mismatch, "\(keys)/\(name).key", "is not the key that the charter lists for \(member.name)")
            }
        }
        var roots: [Signer] = []
        for root in member.rootKeys where roots.count < member.rootThreshold {
            guard FileFacts.exists("\(keys)/\(root.name)\(KeyFile.privateSuffix)") else { continue }
            let key = try folder.open(root.name, kind: .root, passphrase: passphrase)
            try check(key, root.name, is: root.key.bytes)
            if let key = key.signing { roots.append(Signer(member: member.id, keyName: root.name, signing: key)) }
        }
        guard roots.count >= member.rootThreshold else {
            let names = member.rootKeys.map(\.name).joined(separator: ", ")
            throw SetupError(.missing, keys, "\(member.rootThreshold) of the root keys are needed: \(names)")
        }
        let log = try folder.open(MemberSetup.logKey, kind: .log, passphrase: passphrase)
        try check(log, MemberSetup.logKey, is: member.log.publicKey)
        let replica = try folder.open(MemberSetup.replicaKey, kind: .replica, passphrase: passphrase)
        try check(replica, MemberSetup.replicaKey, is: member.replica?.publicKey)
        let authorityKey = try folder.open(MemberSetup.authorityKey, kind: .authority, passphrase: passphrase)
        let nodeKey = try folder.open(node, kind: .node, passphrase: passphrase)
        guard case .p256(let authority) = authorityKey, case .p256(let nodeKey) = nodeKey else {
            throw SetupError(.mismatch, keys, "the keys of node and authority must be P-256 keys")
        }
        let path = "\(keys)/\(MemberSetup.authorityCertificate)"
        let pem = String(decoding: try PlainFile.read(path, limit: PeerCertificate.maximumByteCount * 2), as: UTF8.self)
        guard let certificate = try? PeerCertificate(pem: pem) else {
            throw SetupError(.malformed, path, "is no certificate in PEM")
        }
        guard certificate.keyDigest == member.authority.bytes else {
            throw SetupError(.mismatch, path, "is not the authority that the charter lists for \(member.name)")
        }
        return Unlocked(
            roots: roots, node: nodeKey.publicKey,
            authority: try MemberCA(certificate: certificate, privateKey: authority))
    }

    private func sign(_ draft: Draft, _ roots: [Signer]) throws -> [UInt8] {
        if roots.count == 1 { return try draft.signed(by: roots[0]) }
        let empty: JSONValue = ["payload": .string(Base64.encodeURL(draft.payload)), "signatures": []]
        let bytes = try roots.reduce(empty.encodedForReading()) { try draft.signed(by: $1, adding: $0) }
        _ = try Statement(parsing: bytes)
        return bytes
    }

    /// Where the roster says that this node is reached.
    private func addresses(_ member: CharterMember) -> [String] {
        if listen == nil { return [] }
        return advertise.isEmpty ? member.addresses : advertise
    }

    private func write(
        to path: String, charters: CharterChain, roster: [UInt8], leaf: PeerCertificate, authority: PeerCertificate
    ) throws {
        try Folders.make("\(path)/keys", mode: 0o700)
        try Folders.make("\(path)/tls")
        for (from, to) in [(MemberSetup.logKey, "log"), (MemberSetup.replicaKey, "replica"), (node, "node")] {
            let bytes = try PrivateFile.read("\(keys)/\(from)\(KeyFile.privateSuffix)", limit: KeyFile.maximumByteCount)
            try PrivateFile.write(
                bytes, to: "\(path)/keys/\(to)\(KeyFile.privateSuffix)", mode: 0o600, overwrite: false)
        }
        try PlainFile.write(Array(leaf.pem.utf8), to: "\(path)/tls/node.pem")
        try PlainFile.write(Array(authority.pem.utf8), to: "\(path)/tls/authority.pem")
        try PlainFile.write(charters.first.file, to: "\(path)/charter")
        let later = charters.versions.dropFirst()
        if !later.isEmpty { try Folders.make(CharterFolder.path(path)) }
        for charter in later {
            try PlainFile.write(charter.file, to: "\(CharterFolder.path(path))/\(charter.charter.version).charter")
        }
        try PlainFile.write(roster, to: "\(path)/roster.jws")
        try PlainFile.write(configuration.encodedForReading(), to: "\(path)/config.json")
    }

    private var configuration: JSONValue {
        var object: JSONObject = [
            "member": .string(member), "node": .string(node), "listen": .string(listen?.description ?? "none"),
        ]
        if !advertise.isEmpty { object["advertise"] = .array(advertise.map { .string($0) }) }
        if !peers.isEmpty { object["peers"] = .array(peers.map { .string($0.description) }) }
        object["proxy"] = proxy.map { .string($0) }
        switch passphraseSource {
        case .file?, .environment?: object["passphraseSource"] = passphraseSource.map { .string($0.argument) }
        case .descriptor?, .terminal?, nil: break
        }
        object["controlSocket"] = controlSocket.map { .string($0) }
        return .object(object)
    }
}

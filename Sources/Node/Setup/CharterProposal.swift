public import Alliance
public import TransparencyLog

/// The next version of a charter on its way: what shall change, from which its file is made.
public struct CharterProposal: Sendable {
    /// A register that the next version lists, or no longer lists.
    public enum RegisterChange: Sendable, Hashable {
        case list(name: String, merge: MergeRule)
        case drop(name: String)
    }

    /// Where logs can be cut, if they have to be: each log's origin, size and root.
    public var cuts: [CharterCut] = []
    /// Cuts that are stated whether they have to be or not.
    public var statedCuts: [CharterCut] = []
    /// The files of new members.
    public var admitted: [CharterMember] = []
    /// By id or short name.
    public var roles: [(member: String, role: MemberRole)] = []
    public var standings: [(member: String, standing: MemberStanding)] = []
    public var addresses: [(member: String, address: String)] = []
    public var logKeys: [(member: String, key: VerifierKey)] = []
    /// Members' own files, from which root keys and their threshold are taken.
    public var rootKeys: [CharterMember] = []
    /// Members' own files, from which everything but id, short name, role and log is taken.
    public var updates: [CharterMember] = []
    public var registers: [RegisterChange] = []
    public var name: String?
    public var threshold: Int?
    public var quorum: Int?

    public init() {}

    /// Drafts the successor of a charter.
    ///
    /// - Parameters:
    ///   - digest: SHA-256 of the present charter's payload.
    ///   - issued, expires: seconds since 1970.
    /// - Throws: ``SetupError``, ``AllianceError``, ``CharterRefusal``.
    public func draft(
        after charter: Charter, digest: HashValue, issued: Int64, expires: Int64
    ) throws -> CharterFile {
        var next = charter
        next.version += 1
        next.previous = digest
        next.issued = Timestamp(seconds: issued)
        next.expires = Timestamp(seconds: expires)
        next.cuts = []
        if let name { next.alliance = name }
        try changeMembers(&next)
        next.threshold = threshold ?? max(next.threshold, next.regulators.count / 2 + 1)
        if threshold == nil { next.threshold = min(next.threshold, max(1, next.regulators.count)) }
        next.quorum = quorum ?? Self.quorum(next)
        for register in registers { try change(register, &next) }
        next.cuts = statedCuts
        for origin in charter.originsToCut(for: next) where next.cut(of: origin) == nil {
            guard let cut = cuts.first(where: { $0.origin == origin }) else {
                throw SetupError(
                    .missing, "--cut", "\(origin) needs one, and no node told of it: --cut \(origin)=SIZE:ROOT")
            }
            next.cuts.append(cut)
        }
        let file = try CharterFile(drafting: next)
        try charter.checkSuccessor(file.charter, digest: digest)
        return file
    }

    /// As it was where that still may be, else the least that may be.
    private static func quorum(_ charter: Charter) -> Int {
        let counts = charter.members.filter { $0.standing == .active }.map { charter.replicas(of: $0.id).count }
        let (most, least) = (counts.max() ?? 0, counts.min() ?? 0)
        return min(max(charter.quorum, most / 2 + 1), max(least, 1))
    }

    private func changeMembers(_ next: inout Charter) throws {
        for (name, role) in roles { next.members[try position(name, next, "--role")].role = role }
        for (name, standing) in standings {
            next.members[try position(name, next, "--standing")].standing = standing
        }
        for (name, key) in logKeys { next.members[try position(name, next, "--log-key")].log = key }
        for file in rootKeys {
            let place = try position(file.id, next, "--root-keys")
            next.members[place].rootKeys = file.rootKeys
            next.members[place].rootThreshold = file.rootThreshold
        }
        for file in updates {
            let place = try position(file.id, next, "--update")
            next.members[place].title = file.title
            next.members[place].country = file.country
            next.members[place].zone = file.zone
            next.members[place].rootKeys = file.rootKeys
            next.members[place].rootThreshold = file.rootThreshold
            next.members[place].authority = file.authority
            next.members[place].replica = file.replica
            next.members[place].addresses = file.addresses
        }
        var moved: Set<String> = []
        for (name, address) in addresses {
            let place = try position(name, next, "--address")
            if moved.insert(next.members[place].id).inserted { next.members[place].addresses = [] }
            if address != "none" { next.members[place].addresses.append(address) }
        }
        for file in admitted {
            guard next.member(id: file.id) == nil else {
                throw SetupError(.badValue, "--admit \(file.name)", "\(file.id) is a member already")
            }
            next.members.append(file)
        }
    }

    private func position(_ name: String, _ charter: Charter, _ option: String) throws(SetupError) -> Int {
        guard let position = charter.members.firstIndex(where: { $0.id == name || $0.name == name }) else {
            let names = charter.members.map(\.name).joined(separator: ", ")
            throw SetupError(.badValue, "\(option) \(name)", "is no member; the members are \(names)")
        }
        return position
    }

    private func change(_ register: RegisterChange, _ next: inout Charter) throws(SetupError) {
        switch register {
        case .drop(let name):
            guard next.register(name) != nil else {
                throw SetupError(.badValue, "--register \(name)=none", "no such register is shared")
            }
            next.registers.removeAll { $0.name == name }
        case .list(let name, let merge):
            let builtIn = BuiltInRegisters.definition(named: name).map { HashValue.sha256($0.descriptor) }
            guard let definition = next.register(name)?.definition ?? builtIn else {
                throw SetupError(.badValue, "--register \(name)", "is neither shared nor built in")
            }
            let rule = try named(merge, next)
            let changed = SharedRegister(name: name, definition: definition, merge: rule)
            if let place = next.registers.firstIndex(where: { $0.name == name }) {
                next.registers[place] = changed
            } else {
                next.registers.append(changed)
            }
        }
    }

    /// Writers by their ids.
    private func named(_ merge: MergeRule, _ charter: Charter) throws(SetupError) -> MergeRule {
        guard case .joint(let writers) = merge else { return merge }
        var ids: [String] = []
        for writer in writers { ids.append(charter.members[try position(writer, charter, "--register")].id) }
        return .joint(writers: ids)
    }
}

extension CharterFile {
    /// Files of one charter, their signatures put together.
    ///
    /// - Parameter previous: the charter before, whose root keys count as well.
    /// - Throws: ``SetupError`` where a file is of another charter.
    public func merged(with others: [(path: String, file: CharterFile)], previous: Charter?) throws -> CharterFile {
        for other in others where other.file.digest != digest {
            throw SetupError(.mismatch, other.path, "is another charter: its fingerprint is \(other.file.fingerprint)")
        }
        let files = ([self] + others.map(\.file)).compactMap(\.signed)
        guard let first = files.first else { return self }
        let known = [previous, charter].compactMap(\.self)
        return try CharterFile(
            parsing: first.gathered(with: Array(files.dropFirst()), under: known).bytes, file: "the charter")
    }

    /// The member that has this root key in the charter or in the one before, and the key as its signer.
    public func signer(_ root: PrivateKey, previous: Charter?) -> (member: CharterMember, signer: Signer)? {
        if let found = signer(root) { return found }
        guard let key = root.signing else { return nil }
        for member in previous?.members ?? [] {
            if let found = member.rootKeys.first(where: { $0.key.bytes == root.publicKey }) {
                return (member, Signer(member: member.id, keyName: found.name, signing: key))
            }
        }
        return nil
    }

    /// Whose signatures are still missing, under the charter before and under itself.
    public func standing(after previous: Charter) -> (previous: CharterSigners, own: CharterSigners)? {
        signed.map { ($0.signers(under: previous), $0.signers(under: charter)) }
    }
}

extension NodeClient {
    /// Hands the node a charter, and returns what it says.
    ///
    /// - Parameter evenExpired: whether one that has expired by the node's clock is taken.
    /// - Throws: as ``get(_:_:)``.
    public func adopt(_ file: CharterFile, evenExpired: Bool) async throws -> JSONValue {
        try await post(evenExpired ? "/v1/charter?expired=yes" : "/v1/charter", .bytes(file.bytes))
    }
}

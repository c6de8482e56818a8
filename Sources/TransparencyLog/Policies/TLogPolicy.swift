/// Whose signatures make a checkpoint valid: logs, witnesses and a quorum (C2SP tlog-policy).
///
/// Names of witnesses and groups are opaque bytes that mean something within one policy only.
public struct TLogPolicy: Hashable, Sendable {
    /// The most logs, the most witnesses and the most groups of a policy.
    public static let maximumCount = 1_024
    /// The most bytes of a policy file.
    public static let maximumByteCount = 4 << 20
    /// The name that means that no cosignature is needed.
    public static let noneName = Array("none".utf8)

    /// A log that is accepted.
    public struct Log: Hashable, Sendable {
        /// Its key, whose name is its origin.
        public let key: VerifierKey
        /// Where it is, for applications that want to know.
        public let url: [UInt8]?

        /// Describes a log.
        public init(key: VerifierKey, url: String? = nil) {
            self.key = key
            self.url = url.map { Array($0.utf8) }
        }

        init(key: VerifierKey, urlBytes: [UInt8]?) {
            self.key = key
            url = urlBytes
        }
    }

    /// A witness whose cosignature can count.
    public struct Witness: Hashable, Sendable {
        /// What the policy calls it.
        public let name: [UInt8]
        /// Its key.
        public let key: VerifierKey
        /// Where it is, for applications that want to know.
        public let url: [UInt8]?

        /// Describes a witness.
        public init(name: String, key: VerifierKey, url: String? = nil) {
            self.init(name: Array(name.utf8), key: key, urlBytes: url.map { Array($0.utf8) })
        }

        init(name: [UInt8], key: VerifierKey, urlBytes: [UInt8]?) {
            self.name = name
            self.key = key
            url = urlBytes
        }
    }

    /// Some witnesses and groups, of which a number is needed.
    public struct Group: Hashable, Sendable {
        /// What the policy calls it.
        public let name: [UInt8]
        /// How many of the members are needed, from 1 to their number.
        public let threshold: Int
        /// The names of witnesses and of groups defined before.
        public let members: [[UInt8]]

        /// Describes a group.
        public init(name: String, threshold: Int, members: [String]) {
            self.init(name: Array(name.utf8), threshold: threshold, memberNames: members.map { Array($0.utf8) })
        }

        init(name: [UInt8], threshold: Int, memberNames: [[UInt8]]) {
            self.name = name
            self.threshold = threshold
            members = memberNames
        }
    }

    /// The logs; may be empty where an application knows its log otherwise, but then nothing verifies here.
    public let logs: [Log]
    /// The witnesses.
    public let witnesses: [Witness]
    /// The groups; each refers only to witnesses and to groups before it.
    public let groups: [Group]
    /// The witness or group that has to cosign, or ``noneName``.
    public let quorum: [UInt8]

    /// Makes a policy.
    /// - Throws: ``TransparencyLogError/Code/invalidPolicy`` if a name is not a word, or used twice, or unknown, or a
    ///   key is of the wrong type or used twice, or a threshold is not from 1 to the number of members, or a member is
    ///   in two groups; ``TransparencyLogError/Code/limitExceeded`` above ``maximumCount``.
    public init(logs: [Log], witnesses: [Witness], groups: [Group], quorum: String) throws {
        try self.init(logs: logs, witnesses: witnesses, groups: groups, quorumName: Array(quorum.utf8))
    }

    init(logs: [Log], witnesses: [Witness], groups: [Group], quorumName: [UInt8]) throws {
        self.logs = logs
        self.witnesses = witnesses
        self.groups = groups
        quorum = quorumName
        try check()
    }
}

// MARK: - Rules

extension TLogPolicy {
    private func check() throws {
        guard [logs.count, witnesses.count, groups.count].allSatisfy({ $0 <= Self.maximumCount }) else {
            throw TransparencyLogError(.limitExceeded, "more than \(Self.maximumCount) logs, witnesses or groups")
        }
        guard logs.allSatisfy({ $0.key.type == .ed25519 || $0.key.type == .mlDSA44 }) else {
            throw TransparencyLogError(.invalidPolicy, "a log's key is of a cosigner's type")
        }
        guard witnesses.allSatisfy({ $0.key.type == .cosignatureEd25519 || $0.key.type == .mlDSA44 }) else {
            throw TransparencyLogError(.invalidPolicy, "a witness's key is not of a cosigner's type")
        }
        guard Set(logs.map(\.key.publicKey)).count == logs.count,
            Set(witnesses.map(\.key.publicKey)).count == witnesses.count
        else { throw TransparencyLogError(.invalidPolicy, "a public key stands twice") }
        guard (logs.map(\.url) + witnesses.map(\.url)).allSatisfy({ $0.map(Self.isWord) ?? true }) else {
            throw TransparencyLogError(.invalidPolicy, "a URL is empty or has white space or a control character")
        }
        var defined = Set<[UInt8]>()
        for witness in witnesses { try Self.define(witness.name, in: &defined) }
        var grouped = Set<[UInt8]>()
        for group in groups {
            guard (1...max(1, group.members.count)).contains(group.threshold), !group.members.isEmpty else {
                throw TransparencyLogError(.invalidPolicy, "a threshold is not from 1 to the number of members")
            }
            for member in group.members {
                guard defined.contains(member) else {
                    throw TransparencyLogError(.invalidPolicy, "a group's member is not defined before it")
                }
                guard grouped.insert(member).inserted else {
                    throw TransparencyLogError(.invalidPolicy, "a member is listed twice")
                }
            }
            try Self.define(group.name, in: &defined)
        }
        guard quorum == Self.noneName || defined.contains(quorum) else {
            throw TransparencyLogError(.invalidPolicy, "the quorum's name is not defined")
        }
    }

    private static func define(_ name: [UInt8], in defined: inout Set<[UInt8]>) throws {
        guard isWord(name), name != noneName else {
            throw TransparencyLogError(.invalidPolicy, "a name is empty, \"none\", or has white space or a control")
        }
        guard defined.insert(name).inserted else {
            throw TransparencyLogError(.invalidPolicy, "a name is defined twice")
        }
    }

    /// Whether the bytes can be one item of a line.
    private static func isWord(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }
}

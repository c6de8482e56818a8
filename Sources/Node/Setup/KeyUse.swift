public import Alliance
import TransparencyLog

/// What a key may do, and until when: read from charters and a roster by the key's kind.
public struct KeyUse: Sendable, Hashable {
    public enum State: String, Sendable, Hashable {
        /// The charter or roster in force lists it.
        case inForce = "in-force"
        /// An earlier charter listed it; it may do nothing any more.
        case former
        /// The roster revokes it.
        case revoked
        /// Neither charter nor roster lists it.
        case notListed = "not-listed"
        /// No charter, or no roster, is at hand.
        case unknown
    }

    public let state: State
    /// What it may do, in words.
    public let text: String
    /// The short name of the member that it acts for.
    public let member: String?
    /// When its certificate ends, in seconds since 1970; nil for a key that has none here.
    public let ends: Int64?

    init(_ state: State, _ text: String, member: CharterMember? = nil, ends: Int64? = nil) {
        self.state = state
        self.text = text
        self.member = member?.name
        self.ends = ends
    }

    /// How long that holds, in words.
    public func until(_ date: (Int64) -> String) -> String {
        switch state {
        case .inForce: ends.map { "\(date($0)) (certificate)" } ?? "charter or roster changes"
        case .former, .revoked, .notListed, .unknown: ""
        }
    }
}

/// What is known of keys: charters, the roster of one member, and certificates.
public struct KeyRegister: Sendable {
    /// The oldest first; the last is in force.
    public var charters: [Charter]
    /// The roster in force of a member, by id.
    public var roster: (member: String, roster: Roster)?
    public var certificates: [PeerCertificate]

    public init(charters: [Charter], roster: (member: String, roster: Roster)?, certificates: [PeerCertificate]) {
        self.charters = charters.sorted { $0.version < $1.version }
        self.roster = roster
        self.certificates = certificates
    }

    /// What a key may do.
    public func use(of file: PublicKeyFile) -> KeyUse {
        guard let charter = charters.last else { return KeyUse(.unknown, file.kind.purpose) }
        switch file.kind {
        case .officer: return officer(file, charter)
        case .node: return node(file, charter)
        case .root, .log, .replica, .witness, .authority: return inCharter(file, charter)
        }
    }

    // MARK: By the charter

    private func inCharter(_ file: PublicKeyFile, _ charter: Charter) -> KeyUse {
        let ends = file.kind == .authority ? certificateEnd(.sha256(file.key)) : nil
        for member in charter.members {
            guard let text = Self.words(file, in: member) else { continue }
            switch member.standing {
            case .active: return KeyUse(.inForce, text, member: member, ends: ends)
            case .suspended: return KeyUse(.inForce, "\(text), which is suspended", member: member, ends: ends)
            case .removed: return KeyUse(.former, "was: \(text), which is removed", member: member)
            }
        }
        for earlier in charters.dropLast().reversed() {
            for member in earlier.members {
                guard let text = Self.words(file, in: member) else { continue }
                return KeyUse(.former, "until charter version \(earlier.version): \(text)", member: member)
            }
        }
        return Self.notListed(file)
    }

    /// What the charter has this key do for a member; nil where it is not the member's.
    private static func words(_ file: PublicKeyFile, in member: CharterMember) -> String? {
        switch file.kind {
        case .root:
            guard let root = member.rootKeys.first(where: { $0.key.bytes == file.key }) else { return nil }
            let needed = "\(member.rootThreshold) of \(member.rootKeys.count) needed"
            return "signs charters and rosters as \(root.name) of \(member.title), \(needed)"
        case .log where member.log.publicKey == file.key:
            return "signs the log \(member.log.name) of \(member.title)"
        case .replica:
            guard let replica = member.replica, replica.publicKey == file.key else { return nil }
            return "cosigns other members' logs as \(replica.name) of \(member.title)"
        case .witness:
            guard let witness = member.witness, witness.publicKey == file.key else { return nil }
            return "cosigns logs from outside as \(witness.name) of \(member.title)"
        case .authority where member.authority == .sha256(file.key):
            return "issues the certificates of the nodes of \(member.title)"
        case .log, .authority, .officer, .node: return nil
        }
    }

    // MARK: By the roster

    private func officer(_ file: PublicKeyFile, _ charter: Charter) -> KeyUse {
        guard let (member, roster) = known(charter) else { return Self.withoutRoster(file) }
        guard let officer = roster.officers.first(where: { $0.key.bytes == file.key }) else {
            return Self.notListed(file)
        }
        let kinds =
            officer.kinds == OfficerArgument.standardKinds
            ? "everything" : officer.kinds.map(\.rawValue).sorted().joined(separator: ", ")
        let registers = officer.registers.map { $0.isEmpty ? "no register" : $0.joined(separator: ", ") }
        return KeyUse(
            .inForce,
            "publishes \(kinds.isEmpty ? "nothing" : kinds) about \(registers ?? "every register") as \(officer.name) "
                + "of \(member.title)", member: member)
    }

    private func node(_ file: PublicKeyFile, _ charter: Charter) -> KeyUse {
        guard let (member, roster) = known(charter) else { return Self.withoutRoster(file) }
        let key = HashValue.sha256(file.key)
        switch KeyStanding(key, in: roster) {
        case .listed(let name):
            return KeyUse(.inForce, "TLS of \(name) of \(member.title)", member: member, ends: certificateEnd(key))
        case .revoked: return KeyUse(.revoked, "revoked: no peer lets it connect", member: member)
        case .notListed: return Self.notListed(file)
        }
    }

    private func known(_ charter: Charter) -> (CharterMember, Roster)? {
        guard let roster, let member = charter.member(id: roster.member) else { return nil }
        return (member, roster.roster)
    }

    /// The end of the newest certificate for a key.
    private func certificateEnd(_ key: HashValue) -> Int64? {
        certificates.filter { $0.keyDigest == key.bytes }.map(\.notAfter).max()
    }

    private static func notListed(_ file: PublicKeyFile) -> KeyUse {
        KeyUse(.notListed, "not in the charter or roster")
    }

    private static func withoutRoster(_ file: PublicKeyFile) -> KeyUse {
        KeyUse(.unknown, "\(file.kind.purpose), if the roster lists it")
    }
}

extension KeyKind {
    /// What such keys are for, in words.
    public var purpose: String {
        switch self {
        case .officer: "signs statements"
        case .root: "signs charters and rosters"
        case .log: "signs a member's log"
        case .replica: "cosigns other members' logs"
        case .witness: "cosigns logs from outside"
        case .node: "a node's TLS"
        case .authority: "issues the certificates of nodes"
        }
    }
}

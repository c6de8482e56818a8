import Alliance
import Replication
import Synchronization
import TransparencyLog

/// One member of the virtual alliance with all of its private keys.
struct SimulatedMember: Sendable {
    let name: String
    let id: String
    /// Signs its log's heads.
    let log: NoteSigner
    /// Cosigns others' heads.
    let replica: CosignatureSigner

    var origin: String { log.name }

    init(_ number: Int) {
        name = "m\(number / 10)\(number % 10)"
        id = "did:web:\(name).example"
        do {
            log = try NoteSigner(name: "\(name).example/log", privateKey: FixedKeys.key("\(name) log"))
            replica = try CosignatureSigner(name: "\(name).example/replica", seed: FixedKeys.seed("\(name) replica"))
        } catch {
            preconditionFailure("the simulator's names can name keys: \(error)")
        }
    }

    /// Signs rosters and charters as a root key of that name.
    func root(_ keyName: String) -> Signer { signer(keyName) }

    /// Signs as a key that the member's rosters name so, or as `key` instead, which then pretends to be it.
    func officer(_ keyName: String, key: String? = nil) -> Signer {
        Signer(member: id, keyName: keyName, key: FixedKeys.key("\(name) \(key ?? keyName)"))
    }

    private func signer(_ keyName: String) -> Signer {
        Signer(member: id, keyName: keyName, key: FixedKeys.key("\(name) \(keyName)"))
    }

    func publicKey(_ keyName: String) -> SigningKey {
        do { return try SigningKey(signer(keyName).publicKey) } catch {
            preconditionFailure("an Ed25519 key is one: \(error)")
        }
    }
}

/// A virtual alliance: a real charter, and the keys of all of its members.
struct SimulatedAlliance: Sendable {
    let members: [SimulatedMember]
    /// The members that its first charter does not list, by number.
    let newcomers: [Int]
    let charter: VerifiedCharter
    /// The same with everybody, for places that nobody has taken yet.
    private let complete: VerifiedCharter
    let membership: Membership

    /// 2026-11-21T08:00:00Z: when its charter has been in force for a day.
    static let start: Int64 = 1_795_248_000
    /// The register that the virtual officers keep.
    static let register = "vasp-licences"

    private static let made = Mutex<[[Int]: SimulatedAlliance]>([:])

    /// The alliance of so many members; its quorum is the smallest that a charter may have, where nothing else is said.
    static func of(_ count: Int, newcomers: [Int] = [], quorum: Int? = nil) -> SimulatedAlliance {
        let quorum = quorum ?? (count - 1) / 2 + 1
        return made.withLock { made in
            let key = [count, quorum] + newcomers
            if let alliance = made[key] { return alliance }
            let alliance = SimulatedAlliance(count, newcomers, quorum)
            made[key] = alliance
            return alliance
        }
    }

    private init(_ count: Int, _ newcomers: [Int], _ quorum: Int) {
        let members = (0..<count).map { SimulatedMember($0) }
        self.members = members
        self.newcomers = newcomers
        charter = Self.first(of: members.indices.filter { !newcomers.contains($0) }.map { members[$0] }, quorum)
        complete = Self.first(of: members, quorum)
        membership = Membership(charter)
    }

    private static func first(of members: [SimulatedMember], _ quorum: Int) -> VerifiedCharter {
        let count = members.count
        let draft = Charter(
            alliance: "Virtual alliance of \(count)", issued: Timestamp(seconds: start - 86_400),
            expires: Timestamp(seconds: start + 365 * 86_400), threshold: count / 2 + 1,
            quorum: quorum,
            registers: BuiltInRegisters.all.map {
                SharedRegister(name: $0.name, definition: HashValue.sha256($0.descriptor), merge: .each)
            }, members: members.map(charterMember))
        do {
            let digest = HashValue.sha256(try draft.payload())
            return VerifiedCharter(unchecked: draft, digest: digest, alliance: digest)
        } catch {
            preconditionFailure("the simulator's charter keeps the rules: \(error)")
        }
    }

    /// A member as a charter first lists it.
    static func charterMember(_ member: SimulatedMember) -> CharterMember {
        CharterMember(
            id: member.id, name: member.name, title: "Member \(member.name)", country: "ZZ", zone: "Etc/UTC",
            role: .regulator, rootKeys: [RootKey(name: "root", key: member.publicKey("root"))],
            authority: HashValue.sha256("authority of \(member.name)"), log: member.log.verifierKey,
            replica: member.replica.verifierKey, addresses: ["https://\(member.name).example:7443"])
    }
}

extension SimulatedAlliance {
    /// Every member's log before its first entry, in the order of the nodes.
    var emptyLogs: [SimulatedLog] {
        complete.charter.members.map { member in
            let isListed = charter.charter.member(id: member.id) != nil
            return SimulatedLog(LogState(member: member, charter: isListed ? charter : complete))
        }
    }

    /// The place of a member.
    func number(of id: String) -> Int? { members.firstIndex { $0.id == id } }

    /// The root keys with which a member signs what goes from one of these charters to the other.
    func roots(of number: Int, in charters: [Charter]) -> [Signer] {
        var names: [String] = []
        for key in charters.compactMap({ $0.member(id: members[number].id) }).flatMap(\.rootKeys)
        where !names.contains(key.name) { names.append(key.name) }
        return names.map { members[number].root($0) }
    }
}

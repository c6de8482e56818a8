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

    /// Signs rosters.
    var root: Signer { signer("root") }

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
    let charter: VerifiedCharter
    let membership: Membership

    /// 2026-11-21T08:00:00Z: when its charter has been in force for a day.
    static let start: Int64 = 1_795_248_000
    /// The register that the virtual officers keep.
    static let register = "vasp-licences"

    private static let made = Mutex<[Int: SimulatedAlliance]>([:])

    /// The alliance of so many members; its quorum is the smallest that a charter may have.
    static func of(_ count: Int) -> SimulatedAlliance {
        made.withLock { made in
            if let alliance = made[count] { return alliance }
            let alliance = SimulatedAlliance(count)
            made[count] = alliance
            return alliance
        }
    }

    private init(_ count: Int) {
        members = (0..<count).map { SimulatedMember($0) }
        let draft = Charter(
            alliance: "Virtual alliance of \(count)", issued: Timestamp(seconds: Self.start - 86_400),
            expires: Timestamp(seconds: Self.start + 365 * 86_400), threshold: count / 2 + 1,
            quorum: (count - 1) / 2 + 1,
            registers: BuiltInRegisters.all.map {
                SharedRegister(name: $0.name, definition: HashValue.sha256($0.descriptor), merge: .each)
            }, members: members.map(Self.charterMember))
        do {
            let digest = HashValue.sha256(try draft.payload())
            charter = VerifiedCharter(unchecked: draft, digest: digest, alliance: digest)
        } catch {
            preconditionFailure("the simulator's charter keeps the rules: \(error)")
        }
        membership = Membership(charter)
    }

    private static func charterMember(_ member: SimulatedMember) -> CharterMember {
        CharterMember(
            id: member.id, name: member.name, title: "Member \(member.name)", country: "ZZ", zone: "Etc/UTC",
            role: .regulator, rootKeys: [RootKey(name: "root", key: member.publicKey("root"))],
            authority: HashValue.sha256("authority of \(member.name)"), log: member.log.verifierKey,
            replica: member.replica.verifierKey, addresses: ["https://\(member.name).example:7443"])
    }
}

extension SimulatedAlliance {
    /// Every member's log before its first entry.
    var emptyLogs: [SimulatedLog] {
        charter.charter.members.map { SimulatedLog(LogState(member: $0, charter: charter)) }
    }
}

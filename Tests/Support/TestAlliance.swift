public import Alliance
public import Crypto
import NIOConcurrencyHelpers
public import TransparencyLog

/// Keys from fixed seeds: SHA-256 of a name.
public enum TestKey {
    public static func seed(_ name: String) -> [UInt8] { HashValue.sha256("entente test key \(name)").bytes }

    /// Made once each: without optimisation that costs as much as a signature.
    /// This lock, not Mutex, whose waiting the race detector can't see: tests in parallel do wait here.
    private static let made = NIOLockedValueBox<[String: Curve25519.Signing.PrivateKey]>([:])

    public static func privateKey(_ name: String) -> Curve25519.Signing.PrivateKey {
        made.withLockedValue { made in
            if let key = made[name] { return key }
            guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed(name)) else {
                preconditionFailure("32 bytes are a seed")
            }
            made[name] = key
            return key
        }
    }

    public static func signingKey(_ name: String) throws -> SigningKey {
        try SigningKey(Array(privateKey(name).publicKey.rawRepresentation))
    }
}

/// Three regulators and an observer, under a charter of version 1.
public struct TestAlliance: Sendable {
    /// 2026-11-21T08:00:00Z.
    public static let start: Int64 = 1_795_248_000

    public var charter: VerifiedCharter

    public init(edit: (inout Charter) throws -> Void = { _ in }) throws {
        var charter = try Self.draft()
        try edit(&charter)
        let payload = try charter.payload()
        let digest = HashValue.sha256(payload)
        self.charter = VerifiedCharter(unchecked: charter, digest: digest, alliance: digest)
    }

    public static func draft() throws -> Charter {
        Charter(
            alliance: "Test Alliance", issued: Timestamp(seconds: start - 86_400),
            expires: Timestamp(seconds: start + 365 * 86_400), threshold: 2, quorum: 2,
            registers: BuiltInRegisters.all.map {
                SharedRegister(name: $0.name, definition: HashValue.sha256($0.descriptor), merge: .each)
            },
            members: [
                try member("pk", "Pakistan", "PK", "Asia/Karachi"),
                try member("sv", "El Salvador", "SV", "America/El_Salvador"),
                try member("us", "United States", "US", "America/New_York"),
                try member("imf", "IMF", "US", "America/New_York", role: .observer),
            ])
    }

    public static func member(
        _ name: String, _ title: String, _ country: String, _ zone: String, role: MemberRole = .regulator
    ) throws -> CharterMember {
        CharterMember(
            id: id(name), name: name, title: title, country: country, zone: zone, role: role,
            rootKeys: [
                RootKey(name: "root-1", key: try TestKey.signingKey("\(name) root-1")),
                RootKey(name: "root-2", key: try TestKey.signingKey("\(name) root-2")),
            ], authority: HashValue.sha256("ca of \(name)"),
            log: try noteSigner(name).verifierKey, replica: try cosigner(name).verifierKey,
            addresses: ["https://\(name).alliance.example:7443"])
    }

    public static func id(_ name: String) -> String { "did:web:\(name).alliance.example" }
    public static func noteSigner(_ name: String) throws -> NoteSigner {
        try NoteSigner(name: "\(name).alliance.example/log", seed: TestKey.seed("\(name) log"))
    }
    public static func cosigner(_ name: String) throws -> CosignatureSigner {
        try CosignatureSigner(name: "\(name).alliance.example/replica", seed: TestKey.seed("\(name) replica"))
    }
    public static func root(_ name: String, _ number: Int = 1) -> Signer {
        Signer(member: id(name), keyName: "root-\(number)", key: TestKey.privateKey("\(name) root-\(number)"))
    }
    public static func officer(_ keyName: String, of name: String = "pk", key: String? = nil) -> Signer {
        Signer(member: id(name), keyName: keyName, key: TestKey.privateKey("\(name) officer \(key ?? keyName)"))
    }

    /// The charter's file, signed by these members.
    public func file(signers: [Signer]) throws -> [UInt8] {
        let payload = try charter.charter.payload()
        var file: [UInt8]?
        for signer in signers { file = try SignedCharter.sign(payload: payload, by: signer, adding: file) }
        return file ?? []
    }

    public func member(_ name: String) throws -> CharterMember {
        guard let member = charter.charter.member(named: name) else { throw AllianceError(.unknown, name) }
        return member
    }

    public func log(of name: String = "pk") throws -> MemoryLog {
        MemoryLog(member: try member(name), charter: charter)
    }

    public func context(_ name: String = "pk", _ issuedAt: Int64 = start) -> DraftContext {
        DraftContext(member: Self.id(name), alliance: charter.alliance, issuedAt: issuedAt)
    }
}

extension Roster {
    /// Two officers for everything, and one for warnings alone.
    public static func sample(
        of name: String = "pk", ordinal: UInt64 = 0, previous: HashValue? = nil, twoOfficers: [String] = [],
        without: String? = nil
    ) throws -> Roster {
        let all = Set(StatementKind.allCases).subtracting([.roster])
        var officers: [Officer] = []
        for person in ["ayesha", "bilal", "carla"] where person != without {
            officers.append(
                Officer(
                    name: person, key: try TestKey.signingKey("\(name) officer \(person)"), kinds: all,
                    registers: person == "carla" ? ["warnings"] : nil))
        }
        return Roster(
            ordinal: ordinal, previous: previous, officers: officers, twoOfficers: twoOfficers,
            nodes: [RosterNode(name: "node-1", addresses: [], tlsKeys: [HashValue.sha256("tls of \(name)")])])
    }
}

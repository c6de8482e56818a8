public import TransparencyLog

/// A charter as a file: a JWS in general JSON form whose signatures are not yet counted.
public struct SignedCharter: Sendable {
    /// The file's bytes, as received.
    public let bytes: [UInt8]
    /// What the payload says; it keeps every rule of content, but nobody may have signed it.
    public let unverified: Charter
    /// SHA-256 of the payload: what people compare.
    public let digest: HashValue
    let jws: JWS

    /// Bytes of a charter's file.
    public static let byteLimit = JWS.byteLimit

    /// Reads a charter.
    ///
    /// - Throws: ``AllianceError``.
    public init(parsing bytes: [UInt8]) throws(AllianceError) {
        guard bytes.first == UInt8(ascii: "{") else {
            throw AllianceError(.malformed, "is no charter: a JSON object (JWS in general form) is due")
        }
        let jws = try JWS(parsing: bytes)
        guard jws.type == Charter.type else {
            throw AllianceError(.malformed, "is no charter: its type is \(jws.type), not \(Charter.type)")
        }
        self.bytes = bytes
        self.jws = jws
        self.unverified = try Charter(payload: jws.payload)
        self.digest = HashValue.sha256(jws.payload)
    }

    /// A charter's file with one more signature; the first begins the file.
    public static func sign(payload: [UInt8], by signer: Signer, adding existing: [UInt8]? = nil) throws -> [UInt8] {
        try JWS.general(type: Charter.type, payload: payload, adding: signer, to: existing)
    }

    /// The decoded payload.
    public var payload: [UInt8] { jws.payload }

    /// Who signed: for every member of the charter, the names of its root keys whose signatures verify.
    ///
    /// - Throws: ``AllianceError`` where a signature claims to be by a known root key and does not verify.
    public func signers() throws(AllianceError) -> [(member: CharterMember, keys: [String])] {
        var found: [String: Set<String>] = [:]
        for (position, signature) in jws.signatures.enumerated() {
            guard let member = unverified.member(id: signature.member),
                let root = member.rootKeys.first(where: { $0.name == signature.keyName })
            else { continue }
            guard signature.isValid(by: root.key) else {
                throw AllianceError(
                    .badSignature, "the signature of \(signature.member)#\(signature.keyName) does not verify",
                    at: "signatures[\(position)]")
            }
            found[member.id, default: []].insert(root.name)
        }
        return unverified.members.compactMap { member in
            found[member.id].map { (member, $0.sorted()) }
        }
    }

    /// The regulators that have not signed with enough of their root keys.
    public func missingSigners() throws(AllianceError) -> [CharterMember] {
        let signed = try signers()
        return unverified.regulators.filter { regulator in
            let keys = signed.first { $0.member.id == regulator.id }?.keys.count ?? 0
            return keys < regulator.rootThreshold
        }
    }

    /// The charter, verified as version 1: every regulator signed (formats, section 9).
    ///
    /// - Throws: ``AllianceError`` that names who is missing.
    public func verifyFirst() throws(AllianceError) -> VerifiedCharter {
        guard unverified.version == 1 else {
            throw AllianceError(
                .unknown, "is version \(unverified.version): version 1, from which trust starts, is due")
        }
        let missing = try missingSigners()
        guard missing.isEmpty else {
            let names = missing.map(\.name).joined(separator: ", ")
            throw AllianceError(.badSignature, "version 1 needs every regulator's signature; still missing: \(names)")
        }
        return VerifiedCharter(charter: unverified, digest: digest, alliance: digest, file: bytes)
    }
}

/// A charter whose signatures were counted.
public struct VerifiedCharter: Hashable, Sendable {
    /// What it says.
    public let charter: Charter
    /// SHA-256 of its payload.
    public let digest: HashValue
    /// SHA-256 of version 1's payload: the alliance's identity, which every statement names.
    public let alliance: HashValue
    /// The signed file.
    public let file: [UInt8]

    /// A charter that the caller has reason to trust without its signatures, as tests and simulators do.
    public init(unchecked charter: Charter, digest: HashValue, alliance: HashValue, file: [UInt8] = []) {
        self.init(charter: charter, digest: digest, alliance: alliance, file: file)
    }

    init(charter: Charter, digest: HashValue, alliance: HashValue, file: [UInt8]) {
        self.charter = charter
        self.digest = digest
        self.alliance = alliance
        self.file = file
    }

    /// What people compare: the digest's first 12 hexadecimal digits in groups of four.
    public var fingerprint: String { digest.fingerprint }

    /// The whole digest in groups of four.
    public var fullFingerprint: String { digest.fullFingerprint }
}

public import Alliance
import Crypto
public import TransparencyLog

/// A charter's file on its way: drafted by one member, then signed by one after the other.
///
/// The file is the JWS in general JSON form of formats.md, section 9; before the first signature its list of signatures
/// is empty, which is no charter yet.
public struct CharterFile: Sendable {
    /// The file's bytes.
    public let bytes: [UInt8]
    /// What the payload says. Its rules of content hold; who signed is another matter.
    public let charter: Charter
    /// SHA-256 of the payload.
    public let digest: HashValue
    /// With its signatures; nil while there are none.
    public let signed: SignedCharter?
    private let payload: [UInt8]

    /// Drafts a charter.
    ///
    /// - Throws: ``AllianceError`` where the charter breaks a rule.
    public init(drafting charter: Charter) throws(AllianceError) {
        payload = try charter.payload()
        // Reading it back checks what only the reader knows.
        self.charter = try Charter(payload: payload)
        digest = HashValue.sha256(payload)
        signed = nil
        let file: JSONValue = ["payload": .string(Base64.encodeURL(payload)), "signatures": []]
        bytes = file.encodedForReading()
    }

    /// Reads a file's bytes.
    ///
    /// - Throws: ``SetupError`` with code `malformed`.
    public init(parsing bytes: [UInt8], file: String) throws(SetupError) {
        if let draft = Self.draft(bytes) {
            do throws(AllianceError) {
                try self.init(drafting: Charter(payload: draft))
                return
            } catch {
                throw SetupError(.malformed, file, "no charter: \(error)")
            }
        }
        do throws(AllianceError) {
            self.init(try SignedCharter(parsing: bytes))
        } catch {
            throw SetupError(.malformed, file, "no charter: \(error)")
        }
    }

    private init(_ signed: SignedCharter) {
        bytes = signed.bytes
        charter = signed.unverified
        digest = signed.digest
        payload = signed.payload
        self.signed = signed
    }

    /// Reads the file at a path.
    public init(at path: String) throws(SetupError) {
        try self.init(parsing: try PlainFile.read(path, limit: SignedCharter.byteLimit), file: path)
    }

    /// The payload of a file without signatures; nil if it is something else.
    private static func draft(_ bytes: [UInt8]) -> [UInt8]? {
        guard let object = (try? JSONValue.parse(bytes))?.object, object.names.count == 2,
            object["signatures"]?.array?.isEmpty == true, let text = object["payload"]?.string
        else { return nil }
        return Base64.decodeURL(text)
    }

    /// Who signed with which root keys, in the charter's order.
    public func signers() throws(AllianceError) -> [(member: CharterMember, keys: [String])] {
        try signed?.signers() ?? []
    }

    /// The regulators whose signatures are still missing.
    public func missing() throws(AllianceError) -> [CharterMember] {
        try signed?.missingSigners() ?? charter.regulators
    }

    /// The member that has this root key, and the key as its signer; nil if no member has it.
    public func signer(_ root: PrivateKey) -> (member: CharterMember, signer: Signer)? {
        guard let key = root.signing else { return nil }
        for member in charter.members {
            if let found = member.rootKeys.first(where: { $0.key.bytes == root.publicKey }) {
                return (member, Signer(member: member.id, keyName: found.name, signing: key))
            }
        }
        return nil
    }

    /// The file with one more signature. Signing twice with one key changes nothing.
    public func signed(by signer: Signer) throws -> CharterFile {
        let bytes = try SignedCharter.sign(payload: payload, by: signer, adding: signed == nil ? nil : bytes)
        return try CharterFile(parsing: bytes, file: "the charter")
    }

    /// What people compare: the digest's first 12 hexadecimal digits in groups of four.
    public var fingerprint: String {
        VerifiedCharter(unchecked: charter, digest: digest, alliance: digest).fingerprint
    }

    /// The whole digest in groups of four.
    public var fullFingerprint: String {
        VerifiedCharter(unchecked: charter, digest: digest, alliance: digest).fullFingerprint
    }
}

/// Drafts version 1 of a charter from what its members tell about themselves.
public enum CharterSetup {
    /// Lists the built-in registers, all merged `each` but `recognitions`, which is by `recognitionsBy`.
    ///
    /// - Parameters:
    ///   - threshold: regulators that must sign the next version; nil for more than half.
    ///   - recognitionsBy: members that must endorse a recognition; nil for half of the regulators, at least one.
    ///   - issued, expires: seconds since 1970.
    /// - Throws: ``AllianceError``.
    public static func draft(
        name: String, members: [CharterMember], quorum: Int, threshold: Int?, recognitionsBy: Int?, issued: Int64,
        expires: Int64
    ) throws(AllianceError) -> CharterFile {
        let regulators = members.count { $0.role == .regulator }
        let registers = BuiltInRegisters.all.map { definition in
            SharedRegister(
                name: definition.name, definition: HashValue.sha256(definition.descriptor),
                merge: definition.name == "recognitions" ? .by(count: recognitionsBy ?? max(1, regulators / 2)) : .each)
        }
        return try CharterFile(
            drafting: Charter(
                alliance: name, issued: Timestamp(seconds: issued), expires: Timestamp(seconds: expires),
                threshold: threshold ?? regulators / 2 + 1, quorum: quorum, registers: registers, members: members))
    }
}

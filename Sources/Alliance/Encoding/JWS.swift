import Crypto
import TransparencyLog

/// One signature of a JWS: who says to have made it, over which bytes.
public struct JWSSignature: Hashable, Sendable {
    /// The member that the key belongs to: the part of `kid` before `#`.
    public let member: String
    /// The key's name in that member's roster or charter entry: the part of `kid` after `#`.
    public let keyName: String
    /// The type that the protected header states.
    public let type: String
    /// What is signed (RFC 7515 section 5.1).
    public let signingInput: ArraySlice<UInt8>
    /// The 64 bytes of the Ed25519 signature.
    public let signature: [UInt8]

    /// Whether `key` made this signature.
    public func isValid(by key: SigningKey) -> Bool { key.verify(signature, of: signingInput) }
}

/// A JWS (RFC 7515) in compact form, or in general JSON form with protected headers only, as received.
///
/// Headers hold exactly `alg` (`EdDSA`, or RFC 9864's `Ed25519`), `typ` and `kid` = `<member id>#<key name>`;
/// an attestation may add `cty`. Signatures are verified over the received bytes, which are never re-serialised.
public struct JWS: Sendable {
    /// The decoded payload.
    public let payload: [UInt8]
    /// At least one.
    public let signatures: [JWSSignature]

    /// Signatures of one JWS that are read.
    public static let signatureLimit = 64
    /// Bytes of a JWS in general form.
    public static let byteLimit = 4 << 20

    /// The type that all signatures state.
    public var type: String { signatures[0].type }

    /// Reads either form.
    public init(parsing bytes: [UInt8]) throws(AllianceError) {
        if bytes.first == UInt8(ascii: "{") {
            try self.init(general: bytes)
        } else {
            try self.init(compact: bytes)
        }
    }

    private init(compact bytes: [UInt8]) throws(AllianceError) {
        guard let (first, second) = Self.points(in: bytes) else {
            throw AllianceError(.malformed, "is no JWS in compact form: two points are due")
        }
        guard let payload = Base64.decodeURL(bytes[(first + 1)..<second]) else {
            throw AllianceError(.malformed, "the payload is not canonical base64url")
        }
        self.payload = payload
        self.signatures = [
            try Self.signature(
                header: bytes[..<first], signature: bytes[(second + 1)...], input: bytes[..<second])
        ]
    }

    /// Where the first two points stand, between which a JWS in compact form has its payload.
    public static func points(in bytes: [UInt8]) -> (first: Int, second: Int)? {
        bytes.withUnsafeBytes { buffer in
            guard let first = point(in: buffer, from: 0), let second = point(in: buffer, from: first + 1) else {
                return nil
            }
            return (first, second)
        }
    }

    /// The next point, sought eight bytes at a time: a payload is long.
    private static func point(in buffer: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var position = start
        while position + 8 <= buffer.count, !EightBytes(buffer, at: position).contain(UInt8(ascii: ".")) {
            position += 8
        }
        while position < buffer.count, buffer[position] != UInt8(ascii: ".") { position += 1 }
        return position < buffer.count ? position : nil
    }

    private init(general bytes: [UInt8]) throws(AllianceError) {
        guard bytes.count <= Self.byteLimit else {
            throw AllianceError(.limit, "is longer than \(Self.byteLimit) bytes")
        }
        let tape: JSONTape
        do { tape = try JSONTape(bytes) } catch { throw AllianceError(.malformed, "\(error)") }
        var reader = try JSONReader(tape.root, at: "")
        let payloadText = try reader.required("payload")
        guard let encoded = payloadText.utf8, let payload = Base64.decodeURL(encoded) else {
            throw AllianceError(.malformed, "must be canonical base64url", at: "payload")
        }
        self.payload = payload
        var signatures: [JWSSignature] = []
        let elements = try reader.array("signatures", most: Self.signatureLimit, least: 1)
        try reader.finish()
        for (position, element) in elements.enumerated() {
            let place = "signatures[\(position)]"
            var one = try JSONReader(element, at: place)
            guard let header = try one.required("protected").utf8, let value = try one.required("signature").utf8 else {
                throw AllianceError(.malformed, "protected and signature must be strings", at: place)
            }
            try one.finish()
            let input = header + [UInt8(ascii: ".")] + encoded
            do throws(AllianceError) {
                signatures.append(try Self.signature(header: header[...], signature: value[...], input: input[...]))
            } catch {
                throw error.within(place)
            }
        }
        guard signatures.allSatisfy({ $0.type.hasSameBytes(as: signatures[0].type) }) else {
            throw AllianceError(.malformed, "the signatures state different types")
        }
        self.signatures = signatures
    }

    private static func signature(
        header: ArraySlice<UInt8>, signature: ArraySlice<UInt8>, input: ArraySlice<UInt8>
    ) throws(AllianceError) -> JWSSignature {
        guard let headerBytes = Base64.decodeURL(header) else {
            throw AllianceError(.malformed, "the protected header is not canonical base64url")
        }
        guard let value = Base64.decodeURL(signature), value.count == 64 else {
            throw AllianceError(.malformed, "the signature is not 64 bytes in canonical base64url")
        }
        let tape: JSONTape
        do { tape = try JSONTape(headerBytes) } catch {
            throw AllianceError(.malformed, "the protected header is \(error)")
        }
        var reader = try JSONReader(tape.root, at: "header")
        let algorithm = try reader.required("alg")
        guard algorithm.isString("EdDSA") || algorithm.isString("Ed25519") else {
            throw AllianceError(.malformed, "alg must be EdDSA or Ed25519", at: "header.alg")
        }
        let type = try reader.string("typ", most: 128)
        let kid = try reader.string("kid", most: 512)
        if type == StatementKind.attestation.type { _ = reader.optional("cty") }
        try reader.finish()
        let parts = kid.utf8.split(separator: UInt8(ascii: "#"), omittingEmptySubsequences: false)
        guard parts.count == 2, let member = String(parts[0]), let name = String(parts[1]),
            MemberID.isValid(member), KeyName.isValid(name)
        else { throw AllianceError(.malformed, "kid must be <member id>#<key name>", at: "header.kid") }
        return JWSSignature(member: member, keyName: name, type: type, signingInput: input, signature: value)
    }
}

// MARK: - Writing

extension JWS {
    /// The base64url of a protected header.
    static func header(type: String, member: String, keyName: String) -> [UInt8] {
        let object: JSONValue = ["alg": "EdDSA", "kid": .string("\(member)#\(keyName)"), "typ": .string(type)]
        return Array(Base64.encodeURL(object.encoded()).utf8)
    }

    /// Signs a payload in compact form.
    public static func compact(type: String, payload: [UInt8], signer: Signer) throws -> [UInt8] {
        let input =
            header(type: type, member: signer.member, keyName: signer.keyName) + [UInt8(ascii: ".")]
            + Array(Base64.encodeURL(payload).utf8)
        return input + [UInt8(ascii: ".")] + Array(Base64.encodeURL(try signer.sign(input)).utf8)
    }

    /// A JWS in general form with one more signature. Signing twice with one key changes nothing.
    ///
    /// - Parameter existing: the signatures so far, as ``general(type:payload:signers:)`` wrote them; nil to begin.
    public static func general(
        type: String, payload: [UInt8], adding signer: Signer, to existing: [UInt8]?
    ) throws
        -> [UInt8]
    {
        let encoded = Base64.encodeURL(payload)
        var signatures: [JSONValue] = []
        if let existing {
            let parsed = try JSONValue.parse(existing)
            signatures = parsed["signatures"]?.array ?? []
        }
        let header = header(type: type, member: signer.member, keyName: signer.keyName)
        let input = header + [UInt8(ascii: ".")] + Array(encoded.utf8)
        let entry: JSONValue = [
            "protected": .string(String(decoding: header, as: UTF8.self)),
            "signature": .string(Base64.encodeURL(try signer.sign(input))),
        ]
        if !signatures.contains(entry) { signatures.append(entry) }
        let object: JSONValue = ["payload": .string(encoded), "signatures": .array(signatures)]
        return object.encodedForReading()
    }
}

public import TransparencyLog

// What version N+1 must be with regard to version N (formats, section 9).

extension Charter {
    /// Checks everything about the direct successor of this charter but its signatures.
    ///
    /// - Parameters:
    ///   - next: its content, which keeps every rule by itself.
    ///   - digest: SHA-256 of this charter's payload.
    /// - Throws: ``CharterRefusal``.
    public func checkSuccessor(_ next: Charter, digest: HashValue) throws(CharterRefusal) {
        guard next.version == version + 1 else {
            let code: CharterRefusal.Code = next.version > version ? .skipped : .rolledBack
            throw CharterRefusal(
                code, "it is version \(next.version); after version \(version) only version \(version + 1) can come")
        }
        guard next.previous == digest else {
            throw CharterRefusal(
                .otherPrevious, "version \(next.version) follows another charter than the version \(version) known here"
            )
        }
        for member in members {
            guard let after = next.member(id: member.id) else {
                throw CharterRefusal(
                    .selfContradicting,
                    "\(member.name) is left out: a member goes by its standing, removed, and stays listed")
            }
            try Self.checkSuccession(of: member, to: after)
        }
        try checkKeyRoles(in: next)
        try checkCuts(of: next)
    }

    private static func checkSuccession(
        of member: CharterMember, to after: CharterMember
    ) throws(CharterRefusal) {
        guard member.name.hasSameBytes(as: after.name) else {
            throw CharterRefusal(
                .selfContradicting,
                "\(member.name) is called \(after.name): a short name stands in the names of registers and stays")
        }
        for key in after.rootKeys {
            if let old = member.rootKeys.first(where: { $0.name.hasSameBytes(as: key.name) }), old.key != key.key {
                throw CharterRefusal(
                    .selfContradicting, "\(member.name): another root key has the name \(key.name) of an old one")
            }
        }
        let isSameOrigin = member.log.name.hasSameBytes(as: after.log.name)
        guard isSameOrigin == (member.log == after.log) else {
            throw CharterRefusal(
                .selfContradicting, "\(member.name): a new log key has a new origin, and an origin keeps its key")
        }
    }

    /// A key stays with its member and its role, so that nothing that it signed before gets another meaning.
    private func checkKeyRoles(in next: Charter) throws(CharterRefusal) {
        var roles: [[UInt8]: String] = [:]
        for member in members {
            for (key, role) in member.keyRoles { roles[key] = "\(member.id) \(role)" }
        }
        for member in next.members {
            for (key, role) in member.keyRoles where roles[key].map({ $0 != "\(member.id) \(role)" }) ?? false {
                throw CharterRefusal(
                    .selfContradicting,
                    "\(member.name)'s \(role) key is a key of another kind or member in version \(version)")
            }
        }
        for member in next.members where self.member(id: member.id) == nil {
            guard !members.contains(where: { $0.log.name.hasSameBytes(as: member.log.name) }) else {
                throw CharterRefusal(.selfContradicting, "\(member.name)'s log has the origin of another member's")
            }
        }
    }

    private func checkCuts(of next: Charter) throws(CharterRefusal) {
        for cut in next.cuts where !members.contains(where: { $0.log.name.hasSameBytes(as: cut.origin) }) {
            throw CharterRefusal(
                .selfContradicting, "a cut is stated for \(cut.origin), which is no log of version \(version)")
        }
        for origin in originsToCut(for: next) where next.cut(of: origin) == nil {
            throw CharterRefusal(
                .cutMissing, "\(origin) needs a cut: its member's root keys, role, standing or log key change")
        }
        for cut in next.cuts {
            if let before = self.cut(of: cut.origin), cut.size < before.size {
                throw CharterRefusal(
                    .rolledBack,
                    "\(cut.origin) is cut at \(cut.size), before the cut of version \(version) at \(before.size)")
            }
        }
    }

    /// The logs for which a successor must state cuts: those whose members' root keys, role, standing or log key it
    /// changes.
    public func originsToCut(for next: Charter) -> [String] {
        members.filter { member in
            guard let after = next.member(id: member.id) else { return false }
            return Set(member.rootKeys) != Set(after.rootKeys) || member.rootThreshold != after.rootThreshold
                || member.role != after.role || member.standing != after.standing || member.log != after.log
        }.map(\.log.name)
    }
}

extension CharterMember {
    /// Every raw key with its role. Root keys share one role.
    fileprivate var keyRoles: [(key: [UInt8], role: String)] {
        var found = rootKeys.map { ($0.key.bytes, "root") }
        found.append((log.publicKey, "log"))
        if let replica { found.append((replica.publicKey, "replica")) }
        if let witness { found.append((witness.publicKey, "witness")) }
        return found
    }
}

// MARK: - Signatures

/// Who signed a charter, under the keys of one charter.
public struct CharterSigners: Hashable, Sendable {
    /// The regulators that signed with enough of their root keys, in the charter's order.
    public let complete: [CharterMember]
    /// The regulators that did not.
    public let missing: [CharterMember]
    /// How many are needed.
    public let needed: Int

    /// Whether they are enough.
    public var areEnough: Bool { complete.count >= needed }
    /// How many more are needed.
    public var lacking: Int { max(0, needed - complete.count) }
}

extension SignedCharter {
    /// Which regulators of `charter` signed this file with their root keys of that charter, each counted once.
    ///
    /// Signatures by keys that the charter does not name are passed over, and so are those that do not verify:
    /// ``checkSignatures(_:)`` refuses the latter.
    public func signers(under charter: Charter) -> CharterSigners {
        var complete: [CharterMember] = []
        var missing: [CharterMember] = []
        for regulator in charter.regulators {
            let keys = regulator.rootKeys.filter { root in
                jws.signatures.contains { signature in
                    signature.member.hasSameBytes(as: regulator.id) && signature.keyName.hasSameBytes(as: root.name)
                        && signature.isValid(by: root.key)
                }
            }
            if keys.count >= regulator.rootThreshold { complete.append(regulator) } else { missing.append(regulator) }
        }
        return CharterSigners(complete: complete, missing: missing, needed: charter.threshold)
    }

    /// Refuses a file in which one key signs twice, or a signature in the name of a known root key does not verify.
    ///
    /// - Parameter charters: those whose root keys are known: this one and the one before.
    func checkSignatures(_ charters: [Charter]) throws(CharterRefusal) {
        var seen: Set<[UInt8]> = []
        for signature in jws.signatures {
            let name = "\(signature.member)#\(signature.keyName)"
            guard seen.insert(Array(name.utf8)).inserted else {
                throw CharterRefusal(.repeatedSigner, "\(name) signed twice")
            }
            let keys = Self.keys(of: signature, in: charters)
            guard keys.isEmpty || keys.contains(where: { signature.isValid(by: $0) }) else {
                throw CharterRefusal(.badSignature, "the signature of \(name) does not verify")
            }
        }
    }

    private static func keys(of signature: JWSSignature, in charters: [Charter]) -> [SigningKey] {
        charters.flatMap { charter in
            charter.members.filter { $0.id.hasSameBytes(as: signature.member) }
                .flatMap(\.rootKeys).filter { $0.name.hasSameBytes(as: signature.keyName) }.map(\.key)
        }
    }

    /// The charter, verified as the direct successor of another.
    ///
    /// - Throws: ``CharterRefusal``.
    public func verifySuccessor(of previous: VerifiedCharter) throws(CharterRefusal) -> VerifiedCharter {
        try previous.charter.checkSuccessor(unverified, digest: previous.digest)
        try checkSignatures([previous.charter, unverified])
        for (charter, text) in [
            (previous.charter, "of version \(previous.charter.version)"), (unverified, "of its own"),
        ] {
            let signers = signers(under: charter)
            guard signers.areEnough else {
                let names = signers.missing.map(\.name).joined(separator: ", ")
                throw CharterRefusal(
                    .tooFewSigners,
                    "version \(unverified.version) needs \(signers.needed) regulators \(text); \(signers.complete.count) "
                        + "signed, \(signers.lacking) of \(names) must still sign")
            }
        }
        return VerifiedCharter(charter: unverified, digest: digest, alliance: previous.alliance, file: bytes)
    }

    /// The file in its one form: each root key's signature once, sorted by signer, those of unknown keys left out, with
    /// the signatures of other files of the same charter.
    ///
    /// - Parameters:
    ///   - others: other files of the very same payload; those of another payload are passed over.
    ///   - charters: whose root keys are known.
    public func gathered(with others: [SignedCharter], under charters: [Charter]) -> SignedCharter {
        var best: [[UInt8]: (header: [UInt8], signature: [UInt8])] = [:]
        for file in [self] + others where file.digest == digest {
            for signature in file.jws.signatures
            where Self.keys(of: signature, in: charters).contains(where: { signature.isValid(by: $0) }) {
                let kid = Array("\(signature.member)#\(signature.keyName)".utf8)
                let one = (header: signature.header, signature: signature.signature)
                guard let known = best[kid] else {
                    best[kid] = one
                    continue
                }
                if (one.header + one.signature).lexicographicallyPrecedes(known.header + known.signature) {
                    best[kid] = one
                }
            }
        }
        let sorted = best.sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(JWS.signatureLimit)
        guard !sorted.isEmpty,
            let file = try? SignedCharter(parsing: JWS.general(payload: payload, signatures: sorted.map(\.value)))
        else { return self }
        return file
    }
}

extension JWSSignature {
    /// The protected header as it was signed, in base64url.
    var header: [UInt8] { Array(signingInput.prefix { $0 != UInt8(ascii: ".") }) }
}

extension JWS {
    /// The general JSON form of a payload and its signatures.
    static func general(payload: [UInt8], signatures: [(header: [UInt8], signature: [UInt8])]) -> [UInt8] {
        let object: JSONValue = [
            "payload": .string(Base64.encodeURL(payload)),
            "signatures": .array(
                signatures.map { header, signature in
                    [
                        "protected": .string(String(decoding: header, as: UTF8.self)),
                        "signature": .string(Base64.encodeURL(signature)),
                    ]
                }),
        ]
        return object.encodedForReading()
    }
}

public import Alliance
public import TransparencyLog

/// Charters that follow one another, made and signed.
public enum TestCharters {
    /// The test alliance's version 1 with every regulator's signature.
    public static func first(_ edit: (inout Charter) throws -> Void = { _ in }) throws -> SignedCharter {
        var charter = try TestAlliance.draft()
        try edit(&charter)
        return try sign(charter, by: charter.regulators.map(\.name))
    }

    /// The content of a direct successor.
    public static func after(
        _ parent: SignedCharter, _ edit: (inout Charter) throws -> Void = { _ in }
    ) throws -> Charter {
        var charter = parent.unverified
        charter.version += 1
        charter.previous = parent.digest
        charter.cuts = []
        try edit(&charter)
        return charter
    }

    /// A direct successor, signed by the first root keys of these members.
    public static func next(
        _ parent: SignedCharter, by names: [String] = ["pk", "sv"], _ edit: (inout Charter) throws -> Void = { _ in }
    ) throws -> SignedCharter {
        try sign(try after(parent, edit), by: names)
    }

    /// A charter with the signatures of these members' first root keys.
    public static func sign(_ charter: Charter, by names: [String]) throws -> SignedCharter {
        try sign(charter, with: names.map { TestAlliance.root($0) })
    }

    /// A charter with these signatures.
    public static func sign(_ charter: Charter, with signers: [Signer]) throws -> SignedCharter {
        let payload = try charter.payload()
        var file: [UInt8]?
        for signer in signers { file = try SignedCharter.sign(payload: payload, by: signer, adding: file) }
        return try SignedCharter(parsing: file ?? [])
    }

    /// The chain of these charters.
    public static func chain(_ first: SignedCharter, _ rest: SignedCharter...) throws -> CharterChain {
        var chain = CharterChain(try first.verifyFirst())
        for one in rest { try chain.add(one) }
        return chain
    }

    /// A cut of a member's log.
    public static func cut(_ name: String, at size: UInt64, root: HashValue? = nil) throws -> CharterCut {
        CharterCut(
            origin: try TestAlliance.noteSigner(name).verifierKey.name, size: size,
            root: root ?? (size == 0 ? MerkleTree.emptyRoot : HashValue.sha256("root of \(name) at \(size)")))
    }
}

public import TransparencyLog

/// An entry of a log with its place, as a proof carries it.
public struct ProofEntry: Hashable, Sendable {
    /// Where it stands in the log.
    public let index: UInt64
    /// The entry's bytes.
    public let bytes: [UInt8]

    /// Places an entry.
    public init(index: UInt64, bytes: [UInt8]) {
        self.index = index
        self.bytes = bytes
    }

    /// The entry as a row names it.
    public var item: Row.Item { Row.Item(index: index, leaf: MerkleTree.leafHash(bytes)) }
}

/// A statement that a row names, with the approvals that it needs.
public struct ProofStatement: Hashable, Sendable {
    /// The statement.
    public let entry: ProofEntry
    /// Second officers' approvals, where the roster asks for them.
    public let approvals: [ProofEntry]

    /// Approvals of one statement.
    public static let approvalLimit = 8

    /// A statement and its approvals.
    public init(entry: ProofEntry, approvals: [ProofEntry] = []) {
        self.entry = entry
        self.approvals = approvals
    }
}

/// A roster, proven to be the newest before some index.
public struct ProofRoster: Hashable, Sendable {
    /// The roster's entry.
    public let entry: ProofEntry
    /// The ordinal that it states.
    public let ordinal: UInt64
    /// Proves its row in `@rosters`.
    public let proof: RegisterMapProof
    /// The row of the next ordinal; nil if there is none.
    public let next: Row.Item?
    /// Proves ``next``, or its absence, in `@rosters`.
    public let nextProof: RegisterMapProof

    /// A roster with its proofs.
    public init(
        entry: ProofEntry, ordinal: UInt64, proof: RegisterMapProof, next: Row.Item?, nextProof: RegisterMapProof
    ) {
        self.entry = entry
        self.ordinal = ordinal
        self.proof = proof
        self.next = next
        self.nextProof = nextProof
    }

    /// Whether this is the newest roster before `index`, by its own word.
    public func governs(_ index: UInt64) -> Bool {
        entry.index < index && next.map { $0.index > index } ?? true
    }
}

/// How a proof brings the definition of its register.
public enum ProofDefinition: Hashable, Sendable {
    /// By the digest of a definition that the verifier has built in.
    case builtIn(HashValue)
    /// By the descriptor's bytes, for a shared register; its digest is in the charter.
    case descriptor([UInt8])
    /// By the statement that published it, for a member's own register, with its row's proof in `@registers`.
    case published(ProofStatement, RegisterMapProof)

    /// The shorter of the two ways for a shared register.
    public init(shared descriptor: [UInt8]) {
        let digest = HashValue.sha256(descriptor)
        let isBuiltIn = BuiltInRegisters.all.contains { $0.descriptor == descriptor }
        self = isBuiltIn ? .builtIn(digest) : .descriptor(descriptor)
    }
}

// MARK: - JSON

extension ProofEntry {
    func writeMembers(to object: inout JSONObject) {
        object["index"] = .integer(Int64(clamping: index))
        object["jws"] = .string(String(decoding: bytes, as: UTF8.self))
    }

    init(_ reader: inout JSONReader) throws(AllianceError) {
        index = UInt64(try reader.integer("index", in: 0...JSONLimits.integer))
        bytes = Array(try reader.string("jws", most: Statement.byteLimit).utf8)
    }
}

extension ProofStatement {
    var json: JSONValue {
        var object = JSONObject()
        entry.writeMembers(to: &object)
        if !approvals.isEmpty {
            object["approvals"] = .array(
                approvals.map { approval in
                    var one = JSONObject()
                    approval.writeMembers(to: &one)
                    return .object(one)
                })
        }
        return .object(object)
    }

    init(_ view: JSONView, at place: String) throws(AllianceError) {
        var reader = try JSONReader(view, at: place)
        try self.init(&reader)
        try reader.finish()
    }

    init(_ reader: inout JSONReader) throws(AllianceError) {
        entry = try ProofEntry(&reader)
        var approvals: [ProofEntry] = []
        let views = try reader.optionalArray("approvals", most: Self.approvalLimit)
        for (position, view) in views.enumerated() {
            var one = try JSONReader(view, at: "\(reader.path("approvals"))[\(position)]")
            approvals.append(try ProofEntry(&one))
            try one.finish()
        }
        self.approvals = approvals
    }
}

extension ProofRoster {
    var json: JSONValue {
        var object: JSONObject = ["ordinal": .integer(Int64(clamping: ordinal))]
        entry.writeMembers(to: &object)
        object["proof"] = proof.json
        var following = JSONObject()
        if let next {
            following["index"] = .integer(Int64(clamping: next.index))
            following["leaf"] = .string(next.leaf.base64url)
        }
        following["proof"] = nextProof.json
        object["next"] = .object(following)
        return .object(object)
    }

    init(_ view: JSONView, at place: String) throws(AllianceError) {
        var reader = try JSONReader(view, at: place)
        ordinal = UInt64(try reader.integer("ordinal", in: 0...1_000_000))
        entry = try ProofEntry(&reader)
        proof = try RegisterMapProof(&reader, "proof")
        var following = try JSONReader(try reader.required("next"), at: reader.path("next"))
        if following.view["index"] != nil {
            let index = UInt64(try following.integer("index", in: 0...JSONLimits.integer))
            next = Row.Item(index: index, leaf: try following.digest("leaf"))
        } else {
            next = nil
        }
        nextProof = try RegisterMapProof(&following, "proof")
        try following.finish()
        try reader.finish()
    }
}

extension ProofDefinition {
    var json: JSONValue {
        switch self {
        case .builtIn(let digest): return ["builtIn": .string(digest.base64url)]
        case .descriptor(let bytes): return ["descriptor": .string(Base64.encodeURL(bytes))]
        case .published(let statement, let proof): return ["published": statement.json, "proof": proof.json]
        }
    }

    init(_ view: JSONView, at place: String) throws(AllianceError) {
        var reader = try JSONReader(view, at: place)
        if view["builtIn"] != nil {
            self = .builtIn(try reader.digest("builtIn"))
        } else if view["descriptor"] != nil {
            let text = try reader.string("descriptor", most: 2 * RegisterLimits.descriptorBytes)
            guard let bytes = Base64.decodeURL(text) else {
                throw AllianceError(.malformed, "must be canonical base64url", at: reader.path("descriptor"))
            }
            self = .descriptor(bytes)
        } else {
            let statement = try ProofStatement(try reader.required("published"), at: reader.path("published"))
            self = .published(statement, try RegisterMapProof(&reader, "proof"))
        }
        try reader.finish()
    }
}

extension RegisterMapProof {
    var json: JSONValue { .string(Base64.encodeURL(bytes)) }

    init(_ reader: inout JSONReader, _ name: StaticString) throws(AllianceError) {
        let text = try reader.string(name, most: 2 * Self.maximumByteCount)
        let place = reader.path(name.description)
        guard let bytes = Base64.decodeURL(text) else {
            throw AllianceError(.malformed, "must be canonical base64url", at: place)
        }
        do { try self.init(parsing: bytes) } catch { throw AllianceError(.malformed, "\(error)", at: place) }
    }
}

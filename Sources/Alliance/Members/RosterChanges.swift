public import TransparencyLog

// What a member does to its roster, one thing at a time. Each says why it cannot be done; a roster that comes out is the
// direct successor once ``Roster/succeed(_:)`` was called.
extension Roster {
    /// Makes this the successor of a roster: the next ordinal, and the digest of what it follows.
    ///
    /// - Parameter digest: SHA-256 of the payload of the roster that this one is a changed copy of.
    public mutating func succeed(_ digest: HashValue) {
        ordinal += 1
        previous = digest
    }

    /// Adds an officer.
    ///
    /// - Parameter replacing: whether an officer of this name loses the old key and gets this one.
    /// - Throws: ``AllianceError`` where the name or the key is taken.
    public mutating func add(_ officer: Officer, replacing: Bool = false) throws(AllianceError) {
        if let other = officers.first(where: { $0.key == officer.key }), other.name != officer.name || !replacing {
            throw AllianceError(.badKey, "the key is that of officer \(other.name) already", at: officer.name)
        }
        if let position = officers.firstIndex(where: { $0.name == officer.name }) {
            guard replacing else {
                throw AllianceError(.badKey, "there is an officer of this name, with another key", at: officer.name)
            }
            officers[position] = officer
            return
        }
        guard officers.count < Self.entryLimit else {
            throw AllianceError(.limit, "a roster has at most \(Self.entryLimit) officers", at: officer.name)
        }
        officers.append(officer)
    }

    /// Lets an officer publish just these kinds, about just these registers (nil: all).
    public mutating func limit(
        _ name: String, kinds: Set<StatementKind>, registers: [String]?
    ) throws(AllianceError) {
        let position = try position(of: name)
        officers[position] = Officer(
            name: name, key: officers[position].key, kinds: kinds.subtracting([.roster]), registers: registers)
    }

    /// Takes an officer out. What the officer signed stays where it counted; nothing counts from the roster's index on.
    public mutating func revoke(_ name: String) throws(AllianceError) {
        officers.remove(at: try position(of: name))
    }

    private func position(of name: String) throws(AllianceError) -> Int {
        guard let position = officers.firstIndex(where: { $0.name == name }) else {
            let known = officers.map(\.name).joined(separator: ", ")
            throw AllianceError(.unknown, "there is no such officer; they are: \(known)", at: name)
        }
        return position
    }

    /// Asks for a second officer for a register (or `@documents`), or no longer.
    public mutating func require(two: Bool, for register: String) throws(AllianceError) {
        guard RegisterName.isValid(register) || register == ReservedMap.documents else {
            throw AllianceError(.invalidField, "is no register", at: register)
        }
        let position = twoOfficers.firstIndex { $0.hasSameBytes(as: register) }
        switch (two, position) {
        case (true, nil):
            guard twoOfficers.count < Self.entryLimit else {
                throw AllianceError(.limit, "at most \(Self.entryLimit) registers can be named", at: register)
            }
            twoOfficers.append(register)
        case (false, let position?): twoOfficers.remove(at: position)
        case (true, _?): throw AllianceError(.invalidField, "asks for two officers already", at: register)
        case (false, nil): throw AllianceError(.invalidField, "asks for no second officer", at: register)
        }
    }

    /// TLS keys that one node may have: the present one, and the next while it is being changed.
    public static let nodeKeyLimit = 8

    /// Adds a node, or a further TLS key to a node that is there.
    ///
    /// - Parameters:
    ///   - addresses: where it is dialled; nil leaves a node's addresses as they are.
    ///   - replacing: whether the node's other keys are revoked.
    public mutating func add(
        node name: String, key: HashValue, addresses: [String]?, replacing: Bool = false
    ) throws(AllianceError) {
        guard KeyName.isValid(name) else { throw AllianceError(.invalidField, "cannot name a node", at: name) }
        guard !revoked.contains(key) else {
            throw AllianceError(.badKey, "this key was revoked; make the node a new one", at: name)
        }
        if let other = nodes.first(where: { $0.tlsKeys.contains(key) && $0.name != name }) {
            throw AllianceError(.badKey, "the key is that of node \(other.name) already", at: name)
        }
        guard let position = nodes.firstIndex(where: { $0.name == name }) else {
            guard nodes.count < Self.entryLimit else {
                throw AllianceError(.limit, "a roster has at most \(Self.entryLimit) nodes", at: name)
            }
            nodes.append(RosterNode(name: name, addresses: addresses ?? [], tlsKeys: [key]))
            return
        }
        let old = nodes[position]
        var keys = old.tlsKeys
        if replacing {
            try revoke(keys: keys.filter { $0 != key })
            keys = [key]
        } else if !keys.contains(key) {
            guard keys.count < Self.nodeKeyLimit else {
                throw AllianceError(.limit, "a node has at most \(Self.nodeKeyLimit) keys; replace them", at: name)
            }
            keys.append(key)
        }
        nodes[position] = RosterNode(name: name, addresses: addresses ?? old.addresses, tlsKeys: keys)
        guard nodes[position] != old else {
            throw AllianceError(.invalidField, "the node has this key and these addresses already", at: name)
        }
    }

    /// Takes a node out.
    ///
    /// - Parameter revoking: whether its keys may not connect at all from then on; else they keep restricted access.
    public mutating func remove(node name: String, revoking: Bool) throws(AllianceError) {
        guard let position = nodes.firstIndex(where: { $0.name == name }) else {
            let known = nodes.map(\.name).joined(separator: ", ")
            throw AllianceError(.unknown, "there is no such node; they are: \(known)", at: name)
        }
        let node = nodes.remove(at: position)
        if revoking { try revoke(keys: node.tlsKeys) }
    }

    private mutating func revoke(keys: [HashValue]) throws(AllianceError) {
        for key in keys where !revoked.contains(key) {
            guard revoked.count < Self.entryLimit else {
                throw AllianceError(
                    .limit, "at most \(Self.entryLimit) keys are revoked at a time; expired leaves need no revocation")
            }
            revoked.append(key)
        }
    }

    /// What nobody could do under this roster, for a warning before it is signed.
    public var impasses: [String] {
        var result: [String] = []
        if officers.isEmpty { result.append("no officer is left: nobody can publish") }
        for register in twoOfficers where officers.count(where: { $0.permits(.approval, register: register) }) < 2 {
            result.append("\(register) asks for two officers, and fewer than two may approve there")
        }
        if nodes.isEmpty { result.append("no node is left: this member's nodes would have restricted access only") }
        return result
    }
}

/// What one roster changes of the one before.
public struct RosterDiff: Sendable, Hashable {
    /// One change: what it is about, and what happens to it.
    public struct Change: Sendable, Hashable {
        public enum Subject: String, Sendable {
            case officer, register, node, key
        }
        public enum Kind: String, Sendable {
            case added, removed, changed, revoked
        }
        public let subject: Subject
        /// The officer's or node's name, the register, or the key's digest.
        public let name: String
        public let kind: Kind
        /// A sentence for people.
        public let text: String
    }

    /// In the order officers, registers, nodes, revoked keys; by name within each.
    public let changes: [Change]

    /// Compares.
    ///
    /// - Parameter old: nil for a member's first roster.
    public init(from old: Roster?, to new: Roster) {
        changes =
            Self.officers(old?.officers ?? [], new.officers)
            + Self.registers(old?.twoOfficers ?? [], new.twoOfficers)
            + Self.nodes(old?.nodes ?? [], new.nodes) + Self.revoked(old?.revoked ?? [], new.revoked)
    }

    private static func officers(_ old: [Officer], _ new: [Officer]) -> [Change] {
        names(old.map(\.name), new.map(\.name)).compactMap { name in
            switch (old.first { $0.name == name }, new.first { $0.name == name }) {
            case (nil, let officer?):
                return Change(
                    subject: .officer, name: name, kind: .added,
                    text: "\(name) becomes an officer, key \(fingerprint(officer)), \(permission(officer))")
            case (_?, nil):
                return Change(
                    subject: .officer, name: name, kind: .removed,
                    text: "\(name) is no officer any more: nothing signed by that key counts from here on")
            case (let before?, let after?) where before != after:
                var parts: [String] = []
                if before.key != after.key {
                    parts.append("gets the new key \(fingerprint(after)); the old one no longer counts")
                }
                if before.kinds != after.kinds || before.registers != after.registers {
                    parts.append("\(permission(after)) (before: \(permission(before)))")
                }
                return Change(
                    subject: .officer, name: name, kind: .changed, text: "\(name) \(parts.joined(separator: ", and "))")
            default: return nil
            }
        }
    }

    /// What an officer may do, such as `may publish attestation, document about warnings`.
    public static func permission(_ officer: Officer) -> String {
        let kinds = officer.kinds.map(\.rawValue).sorted().joined(separator: ", ")
        let registers = officer.registers.map { $0.isEmpty ? "no register" : $0.joined(separator: ", ") }
        return "may publish \(kinds.isEmpty ? "nothing" : kinds) about \(registers ?? "every register")"
    }

    /// The first 12 hexadecimal digits of the key's SHA-256 in groups of four, as `entente keys list` shows them.
    public static func fingerprint(_ officer: Officer) -> String {
        HashValue.sha256(officer.key.bytes).fingerprint
    }

    private static func registers(_ old: [String], _ new: [String]) -> [Change] {
        names(old, new).compactMap { name in
            switch (old.contains(name), new.contains(name)) {
            case (false, true):
                Change(
                    subject: .register, name: name, kind: .added, text: "\(name) asks for two officers from here on")
            case (true, false):
                Change(
                    subject: .register, name: name, kind: .removed, text: "\(name) no longer asks for two officers")
            default: nil
            }
        }
    }

    private static func nodes(_ old: [RosterNode], _ new: [RosterNode]) -> [Change] {
        names(old.map(\.name), new.map(\.name)).compactMap { name in
            switch (old.first { $0.name == name }, new.first { $0.name == name }) {
            case (nil, let node?):
                return Change(
                    subject: .node, name: name, kind: .added,
                    text: "node \(name) is added, key \(short(node.tlsKeys)), \(reached(node))")
            case (_?, nil):
                return Change(subject: .node, name: name, kind: .removed, text: "node \(name) is taken out")
            case (let before?, let after?) where before != after:
                var parts: [String] = []
                let added = after.tlsKeys.filter { !before.tlsKeys.contains($0) }
                let removed = before.tlsKeys.filter { !after.tlsKeys.contains($0) }
                if !added.isEmpty { parts.append("may use the key \(short(added))") }
                if !removed.isEmpty { parts.append("may no longer use the key \(short(removed))") }
                if before.addresses != after.addresses { parts.append("is now \(reached(after))") }
                return Change(
                    subject: .node, name: name, kind: .changed,
                    text: "node \(name) \(parts.joined(separator: ", and "))")
            default: return nil
            }
        }
    }

    private static func reached(_ node: RosterNode) -> String {
        node.addresses.isEmpty ? "dialled by nobody" : "reached at \(node.addresses.joined(separator: ", "))"
    }

    private static func short(_ keys: [HashValue]) -> String {
        keys.map { String($0.hex.prefix(12)) }.joined(separator: ", ")
    }

    private static func revoked(_ old: [HashValue], _ new: [HashValue]) -> [Change] {
        names(old.map(\.hex), new.map(\.hex)).compactMap { digest in
            switch (old.contains { $0.hex == digest }, new.contains { $0.hex == digest }) {
            case (false, true):
                Change(
                    subject: .key, name: digest, kind: .revoked,
                    text: "the TLS key \(digest.prefix(12)) may not connect any more, though its certificate still runs"
                )
            case (true, false):
                Change(
                    subject: .key, name: digest, kind: .removed,
                    text: "the TLS key \(digest.prefix(12)) is no longer refused")
            default: nil
            }
        }
    }

    private static func names(_ old: [String], _ new: [String]) -> [String] { Set(old + new).sorted() }
}

extension Statement {
    /// Reads a roster's payload before anybody has signed it.
    ///
    /// - Throws: ``AllianceError`` where it could not be a roster's.
    public static func roster(
        inPayload payload: [UInt8]
    ) throws(AllianceError) -> (issuer: String, alliance: HashValue, roster: Roster) {
        let tape: JSONTape
        do { tape = try JSONTape(payload) } catch { throw AllianceError(.malformed, "the payload is \(error)") }
        var reader = try JSONReader(tape.root, at: "")
        let issuer = try reader.string("iss", most: MemberID.byteLimit)
        let alliance = try reader.digest("alliance")
        _ = try reader.integer("iat", in: 0...JSONLimits.integer)
        return (issuer, alliance, try Roster(&reader))
    }
}

import TransparencyLog

/// What a charter would change with regard to another, in sentences that an official can read.
public struct CharterDiff: Sendable {
    /// One thing that changes.
    public struct Change: Hashable, Sendable {
        /// The member's short name; nil for what concerns the alliance.
        public let member: String?
        /// Which part: the payload's member.
        public let field: String
        /// One sentence.
        public let text: String
    }

    /// The version that follows.
    public let version: Int
    /// What changes: the alliance first, then members in the new charter's order.
    public let changes: [Change]

    /// Compares a charter with the one that would follow it.
    public init(from old: Charter, to new: Charter) {
        version = new.version
        var changes = Self.alliance(old, new)
        changes += Self.registers(old, new)
        for member in new.members { changes += Self.member(member, before: old.member(id: member.id), old, new) }
        for member in old.members where new.member(id: member.id) == nil {
            changes.append(
                Change(
                    member: member.name, field: "members", text: "\(member.title) is left out, which is not allowed."))
        }
        self.changes = changes
    }

    /// For programs.
    public var json: JSONValue {
        [
            "version": .integer(Int64(version)),
            "changes": .array(
                changes.map {
                    [
                        "member": $0.member.map { .string($0) } ?? .null, "field": .string($0.field),
                        "text": .string($0.text),
                    ]
                }),
        ]
    }

    // MARK: The alliance

    private static func alliance(_ old: Charter, _ new: Charter) -> [Change] {
        var found: [Change] = []
        func add(_ field: String, _ isChanged: Bool, _ text: String) {
            if isChanged { found.append(Change(member: nil, field: field, text: text)) }
        }
        add(
            "alliance", !old.alliance.hasSameBytes(as: new.alliance),
            "The alliance is called \(new.alliance), no longer \(old.alliance).")
        add(
            "expires", old.expires != new.expires,
            "The charter expires on \(new.expires.dateText), version \(old.version) on \(old.expires.dateText).")
        let (before, after) = (old.regulators.count, new.regulators.count)
        add(
            "threshold", old.threshold != new.threshold || before != after,
            "\(new.threshold) of \(after) regulators must sign the version after this one; so far \(old.threshold) of "
                + "\(before).")
        add(
            "quorum", old.quorum != new.quorum,
            "A log is final once \(new.quorum) other members hold and checked it; so far \(old.quorum).")
        return found
    }

    private static func registers(_ old: Charter, _ new: Charter) -> [Change] {
        var found: [Change] = []
        for register in new.registers {
            guard let before = old.register(register.name) else {
                let text = "The register \(register.name) is shared, \(rule(register.merge, new))."
                found.append(Change(member: nil, field: "registers", text: text))
                continue
            }
            if before.definition != register.definition {
                let digest = register.definition.hex.prefix(12)
                let text = "The register \(register.name) has another definition, \(digest)."
                found.append(Change(member: nil, field: "registers", text: text))
            }
            if before.merge != register.merge {
                let text =
                    "The register \(register.name) is \(rule(register.merge, new)), no longer \(rule(before.merge, old))."
                found.append(Change(member: nil, field: "registers", text: text))
            }
        }
        for register in old.registers where new.register(register.name) == nil {
            let text = "The register \(register.name) is no longer shared: nobody can begin it any more."
            found.append(Change(member: nil, field: "registers", text: text))
        }
        return found
    }

    private static func rule(_ merge: MergeRule, _ charter: Charter) -> String {
        switch merge {
        case .each: "each member's word standing beside the others'"
        case .joint(let writers):
            "kept jointly by " + writers.map { charter.member(id: $0)?.name ?? $0 }.joined(separator: ", ")
        case .by(let count): "adopted by \(count) others' endorsement"
        }
    }

    // MARK: Members

    private static func member(
        _ member: CharterMember, before: CharterMember?, _ old: Charter, _ new: Charter
    ) -> [Change] {
        guard let before else {
            let text =
                "\(member.title) (\(member.id)) joins as \(article(member.role)), with the log \(member.log.name)."
            return [Change(member: member.name, field: "members", text: text)]
        }
        let cut = new.cut(of: before.log.name)
        var found: [Change] = []
        func add(_ field: String, _ isChanged: Bool, _ text: @autoclosure () -> String) {
            if isChanged { found.append(Change(member: member.name, field: field, text: text())) }
        }
        let title = member.title
        add("standing", before.standing != member.standing, standing(member, cut))
        add(
            "role", before.role != member.role,
            "\(title) is \(article(member.role)), no longer \(article(before.role)).")
        add(
            "rootKeys", before.rootKeys != member.rootKeys || before.rootThreshold != member.rootThreshold,
            rootKeys(member, before))
        add(
            "log", before.log != member.log,
            "\(title)'s log goes on as \(member.log.name) with a new key"
                + (cut.map { ", from entry \($0.size) of \($0.origin)." } ?? "."))
        add("replica", before.replica != member.replica, "\(title) cosigns with \(key(member.replica)).")
        add("witness", before.witness != member.witness, "\(title) witnesses other logs with \(key(member.witness)).")
        add(
            "ca", before.authority != member.authority,
            "\(title)'s certificates come from another authority, \(member.authority.hex.prefix(12)).")
        add(
            "addresses", before.addresses != member.addresses,
            "\(title)'s nodes are reached at \(list(member.addresses)), no longer at \(list(before.addresses)).")
        add("title", !before.title.hasSameBytes(as: title), "\(before.title) is called \(title).")
        add(
            "country", !before.country.hasSameBytes(as: member.country),
            "\(title)'s country is \(member.country), no longer \(before.country).")
        add(
            "zone", !before.zone.hasSameBytes(as: member.zone),
            "\(title)'s dates are in \(member.zone), no longer in \(before.zone).")
        add("id", !before.name.hasSameBytes(as: member.name), "\(title)'s short name changes, which is not allowed.")
        return found
    }

    private static func article(_ role: MemberRole) -> String {
        role == .observer ? "an observer" : "a regulator"
    }

    private static func standing(_ member: CharterMember, _ cut: CharterCut?) -> String {
        let from = cut.map { " from entry \($0.size) on" } ?? ""
        switch member.standing {
        case .active: return "\(member.title) is active again: what its log says\(from) counts."
        case .suspended:
            return "\(member.title) is suspended: what its log says\(from) does not count; what it said before stands."
        case .removed:
            return "\(member.title) is removed: it can no longer connect, and what its log says\(from) does not count; "
                + "what it said before stands."
        }
    }

    private static func rootKeys(_ member: CharterMember, _ before: CharterMember) -> String {
        let gone = before.rootKeys.filter { old in !member.rootKeys.contains(old) }.map(\.name)
        let new = member.rootKeys.filter { one in !before.rootKeys.contains(one) }.map(\.name)
        var parts: [String] = []
        if !new.isEmpty { parts.append("gets \(new.joined(separator: ", "))") }
        if !gone.isEmpty { parts.append("loses \(gone.joined(separator: ", "))") }
        let threshold = "\(member.rootThreshold) of \(member.rootKeys.count) must sign"
        return "\(member.title)'s root keys: "
            + (parts.isEmpty ? "" : "\(parts.joined(separator: ", ")); ") + "\(threshold)."
    }

    private static func key(_ key: VerifierKey?) -> String { key.map { "the key \($0.name)" } ?? "no key any more" }

    private static func list(_ items: [String]) -> String {
        items.isEmpty ? "no address" : items.joined(separator: " ")
    }
}

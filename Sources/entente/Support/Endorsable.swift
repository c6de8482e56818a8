import Alliance
import Node
import TransparencyLog

/// Another member's statement that an officer may endorse, as the node tells of it.
struct Endorsable {
    /// An endorsement of it that is in force.
    struct Endorser {
        /// The member's short name.
        let member: String
        let index: Int64
        let identity: HashValue
        let type: Endorsement.Kind
    }

    /// The short name of the member that made it, and its id.
    let member: String
    let memberID: String
    let index: Int64
    let identity: HashValue
    let register: String
    let key: String
    /// One line for people.
    let summary: String
    /// Whether its own log has it in force.
    let isInForce: Bool
    let endorsements: [Endorser]
    /// When this node's member last endorsed it, taken back or not, in seconds since 1970.
    let lastEndorsed: Int64?

    private init?(_ view: JSONValue, _ node: NodeConnection) {
        guard let identity = HashValue(hex: view.text("identity")), let author = node.member(view.text("member")) else {
            return nil
        }
        self.identity = identity
        member = author.text("name")
        memberID = author.text("id")
        index = view.number("index")
        register = view.text("register")
        key = view.text("key")
        summary = view.text("summary")
        isInForce = view.flag("inForce")
        lastEndorsed = view.time("lastEndorsed")
        endorsements = view.list("endorsements").compactMap { one in
            guard let identity = HashValue(hex: one.text("identity")),
                let type = Endorsement.Kind(rawValue: one.text("type"))
            else { return nil }
            return Endorser(
                member: one.text("member"), index: one.number("index"), identity: identity, type: type)
        }
    }

    /// Asks the node for the statements that are meant: one, or all that were ever made of a key.
    static func read(
        _ node: NodeConnection, register: String?, key: String?, member: String?, index: UInt64?, identity: String?
    ) async throws -> [Endorsable] {
        let author = member.flatMap { node.member($0) }
        if let member, author == nil {
            let names = node.members.map { $0.text("name") }.joined(separator: ", ")
            throw Failure("--member \(member): no member is called so; the members are \(names)")
        }
        // An entry by its number is asked for by itself: it may lie further back than a key's history is told.
        let query: [(String, String?)] =
            index.map { [("member", member), ("index", String($0))] }
            ?? [("register", register), ("key", key), ("identity", identity)]
        let found = try await node.get("/v1/endorsements", query).list("statements").compactMap { Endorsable($0, node) }
        if let one = found.first, let register, let index, !one.register.utf8.elementsEqual(register.utf8) {
            throw Failure("--index \(index): is about \(one.register) \(one.key), not about \(register)")
        }
        return found.filter { one in author.map { $0.text("name") == one.member } ?? true }
    }

    /// The one that can be endorsed; of several, whoever asks has to say which.
    static func choose(_ all: [Endorsable], _ node: NodeConnection, what: [String]) throws -> Endorsable {
        let own = node.own
        guard own.text("standing") == "active" else {
            throw Failure(
                "\(own.text("title")) is \(own.text("standing")): what it publishes now has no effect; its endorsements from before "
                    + "that stand")
        }
        let others = all.filter { $0.member != node.settings.member }
        let live = others.filter(\.isInForce)
        if live.count == 1 { return live[0] }
        let place = what.isEmpty ? "that" : what.joined(separator: " ")
        guard live.isEmpty else {
            let choices = live.prefix(6).map { "--member \($0.member) --index \($0.index) (\($0.summary))" }
            throw Failure(
                "\(place): \(live.count) entries of other members are in force; say which one is meant: "
                    + choices.joined(separator: ", or ") + (live.count > 6 ? ", or others (entente history)" : ""))
        }
        if let one = others.first {
            throw Failure(
                "entry \(one.index) of \(node.title(one.member)) (\(one.summary)) is no longer in force; there is nothing to endorse"
            )
        }
        guard all.isEmpty else {
            throw Failure("\(place): is \(own.text("title"))'s own entry; a member endorses what others say")
        }
        throw Failure("\(place): no other member states it; there is nothing to endorse")
    }

    /// A note beside an endorsement that is in force would look like taking that back, and is not.
    func refuseWeaker(_ kind: Endorsement.Kind, _ node: NodeConnection) throws {
        guard kind == .notes,
            let before = endorsements.first(where: { $0.member == node.settings.member && $0.type != .notes })
        else { return }
        throw Failure(
            "\(node.own.text("title")) \(before.type.rawValue) this entry already (entry \(before.index)), and a note would not change that; take it "
                + "back first, with --take-back")
    }

    func text(_ node: NodeConnection) -> String {
        "entry \(index) of \(node.title(member)), \(register == ReservedMap.documents ? "document" : register) \(summary)"
    }
}

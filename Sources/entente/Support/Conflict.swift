import Alliance
import Node
import TransparencyLog

/// A conflict that is to be ended: what the node says of one key, joined.
struct Conflict {
    /// A statement in force.
    struct Side {
        /// The author's short name.
        let member: String
        let index: Int64
        let identity: HashValue
        let row: PublishedRow
        let speaks: Bool
        var endorsements: [Endorsable.Endorser] = []
    }

    /// The answer of the node.
    let entry: JSONValue
    /// The key in canonical form.
    let key: String
    /// What speaks now, the most restrictive first.
    let sides: [Side]
    /// All that holds across members, also what does not speak now.
    private let inForce: [Side]
    /// The side whose word is taken, if one is.
    let taken: Side?
    private let now: Int64

    /// Asks the node.
    ///
    /// - Parameter take: the short name of the member whose side is taken.
    init(_ node: NodeConnection, _ register: String, _ key: String, take: String?) async throws {
        let answer = try await node.get(
            "/v1/joined", [("register", register), ("key", key), ("whose", node.settings.member)])
        guard let entry = answer.list("entries").first else {
            throw Failure("\(key): nobody ever stated it in \(register)")
        }
        self.entry = entry
        self.key = entry.text("key")
        now = MemberClock.now
        guard entry.flag("conflict") else {
            throw Failure(
                "\(self.key): there is no conflict in \(register), where its status is \(JoinedText.status(entry)); change an entry with entente "
                    + "publish entry")
        }
        var all = try entry.list("statements").filter { ["speaks", "silent"].contains($0.text("standing")) }
            .map { try Side($0, key: entry.text("key")) }
        if entry["needed"] != nil {
            let known = try await Endorsable.read(
                node, register: register, key: self.key, member: nil, index: nil, identity: nil)
            for position in all.indices {
                all[position].endorsements = known.first { $0.identity == all[position].identity }?.endorsements ?? []
            }
        }
        inForce = all
        sides = all.filter(\.speaks)
        guard let take else {
            taken = nil
            return
        }
        let names = sides.map(\.member)
        guard let side = sides.first(where: { $0.member == node.member(take)?.text("name") }) else {
            throw Failure("--take \(take): has no side in this conflict; these have: \(names.joined(separator: ", "))")
        }
        guard names.filter({ $0 == side.member }).count == 1 else {
            throw Failure(
                "--take \(take): has several sides in this conflict; say what shall hold with --status and --field")
        }
        taken = side
    }

    /// What the one entry replaces: all that has begun, of every member that has a side. What a side's author had said
    /// before would else speak again.
    private var begun: [Side] {
        let members = Set(sides.map(\.member))
        return inForce.filter { members.contains($0.member) && $0.row.validFrom.seconds <= now }
    }

    /// The identities that the one entry names: what it replaces, and what this member's own replaced entries refer to, which
    /// has to be repeated.
    func superseded(by member: String) -> [HashValue] {
        var found = begun.map(\.identity)
        for reference in begun.filter({ $0.member == member }).flatMap(\.row.references).compactMap({
            HashValue(hex: $0)
        })
        where !found.contains(reference) {
            found.append(reference)
        }
        return found
    }

    /// What an officer has to know of the one entry before it is signed.
    func notes(
        status: String, from: Timestamp, _ definition: RegisterDefinition, _ node: NodeConnection
    ) -> [String] {
        var notes = begun.map { side in
            "Supersedes entry \(side.index) of \(node.title(side.member)): \(side.row.status) from \(MemberClock.day(side.row.validFrom.text))"
        }
        if let first = begun.map(\.row.validFrom).min(by: { $0.seconds < $1.seconds }), first.seconds < from.seconds {
            notes.append(
                "Beware: before \(MemberClock.day(from.text)) nothing will be said of \(key); the sides began on "
                    + "\(MemberClock.day(first.text)) (--from).")
        }
        for side in inForce where side.row.validFrom.seconds > now {
            notes.append(
                "Stays: entry \(side.index) of \(node.title(side.member)) begins on \(MemberClock.day(side.row.validFrom.text)): \(side.row.status)"
            )
        }
        let rank = definition.restrictiveness(of: status)
        var needed: [String] = []
        for side in begun where side.member != node.settings.member && !needed.contains(side.member) {
            if definition.restrictiveness(of: side.row.status) > rank { needed.append(side.member) }
        }
        for member in needed {
            notes.append(
                "Lacks: \(status) is less restrictive than what \(node.title(member)) says, so the conflict stays until \(node.title(member)) "
                    + "endorses the new entry: entente endorse \(definition.name) \(ShellWord.quoted(key)) --member \(node.settings.member)"
            )
        }
        return notes
    }
}

extension Conflict.Side {
    fileprivate init(_ view: JSONValue, key: String) throws {
        guard let identity = HashValue(hex: view.text("identity")) else {
            throw Failure("the node gave an entry of \(key) without its identity")
        }
        self.identity = identity
        member = view.text("member")
        index = view.number("index")
        speaks = view.text("standing") == "speaks"
        row = try RegisterRows.published(view, key: key)
    }
}

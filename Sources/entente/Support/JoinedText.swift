import Alliance
import Node
import TransparencyLog

/// What a register that is joined across members says of a key, in words.
enum JoinedText {
    /// What stands first: the key, its status, and whether that is agreed.
    static func headline(_ entry: JSONValue, _ node: NodeConnection) -> String {
        let label = RegisterChanges.label(of: entry["fields"]?.object ?? [:], key: entry.text("key"))
        return "\(label) in \(entry.text("register")) (\(rule(entry, node))): \(status(entry))"
    }

    /// How the charter joins the register, and whose it is where it does not.
    static func rule(_ entry: JSONValue, _ node: NodeConnection) -> String {
        entry["whose"]?.string.map { node.title($0) } ?? entry.text("merge")
    }

    static func status(_ entry: JSONValue) -> String {
        switch entry.text("answer") {
        case "present":
            entry.text("status") + (entry.flag("conflict") ? " (conflict)" : "")
                + (entry.list("problems").isEmpty ? "" : " (not valid)")
        case "retracted": "taken back"
        case "proposed": "proposed only"
        default: "none in force"
        }
    }

    /// Every statement that takes part, a line each, with how it does.
    static func statements(_ entry: JSONValue, _ node: NodeConnection) -> [String] {
        var table = Table(
            ["", "member", "status", "from", "until", "entry", "signed by", "when", ""], rightAligned: [5])
        for one in entry.list("statements") {
            table.add([
                one.text("identity") == entry.text("identity") ? "→" : "", node.title(one.text("member")),
                one.text("status"), MemberClock.day(one["validFrom"]?.string),
                MemberClock.day(one["validUntil"]?.string),
                String(one.number("index")), one.text("signedBy"),
                one.time("issuedAt").map { node.clock(one.text("member")).text($0) } ?? "",
                standing(one, entry, node),
            ])
        }
        return table.lines(indent: 2)
    }

    private static func standing(_ one: JSONValue, _ entry: JSONValue, _ node: NodeConnection) -> String {
        var notes: [String] = []
        switch one.text("standing") {
        case "speaks": break
        case "superseded":
            let by = entry.list("superseded").filter { Self.isAbout($0["old"], one) }.compactMap { $0["by"] }
            notes.append("superseded by \(by.map { Self.place($0, node) }.joined(separator: " and "))")
        case "proposed": notes.append("proposed only")
        case "not-writer": notes.append("no writer: without effect")
        default:
            notes.append(
                (Timestamp(parsing: one.text("validFrom"))?.seconds ?? 0) > MemberClock.now
                    ? "still to come" : "does not speak")
        }
        let endorsers = one.list("endorsedBy").compactMap { $0.string.map(node.title) }
        if let needed = entry["needed"]?.integer {
            let who = endorsers.isEmpty ? "" : " (\(endorsers.joined(separator: ", ")))"
            notes.append("\(endorsers.count) of \(needed) endorse it\(who)")
        } else if !endorsers.isEmpty {
            notes.append("endorsed by \(endorsers.joined(separator: ", "))")
        }
        return notes.joined(separator: "; ")
    }

    /// What would supersede another member's entry, were it endorsed.
    static func unendorsed(_ entry: JSONValue, _ node: NodeConnection) -> [String] {
        entry.list("unendorsed").map { link in
            let (old, by) = (link["old"] ?? .null, link["by"] ?? .null)
            return
                "  \(place(by, node)) would supersede \(place(old, node)), and lacks the endorsement of \(node.title(old.text("member"))): "
                + "entente endorse \(entry.text("register")) \(ShellWord.quoted(entry.text("key"))) --member \(by.text("member")) "
                + "--index \(by.number("index"))"
        }
    }

    private static func isAbout(_ place: JSONValue?, _ one: JSONValue) -> Bool {
        place?.text("member") == one.text("member") && place?.number("index") == one.number("index")
    }

    static func place(_ place: JSONValue, _ node: NodeConnection) -> String {
        "entry \(place.number("index")) of \(node.title(place.text("member")))"
    }
}

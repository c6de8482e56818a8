import Alliance
import Node

/// What `entente show` says of a register that is joined across members.
struct JoinedShow {
    let node: NodeConnection
    let register: String
    let key: String?
    let on: String?
    let known: String?
    /// Rows to show at most.
    let limit: Int

    func run(json: Bool, _ definition: RegisterDefinition?) async throws {
        let query: [(String, String?)] = [("register", register), ("key", key), ("on", on), ("known", known)]
        var entries: [JSONValue] = []
        var cursor: String?
        var state: JSONValue?
        repeat {
            let size = min(1_000, limit - entries.count)
            let answer = try await node.get("/v1/joined", query + [("after", cursor), ("limit", String(size))])
            entries += answer.list("entries")
            cursor = answer["next"]?.string
            state = state ?? answer["known"]
        } while cursor != nil && entries.count < limit
        if json {
            var answer: JSONObject = ["entries": .array(entries), "cut": .bool(cursor != nil)]
            answer["known"] = state
            return Console.print(.object(answer))
        }
        if let key {
            if entries.isEmpty { Console.print("Nobody ever stated \(key) in \(register).") }
            let saysBusiness = definition?.statuses.contains(where: \.permitsBusiness) ?? true
            for entry in entries { Console.print(one(entry, saysBusiness: saysBusiness)) }
        } else {
            many(entries, isCut: cursor != nil)
        }
        KnownAtOptions.show(state, node)
    }

    private func one(_ entry: JSONValue, saysBusiness: Bool) -> [String] {
        var table = Table()
        table.add(["key", entry.text("key")])
        if entry.text("answer") == "present" {
            let permits = saysBusiness ? entry["permitsBusiness"]?.bool : nil
            let business = permits.map { $0 ? "permits business" : "permits no business" }
            table.add(["status", [entry.text("status"), business].compactMap { $0 }.joined(separator: ", ")])
            if entry.flag("conflict") {
                let since = MemberClock.day(entry["since"]?.string)
                table.add(["conflict", "since \(since); \(entry.text("status")) prevails: \(entry.text("why"))"])
            }
            table.add(["stated by", node.title(entry.text("member"))])
            if let adopters = Self.adopters(entry, node) { table.add(["adopted by", adopters]) }
            table.add(["from", MemberClock.day(entry["validFrom"]?.string)])
            if let until = entry["validUntil"]?.string { table.add(["until", MemberClock.day(until)]) }
            for field in entry["fields"]?.object?.members ?? [] { table.add([field.name, field.value.shown]) }
            for problem in entry.list("problems") { table.add(["not valid", problem.shown]) }
        }
        var lines = [JoinedText.headline(entry, node)] + table.lines(indent: 2)
        if !entry.list("statements").isEmpty { lines.append("  What members have in force (all they say: --each):") }
        lines += JoinedText.statements(entry, node) + JoinedText.unendorsed(entry, node)
        return lines
    }

    private func many(_ entries: [JSONValue], isCut: Bool) {
        guard !entries.isEmpty else { return Console.print("\(register) has no row yet.") }
        var table = Table(["key", "name", "status", "from", "stated by", "adopted by"])
        for entry in entries {
            let key = entry.text("key")
            let label = RegisterChanges.label(of: entry["fields"]?.object ?? [:], key: key)
            table.add([
                DisplayWidth.cut(key, to: 44), label == key ? "" : DisplayWidth.cut(label, to: 44),
                JoinedText.status(entry), MemberClock.day(entry["validFrom"]?.string),
                entry["member"]?.string.map { node.title($0) } ?? "", Self.adopters(entry, node) ?? "",
            ])
        }
        Console.print(table.lines())
        let number = count(entries.count, "row")
        Console.print(isCut ? "\(number) shown, there are more: --limit" : number)
    }

    /// Who adopted what holds, in a register by K.
    private static func adopters(_ entry: JSONValue, _ node: NodeConnection) -> String? {
        guard entry["needed"] != nil,
            let effective = entry.list("statements").first(where: { $0.text("identity") == entry.text("identity") })
        else { return nil }
        return effective.list("endorsedBy").compactMap { $0.string.map { node.title($0) } }.joined(separator: ", ")
    }
}

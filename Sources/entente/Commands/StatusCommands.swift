import Alliance
import ArgumentParser
import Node

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show how the node and the logs that it holds are.",
        discussion: """
            --wait waits until the node answers, for scripts that start it. With --settled it waits until every other \
            member holds and checked the newest entry of every log and no document is on the way; status 1 if that does \
            not come about in time. Otherwise the exit status is 0 where all is well, 1 where something needs attention, 2 where \
            it is critical, with the reasons first.

            Examples:
              entente status
              entente status --wait 10 --json
              entente status --settled --wait 60
            """)

    @Option(help: ArgumentHelp("Wait this long for the node to answer.", valueName: "seconds"))
    var wait: Int?
    @Flag(help: "Wait until everything is held and checked by everybody.")
    var settled = false
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let wait { guard (1...3_600).contains(wait) else { throw ValidationError("--wait must be from 1 to 3600") } }
    }

    func run() async throws {
        let deadline = ContinuousClock.now + .seconds(wait ?? 0)
        while true {
            do {
                return try await NodeConnection.with(node) { node in try await show(node, deadline) }
            } catch let error as SetupError where error.code == .missing && ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func show(_ node: NodeConnection, _ deadline: ContinuousClock.Instant) async throws {
        var status = try await node.get("/v1/status")
        var waiting = settled ? try await Self.unsettled(status, node) : nil
        while let reason = waiting, ContinuousClock.now < deadline {
            Console.progress("waiting: \(reason)")
            try await Task.sleep(for: .milliseconds(50))
            status = try await node.get("/v1/status")
            waiting = try await Self.unsettled(status, node)
        }
        Console.clearProgress()
        if output.json {
            Console.print(status)
        } else {
            Console.print(Self.lines(status, node))
        }
        if let waiting { throw Failure("not settled: \(waiting)") }
        guard wait == nil, !settled else { return }
        switch status.text("state") {
        case "critical": throw Ending(status: 2)
        case "attention": throw Ending(status: 1)
        default: return
        }
    }

    /// What is still to come; nil if nothing.
    private static func unsettled(_ status: JSONValue, _ node: NodeConnection) async throws -> String? {
        let logs = status.list("logs")
        for log in logs {
            if log.number("head") < log.number("entries") { return "\(log.text("title")) has a newer head to come" }
            let holders = Set(log.list("heldBy").map { $0.text("member") })
            let missing = logs.map { $0.text("member") }.filter { $0 != log.text("member") && !holders.contains($0) }
            if !missing.isEmpty {
                return "\(log.text("title"))'s log is not held by \(missing.joined(separator: ", ")) yet"
            }
        }
        if let peer = status.list("peers").first(where: { $0.number("lag") > 0 }) {
            return "\(count(Int(peer.number("lag")), "entry", plural: "entries")) that \(peer.text("title")) offers"
        }
        let documents = try await node.get("/v1/documents", [("member", "all")]).list("documents")
        let wanted = documents.count { !$0.flag("held") }
        return wanted > 0 ? "\(count(wanted, "document")) on the way" : nil
    }

    private static func lines(_ status: JSONValue, _ node: NodeConnection) -> [String] {
        let alliance = status["alliance"] ?? .null
        let logs = status.list("logs")
        var lines = [
            "\(node.own.text("title"))'s node (\(node.settings.member)), \(alliance.text("name")), charter version "
                + "\(alliance.number("version")), fingerprint \(alliance.text("fingerprint")), until "
                + "\(MemberClock.day(alliance["expires"]?.string))"
        ]
        for concern in status.list("concerns") {
            lines.append("\(concern.text("level").uppercased()): \(concern.text("text"))")
        }
        var table = Table(["member", "entries", "root", "held and checked by"], rightAligned: [1])
        for log in logs {
            let holders = log.list("heldBy").map { node.title($0.text("member")) }
            let held = holders.isEmpty ? "nobody yet" : holders.joined(separator: ", ")
            table.add([
                log.text("title"), grouped(Int(log.number("entries"))), String(log.text("root").prefix(12)),
                "\(held) (\(log.number("needed")) needed)",
            ])
        }
        lines += table.lines()
        lines += PeerText.lines(status.list("peers"), clock: node.clock())
        if let certificate = status["certificate"], let ends = certificate.time("ends") {
            var line = "Certificate until \(MemberClock.day(Timestamp(seconds: ends).text))"
            if let free = status["disk"]?["free"]?.integer { line += ", \(grouped(Int(free >> 20))) MiB of disk left" }
            lines.append(line + ".")
        }
        lines += declarations(status.list("declarations"), node)
        let wanted = status["documents"]?.number("wanted") ?? 0
        if wanted > 0 { lines.append("\(count(Int(wanted), "document")) on the way.") }
        for rejection in status.list("rejections") {
            lines.append("refused \(grouped(Int(rejection.number("count")))) times: \(rejection.text("reason"))")
        }
        return lines
    }
}

extension StatusCommand {
    /// Registers that a member declared complete: this member's own, and those of others that lapse soon or have lapsed.
    fileprivate static func declarations(_ declarations: [JSONValue], _ node: NodeConnection) -> [String] {
        let shown = declarations.filter {
            $0.text("member") == node.settings.member || $0.text("state") != "current"
        }
        guard !shown.isEmpty else { return [] }
        var table = Table(["declared complete", "register", "rows", "until", ""], rightAligned: [2])
        for one in shown {
            let declared = one.number("declared")
            let rows = one.number("rows")
            let notes = [
                one.text("state") == "lapsed" ? "lapsed" : one.text("state") == "lapses" ? "lapses soon" : nil,
                rows == declared ? nil : "has \(grouped(Int(rows))) now",
            ]
            table.add([
                node.title(one.text("member")), one.text("register"), grouped(Int(declared)),
                MemberClock.day(one["validUntil"]?.string), notes.compactMap(\.self).joined(separator: ", "),
            ])
        }
        return table.lines()
    }
}

struct PeersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "peers", abstract: "Show the connections with the other members.",
        discussion: "Example:\n  entente peers")

    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await NodeConnection.with(node) { node in
            let answer = try await node.get("/v1/peers")
            if output.json { return Console.print(answer) }
            Console.print(PeerText.lines(answer.list("peers"), clock: node.clock()))
        }
    }
}

enum PeerText {
    static func lines(_ peers: [JSONValue], clock: MemberClock) -> [String] {
        var table = Table(["peer", "address", "state", "since", "behind", ""], rightAligned: [4])
        for peer in peers {
            table.add([
                peer.text("title"), peer["address"]?.string ?? "dials us", peer.text("state"),
                peer.time("since").map { clock.timeText($0) } ?? "", grouped(Int(peer.number("lag"))),
                peer["problem"]?.string ?? "",
            ])
        }
        return table.lines()
    }
}

struct ReceiptsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "receipts", abstract: "Show which other members hold and checked an entry.",
        discussion: """
            With --wait, waits until those members hold it; status 1 if they did not within --timeout.

            Examples:
              entente receipts PK-0117 --wait sv
              entente receipts 1853 --wait sv --wait us --timeout 60
              entente receipts /akn/pk/act/2025/virtual-assets
            """)

    @Argument(help: "A key, a document's work, or the index of an entry.")
    var what: String
    @Option(help: ArgumentHelp("The key's register, where several have it.", valueName: "register"))
    var register: String?
    @Option(help: ArgumentHelp("Whose log. Default: this node's own.", valueName: "name"))
    var member: String?
    @Option(help: ArgumentHelp("Wait for this member; may be repeated.", valueName: "name"))
    var wait: [String] = []
    @Option(help: ArgumentHelp("Wait no longer than this.", valueName: "seconds"))
    var timeout: Int?
    @OptionGroup var node: NodeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let timeout {
            guard (1...1_000_000).contains(timeout) else { throw ValidationError("--timeout is out of range") }
        }
    }

    func run() async throws {
        try await NodeConnection.with(node) { node in
            for name in wait where node.member(name) == nil {
                throw Failure("--wait \(name): no member has this name; they are: \(Self.names(node))")
            }
            let place = try await place(node)
            let deadline = timeout.map { ContinuousClock.now + .seconds($0) }
            var receipts = try await node.get("/v1/receipts", place)
            var missing = missing(receipts, node)
            while !missing.isEmpty, deadline.map({ ContinuousClock.now < $0 }) ?? true {
                Console.progress("waiting for \(missing.map(node.title).joined(separator: ", "))")
                let left = deadline.map { max(1, Int((ContinuousClock.now.duration(to: $0)) / .seconds(1))) } ?? 60
                let query = place + [("wait", missing.joined(separator: ",")), ("timeout", String(min(60, left)))]
                receipts = try await node.get("/v1/receipts", query)
                missing = self.missing(receipts, node)
            }
            Console.clearProgress()
            show(receipts, node)
            if !missing.isEmpty { throw Ending(status: 1) }
        }
    }

    private static func names(_ node: NodeConnection) -> String {
        node.members.map { $0.text("name") }.joined(separator: ", ")
    }

    /// The members that are waited for and do not hold it.
    private func missing(_ receipts: JSONValue, _ node: NodeConnection) -> [String] {
        let held = receipts.list("holders").filter { $0.flag("held") }.map { $0.text("member") }
        return wait.map { node.member($0)?.text("name") ?? $0 }.filter {
            !held.contains($0) && $0 != receipts.text("member")
        }
    }

    /// The query that names the entry.
    private func place(_ node: NodeConnection) async throws -> [(String, String?)] {
        let own: [(String, String?)] = [("member", member)]
        if register == nil, let index = UInt64(what), String(index) == what { return own + [("index", what)] }
        if let register { return own + [("register", register), ("key", what)] }
        if what.hasPrefix("/akn/") { return own + [("register", "@documents"), ("key", what)] }
        let name = member ?? node.settings.member
        let registers = try await node.get("/v1/registers", [("member", name)]).list("registers").map {
            $0.text("register")
        }
        var found: [String] = []
        for register in registers {
            let rows = try? await node.get("/v1/rows", [("register", register), ("key", what), ("member", name)])
            if rows?.list("rows").isEmpty == false { found.append(register) }
        }
        guard let register = found.first else {
            throw Failure(
                "\(what): \(node.title(name)) never stated this key in any register; an entry goes by its index")
        }
        guard found.count == 1 else {
            throw Failure("\(what): stands in \(found.joined(separator: " and ")); name one with --register")
        }
        return own + [("register", register), ("key", what)]
    }

    private func show(_ receipts: JSONValue, _ node: NodeConnection) {
        if output.json { return Console.print(receipts) }
        let entry = receipts["entry"] ?? .null
        let clock = node.clock(receipts.text("member"))
        Console.print(
            "Entry \(receipts.number("index")) of \(node.title(receipts.text("member"))): \(entry.text("summary"))")
        var table = Table()
        var held = 0
        for holder in receipts.list("holders") {
            if holder.flag("held") {
                held += 1
                table.add([
                    holder.text("title"), "held and checked", holder.time("time").map { clock.timeText($0) } ?? "",
                ])
            } else if holder.flag("reachable") {
                table.add([holder.text("title"), "not yet", ""])
            } else {
                let since = holder.time("since").map { " since \(clock.timeText($0))" } ?? ""
                table.add([holder.text("title"), "not yet; unreachable\(since)", ""])
            }
        }
        Console.print(table.lines(indent: 2))
        let needed = Int(receipts.number("needed"))
        let bound = receipts.number("collusion")
        Console.print(
            held >= needed
                ? "Final: \(count(held, "member")) hold it, \(needed) needed. Once \(count(Int(bound), "honest member")) "
                    + "held it, nobody can hide it from a fresh proof."
                : "\(held) of \(needed) needed so far.")
    }
}

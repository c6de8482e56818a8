import Alliance
import ArgumentParser

/// A past state of the logs to answer from.
struct KnownAtOptions: ParsableArguments {
    @Option(
        name: .customLong("known-at"),
        help: ArgumentHelp(
            "Answer from what was known at this time, or from these sizes of logs (pk:1853,sv:120). Default: all that is "
                + "held.", valueName: "time"))
    var time: String?

    /// The parameter for the node; nil where all that is held is meant.
    func text(_ node: NodeConnection) throws -> String? {
        guard let time else { return nil }
        if let sizes = KnownSizes(parsing: time) { return sizes.text }
        do { return try node.clock().parse(time, option: "--known-at").text } catch {
            throw Failure(
                "--known-at \(time): must be a date, a time such as 2026-11-24T09:00:00+05:00, or sizes of logs such as "
                    + "pk:1853,sv:120")
        }
    }

    /// Says what an answer was given from, where that is not all that is held.
    static func show(_ known: JSONValue?, _ node: NodeConnection) {
        guard let known, !known.list("logs").isEmpty else { return }
        let clock = node.clock()
        let when = known.time("at").map { " at \(clock.text($0))" } ?? ""
        var table = Table()
        for log in known.list("logs") {
            let entries = Int(log.number("entries"))
            let since = log.time("heldSince").map { "held by a quorum since \(clock.text($0))" } ?? ""
            table.add([
                node.title(log.text("member")),
                entries == 0 ? "nothing" : count(entries, "entry", plural: "entries"), since,
            ])
        }
        Console.print(
            ["Known\(when), of each log (the same again: --known-at \(known.text("sizes"))):"] + table.lines(indent: 2))
    }
}

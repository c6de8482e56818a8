import Alliance
import Replication

extension IncarnationStanding {
    /// The members whose word the operator can do without, by id.
    var waivable: [String] {
        switch self {
        case .waiting(_, let missing, _): missing
        case .takingBack(_, let from), .contradicted(_, let from): from
        case .none, .established, .superseded, .forked: []
        }
    }

    /// Why nothing of the own log may be signed, for people; nil where it may.
    ///
    /// - Parameter charter: the one in force, for names.
    func objection(under charter: Charter) -> String? {
        let names = waivable.map { charter.member(id: $0)?.name ?? $0 }
        switch self {
        case .established: return nil
        case .none: return "this member has no log under the charter in force"
        case .superseded:
            return "another copy of this node was started later: this one publishes nothing any more; stop the copy "
                + "that should not run, and start this one again to go on here"
        case .forked: return Self.forkedLog
        case .contradicted(let size, _):
            return
                "\(names.joined(separator: ", ")) signed to hold entries of this member's log, up to \(size) or further, "
                + "that are not those here: it was signed twice, or that is a mistake; see whether entente fork list says "
                + "more there (Docs/operations.md, Starts); \(Self.way(names))"
        case .takingBack(let size, let from) where from.isEmpty:
            return "this member's log was published up to \(size), which is more than is here: it is taken back from "
                + "whoever holds it; where that does not end, the log needs a new key (Docs/operations.md, Starts)"
        case .takingBack(let size, _):
            return "others hold this member's log up to \(size), which is more than is here: it is being taken back; "
                + "where that does not end, the log needs a new key (Docs/operations.md, Starts)"
        case .waiting(_, _, isRestored: true):
            return "this node's folder was restored, copied or moved, or others know a later start of it: before it "
                + "publishes, \(names.joined(separator: ", ")) must say what they hold of its log; \(Self.way(names))"
        case .waiting(let needed, _, isRestored: false):
            let others = names.joined(separator: ", ")
            return "this node has started and publishes once \(needed) of \(others) have recorded that, so that no "
                + "second copy of it goes on; \(Self.way(names))"
        }
    }

    static let forkedLog =
        "this member's own log is forked (entente fork list): no replica cosigns it any more; the regulators' "
        + "next charter gives it another log key (Docs/charter.md)"

    private static func way(_ names: [String]) -> String {
        names.first.map { "to go on without one: entente node waive \($0)" } ?? "it asks again every few seconds"
    }
}

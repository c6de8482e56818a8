/// A mistake that the virtual nodes' shells can make, so that it shows whether the simulator would find it.
enum ShellBug: String, CaseIterable, Sendable {
    /// Announces a publication before it is durable.
    case announcesEarly = "announces-early"
    /// Reports others' entries as stored, and cosigns, before they are durable.
    case storesLate = "stores-late"
    /// Comes back from a crash with an old copy of its own log.
    case restoresBackup = "restores-backup"
    /// Takes a document without comparing its digest.
    case takesAnyDocument = "takes-any-document"
    /// Does not tell after a crash which logs have told two stories.
    case forgetsEvidence = "forgets-evidence"
    /// Never hands back the timers that bound requests.
    case losesRequestTimers = "loses-request-timers"
    /// Never says that a bulk answer has been sent.
    case forgetsServed = "forgets-served"
    /// Acts on a charter before it is durable.
    case actsOnCharterEarly = "acts-on-charter-early"
    /// Does not count again what a charter cuts.
    case keepsOldCounts = "keeps-old-counts"
    /// Drops what it sets aside of a forked log.
    case dropsSetAside = "drops-set-aside"
    /// Does not count a forked log again once it is set back.
    case keepsForkedCounts = "keeps-forked-counts"
    /// Finishes a publication after another copy of the node has replaced it.
    case signsWhenReplaced = "signs-when-replaced"
    /// Cosigns both of two heads that contradict each other.
    case cosignsBothBranches = "cosigns-both-branches"
    /// Lets a removed member stay connected.
    case keepsRemoved = "keeps-removed"

    /// What goes wrong, for people.
    var text: String {
        switch self {
        case .announcesEarly: "a publication is announced before it is durable"
        case .storesLate: "entries are reported as stored, and cosigned, before they are durable"
        case .restoresBackup: "a node comes back from a crash with an old copy of its own log"
        case .takesAnyDocument: "a document is taken without comparing its digest"
        case .forgetsEvidence: "after a crash a node does not know which logs told two stories"
        case .losesRequestTimers: "the timers that bound requests never expire"
        case .forgetsServed: "a bulk answer that was sent keeps its place for ever"
        case .actsOnCharterEarly: "a charter is acted upon before it is durable"
        case .keepsOldCounts: "what a charter cuts is not counted again"
        case .dropsSetAside: "what is set aside of a forked log is dropped"
        case .keepsForkedCounts: "a forked log that is set back is not counted again"
        case .signsWhenReplaced: "a publication is finished after another copy of the node has replaced it"
        case .cosignsBothBranches: "both of two heads that contradict each other are cosigned"
        case .keepsRemoved: "a removed member stays connected"
        }
    }
}

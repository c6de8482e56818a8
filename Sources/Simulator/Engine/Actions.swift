import Replication
import TransparencyLog

/// What can be planned.
enum Action {
    case start(Int)
    case crash(Int)
    case tick
    case meeting
    case hand(charter: Int, node: Int, tries: Int)
    case heal
    case dial(Int, Int)
    case deliver(session: Int, toFirst: Bool)
    case end(session: Int, first: Bool)
    case timer(node: Int, life: Int, number: UInt64)
    case disk(node: Int, life: Int, DiskOperation)
    case request(Request)
    case answer(Request, Result<RangeAnswer, FetchFailure>)
    case document(node: Int, life: Int, from: Int, PeerID, HashValue)
    case documentAnswer(node: Int, life: Int, PeerID, HashValue, [UInt8]?)
}

/// A request for a range on its way.
struct Request {
    let asker: Int
    /// The asker's, when it asked.
    let life: Int
    let server: Int
    let wanted: RangeRequest
}

/// What a disk does, one after the other.
enum DiskOperation {
    case ingest(RequestID, origin: Int, RangeAnswer, head: [UInt8])
    case cosign(origin: Int, checkpoint: [UInt8])
    case persistHead(origin: Int, [UInt8])
    /// The lines wait at the node, where later ones join them.
    case persistSignatures(origin: Int, checkpoint: [UInt8])
    case contradiction(origin: Int)
    case fork(origin: Int, [UInt8])
    case begin(above: UInt64)
    case record(origin: Int, [UInt8])
    /// Statements that were drafted under those charters; none for a leaf alone.
    case publish([[UInt8]], under: HashValue)
    case charter([UInt8], from: CharterSource)
    case document(HashValue, [UInt8])
}

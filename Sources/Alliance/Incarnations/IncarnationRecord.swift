/// What is stored of the starts of a log's node: what the store hands over, and replication begins with.
public struct IncarnationRecord: Hashable, Sendable {
    /// Of another member's log: the newest start's note, and this node's receipt, empty without a replica key; both empty
    /// without any.
    public var note: [UInt8]
    public var receipt: [UInt8]
    /// Of this member's own log: its starts.
    public var own: [Incarnation]

    public init(note: [UInt8] = [], receipt: [UInt8] = [], own: [Incarnation] = []) {
        self.note = note
        self.receipt = receipt
        self.own = own
    }
}

import Alliance

/// What the node said instead of doing what it was asked.
public struct NodeRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    public let status: Int
    /// A stable word, such as `refused`, `not-yet` or `unknown`.
    public let code: String
    public let reason: String
    public let place: String?
    /// The statements that would not count, by their position in the submission.
    public let refused: [Refused]

    /// One statement that would not count.
    public struct Refused: Sendable, Hashable {
        public let position: Int
        public let reason: String
    }

    /// Reads the body of an error.
    public init(_ body: [UInt8], status: Int) {
        let error = (try? JSONValue.parse(body))?["error"]
        self.status = status
        code = error?["code"]?.string ?? "other"
        reason = error?["reason"]?.string ?? "the node answered with status \(status)"
        place = error?["place"]?.string
        refused = (error?["refused"]?.array ?? []).map { one in
            Refused(position: Int(one["position"]?.integer ?? 0), reason: one["reason"]?.string ?? "")
        }
    }

    public var description: String { "the node: \(place.map { "\($0): " } ?? "")\(reason)" }
}
